//! What the routes take and return.

use std::collections::BTreeMap;

use msnp_transcript::event::{Sent, Server, Way};
use msnp_transcript::state::SessionState;
use serde::{Deserialize, Serialize};

/// `GET /api/status`: the proxy itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Name and version of the program.
    pub software: String,
    /// Addresses that clients connect to.
    pub listen: Vec<String>,
    /// Where connections lead: `host:port`, or `transparent`.
    pub upstream: String,
    /// Folder of the transcripts, if there is a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// How many sessions go on.
    pub sessions: usize,
    /// How many connections are open.
    pub connections: usize,
    /// How many commands are held.
    pub held: usize,
}

/// A session: one login of one account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// When its first connection came, RFC 3339.
    pub started: String,
    /// When it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The account, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The version, such as `MSNP12`, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its connections, in order; of those that are closed only the latest hundred.
    pub connections: Vec<Connection>,
    /// Commands received from the client.
    pub client_commands: u64,
    /// Commands received from the server.
    pub server_commands: u64,
    /// Error replies of the server.
    pub errors: u64,
    /// The transcript, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// What the two ends have been told; only where one session is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SessionState>,
}

/// A connection of a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Its number.
    pub number: u64,
    /// Its name within the session: `ds1`, `ns1`, `sb2` ..., counted per kind; the kind is `ns` until it is known.
    pub name: String,
    /// What the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Where the client connects from.
    pub client: String,
    /// Where it leads.
    pub upstream: String,
    /// When it was accepted.
    pub opened: String,
    /// When it was closed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// Query of `GET /api/sessions/{id}/events`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsQuery {
    /// Number of the first event, from 0.
    pub from: u64,
    /// Most events, up to 1000; 100 if it is missing.
    pub limit: Option<usize>,
    /// Only commands for which this expression holds.
    pub filter: Option<String>,
}

/// Query of `GET /api/events`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamQuery {
    /// Only commands for which this expression holds, and no other events.
    pub filter: Option<String>,
    /// Only this session, by id.
    pub session: Option<String>,
    /// Behind this event, as the header `Last-Event-ID` says it.
    pub after: Option<u64>,
}

/// The data of the event `lagged`: the reader was too slow, or there was too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lagged {
    /// How many events are missing here. Recorded ones are in the transcripts.
    pub missed: u64,
}

/// `POST /api/send`: commands to put into a connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Where: `alice`, `alice/ns`, `alice/sb2`, or a connection's number.
    pub target: String,
    /// The commands, in the text form.
    pub text: String,
    /// To whom, where the text does not say it.
    #[serde(default)]
    pub to: Receiver,
    /// What to do with the lengths on the lines.
    #[serde(default)]
    pub length: Length,
    /// How many seconds to wait: for the server's answer (5 if it is missing), or for what the client says to it (0). 0 does
    /// not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<f64>,
    /// Who sends, for the transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// To whom a command goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Receiver {
    /// To the server, as if the client had sent it.
    #[default]
    Server,
    /// To the client, as if the server had.
    Client,
}

/// What to do with the length of a payload on its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Make it right.
    #[default]
    Repair,
    /// Send it as it is written, right or wrong.
    Keep,
}

/// What became of one command that was sent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The connection's number.
    pub connection: u64,
    /// The command as it left; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Shown>,
    /// What the server answered, or what the client said meanwhile, in order.
    pub replies: Vec<Reply>,
    /// Why no more is waited for: `complete`, `quiet`, `closed`, `busy`, `unframed`, or `waiting` if time was up.
    pub done: String,
    /// Whether the connection was closed meanwhile.
    pub disconnected: bool,
    /// Seconds until no more was waited for.
    pub after: f64,
}

/// A command in text form and in parts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The text form.
    pub text: String,
    /// The parts, as in a transcript.
    #[serde(flatten)]
    pub command: Sent,
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Seconds after the command left.
    pub after: f64,
    /// The command.
    #[serde(flatten)]
    pub shown: Shown,
}

/// `POST /api/breakpoints`: a condition under which commands are held.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBreakpoint {
    /// The condition, in the language of rules.
    pub when: String,
    /// Only commands from `client` or `server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sender>,
    /// Only the first so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Seconds after which a held command goes on by itself.
    #[serde(default = "a_minute")]
    pub timeout: f64,
    /// Whether the proxy answers the server's challenges while a command of the server is held.
    #[serde(default)]
    pub answer_challenges: bool,
}

fn a_minute() -> f64 {
    60.0
}

/// Who sent a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// A breakpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Breakpoint {
    /// Its number.
    pub number: u64,
    /// How it was set; `first` is how many are left.
    #[serde(flatten)]
    pub set: NewBreakpoint,
    /// How many commands it has held.
    pub hits: u64,
}

/// A held command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Its number.
    pub number: u64,
    /// The connection's number.
    pub connection: u64,
    /// The session's id.
    pub session: String,
    /// The account, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Which way it goes.
    pub direction: Way,
    /// What would leave, in text form; several commands where a rule made several. Secrets are readable.
    pub text: String,
    /// Who holds it.
    pub by: Vec<String>,
    /// Since when.
    pub since: String,
    /// Seconds until it goes on by itself.
    pub left: f64,
}

/// `POST /api/held/{number}/release`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Release {
    /// What goes on in its place, in text form: any number of commands. Absent: what is held.
    pub text: Option<String>,
    /// What to do with the lengths on the lines.
    pub length: Length,
    /// Who releases it, for the transcript.
    pub by: Option<String>,
}

/// `POST /api/close`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Which connection, as in [`Send::target`].
    pub target: String,
}

/// A rule.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it is asked.
    pub enabled: bool,
    /// How many commands it has done something to.
    pub hits: u64,
}

/// `POST /api/rules/enable` and `/disable`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleName {
    /// The rule's name.
    pub name: String,
}

/// `POST /api/call`: a command of a script.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// What a script's command returned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Called {
    /// The text.
    pub result: String,
}

/// The body of every answer that is not 2xx.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong and what to do.
    pub error: String,
    /// What could have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Anything else, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}
