//! Transcripts, and as text that a test can compare whole.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use msnp::Direction;
use msnp_transcript::event::{self, CommandEvent, Event, Way};
use msnp_transcript::reader::{Side, Streams};
use msnp_transcript::{Reader, reader};

/// One transcript.
pub(crate) struct Transcript {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) events: Vec<Event>,
    pub(crate) torn: Option<u64>,
}

impl Transcript {
    fn of(path: PathBuf, bytes: &[u8]) -> Transcript {
        let mut reader = Reader::new(bytes, &path);
        let events = reader.by_ref().map(|event| event.unwrap()).collect();
        let torn = reader.torn();
        Transcript { path, events, torn, text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// Checks what must hold of every transcript: whole lines that fit the schema, numbered without a gap.
    pub(crate) fn check(&self) {
        assert_eq!(self.torn, None, "{}", self.path.display());
        let schema = jsonschema::validator_for(&event::schema()).unwrap();
        for (seq, line) in self.text.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Err(error) = schema.validate(&line) {
                panic!("{line}: {error}");
            }
            assert_eq!(line["seq"], seq, "{line}");
        }
    }

    pub(crate) fn streams(&self) -> Streams {
        reader::streams(&self.events).unwrap()
    }

    /// Returns what one stream of a connection was; empty if nothing went there.
    pub(crate) fn stream(&self, connection: u64, side: Side) -> Vec<u8> {
        self.streams().remove(&(connection, side)).unwrap_or_default()
    }

    /// Returns one line of text for every event, those of one connection together: between connections there is no order
    /// that a test could rely on.
    pub(crate) fn outline(&self) -> String {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| match event {
            Event::Session(_) => 0,
            Event::SessionClosed(_) => u64::MAX,
            Event::ConnectionOpened(event) => event.connection,
            Event::SessionJoined(event) => event.connection,
            Event::Command(event) => event.connection,
            Event::Opaque(event) => event.connection,
            Event::ConnectionClosed(event) => event.connection,
            Event::Note(event) => event.connection.unwrap_or(0),
            Event::Tag(event) => event.connection,
            _ => 0,
        });
        events.into_iter().map(outline).collect::<Vec<_>>().join("\n")
    }
}

fn outline(event: &Event) -> String {
    match event {
        Event::Session(_) => "session".into(),
        Event::ConnectionOpened(opened) => {
            let mut text = format!("#{} to {}", opened.connection, opened.upstream);
            if let Some(server) = opened.server {
                let _ = write!(text, ", {}", format!("{server:?}").to_lowercase());
            }
            for known in [&opened.account, &opened.version].into_iter().flatten() {
                let _ = write!(text, ", {known}");
            }
            text
        }
        Event::SessionJoined(joined) => {
            format!("#{} follows #{} by {}", joined.connection, joined.from, format!("{:?}", joined.by).to_lowercase())
        }
        Event::Command(command) => command_outline(command),
        Event::Opaque(opaque) => {
            let arrow = if opaque.direction == Way::ClientToServer { ">>>" } else { "<<<" };
            format!("#{} {arrow} {} bytes", opaque.connection, opaque.length)
        }
        Event::ConnectionClosed(closed) => {
            let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("#{} closed by {}{reason}", closed.connection, closed.by)
        }
        Event::Note(note) => format!("#{} note: {}", note.connection.unwrap_or(0), note.text),
        Event::Tag(tag) => format!("#{} tag {} on {}", tag.connection, tag.tag, tag.command),
        Event::SessionClosed(closed) => format!("over after {}", closed.connections),
        other => format!("{other:?}"),
    }
}

fn command_outline(event: &CommandEvent) -> String {
    let drawn = |command: &msnp::Command| {
        let arrow = if command.direction() == Direction::ClientToServer { ">>>" } else { "<<<" };
        let mut text = format!("{arrow} {}", String::from_utf8_lossy(command.line()));
        if command.eol() == b"\n" {
            text.push_str(" (LF)");
        }
        if !command.payload().is_empty() {
            let _ = write!(text, " {:?}", String::from_utf8_lossy(command.payload()));
        }
        text
    };
    let mut text = format!("#{} {}", event.connection, drawn(&event.command().unwrap()));
    if event.sent.is_some() {
        let sent: Vec<String> = event.sent().unwrap().iter().map(drawn).collect();
        let _ = write!(text, " => [{}]", sent.join(", "));
    }
    if !event.by.is_empty() {
        let _ = write!(text, " by {}", event.by.join(", "));
    }
    text
}

/// Returns the transcripts in a folder, in the order in which they began.
pub(crate) fn transcripts(folder: &Path) -> Vec<Transcript> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("sessions")).into_iter().flatten() {
        let path = entry.unwrap().path();
        // a transcript gets another name when its account is known
        if let Ok(bytes) = std::fs::read(&path) {
            found.push(Transcript::of(path, &bytes));
        }
    }
    // connections are numbered in the order in which they come
    found.sort_by_key(|transcript| {
        transcript.events.iter().find_map(|event| match event {
            Event::ConnectionOpened(opened) => Some(opened.connection),
            _ => None,
        })
    });
    found
}
