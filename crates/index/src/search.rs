//! [`Index::search`]: finds commands, and reads them back from the transcripts.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use msnp::argument::Scope;
use msnp::types::{ServerKind, Version};
use msnp_transcript::event::{Event, Stem};
use msnp_transcript::expression::Subject;
use msnp_transcript::reader::LONGEST_LINE;
use msnp_transcript::{CommandEvent, Expression};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::batch::{PER_MILLISECOND, place, server_number, server_of};
use crate::database::Index;
use crate::error::IndexError;
use crate::query::Query;
use crate::update::{Facts, opened};

/// What to look for; by default, every command.
#[derive(Debug, Default)]
pub struct Search<'a> {
    /// The words.
    pub query: Option<&'a Query>,
    /// Any of these verbs.
    pub verbs: Vec<String>,
    /// Who logs in.
    pub account: Option<String>,
    /// What the server is.
    pub server: Option<ServerKind>,
    /// Not before this time, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// Only commands for which this holds, as the transcripts have them.
    pub expression: Option<&'a Expression>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
    /// So many commands before and after, of the same connection.
    pub context: usize,
}

/// A command that was found.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Hit {
    /// The transcript.
    pub file: PathBuf,
    /// Where its line starts, in bytes.
    pub offset: u64,
    /// The command.
    pub event: CommandEvent,
    /// What was known of its connection.
    pub scope: Scope,
    /// Who logged in there.
    pub account: String,
    /// The commands before it.
    pub before: Vec<CommandEvent>,
    /// The commands after it.
    pub after: Vec<CommandEvent>,
}

/// What a search found beside its hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// How many hits there are.
    pub hits: u64,
    /// Whether there are older ones, beyond the limit.
    pub more: bool,
    /// Commands that are no longer where the index says: their transcripts changed since.
    pub stale: u64,
}

/// What the index knows of a command.
struct Found {
    session: i64,
    connection: u64,
    seq: u64,
    offset: u64,
    length: u64,
    scope: Scope,
    account: String,
    name: Vec<u8>,
}

/// The transcripts that are open.
struct Files<'a> {
    index: &'a Index,
    open: HashMap<i64, Option<File>>,
}

/// Most transcripts that are open at once.
const MOST_OPEN: usize = 32;

impl Hit {
    /// Returns an event that tells a screen what is known of the hit's connection.
    pub fn introduction(&self) -> Event {
        let facts = Facts {
            connection: self.event.connection,
            server: self.scope.server.map(Into::into),
            version: self.scope.version.map(|version| version.0),
            account: self.account.clone(),
        };
        opened(Stem { session: self.event.stem.session.clone(), ..Stem::default() }, &facts)
    }

    /// Returns its place in words: session, server and sequence number, as in `01jd:NS#142`.
    pub fn place(&self) -> String {
        let server = self.scope.server.map_or_else(String::new, |server| server.as_str().to_uppercase());
        format!("{}:{server}#{}", self.event.stem.session, self.event.stem.seq)
    }
}

impl Index {
    /// Finds commands and hands them to `take`, in the order of their times: all of them, or the newest of a limit.
    /// Those whose transcripts have changed since are counted and left out.
    ///
    /// # Errors
    ///
    /// If the index cannot be read, or what `take` says.
    pub fn search<E: From<IndexError>>(
        &self,
        search: &Search<'_>,
        take: &mut dyn FnMut(Hit) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let mut outcome = Outcome::default();
        let mut files = Files { index: self, open: HashMap::new() };
        let mut newest: Vec<Hit> = Vec::new();
        let order = if search.limit.is_some() { "DESC" } else { "ASC" };
        self.each(search, order, &mut |found| {
            let Some(event) = files.command(&found)? else {
                outcome.stale += 1;
                return Ok(true);
            };
            if !search.expression.is_none_or(|expression| holds(expression, &event, &found)) {
                return Ok(true);
            }
            if search.limit.is_some_and(|limit| newest.len() >= limit) {
                outcome.more = true;
                return Ok(false);
            }
            outcome.hits += 1;
            let hit = files.hit(found, event, search.context)?;
            match search.limit {
                Some(_) => newest.push(hit),
                None => take(hit)?,
            }
            Ok::<bool, E>(true)
        })?;
        newest.into_iter().rev().try_for_each(take)?;
        Ok(outcome)
    }

    /// Counts the commands that a search without limit finds.
    ///
    /// # Errors
    ///
    /// If the index cannot be read.
    pub fn count(&self, search: &Search<'_>) -> Result<Outcome, IndexError> {
        if search.expression.is_some() {
            let mut files = Files { index: self, open: HashMap::new() };
            let mut outcome = Outcome::default();
            self.each(search, "ASC", &mut |found| {
                match files.command(&found)? {
                    Some(event) => {
                        let is_hit = search.expression.is_none_or(|expression| holds(expression, &event, &found));
                        outcome.hits += u64::from(is_hit);
                    }
                    None => outcome.stale += 1,
                }
                Ok::<bool, IndexError>(true)
            })?;
            return Ok(outcome);
        }
        let (from, values) = self.conditions(search)?;
        let sql = format!("SELECT count(*) {from}");
        let count = self.connection.query_row(&sql, params_from_iter(values), |row| row.get::<_, i64>(0));
        let hits = count.map_err(|problem| self.error(problem))?.unsigned_abs();
        Ok(Outcome { hits, ..Outcome::default() })
    }

    /// Hands every command that the index finds to `take`, until that says false.
    fn each<E: From<IndexError>>(
        &self,
        search: &Search<'_>,
        order: &str,
        take: &mut dyn FnMut(Found) -> Result<bool, E>,
    ) -> Result<(), E> {
        let error = |problem| E::from(self.error(problem));
        let (from, values) = self.conditions(search)?;
        let sql = format!(
            "SELECT c.session, c.connection, c.seq, c.offset, c.length, c.server, c.version, \
             (SELECT name FROM accounts WHERE id = c.account), (SELECT name FROM sessions WHERE id = c.session) \
             {from} ORDER BY {} {order}",
            if from.starts_with("FROM words") { "words.rowid" } else { "c.id" }
        );
        let mut select = self.connection.prepare(&sql).map_err(error)?;
        let mut rows = select.query(params_from_iter(values)).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let found = Found::of(row).map_err(error)?;
            if !take(found)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns where and under which conditions to look.
    fn conditions(&self, search: &Search<'_>) -> Result<(String, Vec<Value>), IndexError> {
        let mut values: Vec<Value> = Vec::new();
        let mut conditions = Vec::new();
        let verbs: Vec<String> = search.verbs.iter().map(|verb| format!("\"{}\"", verb.replace('"', ""))).collect();
        let verbs = (!verbs.is_empty()).then(|| format!("verb : ({})", verbs.join(" OR ")));
        let words = search.query.map(|query| format!("({})", query.fts()));
        let matching: Vec<String> = words.into_iter().chain(verbs).collect();
        let id = if matching.is_empty() { "c.id" } else { "words.rowid" };
        // joined so that SQLite starts with the words, which are fewer
        let from = match matching.is_empty() {
            true => "FROM commands c",
            false => "FROM words CROSS JOIN commands c ON c.id = words.rowid",
        };
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        if !matching.is_empty() {
            add("words MATCH ?", Value::Text(matching.join(" AND ")));
        }
        if let Some(since) = search.since {
            add(&format!("{id} >= ?"), Value::Integer(place(since)));
            add("c.time >= ?", Value::Integer(since));
        }
        if let Some(until) = search.until {
            let spread: i64 = self
                .connection
                .query_row("SELECT most FROM spread", [], |row| row.get(0))
                .map_err(|problem| self.error(problem))?;
            let highest = place(until).saturating_add(PER_MILLISECOND).saturating_add(spread);
            add(&format!("{id} <= ?"), Value::Integer(highest));
            add("c.time < ?", Value::Integer(until));
        }
        if let Some(server) = search.server {
            add("c.server = ?", Value::Integer(server_number(server)));
        }
        if let Some(account) = &search.account {
            add("c.account IN (SELECT id FROM accounts WHERE name = ?)", Value::Text(account.to_lowercase()));
        }
        let conditions =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        Ok((format!("{from}{conditions}"), values))
    }
}

impl Found {
    fn of(row: &Row<'_>) -> rusqlite::Result<Found> {
        let number = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
        Ok(Found {
            session: row.get(0)?,
            connection: number(1)?,
            seq: number(2)?,
            offset: number(3)?,
            length: number(4)?,
            scope: Scope {
                server: row.get::<_, Option<i64>>(5)?.and_then(server_of),
                version: row.get::<_, Option<u8>>(6)?.map(Version),
            },
            account: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            name: row.get::<_, Option<Vec<u8>>>(8)?.unwrap_or_default(),
        })
    }
}

impl Files<'_> {
    fn path(&self, name: &[u8]) -> PathBuf {
        self.index.folder.join(OsStr::from_bytes(name))
    }

    /// Reads a command back; `None` if it is not there any more.
    fn command(&mut self, found: &Found) -> Result<Option<CommandEvent>, IndexError> {
        let path = self.path(&found.name);
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&found.session) {
            self.open.clear();
        }
        // what cannot be opened is not there either
        let file = self.open.entry(found.session).or_insert_with(|| File::open(path).ok());
        let Some(file) = file else { return Ok(None) };
        let mut line = Vec::new();
        let read = file.seek(SeekFrom::Start(found.offset)).and_then(|_| {
            // the length is what the index says, and a damaged one may say anything
            file.take(found.length.min(LONGEST_LINE)).read_to_end(&mut line)
        });
        match (read, serde_json::from_slice::<Event>(&line)) {
            (Ok(_), Ok(Event::Command(event))) if event.stem.seq == found.seq && line.ends_with(b"\n") => {
                Ok(Some(event))
            }
            _ => Ok(None),
        }
    }

    fn hit(&mut self, found: Found, event: CommandEvent, context: usize) -> Result<Hit, IndexError> {
        let before = self.around(&found, context, "c.seq < ?3 ORDER BY c.seq DESC")?;
        let after = self.around(&found, context, "c.seq > ?3 ORDER BY c.seq")?;
        Ok(Hit {
            file: self.path(&found.name),
            offset: found.offset,
            event,
            scope: found.scope,
            account: found.account,
            before: before.into_iter().rev().collect(),
            after,
        })
    }

    /// Reads the commands next to one on its connection, nearest first.
    fn around(&mut self, found: &Found, count: usize, condition: &str) -> Result<Vec<CommandEvent>, IndexError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT c.session, c.connection, c.seq, c.offset, c.length, NULL, NULL, NULL, NULL FROM commands c \
             WHERE c.session = ?1 AND c.connection = ?2 AND {condition} LIMIT ?4"
        );
        let error = |problem| self.index.error(problem);
        let mut select = self.index.connection.prepare_cached(&sql).map_err(error)?;
        let values = [found.session, found.connection as i64, found.seq as i64, count as i64];
        let near = select.query_map(values, Found::of).map_err(error)?;
        let near: Vec<Found> = near.collect::<rusqlite::Result<_>>().map_err(error)?;
        let mut commands = Vec::new();
        for mut one in near {
            one.name.clone_from(&found.name);
            commands.extend(self.command(&one)?);
        }
        Ok(commands)
    }
}

fn holds(expression: &Expression, event: &CommandEvent, found: &Found) -> bool {
    event.command().is_ok_and(|command| {
        expression.matches(&Subject {
            command: &command,
            scope: found.scope,
            account: &found.account,
            session: &event.stem.session,
            connection: event.connection,
            origin: event.origin.as_str(),
        })
    })
}
