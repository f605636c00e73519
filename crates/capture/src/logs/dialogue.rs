//! The dialogues of this project, whose bytes are exact. `export::dialogue` writes them.
//!
//! ```text
//! # remark
//! @conn ID SERVICE DIALECT [key=value ...]     a connection; client= and server= are its addresses
//! @use ID                                      back to an earlier one
//! @close ID by=client|server
//! C> text      first part of a message of the client, S> of the server; \r \n \t \\ \xNN are bytes
//! C| text      more bytes of the same message
//! ```

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;
use std::time::SystemTime;

use msnp::Direction;
use msnp_transcript::event::{Lack, Source};

use super::item::STEP;
use super::lines::{Line, Lines};
use super::payload::unescape;
use super::{Log, file_of};
use crate::error::ReadError;
use crate::report::Logs;
use crate::sink::{Closer, ConnectionKey, Peers, Sink};

/// Whether a dialogue begins with this line, remarks left aside.
pub(super) fn is_start(line: &[u8]) -> bool {
    [&b"@conn "[..], b"C> ", b"S> "].iter().any(|start| line.starts_with(start))
}

/// Reads a dialogue.
pub(super) fn read(input: impl BufRead, name: &Path, sink: &mut dyn Sink, report: &mut Logs) -> Result<(), ReadError> {
    let mut lines = Lines::new(input);
    let mut reader = Reader {
        name,
        sink,
        report,
        has_source: false,
        time: SystemTime::UNIX_EPOCH,
        open: HashMap::new(),
        order: Vec::new(),
        current: None,
        message: None,
    };
    let result = loop {
        match lines.next() {
            Ok(Some(line)) => reader.line(&line),
            Ok(None) => break Ok(()),
            Err(error) => break Err(ReadError::Read { name: name.to_owned(), offset: lines.bytes(), error }),
        }
    };
    reader.flush();
    for id in std::mem::take(&mut reader.order) {
        reader.close(&id, Closer::Source);
    }
    result
}

/// The connection of messages that belong to none.
const UNKNOWN: &str = "?";

struct Reader<'a> {
    name: &'a Path,
    sink: &'a mut dyn Sink,
    report: &'a mut Logs,
    has_source: bool,
    time: SystemTime,
    open: HashMap<String, ConnectionKey>,
    /// The ids of those that are open, in order.
    order: Vec<String>,
    current: Option<String>,
    message: Option<Part>,
}

/// A message, as far as it was read.
struct Part {
    direction: Direction,
    bytes: Vec<u8>,
    /// Whether a part of it could not be read.
    is_damaged: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line) {
        let number = line.number;
        if line.is_cut {
            self.problem(number, "the line is too long: its end is left out");
        }
        let (kind, rest) = match memchr::memchr(b' ', &line.text) {
            Some(space) => (&line.text[..space], &line.text[space + 1..]),
            None => (&line.text[..], &[][..]),
        };
        match kind {
            b"C>" => self.begin(number, Direction::ClientToServer, rest),
            b"S>" => self.begin(number, Direction::ServerToClient, rest),
            b"C|" => self.go_on(number, Direction::ClientToServer, rest),
            b"S|" => self.go_on(number, Direction::ServerToClient, rest),
            b"@conn" | b"@use" | b"@close" => self.control(number, kind, &String::from_utf8_lossy(rest)),
            b"" => {}
            _ if kind.starts_with(b"#") => {}
            _ => self.problem(number, "not a record: expected C>, C|, S>, S|, @conn, @use, @close or #"),
        }
    }

    fn begin(&mut self, number: u64, direction: Direction, text: &[u8]) {
        self.flush();
        self.message = Some(Part { direction, bytes: Vec::new(), is_damaged: false });
        self.append(number, text);
    }

    fn go_on(&mut self, number: u64, direction: Direction, text: &[u8]) {
        match &self.message {
            Some(message) if message.direction == direction => self.append(number, text),
            _ => self.problem(number, "more bytes of a message that did not begin: there is no C> or S> before it"),
        }
    }

    fn append(&mut self, number: u64, text: &[u8]) {
        let bytes = unescape(text);
        if bytes.is_none() {
            self.problem(number, "an escape that is none: expected \\r, \\n, \\t, \\\\ or \\x and two digits");
        }
        let Some(message) = &mut self.message else { return };
        if message.bytes.len() + text.len() > LONGEST {
            message.is_damaged = true;
            return;
        }
        match bytes {
            Some(bytes) => message.bytes.extend(bytes),
            None => message.is_damaged = true,
        }
    }

    fn control(&mut self, number: u64, kind: &[u8], rest: &str) {
        self.flush();
        let mut words = rest.split(' ').filter(|word| !word.is_empty());
        let Some(id) = words.next() else { return self.problem(number, "no name of a connection") };
        let value = |key: &str| words.clone().find_map(|word| word.strip_prefix(key)).unwrap_or_default().to_owned();
        match kind {
            b"@conn" => {
                let peers = Peers { client: value("client="), server: value("server=") };
                if self.open.contains_key(id) {
                    self.close(id, Closer::Source);
                }
                self.open(id, &peers);
            }
            b"@use" if self.open.contains_key(id) => self.current = Some(id.into()),
            b"@use" => {
                self.problem(number, &format!("no connection {id:?} is open: a new one is taken"));
                self.open(id, &Peers::default());
            }
            _ if self.open.contains_key(id) => {
                let by = if value("by=") == "server" { Closer::Server } else { Closer::Client };
                self.close(id, by);
            }
            _ => self.problem(number, &format!("no connection {id:?} is open")),
        }
    }

    fn flush(&mut self) {
        let Some(message) = self.message.take() else { return };
        let open = |id: &str| self.open.get(id).copied();
        // what belongs to none is all of one, whose name nobody knows
        let known = self.current.as_deref().and_then(open).or_else(|| open(UNKNOWN));
        let key = known.unwrap_or_else(|| self.open(UNKNOWN, &Peers::default()));
        self.time += STEP;
        match message.is_damaged {
            false => self.sink.data(key, message.direction, self.time, &message.bytes),
            true => self.sink.gap(key, message.direction, self.time, None),
        }
        self.report.commands += 1;
    }

    fn open(&mut self, id: &str, peers: &Peers) -> ConnectionKey {
        if !std::mem::replace(&mut self.has_source, true) {
            let mut lacks = vec![Lack::Times];
            if peers.client.is_empty() && peers.server.is_empty() {
                lacks.push(Lack::Addresses);
            }
            self.sink.source(&Source { format: Log::Dialogue.name().into(), file: file_of(self.name), lacks });
        }
        self.time += STEP;
        let key = self.sink.opened(peers, self.time);
        self.open.insert(id.into(), key);
        self.order.push(id.into());
        self.current = Some(id.into());
        key
    }

    fn close(&mut self, id: &str, by: Closer) {
        if let Some(key) = self.open.remove(id) {
            self.order.retain(|open| open != id);
            self.time += STEP;
            self.sink.closed(key, self.time, by, None);
        }
    }

    fn problem(&mut self, number: u64, text: &str) {
        self.report.problem(format!("{}:{number}: {text}", self.name.display()));
    }
}

/// Longest message, in bytes of the text: a payload of the largest size fits, every byte escaped.
const LONGEST: usize = 8 << 20;
