//! `mitmsn export`: recorded sessions in forms that others read.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::CommandFactory;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use msnp_transcript::Transcript;
use msnp_transcript::export::{ExportError, FORMATS, Format, Options, Side, Writer};
use msnp_transcript::redact::{self, Redactor};

use super::output;
use crate::cli::{Cli, Export, WhichSide};
use target::{Secrecy, Target};

mod target;

/// The formats, in the order of the help. One of another crate is one more line.
fn formats() -> impl Iterator<Item = Format> {
    #[cfg(feature = "capture")]
    let elsewhere = msnp_capture::export::FORMATS;
    #[cfg(not(feature = "capture"))]
    let elsewhere: &[Format] = &[];
    FORMATS.iter().chain(elsewhere).copied()
}

/// Returns what `--format` takes.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(formats().map(|format| PossibleValue::new(format.name).help(format.about)))
}

/// Exports the transcripts.
pub(super) fn run(arguments: &Export) -> Result<ExitCode> {
    let target = Target::of(arguments.out.as_deref(), arguments.force, secrecy(arguments));
    let format = format(arguments);
    if format.is_folder() && target.is_standard_output() {
        let message = format!("{} is a folder of files: say where with -o DIR", format.name);
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    if arguments.filter.is_some() && !format.filters {
        let message = format!("{} cannot leave commands out: use it without --filter", format.name);
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    if arguments.side.is_some() && !format.sides {
        let message = format!("{} shows what arrived: use it without --side", format.name);
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let filter = arguments.filter.as_deref().map(|source| output::expression("--filter", source)).transpose()?;
    target.check(&format)?;
    let (transcripts, code) = output::transcripts(&arguments.files)?;
    let transcripts = shareable(transcripts, arguments)?;
    let options = Options {
        filter,
        redacted: !arguments.no_redact,
        side: match arguments.side {
            None | Some(WhichSide::Received) => Side::Received,
            Some(WhichSide::Sent) => Side::Sent,
        },
    };
    let remarks = match format.writer {
        Writer::File(write) => target.file(|out| write(&transcripts, &options, out).map_err(plain))?,
        Writer::Folder(write) => target.folder(|folder| write(&transcripts, &options, folder).map_err(plain))?,
    };
    for remark in &remarks {
        anstream::eprintln!("mitmsn: {remark}");
    }
    Ok(if remarks.is_empty() { code } else { ExitCode::FAILURE })
}

/// Returns the error that the system gave, so that a closed pipe is known as one.
fn plain(error: ExportError) -> anyhow::Error {
    match error {
        ExportError::Output(problem) => problem.into(),
        error => error.into(),
    }
}

/// The one place through which all transcripts pass before any format sees them.
fn shareable(transcripts: Vec<Transcript>, arguments: &Export) -> Result<Vec<Transcript>> {
    if arguments.no_redact {
        return Ok(transcripts);
    }
    let mut redactor = Redactor::new(redact::Options::default());
    transcripts.iter().for_each(|transcript| redactor.learn(transcript));
    if arguments.filter.as_deref().is_some_and(|filter| !redactor.check_text(filter).is_empty()) {
        bail!("--filter names what is replaced, and would be shown: name what stands for it, or use --no-redact");
    }
    let mut redacted = Vec::with_capacity(transcripts.len());
    let mut left = 0;
    for transcript in transcripts {
        let mut copy = redactor.redact(&transcript)?;
        for leftover in redactor.check(&copy) {
            left += 1;
            anstream::eprintln!("mitmsn: {}: {leftover}: left", transcript.name.display());
        }
        let problems = transcript.problems.len();
        copy.problems.extend((problems > 0).then(|| format!("lines that are no events, or cut off: {problems}")));
        redacted.push(copy);
    }
    match left {
        0 => Ok(redacted),
        _ => bail!("nothing was written: {left} value(s) left that should be replaced"),
    }
}

fn secrecy(arguments: &Export) -> Secrecy {
    if arguments.no_redact { Secrecy::Private } else { Secrecy::Shared }
}

/// Returns the format asked for, or the one that the name of the output tells.
fn format(arguments: &Export) -> Format {
    let extension = arguments.out.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str());
    let found = match (&arguments.format, extension) {
        (Some(name), _) => formats().find(|format| format.name == name),
        (None, Some(extension)) => formats().find(|format| format.extensions.contains(&extension)),
        (None, None) => None,
    };
    found.unwrap_or_else(|| {
        let names: Vec<&str> = formats().map(|format| format.name).collect();
        let message = format!("which format? Say it with --format: {}", names.join(", "));
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit()
    })
}
