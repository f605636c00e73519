//! The check of a result: nothing of what was learned may be left in it.

use std::fmt;

use base64::Engine;
use serde_json::Value;

use super::events;
use super::kind::{Kind, TextPolicy};
use super::names::Names;
use super::net::Net;
use super::passage::Passage;
use crate::event::Event;

/// A value that is left where it should not be. It tells what and where, and of the value itself only its first
/// character and length.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Leftover {
    /// The number of the event; 0 if it is none.
    pub seq: u64,
    /// Where in the event: `args[3]`, `payload.text`, or the place that the audit found it in.
    pub place: String,
    /// What it is.
    pub kind: Kind,
    /// Its first character.
    pub first: char,
    /// How many bytes it has there; 0 if only its place is known.
    pub length: usize,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}, {}: {}", self.seq, self.place, self.kind)?;
        match self.length {
            0 => Ok(()),
            length => write!(f, " \"{}...\" of {length} bytes", self.first),
        }
    }
}

/// Walks over an event place by place: a value of the table's places that was learned, be it ever so short, is left.
pub(super) fn audit(names: &mut Names, text: TextPolicy, passage: &mut Passage, event: &Event) -> Vec<Leftover> {
    // an audit changes nothing, so it cannot fail
    let _ = events::redact(names, None, text, passage, event);
    let place = match event {
        Event::Command(command) => format!("a place of {}", command.verb),
        _ => "a place of the event".into(),
    };
    let leftover = |kind| Leftover { seq: event.stem().seq, place: place.clone(), kind, first: ' ', length: 0 };
    names.take_found().into_iter().map(leftover).collect()
}

/// Searches every string of an event, names of fields included.
pub(super) fn value(net: &Net, value: &Value) -> Vec<Leftover> {
    let seq = value.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let mut found = Vec::new();
    walk(net, seq, value, "", &mut found);
    found
}

fn walk(net: &Net, seq: u64, value: &Value, place: &str, found: &mut Vec<Leftover>) {
    match value {
        // times, whose digits everybody may have, and words of the format
        Value::String(text) if place == "time" && text.len() <= LONGEST_TIME => {}
        Value::String(text) if is_word_of_format(place, text) => {}
        Value::String(text) => {
            if place.ends_with("base64") {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                search(net, seq, place, bytes.as_deref().unwrap_or(text.as_bytes()), found);
            } else {
                search(net, seq, place, text.as_bytes(), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(net, seq, value, &format!("{place}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if !FIELDS.contains(&name.as_str()) {
                    search(net, seq, "name of a field", name.as_bytes(), found);
                }
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                walk(net, seq, value, &place, found);
            }
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Searches a line of any file.
pub(super) fn line(net: &Net, line: &[u8]) -> Vec<Leftover> {
    match serde_json::from_slice::<Value>(line) {
        Ok(object @ Value::Object(_)) => value(net, &object),
        // a page has attributes of its own
        _ => left(net, 0, "text", line).filter(|(_, is_quoted)| !is_quoted).map(|(left, _)| left).collect(),
    }
}

/// Leaves one of what was found in the same place.
pub(super) fn tidy(mut found: Vec<Leftover>) -> Vec<Leftover> {
    let mut known: Vec<(String, Kind)> = Vec::new();
    found.retain(|leftover| {
        let key = (leftover.place.clone(), leftover.kind);
        let is_new = !known.contains(&key);
        known.push(key);
        is_new
    });
    found
}

fn search(net: &Net, seq: u64, place: &str, bytes: &[u8], found: &mut Vec<Leftover>) {
    found.extend(left(net, seq, place, bytes).map(|(left, _)| left));
}

fn left(net: &Net, seq: u64, place: &str, bytes: &[u8]) -> impl Iterator<Item = (Leftover, bool)> {
    let place = place.to_owned();
    net.search(bytes).into_iter().map(move |hit| {
        let first = if hit.first.is_ascii_graphic() { char::from(hit.first) } else { '?' };
        (Leftover { seq, place: place.clone(), kind: hit.kind, first, length: hit.length }, hit.is_quoted)
    })
}

/// Whether a string is one of the few that the format has in this place.
fn is_word_of_format(place: &str, text: &str) -> bool {
    let place = place.rsplit('.').next().unwrap_or(place);
    matches!(place, "type" | "format" | "direction" | "server" | "origin" | "by")
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && WORDS.contains(&text)
}

/// The names of fields of events, which say nothing of anybody.
const FIELDS: &[&str] = &[
    "type",
    "seq",
    "time",
    "session",
    "format",
    "version",
    "software",
    "source",
    "file",
    "lacks",
    "redacted",
    "text",
    "connection",
    "client",
    "listener",
    "upstream",
    "server",
    "account",
    "from",
    "by",
    "direction",
    "verb",
    "trid",
    "args",
    "payload",
    "base64",
    "eol",
    "origin",
    "sent",
    "delay",
    "held",
    "masked",
    "after",
    "length",
    "reason",
    "client_bytes",
    "server_bytes",
    "command",
    "tag",
    "connections",
];
const WORDS: &[&str] = &[
    "session",
    "connection-opened",
    "session-joined",
    "command",
    "released",
    "opaque",
    "gap",
    "connection-closed",
    "note",
    "tag",
    "session-closed",
    "mitmsn-transcript",
    "c2s",
    "s2c",
    "ds",
    "ns",
    "sb",
    "peer",
    "injected",
    "replayed",
    "cookie",
    "invitation",
    "redirect",
    "client",
    "server",
    "proxy",
    "timeout",
    "shutdown",
];

/// `2026-11-22T12:00:00.000000Z`
const LONGEST_TIME: usize = 30;
