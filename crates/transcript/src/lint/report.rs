//! What was found, and where.

use std::fmt::Write as _;

use msnp::{Command, Direction, ServerKind};
use serde::Serialize;

use super::rule::{Needs, Rule};
use crate::event::{Lack, Stem};

/// A violation of a rule.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where.
    pub place: Place,
    /// What is wrong, one sentence.
    pub message: String,
}

/// A place in a transcript.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The line of the file, from 1.
    pub line: u64,
    /// Number of the event.
    pub seq: u64,
    /// Its time, as it stands there.
    pub time: String,
    /// Id of the session.
    pub session: String,
    /// The connection.
    pub connection: u64,
    /// What the server is: `ds`, `ns` or `sb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'static str>,
    /// Which way the command went: `c2s` or `s2c`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    /// The command's line, shortened, with control characters escaped; empty where it is about no command.
    pub command: String,
}

impl Place {
    pub(super) fn of_event(line: u64, stem: &Stem, connection: u64, direction: Option<Direction>) -> Place {
        Place {
            line,
            seq: stem.seq,
            time: shortened(&stem.time).to_owned(),
            session: shortened(&stem.session).to_owned(),
            connection,
            direction: direction.map(Direction::as_str),
            ..Place::default()
        }
    }

    /// Returns the place of one of the event's commands.
    pub(super) fn with(&self, command: &Command, server: Option<ServerKind>) -> Place {
        Place {
            server: server.map(ServerKind::as_str),
            direction: Some(command.direction().as_str()),
            command: shown(command.line(), LONGEST_LINE),
            ..self.clone()
        }
    }
}

/// Takes what the checks of one command find.
pub(super) struct Report<'a> {
    place: &'a Place,
    lacks: &'a [Lack],
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(place: &'a Place, lacks: &'a [Lack], findings: &'a mut Vec<Finding>) -> Report<'a> {
        Report { place, lacks, findings }
    }

    /// Reports a violation by the command that is looked at.
    pub(super) fn add(&mut self, rule: &'static Rule, message: impl Into<String>) {
        self.add_at(rule, self.place.clone(), message);
    }

    /// Reports a violation by an earlier command.
    pub(super) fn add_at(&mut self, rule: &'static Rule, place: Place, message: impl Into<String>) {
        let lacking = match rule.needs {
            Needs::Commands => None,
            Needs::Bytes => Some(Lack::Bytes),
            Needs::Times => Some(Lack::Times),
        };
        if lacking.is_none_or(|lack| !self.lacks.contains(&lack)) {
            self.findings.push(Finding { rule, place, message: message.into() });
        }
    }

    /// Returns where the command that is looked at stands.
    pub(super) fn place(&self) -> &Place {
        self.place
    }
}

/// Returns an id or time, or what is kept of one that is longer than any.
pub(super) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_ID)]
}

/// Returns bytes as they can be shown: shortened, control characters escaped, what is not UTF-8 replaced.
pub(super) fn shown(bytes: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(bytes.get(..longest).unwrap_or(bytes));
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            character if character.is_control() => {
                let _ = write!(out, "\\x{:02x}", character as u32);
            }
            character => out.push(character),
        }
    }
    if bytes.len() > longest {
        out.push('…');
    }
    out
}

/// How many bytes of ids and times are kept.
const LONGEST_ID: usize = 64;
/// How many bytes of a line are shown.
const LONGEST_LINE: usize = 160;
/// How many bytes of a value are shown in a message.
pub(super) const LONGEST_VALUE: usize = 60;
