//! The result of a comparison for programs: one JSON object.
//!
//! `docs/diff.schema.json` is the schema of [`Report`]. Fields that do not apply are absent; fields may be added. The commands
//! that are the same are counted and not listed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::Change;
use super::side::{Connection, Item, Side, line_of};
use super::{Diff, Pair, State, Summary, Tally};
use crate::event::{Server, Way};

/// The name of the format.
pub const FORMAT: &str = "mitmsn-diff";
/// Its version.
pub const VERSION: u32 = 1;

/// The result of a comparison.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Report {
    /// Always `mitmsn-diff`.
    pub format: String,
    /// Version of the format, 1.
    pub version: u32,
    /// `same` or `different`.
    pub result: Outcome,
    /// The first session.
    pub a: Session,
    /// The second.
    pub b: Session,
    /// Accounts of A that have another name in B.
    pub accounts: BTreeMap<String, String>,
    /// What was not compared, in words.
    pub not_compared: Vec<String>,
    /// How many there are of each.
    pub summary: Summary,
    /// The connections, in the order of A, with what only B has behind its neighbour.
    pub connections: Vec<Connected>,
    /// The rules that say what does not matter.
    pub ignores: Vec<Ignored>,
}

/// Whether the sessions are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// There is no difference that matters.
    Same,
    /// There is one at least.
    Different,
}

/// A session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Session {
    /// The file.
    pub file: String,
    /// The session's id.
    pub session: String,
    /// The account that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which program recorded it.
    pub software: String,
    /// How many connections it has on which something was said.
    pub connections: u64,
    /// How many commands.
    pub commands: u64,
}

/// A connection of both, or of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Connected {
    /// What became of it.
    pub state: State,
    /// A's connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<End>,
    /// B's connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<End>,
    /// How many commands of it are what.
    pub commands: Tally,
    /// The commands that differ, in order.
    pub differences: Vec<Difference>,
}

/// A connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct End {
    /// Its number.
    pub connection: u64,
    /// What it is for.
    pub role: String,
    /// What the server is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Where it leads.
    pub upstream: String,
    /// The version that was spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The others in a switchboard.
    pub others: Vec<String>,
}

/// A command that differs, or that one side lacks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Difference {
    /// `changed`, `missing` or `extra`.
    pub state: State,
    /// A's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Line>,
    /// B's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Line>,
    /// What differs, if both have it.
    pub changes: Vec<Change>,
}

/// A command.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Line {
    /// `seq` of its event in the transcript.
    pub seq: u64,
    /// Which way it went.
    pub direction: Way,
    /// The verb; empty for bytes outside the protocol.
    pub verb: String,
    /// The line, for people: control characters are escaped.
    pub line: String,
    /// Bytes of the payload.
    pub payload_bytes: u64,
}

/// A rule that says what does not matter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Ignored {
    /// Why.
    pub reason: String,
    /// The file.
    pub file: String,
    /// The line of the file, from 1.
    pub line: u64,
    /// How many differences it covered. 0 means that it is of no use.
    pub covered: u64,
}

impl Report {
    /// Describes a comparison.
    pub fn of(diff: &Diff) -> Report {
        Report {
            format: FORMAT.to_owned(),
            version: VERSION,
            result: if diff.is_same() { Outcome::Same } else { Outcome::Different },
            a: Session::of(&diff.a),
            b: Session::of(&diff.b),
            accounts: diff.accounts.clone(),
            not_compared: diff.not_compared.clone(),
            summary: diff.summary,
            connections: diff.connections.iter().map(|pair| Connected::of(diff, pair)).collect(),
            ignores: diff
                .ignores
                .iter()
                .map(|(rule, covered)| Ignored {
                    reason: rule.reason.clone(),
                    file: rule.place.0.display().to_string(),
                    line: rule.place.1 as u64,
                    covered: *covered,
                })
                .collect(),
        }
    }
}

impl Session {
    fn of(side: &Side) -> Session {
        Session {
            file: side.name.clone(),
            session: side.session.clone(),
            account: side.account.clone(),
            software: side.software.clone(),
            connections: side.connections.len() as u64,
            commands: side.commands(),
        }
    }
}

impl Connected {
    fn of(diff: &Diff, pair: &Pair) -> Connected {
        let end = |side: &Side, index: Option<usize>| side.connections.get(index?).map(End::of);
        let differs = pair.entries.iter().filter(|entry| !matches!(entry.state, State::Same | State::Ignored));
        Connected {
            state: pair.state,
            a: end(&diff.a, pair.a),
            b: end(&diff.b, pair.b),
            commands: pair.tally(),
            differences: differs
                .map(|entry| {
                    let [a, b] = diff.items(pair, entry).map(|found| found.map(|(_, item)| Line::of(item)));
                    Difference { state: entry.state, a, b, changes: entry.changes.clone() }
                })
                .collect(),
        }
    }
}

impl End {
    fn of(connection: &Connection) -> End {
        End {
            connection: connection.number,
            role: connection.role.as_str().to_owned(),
            server: connection.facts.server.map(Into::into),
            upstream: connection.upstream.clone(),
            version: connection.facts.version.map(|version| version.to_string()),
            others: connection.others.clone(),
        }
    }
}

impl Line {
    fn of(item: &Item) -> Line {
        Line {
            seq: item.seq,
            direction: item.direction().into(),
            verb: item.verb().to_owned(),
            line: line_of(item),
            payload_bytes: item.command().map_or(0, |command| command.payload().len() as u64),
        }
    }
}

/// Returns the JSON Schema of a report.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("title".into(), "What mitmsn diff --json prints".into());
    schema.to_value()
}
