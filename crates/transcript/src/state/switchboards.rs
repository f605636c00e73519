//! Conversations: who is on a switchboard and how much was said.

use std::collections::{BTreeMap, BTreeSet};

use msnp::flow::Opening;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::Line;
use super::{SessionState, text};

/// One open switchboard.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Switchboard {
    /// The number of its connection.
    pub connection: u64,
    /// Whether the server has let the client in.
    pub joined: bool,
    /// The session id, of an invitation or of the first `CAL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who else is there, by address in lower case.
    pub participants: BTreeMap<String, Participant>,
    /// Who was invited and has not come yet.
    pub ringing: BTreeSet<String>,
    /// How many messages left towards the server.
    pub sent: u64,
    /// How many messages left towards the client.
    pub received: u64,
    /// How many messages were confirmed (`ACK`).
    pub acknowledged: u64,
    /// How many messages could not be delivered (`NAK`).
    pub refused: u64,
}

/// One participant of a conversation.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Participant {
    /// The friendly name, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The capabilities as written (MSNP12 on).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The endpoints that take part, in lower case (MSNP16 on).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub endpoints: BTreeSet<String>,
}

impl SessionState {
    pub(super) fn asked_on_switchboard(&mut self, line: &Line<'_>) {
        let Some(board) = self.switchboard(line.connection) else { return };
        match line.command.verb().as_bytes() {
            b"MSG" => board.sent += 1,
            b"ANS" => {
                if let Opening::Callee { session, .. } = Opening::of(line.command) {
                    board.session_id = Some(text::token(&session));
                }
            }
            _ => {}
        }
    }

    pub(super) fn told_on_switchboard(&mut self, line: &Line<'_>) {
        let Some(board) = self.switchboard(line.connection) else { return };
        match line.command.verb().as_bytes() {
            b"USR" | b"ANS" if line.command.argument(1) == Some(b"OK") => board.joined = true,
            b"CAL" => board.session_id = line.token("session_id").or(board.session_id.take()),
            b"MSG" => board.received += 1,
            b"ACK" => board.acknowledged += 1,
            b"NAK" => board.refused += 1,
            b"IRO" | b"JOI" => self.joins(line),
            b"BYE" => self.leaves(line),
            _ => {}
        }
    }

    /// Someone was invited, and the switchboard calls them.
    pub(super) fn ringing(&mut self, connection: u64, address: String) {
        let Some(board) = self.switchboard(connection) else { return };
        if board.ringing.len() < MOST_PARTICIPANTS {
            board.ringing.insert(address);
        } else {
            self.left_out += 1;
        }
    }

    /// The client's own endpoints join too; they are not counted among the others.
    fn joins(&mut self, line: &Line<'_>) {
        let Some(who) = line.address().filter(|who| self.account.as_ref() != Some(&who.address)) else { return };
        let Some(board) = self.switchboard(line.connection) else { return };
        board.ringing.remove(&who.address);
        if board.participants.len() >= MOST_PARTICIPANTS && !board.participants.contains_key(&who.address) {
            self.left_out += 1;
            return;
        }
        let participant = board.participants.entry(who.address).or_default();
        participant.name = line.text("friendly_name").or(participant.name.take());
        participant.capabilities = line.token("capabilities").or(participant.capabilities.take());
        if participant.endpoints.len() < MOST_ENDPOINTS {
            participant.endpoints.extend(who.endpoint);
        }
    }

    /// Whoever has several endpoints leaves with the last one, or as a whole.
    fn leaves(&mut self, line: &Line<'_>) {
        let Some(who) = line.address() else { return };
        let Some(board) = self.switchboard(line.connection) else { return };
        let Some(participant) = board.participants.get_mut(&who.address) else { return };
        let is_gone = match who.endpoint {
            Some(endpoint) => participant.endpoints.remove(&endpoint) && participant.endpoints.is_empty(),
            None => true,
        };
        if is_gone {
            board.participants.remove(&who.address);
        }
    }

    /// Returns the switchboard of an open connection, a new one if it has none.
    pub(super) fn switchboard(&mut self, connection: u64) -> Option<&mut Switchboard> {
        let index = self.switchboards.iter().position(|board| board.connection == connection);
        let index = index.unwrap_or_else(|| {
            self.switchboards.push(Switchboard { connection, ..Switchboard::default() });
            self.switchboards.len() - 1
        });
        self.switchboards.get_mut(index)
    }
}

/// A switchboard keeps no more participants than these, nor more who are called.
pub(super) const MOST_PARTICIPANTS: usize = 1000;
/// Nor more endpoints of one of them.
const MOST_ENDPOINTS: usize = 64;
