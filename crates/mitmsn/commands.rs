//! The subcommands: one file each.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::{Cli, Command};

mod check;
mod demo;
mod explain;
mod generate;
mod output;
mod proxy;
mod replay;
mod sandbox;
mod show;

/// Exit code of a comparison that found differences.
const DIFFERENT: u8 = 3;

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        Command::Explain { words } => explain::run(&words),
        Command::Completions { shell } => generate::completions(&mut Cli::command(), shell),
        Command::Man { out } => generate::man(Cli::command(), out.as_deref()),
    }
}
