//! [`Batch`]: a transaction that takes commands.

use std::collections::HashMap;

use msnp::argument::Scope;
use msnp::types::{Direction, ServerKind};
use msnp_transcript::CommandEvent;
use rusqlite::{Connection, params};

use crate::words::Words;

/// A command to be indexed.
pub(crate) struct Row<'a> {
    pub(crate) session: i64,
    pub(crate) event: &'a CommandEvent,
    pub(crate) words: &'a Words,
    pub(crate) scope: Scope,
    pub(crate) account: &'a str,
    /// Where its line stands in the transcript.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Microseconds.
    pub(crate) time: i64,
}

/// What is written at once: all of it or nothing.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    connection: &'a Connection,
    accounts: HashMap<String, i64>,
    spread: i64,
    rows: u64,
    is_open: bool,
}

/// How many commands of one millisecond have an id of their own time.
pub(crate) const PER_MILLISECOND: i64 = 64;
/// Most accounts that are remembered; others are looked up.
const MOST_ACCOUNTS: usize = 10_000;

impl<'a> Batch<'a> {
    pub(crate) fn new(connection: &'a Connection) -> rusqlite::Result<Batch<'a>> {
        let spread = connection.query_row("SELECT most FROM spread", [], |row| row.get(0))?;
        Ok(Batch { connection, accounts: HashMap::new(), spread, rows: 0, is_open: false })
    }

    /// Starts a transaction, if none is open.
    pub(crate) fn begin(&mut self) -> rusqlite::Result<()> {
        if !self.is_open {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.is_open = true;
        }
        Ok(())
    }

    /// Ends the transaction.
    pub(crate) fn commit(&mut self) -> rusqlite::Result<()> {
        if self.is_open {
            self.connection.execute("UPDATE spread SET most = max(most, ?1)", [self.spread])?;
            self.connection.execute_batch("COMMIT")?;
            self.is_open = false;
            self.rows = 0;
        }
        Ok(())
    }

    /// Returns how many commands wait for the end of the transaction.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a command; `last` is the id of the one before it in its session. Returns its id.
    pub(crate) fn add(&mut self, row: &Row<'_>, last: i64) -> rusqlite::Result<i64> {
        let account = self.account(row.account)?;
        let place = place(row.time);
        let mut id = place.max(last + 1);
        let mut step = 1;
        while !self.insert(id, row, account)? {
            // another session has a command of the same time; many have, if nobody knew the times
            id += step;
            step *= 2;
        }
        self.spread = self.spread.max(id - place);
        let words = row.words;
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO words(rowid, verb, line, text, headers) VALUES(?1, ?2, ?3, ?4, ?5)")?;
        insert.execute(params![id, row.event.verb, words.line, words.text, words.headers])?;
        self.rows += 1;
        Ok(id)
    }

    fn insert(&self, id: i64, row: &Row<'_>, account: i64) -> rusqlite::Result<bool> {
        let mut insert = self.connection.prepare_cached(
            "INSERT OR IGNORE INTO commands(id, session, connection, seq, offset, length, time, server, version, direction, \
             verb, trid, account) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        let event = row.event;
        let changed = insert.execute(params![
            id,
            row.session,
            event.connection as i64,
            event.stem.seq as i64,
            row.offset as i64,
            row.length as i64,
            row.time,
            row.scope.server.map(server_number),
            row.scope.version.map(|version| i64::from(version.0)),
            matches!(Direction::from(event.direction), Direction::ServerToClient),
            event.verb,
            event.trid,
            account,
        ])?;
        Ok(changed > 0)
    }

    fn account(&mut self, name: &str) -> rusqlite::Result<i64> {
        if let Some(&id) = self.accounts.get(name) {
            return Ok(id);
        }
        self.connection.prepare_cached("INSERT OR IGNORE INTO accounts(name) VALUES(?1)")?.execute([name])?;
        let mut select = self.connection.prepare_cached("SELECT id FROM accounts WHERE name = ?1")?;
        let id = select.query_row([name], |row| row.get(0))?;
        if self.accounts.len() < MOST_ACCOUNTS {
            self.accounts.insert(name.to_owned(), id);
        }
        Ok(id)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // it failed, which somebody has been told already
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Returns the lowest id of a time, in microseconds. Ids sort by time, so that the newest hits are the first to be found.
pub(crate) fn place(time: i64) -> i64 {
    time.div_euclid(1000).saturating_mul(PER_MILLISECOND)
}

pub(crate) fn server_number(server: ServerKind) -> i64 {
    match server {
        ServerKind::Dispatch => 0,
        ServerKind::Notification => 1,
        ServerKind::Switchboard => 2,
    }
}

pub(crate) fn server_of(number: i64) -> Option<ServerKind> {
    match number {
        0 => Some(ServerKind::Dispatch),
        1 => Some(ServerKind::Notification),
        2 => Some(ServerKind::Switchboard),
        _ => None,
    }
}
