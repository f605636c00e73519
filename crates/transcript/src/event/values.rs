//! What fields of events hold: directions, kinds of servers, origins, and bytes as text or base64.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::types::Direction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A direction in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Way {
    /// From the client to the server.
    #[serde(rename = "c2s")]
    ClientToServer,
    /// From the server to the client.
    #[serde(rename = "s2c")]
    ServerToClient,
}

impl From<Direction> for Way {
    fn from(direction: Direction) -> Way {
        match direction {
            Direction::ClientToServer => Way::ClientToServer,
            Direction::ServerToClient => Way::ServerToClient,
        }
    }
}

impl From<Way> for Direction {
    fn from(way: Way) -> Direction {
        match way {
            Way::ClientToServer => Direction::ClientToServer,
            Way::ServerToClient => Direction::ServerToClient,
        }
    }
}

/// A server kind in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// A dispatch server.
    Ds,
    /// A notification server.
    Ns,
    /// A switchboard.
    Sb,
}

impl From<msnp::ServerKind> for Server {
    fn from(kind: msnp::ServerKind) -> Server {
        match kind {
            msnp::ServerKind::Dispatch => Server::Ds,
            msnp::ServerKind::Notification => Server::Ns,
            msnp::ServerKind::Switchboard => Server::Sb,
        }
    }
}

impl From<Server> for msnp::ServerKind {
    fn from(server: Server) -> msnp::ServerKind {
        match server {
            Server::Ds => msnp::ServerKind::Dispatch,
            Server::Ns => msnp::ServerKind::Notification,
            Server::Sb => msnp::ServerKind::Switchboard,
        }
    }
}

/// Who made a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Origin {
    /// The peer it came from.
    #[default]
    Peer,
    /// A rule, script or person.
    Injected,
    /// A recording.
    Replayed,
}

impl Origin {
    /// Returns it as it stands in a transcript.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Peer => "peer",
            Origin::Injected => "injected",
            Origin::Replayed => "replayed",
        }
    }
}

/// An argument: text, or base64 where it is not UTF-8.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Any other bytes.
    Base64 {
        /// The bytes.
        base64: String,
    },
}

/// A payload: text, or base64 where it is not UTF-8.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// UTF-8.
    Text(String),
    /// Any other bytes.
    Base64(String),
}

/// Why an event does not describe what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A value that should be base64 is not.
    #[error("a value is not base64")]
    Base64,
    /// More bytes are said to be masked than anybody recorded.
    #[error("{length} masked bytes where at most {limit} may be left")]
    Length {
        /// How many an event speaks of.
        length: u64,
        /// How many there may still be.
        limit: u64,
    },
    /// Verb and arguments do not make a command.
    #[error("{0:?} is no command line")]
    Line(String),
}

impl Text {
    /// Holds bytes.
    pub fn of(bytes: &[u8]) -> Text {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.into()),
            Err(_) => Text::Base64 { base64: STANDARD.encode(bytes) },
        }
    }

    /// Returns the bytes.
    ///
    /// # Errors
    ///
    /// If the base64 is none.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, EventError> {
        match self {
            Text::Utf8(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Text::Base64 { base64 } => STANDARD.decode(base64).map(Cow::Owned).map_err(|_| EventError::Base64),
        }
    }
}

impl Payload {
    /// Holds bytes.
    pub fn of(bytes: &[u8]) -> Payload {
        match std::str::from_utf8(bytes) {
            Ok(text) => Payload::Text(text.into()),
            Err(_) => Payload::Base64(STANDARD.encode(bytes)),
        }
    }

    /// Returns the bytes.
    ///
    /// # Errors
    ///
    /// If the base64 is none.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, EventError> {
        match self {
            Payload::Text(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Payload::Base64(base64) => STANDARD.decode(base64).map(Cow::Owned).map_err(|_| EventError::Base64),
        }
    }
}
