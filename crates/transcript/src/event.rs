//! The events of a transcript, and their shape in JSON.
//!
//! A transcript is JSON Lines: one event a line, in the order of `seq`. The first is a `session` event that names the
//! format. Absent fields do not apply. Readers ignore fields they do not know.

use msnp::{Command, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::redact::TextPolicy;

pub use values::{EventError, Origin, Payload, Server, Text, Way};

mod values;

/// The name of the format, in the first event.
pub const FORMAT: &str = "mitmsn-transcript";
/// Its version.
pub const VERSION: u32 = 1;

/// One line of a transcript.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The first line: names the format.
    Session(SessionEvent),
    /// A client's connection was accepted, and where it leads.
    ConnectionOpened(ConnectionOpened),
    /// A connection joined a session that had others before.
    SessionJoined(SessionJoined),
    /// One command.
    Command(CommandEvent),
    /// A held command was let go, or given up.
    Released(ReleasedEvent),
    /// Bytes that could not be framed.
    Opaque(OpaqueEvent),
    /// Bytes that were sent, but are missing in what was imported.
    Gap(GapEvent),
    /// A connection ended.
    ConnectionClosed(ConnectionClosed),
    /// A remark of the recorder, such as a loss of events.
    Note(NoteEvent),
    /// A tag that a rule put on a command.
    Tag(TagEvent),
    /// The last line, once no connection is left and none is expected.
    SessionClosed(SessionClosed),
}

/// What every event starts with.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stem {
    /// Sequence number within the session, from 0.
    pub seq: u64,
    /// When it was seen: RFC 3339, UTC, microseconds.
    pub time: String,
    /// The session's id.
    pub session: String,
}

/// Names the format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// Always `mitmsn-transcript`.
    pub format: String,
    /// Version of the format, 1.
    pub version: u32,
    /// Name and version of the program that recorded it.
    pub software: String,
    /// What it was made from, if it was not recorded by a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How it was redacted, if it was: then accounts, names, ids and texts in it are not those of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<Redacted>,
}

/// How a transcript was redacted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Redacted {
    /// Name and version of the program that did it.
    pub software: String,
    /// What became of the text of messages.
    pub text: TextPolicy,
}

/// What an imported transcript was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The format: `pcap`, `pcapng`, or the name of a format of logs.
    pub format: String,
    /// The file's name, without its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it cannot tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Lack>,
}

/// What the source of an imported transcript cannot tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Lack {
    /// The exact bytes: commands are as the log shows them.
    Bytes,
    /// Times: those of the events only keep the order.
    Times,
    /// The addresses of clients and servers, which are empty.
    Addresses,
}

/// A connection was accepted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionOpened {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// Where the client connects from, `ip:port`.
    pub client: String,
    /// On which of the proxy's addresses it arrived, `ip:port`.
    pub listener: String,
    /// Where it leads, `host:port`.
    pub upstream: String,
    /// What the server is, if the first command tells: `ds`, `ns` or `sb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// The account, if the session knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The version, if the session knows it, such as `MSNP12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A connection joined the session of others.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionJoined {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection that joined.
    pub connection: u64,
    /// The connection that announced it.
    pub from: u64,
    /// What linked them.
    pub by: JoinedBy,
}

/// What links a connection to its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JoinedBy {
    /// The cookie of an `XFR SB`.
    Cookie,
    /// Cookie and session id of a `RNG`.
    Invitation,
    /// A pending `XFR NS` of the same client address and account.
    Redirect,
}

/// One command: what arrived and, if that differs, what left.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommandEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// What the server is: `ds`, `ns` or `sb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Which way it went: `c2s` or `s2c`.
    pub direction: Way,
    /// The verb.
    pub verb: String,
    /// The transaction id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trid: Option<u32>,
    /// The arguments after the verb, split on every single space.
    pub args: Vec<Text>,
    /// The payload, if the line announced one that is not empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The line's end, if it was not CRLF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eol: Option<String>,
    /// Who made it. What is `injected` never arrived: verb, arguments and payload are what left.
    pub origin: Origin,
    /// What left, if that differs from what arrived; empty if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Vec<Sent>>,
    /// Which rules or hooks changed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Seconds for which it was delayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<f64>,
    /// The number under which it is held. What left, in its place, is in the `released` event of the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Places whose value was masked with as many `*`: `args[3]`, `payload.MSPAuth`, `sent[0].args[3]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// One command that left in place of, before or after the one that arrived.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Which way it went: a reply goes back.
    pub direction: Way,
    /// The verb.
    pub verb: String,
    /// The arguments.
    pub args: Vec<Text>,
    /// The payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The line's end, if not CRLF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eol: Option<String>,
}

/// The end of a hold.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleasedEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// The number under which the command was held.
    pub held: u64,
    /// Which way it went.
    pub direction: Way,
    /// What left in its place, if that differs from what arrived; empty if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Vec<Sent>>,
    /// Who released it, or why: `timeout`, `shutdown`.
    pub by: String,
    /// Seconds for which it was held.
    pub after: f64,
    /// Places whose value was masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// Bytes outside the framing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OpaqueEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// What the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Which way they went.
    pub direction: Way,
    /// How many bytes.
    pub length: u64,
    /// The bytes; absent where they are masked, since they may hold anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// What left, if that differs: a line that never ended left under another transaction id. Absent where `payload` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Payload>,
    /// `payload`, if it was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// Bytes that are missing in the source of an imported transcript. What follows until the next line that is a command
/// is `opaque`. A command whose whole payload is missing stands before it, without one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GapEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// What the server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Which way they went.
    pub direction: Way,
    /// How many bytes are missing, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// A connection ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionClosed {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// Who ended it: `client`, `server` or `proxy`; `source` if that from which it was imported ends before it does.
    pub by: String,
    /// Why, in words, unless a peer just closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes received from the client.
    pub client_bytes: u64,
    /// Bytes received from the server.
    pub server_bytes: u64,
}

/// A remark.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// The remark.
    pub text: String,
}

/// A tag on a command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TagEvent {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// The connection's number.
    pub connection: u64,
    /// `seq` of the command.
    pub command: u64,
    /// The tag.
    pub tag: String,
}

/// The session is over.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionClosed {
    /// Number, time and session.
    #[serde(flatten)]
    pub stem: Stem,
    /// How many connections it had.
    pub connections: u64,
}

impl Event {
    /// Returns number, time and session.
    pub fn stem(&self) -> &Stem {
        match self {
            Event::Session(event) => &event.stem,
            Event::ConnectionOpened(event) => &event.stem,
            Event::SessionJoined(event) => &event.stem,
            Event::Command(event) => &event.stem,
            Event::Released(event) => &event.stem,
            Event::Opaque(event) => &event.stem,
            Event::Gap(event) => &event.stem,
            Event::ConnectionClosed(event) => &event.stem,
            Event::Note(event) => &event.stem,
            Event::Tag(event) => &event.stem,
            Event::SessionClosed(event) => &event.stem,
        }
    }

    /// Returns number, time and session, to be changed.
    pub fn stem_mut(&mut self) -> &mut Stem {
        match self {
            Event::Session(event) => &mut event.stem,
            Event::ConnectionOpened(event) => &mut event.stem,
            Event::SessionJoined(event) => &mut event.stem,
            Event::Command(event) => &mut event.stem,
            Event::Released(event) => &mut event.stem,
            Event::Opaque(event) => &mut event.stem,
            Event::Gap(event) => &mut event.stem,
            Event::ConnectionClosed(event) => &mut event.stem,
            Event::Note(event) => &mut event.stem,
            Event::Tag(event) => &mut event.stem,
            Event::SessionClosed(event) => &mut event.stem,
        }
    }

    /// Returns the connection that it is about, if it is about one.
    pub fn connection(&self) -> Option<u64> {
        match self {
            Event::Session(_) | Event::SessionClosed(_) => None,
            Event::ConnectionOpened(event) => Some(event.connection),
            Event::SessionJoined(event) => Some(event.connection),
            Event::Command(event) => Some(event.connection),
            Event::Released(event) => Some(event.connection),
            Event::Opaque(event) => Some(event.connection),
            Event::Gap(event) => Some(event.connection),
            Event::ConnectionClosed(event) => Some(event.connection),
            Event::Note(event) => event.connection,
            Event::Tag(event) => Some(event.connection),
        }
    }
}

impl CommandEvent {
    /// Rebuilds the command that arrived, byte for byte (masked places hold `*`).
    ///
    /// # Errors
    ///
    /// If the event does not describe a command.
    pub fn command(&self) -> Result<Command, EventError> {
        rebuild(self.direction, &self.verb, &self.args, self.payload.as_ref(), self.eol.as_deref())
    }

    /// Rebuilds the commands that left.
    ///
    /// # Errors
    ///
    /// If the event does not describe them.
    pub fn sent(&self) -> Result<Vec<Command>, EventError> {
        match &self.sent {
            None => Ok(vec![self.command()?]),
            Some(sent) => sent.iter().map(Sent::command).collect(),
        }
    }
}

impl Sent {
    /// Describes a command.
    pub fn of(command: &Command) -> Sent {
        Sent {
            direction: command.direction().into(),
            verb: command.verb().to_string(),
            args: command.arguments().map(Text::of).collect(),
            payload: (!command.payload().is_empty()).then(|| Payload::of(command.payload())),
            eol: eol(command.eol()),
        }
    }

    /// Rebuilds the command.
    ///
    /// # Errors
    ///
    /// If the event does not describe one.
    pub fn command(&self) -> Result<Command, EventError> {
        rebuild(self.direction, &self.verb, &self.args, self.payload.as_ref(), self.eol.as_deref())
    }
}

/// Returns a line's end, if it is not CRLF.
pub(crate) fn eol(eol: &[u8]) -> Option<String> {
    (eol != b"\r\n").then(|| String::from_utf8_lossy(eol).into_owned())
}

fn rebuild(
    way: Way,
    verb: &str,
    args: &[Text],
    payload: Option<&Payload>,
    eol: Option<&str>,
) -> Result<Command, EventError> {
    let mut bytes = verb.as_bytes().to_vec();
    for argument in args {
        bytes.push(b' ');
        bytes.extend_from_slice(&argument.bytes()?);
    }
    let line = bytes.len();
    let bad = |bytes: &[u8]| EventError::Line(String::from_utf8_lossy(bytes).into_owned());
    if Verb::of_line(&bytes).is_none() || memchr::memchr(b'\n', &bytes).is_some() {
        return Err(bad(&bytes));
    }
    let eol = eol.unwrap_or("\r\n");
    if !matches!(eol, "\r\n" | "\n") {
        return Err(bad(eol.as_bytes()));
    }
    bytes.extend_from_slice(eol.as_bytes());
    if let Some(payload) = payload {
        bytes.extend_from_slice(&payload.bytes()?);
    }
    let verb = Verb::of_line(&bytes).ok_or_else(|| bad(&bytes))?;
    let span = msnp::codec::CommandSpan {
        line: line as u32,
        eol: eol.len() as u8,
        slot: msnp::table::Slot::of(verb),
        len: bytes.len() as u32,
    };
    Ok(Command::from_span(way.into(), &bytes, span))
}

/// Returns the JSON Schema of a line of a transcript.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Event);
    schema.insert("title".into(), "A line of a mitmsn transcript".into());
    schema.to_value()
}
