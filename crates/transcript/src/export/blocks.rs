//! A dialogue as blocks of lines with payloads between them: what the languages of forums and wikis have in common.

use std::io::{self, Write};

use msnp::text::write;

use super::fate::fates;
use super::summary::clock;
use super::text::{notes, remark};
use super::walk::{What, broken, tags, walk};
use super::{ExportError, Options};
use crate::Transcript;
use crate::screen::printable;

/// How a language writes the parts.
pub(super) struct Markup {
    /// The heading where the dialogue goes on at another connection: kind of server, number.
    pub(super) place: fn(&mut dyn Write, &str, u64) -> io::Result<()>,
    /// Lines, each with its end.
    pub(super) lines: fn(&mut dyn Write, &str) -> io::Result<()>,
    /// A payload: its size in bytes, its lines.
    pub(super) payload: fn(&mut dyn Write, usize, &str) -> io::Result<()>,
}

/// Writes the dialogue of a session.
pub(super) fn dialogue(
    transcript: &Transcript,
    options: &Options,
    markup: &Markup,
    out: &mut dyn Write,
    remarks: &mut Vec<String>,
) -> Result<(), ExportError> {
    let tags = tags(transcript);
    let mut block = String::new();
    let mut place = (0, String::new());
    walk(transcript, options, |step| {
        let stem = step.event.stem();
        match &step.what {
            What::Command(event, command) => {
                let now = (event.connection, stem.time.get(..19).unwrap_or_default().to_owned());
                if now != place {
                    if event.connection != place.0 {
                        flush(out, markup, &mut block)?;
                        let kind = step.scope.server.map_or("??", |kind| kind.as_str());
                        (markup.place)(out, kind, event.connection)?;
                    }
                    block += &format!("# {}\n", printable(clock(&stem.time).as_bytes()));
                    place = now;
                }
                let text = write(command);
                let (line, payload) = text.split_once('\n').unwrap_or((&text, ""));
                block += &format!("{line}\n");
                for note in notes(&fates(event, command), &event.by) {
                    block += &format!("# {note}\n");
                }
                for tag in tags.get(&stem.seq).into_iter().flatten() {
                    block += &format!("# tagged {}\n", printable(tag.as_bytes()));
                }
                if !payload.is_empty() {
                    flush(out, markup, &mut block)?;
                    (markup.payload)(out, command.payload().len(), payload)?;
                }
            }
            What::Broken => remarks.push(broken(transcript, step.event)),
            // a filter is for commands; what it leaves needs no remarks around it
            What::Other if options.filter.is_none() => {
                if let Some(text) = remark(step.event) {
                    let place = step.event.connection().map(|number| format!("#{number} ")).unwrap_or_default();
                    block += &format!("# {place}{}\n", printable(text.as_bytes()));
                }
            }
            What::LeftOut | What::Other => {}
        }
        Ok::<(), ExportError>(())
    })?;
    flush(out, markup, &mut block)
}

fn flush(out: &mut dyn Write, markup: &Markup, block: &mut String) -> Result<(), ExportError> {
    if !block.is_empty() {
        (markup.lines)(out, block)?;
        block.clear();
    }
    Ok(())
}
