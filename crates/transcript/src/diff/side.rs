//! One of the two sessions: its connections and what was said on them.

use std::collections::{BTreeMap, HashMap};

use msnp::argument::Scope;
use msnp::command::{lossy, transaction_id};
use msnp::flow::{Facts, Opening, account_of};
use msnp::types::Direction;
use msnp::{Command, ServerKind, Version};

use super::{Options, What};
use crate::event::{CommandEvent, Event, Lack, OpaqueEvent, Origin, ReleasedEvent, Sent};
use crate::screen::Tracker;
use crate::{Expression, Transcript};

/// A session as far as it is compared.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Side {
    /// The file's name.
    pub name: String,
    /// The session's id.
    pub session: String,
    /// The account that it belongs to.
    pub account: Option<String>,
    /// Which program recorded it.
    pub software: String,
    /// What it cannot tell, if it was imported.
    pub lacks: Vec<Lack>,
    /// Its connections, in order.
    pub connections: Vec<Connection>,
    /// How many commands are not looked at because they never arrived, or never left.
    pub passed_over: u64,
    /// How many bytes are missing at least, and in how many places.
    pub gaps: (u64, u64),
}

/// A connection.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Connection {
    /// Its number in the transcript.
    pub number: u64,
    /// Where it leads.
    pub upstream: String,
    /// What is known of it at its end.
    pub facts: Facts,
    /// How it was opened.
    pub role: Role,
    /// The others in a switchboard, in order of appearance.
    pub others: Vec<String>,
    /// What was said on it.
    pub items: Vec<Item>,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Role {
    /// Nobody knows.
    #[default]
    Unknown,
    /// A dispatch server.
    Dispatch,
    /// A notification server.
    Notification,
    /// A switchboard that the client asked for.
    Caller,
    /// A switchboard to which it was invited.
    Callee,
}

impl Role {
    /// Returns what people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Unknown => "connection",
            Role::Dispatch => "dispatch server",
            Role::Notification => "notification server",
            Role::Caller => "switchboard, caller",
            Role::Callee => "switchboard, callee",
        }
    }
}

/// A command, or bytes outside the framing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Item {
    /// `seq` of the event.
    pub seq: u64,
    /// What it is.
    pub content: Content,
    /// What is known of the connection at that time.
    pub scope: Scope,
    /// Places whose value is masked: `args[3]`, `payload`, `payload.MSPAuth`.
    pub masked: Vec<String>,
    /// The transaction id, if it has one.
    pub id: Option<u32>,
    /// Which of the connection's items a server answers with it.
    pub request: Option<usize>,
}

/// What an item is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// A command.
    Command(Command),
    /// Bytes outside the framing.
    Opaque {
        /// Which way they went.
        direction: Direction,
        /// How many.
        length: u64,
        /// The bytes, unless they were masked.
        bytes: Option<Vec<u8>>,
    },
}

impl Item {
    /// Returns which way it went.
    pub fn direction(&self) -> Direction {
        match &self.content {
            Content::Command(command) => command.direction(),
            Content::Opaque { direction, .. } => *direction,
        }
    }

    /// Returns the command, if it is one.
    pub fn command(&self) -> Option<&Command> {
        match &self.content {
            Content::Command(command) => Some(command),
            Content::Opaque { .. } => None,
        }
    }

    /// Returns the verb; that of opaque bytes is empty.
    pub fn verb(&self) -> &str {
        self.command().map_or("", |command| std::str::from_utf8(&command.line()[..3]).unwrap_or(""))
    }

    /// Whether a place is masked.
    pub(super) fn is_masked(&self, place: &str) -> bool {
        self.masked.iter().any(|masked| masked == place)
    }

    /// Whether an expression holds for it; for opaque bytes none does.
    pub(super) fn passes(&self, expression: &Expression, side: &Side, connection: &Connection) -> bool {
        self.command().is_some_and(|command| {
            expression.matches(&crate::expression::Subject {
                command,
                scope: self.scope,
                account: connection.facts.account.as_deref().or(side.account.as_deref()).unwrap_or_default(),
                session: &side.session,
                connection: connection.number,
                origin: "peer",
            })
        })
    }
}

impl Side {
    /// Takes a transcript apart. What describes no command is left out.
    pub(super) fn of(transcript: &Transcript, options: &Options) -> Side {
        let mut side = Side {
            name: transcript.name.display().to_string(),
            session: transcript.id().to_owned(),
            account: transcript.account(),
            ..Side::default()
        };
        if let Some(header) = transcript.header() {
            side.software.clone_from(&header.software);
            side.lacks = header.source.as_ref().map(|source| source.lacks.clone()).unwrap_or_default();
        }
        let released: HashMap<u64, &ReleasedEvent> = transcript
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Released(released) => Some((released.held, released)),
                _ => None,
            })
            .collect();
        let mut tracker = Tracker::default();
        let mut connections: BTreeMap<u64, Connection> = BTreeMap::new();
        for event in &transcript.events {
            tracker.learn(event);
            let Some(number) = event.connection() else { continue };
            let connection = || Connection { number, ..Connection::default() };
            match event {
                Event::ConnectionOpened(opened) => {
                    let entry = connections.entry(number).or_insert_with(connection);
                    entry.upstream.clone_from(&opened.upstream);
                    entry.facts.server = opened.server.map(Into::into);
                }
                Event::Command(event) => {
                    let entry = connections.entry(number).or_insert_with(connection);
                    let scope = tracker.scope(number);
                    let before = entry.items.len();
                    for (command, masked) in commands(event, options.what, &released) {
                        entry.push(event.stem.seq, Content::Command(command), scope, masked);
                    }
                    side.passed_over += u64::from(entry.items.len() == before);
                }
                Event::Opaque(event) => {
                    let entry = connections.entry(number).or_insert_with(connection);
                    entry.push(event.stem.seq, opaque(event), tracker.scope(number), event.masked.clone());
                }
                Event::Gap(gap) => {
                    side.gaps.0 = side.gaps.0.saturating_add(gap.length.unwrap_or(0));
                    side.gaps.1 += 1;
                }
                _ => {}
            }
            tracker.forget(event);
        }
        side.connections = connections.into_values().filter(|connection| !connection.items.is_empty()).collect();
        let version = side.connections.iter().find_map(|connection| connection.facts.version);
        side.connections.iter_mut().for_each(|connection| connection.settle(version));
        side
    }

    /// Returns how many commands it has.
    pub fn commands(&self) -> u64 {
        self.connections.iter().map(|connection| connection.items.len() as u64).sum()
    }
}

impl Connection {
    fn push(&mut self, seq: u64, content: Content, scope: Scope, masked: Vec<String>) {
        let id = match &content {
            Content::Command(command) => transaction_id(command.direction(), command.line(), scope).map(|id| id.0),
            Content::Opaque { .. } => None,
        };
        if let Content::Command(command) = &content {
            self.facts.learn(command);
        }
        self.items.push(Item { seq, content, scope, masked, id, request: None });
    }

    /// Finds role, company and what is an answer to what. What a recording that began late does not tell is taken from what
    /// came later, or from the session.
    fn settle(&mut self, version: Option<Version>) {
        for item in &mut self.items {
            item.scope.version = item.scope.version.or(self.facts.version).or(version);
            item.scope.server = item.scope.server.or(self.facts.server);
        }
        let first = self
            .items
            .iter()
            .filter_map(Item::command)
            .find(|command| command.direction() == Direction::ClientToServer);
        self.role = match (first.map(Opening::of), self.facts.server) {
            (Some(Opening::Caller { .. }), _) => Role::Caller,
            (Some(Opening::Callee { .. }), _) => Role::Callee,
            (_, Some(ServerKind::Dispatch)) => Role::Dispatch,
            (_, Some(ServerKind::Notification)) => Role::Notification,
            (_, Some(ServerKind::Switchboard)) => Role::Caller,
            _ => Role::Unknown,
        };
        let is_board = matches!(self.role, Role::Caller | Role::Callee);
        let mut requests: HashMap<u32, usize> = HashMap::new();
        let own = self.facts.account.clone();
        for index in 0..self.items.len() {
            let item = &self.items[index];
            match (item.direction(), item.id) {
                (Direction::ClientToServer, Some(id)) if id != 0 => {
                    requests.insert(id, index);
                }
                (Direction::ServerToClient, Some(id)) => self.items[index].request = requests.get(&id).copied(),
                _ => {}
            }
            if let Some(other) = self.items[index].command().filter(|_| is_board).and_then(person)
                && own.as_deref() != Some(&other)
                && !self.others.contains(&other)
                && self.others.len() < MOST_OTHERS
            {
                self.others.push(other);
            }
        }
    }
}

/// Returns the person that a command of a switchboard is about.
fn person(command: &Command) -> Option<String> {
    let index = match (command.verb().as_bytes(), command.direction()) {
        (b"CAL", Direction::ClientToServer) => 1,
        (b"JOI", _) => 0,
        (b"IRO", _) => 3,
        _ => return None,
    };
    let address = command.argument(index).filter(|address| address.contains(&b'@'))?;
    Some(account_of(address))
}

/// Returns the commands of an event that are compared, each with its masked places.
fn commands(event: &CommandEvent, what: What, released: &HashMap<u64, &ReleasedEvent>) -> Vec<(Command, Vec<String>)> {
    if what == What::Arrived {
        let arrived = (event.origin != Origin::Injected).then(|| event.command().ok()).flatten();
        return arrived.map(|command| (command, event.masked.clone())).into_iter().collect();
    }
    let held = event.held.and_then(|held| released.get(&held)).filter(|released| released.sent.is_some());
    let (sent, masked) = match held {
        Some(released) => (released.sent.as_deref(), &released.masked),
        None => (event.sent.as_deref(), &event.masked),
    };
    let Some(sent) = sent else {
        return event.command().ok().map(|command| (command, event.masked.clone())).into_iter().collect();
    };
    let one = |(index, sent): (usize, &Sent)| {
        let prefix = format!("sent[{index}].");
        let places = masked.iter().filter_map(|place| place.strip_prefix(&prefix)).map(str::to_owned).collect();
        Some((sent.command().ok()?, places))
    };
    sent.iter().enumerate().filter_map(one).collect()
}

fn opaque(event: &OpaqueEvent) -> Content {
    let bytes = event.payload.as_ref().and_then(|payload| payload.bytes().ok()).map(|bytes| bytes.into_owned());
    Content::Opaque { direction: event.direction.into(), length: event.length, bytes }
}

/// Returns a line for people, with what could harm a terminal escaped.
pub(super) fn line_of(item: &Item) -> String {
    match &item.content {
        Content::Command(command) => {
            let end = if command.eol() == b"\n" { " [LF]" } else { "" };
            format!("{}{end}", crate::screen::printable(command.line()))
        }
        Content::Opaque { length, .. } => format!("{length} bytes outside the protocol"),
    }
}

/// Returns the payload's first lines for people.
pub(super) fn payload_of(item: &Item, most: usize) -> Vec<String> {
    let text = match &item.content {
        Content::Command(command) if !command.payload().is_empty() => crate::screen::pretty(command),
        Content::Opaque { bytes: Some(bytes), .. } => crate::screen::printable(lossy(bytes).as_bytes()),
        _ => return Vec::new(),
    };
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let mut shown: Vec<String> = lines.iter().take(most).map(|line| (*line).to_owned()).collect();
    if lines.len() > most {
        shown.push(format!("... {} more lines", lines.len() - most));
    }
    shown
}

/// How many people of a switchboard are looked at to tell it from others.
const MOST_OTHERS: usize = 64;
