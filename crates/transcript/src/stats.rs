//! Who, when, how much: the numbers of transcripts.
//!
//! [`Stats`] takes the events of any number of transcripts, one after the other, and keeps sums: per session, account and verb,
//! reply times as histograms, errors, what rules and hooks did. [`Report`] is the sum, which `serde` writes as JSON and
//! [`Report::sheets`] as tables. What has no answer within what is remembered is counted nowhere.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use msnp::payload::datagram::Datagram;
use msnp::{Command, Direction, ServerKind, TransactionId, Verb};

use crate::event::{CommandEvent, Event, Lack, Origin};
use crate::scopes::Scopes;
use histogram::Histogram;
use report::{Amount, Changes};

pub mod histogram;
mod report;
mod sheets;

pub use report::{Account, By, Connections, ErrorCount, Messages, Reply, Report, Session, VerbCount};

/// Counts what transcripts hold.
#[derive(Debug, Default)]
pub struct Stats {
    transcripts: u64,
    sessions: BTreeMap<String, SessionSum>,
    accounts: BTreeMap<String, Account>,
    verbs: BTreeMap<(Verb, Direction, Option<ServerKind>), Amount>,
    replies: BTreeMap<Verb, Histogram>,
    errors: BTreeMap<u16, ErrorSum>,
    changes: BTreeMap<String, Changes>,
    connections: BTreeMap<&'static str, Connections>,
    opaque_bytes: u64,
    gaps: u64,
    left_out: u64,
    lacks: Vec<Lack>,
    scopes: Scopes,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug, Default)]
struct SessionSum {
    account: String,
    file: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    connections: u64,
    amount: Amount,
    messages: u64,
    errors: u64,
}

#[derive(Debug, Default)]
struct ErrorSum {
    count: u64,
    to: BTreeMap<Verb, u64>,
}

/// A connection that is open.
#[derive(Debug, Default)]
struct Open {
    since: Option<Timestamp>,
    requests: VecDeque<(u32, Verb, Option<Timestamp>)>,
    pings: VecDeque<Option<Timestamp>>,
    bytes: u64,
}

impl Stats {
    /// Returns a count of nothing.
    pub fn new() -> Stats {
        Stats::default()
    }

    /// Begins with a transcript.
    pub fn begin(&mut self) {
        self.transcripts += 1;
        self.scopes = Scopes::default();
        self.open.clear();
        self.lacks.clear();
    }

    /// Takes one event of it, which stands in this file.
    pub fn event(&mut self, file: &str, event: &Event) {
        self.scopes.learn(event);
        let time = event.stem().time.parse::<Timestamp>().ok().filter(|_| !self.lacks.contains(&Lack::Times));
        if let Some(session) = self.session(&event.stem().session, file) {
            session.first = earlier(session.first, time);
            session.last = session.last.max(time);
        }
        match event {
            Event::Session(session) => {
                self.lacks = session.source.as_ref().map(|source| source.lacks.clone()).unwrap_or_default();
            }
            Event::ConnectionOpened(opened) => {
                self.open(opened.connection).since = time;
                if let Some(session) = self.session(&opened.stem.session, file) {
                    session.connections += 1;
                }
            }
            Event::Command(event) => self.command(event, file, time),
            Event::Released(event) => self.change(&event.by, |changes| changes.released += 1),
            Event::Opaque(event) => self.opaque_bytes = self.opaque_bytes.saturating_add(event.length),
            Event::Gap(_) => self.gaps += 1,
            Event::ConnectionClosed(closed) => {
                let kind =
                    self.scopes.scope(&closed.stem.session, closed.connection).server.map_or("?", ServerKind::as_str);
                let open = self.open.remove(&closed.connection).unwrap_or_default();
                let connections = self.connections.entry(kind).or_default();
                connections.count += 1;
                connections.bytes = connections.bytes.saturating_add(open.bytes);
                let by = if matches!(closed.by.as_str(), "client" | "server" | "proxy") { &closed.by } else { "other" };
                *connections.closed_by.entry(by.to_owned()).or_default() += 1;
                if let Some(micros) = micros(open.since, time) {
                    connections.lifetimes.add(micros);
                }
            }
            _ => {}
        }
        self.scopes.forget(event);
    }

    /// Returns the sum.
    pub fn report(&self) -> Report {
        Report::of(self)
    }

    fn command(&mut self, event: &CommandEvent, file: &str, time: Option<Timestamp>) {
        let Ok(command) = event.command() else { return };
        let (verb, direction) = (command.verb(), command.direction());
        let is_injected = event.origin == Origin::Injected;
        self.changes(event);
        if is_injected {
            self.asked(event.connection, &command, time);
            return;
        }
        let scope = self.scopes.scope(&event.stem.session, event.connection);
        let account = self.scopes.account(&event.stem.session, event.connection).to_owned();
        let bytes = command.as_bytes().len() as u64;
        self.open(event.connection).bytes += bytes;
        let key = (verb, direction, scope.server);
        if self.verbs.len() < MOST_VERBS || self.verbs.contains_key(&key) {
            self.verbs.entry(key).or_default().add(bytes);
        } else {
            self.left_out += 1;
        }
        let message = Message::of(&command, scope.server);
        let is_error = verb.is_error() && direction == Direction::ServerToClient;
        if let Some(session) = self.session(&event.stem.session, file) {
            session.amount.add(bytes);
            session.messages += u64::from(message.is_some());
            session.errors += u64::from(is_error);
            if session.account.is_empty() && account.len() <= LONGEST_NAME {
                session.account.clone_from(&account);
            }
        }
        if let Some(account) = self.account(&account) {
            account.commands += 1;
            account.bytes += bytes;
        }
        if let Some(message) = message {
            let from = message.from.as_deref().unwrap_or(&account).to_owned();
            if let Some(account) = self.account(&from) {
                let messages = if message.from.is_some() { &mut account.heard } else { &mut account.said };
                messages.add(message.kind);
            }
        }
        let request = self.paired(event, &command, time);
        if is_error && let Some(code) = verb.error_code() {
            let sum = self.errors.entry(code).or_default();
            sum.count += 1;
            if let Some(request) = request.filter(|request| sum.to.len() < MOST_VERBS || sum.to.contains_key(request)) {
                *sum.to.entry(request).or_default() += 1;
            }
        }
    }

    /// Pairs requests and answers, and returns the verb of the request that a command answers. The server's answers carry the ids
    /// under which the requests left.
    fn paired(&mut self, event: &CommandEvent, command: &Command, time: Option<Timestamp>) -> Option<Verb> {
        if command.direction() == Direction::ClientToServer {
            for sent in event.sent().ok()?.iter().filter(|sent| sent.direction() == Direction::ClientToServer) {
                self.asked(event.connection, sent, time);
            }
            return None;
        }
        let open = self.open.get_mut(&event.connection)?;
        let (verb, since) = if command.verb().as_bytes() == b"QNG" {
            (PING, open.pings.pop_front()?)
        } else {
            let id = command.transaction_id().filter(|id| id.0 != 0)?;
            let index = open.requests.iter().position(|(known, ..)| *known == id.0)?;
            let (_, verb, since) = open.requests.remove(index)?;
            (verb, since)
        };
        if let Some(micros) = micros(since, time)
            && (self.replies.len() < MOST_VERBS || self.replies.contains_key(&verb))
        {
            self.replies.entry(verb).or_default().add(micros);
        }
        Some(verb)
    }

    fn asked(&mut self, connection: u64, command: &Command, time: Option<Timestamp>) {
        if command.direction() != Direction::ClientToServer {
            return;
        }
        let open = self.open(connection);
        if command.verb() == PING {
            if open.pings.len() >= MOST_REQUESTS {
                open.pings.pop_front();
            }
            open.pings.push_back(time);
        } else if let Some(TransactionId(id)) = command.transaction_id() {
            if open.requests.len() >= MOST_REQUESTS {
                open.requests.pop_front();
            }
            open.requests.push_back((id, command.verb(), time));
        }
    }

    fn changes(&mut self, event: &CommandEvent) {
        let same_way = |sent: &&crate::event::Sent| sent.direction == event.direction;
        for by in &event.by {
            self.change(by, |changes| {
                changes.commands += 1;
                match (&event.sent, event.origin) {
                    (_, Origin::Injected) => changes.injected += 1,
                    (Some(sent), _) if sent.iter().find(same_way).is_none() => changes.dropped += 1,
                    (Some(_), _) => changes.changed += 1,
                    (None, _) => {}
                }
                changes.delayed += u64::from(event.delay.is_some());
                changes.held += u64::from(event.held.is_some());
            });
        }
    }

    fn change(&mut self, by: &str, count: impl FnOnce(&mut Changes)) {
        if by.len() > LONGEST_NAME || (self.changes.len() >= MOST_NAMES && !self.changes.contains_key(by)) {
            self.left_out += 1;
            return;
        }
        count(self.changes.entry(by.to_owned()).or_default());
    }

    fn open(&mut self, number: u64) -> &mut Open {
        if self.open.len() >= MOST_CONNECTIONS && !self.open.contains_key(&number) {
            self.open.pop_first();
        }
        self.open.entry(number).or_default()
    }

    fn session(&mut self, id: &str, file: &str) -> Option<&mut SessionSum> {
        if id.len() > LONGEST_NAME || (self.sessions.len() >= MOST_NAMES && !self.sessions.contains_key(id)) {
            self.left_out += 1;
            return None;
        }
        let new = || SessionSum { file: file.to_owned(), ..SessionSum::default() };
        Some(self.sessions.entry(id.to_owned()).or_insert_with(new))
    }

    fn account(&mut self, name: &str) -> Option<&mut Account> {
        if name.is_empty() {
            return None;
        }
        if name.len() > LONGEST_NAME || (self.accounts.len() >= MOST_NAMES && !self.accounts.contains_key(name)) {
            self.left_out += 1;
            return None;
        }
        Some(self.accounts.entry(name.to_owned()).or_default())
    }
}

/// Something that one person said to others.
struct Message {
    /// Who said it, unless it was the client itself.
    from: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Typing,
    Nudge,
    Other,
}

impl Message {
    fn of(command: &Command, server: Option<ServerKind>) -> Option<Message> {
        let is_from_client = command.direction() == Direction::ClientToServer;
        let address = |argument: &[u8]| {
            let account = msnp::flow::account_of(argument);
            account
                .contains('@')
                .then(|| account.split_once(':').map_or(account.clone(), |(_, account)| account.to_owned()))
        };
        let (from, headers) = match command.verb().as_bytes() {
            b"MSG" if server == Some(ServerKind::Switchboard) || is_from_client => {
                (command.argument(0).and_then(address), command.headers())
            }
            b"UBM" | b"UUM" => (command.argument(0).and_then(address), command.headers()),
            b"SDG" => {
                let datagram = Datagram::parse(command.payload());
                let from = datagram.routing().get("From").and_then(address);
                (from, datagram.content())
            }
            _ => return None,
        };
        let message_type = headers.get("Message-Type").unwrap_or_default();
        let kind = if message_type.eq_ignore_ascii_case(b"Nudge") || headers.is("text/x-msnmsgr-datacast") {
            Kind::Nudge
        } else if message_type.eq_ignore_ascii_case(b"Control/Typing") || headers.is("text/x-msmsgscontrol") {
            Kind::Typing
        } else if headers.is("text/plain") {
            Kind::Text
        } else {
            Kind::Other
        };
        Some(Message { from: from.filter(|_| !is_from_client), kind })
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn micros(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    u64::try_from(to?.duration_since(from?).as_micros()).ok()
}

const PING: Verb = Verb::new(*b"PNG").expect("three capitals");
/// No more sessions, accounts and names of rules are told apart than these.
const MOST_NAMES: usize = 10_000;
/// Nor longer ones, in bytes.
const LONGEST_NAME: usize = 512;
/// Nor more verbs, by direction and server.
const MOST_VERBS: usize = 2000;
/// No more requests without an answer are remembered per connection than these.
const MOST_REQUESTS: usize = 512;
/// No more open connections are followed than these; the oldest make room.
const MOST_CONNECTIONS: usize = 1000;

#[cfg(test)]
mod tests;
