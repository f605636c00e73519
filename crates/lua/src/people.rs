//! [`People`]: the sessions and connections of this moment, as the events tell of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use mitmsn_proxy::Connection;
use msnp::argument::Scope;

use crate::host::lock;

/// Who is there. Outlives the reload of a script.
#[derive(Debug, Default)]
pub(crate) struct People(Mutex<Crowd>);

#[derive(Debug, Default)]
struct Crowd {
    sessions: HashSet<Arc<str>>,
    connections: BTreeMap<u64, Member>,
    /// Who left something in the script's world.
    gone: Vec<Gone>,
}

/// Somebody whose table is to be forgotten.
#[derive(Debug)]
pub(crate) enum Gone {
    Session(Arc<str>),
    Connection(u64),
}

/// One open connection.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) connection: Arc<Connection>,
    pub(crate) session: Arc<str>,
    pub(crate) scope: Scope,
    pub(crate) account: Arc<str>,
    pub(crate) since: SystemTime,
}

impl People {
    pub(crate) fn session_started(&self, id: &str) {
        self.crowd().sessions.insert(id.into());
    }

    pub(crate) fn session_ended(&self, id: &str) {
        self.crowd().sessions.remove(id);
    }

    /// Keeps for later who is gone.
    pub(crate) fn remember(&self, gone: Gone) {
        self.crowd().gone.push(gone);
    }

    /// Takes who is gone by now.
    pub(crate) fn take_gone(&self) -> Vec<Gone> {
        std::mem::take(&mut self.crowd().gone)
    }

    pub(crate) fn opened(&self, member: Member) {
        self.crowd().connections.insert(member.connection.number, member);
    }

    pub(crate) fn closed(&self, number: u64) {
        self.crowd().connections.remove(&number);
    }

    /// Keeps what is known of a connection by now.
    pub(crate) fn learn(&self, number: u64, scope: Scope, account: &str) {
        if let Some(member) = self.crowd().connections.get_mut(&number) {
            member.scope = scope;
            if *member.account != *account {
                member.account = account.into();
            }
        }
    }

    pub(crate) fn is_session(&self, id: &str) -> bool {
        self.crowd().sessions.contains(id)
    }

    pub(crate) fn session_of(&self, connection: u64) -> Option<Arc<str>> {
        self.crowd().connections.get(&connection).map(|member| Arc::clone(&member.session))
    }

    /// Returns the open connections, by number.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.crowd().connections.values().cloned().collect()
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        lock(&self.0)
    }
}
