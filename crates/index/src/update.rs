//! [`Index::update`]: brings the index up to date with its folder.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use msnp::Command;
use msnp::types::Version;
use msnp_transcript::Event;
use msnp_transcript::event::{ConnectionOpened, FORMAT, Origin, Server, Stem, VERSION};
use msnp_transcript::reader::LONGEST_LINE;
use msnp_transcript::screen::Tracker;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Row};
use crate::database::Index;
use crate::error::IndexError;
use crate::words::Words;

/// What an update did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Transcripts that are in the folder.
    pub transcripts: u64,
    /// Of these, how many were new or had grown or changed.
    pub changed: u64,
    /// Transcripts that are gone, and no longer in the index.
    pub removed: u64,
    /// Commands that were added.
    pub commands: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What could not be read, with its place.
    pub problems: Vec<String>,
}

/// How far an update is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that have to be.
    pub of: u64,
    /// Commands that were added.
    pub commands: u64,
}

/// How many commands are written at once.
pub(crate) const BATCH: u64 = 20_000;
/// How many bytes of lines.
const BATCH_BYTES: u64 = 64 << 20;
/// Longest first line of a transcript.
const LONGEST_HEAD: u64 = 64 << 10;
/// How many bytes before the place where indexing stopped must still be the same.
const TAIL: u64 = 256;
/// From how many new commands on the index is put in order, if they are most of it.
const WORTH_ORDER: u64 = 100_000;
/// Most problems that are told.
const MOST_PROBLEMS: usize = 50;

/// What is known of a transcript.
#[derive(Debug)]
struct Known {
    id: i64,
    size: u64,
    modified: i64,
    offset: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    account: String,
    state: String,
}

/// What has to be known of earlier lines to go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    last: i64,
    connections: Vec<Facts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) connection: u64,
    pub(crate) server: Option<Server>,
    pub(crate) version: Option<u8>,
    pub(crate) account: String,
}

/// A transcript that is being read.
struct Session {
    id: i64,
    head: Vec<u8>,
    session: String,
    account: String,
    offset: u64,
    bad_lines: u64,
    last: i64,
    time: i64,
    open: BTreeSet<u64>,
    tracker: Tracker,
}

struct Task<'a> {
    index: &'a Index,
    batch: Batch<'a>,
    report: Report,
    /// Bytes of lines since the last transaction ended.
    pending: u64,
    of: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Index {
    /// Brings the index up to date: adds what is new in the transcripts of the folder (files that end in `.jsonl`), from
    /// the last whole line that it knows of each; takes in anew those that were replaced, and forgets those that are gone.
    /// What is interrupted goes on from the last batch.
    ///
    /// # Errors
    ///
    /// If the index cannot be written or the folder not read. A transcript that cannot be read is told in the report.
    pub fn update(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<Report, IndexError> {
        let files = self.transcripts()?;
        let known = self.known()?;
        let of = files.iter().map(|(name, _, metadata)| work(metadata, known.get(name))).sum();
        let index = &*self;
        let batch = Batch::new(&self.connection).map_err(|problem| self.error(problem))?;
        let mut task = Task { index, batch, report: Report::default(), pending: 0, of, progress };
        task.report.transcripts = files.len() as u64;
        let names: BTreeSet<&[u8]> = files.iter().map(|(name, ..)| &name[..]).collect();
        for (_, gone) in known.iter().filter(|(name, _)| !names.contains(&name[..])) {
            task.forget(gone.id).map_err(|problem| self.error(problem))?;
            task.report.removed += 1;
        }
        for (name, path, metadata) in &files {
            match task.transcript(name, path, metadata, known.get(name)) {
                Ok(()) => {}
                Err(Trouble::Index(problem)) => return Err(self.error(problem)),
                Err(Trouble::File(problem)) => task.complain(format!("{}: {problem}", path.display())),
            }
        }
        task.batch.commit().map_err(|problem| self.error(problem))?;
        let report = std::mem::take(&mut task.report);
        drop(task);
        self.tidy(&report)?;
        Ok(report)
    }

    /// Returns the transcripts of the folder by name.
    fn transcripts(&self) -> Result<Vec<(Vec<u8>, PathBuf, Metadata)>, IndexError> {
        let error = |problem| IndexError::Read { path: self.folder.clone(), problem };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(error)? {
            let path = entry.map_err(error)?.path();
            if path.extension() != Some(OsStr::new("jsonl")) {
                continue;
            }
            // what is gone since the folder was read will be forgotten
            let (Some(name), Ok(metadata)) = (path.file_name(), fs::metadata(&path)) else { continue };
            if metadata.is_file() {
                files.push((name.as_bytes().to_vec(), path.clone(), metadata));
            }
        }
        files.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(files)
    }

    fn known(&self) -> Result<HashMap<Vec<u8>, Known>, IndexError> {
        let sql = "SELECT name, id, size, modified, offset, head, tail, account, state FROM sessions";
        let read = || {
            let mut select = self.connection.prepare(sql)?;
            let rows = select.query_map([], |row| {
                let known = Known {
                    id: row.get(1)?,
                    size: row.get::<_, i64>(2)?.unsigned_abs(),
                    modified: row.get(3)?,
                    offset: row.get::<_, i64>(4)?.unsigned_abs(),
                    head: row.get(5)?,
                    tail: row.get(6)?,
                    account: row.get(7)?,
                    state: row.get(8)?,
                };
                Ok((row.get::<_, Vec<u8>>(0)?, known))
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|problem| self.error(problem))
    }

    /// Puts what was written into the file itself, and in order if most of it is new.
    fn tidy(&self, report: &Report) -> Result<(), IndexError> {
        let run = || {
            if report.commands >= WORTH_ORDER {
                let all: i64 = self.connection.query_row("SELECT count(*) FROM commands", [], |row| row.get(0))?;
                if report.commands.saturating_mul(2) > all.unsigned_abs() {
                    self.connection.execute_batch("INSERT INTO words(words) VALUES('optimize')")?;
                }
            }
            if report.commands > 0 || report.removed > 0 {
                // a reader may hold it back, which costs some space until the next time
                self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).optional()?;
            }
            Ok(())
        };
        run().map_err(|problem| self.error(problem))
    }
}

enum Trouble {
    Index(rusqlite::Error),
    File(io::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(problem: rusqlite::Error) -> Trouble {
        Trouble::Index(problem)
    }
}

impl From<io::Error> for Trouble {
    fn from(problem: io::Error) -> Trouble {
        Trouble::File(problem)
    }
}

impl Task<'_> {
    fn transcript(
        &mut self,
        name: &[u8],
        path: &Path,
        metadata: &Metadata,
        known: Option<&Known>,
    ) -> Result<(), Trouble> {
        let (size, modified) = (metadata.len(), modified(metadata));
        if known.is_some_and(|known| known.size == size && known.modified == modified) {
            return Ok(());
        }
        let mut source = BufReader::with_capacity(1 << 16, File::open(path)?);
        let mut head = Vec::new();
        source.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut head)?;
        if head.last() != Some(&b'\n') && (head.len() as u64) < LONGEST_HEAD {
            // its first line is still being written
            return Ok(());
        }
        let Some(header) = header(&head) else {
            if let Some(known) = known {
                self.forget(known.id)?;
            }
            self.complain(format!("{}:1: not a {FORMAT} of version {VERSION}", path.display()));
            return Ok(());
        };
        self.report.changed += 1;
        self.batch.begin()?;
        let grown = known.filter(|known| known.head == head && size > known.size && known.offset <= size);
        let mut session = match grown {
            Some(known) if is_tail(&mut source, known)? => Session::resume(known),
            _ => {
                if let Some(known) = known {
                    self.forget(known.id)?;
                }
                self.batch.begin()?;
                let id = self.enter(name)?;
                Session::new(id, head, header)
            }
        };
        source.seek(SeekFrom::Start(session.offset))?;
        let outcome = self.lines(&mut source, &mut session);
        if matches!(outcome, Err(Trouble::Index(_))) {
            return outcome;
        }
        // what could be read is kept; a file that cannot be read to its end is looked at again
        let (size, modified) = if outcome.is_ok() { (size, modified) } else { (session.offset, 0) };
        self.save(&mut source, &session, size, modified)?;
        if session.bad_lines > 0 {
            self.complain(format!("{}: {} lines are no events", path.display(), session.bad_lines));
        }
        outcome
    }

    fn lines(&mut self, source: &mut BufReader<File>, session: &mut Session) -> Result<(), Trouble> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                if read < LONGEST_LINE {
                    return Ok(());
                }
                let rest = skip_line(source)?;
                session.offset += read + rest;
                session.bad_lines += 1;
                continue;
            }
            let offset = session.offset;
            session.offset += read;
            self.pending += read;
            self.report.bytes += read;
            match serde_json::from_slice::<Event>(&line) {
                Ok(event) => self.event(&event, session, offset, read)?,
                Err(_) => session.bad_lines += 1,
            }
            if self.batch.rows() >= self.index.batch || self.pending >= BATCH_BYTES {
                self.save(source, session, session.offset, 0)?;
                self.batch.commit()?;
                self.batch.begin()?;
                self.pending = 0;
            }
            if self.report.commands.is_multiple_of(1024) {
                self.tell();
            }
        }
    }

    fn event(&mut self, event: &Event, session: &mut Session, offset: u64, length: u64) -> Result<(), Trouble> {
        session.tracker.learn(event);
        session.open.extend(event.connection());
        if let Event::Command(command) = event {
            match command.command() {
                Ok(arrived) => self.command(command, &arrived, session, offset, length)?,
                Err(_) => session.bad_lines += 1,
            }
        }
        if let Event::ConnectionClosed(closed) = event {
            session.open.remove(&closed.connection);
        }
        session.tracker.forget(event);
        Ok(())
    }

    fn command(
        &mut self,
        event: &msnp_transcript::CommandEvent,
        arrived: &Command,
        session: &mut Session,
        offset: u64,
        length: u64,
    ) -> Result<(), Trouble> {
        let own = session.tracker.account(&event.stem.session, event.connection);
        if !own.is_empty() && own != session.account {
            session.account = own.to_owned();
        }
        let account = if own.is_empty() { session.account.as_str() } else { own };
        let mut words = Words::default();
        words.add(arrived);
        // what left may say other things
        if event.origin != Origin::Injected && event.sent.is_some() {
            event.sent().unwrap_or_default().iter().filter(|sent| *sent != arrived).for_each(|sent| words.add(sent));
        }
        session.time = event.stem.time.parse::<Timestamp>().map_or(session.time, Timestamp::as_microsecond);
        let scope = session.tracker.scope(event.connection);
        let row = Row { session: session.id, event, words: &words, scope, account, offset, length, time: session.time };
        session.last = self.batch.add(&row, session.last)?;
        self.report.commands += 1;
        Ok(())
    }

    /// Makes the row of a transcript.
    fn enter(&self, name: &[u8]) -> rusqlite::Result<i64> {
        let connection = &self.index.connection;
        connection.execute(
            "INSERT INTO sessions(name, size, modified, offset, head, tail, session, account, state) \
             VALUES(?1, 0, 0, 0, x'', x'', '', '', '')",
            [name],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// Writes down how far a transcript is indexed.
    fn save(&self, source: &mut BufReader<File>, session: &Session, size: u64, modified: i64) -> Result<(), Trouble> {
        let tail = tail(source.get_mut(), session.offset)?;
        // the reader's buffer is ahead of the file's place; nothing is lost, since it is set anew
        source.seek(SeekFrom::Start(session.offset))?;
        let state = serde_json::to_string(&session.state()).unwrap_or_default();
        self.index.connection.execute(
            "UPDATE sessions SET size = ?2, modified = ?3, offset = ?4, head = ?5, tail = ?6, session = ?7, account = ?8, \
             state = ?9 WHERE id = ?1",
            params![
                session.id,
                size as i64,
                modified,
                session.offset as i64,
                session.head,
                tail,
                session.session,
                session.account,
                state
            ],
        )?;
        Ok(())
    }

    fn forget(&mut self, id: i64) -> rusqlite::Result<()> {
        self.batch.begin()?;
        let connection = &self.index.connection;
        connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM commands WHERE session = ?1)", [id])?;
        connection.execute("DELETE FROM commands WHERE session = ?1", [id])?;
        connection.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
        Ok(())
    }

    fn tell(&mut self) {
        (self.progress)(Progress { bytes: self.report.bytes, of: self.of, commands: self.report.commands });
    }

    fn complain(&mut self, problem: String) {
        match self.report.problems.len() {
            0..MOST_PROBLEMS => self.report.problems.push(problem),
            MOST_PROBLEMS => self.report.problems.push("and more".to_owned()),
            _ => {}
        }
    }
}

impl Session {
    fn new(id: i64, head: Vec<u8>, session: String) -> Session {
        Session {
            id,
            head,
            session,
            account: String::new(),
            offset: 0,
            bad_lines: 0,
            last: i64::MIN,
            time: 0,
            open: BTreeSet::new(),
            tracker: Tracker::default(),
        }
    }

    fn resume(known: &Known) -> Session {
        let header = header(&known.head).unwrap_or_default();
        let state: State = serde_json::from_str(&known.state).unwrap_or_default();
        let mut session = Session::new(known.id, known.head.clone(), header);
        session.account.clone_from(&known.account);
        (session.offset, session.last) = (known.offset, state.last);
        for facts in state.connections {
            session.open.insert(facts.connection);
            let stem = Stem { session: session.session.clone(), ..Stem::default() };
            session.tracker.learn(&opened(stem, &facts));
        }
        session
    }

    fn state(&self) -> State {
        let facts = |&connection: &u64| {
            let scope = self.tracker.scope(connection);
            Facts {
                connection,
                server: scope.server.map(Into::into),
                version: scope.version.map(|version| version.0),
                account: self.tracker.account(&self.session, connection).to_owned(),
            }
        };
        State { last: self.last, connections: self.open.iter().map(facts).collect() }
    }
}

/// Tells a tracker or a screen what was known of a connection.
pub(crate) fn opened(stem: Stem, facts: &Facts) -> Event {
    Event::ConnectionOpened(ConnectionOpened {
        stem,
        connection: facts.connection,
        client: String::new(),
        listener: String::new(),
        upstream: String::new(),
        server: facts.server,
        account: Some(facts.account.clone()).filter(|account| !account.is_empty()),
        version: facts.version.map(|version| Version(version).to_string()),
    })
}

/// Returns the session's id, if a line is the first of a transcript.
fn header(line: &[u8]) -> Option<String> {
    match serde_json::from_slice(line) {
        Ok(Event::Session(session)) if session.format == FORMAT && session.version <= VERSION => {
            Some(session.stem.session)
        }
        _ => None,
    }
}

/// Whether what stands before the place where indexing stopped is still the same.
fn is_tail(source: &mut BufReader<File>, known: &Known) -> io::Result<bool> {
    Ok(tail(source.get_mut(), known.offset)? == known.tail)
}

fn tail(file: &mut File, end: u64) -> io::Result<Vec<u8>> {
    let start = end.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    Ok(tail)
}

fn skip_line(source: &mut BufReader<File>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = source.fill_buf()?;
        let (length, is_end) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        source.consume(length);
        skipped += length as u64;
        if is_end {
            return Ok(skipped);
        }
    }
}

/// Nanoseconds since 1970; 0 where the system does not tell.
fn modified(metadata: &Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

/// Returns how many bytes there are to read.
fn work(metadata: &Metadata, known: Option<&Known>) -> u64 {
    match known {
        Some(known) if known.size == metadata.len() && known.modified == modified(metadata) => 0,
        Some(known) if known.size < metadata.len() => metadata.len() - known.offset.min(metadata.len()),
        _ => metadata.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Wait;
    use crate::{Query, Search};

    fn folder(commands: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let stem = |seq: u64| format!("\"seq\":{seq},\"time\":\"2026-11-22T12:00:00.{seq:06}Z\",\"session\":\"01a\"");
        let mut text =
            format!("{{\"type\":\"session\",{},\"format\":\"{FORMAT}\",\"version\":1,\"software\":\"\"}}\n", stem(0));
        for seq in 1..=commands {
            text += &format!(
                "{{\"type\":\"command\",{},\"connection\":1,\"direction\":\"s2c\",\"verb\":\"MSG\",\"args\":[\"word{seq}\",\"{seq:0200}\"],\"origin\":\"peer\"}}\n",
                stem(seq)
            );
        }
        fs::write(folder.path().join("a.jsonl"), text).unwrap();
        folder
    }

    #[test]
    fn a_full_disk_keeps_what_was_written_and_the_rest_follows_later() {
        let folder = folder(2_200);
        let path = Index::usual_path(folder.path());
        let mut index = Index::open(folder.path(), &path, Wait::No).unwrap();
        index.batch = 500;
        index.connection.pragma_update(None, "max_page_count", 60).unwrap();
        let full = index.update(&mut |_| {});
        assert!(matches!(full, Err(IndexError::Full { .. })), "{full:?}");
        let (_, kept) = index.size().unwrap();
        assert_eq!(kept % 500, 0);
        assert!(kept > 0 && kept < 2_200, "{kept}");
        index.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
        let report = index.update(&mut |_| {}).unwrap();
        assert_eq!(report.commands, 2_200 - kept);
        for word in ["word1", "word500", "word501", "word2200"] {
            let query = Query::parse(word).unwrap();
            assert_eq!(index.count(&Search { query: Some(&query), ..Search::default() }).unwrap().hits, 1, "{word}");
        }
    }
}
