//! The sum of what was counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use msnp::types::ServerKind;
use msnp::{Verb, errors};
use serde::Serialize;

use super::histogram::{Histogram, Times};
use super::{Kind, Stats};

/// What transcripts hold, in numbers.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How many transcripts were read.
    pub transcripts: u64,
    /// The commands that arrived.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When it began: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The sessions, by id, which is by time.
    pub sessions: Vec<Session>,
    /// People, by address: those who log in, and those who say something to them.
    pub accounts: BTreeMap<String, Account>,
    /// Commands by verb, direction and kind of server.
    pub verbs: Vec<VerbCount>,
    /// Closed connections by kind of server: `ds`, `ns`, `sb`, or `?`.
    pub connections: BTreeMap<&'static str, Connections>,
    /// Times from a request to its first answer, by verb of the request.
    pub replies: Vec<Reply>,
    /// Errors by code.
    pub errors: Vec<ErrorCount>,
    /// What rules, scripts and people did, by name.
    pub changes: BTreeMap<String, Changes>,
    /// Bytes that were no command.
    pub opaque_bytes: u64,
    /// Gaps in imported transcripts.
    pub gaps: u64,
    /// What was too much to be told apart.
    pub left_out: u64,
}

/// By what the tables of a report are arranged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// One row per session.
    Session,
    /// One row per verb, direction and kind of server.
    Verb,
    /// One row per person.
    Account,
}

/// Commands and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Amount {
    /// How many.
    pub commands: u64,
    /// Their bytes, payloads included.
    pub bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        self.commands += 1;
        self.bytes += bytes;
    }
}

/// One session.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id.
    pub session: String,
    /// The transcript.
    pub file: String,
    /// Who logged in, if somebody did.
    pub account: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many connections it had.
    pub connections: u64,
    /// Its commands and bytes.
    #[serde(flatten)]
    pub amount: Amount,
    /// Messages of people, those to them included.
    pub messages: u64,
    /// Errors that the client was told.
    pub errors: u64,
}

/// One person.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Account {
    /// Sessions of theirs in the transcripts.
    pub sessions: u64,
    /// Commands in them, in both directions.
    pub commands: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// What they said, in their own sessions.
    pub said: Messages,
    /// What others heard them say, in the sessions of those.
    pub heard: Messages,
}

/// Messages by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Messages {
    /// Texts.
    pub text: u64,
    /// That somebody is typing.
    pub typing: u64,
    /// Nudges, winks and the like.
    pub nudge: u64,
    /// Pictures, files, invitations and others.
    pub other: u64,
}

impl Messages {
    pub(super) fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Text => self.text += 1,
            Kind::Typing => self.typing += 1,
            Kind::Nudge => self.nudge += 1,
            Kind::Other => self.other += 1,
        }
    }
}

/// Commands of one verb in one direction to one kind of server.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct VerbCount {
    /// The verb.
    pub verb: String,
    /// Which way: `c2s` or `s2c`.
    pub direction: &'static str,
    /// The kind of server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'static str>,
    /// How many, and their bytes.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Connections to one kind of server.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Connections {
    /// How many were closed.
    pub count: u64,
    /// Bytes of the commands on them.
    pub bytes: u64,
    /// By whom: `client`, `server`, `proxy`.
    pub closed_by: BTreeMap<String, u64>,
    /// How long they lasted.
    #[serde(serialize_with = "times", skip_serializing_if = "is_empty")]
    pub lifetimes: Histogram,
}

/// Reply times of one verb.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Reply {
    /// The verb of the request; `PNG` for `QNG`.
    pub verb: String,
    /// Seconds.
    #[serde(flatten)]
    pub times: Times,
}

/// One error.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ErrorCount {
    /// The code.
    pub code: u16,
    /// What it means, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// How many.
    pub count: u64,
    /// What they answered, by verb.
    pub answers: BTreeMap<String, u64>,
}

/// What a rule, script or person did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// Commands that it touched.
    pub commands: u64,
    /// Commands that left in another shape.
    pub changed: u64,
    /// Commands that did not leave.
    pub dropped: u64,
    /// Commands that nobody had sent.
    pub injected: u64,
    /// Commands that left later.
    pub delayed: u64,
    /// Commands that were held.
    pub held: u64,
    /// Held commands that it let go.
    pub released: u64,
}

impl Report {
    pub(super) fn of(stats: &Stats) -> Report {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let session = |(id, sum): (&String, &super::SessionSum)| Session {
            session: id.clone(),
            file: sum.file.clone(),
            account: sum.account.clone(),
            first: text(sum.first),
            last: text(sum.last),
            seconds: super::micros(sum.first, sum.last).map(|micros| micros as f64 / 1e6),
            connections: sum.connections,
            amount: sum.amount,
            messages: sum.messages,
            errors: sum.errors,
        };
        let mut accounts = stats.accounts.clone();
        for sum in stats.sessions.values() {
            if let Some(account) = accounts.get_mut(&sum.account) {
                account.sessions += 1;
            }
        }
        let verbs: Vec<VerbCount> = stats
            .verbs
            .iter()
            .map(|((verb, direction, server), amount)| VerbCount {
                verb: verb.to_string(),
                direction: direction.as_str(),
                server: server.map(ServerKind::as_str),
                amount: *amount,
            })
            .collect();
        let reply = |(verb, times): (&Verb, &Histogram)| Some(Reply { verb: verb.to_string(), times: times.times()? });
        let error = |(code, sum): (&u16, &super::ErrorSum)| ErrorCount {
            code: *code,
            meaning: errors::lookup(*code).map(|error| error.meaning),
            count: sum.count,
            answers: sum.to.iter().map(|(verb, count)| (verb.to_string(), *count)).collect(),
        };
        Report {
            transcripts: stats.transcripts,
            commands: stats.sessions.values().map(|sum| sum.amount.commands).sum(),
            bytes: stats.sessions.values().map(|sum| sum.amount.bytes).sum(),
            first: text(stats.sessions.values().filter_map(|sum| sum.first).min()),
            last: text(stats.sessions.values().filter_map(|sum| sum.last).max()),
            sessions: stats.sessions.iter().map(session).collect(),
            accounts,
            verbs,
            connections: stats.connections.clone(),
            replies: stats.replies.iter().filter_map(reply).collect(),
            errors: stats.errors.iter().map(error).collect(),
            changes: stats.changes.clone(),
            opaque_bytes: stats.opaque_bytes,
            gaps: stats.gaps,
            left_out: stats.left_out,
        }
    }
}

fn is_empty(histogram: &Histogram) -> bool {
    histogram.times().is_none()
}

fn times<S: serde::Serializer>(histogram: &Histogram, serializer: S) -> Result<S::Ok, S::Error> {
    histogram.times().serialize(serializer)
}
