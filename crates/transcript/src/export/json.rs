//! One JSON array of commands, for notebooks: one line each.

use std::io::Write;

use super::row::Row;
use super::walk::{commands, tags};
use super::{ExportError, Format, Options, Writer};
use crate::Transcript;

pub(super) const FORMAT: Format =
    Format::new("json", &["json"], "one array of commands, for notebooks", Writer::File(export));

fn export(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    let mut before = "[\n";
    for transcript in transcripts {
        let start = transcript.events.first().map_or("", |event| &event.stem().time);
        let tags = tags(transcript);
        remarks.extend(commands(transcript, options, |step, event, command| {
            out.write_all(before.as_bytes())?;
            before = ",\n";
            let tags = tags.get(&event.stem.seq).map_or(&[][..], Vec::as_slice);
            serde_json::to_writer(&mut *out, &Row::of(step, event, command, tags, start))
                .map_err(std::io::Error::from)?;
            Ok::<(), ExportError>(())
        })?);
    }
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })?;
    Ok(remarks)
}
