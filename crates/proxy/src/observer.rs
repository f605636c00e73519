//! The other extension point: an [`Observer`] is told what happened and changes nothing.
//!
//! Recorder and screen are observers. They are told after the bytes were forwarded, in batches: for one connection in
//! the exact order of events, and never two at a time. Of what sends a client to another connection (`XFR`, `RNG`) they are
//! told before it leaves, so that a session's events are in the order of causes.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use msnp::argument::Scope;
use msnp::codec::CommandSpan;
use msnp::{Command, Direction};
use msnp_transcript::event::JoinedBy;

use crate::connection::Connection;
use crate::hook::Interest;
use crate::session::Session;

/// Is told what happens.
pub trait Observer: Send + Sync {
    /// Is told of one event, or of a run of commands. Called on the connection's task: must not block.
    fn observe(&self, event: &Event<'_>, about: &About<'_>);

    /// Returns which of the commands that arrive the observer wants to be told of, whatever became of them. It may be told
    /// of others too, and of all that are injected. Asked before each batch.
    fn interest(&self) -> Interest {
        Interest::everything()
    }

    /// Returns something to wait for before more is read, if the observer cannot keep up.
    fn pressure(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        None
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct About<'a> {
    /// When it was seen.
    pub time: SystemTime,
    /// The session.
    pub session: &'a Session,
    /// The connection; none for events of the session as a whole.
    pub connection: Option<&'a Arc<Connection>>,
    /// Kind of server and version, as far as they are known.
    pub scope: Scope,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A session began.
    SessionStarted,
    /// A connection was accepted and it is known where it leads.
    Opened,
    /// The connection belongs to the session of an earlier one.
    Joined {
        /// The number of the earlier connection.
        from: u64,
        /// What linked them.
        by: JoinedBy,
    },
    /// Commands that were forwarded as they came.
    Commands(Run<'a>),
    /// A command that hooks changed.
    Changed(Changed),
    /// A command that no peer sent left.
    Injected {
        /// As it left.
        command: Command,
        /// Who injected it.
        by: Arc<str>,
    },
    /// A held command was let go, or given up.
    Released {
        /// The number that it was held under.
        number: u64,
        /// Which way it went.
        direction: Direction,
        /// What left in its place; `None` if it left as it was.
        sent: Option<Vec<Command>>,
        /// Who released it, or why.
        by: Arc<str>,
        /// How long it was held.
        after: Duration,
    },
    /// Bytes that could not be framed, forwarded all the same.
    Opaque {
        /// Which way.
        direction: Direction,
        /// The bytes.
        bytes: Cow<'a, [u8]>,
        /// What left, if that differs: the start of a line left under another transaction id.
        sent: Option<Vec<u8>>,
    },
    /// A remark for the transcript.
    Note(Cow<'a, str>),
    /// The connection ended.
    Closed {
        /// `client`, `server` or `proxy`.
        by: &'static str,
        /// Why, unless a peer just closed it.
        reason: Option<String>,
        /// Bytes received, from the client and from the server.
        bytes: [u64; 2],
    },
    /// The session ended: no connection is left and none is expected.
    SessionEnded,
}

/// Consecutive commands of one direction, as one slice.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Which way they go.
    pub direction: Direction,
    /// Their bytes.
    pub bytes: Cow<'a, [u8]>,
    /// Where each of them lies behind the one before.
    pub spans: Cow<'a, [CommandSpan]>,
}

impl Run<'_> {
    /// Returns each command's bytes and the places of its parts.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], CommandSpan)> {
        let mut rest = &*self.bytes;
        self.spans.iter().map(move |span| {
            let (command, behind) = rest.split_at((span.len as usize).min(rest.len()));
            rest = behind;
            (command, *span)
        })
    }

    /// Returns each command.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        self.iter().map(|(bytes, span)| Command::from_span(self.direction, bytes, span))
    }
}

/// One command that hooks changed, delayed, dropped, answered or tagged.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What arrived.
    pub received: Command,
    /// What left, replies included; `None` if it left as it came.
    pub sent: Option<Vec<Command>>,
    /// Who changed it.
    pub by: Vec<Arc<str>>,
    /// How long it was delayed.
    pub delay: Option<Duration>,
    /// The number under which it is held; then [`Event::Released`] tells what left.
    pub held: Option<u64>,
    /// Tags put on it.
    pub tags: Vec<String>,
}

impl Changed {
    /// Returns a command that left in another form, or not at all.
    pub(crate) fn new(received: Command, sent: Vec<Command>, by: impl Into<Arc<str>>) -> Changed {
        Changed { received, sent: Some(sent), by: vec![by.into()], delay: None, held: None, tags: Vec::new() }
    }
}

impl Event<'_> {
    /// Copies what the event borrows.
    pub(crate) fn into_owned(self) -> Event<'static> {
        match self {
            Event::Commands(run) => Event::Commands(Run {
                direction: run.direction,
                bytes: run.bytes.into_owned().into(),
                spans: run.spans.into_owned().into(),
            }),
            Event::Changed(changed) => Event::Changed(changed),
            Event::Injected { command, by } => Event::Injected { command, by },
            Event::Released { number, direction, sent, by, after } => {
                Event::Released { number, direction, sent, by, after }
            }
            Event::Opaque { direction, bytes, sent } => {
                Event::Opaque { direction, bytes: bytes.into_owned().into(), sent }
            }
            Event::Note(text) => Event::Note(text.into_owned().into()),
            Event::SessionStarted => Event::SessionStarted,
            Event::Opened => Event::Opened,
            Event::Joined { from, by } => Event::Joined { from, by },
            Event::Closed { by, reason, bytes } => Event::Closed { by, reason, bytes },
            Event::SessionEnded => Event::SessionEnded,
        }
    }
}

/// The observers of an engine.
#[derive(Clone)]
pub(crate) struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    pub(crate) fn new(list: Vec<Arc<dyn Observer>>) -> Observers {
        Observers(list.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what they want together.
    pub(crate) fn interest(&self) -> Interest {
        self.0.iter().fold(Interest::nothing(), |all, observer| all.union(observer.interest()))
    }

    pub(crate) fn tell(&self, event: &Event<'_>, about: &About<'_>) {
        for observer in self.0.iter() {
            observer.observe(event, about);
        }
    }

    /// Waits until no observer asks to wait.
    pub(crate) async fn relax(&self) {
        for observer in self.0.iter() {
            if let Some(pressure) = observer.pressure() {
                pressure.await;
            }
        }
    }
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}
