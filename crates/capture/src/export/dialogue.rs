//! Transcripts as dialogues: `C> VER 1 MSNP8 CVR0\r\n`. The bytes are exact, times and changes are left out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Write;

use msnp::Direction;
use msnp::argument::Scope;
use msnp_transcript::event::{Event, OpaqueEvent, Origin};
use msnp_transcript::screen::{Tracker, printable};
use msnp_transcript::{Transcript, event::EventError};

use super::{ExportError, Written};

/// Writes transcripts as dialogues, one after the other: what arrived from the peers.
///
/// ```text
/// # session 01jd, what arrived from the peers
/// @conn ns2 NS MSNP8 client=127.0.0.1:40001 server=192.0.2.9:1863
/// C> VER 1 MSNP8 CVR0\r\n
/// S> VER 1 MSNP8\r\n
/// @close ns2 by=client
/// ```
///
/// `\r`, `\n`, `\t`, `\\` and `\xNN` are bytes; all other text is UTF-8. Gaps, notes and opaque bytes are remarked. Connections
/// are called by kind and number. A server that is a name stays one.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn dialogue(transcripts: &[Transcript], mut out: impl Write) -> Result<Written, ExportError> {
    let mut written = Written::default();
    for transcript in transcripts {
        let mut text = format!("# session {}, what arrived from the peers\n", printable(transcript.id().as_bytes()));
        let mut dialogue = Dialogue { names: names(transcript), current: None, text: &mut text };
        for event in &transcript.events {
            if matches!(event, Event::ConnectionOpened(_)) {
                written.connections += 1;
            }
            if let Err(error) = dialogue.event(event) {
                let name = transcript.name.display();
                written.problems.push(format!("{name}: event {}: {error}: left out", event.stem().seq));
            }
            if dialogue.text.len() >= ENOUGH {
                out.write_all(dialogue.text.as_bytes())?;
                dialogue.text.clear();
            }
        }
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(written)
}

struct Dialogue<'a> {
    names: HashMap<u64, (String, Scope)>,
    /// The connection that records belong to.
    current: Option<u64>,
    text: &'a mut String,
}

impl Dialogue<'_> {
    fn event(&mut self, event: &Event) -> Result<(), EventError> {
        match event {
            Event::ConnectionOpened(opened) => self.open(opened.connection, &opened.client, &opened.upstream),
            Event::Command(event) if event.origin != Origin::Injected => {
                let command = event.command()?;
                self.select(event.connection);
                self.message(event.direction.into(), command.as_bytes(), command.line().len() + command.eol().len());
            }
            Event::Opaque(opaque) => {
                let bytes = bytes(opaque)?;
                self.select(opaque.connection);
                self.text.push_str("# outside the protocol:\n");
                self.message(opaque.direction.into(), &bytes, 0);
            }
            Event::Gap(gap) => {
                self.select(gap.connection);
                let way = Direction::from(gap.direction).arrow();
                let count = gap.length.map_or_else(String::new, |length| format!("{length} "));
                let _ = writeln!(self.text, "# {way} {count}bytes are missing here");
            }
            Event::Note(note) => {
                let _ = writeln!(self.text, "# {}", printable(note.text.as_bytes()));
            }
            Event::ConnectionClosed(closed) => {
                let name = self.name(closed.connection);
                let _ = match &closed.by[..] {
                    by @ ("client" | "server") => writeln!(self.text, "@close {name} by={by}"),
                    by => writeln!(self.text, "# {name} closed by {}", printable(by.as_bytes())),
                };
                if self.current == Some(closed.connection) {
                    self.current = None;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, connection: u64, client: &str, server: &str) {
        let name = self.name(connection);
        let scope = self.names.get(&connection).map(|(_, scope)| *scope).unwrap_or_default();
        let kind = scope.server.map_or("?".into(), |kind| kind.as_str().to_uppercase());
        let version = scope.version.map_or("?".into(), |version| version.to_string());
        let _ = write!(self.text, "@conn {name} {kind} {version}");
        for (key, value) in [("client", client), ("server", server)] {
            if !value.is_empty() && !value.contains([' ', '\r', '\n']) {
                let _ = write!(self.text, " {key}={}", printable(value.as_bytes()));
            }
        }
        self.text.push('\n');
        self.current = Some(connection);
    }

    fn select(&mut self, connection: u64) {
        if self.current == Some(connection) {
            return;
        }
        match self.names.contains_key(&connection) {
            true => {
                let name = self.name(connection);
                let _ = writeln!(self.text, "@use {name}");
                self.current = Some(connection);
            }
            false => {
                self.names.insert(connection, (format!("c{connection}"), Scope::default()));
                self.open(connection, "", "");
            }
        }
    }

    fn name(&self, connection: u64) -> String {
        self.names.get(&connection).map_or_else(|| format!("c{connection}"), |(name, _)| name.clone())
    }

    /// Writes a message: its line, and its payload line by line.
    fn message(&mut self, direction: Direction, bytes: &[u8], line: usize) {
        let letter = if direction == Direction::ClientToServer { 'C' } else { 'S' };
        let (line, payload) = bytes.split_at(line.min(bytes.len()));
        let parts = payload.split_inclusive(|&byte| byte == b'\n');
        let first = if line.is_empty() { None } else { Some(line) };
        for (index, part) in first.into_iter().chain(parts).enumerate() {
            let sign = if index == 0 { '>' } else { '|' };
            let _ = writeln!(self.text, "{letter}{sign} {}", escaped(part));
        }
    }
}

fn bytes(opaque: &OpaqueEvent) -> Result<Vec<u8>, EventError> {
    match &opaque.payload {
        Some(payload) => Ok(payload.bytes()?.into_owned()),
        None if opaque.length > MOST_MASKED => Err(EventError::Length { length: opaque.length, limit: MOST_MASKED }),
        None => Ok(vec![b'*'; opaque.length as usize]),
    }
}

/// Returns how connections are called, and what is known of them in the end.
fn names(transcript: &Transcript) -> HashMap<u64, (String, Scope)> {
    let mut tracker = Tracker::default();
    let mut scopes: BTreeMap<u64, Scope> = BTreeMap::new();
    for event in &transcript.events {
        tracker.learn(event);
        if let (Some(connection), Event::ConnectionOpened(_) | Event::Command(_)) = (event.connection(), event) {
            // what nobody opened is called by its number when it speaks
            if matches!(event, Event::ConnectionOpened(_)) || scopes.contains_key(&connection) {
                scopes.insert(connection, tracker.scope(connection));
            }
        }
    }
    let name = |(number, scope): (u64, Scope)| {
        let kind = scope.server.map_or("c", |kind| kind.as_str());
        (number, (format!("{kind}{number}"), scope))
    };
    scopes.into_iter().map(name).collect()
}

/// Returns bytes as text of one line.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        let _ = write!(out, "\\x{byte:02x}");
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    if out.ends_with(' ') {
        out.pop();
        out.push_str("\\x20");
    }
    out
}

/// How much text is gathered before it is written.
const ENOUGH: usize = 64 << 10;
/// How many masked bytes outside of commands are filled in for one event.
const MOST_MASKED: u64 = 16 << 20;
