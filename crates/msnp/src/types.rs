//! The small words of the protocol: [`Verb`], [`Direction`], [`ServerKind`], [`Version`], [`TransactionId`].

use std::fmt;
use std::str::FromStr;

/// The three letters or digits that a command starts with. Unknown ones are verbs too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verb([u8; 3]);

impl Verb {
    /// Returns the verb that `line` starts with: three upper-case letters or three digits, then a space, CR, LF or
    /// the end of the slice.
    pub fn of_line(line: &[u8]) -> Option<Verb> {
        let (verb, rest) = line.split_first_chunk::<3>()?;
        matches!(rest.first(), None | Some(b' ' | b'\r' | b'\n')).then_some(())?;
        Verb::new(*verb)
    }

    /// Returns a verb of these three bytes, if they can be one.
    pub const fn new(bytes: [u8; 3]) -> Option<Verb> {
        let [a, b, c] = bytes;
        let is_verb = if a.is_ascii_digit() {
            b.is_ascii_digit() && c.is_ascii_digit()
        } else {
            a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_uppercase()
        };
        if is_verb { Some(Verb(bytes)) } else { None }
    }

    /// Returns the error code, if the verb is one (`911`).
    pub fn error_code(self) -> Option<u16> {
        self.is_error().then(|| self.0.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
    }

    /// Whether the verb is a three-digit error code.
    pub const fn is_error(self) -> bool {
        self.0[0].is_ascii_digit()
    }

    /// Returns the verb as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters and digits are ASCII")
    }

    /// Returns the three bytes.
    pub const fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct ParseWordError {
    /// What was found.
    pub found: String,
    /// What was expected there.
    pub expected: &'static str,
}

impl FromStr for Verb {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Verb, ParseWordError> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .and_then(Verb::new)
            .ok_or_else(|| ParseWordError { found: text.into(), expected: "three upper-case letters or three digits" })
    }
}

/// Which way a command goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// From the client to the server; in text `c2s`, drawn `>>>`.
    ClientToServer,
    /// From the server to the client; in text `s2c`, drawn `<<<`.
    ServerToClient,
}

impl Direction {
    /// Both directions, the client's first.
    pub const BOTH: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

    /// Returns the other direction.
    pub const fn opposite(self) -> Direction {
        match self {
            Direction::ClientToServer => Direction::ServerToClient,
            Direction::ServerToClient => Direction::ClientToServer,
        }
    }

    /// Returns 0 for client to server, 1 for server to client: an index into a pair.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns `c2s` or `s2c`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::ClientToServer => "c2s",
            Direction::ServerToClient => "s2c",
        }
    }

    /// Returns `>>>` or `<<<`, as dialogues are drawn and texts of commands start.
    pub const fn arrow(self) -> &'static str {
        match self {
            Direction::ClientToServer => ">>>",
            Direction::ServerToClient => "<<<",
        }
    }

    /// Returns who sends in this direction: `client` or `server`.
    pub const fn sender(self) -> &'static str {
        match self {
            Direction::ClientToServer => "client",
            Direction::ServerToClient => "server",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the server at the other end of a connection is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServerKind {
    /// Sends clients on to a notification server; in text `ds`.
    Dispatch,
    /// Login, lists, presence; in text `ns`. A connection is one until an `XFR NS` shows that it was a dispatch server.
    Notification,
    /// One conversation; in text `sb`.
    Switchboard,
}

impl ServerKind {
    /// Returns `ds`, `ns` or `sb`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ServerKind::Dispatch => "ds",
            ServerKind::Notification => "ns",
            ServerKind::Switchboard => "sb",
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServerKind {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<ServerKind, ParseWordError> {
        match text {
            "ds" => Ok(ServerKind::Dispatch),
            "ns" => Ok(ServerKind::Notification),
            "sb" => Ok(ServerKind::Switchboard),
            _ => Err(ParseWordError { found: text.into(), expected: "ds, ns or sb" }),
        }
    }
}

/// A dialect of the protocol: the 12 of `MSNP12`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u8);

impl Version {
    /// Parses one token of a `VER` line: `MSNP12`, but not `CVR0`.
    pub fn from_token(token: &[u8]) -> Option<Version> {
        std::str::from_utf8(token.strip_prefix(b"MSNP")?).ok()?.parse().ok().map(Version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("MSNP{}", self.0))
    }
}

impl FromStr for Version {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Version, ParseWordError> {
        Version::from_token(text.as_bytes())
            .ok_or_else(|| ParseWordError { found: text.into(), expected: "a version such as MSNP12" })
    }
}

/// The number that pairs a command with its answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub u32);

impl TransactionId {
    /// Parses a token: decimal digits that fit in 32 bits.
    pub fn from_token(token: &[u8]) -> Option<TransactionId> {
        if token.is_empty() || token.len() > 10 {
            return None;
        }
        let mut value = 0u64;
        for &byte in token {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u64::from(byte - b'0');
        }
        u32::try_from(value).ok().map(TransactionId)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
