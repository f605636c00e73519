//! What is wrong in a dialogue: the linter.
//!
//! [`Linter`] takes the events of a transcript one after the other and returns [`Finding`]s; [`rules::RULES`] is the table of
//! what it looks for, [`sarif`] writes findings for code scanners. A peer is judged by what it said given what it heard: in a
//! transcript whose commands a proxy changed, [`Side`] chooses whether the peers are judged or what left the proxy.
//!
//! It works in one pass and keeps little: per connection the requests, challenges and participants that matter. What it
//! cannot know, because bytes or events are missing, it does not judge; [`Linter::notes`] says so.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::Timestamp;
use msnp::argument::Scope;
use msnp::flow::Facts;
use msnp::{Command, Direction, ServerKind, Version};

use crate::coverage::Coverage;
use crate::event::{CommandEvent, Event, EventError, Lack, Origin, ReleasedEvent, Sent};
use crate::reader::Reader;
use crate::sheet;
use crate::stats::Stats;
use connection::Connection;
use report::Report;
use said::Said;

mod challenge;
mod connection;
mod cookies;
mod framing;
mod keepalive;
mod length;
mod login;
mod payload;
mod report;
mod rule;
pub mod rules;
mod said;
pub mod sarif;
mod switchboard;
mod syntax;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod version;

pub use report::{Finding, Place};
pub use rule::{Needs, Rule, Severity};

/// Which commands are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Side {
    /// What the peers said, as it arrived. Injected commands are not judged.
    #[default]
    Received,
    /// What left the proxy: changed and injected commands too, dropped ones not.
    Sent,
}

/// Judges the events of a transcript.
#[derive(Debug, Default)]
pub struct Linter {
    side: Side,
    lacks: Vec<Lack>,
    is_redacted: bool,
    connections: BTreeMap<u64, Connection>,
    sessions: HashMap<String, Session>,
    held: BTreeMap<u64, CommandEvent>,
    findings: Vec<Finding>,
    missing_events: u64,
    gaps: u64,
    unreadable: u64,
    left_out: u64,
}

/// What the connections of a session share.
#[derive(Debug, Default)]
struct Session {
    next: Option<u64>,
    version: Option<Version>,
    cookies: cookies::Cookies,
}

impl Linter {
    /// Returns a linter that has seen nothing.
    pub fn new(side: Side) -> Linter {
        Linter { side, ..Linter::default() }
    }

    /// Takes one event, which stands in this line of its file, and returns what it shows.
    pub fn event(&mut self, line: u64, event: &Event) -> Vec<Finding> {
        let time = event.stem().time.parse::<Timestamp>().ok().filter(|_| !self.lacks.contains(&Lack::Times));
        self.count(event);
        if let Some(connection) = event.connection().and_then(|number| self.connections.get_mut(&number)) {
            connection.time = time.or(connection.time);
        }
        match event {
            Event::Session(session) => {
                self.lacks = session.source.as_ref().map(|source| source.lacks.clone()).unwrap_or_default();
                // redaction keeps the shape of commands, not their bytes
                self.is_redacted = session.redacted.is_some();
                if self.is_redacted && !self.lacks.contains(&Lack::Bytes) {
                    self.lacks.push(Lack::Bytes);
                }
            }
            Event::ConnectionOpened(opened) => {
                let facts = Facts {
                    server: opened.server.map(Into::into),
                    version: opened.version.as_deref().and_then(|version| version.parse().ok()),
                    account: None,
                };
                self.open(opened.connection, Connection::opened(facts, time));
            }
            Event::Command(event) => self.command(line, event, time),
            Event::Released(event) => self.released(line, event, time),
            Event::Opaque(event) => {
                let place = Place::of_event(line, &event.stem, event.connection, Some(event.direction.into()));
                let mut report = Report::new(&place, &self.lacks, &mut self.findings);
                if let Some(connection) = self.connections.get_mut(&event.connection) {
                    connection.opaque(event, &mut report);
                }
            }
            Event::Gap(event) => {
                self.gaps += 1;
                if let Some(connection) = self.connections.get_mut(&event.connection) {
                    connection.lose();
                }
            }
            Event::ConnectionClosed(event) => {
                if let Some(connection) = self.connections.remove(&event.connection) {
                    connection.end(&self.lacks, &mut self.findings);
                }
                self.held.retain(|_, held| held.connection != event.connection);
            }
            Event::SessionClosed(event) => {
                self.sessions.remove(report::shortened(&event.stem.session));
            }
            _ => {}
        }
        std::mem::take(&mut self.findings)
    }

    /// Ends the dialogue: what the connections that are still open show.
    pub fn finish(&mut self) -> Vec<Finding> {
        for connection in std::mem::take(&mut self.connections).into_values() {
            connection.end(&self.lacks, &mut self.findings);
        }
        std::mem::take(&mut self.findings)
    }

    /// Returns what could not be judged, and why.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let bytes = if self.is_redacted { "it was redacted" } else { "its source lacks the exact bytes" };
        for (lack, needs, why) in
            [(Lack::Bytes, Needs::Bytes, bytes), (Lack::Times, Needs::Times, "its source lacks the times of events")]
        {
            if self.lacks.contains(&lack) {
                let skipped = rules::RULES.iter().filter(|rule| rule.needs == needs).map(|rule| rule.id);
                notes.push(format!("{why}; not checked: {}", skipped.collect::<Vec<_>>().join(", ")));
            }
        }
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        say(self.missing_events, "event(s) are missing in the sequence; what depends on them was not checked");
        say(self.gaps, "gap(s) in the capture; what depends on them was not checked");
        say(self.unreadable, "event(s) describe no command");
        say(self.left_out, "connection(s), session(s) or held commands were too many to follow");
        notes
    }

    fn command(&mut self, line: u64, event: &CommandEvent, time: Option<Timestamp>) {
        let Ok(received) = event.command() else {
            self.unreadable += 1;
            return;
        };
        if !self.connections.contains_key(&event.connection) {
            self.open(event.connection, Connection::in_the_middle(time));
        }
        let sent = event.sent.as_ref();
        let sent = sent.map(|sent| sent.iter().map(Sent::command).collect::<Result<Vec<_>, EventError>>());
        let Ok(sent) = sent.transpose() else {
            self.unreadable += 1;
            return;
        };
        let whole = std::slice::from_ref(&received);
        let is_injected = event.origin == Origin::Injected;
        let arrived = if is_injected { &[] } else { whole };
        let left = match (&sent, event.held) {
            (_, Some(_)) => &[],
            (Some(sent), None) => &sent[..],
            (None, None) => whole,
        };
        if let (Some(number), false) = (event.held, self.held.len() >= MOST_HELD) {
            self.held.insert(number, event.clone());
        }
        let place = Place::of_event(line, &event.stem, event.connection, None);
        if let Some(connection) = self.connections.get_mut(&event.connection) {
            connection.facts.server = event.server.map(Into::into).or(connection.facts.server);
            if event.origin != Origin::Injected {
                connection.facts.learn(&received);
                // nobody asks for it, and it may be long
                connection.facts.account = None;
            }
        }
        let prefix = if sent.is_some() { Prefix::Sent } else { Prefix::None };
        let dialogue = Dialogue { place: &place, time, masked: &event.masked };
        self.judge(&dialogue, (arrived, Prefix::None), (left, prefix));
    }

    /// What was held has left: the other side heard it only now.
    fn released(&mut self, line: u64, event: &ReleasedEvent, time: Option<Timestamp>) {
        let Some(held) = self.held.remove(&event.held) else { return };
        let left = match &event.sent {
            None => held.command().map(|command| vec![command]),
            Some(sent) => sent.iter().map(Sent::command).collect(),
        };
        let Ok(left) = left else {
            self.unreadable += 1;
            return;
        };
        let place = Place::of_event(line, &event.stem, event.connection, None);
        let (prefix, masked) =
            if event.sent.is_some() { (Prefix::Sent, &event.masked) } else { (Prefix::None, &held.masked) };
        let dialogue = Dialogue { place: &place, time, masked };
        self.judge(&dialogue, (&[], Prefix::None), (&left, prefix));
    }

    fn judge(&mut self, dialogue: &Dialogue<'_>, arrived: (&[Command], Prefix), left: (&[Command], Prefix)) {
        let ((said, prefix), heard) = match self.side {
            Side::Received => (arrived, left.0),
            Side::Sent => (left, arrived.0),
        };
        let number = dialogue.place.connection;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if self.sessions.len() >= MOST_SESSIONS && !self.sessions.contains_key(&dialogue.place.session) {
            self.left_out += 1;
            return;
        }
        let session = self.sessions.entry(dialogue.place.session.clone()).or_default();
        if connection.facts.server != Some(ServerKind::Switchboard) {
            session.version = connection.facts.version.or(session.version);
        }
        let scope = Scope { server: connection.facts.server, version: connection.facts.version.or(session.version) };
        let own = |direction| {
            let command = said.iter().find(|command| command.direction() == direction)?;
            command.transaction_id().map(|id| id.0)
        };
        for (index, command) in said.iter().enumerate() {
            let place = dialogue.place.with(command, scope.server);
            let prefix = if prefix == Prefix::Sent { format!("sent[{index}].") } else { String::new() };
            let said = Said::new(command, scope, dialogue.time, dialogue.masked, prefix);
            let mut report = Report::new(&place, &self.lacks, &mut self.findings);
            connection.said(&said, &session.cookies, &mut report);
        }
        for command in heard {
            let place = dialogue.place.with(command, scope.server);
            let heard = Said::new(command, scope, dialogue.time, dialogue.masked, String::new());
            connection.heard(&heard, own(Direction::ClientToServer), &place);
            session.cookies.heard(&heard, connection.is_whole);
        }
    }

    fn open(&mut self, number: u64, connection: Connection) {
        if self.connections.len() >= MOST_CONNECTIONS && !self.connections.contains_key(&number) {
            self.connections.pop_first();
            self.left_out += 1;
        }
        self.connections.insert(number, connection);
    }

    /// Notices events that are missing: a transcript that was filtered, or a recorder that could not keep up.
    fn count(&mut self, event: &Event) {
        let stem = event.stem();
        if self.sessions.len() >= MOST_SESSIONS && !self.sessions.contains_key(report::shortened(&stem.session)) {
            return;
        }
        let session = self.sessions.entry(report::shortened(&stem.session).to_owned()).or_default();
        let missing = session.next.map_or(0, |next| stem.seq.saturating_sub(next));
        session.next = Some(stem.seq.saturating_add(1));
        if missing > 0 {
            self.missing_events = self.missing_events.saturating_add(missing);
            session.cookies.lose();
            self.connections.values_mut().for_each(Connection::lose);
        }
    }
}

/// Judges anything that reads as a transcript, and counts it: no panic, and a SARIF log that is JSON. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_transcript(text: &[u8]) {
    let events: Vec<Event> = Reader::new(text, Path::new("input")).filter_map(Result::ok).collect();
    for side in [Side::Received, Side::Sent] {
        let mut linter = Linter::new(side);
        let mut log = Vec::new();
        let mut writer = sarif::Writer::new(&mut log, "0").expect("memory can be written");
        let mut findings: Vec<Finding> =
            events.iter().enumerate().flat_map(|(line, event)| linter.event(line as u64, event)).collect();
        findings.extend(linter.finish());
        for finding in &findings {
            writer.finding("input", finding).expect("memory can be written");
        }
        writer.finish(&[], &linter.notes()).expect("memory can be written");
        let log: serde_json::Value = serde_json::from_slice(&log).expect("a SARIF log is JSON");
        assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(findings.len()));
    }
    let (mut coverage, mut stats) = (Coverage::new(None), Stats::new());
    coverage.begin();
    stats.begin();
    for event in &events {
        coverage.event("input", 1, event);
        stats.event("input", event);
    }
    for sheet in coverage.report().sheets().iter().chain(&stats.report().sheets(None)) {
        let _ = (sheet.to_text(), sheet.to_markdown(), sheet.to_mediawiki());
    }
    let _ = sheet::page("input", &coverage.report().summary(), &stats.report().sheets(None));
}

/// Where a list of commands stands in an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prefix {
    None,
    Sent,
}

/// What the commands of one event share.
struct Dialogue<'a> {
    place: &'a Place,
    time: Option<Timestamp>,
    masked: &'a [String],
}

/// No more open connections are followed than these; the oldest make room.
const MOST_CONNECTIONS: usize = 1000;
/// Nor more sessions in one file.
const MOST_SESSIONS: usize = 1000;
/// Nor more commands that are held.
const MOST_HELD: usize = 64;
