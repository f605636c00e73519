//! Records every session as a transcript.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use msnp_transcript::id::Stamp;
use msnp_transcript::json::{Batch, Change};
use msnp_transcript::log::{Recorder, SessionLog};

use crate::observer::{About, Event, Observer};
use crate::observers::convert::{self, Place};
use crate::session::Session;

/// The observer that writes transcripts.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    keep_secrets: bool,
    logs: Mutex<HashMap<String, Log>>,
    /// Those of sessions that are over, in the order in which they ended.
    ended: Mutex<VecDeque<Arc<SessionLog>>>,
}

#[derive(Debug)]
struct Log {
    log: Arc<SessionLog>,
    has_account: bool,
}

/// How many transcripts of ended sessions are remembered. Each keeps a little memory between that of sessions which come and go.
const MOST_REMEMBERED: usize = 128;

impl Recording {
    /// Starts to record into a folder. Secrets are masked unless they are to be kept.
    pub fn start(folder: &Path, keep_secrets: bool) -> Recording {
        Recording { recorder: Recorder::start(folder), keep_secrets, logs: Mutex::default(), ended: Mutex::default() }
    }

    /// Writes what is left, waiting at most so long. Returns whether every event is on disk.
    pub fn finish(&self, patience: Duration) -> bool {
        self.recorder.finish(patience)
    }

    /// Returns how many events could not be written.
    pub fn lost(&self) -> u64 {
        self.recorder.lost()
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.recorder.folder()
    }

    /// Returns the transcripts of the sessions that go on and of the last 128 that have ended, in the order in which they
    /// were begun.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut all: Vec<Arc<SessionLog>> = lock(&self.logs).values().map(|open| Arc::clone(&open.log)).collect();
        all.extend(lock(&self.ended).iter().cloned());
        // the ids are those of times
        all.sort_by(|a, b| a.id().cmp(b.id()));
        all.iter().filter_map(|log| log.path()).collect()
    }

    /// Returns where the transcript of a session is, if that goes on or ended not too long ago.
    pub fn path(&self, session: &str) -> Option<PathBuf> {
        if let Some(open) = lock(&self.logs).get(session) {
            return open.log.path();
        }
        lock(&self.ended).iter().rev().find(|log| log.id() == session)?.path()
    }

    fn log(&self, session: &Session, is_new: bool) -> Option<Arc<SessionLog>> {
        let mut logs = lock(&self.logs);
        if is_new {
            let log = self.recorder.session(session.id(), session.started());
            logs.insert(session.id().to_owned(), Log { log, has_account: false });
        }
        let entry = logs.get_mut(session.id())?;
        if let Some(account) = session.account().filter(|_| !entry.has_account) {
            entry.has_account = true;
            entry.log.set_account(account);
        }
        Some(Arc::clone(&entry.log))
    }
}

impl Observer for Recording {
    fn observe(&self, event: &Event<'_>, about: &About<'_>) {
        let Some(log) = self.log(about.session, matches!(event, Event::SessionStarted)) else { return };
        let stamp = Stamp::of(about.time);
        let number = about.connection.map_or(0, |connection| connection.number);
        let batch =
            |direction| Batch::new(&stamp, about.session.id(), number, direction, about.scope, self.keep_secrets);
        let mut lines = log.append();
        match event {
            Event::Commands(run) => {
                let batch = batch(run.direction);
                for (bytes, span) in run.iter() {
                    lines.line(|out, seq| batch.command(out, seq, bytes, span));
                }
            }
            Event::Changed(changed) => {
                let batch = batch(changed.received.direction());
                let delay = changed.delay.map(|delay| delay.as_secs_f64());
                let change = Change { sent: changed.sent.as_deref(), by: &changed.by, delay, held: changed.held };
                let seq = lines.line(|out, seq| batch.changed(out, seq, &changed.received, &change));
                for tag in &changed.tags {
                    lines.event(&stamp, |stem| convert::tag(Place::of(about), stem, seq, tag));
                }
            }
            Event::Injected { command, by } => {
                lines.event(&stamp, |stem| convert::injected(command, by, Place::of(about), stem, self.keep_secrets));
            }
            other => {
                lines.event_if(&stamp, |stem| convert::plain(other, about, stem, self.keep_secrets));
            }
        }
        drop(lines);
        if matches!(event, Event::SessionEnded) {
            let over = lock(&self.logs).remove(about.session.id());
            let mut ended = lock(&self.ended);
            if ended.len() >= MOST_REMEMBERED {
                ended.pop_front();
            }
            ended.extend(over.map(|open| open.log));
        }
    }

    fn pressure(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        self.recorder.is_behind().then(|| -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(async {
                // a disk that is stuck must not stop the relay: after this the recorder drops and counts
                for _ in 0..MOST_WAITS {
                    if !self.recorder.is_behind() {
                        break;
                    }
                    tokio::time::sleep(WAIT).await;
                }
            })
        })
    }
}

const WAIT: Duration = Duration::from_millis(1);
const MOST_WAITS: u32 = 200;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
