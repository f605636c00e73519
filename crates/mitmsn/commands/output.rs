//! What the subcommands share: the log, and output that people read.

#[cfg(feature = "web")]
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use msnp_transcript::Expression;
use msnp_transcript::screen::Options;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::View;

/// What is said at the start, however quiet the log is.
pub(super) const START: &str = "mitmsn::start";

/// Sends the log to standard error. `MITMSN_LOG` takes directives such as `debug`.
pub(super) fn start_log(quiet: bool) {
    let default = if quiet { "warn,mitmsn::start=info" } else { "info" };
    let filter = EnvFilter::try_from_env("MITMSN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // a second log of one process, as tests make it, changes nothing
    let _ = log.with_target(false).with_ansi(color).try_init();
}

/// Waits for SIGINT or SIGTERM and returns the exit code that goes with it.
pub(super) async fn until_signal() -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    tokio::select! {
        _ = interrupt.recv() => Ok(ExitCode::from(INTERRUPTED)),
        _ = terminate.recv() => Ok(ExitCode::from(TERMINATED)),
    }
}

/// Exit code of a process that SIGINT ended.
pub(super) const INTERRUPTED: u8 = 130;
/// Exit code of a process that SIGTERM ended.
pub(super) const TERMINATED: u8 = 143;

/// Returns how to draw.
pub(super) fn options(verbosity: u8) -> Options {
    // anstream takes colours out again where they are not wanted
    Options { verbosity, color: true }
}

/// Compiles the filter, if there is one.
pub(super) fn filter(view: &View) -> Result<Option<Expression>> {
    view.filter.as_deref().map(|source| expression("--filter", source)).transpose()
}

/// Compiles an expression of the command line; `name` says which.
pub(super) fn expression(name: &str, source: &str) -> Result<Expression> {
    Expression::compile(source).map_err(|error| {
        let column = source.get(..error.range.start).map_or(0, |before| before.chars().count());
        let carets = "^".repeat(error.range.len().max(1));
        let help = error.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        anyhow!("{name}: {error}\n  {source}\n  {:column$}{carets}{help}", "")
    })
}

/// Prints a result.
#[cfg(feature = "web")]
pub(super) fn print(text: &str) -> Result<ExitCode> {
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a result as JSON.
#[cfg(feature = "web")]
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<ExitCode> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}
