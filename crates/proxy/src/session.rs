//! [`Session`]: one login of one account, over all of its connections.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::SystemTime;

use msnp::argument::Scope;
use msnp::{Direction, Version};
use msnp_transcript::id;

use crate::observer::{About, Event, Observers};

/// One login of one account: its dispatch, notification and switchboard connections. It ends when the last connection
/// is closed and no redirect is pending that could bring another.
#[derive(Debug)]
pub struct Session {
    id: String,
    started: SystemTime,
    account: OnceLock<String>,
    /// 0 while it is unknown.
    version: AtomicU8,
    connections: AtomicU64,
    /// Commands from the client and from the server.
    commands: [AtomicU64; 2],
    observers: Observers,
}

impl Session {
    pub(crate) fn start(observers: Observers, now: SystemTime) -> Session {
        let session = Session {
            id: id::session_id(now),
            started: now,
            account: OnceLock::new(),
            version: AtomicU8::new(0),
            connections: AtomicU64::new(0),
            commands: Default::default(),
            observers,
        };
        session.tell(&Event::SessionStarted, now);
        session
    }

    /// Returns the id: 26 characters that sort by time.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns when its first connection came.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Returns the account, once a command has named it.
    pub fn account(&self) -> Option<&str> {
        self.account.get().map(String::as_str)
    }

    /// Returns the version that a login negotiated; switchboards inherit it.
    pub fn version(&self) -> Option<Version> {
        Some(self.version.load(Ordering::Relaxed)).filter(|&version| version != 0).map(Version)
    }

    /// Returns how many connections the session has had.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns how many commands came towards the server or towards the client, since it was known whose they are.
    pub fn commands(&self, direction: Direction) -> u64 {
        self.commands[direction.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn count_commands(&self, direction: Direction, count: u64) {
        self.commands[direction.index()].fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn learn(&self, account: Option<&str>, version: Option<Version>) {
        if let Some(account) = account {
            // the first name counts: later ones can only be other forms of it
            let _ = self.account.set(account.to_owned());
        }
        if let Some(Version(version)) = version {
            self.version.store(version, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, event: &Event<'_>, time: SystemTime) {
        let about = About { time, session: self, connection: None, scope: Scope::default() };
        self.observers.tell(event, &about);
    }
}

impl Drop for Session {
    /// The last connection or pending redirect that held the session is gone.
    fn drop(&mut self) {
        self.tell(&Event::SessionEnded, SystemTime::now());
    }
}
