//! What the subcommands share: the log, and output that people read.

use anyhow::{Result, anyhow};
use msnp_transcript::Expression;
use msnp_transcript::screen::Options;
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

/// Returns how to draw.
pub(super) fn options(verbosity: u8) -> Options {
    // anstream takes colours out again where they are not wanted
    Options { verbosity, color: true }
}

/// Compiles the filter, if there is one.
pub(super) fn filter(view: &View) -> Result<Option<Expression>> {
    let Some(source) = &view.filter else { return Ok(None) };
    Expression::compile(source).map(Some).map_err(|error| {
        let column = source.get(..error.range.start).map_or(0, |before| before.chars().count());
        let carets = "^".repeat(error.range.len().max(1));
        let help = error.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        anyhow!("--filter: {error}\n  {source}\n  {:column$}{carets}{help}", "")
    })
}
