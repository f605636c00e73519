//! The state of a session: what its two ends have been told so far.
//!
//! A client knows of the world what servers told it, and a server what the client told it. [`SessionState`] is fed with
//! the commands that left towards each of them ([`SessionState::command`]), or with what a proxy did with those that
//! arrived ([`SessionState::passed`]), or with the events of a transcript ([`SessionState::learn`]), and holds the sum:
//! account, version, contact list, presence, conversations, transactions without an answer. It understands the shapes of
//! MSNP2 to MSNP18, and of MSNP21 memberships and presence.
//! [`StateExpression`] asks it a question.
//!
//! It opens nothing and reads no clock. Whatever the peers send, it neither panics nor grows without a limit; what is too
//! much is counted in `left_out`. Of circles it knows the circle, not its members.

use std::collections::BTreeMap;
use std::time::SystemTime;

use msnp::argument::Scope;
use msnp::flow::{Facts, TELLING};
use msnp::{Command, Direction, ServerKind, TransactionId, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Origin, Server};
use feed::Held;
use line::Line;

mod contact;
mod expression;
mod feed;
mod line;
mod lists;
mod members;
mod presence;
mod switchboards;
mod text;
mod transactions;

pub use contact::{Contact, List, Lists, Presence};
pub use expression::{STATE_VARIABLES, StateExpression};
pub use switchboards::{Participant, Switchboard};
pub use transactions::Transaction;

/// What the two ends of a session have been told. Absent fields are not known.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionState {
    /// Who logs in, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The friendly name, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// The version: the one chosen, such as `MSNP12`, or the best one offered until then.
    #[serde(default, with = "text::version", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub version: Option<Version>,
    /// Whether a notification server has accepted the login and has not ended it.
    pub logged_in: bool,
    /// The number of the connection that is logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<u64>,
    /// The client's own presence, as confirmed by the server.
    #[serde(flatten)]
    pub presence: Presence,
    /// What becomes of those who are on no list: `AL` they may see the client, `BL` they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
    /// Whether the client asks its user about those who add them: `A` it does, `N` it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The groups: their names by number (MSNP7 to MSNP9) or GUID.
    pub groups: BTreeMap<String, String>,
    /// The contacts by address, in lower case; people of whom only the presence is known too.
    pub contacts: BTreeMap<String, Contact>,
    /// The open switchboards, oldest first.
    pub switchboards: Vec<Switchboard>,
    /// The open connections, oldest first.
    pub connections: Vec<OpenConnection>,
    /// How many connections have ended.
    pub connections_closed: u64,
    /// How many commands left, by verb.
    pub commands: BTreeMap<String, Count>,
    /// How many errors the client was told, by code.
    pub errors: BTreeMap<String, u64>,
    /// How many contacts, groups, names and others were left out because there were too many.
    pub left_out: u64,
    #[serde(skip)]
    held: Held,
}

/// One connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OpenConnection {
    /// Its number.
    pub number: u64,
    /// What the server is: `ds`, `ns` or `sb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Where it leads, `host:port`; empty if nobody said.
    pub upstream: String,
    /// When it was opened: RFC 3339, UTC, microseconds.
    #[serde(with = "text::time")]
    #[schemars(with = "String")]
    pub opened: SystemTime,
    /// The transactions that have had no answer yet, oldest first. Commands that are never answered when all
    /// goes well, such as a `MSG` of type `U`, are not among them.
    pub in_flight: Vec<Transaction>,
    #[serde(skip)]
    facts: Facts,
}

/// How many commands of one verb.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Towards the server.
    pub c2s: u64,
    /// Towards the client.
    pub s2c: u64,
}

/// A command that left towards one of the peers.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The connection's number.
    pub connection: u64,
    /// What left, which need not be what arrived.
    pub command: &'a Command,
    /// What is known of the connection. What it leaves open is taken from the commands.
    pub scope: Scope,
    /// When.
    pub time: SystemTime,
    /// The transaction id by which it is paired with its answer, if that is not the one on its line: the id on the
    /// server's side, where the two sides count differently. 0 answers nothing.
    pub id: Option<TransactionId>,
}

impl<'a> Seen<'a> {
    /// Returns a command whose own id pairs it with its answer.
    pub fn new(connection: u64, command: &'a Command, scope: Scope, time: SystemTime) -> Seen<'a> {
        Seen { connection, command, scope, time, id: None }
    }
}

impl SessionState {
    /// Returns the state of a session in which nothing has happened.
    pub fn new() -> SessionState {
        SessionState::default()
    }

    /// Is told that a connection was opened.
    pub fn opened(&mut self, connection: u64, server: Option<ServerKind>, upstream: &str, time: SystemTime) {
        self.remove(connection);
        let Some(index) = self.place(connection, time) else { return };
        let open = &mut self.connections[index];
        open.upstream = text::shorten(upstream.to_owned());
        open.server = server.map(Into::into);
        open.facts.server = server;
        if server == Some(ServerKind::Switchboard) {
            self.switchboard(connection);
        }
    }

    /// Is told of a command that left. One on a connection of which nothing was told opens that.
    pub fn command(&mut self, seen: &Seen<'_>) {
        self.left(seen, Origin::Peer);
    }

    /// Is told of a command that no peer sent.
    pub fn injected(&mut self, seen: &Seen<'_>) {
        self.left(seen, Origin::Injected);
    }

    /// Is told that a transaction has its answer although none left towards the client.
    pub fn answered(&mut self, connection: u64, id: TransactionId) {
        if let Some(open) = self.connections.iter_mut().find(|open| open.number == connection) {
            open.answer(id);
        }
    }

    /// Is told that a connection has ended.
    pub fn closed(&mut self, connection: u64) {
        self.connections_closed += u64::from(self.remove(connection));
    }

    /// Returns how many transactions have had no answer yet.
    pub fn in_flight(&self) -> usize {
        self.connections.iter().map(|open| open.in_flight.len()).sum()
    }

    /// Returns the addresses of the contacts that are not offline.
    pub fn online(&self) -> impl Iterator<Item = &str> {
        self.contacts.iter().filter(|(_, contact)| contact.presence.is_online()).map(|(address, _)| address.as_str())
    }

    fn left(&mut self, seen: &Seen<'_>, origin: Origin) {
        self.count(seen.command);
        let Some(index) = self.place(seen.connection, seen.time) else { return };
        let (verb, direction) = (seen.command.verb(), seen.command.direction());
        let open = &mut self.connections[index];
        if origin == Origin::Peer && TELLING.contains(&(direction, verb)) && open.facts.learn(seen.command) {
            self.account = open.facts.account.clone().map(text::shorten).or(self.account.take());
            if open.facts.server != Some(ServerKind::Switchboard) {
                self.version = open.facts.version.or(self.version);
            }
        }
        let scope = Scope {
            server: seen.scope.server.or(open.facts.server),
            version: seen.scope.version.or(open.facts.version).or(self.version),
        };
        open.server = scope.server.map(Into::into);
        let line = Line { connection: seen.connection, command: seen.command, scope };
        let id = seen.id.or_else(|| open.id_of(seen.command, scope));
        match direction {
            Direction::ClientToServer => {
                self.asked(&line);
                self.begin(index, &line, id, (seen.time, origin));
            }
            Direction::ServerToClient => {
                self.end(index, &line, id);
                self.told(&line);
            }
        }
    }

    /// A command of the client left towards the server.
    fn asked(&mut self, line: &Line<'_>) {
        match line.command.verb().as_bytes() {
            b"OUT" if self.notification == Some(line.connection) => self.log_out(),
            _ if line.is_on_switchboard() => self.asked_on_switchboard(line),
            _ => {}
        }
    }

    /// A command of the server left towards the client.
    fn told(&mut self, line: &Line<'_>) {
        match line.command.verb().as_bytes() {
            _ if line.is_on_switchboard() => self.told_on_switchboard(line),
            b"USR" if line.command.argument(1) == Some(b"OK") => self.log_in(line),
            b"OUT" if self.notification == Some(line.connection) => self.log_out(),
            b"CHG" | b"ILN" | b"NLN" | b"FLN" | b"UBX" | b"NFY" => self.told_presence(line),
            b"SYN" | b"GTC" | b"BLP" | b"PRP" | b"LSG" | b"ADG" | b"RMG" | b"REG" => self.told_setting(line),
            b"LST" | b"ADD" | b"ADC" | b"REM" | b"REA" | b"SBP" | b"ADL" | b"RML" | b"FQY" => self.told_member(line),
            _ => {}
        }
    }

    fn log_in(&mut self, line: &Line<'_>) {
        if self.notification != Some(line.connection) {
            self.log_out();
        }
        self.logged_in = true;
        self.notification = Some(line.connection);
        self.friendly_name = line.text("friendly_name").or(self.friendly_name.take());
    }

    /// Whoever is not logged in knows of nobody's presence.
    fn log_out(&mut self) {
        self.logged_in = false;
        self.notification = None;
        self.presence = Presence::default();
        self.contacts.retain(|_, contact| {
            contact.presence = Presence::default();
            !contact.lists.is_empty()
        });
    }

    fn count(&mut self, command: &Command) {
        let verb = command.verb();
        if !self.commands.contains_key(verb.as_str()) {
            if self.commands.len() >= MOST_VERBS {
                self.left_out += 1;
                return;
            }
            self.commands.insert(verb.to_string(), Count::default());
        }
        let Some(count) = self.commands.get_mut(verb.as_str()) else { return };
        match command.direction() {
            Direction::ClientToServer => count.c2s += 1,
            Direction::ServerToClient => count.s2c += 1,
        }
        if verb.is_error() && command.direction() == Direction::ServerToClient {
            *self.errors.entry(verb.to_string()).or_default() += 1;
        }
    }

    /// Forgets a connection, and returns whether it was open.
    fn remove(&mut self, connection: u64) -> bool {
        let before = self.connections.len();
        self.connections.retain(|open| open.number != connection);
        self.switchboards.retain(|board| board.connection != connection);
        self.forget_held(connection);
        if self.notification == Some(connection) {
            self.log_out();
        }
        self.connections.len() < before
    }

    /// Returns where a connection stands, which is opened if it is not open.
    fn place(&mut self, number: u64, time: SystemTime) -> Option<usize> {
        let index = self.connections.iter().position(|open| open.number == number);
        if index.is_some() || self.connections.len() >= MOST_CONNECTIONS {
            self.left_out += u64::from(index.is_none());
            return index;
        }
        self.connections.push(OpenConnection {
            number,
            server: None,
            upstream: String::new(),
            opened: time,
            in_flight: Vec::new(),
            facts: Facts::default(),
        });
        Some(self.connections.len() - 1)
    }
}

/// Returns the JSON Schema of a session's state.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(SessionState);
    schema.insert("title".into(), "The state of a session".into());
    schema.to_value()
}

/// A session keeps no more open connections than these.
const MOST_CONNECTIONS: usize = 1000;
/// Nor counts of more verbs, errors among them.
const MOST_VERBS: usize = 1000;

#[cfg(test)]
mod tests;
