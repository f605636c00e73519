//! Sessions, and the lines of their transcripts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use msnp::Version;
use msnp_transcript::event::{Event, FORMAT, SessionClosed, SessionEvent, Source, Stem, VERSION};
use msnp_transcript::id::{self, Stamp};
use msnp_transcript::log;

use super::files::Files;
use super::routes::{Kind, Route, Routes};
use super::{Listener, Made, WriteError};

/// The sessions of an import.
#[derive(Debug)]
pub(super) struct Sessions {
    sessions: BTreeMap<u64, Session>,
    next: u64,
    pub(super) routes: Routes,
    files: Files,
    pub(super) keep_secrets: bool,
    pub(super) source: Option<Source>,
    pub(super) listener: Option<Lines>,
    now: SystemTime,
    next_expiry: SystemTime,
    /// Bytes of all sessions that are not written yet.
    unwritten: usize,
    failure: Option<WriteError>,
    made: BTreeMap<u64, Made>,
}

/// Takes lines.
pub(super) struct Lines(pub(super) Listener);

/// One login, over all of its connections.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    started: SystemTime,
    pub(super) account: Option<String>,
    pub(super) version: Option<Version>,
    connections: u64,
    open: u64,
    /// Redirects that may bring another connection.
    pending: u64,
    next_seq: u64,
    lines: Vec<u8>,
    path: Option<PathBuf>,
    pub(super) commands: u64,
    pub(super) gaps: u64,
    pub(super) is_apart: bool,
}

impl Sessions {
    pub(super) fn new(folder: Option<&Path>, keep_secrets: bool) -> Sessions {
        Sessions {
            sessions: BTreeMap::new(),
            next: 0,
            routes: Routes::default(),
            files: Files::new(folder),
            keep_secrets,
            source: None,
            listener: None,
            now: SystemTime::UNIX_EPOCH,
            next_expiry: SystemTime::UNIX_EPOCH,
            unwritten: 0,
            failure: None,
            made: BTreeMap::new(),
        }
    }

    /// Is told the time. It may go back, from one source to the next.
    #[inline]
    pub(super) fn advance(&mut self, time: SystemTime) {
        if time < self.now && self.now.duration_since(time).is_ok_and(|back| back > BACK) {
            self.expire(None);
            self.now = time;
            self.next_expiry = time;
        }
        self.now = self.now.max(time);
        if self.now >= self.next_expiry {
            self.next_expiry = self.now + EXPIRY;
            self.expire(Some(self.now));
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.now
    }

    /// Starts a session and returns its number.
    pub(super) fn start(&mut self, time: SystemTime) -> u64 {
        let number = self.next;
        self.next += 1;
        let session = Session {
            id: id::session_id(time),
            started: time,
            account: None,
            version: None,
            connections: 0,
            open: 0,
            pending: 0,
            next_seq: 0,
            lines: Vec::new(),
            path: None,
            commands: 0,
            gaps: 0,
            is_apart: false,
        };
        self.sessions.insert(number, session);
        let source = self.source.clone();
        self.event(number, time, |stem| {
            Event::Session(SessionEvent {
                stem,
                format: FORMAT.into(),
                version: VERSION,
                software: concat!("mitmsn ", env!("CARGO_PKG_VERSION")).into(),
                source,
                redacted: None,
            })
        });
        number
    }

    /// Returns a session that has not ended.
    pub(super) fn get(&mut self, number: u64) -> Option<&mut Session> {
        self.sessions.get_mut(&number)
    }

    /// A connection belongs to the session.
    pub(super) fn open(&mut self, number: u64) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.connections += 1;
            session.open += 1;
        }
    }

    /// A connection of the session is closed.
    pub(super) fn close(&mut self, number: u64) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.open = session.open.saturating_sub(1);
        }
        self.end_if_over(number);
    }

    /// A redirect came that may bring another connection; one to a switchboard comes with its cookie.
    pub(super) fn redirect(&mut self, route: Route, cookie: Option<Vec<u8>>) {
        if let Some(session) = self.sessions.get_mut(&route.session) {
            session.pending += 1;
        }
        let made_room = match cookie {
            Some(cookie) => self.routes.add_switchboard(cookie, route),
            None => self.routes.add_login(route),
        };
        if let Some(number) = made_room {
            self.release(number);
        }
    }

    /// A redirect waits no more.
    pub(super) fn release(&mut self, number: u64) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.pending = session.pending.saturating_sub(1);
        }
        self.end_if_over(number);
    }

    /// Learns what a command tells of the session.
    pub(super) fn learn(&mut self, number: u64, account: Option<&str>, version: Option<Version>) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.account.is_none() {
            session.account = account.map(str::to_owned);
        }
        session.version = version.or(session.version);
    }

    /// Appends an event.
    pub(super) fn event(&mut self, number: u64, time: SystemTime, event: impl FnOnce(Stem) -> Event) {
        self.lines(number, 1, |out, seq, session| {
            let event = event(Stem { seq, time: Stamp::of(time).to_string(), session: session.to_owned() });
            // these types always serialise
            let _ = serde_json::to_writer(&mut *out, &event);
            out.push(b'\n');
        });
    }

    /// Appends so many lines: `write` gets the buffer, the first number and the session's id.
    #[inline]
    pub(super) fn lines(&mut self, number: u64, count: u64, write: impl FnOnce(&mut Vec<u8>, u64, &str)) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let before = session.lines.len();
        write(&mut session.lines, session.next_seq, &session.id);
        session.next_seq += count;
        self.unwritten += session.lines.len() - before;
        if let Some(Lines(listener)) = &mut self.listener {
            listener(&session.lines[before..]);
        }
        if session.lines.len() >= MANY {
            self.write(number);
        } else if self.unwritten >= MOST_UNWRITTEN {
            self.flush();
        }
    }

    /// Writes all lines.
    pub(super) fn flush(&mut self) {
        if self.unwritten > 0 {
            let numbers: Vec<u64> = self.sessions.keys().copied().collect();
            numbers.into_iter().for_each(|number| self.write(number));
        }
    }

    /// Whether something could not be written: there is no point in going on.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Returns how many bytes are not written yet.
    pub(super) fn held(&self) -> usize {
        self.unwritten
    }

    /// Ends all sessions and returns what was made.
    pub(super) fn finish(mut self) -> Result<Vec<Made>, WriteError> {
        self.expire(None);
        for number in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end(number);
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.made.into_values().collect()),
        }
    }

    fn expire(&mut self, now: Option<SystemTime>) {
        for number in self.routes.expire(now) {
            self.release(number);
        }
    }

    fn end_if_over(&mut self, number: u64) {
        if self.sessions.get(&number).is_some_and(|session| session.open == 0 && session.pending == 0) {
            self.end(number);
        }
    }

    fn end(&mut self, number: u64) {
        let Some(connections) = self.sessions.get(&number).map(|session| session.connections) else { return };
        self.event(number, self.now, |stem| Event::SessionClosed(SessionClosed { stem, connections }));
        self.write(number);
        self.files.close(number);
        let Some(session) = self.sessions.remove(&number) else { return };
        let made = Made {
            session: session.id,
            account: session.account,
            file: session.path.unwrap_or_default(),
            connections,
            commands: session.commands,
            gaps: session.gaps,
            apart: session.is_apart,
        };
        self.made.insert(number, made);
    }

    fn write(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.lines.is_empty() {
            return;
        }
        let mut lines = std::mem::take(&mut session.lines);
        self.unwritten -= lines.len();
        if self.failure.is_none() {
            let name = log::file_name(&session.id, session.account.as_deref(), session.started);
            self.failure = self.files.write(number, &mut session.path, &name, &lines).err();
        }
        lines.clear();
        lines.shrink_to(MOST_KEPT);
        session.lines = lines;
    }
}

impl Route {
    /// Whether it leads to a notification server.
    pub(super) fn is_login(&self) -> bool {
        matches!(self.kind, Kind::Login(_))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

/// Lines that are written without waiting for more, in bytes.
const MANY: usize = 256 << 10;
/// Lines of all sessions together that may wait.
const MOST_UNWRITTEN: usize = 64 << 20;
/// How much of a session's buffer is kept.
const MOST_KEPT: usize = MANY + (64 << 10);
/// How often redirects are looked through that have waited too long.
const EXPIRY: Duration = Duration::from_secs(1);
/// Time that goes back by so much is that of another source.
const BACK: Duration = Duration::from_secs(60);
