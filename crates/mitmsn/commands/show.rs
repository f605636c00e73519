//! `mitmsn show`: recorded sessions as dialogues.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use msnp_transcript::expression::Subject;
use msnp_transcript::screen::{Screen, Tracker};
use msnp_transcript::{Event, Expression, Reader};

use super::output;
use crate::cli::Show;

/// Prints the transcripts, one after the other. Bad lines are reported and make the exit code 1.
pub(super) fn run(arguments: &Show) -> Result<ExitCode> {
    let filter = output::filter(&arguments.view)?;
    let mut out = anstream::AutoStream::auto(std::io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        let is_sound = if file == Path::new("-") {
            print(file, Reader::new(BufReader::new(std::io::stdin()), file), arguments, filter.as_ref(), &mut out)?
        } else {
            print(file, Reader::open(file)?, arguments, filter.as_ref(), &mut out)?
        };
        if !is_sound {
            code = ExitCode::FAILURE;
        }
    }
    out.flush()?;
    Ok(code)
}

fn print<R: BufRead>(
    file: &Path,
    mut events: Reader<R>,
    arguments: &Show,
    filter: Option<&Expression>,
    out: &mut impl Write,
) -> Result<bool> {
    let mut screen = Screen::new(output::options(arguments.view.verbose));
    let mut is_sound = true;
    for event in events.by_ref() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                anstream::eprintln!("mitmsn: {error}");
                is_sound = false;
                continue;
            }
        };
        let text = screen.draw(&event);
        if filter.is_some_and(|filter| !passes(filter, &event, screen.tracker())) {
            continue;
        }
        if arguments.json {
            serde_json::to_writer(&mut *out, &event)?;
            writeln!(out)?;
        } else {
            out.write_all(text.as_bytes())?;
        }
    }
    if let Some(line) = events.torn() {
        anstream::eprintln!("mitmsn: {}:{line} is cut off: the recording ended there", file.display());
    }
    Ok(is_sound)
}

/// Whether a filter lets an event pass. It looks at commands only.
pub(super) fn passes(filter: &Expression, event: &Event, tracker: &Tracker) -> bool {
    let Event::Command(event) = event else { return false };
    event.command().is_ok_and(|command| {
        filter.matches(&Subject {
            command: &command,
            scope: tracker.scope(event.connection),
            account: tracker.account(&event.stem.session, event.connection),
            session: &event.stem.session,
            connection: event.connection,
            origin: "peer",
        })
    })
}
