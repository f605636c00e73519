//! Writes transcripts to disk, one file a session.
//!
//! A [`SessionLog`] collects whole lines in memory and numbers them; one thread empties it into the file: it takes what
//! gathered in a moment (ten milliseconds), writes it with one call, and looks again. So every event is on disk as soon as
//! the writer has caught up, and a process that is killed leaves whole lines and at most one torn last one.
//!
//! Writing never stops the relay. What cannot be written is counted and said once, and noted in the transcript when
//! writing works again; what piles up beyond [`MOST_BACKLOG`] is counted as lost too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use tracing::{error, info};

use crate::event::{Event, NoteEvent, Stem};
use crate::id::Stamp;

/// Bytes waiting for the writer from which on [`Recorder::is_behind`] holds.
pub const MUCH_BACKLOG: usize = 16 << 20;
/// Bytes waiting for the writer beyond which events are dropped and counted.
pub const MOST_BACKLOG: usize = 64 << 20;
/// How long lines gather before they are written, in steps of one.
const GATHERING: u32 = 10;
const STEP: Duration = Duration::from_millis(1);
/// Bytes that are written without waiting for more.
const MANY: usize = 512 << 10;
/// How often it is tried again to write what could not be.
const RETRY: Duration = Duration::from_secs(1);
/// How long writing has to work before that is said.
const CALM: Duration = Duration::from_secs(5);
/// How many files stay open; idle sessions cost no descriptor.
const MOST_OPEN_FILES: usize = 128;
/// Buffers kept for reuse.
const MOST_SPARE_BUFFERS: usize = 8;

/// The writer of a folder of transcripts.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    work: Sender<Work>,
    backlog: AtomicUsize,
    spare: Mutex<Vec<Vec<u8>>>,
    sessions: AtomicU64,
    lost: AtomicU64,
    finished: AtomicBool,
}

#[derive(Debug)]
enum Work {
    Write(Arc<SessionLog>),
    Finish,
}

/// The transcript of one session, as far as it is not on disk yet.
#[derive(Debug)]
pub struct SessionLog {
    number: u64,
    id: String,
    opened: SystemTime,
    shared: Arc<Shared>,
    pending: Mutex<Pending>,
    path: Mutex<Option<PathBuf>>,
}

#[derive(Debug, Default)]
struct Pending {
    next_seq: u64,
    lines: Vec<u8>,
    account: Option<String>,
    lost: Loss,
    /// The first line, if it is not on disk though more was lost: without it a transcript is none.
    head: Vec<u8>,
    is_queued: bool,
}

/// Events that did not reach the disk.
#[derive(Debug, Default, Clone)]
struct Loss {
    events: u64,
    last_seq: u64,
    reason: String,
}

/// Appends events to a transcript, numbering them.
#[derive(Debug)]
pub struct Appender<'a> {
    log: &'a Arc<SessionLog>,
    pending: MutexGuard<'a, Pending>,
    /// Bytes that were pending before.
    before: usize,
}

impl Recorder {
    /// Starts the writer for a folder, which is created with mode 0700 if it is missing. If it cannot be, that is said
    /// in the log and tried again with every write.
    pub fn start(folder: &Path) -> Recorder {
        let (work, inbox) = mpsc::channel();
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            work,
            backlog: AtomicUsize::new(0),
            spare: Mutex::new(Vec::new()),
            sessions: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            finished: AtomicBool::new(false),
        });
        let mut writer = Writer { folder: folder.to_owned(), files: HashMap::new(), failed: None, behind: Vec::new() };
        if let Err(problem) = create_folder(folder) {
            writer.fail(folder, &problem);
        }
        let thread = std::thread::Builder::new().name("recorder".into()).spawn({
            let shared = Arc::clone(&shared);
            move || writer.run(&inbox, &shared)
        });
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(problem) => {
                error!(error = %problem, "cannot start the recorder: nothing is recorded");
                None
            }
        };
        Recorder { shared, thread: Mutex::new(thread) }
    }

    /// Starts a transcript.
    pub fn session(&self, id: &str, opened: SystemTime) -> Arc<SessionLog> {
        Arc::new(SessionLog {
            number: self.shared.sessions.fetch_add(1, Ordering::Relaxed),
            id: id.to_owned(),
            opened,
            shared: Arc::clone(&self.shared),
            pending: Mutex::new(Pending::default()),
            path: Mutex::new(None),
        })
    }

    /// Whether so much waits for the writer that a sender should wait too.
    pub fn is_behind(&self) -> bool {
        self.shared.backlog.load(Ordering::Relaxed) > MUCH_BACKLOG
    }

    /// Returns how many events were lost so far.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Writes what is left and ends the writer, waiting at most so long. Returns whether all was written in time.
    pub fn finish(&self, patience: Duration) -> bool {
        let _ = self.shared.work.send(Work::Finish);
        let deadline = Instant::now() + patience;
        while !self.shared.finished.load(Ordering::Acquire) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
        self.lost() == 0
    }
}

impl SessionLog {
    /// Returns an appender. Nothing else appends to this transcript until it is dropped.
    pub fn append(self: &Arc<Self>) -> Appender<'_> {
        let mut pending = lock(&self.pending);
        if pending.lines.capacity() == 0 {
            pending.lines = lock(&self.shared.spare).pop().unwrap_or_default();
        }
        let before = pending.lines.len();
        Appender { log: self, pending, before }
    }

    /// Tells the account, which becomes a part of the file's name.
    pub fn set_account(self: &Arc<Self>, account: &str) {
        // an appender that appends nothing still wakes the writer
        self.append().pending.account = Some(account.to_owned());
    }

    /// Returns where the transcript is, once the writer has begun it.
    pub fn path(&self) -> Option<PathBuf> {
        lock(&self.path).clone()
    }

    /// Returns the session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn file_name(&self, account: Option<&str>) -> String {
        file_name(&self.id, account, self.opened)
    }
}

/// Returns the name of a transcript's file: when the session began, its account if that is known, its id.
pub fn file_name(id: &str, account: Option<&str>, opened: SystemTime) -> String {
    let time = Timestamp::try_from(opened).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = time.strftime("%Y%m%dT%H%M%SZ");
    match account {
        Some(account) => {
            let safe = |c: char| if c.is_ascii_alphanumeric() || "@.-+".contains(c) { c } else { '_' };
            let account: String = account.chars().map(safe).take(64).collect();
            format!("{time}_{account}_{id}.jsonl")
        }
        None => format!("{time}_{id}.jsonl"),
    }
}

impl Appender<'_> {
    /// Appends one line: `write` gets the buffer and the sequence number that it has to use. Returns that number.
    #[inline]
    pub fn line(&mut self, write: impl FnOnce(&mut Vec<u8>, u64)) -> u64 {
        let pending = &mut *self.pending;
        let seq = pending.next_seq;
        pending.next_seq += 1;
        write(&mut pending.lines, seq);
        seq
    }

    /// Appends an event, which gets its number, and this time and session.
    pub fn event(&mut self, stamp: &Stamp, event: impl FnOnce(Stem) -> Event) -> u64 {
        self.event_if(stamp, |stem| Some(event(stem)))
    }

    /// Appends an event if there is one, and returns the number that it got or would have got.
    pub fn event_if(&mut self, stamp: &Stamp, event: impl FnOnce(Stem) -> Option<Event>) -> u64 {
        let seq = self.pending.next_seq;
        let stem = Stem { seq, time: stamp.to_string(), session: self.log.id.clone() };
        match event(stem) {
            Some(event) => self.line(|out, _| {
                // these types always serialise
                let _ = serde_json::to_writer(&mut *out, &event);
                out.push(b'\n');
            }),
            None => seq,
        }
    }
}

impl Drop for Appender<'_> {
    /// Hands the lines to the writer, unless too much waits for it already.
    fn drop(&mut self) {
        let pending = &mut *self.pending;
        let shared = &self.log.shared;
        let backlog = shared.backlog.fetch_add(pending.lines.len() - self.before, Ordering::Relaxed);
        if backlog > MOST_BACKLOG {
            shared.backlog.fetch_sub(pending.lines.len(), Ordering::Relaxed);
            let lines = std::mem::take(&mut pending.lines);
            let next_seq = pending.next_seq;
            shared.lost.fetch_add(pending.lose(&lines, next_seq, "the disk was too slow"), Ordering::Relaxed);
        }
        if !pending.is_queued {
            pending.is_queued = true;
            let _ = shared.work.send(Work::Write(Arc::clone(self.log)));
        }
    }
}

impl Pending {
    /// Counts lines as lost, `next_seq` being the number of the event behind them. The first of all is kept. Returns how
    /// many they are.
    fn lose(&mut self, lines: &[u8], next_seq: u64, reason: &str) -> u64 {
        let events = lines_in(lines);
        let has_head = events > 0 && events == next_seq;
        if has_head {
            let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            self.head = lines[..end].to_vec();
        }
        self.lost.events += events - u64::from(has_head);
        self.lost.last_seq = next_seq.saturating_sub(1);
        reason.clone_into(&mut self.lost.reason);
        events
    }
}

/// The writer's own state, on its thread.
struct Writer {
    folder: PathBuf,
    /// The files that are open, by number of the log.
    files: HashMap<u64, File>,
    /// When a write failed last, until enough have worked since.
    failed: Option<Instant>,
    /// Transcripts that lack what was lost, or its note.
    behind: Vec<Arc<SessionLog>>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Work>, shared: &Shared) {
        let mut is_over = false;
        while !is_over {
            let first = match self.failed {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => inbox.recv_timeout(RETRY),
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.catch_up(shared);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // the first line to come opens a moment in which others gather, so that a busy proxy writes in large pieces
            is_over = matches!(first, Work::Finish);
            if !is_over {
                gather(shared);
            }
            for work in std::iter::once(first).chain(inbox.try_iter()) {
                match work {
                    Work::Write(log) => self.write(&log, shared),
                    Work::Finish => is_over = true,
                }
            }
        }
        self.catch_up(shared);
        shared.finished.store(true, Ordering::Release);
    }

    /// Tries again what could not be written, and says so when all works for a while.
    fn catch_up(&mut self, shared: &Shared) {
        for log in std::mem::take(&mut self.behind) {
            self.write(&log, shared);
        }
        if self.behind.is_empty() && self.failed.is_some_and(|failed| failed.elapsed() > CALM) {
            self.failed = None;
            info!(folder = %self.folder.display(), "recording works again");
        }
    }

    fn write(&mut self, log: &Arc<SessionLog>, shared: &Shared) {
        let (lines, next_seq, account, mut loss, mut head) = {
            let mut pending = lock(&log.pending);
            pending.is_queued = false;
            let lines = std::mem::take(&mut pending.lines);
            let loss = std::mem::take(&mut pending.lost);
            let head = std::mem::take(&mut pending.head);
            (lines, pending.next_seq, pending.account.clone(), loss, head)
        };
        shared.backlog.fetch_sub(lines.len(), Ordering::Relaxed);
        let was_lost = !head.is_empty();
        let outcome = self.try_write(log, account.as_deref(), &lines, &mut loss, &mut head);
        if was_lost && head.is_empty() {
            shared.lost.fetch_sub(1, Ordering::Relaxed);
        }
        match outcome {
            Ok(()) => {}
            Err(Failure { problem, written }) => {
                self.fail(&self.folder.clone(), &problem);
                let mut pending = lock(&log.pending);
                let events = pending.lose(lines.get(written..).unwrap_or_default(), next_seq, &problem.to_string());
                shared.lost.fetch_add(events, Ordering::Relaxed);
                if !head.is_empty() {
                    pending.head = head;
                }
                // unless that is noted already
                pending.lost.events += loss.events;
                if !pending.head.is_empty()
                    && let Some(path) = lock(&log.path).take()
                {
                    // an empty file is no transcript; if it cannot be removed, it stays
                    let _ = fs::remove_file(path);
                }
                drop(pending);
                if !self.behind.iter().any(|other| other.number == log.number) {
                    self.behind.push(Arc::clone(log));
                }
            }
        }
        self.recycle(lines, shared);
    }

    /// Writes the head and a note of the loss first, if there are any. What of these is on disk is emptied.
    fn try_write(
        &mut self,
        log: &SessionLog,
        account: Option<&str>,
        lines: &[u8],
        loss: &mut Loss,
        head: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let path = self.folder.join(log.file_name(account));
        let before = lock(&log.path).clone();
        match before {
            Some(before) if before != path => {
                fs::rename(&before, &path)?;
                *lock(&log.path) = Some(path.clone());
            }
            Some(_) => {}
            None if lines.is_empty() && head.is_empty() => return Ok(()),
            None => {}
        }
        let file = self.file(log.number, &path)?;
        *lock(&log.path) = Some(path);
        let unwritten = |failure| Failure { written: 0, ..failure };
        write_whole(file, head).map_err(unwritten)?;
        head.clear();
        if loss.events > 0 {
            let text = format!("{} events were lost here: {}", loss.events, loss.reason);
            let stem =
                Stem { seq: loss.last_seq, time: Stamp::of(SystemTime::now()).to_string(), session: log.id.clone() };
            let note = Event::Note(NoteEvent { stem, connection: None, text });
            let mut note = serde_json::to_vec(&note).map_err(io::Error::from)?;
            note.push(b'\n');
            write_whole(file, &note).map_err(unwritten)?;
            *loss = Loss::default();
        }
        write_whole(file, lines)
    }

    fn file(&mut self, number: u64, path: &Path) -> io::Result<&mut File> {
        if !self.files.contains_key(&number) && self.files.len() >= MOST_OPEN_FILES {
            // any will do: with many sessions at once, whichever was used last is needed last
            if let Some(other) = self.files.keys().next().copied() {
                self.files.remove(&other);
            }
        }
        match self.files.entry(number) {
            Entry::Occupied(file) => Ok(file.into_mut()),
            Entry::Vacant(place) => {
                let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
                // the folder may be gone
                let file = open().or_else(|_| create_folder(&self.folder).and_then(|()| open()))?;
                Ok(place.insert(file))
            }
        }
    }

    /// Says once that recording fails.
    fn fail(&mut self, folder: &Path, problem: &io::Error) {
        if self.failed.replace(Instant::now()).is_none() {
            error!(folder = %folder.display(), error = %problem, "cannot record: the relay goes on, events are lost");
        }
        self.files.clear();
    }

    fn recycle(&self, mut buffer: Vec<u8>, shared: &Shared) {
        if (1..=4 << 20).contains(&buffer.capacity()) {
            buffer.clear();
            let mut spare = lock(&shared.spare);
            if spare.len() < MOST_SPARE_BUFFERS {
                spare.push(buffer);
            }
        }
    }
}

/// Waits a moment for more to write, unless there is much already.
fn gather(shared: &Shared) {
    for _ in 0..GATHERING {
        if shared.backlog.load(Ordering::Relaxed) >= MANY {
            break;
        }
        std::thread::sleep(STEP);
    }
}

/// A write that failed after so many bytes of whole lines.
struct Failure {
    problem: io::Error,
    written: usize,
}

impl From<io::Error> for Failure {
    fn from(problem: io::Error) -> Failure {
        Failure { problem, written: 0 }
    }
}

/// Writes all bytes, or takes back what was written of a torn line.
fn write_whole(file: &mut File, lines: &[u8]) -> Result<(), Failure> {
    let mut written = 0;
    while written < lines.len() {
        let problem = match file.write(&lines[written..]) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(count) => {
                written += count;
                continue;
            }
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => continue,
            Err(problem) => problem,
        };
        let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |end| end + 1);
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub((written - whole) as u64))?;
        return Err(Failure { problem, written: whole });
    }
    Ok(())
}

fn lines_in(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Creates a folder for transcripts, which only its owner may enter.
///
/// # Errors
///
/// If it cannot be created.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A thread that panicked while holding a lock left whole lines behind: there is nothing to protect others from.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
