//! [`Live`]: the observer that knows what goes on: sessions, their connections and state, and the latest commands.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use mitmsn_proxy::hook::Interest;
use mitmsn_proxy::observer::{About, Event, Observer};
use mitmsn_proxy::observers::convert::{self, Place};
use msnp::argument::Scope;
use msnp::table::Slot;
use msnp::{Direction, ServerKind, Verb};
use msnp_transcript::event::Stem;
use msnp_transcript::id::Stamp;
use msnp_transcript::state::SessionState;

use crate::ring::{Ring, Source};
use crate::types;
use news::{News, Seldom};

mod news;

/// The observer behind the control interface.
pub struct Live {
    pub(crate) ring: Ring,
    pub(crate) keep_secrets: bool,
    /// Somebody has asked. Until then only what tells the state of sessions is looked at, and no event is kept.
    is_awake: AtomicBool,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    open: HashMap<String, Arc<Tracked>>,
    ended: VecDeque<Arc<Tracked>>,
}

/// A session that is watched.
pub(crate) struct Tracked {
    id: Arc<str>,
    started: SystemTime,
    now: Mutex<Now>,
}

/// What is known of a session now.
#[derive(Default)]
struct Now {
    ended: Option<SystemTime>,
    account: Option<String>,
    version: Option<msnp::Version>,
    connections: Vec<Opened>,
    /// Switchboards, dispatch and notification servers so far.
    counts: [u32; 3],
    commands: [u64; 2],
    errors: u64,
    /// What is known once `news` is added.
    state: SessionState,
    news: News,
}

struct Opened {
    number: u64,
    kind: ServerKind,
    /// Which of its kind it is.
    nth: u32,
    client: String,
    upstream: String,
    opened: SystemTime,
    closed: Option<SystemTime>,
}

/// A connection that can be meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) number: u64,
    pub(crate) session: String,
    pub(crate) account: String,
    pub(crate) kind: ServerKind,
    pub(crate) name: String,
}

impl Live {
    /// Returns an observer that keeps so many bytes of the latest commands.
    pub fn new(history: usize, keep_secrets: bool) -> Live {
        Live { ring: Ring::new(history), keep_secrets, is_awake: AtomicBool::new(false), sessions: Mutex::default() }
    }

    /// Somebody asks: from now on commands are kept.
    pub(crate) fn wake(&self) {
        self.is_awake.store(true, Ordering::Relaxed);
    }

    fn is_awake(&self) -> bool {
        self.is_awake.load(Ordering::Relaxed)
    }

    /// Returns the sessions: those that go on, oldest first, behind the latest that have ended.
    pub(crate) fn sessions(&self) -> Vec<Arc<Tracked>> {
        let sessions = lock(&self.sessions);
        let mut all: Vec<_> = sessions.ended.iter().chain(sessions.open.values()).cloned().collect();
        all.sort_by(|a, b| (a.is_open(), &a.id).cmp(&(b.is_open(), &b.id)));
        all
    }

    /// Returns how many sessions go on.
    pub(crate) fn open_sessions(&self) -> usize {
        lock(&self.sessions).open.len()
    }

    /// Returns a session by its id, or by a start of it that no other has.
    pub(crate) fn session(&self, id: &str) -> Option<Arc<Tracked>> {
        if let Some(session) = lock(&self.sessions).open.get(id) {
            return Some(Arc::clone(session));
        }
        let mut found = self.sessions().into_iter().filter(|session| session.id.starts_with(id));
        let first = found.next()?;
        (found.next().is_none() || *first.id == *id).then_some(first)
    }

    /// Returns every open connection.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = self.sessions().iter().flat_map(|session| session.candidates()).collect();
        all.sort_by_key(|candidate| candidate.number);
        all
    }

    /// Returns what a client would have been told at the opening of every open connection, for a reader that comes later.
    pub(crate) fn openings(&self) -> Vec<msnp_transcript::event::Event> {
        self.sessions().iter().flat_map(|session| session.openings()).collect()
    }

    fn tracked(&self, about: &About<'_>, event: &Event<'_>) -> Option<Arc<Tracked>> {
        let mut sessions = lock(&self.sessions);
        if matches!(event, Event::SessionStarted) {
            let id = about.session.id();
            let tracked = Tracked { id: id.into(), started: about.session.started(), now: Mutex::default() };
            sessions.open.insert(id.to_owned(), Arc::new(tracked));
        }
        if matches!(event, Event::SessionEnded) {
            let tracked = sessions.open.remove(about.session.id())?;
            lock(&tracked.now).ended = Some(about.time);
            if sessions.ended.len() == MOST_ENDED {
                sessions.ended.pop_front();
            }
            sessions.ended.push_back(Arc::clone(&tracked));
            drop(sessions);
            // what it knew takes less memory than what it was told
            if self.is_awake() {
                lock(&tracked.now).catch_up();
            }
            return Some(tracked);
        }
        sessions.open.get(about.session.id()).cloned()
    }
}

impl Observer for Live {
    fn interest(&self) -> Interest {
        if self.is_awake() { Interest::everything() } else { TELLING }
    }

    fn observe(&self, event: &Event<'_>, about: &About<'_>) {
        let Some(tracked) = self.tracked(about, event) else { return };
        let place = Place::of(about);
        let source = Source { time: about.time, session: &tracked.id, place };
        match event {
            Event::Commands(run) => {
                let mut now = lock(&tracked.now);
                for (bytes, span) in run.iter() {
                    if !tells(place, run.direction, span.slot) {
                        continue;
                    }
                    let is_news = run.direction == Direction::ServerToClient && PRESENCE.contains(&span.slot);
                    if is_news && now.news.keep(bytes, span, about.time, place) {
                        continue;
                    }
                    now.errors += u64::from(bytes.first().is_some_and(u8::is_ascii_digit));
                    now.news.add_command(run.direction, bytes, span, about.time, place);
                }
                now.know(about, place);
                drop(now);
                if self.is_awake() {
                    self.ring.commands(source, run);
                }
            }
            Event::Changed(changed) => {
                let mut now = lock(&tracked.now);
                let received = &changed.received;
                now.errors += u64::from(received.verb().is_error());
                if tells(place, received.direction(), received.slot()) {
                    now.news.add(about.time, place, Seldom::Changed(Box::new(changed.clone())));
                }
                now.know(about, place);
                drop(now);
                if self.is_awake() {
                    self.ring.changed(source, changed);
                }
            }
            Event::Injected { command, by } => {
                let mut now = lock(&tracked.now);
                now.news.add(about.time, place, Seldom::Injected(command.clone()));
                now.know(about, place);
                drop(now);
                if self.is_awake() {
                    self.ring.injected(source, command, by);
                }
            }
            other => {
                let mut now = lock(&tracked.now);
                now.learn(other, about);
                drop(now);
                if !self.is_awake() {
                    return;
                }
                // the numbers are those of the ring
                let stem =
                    Stem { seq: 0, time: Stamp::of(about.time).to_string(), session: about.session.id().to_owned() };
                if let Some(line) = convert::plain(other, about, stem, self.keep_secrets) {
                    self.ring.add(source, line);
                }
            }
        }
    }
}

impl Now {
    /// Takes the news apart.
    fn catch_up(&mut self) {
        self.news.tell(&mut self.state);
    }

    fn learn(&mut self, event: &Event<'_>, about: &About<'_>) {
        match event {
            Event::Opened => {
                let Some(connection) = about.connection else { return };
                let server = about.scope.server;
                let kind = server.unwrap_or(ServerKind::Notification);
                let nth = &mut self.counts[kind as usize];
                *nth += 1;
                let nth = *nth;
                if self.connections.len() >= MOST_CONNECTIONS
                    && let Some(oldest) = self.connections.iter().position(|opened| opened.closed.is_some())
                {
                    self.connections.remove(oldest);
                }
                self.state.opened(connection.number, server, connection.upstream(), about.time);
                self.connections.push(Opened {
                    number: connection.number,
                    kind,
                    nth,
                    client: connection.client.to_string(),
                    upstream: connection.upstream().to_owned(),
                    opened: about.time,
                    closed: None,
                });
                self.know(about, Place::of(about));
            }
            Event::Released { number, sent, .. } => {
                self.news.add(about.time, Place::of(about), Seldom::Released(*number, sent.clone()));
            }
            Event::Closed { .. } => {
                let number = about.connection.map_or(0, |connection| connection.number);
                self.news.add(about.time, Place::of(about), Seldom::Closed(number));
                if let Some(opened) = self.connections.iter_mut().find(|opened| opened.number == number) {
                    opened.closed = Some(about.time);
                }
            }
            _ => {}
        }
    }

    /// Learns what the engine knows already, and takes the news apart if they are too many.
    fn know(&mut self, about: &About<'_>, place: Place) {
        if self.account.is_none() {
            self.account = about.session.account().map(str::to_owned);
        }
        self.version = about.session.version().or(self.version);
        self.commands = Direction::BOTH.map(|direction| about.session.commands(direction));
        self.rename(place.connection, place.scope);
        if self.news.is_much() {
            self.catch_up();
        }
    }

    /// A connection's kind may be known only later: a dispatch server is one that sends the client on.
    fn rename(&mut self, connection: u64, scope: Scope) {
        let Some(kind) = scope.server else { return };
        let Some(opened) = self.connections.iter_mut().find(|opened| opened.number == connection) else { return };
        if opened.kind != kind {
            // the number of its former kind is free again, unless another came since
            let former = &mut self.counts[opened.kind as usize];
            *former -= u32::from(*former == opened.nth);
            self.counts[kind as usize] += 1;
            opened.nth = self.counts[kind as usize];
            opened.kind = kind;
        }
    }
}

impl Tracked {
    /// Describes the session, with its state if that is asked for.
    pub(crate) fn describe(&self, transcript: Option<String>, with_state: bool) -> types::Session {
        let mut now = lock(&self.now);
        now.catch_up();
        types::Session {
            id: self.id.to_string(),
            started: Stamp::of(self.started).to_string(),
            ended: now.ended.map(|ended| Stamp::of(ended).to_string()),
            account: now.account.clone(),
            version: now.version.map(|version| version.to_string()),
            connections: now.connections.iter().map(Opened::describe).collect(),
            client_commands: now.commands[Direction::ClientToServer.index()],
            server_commands: now.commands[Direction::ServerToClient.index()],
            errors: now.errors,
            transcript,
            state: with_state.then(|| {
                let mut state = now.state.clone();
                // not every command was taken apart
                state.commands.clear();
                state
            }),
        }
    }

    /// Returns the id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the account, or the empty string.
    pub(crate) fn account(&self) -> String {
        lock(&self.now).account.clone().unwrap_or_default()
    }

    /// Asks the state something.
    pub(crate) fn with_state<T>(&self, ask: impl FnOnce(&SessionState) -> T) -> T {
        let mut now = lock(&self.now);
        now.catch_up();
        ask(&now.state)
    }

    fn is_open(&self) -> bool {
        lock(&self.now).ended.is_none()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now = lock(&self.now);
        let account = now.account.clone().unwrap_or_default();
        let open = now.connections.iter().filter(|opened| opened.closed.is_none());
        open.map(|opened| Candidate {
            number: opened.number,
            session: self.id.to_string(),
            account: account.clone(),
            kind: opened.kind,
            name: opened.name(),
        })
        .collect()
    }

    fn openings(&self) -> Vec<msnp_transcript::event::Event> {
        let now = lock(&self.now);
        let open = now.connections.iter().filter(|opened| opened.closed.is_none());
        open.map(|opened| {
            let time = Stamp::of(opened.opened).to_string();
            msnp_transcript::event::Event::ConnectionOpened(msnp_transcript::event::ConnectionOpened {
                stem: Stem { seq: 0, time, session: self.id.to_string() },
                connection: opened.number,
                client: opened.client.clone(),
                listener: String::new(),
                upstream: opened.upstream.clone(),
                server: Some(opened.kind.into()),
                account: now.account.clone(),
                version: now.version.map(|version| version.to_string()),
            })
        })
        .collect()
    }
}

impl Opened {
    fn name(&self) -> String {
        format!("{}{}", self.kind, self.nth)
    }

    fn describe(&self) -> types::Connection {
        types::Connection {
            number: self.number,
            name: self.name(),
            server: Some(self.kind.into()),
            client: self.client.clone(),
            upstream: self.upstream.clone(),
            opened: Stamp::of(self.opened).to_string(),
            closed: self.closed.map(|closed| Stamp::of(closed).to_string()),
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("sessions", &self.open_sessions()).finish_non_exhaustive()
    }
}

/// Whether a command tells something of the state; on switchboards every one does, since messages are counted there.
fn tells(place: Place, direction: Direction, slot: Slot) -> bool {
    TELLING.holds(direction, slot) || place.scope.server == Some(ServerKind::Switchboard)
}

/// The verbs that change the state of a session. Messages, pings and unknown verbs pass without being taken apart.
const TELLING: Interest = {
    const fn without(all: Interest, verb: [u8; 3]) -> Interest {
        let verb = Verb::new(verb).expect("three capitals");
        all.without(Direction::ClientToServer, verb).without(Direction::ServerToClient, verb)
    }
    let mut all = Interest::everything();
    let quiet = [*b"MSG", *b"PNG", *b"QNG", *b"ACK", *b"NAK"];
    let mut i = 0;
    while i < quiet.len() {
        all = without(all, quiet[i]);
        i += 1;
    }
    all
};

/// The presence of others.
const PRESENCE: [Slot; 3] = {
    const fn slot(verb: [u8; 3]) -> Slot {
        Slot::of(Verb::new(verb).expect("three capitals"))
    }
    [slot(*b"NLN"), slot(*b"FLN"), slot(*b"UBX")]
};

/// Sessions that have ended and are still listed.
const MOST_ENDED: usize = 100;
/// Connections of one session that are listed; open ones always are.
const MOST_CONNECTIONS: usize = 100;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
