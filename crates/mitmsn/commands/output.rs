//! What the subcommands share: the log, and output that people read.

use std::fs::DirEntry;
use std::io::BufReader;
#[cfg(feature = "web")]
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use mitmsn_proxy::observers::Outlet;
use msnp_transcript::screen::Options;
use msnp_transcript::{Expression, Reader, Transcript};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::View;

/// What is said at the start, however quiet the log is.
pub(super) const START: &str = "mitmsn::start";

/// Standard error, once there is a log.
static LOG: OnceLock<Outlet> = OnceLock::new();

/// Sends the log to standard error. `MITMSN_LOG` takes directives such as `debug`.
///
/// # Errors
///
/// If the system gives no thread.
pub(super) fn start_log(quiet: bool) -> Result<()> {
    let default = if quiet { "warn,mitmsn::start=info" } else { "info" };
    let filter = EnvFilter::try_from_env("MITMSN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let outlet = Outlet::start(anstream::AutoStream::auto(std::io::stderr())).context("cannot start the log")?;
    let outlet = LOG.get_or_init(|| outlet);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| outlet.clone());
    // a second log of one process, as tests make it, changes nothing
    let _ = log.with_target(false).with_ansi(color).try_init();
    Ok(())
}

/// Says something of several lines, which the log would not keep, between those of the log.
pub(super) fn say(text: &str) {
    match LOG.get() {
        Some(log) => log.say(&format!("{text}\n")),
        None => anstream::eprintln!("{text}"),
    }
}

/// Waits for what the log has to say, though not for a reader that does not read.
pub(crate) fn finish_log() {
    if let Some(log) = LOG.get() {
        log.flush(READING);
    }
}

/// Starts to write to standard output.
///
/// # Errors
///
/// If the system gives no thread.
pub(super) fn standard_output() -> Result<Outlet> {
    Outlet::start(anstream::AutoStream::auto(std::io::stdout())).context("cannot write to standard output")
}

/// How long to wait at the end for those who read our output.
pub(super) const READING: Duration = Duration::from_secs(1);

/// Listens for SIGINT and SIGTERM from now on; the future waits for one and returns the exit code that goes with it.
pub(super) fn until_signal() -> Result<impl Future<Output = ExitCode>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
            _ = terminate.recv() => ExitCode::from(TERMINATED),
        }
    })
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

/// Reads transcripts: files, `-` for standard input, and folders, which stand for the `.jsonl` files in them. What is wrong
/// with one is said on standard error; the exit code is 1 if anything was, and the rest is read all the same.
pub(super) fn transcripts(files: &[PathBuf]) -> Result<(Vec<Transcript>, ExitCode)> {
    let mut found = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for file in paths(files)? {
        let transcript = match file.as_os_str() == "-" {
            true => Transcript::read(Reader::new(BufReader::new(std::io::stdin()), &file), &file),
            false => Transcript::open(&file),
        };
        match transcript {
            Ok(transcript) => {
                for problem in &transcript.problems {
                    anstream::eprintln!("mitmsn: {problem}");
                    code = ExitCode::FAILURE;
                }
                found.push(transcript);
            }
            Err(error) => {
                anstream::eprintln!("mitmsn: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    match found.is_empty() {
        true => Err(anyhow!("no transcript could be read")),
        false => Ok((found, code)),
    }
}

/// Puts the transcripts of folders, by name, in the place of the folders.
pub(super) fn paths(files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for file in files {
        if !file.is_dir() {
            paths.push(file.clone());
            continue;
        }
        let entries = std::fs::read_dir(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut inside: Vec<PathBuf> = entries.collect::<Result<Vec<_>, _>>()?.iter().map(DirEntry::path).collect();
        inside.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        inside.sort();
        paths.extend(inside);
    }
    Ok(paths)
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
