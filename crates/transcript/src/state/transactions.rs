//! What the client asked for and has no answer to yet, and what the answer will change.

use std::time::SystemTime;

use msnp::argument::Scope;
use msnp::command::lossy;
use msnp::payload::datagram::Datagram;
use msnp::payload::membership::{Member, members};
use msnp::table::Slot;
use msnp::{Command, Direction, TransactionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, is_address};
use super::members::MOST_CONTACTS;
use super::presence::{self, Told};
use super::{OpenConnection, SessionState, text};
use crate::event::Origin;

/// A command towards the server that has had no answer yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Transaction {
    /// The transaction id.
    pub id: u32,
    /// The verb.
    pub verb: String,
    /// When the command left: RFC 3339, UTC, microseconds.
    #[serde(with = "text::time")]
    #[schemars(with = "String")]
    pub since: SystemTime,
    /// Whether the client knows nothing of it.
    #[serde(default, rename = "injected", skip_serializing_if = "std::ops::Not::not")]
    pub is_injected: bool,
    /// What it changes if the server agrees.
    #[serde(skip)]
    effect: Effect,
}

/// What a command changes if the server agrees: the server only says that it does.
#[derive(Clone, PartialEq, Debug, Default)]
enum Effect {
    #[default]
    Nothing,
    Add(Vec<Member>),
    Remove(Vec<Member>),
    Presence(Told),
    Ringing(String),
}

impl SessionState {
    /// Begins the transaction of a command of the client.
    pub(super) fn begin(
        &mut self,
        index: usize,
        line: &Line<'_>,
        id: Option<TransactionId>,
        (since, origin): (SystemTime, Origin),
    ) {
        let Some(id) = id.filter(|_| is_answered(line)) else { return };
        let mut effect = Effect::of(line);
        let open = &mut self.connections[index];
        let pending: usize = open.in_flight.iter().map(|transaction| transaction.effect.size()).sum();
        if pending + effect.size() > MOST_CONTACTS {
            self.left_out += effect.size() as u64;
            effect = Effect::Nothing;
        }
        if open.in_flight.len() >= MOST_IN_FLIGHT {
            open.in_flight.remove(0);
            self.left_out += 1;
        }
        open.in_flight.push(Transaction {
            id: id.0,
            verb: line.command.verb().to_string(),
            since,
            is_injected: origin == Origin::Injected,
            effect,
        });
    }

    /// Ends the transaction that a command of the server answers.
    pub(super) fn end(&mut self, index: usize, line: &Line<'_>, id: Option<TransactionId>) {
        let id = id.filter(|id| id.0 != 0);
        let Some(transaction) = id.and_then(|id| self.connections[index].answer(id)) else { return };
        if transaction.verb != line.command.verb().as_str() {
            return;
        }
        match transaction.effect {
            Effect::Nothing => {}
            Effect::Add(members) => members.into_iter().for_each(|member| self.add_member(member)),
            Effect::Remove(members) => members.into_iter().for_each(|member| self.remove_member(member)),
            Effect::Presence(told) => self.apply_presence(None, told),
            Effect::Ringing(address) => self.ringing(line.connection, address),
        }
    }
}

impl OpenConnection {
    /// Returns the id of a command. One of an unknown verb has an id if it answers one of that verb.
    pub(super) fn id_of(&self, command: &Command, scope: Scope) -> Option<TransactionId> {
        let (direction, verb) = (command.direction(), command.verb());
        if direction == Direction::ClientToServer || Slot::of(verb) != Slot::UNKNOWN {
            return msnp::command::transaction_id(direction, command.line(), scope);
        }
        let id = TransactionId::from_token(command.argument(0)?)?;
        self.in_flight.iter().any(|asked| asked.id == id.0 && asked.verb == verb.as_str()).then_some(id)
    }

    /// Removes the transaction with this id.
    pub(super) fn answer(&mut self, id: TransactionId) -> Option<Transaction> {
        let index = self.in_flight.iter().position(|transaction| transaction.id == id.0)?;
        Some(self.in_flight.remove(index))
    }
}

impl Effect {
    fn of(line: &Line<'_>) -> Effect {
        let payload = line.command.payload();
        match line.command.verb().as_bytes() {
            b"ADL" => Effect::Add(usable(payload)),
            b"RML" => Effect::Remove(usable(payload)),
            b"UUX" => presence::of_data(payload).map_or(Effect::Nothing, Effect::Presence),
            b"PUT" => presence::of_user(&Datagram::parse(payload)).map_or(Effect::Nothing, Effect::Presence),
            b"CAL" => line.address().map_or(Effect::Nothing, |invited| Effect::Ringing(invited.address)),
            _ => Effect::Nothing,
        }
    }

    /// How many things it waits to change.
    fn size(&self) -> usize {
        match self {
            Effect::Nothing => 0,
            Effect::Add(members) | Effect::Remove(members) => members.len(),
            Effect::Presence(_) | Effect::Ringing(_) => 1,
        }
    }
}

/// Returns the members of a payload that have an address, as they are kept.
pub(super) fn usable(payload: &[u8]) -> Vec<Member> {
    let mut members = members(payload);
    members.retain(|member| is_address(&member.address));
    for member in &mut members {
        member.address = member.address.to_lowercase();
        member.name = member.name.take().map(text::shorten);
    }
    members.shrink_to_fit();
    members
}

/// Whether a command of the client is answered when all goes well.
fn is_answered(line: &Line<'_>) -> bool {
    match line.command.verb().as_bytes() {
        // U is never answered, N only if it could not be delivered
        b"MSG" => matches!(line.get("ack_type").map(lossy).as_deref(), Some("A" | "D")),
        b"UUM" | b"SDG" | b"PAG" | b"PGD" => false,
        _ => true,
    }
}

/// A connection keeps no more transactions than these; the oldest make room.
pub(super) const MOST_IN_FLIGHT: usize = 256;
