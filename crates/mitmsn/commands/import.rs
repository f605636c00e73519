//! `mitmsn import`: transcripts of packet captures.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result};
use msnp_capture::transcripts::Listener;
use msnp_capture::{Importer, ReadError, Transcripts};
use msnp_transcript::event::Event;
use msnp_transcript::screen::Screen;

use super::{output, show};
use crate::cli::{Import, Sources, View};
use crate::config::Config;
use input::{Stop, open};
use summary::{Source, Summary};

mod input;
mod summary;

/// Reads the captures, one after the other. What is wrong with one is said, and the others are read all the same.
pub(super) fn run(arguments: &Import) -> Result<ExitCode> {
    let mut config = Config::load(&Sources::default())?;
    if let Some(folder) = &arguments.out {
        config.record_folder.clone_from(folder);
    }
    let stop = Stop::on_signal()?;
    let mut transcripts = Transcripts::new(&config.folder()?, arguments.keep_secrets);
    if arguments.follow {
        transcripts = transcripts.with_listener(screen(arguments, &stop)?);
    }
    let mut importer = Importer::default();
    let mut summary = Summary::default();
    for file in &arguments.files {
        if stop.is_set() {
            break;
        }
        let problem = read(file, arguments.follow, &stop, &mut importer, &mut transcripts);
        if let Some(problem) = &problem {
            anstream::eprintln!("mitmsn: {problem}");
        }
        summary.sources.push(Source { file: file.clone(), problem });
    }
    summary.report = importer.finish(&mut transcripts);
    summary.sessions = transcripts.finish()?;
    match arguments.json {
        true => anstream::println!("{}", serde_json::to_string_pretty(&summary)?),
        false => anstream::eprint!("{summary}"),
    }
    Ok(stop.exit_code().unwrap_or(if summary.has_problems() { ExitCode::FAILURE } else { ExitCode::SUCCESS }))
}

/// Reads one capture and returns what is wrong with it.
fn read(
    file: &Path,
    follow: bool,
    stop: &Stop,
    importer: &mut Importer,
    transcripts: &mut Transcripts,
) -> Option<String> {
    let input = match open(file, follow, stop) {
        Ok(input) => input,
        Err(error) => return Some(ReadError::Open { name: file.to_owned(), error }.to_string()),
    };
    match importer.read(input, file, transcripts) {
        // whoever ends a live capture may do so within a packet
        Err(ReadError::CutOff { .. }) if stop.is_set() => None,
        result => result.err().map(|error| error.to_string()),
    }
}

/// Returns what draws the lines of transcripts as they are made.
fn screen(arguments: &Import, stop: &Stop) -> Result<Listener> {
    let view = View { verbose: arguments.verbose, filter: arguments.filter.clone() };
    let filter = output::filter(&view)?;
    let screen = Rc::new(RefCell::new(Screen::new(output::options(view.verbose))));
    let stop = stop.clone();
    Ok(Box::new(move |lines| {
        let mut screen = screen.borrow_mut();
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
            let text = screen.draw(&event);
            if filter.as_ref().is_some_and(|filter| !show::passes(filter, &event, screen.tracker())) {
                continue;
            }
            let mut out = anstream::stdout();
            // when the reader of our output goes away, this is over
            if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
                stop.set();
            }
        }
    }))
}

/// Explains a failure of the system.
fn cannot(what: &'static str) -> impl FnOnce() -> String {
    move || format!("cannot {what}")
}

/// Runs the signal handling in a thread of its own.
fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(body).with_context(cannot("start a thread"))?;
    Ok(())
}
