//! Comma-separated values as in RFC 4180: a header, then one row for each command. Lines end in CRLF.
//!
//! A cell that a spreadsheet would take for a formula starts with `'`: names and texts come from strangers. Who needs every byte
//! as it was takes `json`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::row::Row;
use super::walk::{commands, tags};
use super::{ExportError, Format, Options, Writer};
use crate::Transcript;
use crate::event::Payload;
use crate::screen::printable;

pub(super) const FORMAT: Format =
    Format::new("csv", &["csv"], "one row for each command, for spreadsheets", Writer::File(export));

/// The columns, in order.
const COLUMNS: [&str; 23] = [
    "session",
    "seq",
    "time",
    "seconds",
    "account",
    "version",
    "connection",
    "server",
    "direction",
    "verb",
    "trid",
    "line",
    "named",
    "payload",
    "payload_base64",
    "content_type",
    "size",
    "origin",
    "fate",
    "sent",
    "by",
    "tags",
    "error",
];

fn export(transcripts: &[Transcript], options: &Options, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut remarks = Vec::new();
    write!(out, "{}\r\n", COLUMNS.join(","))?;
    for transcript in transcripts {
        let start = transcript.events.first().map_or("", |event| &event.stem().time);
        let tags = tags(transcript);
        remarks.extend(commands(transcript, options, |step, event, command| {
            let tags = tags.get(&event.stem.seq).map_or(&[][..], Vec::as_slice);
            let row = Row::of(step, event, command, tags, start);
            let cells = cells(&row, &printable(command.line()));
            write!(out, "{}\r\n", cells.map(|cell| quoted(&cell)).join(","))?;
            Ok::<(), ExportError>(())
        })?);
    }
    Ok(remarks)
}

fn cells(row: &Row<'_>, line: &str) -> [String; COLUMNS.len()] {
    let (text, base64) = match row.payload {
        Some(Payload::Text(text)) if is_plain(text) => (text.clone(), String::new()),
        Some(Payload::Text(text)) => (String::new(), STANDARD.encode(text)),
        Some(Payload::Base64(base64)) => (String::new(), base64.clone()),
        None => Default::default(),
    };
    let sent = row.sent.map(|sent| {
        let lines = sent.iter().filter_map(|sent| sent.command().ok());
        let lines = lines.map(|new| format!("{} {}", new.direction().arrow(), printable(new.line())));
        lines.collect::<Vec<_>>().join("\n")
    });
    let optional = |value: Option<String>| value.unwrap_or_default();
    [
        row.session.to_owned(),
        row.seq.to_string(),
        row.time.to_owned(),
        optional(row.seconds.map(|seconds| format!("{seconds:.6}"))),
        printable(row.account.as_bytes()),
        optional(row.version.clone()),
        row.connection.to_string(),
        row.server.map_or(String::new(), |server| msnp::ServerKind::from(server).to_string()),
        msnp::Direction::from(row.direction).to_string(),
        row.verb.to_owned(),
        optional(row.trid.map(|trid| trid.to_string())),
        line.to_owned(),
        if row.named.is_empty() { String::new() } else { Value::from(row.named.clone()).to_string() },
        text,
        base64,
        optional(row.content_type.clone()),
        row.size.to_string(),
        row.origin.to_owned(),
        row.fate.join(" "),
        optional(sent),
        row.by.join(", "),
        row.tags.join(", "),
        row.error.unwrap_or_default().to_owned(),
    ]
}

/// Whether readers of CSV can be trusted with it.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\r' | '\n' | '\t'))
}

fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}
