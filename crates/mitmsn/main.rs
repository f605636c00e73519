//! mitmsn: the intercepting proxy and research workbench for the MSN Messenger protocol.

use std::io;
use std::process::ExitCode;

use clap::Parser;

mod cli;
mod commands;
mod config;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli.color.write_global();
    let outcome = commands::run(cli);
    commands::output::finish_log();
    match outcome {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mitmsn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of our output went away: no failure of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
