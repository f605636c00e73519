//! What a proxy did with commands, as what left: changed, swallowed, held and released ones, and those of a transcript.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use msnp::argument::Scope;
use msnp::{Command, Direction, TransactionId};

use super::{Seen, SessionState, text};
use crate::event::{Event, Origin, Sent};

/// The commands that are held, by the number under which they are.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Held(BTreeMap<u64, Waiting>);

#[derive(Clone, PartialEq, Debug)]
struct Waiting {
    connection: u64,
    command: Command,
    scope: Scope,
}

impl SessionState {
    /// Is told of a command that arrived, and what left in its place, before it or after it: `None` if it left as it
    /// came. An answer is paired by the id under which it arrived, and one that did not leave is taken for the answer to
    /// something injected, if there is such a transaction.
    pub fn passed(&mut self, arrived: &Seen<'_>, left: Option<&[Command]>) {
        let Some(left) = left else { return self.command(arrived) };
        let Seen { command, scope, .. } = *arrived;
        let (direction, verb) = (command.direction(), command.verb());
        let open = self.connections.iter().find(|open| open.number == arrived.connection);
        let number = arrived.id.or_else(|| open?.id_of(command, scope));
        let same_way = |command: &Command| command.direction() == direction;
        // an error may stand for an answer
        let main = left.iter().position(|command| same_way(command) && command.verb() == verb);
        let main = main.or_else(|| left.iter().position(|one| same_way(one) && one.transaction_id().is_some()));
        if direction == Direction::ServerToClient
            && main.is_none()
            && let Some(id) = number
        {
            self.swallowed(arrived.connection, id);
        }
        for (index, command) in left.iter().enumerate() {
            let is_main = main == Some(index);
            let id = match command.direction() {
                Direction::ServerToClient if is_main => number,
                // whoever made it up answers nothing of the server's
                Direction::ServerToClient => Some(UNASKED),
                Direction::ClientToServer => None,
            };
            self.left(&Seen { command, id, ..*arrived }, if is_main { Origin::Peer } else { Origin::Injected });
        }
    }

    /// Is told that a command is held under a number; [`SessionState::released`] tells what left.
    pub fn held(&mut self, number: u64, seen: &Seen<'_>) {
        if self.held.0.len() >= MOST_HELD {
            self.left_out += 1;
            return;
        }
        let waiting = Waiting { connection: seen.connection, command: seen.command.clone(), scope: seen.scope };
        self.held.0.insert(number, waiting);
    }

    /// Is told what left in the place of a command that was held: `None` if it left as it came.
    pub fn released(&mut self, number: u64, left: Option<&[Command]>, time: SystemTime) {
        if let Some(Waiting { connection, command, scope }) = self.held.0.remove(&number) {
            self.passed(&Seen::new(connection, &command, scope, time), left);
        }
    }

    /// Is told of an event of a transcript.
    pub fn learn(&mut self, event: &Event) {
        let time = event.stem().time.parse::<Timestamp>().map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
        match event {
            Event::ConnectionOpened(opened) => {
                self.opened(opened.connection, opened.server.map(Into::into), &opened.upstream, time);
                if let Some(open) = self.connections.iter_mut().find(|open| open.number == opened.connection) {
                    open.facts.version = opened.version.as_deref().and_then(|version| version.parse().ok());
                    self.version = self.version.or(open.facts.version);
                }
                self.account = self.account.take().or_else(|| opened.account.clone().map(text::shorten));
            }
            Event::Command(event) => {
                let Ok(command) = event.command() else { return };
                let scope = Scope { server: event.server.map(Into::into), version: None };
                let seen = Seen::new(event.connection, &command, scope, time);
                match (event.held, &event.sent) {
                    _ if event.origin == Origin::Injected => self.injected(&seen),
                    (Some(number), _) => self.held(number, &seen),
                    (None, sent) => self.passed(&seen, sent.as_deref().map(commands).as_deref()),
                }
            }
            Event::Released(event) => {
                self.released(event.held, event.sent.as_deref().map(commands).as_deref(), time);
            }
            Event::ConnectionClosed(closed) => self.closed(closed.connection),
            _ => {}
        }
    }

    /// Forgets what is held on a connection.
    pub(super) fn forget_held(&mut self, connection: u64) {
        self.held.0.retain(|_, waiting| waiting.connection != connection);
    }

    fn swallowed(&mut self, connection: u64, id: TransactionId) {
        if let Some(open) = self.connections.iter_mut().find(|open| open.number == connection) {
            open.in_flight.retain(|transaction| !(transaction.is_injected && transaction.id == id.0));
        }
    }
}

fn commands(sent: &[Sent]) -> Vec<Command> {
    sent.iter().filter_map(|sent| sent.command().ok()).collect()
}

/// The id of what a server sends unasked: it answers nothing.
const UNASKED: TransactionId = TransactionId(0);
/// A session keeps no more held commands than these.
const MOST_HELD: usize = 256;
