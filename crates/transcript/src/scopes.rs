//! What is known of connections, for whoever reads any number of events: as [`crate::screen::Tracker`], but it keeps no more
//! than a thousand of each, whatever the events say.

use std::collections::BTreeMap;

use msnp::argument::Scope;
use msnp::flow::Facts;
use msnp::{ServerKind, Version};

use crate::event::{Event, Origin};

/// The open connections and the sessions they belong to.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    facts: BTreeMap<u64, Facts>,
    sessions: BTreeMap<String, Known>,
}

/// What the connections of a session share.
#[derive(Debug, Default)]
struct Known {
    version: Option<Version>,
    account: String,
}

impl Scopes {
    /// Learns from an event.
    pub(crate) fn learn(&mut self, event: &Event) {
        let Some(number) = event.connection() else { return };
        let facts = place(&mut self.facts, number);
        match event {
            Event::ConnectionOpened(opened) => {
                facts.server = opened.server.map(Into::into);
                facts.version = opened.version.as_deref().and_then(|version| version.parse().ok());
                facts.account.clone_from(&opened.account);
            }
            Event::Command(event) => {
                facts.server = event.server.map(Into::into).or(facts.server);
                if let (Origin::Peer, Ok(command)) = (event.origin, event.command()) {
                    facts.learn(&command);
                }
            }
            _ => return,
        }
        facts.account.take_if(|account| account.len() > LONGEST);
        let session = &event.stem().session;
        if session.len() > LONGEST {
            return;
        }
        let known = place(&mut self.sessions, session.clone());
        if facts.server != Some(ServerKind::Switchboard) {
            known.version = facts.version.or(known.version);
        }
        if let Some(account) = &facts.account {
            known.account.clone_from(account);
        }
    }

    /// Forgets a connection or session that has ended.
    pub(crate) fn forget(&mut self, event: &Event) {
        match event {
            Event::ConnectionClosed(closed) => drop(self.facts.remove(&closed.connection)),
            Event::SessionClosed(closed) => drop(self.sessions.remove(&closed.stem.session)),
            _ => {}
        }
    }

    /// Returns what is known of a connection; a switchboard has the version of its session.
    pub(crate) fn scope(&self, session: &str, connection: u64) -> Scope {
        let facts = self.facts.get(&connection);
        let version = facts.and_then(|facts| facts.version);
        let inherited = || self.sessions.get(session)?.version;
        Scope { server: facts.and_then(|facts| facts.server), version: version.or_else(inherited) }
    }

    /// Returns the account of a session's connection, or the empty string.
    pub(crate) fn account(&self, session: &str, connection: u64) -> &str {
        let own = self.facts.get(&connection).and_then(|facts| facts.account.as_deref());
        own.or_else(|| Some(self.sessions.get(session)?.account.as_str())).unwrap_or("")
    }
}

/// Returns the value of a key; the least key makes room for it.
fn place<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K) -> &mut V {
    if map.len() >= MOST && !map.contains_key(&key) {
        map.pop_first();
    }
    map.entry(key).or_default()
}

/// No more connections and sessions are known at a time.
const MOST: usize = 1000;
/// Nor longer names, in bytes.
const LONGEST: usize = 512;
