//! Tells a sink what the lines of a log say: connections, times, commands with their payloads.

use std::io::BufRead;
use std::path::Path;
use std::time::SystemTime;

use msnp::flow::Opening;
use msnp::{Command, Direction, ServerKind, Verb, table};
use msnp_transcript::event::{Lack, Source};

use super::item::{Grammar, Item, Message, STEP, Style};
use super::lines::Lines;
use super::payload::{self, Found};
use super::time::Clock;
use super::{Log, file_of};
use crate::error::ReadError;
use crate::report::Logs;
use crate::sink::{Closer, ConnectionKey, Peers, Sink};

/// Reads a log whose lines a grammar knows.
pub(super) fn read(
    log: Log,
    grammar: &mut dyn Grammar,
    input: impl BufRead,
    name: &Path,
    sink: &mut dyn Sink,
    report: &mut Logs,
) -> Result<(), ReadError> {
    let mut lines = Lines::new(input);
    let mut teller = Teller::new(log, name, sink, report);
    let result = loop {
        match lines.next() {
            Ok(Some(line)) => {
                if line.is_cut {
                    teller.problem(line.number, "the line is too long: its end is left out");
                }
                let item = grammar.item(&line.text);
                teller.line(line.number, item, line.text);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(ReadError::Read { name: name.to_owned(), offset: lines.bytes(), error }),
        }
    };
    teller.finish();
    result
}

/// A connection of the log.
#[derive(Debug)]
struct Connection {
    key: ConnectionKey,
    mark: Option<String>,
    kind: Option<ServerKind>,
    /// Whether the client has said something.
    has_spoken: bool,
}

/// A command whose payload may follow.
#[derive(Debug)]
struct Pending {
    message: Message,
    /// How many bytes its line announces.
    announced: u64,
    rows: Vec<Vec<u8>>,
    /// How many bytes of rows are still taken.
    room: u64,
}

struct Teller<'a> {
    log: Log,
    name: &'a Path,
    sink: &'a mut dyn Sink,
    report: &'a mut Logs,
    has_source: bool,
    time: Option<SystemTime>,
    has_clock: bool,
    pending: Option<Pending>,
    /// Those that are open, the one of the latest line last.
    connections: Vec<Connection>,
}

impl<'a> Teller<'a> {
    fn new(log: Log, name: &'a Path, sink: &'a mut dyn Sink, report: &'a mut Logs) -> Teller<'a> {
        Teller {
            log,
            name,
            sink,
            report,
            has_source: false,
            time: None,
            has_clock: false,
            pending: None,
            connections: Vec::new(),
        }
    }

    fn line(&mut self, number: u64, item: Item, text: Vec<u8>) {
        match item {
            Item::Message(message) => {
                self.flush();
                let announced = payload::announced(&message);
                // escapes and indentation take room, and pages have other text in between
                let room = (announced * 5 + 4096).min(super::lines::LONGEST);
                self.pending = Some(Pending { message, announced, rows: Vec::new(), room });
            }
            Item::Other if self.row(&text) => {}
            // where lines begin with a time or a connection, one that does is no part of a payload
            Item::Bad(_) if self.is_bare() && self.row(&text) => {}
            Item::Other => self.report.other_lines += u64::from(!text.trim_ascii().is_empty()),
            Item::Bad(why) => self.problem(number, why),
            Item::Opened { clock, mark, client, server } => {
                self.flush();
                let time = self.at(clock);
                self.source(clock, !client.is_empty() || !server.is_empty());
                self.close(|connection| connection.mark == mark, time, Closer::Source);
                self.open(mark, None, Peers { client, server }, time);
            }
            Item::Closed { clock, mark, by } => {
                self.flush();
                let time = self.at(clock);
                let by = match &by[..] {
                    "client" => Closer::Client,
                    "server" => Closer::Server,
                    _ => Closer::Source,
                };
                self.close(|connection| connection.mark == mark, time, by);
            }
            Item::Note { clock, mark, text } => {
                self.flush();
                let time = self.at(clock);
                let connection = self.connections.iter().rev().find(|connection| connection.mark == mark);
                if let Some(key) = connection.map(|connection| connection.key) {
                    self.sink.note(key, time, &text);
                }
            }
        }
    }

    /// Whether the command that waits stands on a line with nothing before it.
    fn is_bare(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.message.clock.is_none() && pending.message.mark.is_none())
    }

    /// Keeps a line that may be one of a payload.
    fn row(&mut self, text: &[u8]) -> bool {
        let Some(pending) = &mut self.pending else { return false };
        let may_be = pending.announced > 0 || (pending.rows.is_empty() && payload::python(text).is_some());
        let takes = may_be && pending.message.style != Style::Absent && pending.room >= text.len() as u64;
        if takes {
            pending.room -= (text.len() as u64 + 1).min(pending.room);
            pending.rows.push(text.to_vec());
        }
        takes
    }

    fn flush(&mut self) {
        let Some(Pending { message, announced, rows, .. }) = self.pending.take() else { return };
        let time = self.at(message.clock);
        self.source(message.clock, false);
        let index = self.connection(&message, time);
        let connection = &mut self.connections[index];
        let key = connection.key;
        connection.has_spoken |= message.direction == Direction::ClientToServer;
        let mut used = rows.len();
        let tell = |sink: &mut dyn Sink, line: &[u8], payload: &[u8]| {
            sink.data(key, message.direction, time, &[line, message.eol, payload].concat());
        };
        if let Some(body) = rows.first().filter(|_| message.style == Style::Text).and_then(|row| payload::python(row)) {
            let line = payload::with_length(&message, body.len());
            if line != message.line {
                let text = format!("the log has {:?}: the length was put in", String::from_utf8_lossy(&message.line));
                self.sink.note(key, time, &text);
            }
            tell(self.sink, &line, &body);
            used = 1;
        } else {
            match payload::find(&message, announced, &rows) {
                Found::Whole(body, rows) => {
                    tell(self.sink, &message.line, &body);
                    used = rows;
                }
                Found::Shown(body, rows) => {
                    let shown = body.len();
                    let text = format!(
                        "the line announces {announced} bytes, the log shows {shown}: the length was corrected"
                    );
                    self.sink.note(key, time, &text);
                    tell(self.sink, &payload::with_other_length(&message.line, shown), &body);
                    used = rows;
                }
                Found::Missing => {
                    tell(self.sink, &message.line, b"");
                    if announced > 0 {
                        self.report.missing_payloads += 1;
                        self.sink.gap(key, message.direction, time, Some(announced));
                        used = 0;
                    }
                }
            }
        }
        let rest = rows.get(used..).unwrap_or_default();
        self.report.other_lines += rest.iter().filter(|row| !row.trim_ascii().is_empty()).count() as u64;
        self.report.commands += 1;
        if message.mark.is_none() && Verb::of_line(&message.line).is_some_and(|verb| verb.as_str() == "OUT") {
            let by = match message.direction {
                Direction::ClientToServer => Closer::Client,
                Direction::ServerToClient => Closer::Server,
            };
            self.close(|connection| connection.key == key, time, by);
        }
    }

    /// Returns the connection that a command belongs to, and makes it the last.
    fn connection(&mut self, message: &Message, time: SystemTime) -> usize {
        let opening = Command::new(message.direction, &message.line, None)
            .ok()
            .filter(|_| message.direction == Direction::ClientToServer)
            .map_or(Opening::Other, |command| Opening::of(&command));
        let found = match &message.mark {
            Some(_) => self.connections.iter().rposition(|connection| connection.mark == message.mark),
            None if opening.server().is_some() => None,
            None => self.likely(message),
        };
        let is_new_login = opening.server() == Some(ServerKind::Notification);
        let found = found.filter(|&index| !(is_new_login && self.connections[index].has_spoken));
        if let Some(index) = found {
            let connection = self.connections.remove(index);
            self.connections.push(connection);
        } else {
            if message.mark.is_some() || is_new_login {
                let is_before = |connection: &Connection| {
                    connection.mark == message.mark
                        && (message.mark.is_some() || connection.kind != Some(ServerKind::Switchboard))
                };
                self.close(is_before, time, Closer::Source);
            }
            let kind = opening.server().or_else(|| only_kind(message));
            self.open(message.mark.clone(), kind, Peers::default(), time);
        }
        let last = self.connections.len() - 1;
        let kind = opening.server();
        self.connections[last].kind = kind.or(self.connections[last].kind);
        last
    }

    /// Finds the connection of a command in a log that does not say: the latest on which it makes sense.
    fn likely(&self, message: &Message) -> Option<usize> {
        let fits = |kind: ServerKind| {
            self.connections.iter().rposition(|connection| connection.kind.is_none_or(|found| found == kind))
        };
        match only_kind(message) {
            Some(kind) => fits(kind),
            None => self.connections.len().checked_sub(1),
        }
    }

    fn open(&mut self, mark: Option<String>, kind: Option<ServerKind>, peers: Peers, time: SystemTime) {
        let key = self.sink.opened(&peers, time);
        self.connections.push(Connection { key, mark, kind, has_spoken: false });
    }

    fn close(&mut self, which: impl Fn(&Connection) -> bool, time: SystemTime, by: Closer) {
        let sink = &mut *self.sink;
        self.connections.retain(|connection| {
            let ends = which(connection);
            if ends {
                sink.closed(connection.key, time, by, None);
            }
            !ends
        });
    }

    /// Returns the time of a line. Without clocks, times keep the order and nothing else.
    fn at(&mut self, clock: Option<Clock>) -> SystemTime {
        let time = match (clock, self.time) {
            (Some(clock), before) => {
                self.has_clock = true;
                clock.after(before)
            }
            (None, Some(before)) if self.has_clock => before,
            (None, before) => before.map_or(SystemTime::UNIX_EPOCH, |before| before + STEP),
        };
        // a sink is told in order
        let time = self.time.map_or(time, |before| before.max(time));
        self.time = Some(time);
        time
    }

    /// Tells of the source, once it shows what it has.
    fn source(&mut self, clock: Option<Clock>, has_addresses: bool) {
        if std::mem::replace(&mut self.has_source, true) {
            return;
        }
        let mut lacks = vec![Lack::Bytes];
        if !clock.is_some_and(Clock::has_date) {
            lacks.push(Lack::Times);
        }
        if !has_addresses {
            lacks.push(Lack::Addresses);
        }
        self.sink.source(&Source { format: self.log.name().into(), file: file_of(self.name), lacks });
    }

    fn problem(&mut self, number: u64, text: &str) {
        self.report.problem(format!("{}:{number}: {text}", self.name.display()));
    }

    fn finish(mut self) {
        self.flush();
        if !self.has_source {
            self.report.problem(format!("{}: no command of MSNP in this log", self.name.display()));
        }
        let time = self.time.unwrap_or(SystemTime::UNIX_EPOCH);
        self.close(|_| true, time, Closer::Source);
    }
}

/// Returns the kind of server that a command makes sense on, if it is one alone.
fn only_kind(message: &Message) -> Option<ServerKind> {
    let verb = Verb::of_line(&message.line)?;
    if verb.as_str() == "MSG" && message.direction == Direction::ServerToClient {
        let sender = message.line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        return Some(if sender.contains(&b'@') { ServerKind::Switchboard } else { ServerKind::Notification });
    }
    let on = |kind| table::rows(verb, message.direction).any(|row| row.servers.contains(kind));
    match (on(ServerKind::Notification) || on(ServerKind::Dispatch), on(ServerKind::Switchboard)) {
        (true, false) => Some(ServerKind::Notification),
        (false, true) => Some(ServerKind::Switchboard),
        _ => None,
    }
}
