//! Records what a replay does, as a transcript of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use msnp::argument::Scope;
use msnp::command::transaction_id;
use msnp::{Command, Direction};
use msnp_transcript::event::{
    CommandEvent, ConnectionClosed, ConnectionOpened, Event, FORMAT, JoinedBy, NoteEvent, Origin, Sent, SessionClosed,
    SessionEvent, SessionJoined, VERSION,
};
use msnp_transcript::id::{Stamp, session_id};
use msnp_transcript::log::{Recorder, SessionLog};
use msnp_transcript::mask;

/// Where a replay records what it does, and how.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    keep_secrets: bool,
    tapes: Mutex<Vec<Arc<SessionLog>>>,
}

impl Recording {
    /// Starts to record into a folder. Secrets are masked unless they are to be kept.
    pub fn start(folder: &Path, keep_secrets: bool) -> Recording {
        Recording { recorder: Recorder::start(folder), keep_secrets, tapes: Mutex::default() }
    }

    /// Writes what is left, waiting at most so long. Returns whether every event is on disk.
    pub fn finish(&self, patience: Duration) -> bool {
        self.recorder.finish(patience)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.recorder.folder()
    }

    /// Returns the transcripts that were begun, in order.
    pub fn paths(&self) -> Vec<PathBuf> {
        let tapes = self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        tapes.iter().filter_map(|tape| tape.path()).collect()
    }

    /// Begins a transcript.
    pub(crate) fn begin(&self, script: &Path) -> Tape {
        let now = SystemTime::now();
        let log = self.recorder.session(&session_id(now), now);
        self.tapes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&log));
        let tape = Tape { log, keep_secrets: self.keep_secrets };
        tape.event(|stem| {
            Event::Session(SessionEvent {
                stem,
                format: FORMAT.into(),
                version: VERSION,
                software: concat!("mitmsn ", env!("CARGO_PKG_VERSION")).into(),
                source: None,
                redacted: None,
            })
        });
        tape.note(None, &format!("replay of {}", script.display()));
        tape
    }
}

/// One transcript that a replay writes.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    log: Arc<SessionLog>,
    keep_secrets: bool,
}

/// The ends of a connection as a transcript names them.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) client: String,
    pub(crate) listener: String,
    pub(crate) upstream: String,
}

impl Tape {
    pub(crate) fn set_account(&self, account: &str) {
        self.log.set_account(account);
    }

    pub(crate) fn note(&self, connection: Option<u64>, text: &str) {
        self.event(|stem| Event::Note(NoteEvent { stem, connection, text: text.to_owned() }));
    }

    pub(crate) fn opened(&self, connection: u64, route: &Route, scope: Scope, account: Option<&str>) {
        self.event(|stem| {
            Event::ConnectionOpened(ConnectionOpened {
                stem,
                connection,
                client: route.client.clone(),
                listener: route.listener.clone(),
                upstream: route.upstream.clone(),
                server: scope.server.map(Into::into),
                account: account.map(str::to_owned),
                version: scope.version.map(|version| version.to_string()),
            })
        });
    }

    pub(crate) fn joined(&self, connection: u64, from: u64, by: JoinedBy) {
        self.event(|stem| Event::SessionJoined(SessionJoined { stem, connection, from, by }));
    }

    /// Records a command of the live peer (`Origin::Peer`) or of the replay.
    pub(crate) fn command(&self, connection: u64, command: &Command, scope: Scope, origin: Origin) {
        let masked = mask::mask_command(command).filter(|_| !self.keep_secrets);
        let (shown, places) = masked.map_or((command.clone(), Vec::new()), |masked| (masked.command, masked.places));
        let trid = transaction_id(command.direction(), command.line(), scope).map(|id| id.0);
        self.event(|stem| {
            let Sent { direction, verb, args, payload, eol } = Sent::of(&shown);
            Event::Command(CommandEvent {
                stem,
                connection,
                server: scope.server.map(Into::into),
                direction,
                verb,
                trid,
                args,
                payload,
                eol,
                origin,
                sent: None,
                by: Vec::new(),
                delay: None,
                held: None,
                masked: places,
            })
        });
    }

    /// Records the end of a connection and how many bytes its client and its server have sent.
    pub(crate) fn closed(&self, connection: u64, by: Direction, reason: Option<String>, bytes: [u64; 2]) {
        self.event(|stem| {
            Event::ConnectionClosed(ConnectionClosed {
                stem,
                connection,
                by: by.sender().to_owned(),
                reason,
                client_bytes: bytes[0],
                server_bytes: bytes[1],
            })
        });
    }

    pub(crate) fn over(&self, connections: u64) {
        self.event(|stem| Event::SessionClosed(SessionClosed { stem, connections }));
    }

    fn event(&self, event: impl FnOnce(msnp_transcript::event::Stem) -> Event) {
        self.log.append().event(&Stamp::of(SystemTime::now()), event);
    }
}
