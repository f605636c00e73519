//! What everybody did, to be compared at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::tally::Tally;
use crate::wire::Token;

/// Shared by all.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// No client begins anything new.
    pub(crate) is_over: AtomicBool,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) violations: Vec<String>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Finished connections by key.
    pub(crate) connections: HashMap<String, Record>,
    /// Connections, by number, that were closed through the interface.
    pub(crate) closed: BTreeSet<u64>,
    /// What was dropped.
    pub(crate) dropped: HashSet<Token>,
    /// Marks of edits that were accepted, with the connection's number.
    pub(crate) edits: HashMap<String, u64>,
    /// Marks of edits that arrived, with the connection's key.
    pub(crate) edited: HashMap<String, Vec<String>>,
    /// Injections that left, by number.
    pub(crate) injections: HashMap<u64, Injected>,
    /// Injections that arrived: the connection's key.
    pub(crate) arrived: HashMap<u64, Vec<String>>,
}

/// An injection of which the interface says that it left.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) connection: u64,
    pub(crate) text: String,
}

/// One connection: what its ends saw.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) client: Option<End>,
    pub(crate) server: Option<End>,
    /// The client saw it end though it had not said goodbye.
    pub(crate) was_cut: bool,
}

/// What one end of a connection saw.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) sent: Tally,
    pub(crate) received: Tally,
    /// Requests without an answer, at the client.
    pub(crate) missing: Vec<Token>,
    /// How many commands that may be dropped this end said.
    pub(crate) loose_said: u64,
    /// Which of those of the other end came.
    pub(crate) loose_heard: HashSet<u64>,
    /// Challenges seen, at the client; at the server those sent, less those that the proxy answered.
    pub(crate) challenges: u64,
}

impl Ledger {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::print_stderr, reason = "a violation is worth knowing at once")]
    pub(crate) fn violation(&self, text: String) {
        let mut books = self.books();
        if books.violations.len() < 100 {
            eprintln!("VIOLATION {text}");
            books.violations.push(text);
        }
    }

    pub(crate) fn count(&self, what: &'static str, how_many: u64) {
        *self.books().counts.entry(what).or_default() += how_many;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Notes that an injected command arrived.
    pub(crate) fn arrived(&self, number: u64, key: &str) {
        self.books().arrived.entry(number).or_default().push(key.to_owned());
    }

    /// Notes the mark of a payload that arrived, if somebody edited it.
    pub(crate) fn marked(&self, mark: &str, key: &str) {
        match mark {
            crate::wire::PLAIN => {}
            crate::wire::RULED => self.count("payloads edited by rules", 1),
            mark => self.books().edited.entry(mark.to_owned()).or_default().push(key.to_owned()),
        }
    }
}

/// Numbers for what is injected.
pub(crate) fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
