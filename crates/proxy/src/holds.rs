//! Held commands: which ones there are, and what becomes of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use msnp::argument::Scope;
use msnp::{Command, Direction};

use crate::connection::Connection;

/// A command that waits for somebody to release it. It keeps its place: what comes behind it in its direction waits too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Held {
    /// Its number, from 1, unique in the process.
    pub number: u64,
    /// The connection on which it is held.
    pub connection: Arc<Connection>,
    /// The session's id, once it is known.
    pub session: String,
    /// The account, or the empty string.
    pub account: String,
    /// Kind of server and version, as far as they are known.
    pub scope: Scope,
    /// Which way it goes.
    pub direction: Direction,
    /// What would leave: usually one command.
    pub commands: Vec<Command>,
    /// Who holds it.
    pub by: Vec<Arc<str>>,
    /// Since when.
    pub since: SystemTime,
    /// How long at most; then it goes on as it is.
    pub timeout: Duration,
}

/// What becomes of a held command.
#[derive(Clone, PartialEq, Debug)]
pub enum Release {
    /// It goes on.
    AsItIs,
    /// These go on in its place: none, one or several.
    ///
    /// Towards the server, one of them is the client's command: the first with its transaction id, else the first with
    /// id 0, which gets that. The others, if there are several and they are no copies of it, are injections: id 0 becomes
    /// a free one, another is sent as it is written, and their answers do not reach the client.
    Replace(Vec<Command>),
}

/// All held commands of an engine.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    last: AtomicU64,
    held: Mutex<BTreeMap<u64, Arc<Held>>>,
}

impl Holds {
    /// Returns the number of the next held command.
    pub(crate) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn insert(&self, held: Held) {
        self.lock().insert(held.number, Arc::new(held));
    }

    pub(crate) fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<Held>> {
        self.lock().get(&number).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Arc<Held>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
