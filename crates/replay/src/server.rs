//! Plays the recorded server to a live client.
//!
//! One listener serves all: dispatch, notification and switchboard connections are known by what the client says first.
//! Every recorded command of the client is looked for among what the live one says; what followed it is the answer. What the
//! server said unasked comes as long after the client's last settled command as it did then, and not before the client has
//! said what it had said on its other connections (for at most ten seconds more).

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::error::Error;
use crate::record::{Recording, Tape};
use crate::report::Report;
use crate::script::Script;
use play::Play;

mod connection;
mod play;

/// How to play a server. The default is loose and takes as long as the recording did.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How the client's commands are found in the recording.
    pub matching: Matching,
    /// When the server says what nobody asked for.
    pub pace: Pace,
    /// The password against which MSNP2 to MSNP7 logins are checked; any is right without it.
    pub password: Option<String>,
}

/// How the client's commands are found in the recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Matching {
    /// The recorded command of the same verb that is most alike, and the earliest of those that are equally so.
    #[default]
    Loose,
    /// The next recorded command of that connection, with the same arguments as far as they matter.
    Strict,
}

/// When a server says what nobody asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// At the recorded distance, so many times as fast.
    Recorded(f64),
    /// As soon as it may.
    AtOnce,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::Recorded(1.0)
    }
}

impl Pace {
    /// Returns how long a recorded time takes.
    pub(crate) fn scale(self, time: Duration) -> Duration {
        match self {
            Pace::Recorded(speed) if speed > 0.0 => {
                Duration::try_from_secs_f64(time.as_secs_f64() / speed).unwrap_or(Duration::MAX / 4).min(LONGEST_PAUSE)
            }
            _ => Duration::ZERO,
        }
    }
}

/// A server that is being played.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    play: Mutex<Play>,
    /// Lets a connection wait for what happens on others.
    changes: watch::Sender<Changes>,
    tape: Option<Tape>,
}

/// What happens on all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    count: u64,
    /// Whether all connections are to be closed.
    is_ending: bool,
}

impl Server {
    /// Listens. Nothing is served before [`Server::run`].
    ///
    /// # Errors
    ///
    /// If the address is not free.
    pub async fn bind(
        script: Script,
        address: SocketAddr,
        options: Options,
        recording: Option<&Recording>,
    ) -> Result<Server, Error> {
        let listen = |problem| Error::Listen { address, problem };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let tape = recording.map(|recording| recording.begin(&script.name));
        let play = Mutex::new(Play::new(script, options, (now(), SystemTime::now())));
        let shared = Arc::new(Shared { play, changes: watch::Sender::new(Changes::default()), tape });
        Ok(Server { listener, address, shared })
    }

    /// Returns the address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until every recorded connection was played and has ended, or `until` is ready; returns what was found.
    pub async fn run(self, until: impl Future<Output = ()>) -> Report {
        let mut until = std::pin::pin!(until);
        let mut changes = self.shared.changes.subscribe();
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut count = 0;
        while !self.shared.play().is_over() {
            tokio::select! {
                () = &mut until => break,
                // whatever happens, it may have been the last
                _ = changes.changed() => {}
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                            debug!(%peer, "too many connections at once: closed");
                            continue;
                        };
                        count += 1;
                        let shared = Arc::clone(&self.shared);
                        connections.spawn(async move {
                            connection::serve(stream, peer, count, &shared).await;
                            drop(place);
                        });
                    }
                    Err(problem) => {
                        debug!(%problem, "cannot accept");
                        // out of descriptors, most likely: it passes when a connection ends
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        self.shared.changes.send_modify(|changes| changes.is_ending = true);
        let closing = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, closing).await.is_err() {
            connections.shutdown().await;
        }
        if let Some(tape) = &self.shared.tape {
            tape.over(count);
        }
        let report = self.shared.play().report();
        info!(connections = count, "the replay is over");
        report
    }
}

impl Shared {
    fn play(&self) -> MutexGuard<'_, Play> {
        // it holds whole steps only
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| changes.count += 1);
    }
}

/// The runtime's clock, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How many connections are served at once; more are closed.
const MOST_CONNECTIONS: usize = 256;
/// How long connections that are still open may take to be closed.
const LAST_WORDS: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause that is kept, however long the recording was.
const LONGEST_PAUSE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
