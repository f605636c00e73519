//! [`ClientError`].

use std::io;
use std::time::Duration;

use msnp::{Command, Verb, Version};

/// Why a scripted client could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// An address is not `host:port`.
    #[error("{address:?} is not host:port")]
    BadAddress {
        /// The address.
        address: String,
    },
    /// Nobody listens there, or nobody answers in time.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address, as the client was told it.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A connection broke.
    #[error("the connection to {address} broke")]
    Broken {
        /// The address, as the client was told it.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended the connection.
    #[error("{address} closed the connection while the client waited for {awaited}")]
    Closed {
        /// The address, as the client was told it.
        address: String,
        /// What the client waited for.
        awaited: String,
    },
    /// The server said nothing, or not what was waited for.
    #[error("no {awaited} from {address} within {timeout:?}")]
    Timeout {
        /// The address, as the client was told it.
        address: String,
        /// What the client waited for.
        awaited: String,
        /// How long.
        timeout: Duration,
    },
    /// The server answered with an error.
    #[error("{verb} was refused with error {code}")]
    Refused {
        /// What the client had sent.
        verb: String,
        /// The error.
        code: u16,
    },
    /// The server answered with something that is no answer.
    #[error("expected {expected}, found {found} ({arguments} arguments)")]
    Unexpected {
        /// What the client expected.
        expected: &'static str,
        /// The verb that came.
        found: Verb,
        /// How many arguments it had.
        arguments: usize,
    },
    /// The server does not serve the only version offered.
    #[error("the server does not serve {version}")]
    VersionRefused {
        /// The version.
        version: Version,
    },
    /// The version has no such thing.
    #[error("{version} has no such thing as {what}")]
    NotInVersion {
        /// What was asked for.
        what: &'static str,
        /// The version.
        version: Version,
    },
    /// The server answered each login with another redirect.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// How many were followed.
        limit: usize,
    },
    /// A message was not delivered to anybody (`NAK`).
    #[error("the message was not delivered")]
    NotDelivered,
    /// The login service does not accept the password.
    #[error("{url} refused the password")]
    PasswordRefused {
        /// The address asked.
        url: String,
    },
    /// The login service did not answer as it should.
    #[error("{url} answered without {missing}")]
    LoginService {
        /// The address asked.
        url: String,
        /// What was missing.
        missing: &'static str,
    },
}

impl ClientError {
    pub(super) fn unexpected(expected: &'static str, found: &Command) -> ClientError {
        ClientError::Unexpected { expected, found: found.verb(), arguments: found.arguments().count() }
    }
}
