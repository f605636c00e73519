//! [`Transcripts`]: makes of what sources tell the transcripts that a proxy would have recorded.
//!
//! `connection` frames the bytes of a connection and finds out to which session it belongs, `routes` has the redirects that
//! wait for their client, `sessions` the sessions and their lines, `files` writes those. What decides is the same as in the proxy:
//! cookies, invitations, and redirects of the same account; only that time is that of the source.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use msnp::Direction;
use msnp_transcript::event::Source;
use serde::Serialize;

use crate::sink::{Closer, ConnectionKey, Peers, Sink};
use connection::Connection;
use sessions::Sessions;

mod connection;
mod files;
mod lane;
mod routes;
mod sessions;

/// Writes transcripts into a folder, one file a session.
#[derive(Debug)]
pub struct Transcripts {
    sessions: Sessions,
    connections: HashMap<ConnectionKey, Connection>,
    next_connection: u64,
    is_live: bool,
}

/// A transcript that was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Made {
    /// The session's id.
    pub session: String,
    /// Whose it is, if a command names the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// How many connections it has.
    pub connections: u64,
    /// How many commands.
    pub commands: u64,
    /// How many gaps.
    #[serde(skip_serializing_if = "is_zero")]
    pub gaps: u64,
    /// Whether it is a connection that should belong to another session, which was not found.
    #[serde(skip_serializing_if = "is_false")]
    pub apart: bool,
}

/// Why transcripts could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// What takes the lines of transcripts as they are made, those of all sessions in one order.
pub type Listener = Box<dyn FnMut(&[u8])>;

impl Transcripts {
    /// Writes into `folder`, which is created when there is something to write. Secrets are masked unless they are to be kept.
    pub fn new(folder: &Path, keep_secrets: bool) -> Transcripts {
        Transcripts::start(Some(folder), keep_secrets)
    }

    /// Writes nothing: only the listener gets the lines.
    pub fn unwritten(keep_secrets: bool, listener: Listener) -> Transcripts {
        Transcripts::start(None, keep_secrets).with_listener(listener)
    }

    fn start(folder: Option<&Path>, keep_secrets: bool) -> Transcripts {
        Transcripts {
            sessions: Sessions::new(folder, keep_secrets),
            connections: HashMap::new(),
            next_connection: 1,
            is_live: false,
        }
    }

    /// Has each line told as it is made, and written whenever the source waits for more.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Transcripts {
        self.is_live = true;
        self.sessions.listener = Some(sessions::Lines(listener));
        self
    }

    /// Ends what is open and writes what is left. Returns the transcripts, in the order in which their sessions began.
    ///
    /// # Errors
    ///
    /// If something could not be written; earlier files are complete.
    pub fn finish(mut self) -> Result<Vec<Made>, WriteError> {
        let mut left: Vec<ConnectionKey> = self.connections.keys().copied().collect();
        left.sort_unstable();
        let now = self.sessions.now();
        for key in left {
            self.closed(key, now, Closer::Source, Some("the source ends here"));
        }
        self.sessions.finish()
    }

    /// Returns how many bytes of unfinished commands and unwritten lines are in memory.
    pub fn held(&self) -> usize {
        self.connections.values().map(Connection::held).sum::<usize>() + self.sessions.held()
    }
}

impl Sink for Transcripts {
    fn source(&mut self, source: &Source) {
        self.sessions.source = Some(source.clone());
    }

    fn opened(&mut self, peers: &Peers, time: SystemTime) -> ConnectionKey {
        self.sessions.advance(time);
        let number = self.next_connection;
        self.next_connection += 1;
        let key = ConnectionKey(number);
        self.connections.insert(key, Connection::new(number, peers.clone(), time));
        key
    }

    #[inline]
    fn data(&mut self, connection: ConnectionKey, direction: Direction, time: SystemTime, bytes: &[u8]) {
        self.sessions.advance(time);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.data(direction, time, bytes, &mut self.sessions);
        }
    }

    fn gap(&mut self, connection: ConnectionKey, direction: Direction, time: SystemTime, length: Option<u64>) {
        self.sessions.advance(time);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.gap(direction, time, length, &mut self.sessions);
        }
    }

    fn note(&mut self, connection: ConnectionKey, time: SystemTime, text: &str) {
        self.sessions.advance(time);
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.note(time, text.to_owned(), &mut self.sessions);
        }
    }

    fn closed(&mut self, connection: ConnectionKey, time: SystemTime, by: Closer, reason: Option<&str>) {
        self.sessions.advance(time);
        if let Some(connection) = self.connections.remove(&connection) {
            connection.closed(time, by, reason, &mut self.sessions);
        }
    }

    fn idle(&mut self) -> ControlFlow<()> {
        if self.is_live {
            self.sessions.flush();
        }
        if self.sessions.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}
