//! What can go wrong before and during a replay.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use msnp_transcript::event::EventError;
use msnp_transcript::reader::ReadError;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The transcript cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event of the transcript is not what it should be.
    #[error("{}:{line}: {problem}", name.display())]
    Event {
        /// The transcript.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: EventError,
    },
    /// The time of an event cannot be read.
    #[error("{}:{line}: {time:?} is not a time such as 2026-11-22T12:00:00.000000Z", name.display())]
    Time {
        /// The transcript.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What stands there.
        time: String,
    },
    /// No client says anything in the transcript.
    #[error("{}: no command of a client: there is nothing to replay", name.display())]
    Empty {
        /// The transcript.
        name: PathBuf,
    },
    /// A secret that the transcript does not hold is needed.
    #[error("{}: {command} of {account} (seq {seq}) needs {what}", name.display())]
    Secret {
        /// The transcript.
        name: PathBuf,
        /// Sequence number of the command.
        seq: u64,
        /// The command, without the secret.
        command: String,
        /// Whose it is.
        account: String,
        /// What is missing, and how to give it.
        what: &'static str,
    },
    /// A setting cannot be understood.
    #[error("--set {text}: {problem}")]
    Setting {
        /// The setting, without its value.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// The address is not free, or not ours.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        problem: io::Error,
    },
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {problem}")]
    Connect {
        /// The address.
        address: String,
        /// What the system says.
        problem: io::Error,
    },
}
