//! Tells observers, in order, and finds out to which session a connection belongs.
//!
//! A login that may follow a redirect does not say whose it is until `CVR` or `USR`. Until then its events are kept, so
//! that they land in the right transcript from the first byte on.

use std::sync::Arc;
use std::time::SystemTime;

use msnp::argument::Scope;
use msnp::flow::{Address, Facts};
use msnp_transcript::event::JoinedBy;
use tracing::warn;

use crate::connection::Connection;
use crate::engine::Shared;
use crate::hooks::redirect::plain;
use crate::observer::{About, Event};
use crate::session::Session;

/// The session of a connection, or how to find it.
pub(crate) struct Reporter {
    accepted: SystemTime,
    session: Option<Arc<Session>>,
    /// Where the pending redirect leads that this connection may follow.
    candidate: Option<Option<Address>>,
    held: Vec<(Event<'static>, SystemTime, Scope)>,
    opening_scope: Scope,
}

/// Most events that are kept for a connection of unknown session.
const MOST_HELD: usize = 64;

impl Reporter {
    pub(crate) fn new(accepted: SystemTime) -> Reporter {
        Reporter { accepted, session: None, candidate: None, held: Vec::new(), opening_scope: Scope::default() }
    }

    /// Tells what the first command says about the server.
    pub(crate) fn set_opening(&mut self, scope: Scope) {
        self.opening_scope = scope;
    }

    /// Waits for the account before it decides: the connection may follow a redirect, to this address if that counts.
    pub(crate) fn wait_for_account(&mut self, upstream: Option<Address>) {
        self.candidate = Some(upstream);
    }

    /// Returns the session, if it is known.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Learns from what the relay found out.
    pub(crate) fn learn(&mut self, facts: &Facts, engine: &Shared, connection: &Arc<Connection>) {
        if facts.account.is_some() {
            self.decide(facts, engine, connection);
        }
        if let Some(session) = &self.session {
            session.learn(facts.account.as_deref(), facts.version);
        }
    }

    /// Decides to which session the connection belongs, by what is known now.
    pub(crate) fn decide(&mut self, facts: &Facts, engine: &Shared, connection: &Arc<Connection>) {
        if self.session.is_some() {
            return;
        }
        let client = plain(connection.client.ip());
        let candidate = self.candidate.take();
        let route = candidate
            .as_ref()
            .and_then(|upstream| engine.routes.claim_login(client, upstream.as_ref(), facts.account.as_deref()));
        match route {
            Some(route) => self.begin(route.session, Some((route.from, JoinedBy::Redirect)), engine, connection),
            None => {
                let session = Arc::new(Session::start(engine.observers.clone(), self.accepted));
                self.begin(session, None, engine, connection);
                // where it leads was decided before it said who it is
                if let (Some(Some(to)), Some(_)) = (candidate, &facts.account) {
                    let text = "led to the server of a redirect that is another account's of this address";
                    warn!(connection = connection.number, %to, "{text}: a session of its own");
                    let scope = self.opening_scope;
                    self.tell(Event::Note(text.into()), SystemTime::now(), scope, engine, connection);
                }
            }
        }
    }

    /// Begins to report under a session.
    pub(crate) fn begin(
        &mut self,
        session: Arc<Session>,
        joined: Option<(u64, JoinedBy)>,
        engine: &Shared,
        connection: &Arc<Connection>,
    ) {
        session.count_connection();
        self.session = Some(session);
        let scope = self.opening_scope;
        self.tell(Event::Opened, self.accepted, scope, engine, connection);
        if let Some((from, by)) = joined {
            self.tell(Event::Joined { from, by }, self.accepted, scope, engine, connection);
        }
        for (event, time, scope) in std::mem::take(&mut self.held) {
            self.tell(event, time, scope, engine, connection);
        }
    }

    /// Tells an event to the observers, now or when the session is known.
    pub(crate) fn tell(
        &mut self,
        event: Event<'_>,
        time: SystemTime,
        scope: Scope,
        engine: &Shared,
        connection: &Arc<Connection>,
    ) {
        if engine.observers.is_empty() {
            return;
        }
        if self.session.is_none() && self.held.len() >= MOST_HELD {
            self.decide(&Facts::default(), engine, connection);
        }
        match &self.session {
            Some(session) => {
                let about = About { time, session, connection: Some(connection), scope };
                engine.observers.tell(&event, &about);
            }
            None => self.held.push((event.into_owned(), time, scope)),
        }
    }
}
