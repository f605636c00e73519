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
        // times and other numbers that everybody may know
        Value::String(text) if place == "time" && text.len() <= LONGEST_TIME => {}
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
                search(net, seq, "name of a field", name.as_bytes(), found);
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
        _ => {
            let mut found = Vec::new();
            search(net, 0, "text", line, &mut found);
            found
        }
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
    found.extend(net.search(bytes).into_iter().map(|hit| Leftover {
        seq,
        place: place.to_owned(),
        kind: hit.kind,
        first: char::from(hit.first),
        length: hit.length,
    }));
}

/// `2026-11-22T12:00:00.000000Z`
const LONGEST_TIME: usize = 30;
