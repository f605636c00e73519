//! The text form of commands, as people quote it: `>>>` from the client, `<<<` from the server, `|` before payloads.
//!
//! It is the form of [`msnp::text`], so that what is exported can be sent, and loses nothing. All else stands in comments.

use std::io::Write;

use msnp::command::lossy;
use msnp::text::write;

use super::fate::{Fate, fates, of_sent};
use super::summary::{Summary, clock};
use super::walk::{What, broken, tags, walk};
use super::{ExportError, Format, Options, Writer};
use crate::Transcript;
use crate::event::{Event, ReleasedEvent};
use crate::screen::printable;

pub(super) const FORMAT: Format =
    Format::new("text", &["txt", "text"], "commands as people quote them, >>> and <<<", Writer::File(export));

fn export(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    for (index, transcript) in transcripts.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        session(transcript, options, out, &mut remarks)?;
    }
    Ok(remarks)
}

fn session(
    transcript: &Transcript,
    options: &Options,
    out: &mut dyn Write,
    remarks: &mut Vec<String>,
) -> Result<(), ExportError> {
    let summary = Summary::of(transcript, options);
    for (name, value) in summary.facts(options) {
        writeln!(out, "# {name}: {}", printable(value.as_bytes()))?;
    }
    let tags = tags(transcript);
    let mut place = (0, String::new());
    walk(transcript, options, |step| {
        let stem = step.event.stem();
        match &step.what {
            What::Command(event, command) => {
                // one line says where the dialogue goes on, and when
                let now = (event.connection, stem.time.get(..19).unwrap_or_default().to_owned());
                if now != place {
                    let kind = step.scope.server.map_or("??", |kind| kind.as_str());
                    writeln!(out, "\n# {} {kind}#{}", printable(clock(&stem.time).as_bytes()), event.connection)?;
                    place = now;
                }
                write!(out, "{}", write(command))?;
                for line in notes(&fates(event, command), &event.by) {
                    writeln!(out, "# {line}")?;
                }
                for tag in tags.get(&stem.seq).into_iter().flatten() {
                    writeln!(out, "# tagged {}", printable(tag.as_bytes()))?;
                }
            }
            What::Broken => remarks.push(broken(transcript, step.event)),
            What::LeftOut => {}
            What::Other => {
                let Some(text) = remark(step.event) else { return Ok(()) };
                // a filter is for commands; what it leaves needs no remarks around it
                if options.filter.is_none() {
                    let place = step.event.connection().map(|number| format!(" #{number}")).unwrap_or_default();
                    writeln!(
                        out,
                        "# {}{place} {}",
                        clock(&printable(stem.time.as_bytes())),
                        printable(text.as_bytes())
                    )?;
                }
            }
        }
        Ok::<(), ExportError>(())
    })
}

/// Returns lines that say what became of a command.
pub(super) fn notes(fates: &[Fate], by: &[String]) -> Vec<String> {
    let by = if by.is_empty() { String::new() } else { format!("   ({})", printable(by.join(", ").as_bytes())) };
    let mut lines = Vec::new();
    for fate in fates {
        match fate {
            Fate::Changed(command) | Fate::Added(command) => {
                let text = write(command);
                let mut text = text.lines();
                let first = text.next().unwrap_or_default();
                lines.push(format!("{}{}{by}", fate.sign(), first.get(1..).unwrap_or_default()));
                lines.extend(text.map(|line| format!("   {line}")));
            }
            _ => lines.push(format!("{} {}{by}", fate.sign(), fate.words())),
        }
    }
    lines
}

/// Returns what an event that is no command says, if people need to know.
pub(super) fn remark(event: &Event) -> Option<String> {
    Some(match event {
        Event::ConnectionOpened(opened) => {
            let ends = [&opened.client, &opened.listener, &opened.upstream];
            let ends: Vec<&str> = ends.into_iter().map(String::as_str).filter(|end| !end.is_empty()).collect();
            format!("connected: {}", ends.join(" -> ")).trim_end_matches([':', ' ']).to_owned()
        }
        Event::ConnectionClosed(closed) => {
            let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("closed by {}{reason}", closed.by)
        }
        Event::SessionJoined(joined) => format!("belongs to the session of #{}", joined.from),
        Event::Opaque(opaque) => {
            let arrow = msnp::Direction::from(opaque.direction).arrow();
            let bytes = opaque.payload.as_ref().and_then(|payload| payload.bytes().ok());
            let shown = bytes.map(|bytes| {
                let cut = bytes.get(..MOST_OPAQUE).unwrap_or(&bytes);
                let dots = if cut.len() < bytes.len() { "..." } else { "" };
                format!(": {}{dots}", lossy(cut).escape_debug())
            });
            format!("{arrow} {} bytes outside the protocol{}", opaque.length, shown.unwrap_or_default())
        }
        Event::Gap(gap) => {
            let arrow = msnp::Direction::from(gap.direction).arrow();
            match gap.length {
                Some(length) => format!("{arrow} {length} bytes are missing"),
                None => format!("{arrow} bytes are missing"),
            }
        }
        Event::Released(released) => release(released),
        Event::Note(note) => note.text.clone(),
        _ => return None,
    })
}

fn release(released: &ReleasedEvent) -> String {
    let ReleasedEvent { held, by, after, .. } = released;
    let what = match released.sent.as_deref() {
        Some([]) => "dropped",
        Some(_) => "released, changed,",
        None => "released",
    };
    let mut text = format!("{held} {what} after {after:.1} s by {by}");
    if let Some(sent) = released.sent.as_deref().filter(|sent| !sent.is_empty()) {
        for command in sent.iter().filter_map(|sent| sent.command().ok()) {
            text += &format!(": {} {}", command.direction().arrow(), lossy(command.line()));
        }
    }
    text
}

/// Returns what left in the place of a held command, if that was another.
pub(super) fn released_fates(
    event: &crate::event::CommandEvent,
    command: &msnp::Command,
    released: &ReleasedEvent,
) -> Vec<Fate> {
    released.sent.as_deref().map(|sent| of_sent(command, event.direction, sent)).unwrap_or_default()
}

/// Opaque bytes are shown up to here.
const MOST_OPAQUE: usize = 256;
