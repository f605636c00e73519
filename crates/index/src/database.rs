//! [`Index`]: the database file, who may write it, and its tables.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::IndexError;
use crate::update::BATCH;

/// The index of a folder of transcripts.
#[derive(Debug)]
pub struct Index {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) folder: PathBuf,
    /// Held while this process may write.
    _lock: Option<File>,
    is_new: bool,
    /// How many commands are written at once.
    pub(crate) batch: u64,
}

/// What to do while another process writes the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Wait until it has finished.
    Yes,
    /// Return [`IndexError::Busy`].
    No,
}

/// The version of the tables; an index of another one is made anew.
const VERSION: i32 = 1;
/// `MSNI`, in the header of the file: it is ours.
const APPLICATION: i32 = 0x4d53_4e49;
/// Where that stands in the file.
const APPLICATION_AT: usize = 68;
/// How long a reader waits for a writer, and the other way round; neither holds the database for long.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
    -- one transcript each; offset: how far it is indexed; head and tail: bytes that must still be there
    CREATE TABLE sessions(
        id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, modified INTEGER NOT NULL,
        offset INTEGER NOT NULL, head BLOB NOT NULL, tail BLOB NOT NULL, session TEXT NOT NULL, account TEXT NOT NULL,
        state TEXT NOT NULL
    );
    CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    -- id sorts by time: milliseconds and a number; offset and length: where the line stands in the transcript
    CREATE TABLE commands(
        id INTEGER PRIMARY KEY, session INTEGER NOT NULL, connection INTEGER NOT NULL, seq INTEGER NOT NULL,
        offset INTEGER NOT NULL, length INTEGER NOT NULL, time INTEGER NOT NULL, server INTEGER, version INTEGER,
        direction INTEGER NOT NULL, verb TEXT NOT NULL, trid INTEGER, account INTEGER NOT NULL
    );
    CREATE INDEX places ON commands(session, connection, seq);
    CREATE VIRTUAL TABLE words USING fts5(
        verb, line, text, headers, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
    );
    -- how far an id may be above its time
    CREATE TABLE spread(most INTEGER NOT NULL);
    INSERT INTO spread VALUES(0);
";

impl Index {
    /// Returns where the index of a folder is, unless it is said to be elsewhere.
    pub fn usual_path(folder: &Path) -> PathBuf {
        folder.join("index.sqlite")
    }

    /// Opens the index of `folder` to bring it up to date, and makes it if there is none or one of another version.
    /// Only its owner can read it: it holds what the recordings hold.
    ///
    /// # Errors
    ///
    /// If it cannot be written, is of another program, or is damaged; with [`Wait::No`], if another process writes it.
    pub fn open(folder: &Path, path: &Path, wait: Wait) -> Result<Index, IndexError> {
        let lock = lock(path, wait)?;
        if let Ok(connection) = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            match version(&connection, path)? {
                Some(VERSION) => return Index::ready(connection, folder, path, lock, false),
                Some(_) => {
                    drop(connection);
                    delete(path)?;
                }
                None => return Index::create(connection, folder, path, lock),
            }
        }
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match new {
            Ok(_) => {}
            // it is there, so what is wrong is something else
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_write(path, &error)),
        }
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Index::create(connection, folder, path, lock)
    }

    /// Opens the index of `folder` to search in it.
    ///
    /// # Errors
    ///
    /// If there is none, or it is of another program or version, or damaged.
    pub fn open_to_search(folder: &Path, path: &Path) -> Result<Index, IndexError> {
        if !path.exists() {
            return Err(IndexError::Missing { path: path.to_owned() });
        }
        let open = |path: &Path, flags| {
            let connection = connect(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let found = version(&connection, path)?;
            Ok((connection, found))
        };
        let (connection, found) = match open(path, OpenFlags::empty()) {
            // without the right to write beside it, only a database that nobody writes can be read
            Err(IndexError::Write { .. }) => {
                let text = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                open(&PathBuf::from(format!("file:{text}?immutable=1")), OpenFlags::SQLITE_OPEN_URI)?
            }
            opened => opened?,
        };
        match found {
            Some(VERSION) => Ok(Index {
                connection,
                path: path.to_owned(),
                folder: folder.to_owned(),
                _lock: None,
                is_new: false,
                batch: BATCH,
            }),
            Some(_) => Err(IndexError::Version { path: path.to_owned() }),
            None => Err(IndexError::Missing { path: path.to_owned() }),
        }
    }

    /// Deletes the index, if there is one, so that the next [`Index::open`] makes it anew.
    ///
    /// # Errors
    ///
    /// If the file is not an index, or cannot be deleted.
    pub fn delete(path: &Path, wait: Wait) -> Result<(), IndexError> {
        if !path.exists() {
            return Ok(());
        }
        let _lock = lock(path, wait)?;
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut head));
        read.map_err(|problem| IndexError::Read { path: path.to_owned(), problem })?;
        let id = head.get(APPLICATION_AT..APPLICATION_AT + 4);
        match head.is_empty() || id == Some(&APPLICATION.to_be_bytes()) {
            true => delete(path),
            false => Err(IndexError::Foreign { path: path.to_owned() }),
        }
    }

    /// Whether it was made just now.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many transcripts and commands it knows.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn size(&self) -> Result<(u64, u64), IndexError> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(|problem| self.error(problem))
        };
        Ok((count("sessions")?.unsigned_abs(), count("commands")?.unsigned_abs()))
    }

    pub(crate) fn error(&self, problem: rusqlite::Error) -> IndexError {
        IndexError::of(&self.path, problem)
    }

    fn create(connection: Connection, folder: &Path, path: &Path, lock: File) -> Result<Index, IndexError> {
        let error = |problem| IndexError::of(path, problem);
        connection.pragma_update(None, "application_id", APPLICATION).map_err(error)?;
        connection.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT")).map_err(error)?;
        Index::ready(connection, folder, path, lock, true)
    }

    fn ready(
        connection: Connection,
        folder: &Path,
        path: &Path,
        lock: File,
        is_new: bool,
    ) -> Result<Index, IndexError> {
        let error = |problem| IndexError::of(path, problem);
        // a crash may lose the last batches, which are then indexed again; it cannot damage the file
        connection.pragma_update(None, "journal_mode", "WAL").map_err(error)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(error)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(error)?;
        Ok(Index {
            connection,
            path: path.to_owned(),
            folder: folder.to_owned(),
            _lock: Some(lock),
            is_new,
            batch: BATCH,
        })
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, IndexError> {
    let error = |problem| IndexError::of(path, problem);
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(error)?;
    connection.busy_timeout(PATIENCE).map_err(error)?;
    connection.pragma_update(None, "cache_size", -64 * 1024).map_err(error)?;
    Ok(connection)
}

/// Returns the version of an index; `None` if there is nothing in the file yet.
fn version(connection: &Connection, path: &Path) -> Result<Option<i32>, IndexError> {
    let error = |problem| IndexError::of(path, problem);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(error);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(error)?;
    match (pragma("application_id")?, tables) {
        (APPLICATION | 0, 0) => Ok(None),
        (APPLICATION, _) => pragma("user_version").map(Some),
        _ => Err(IndexError::Foreign { path: path.to_owned() }),
    }
}

/// Takes the right to write, until the file is closed. It is a file of its own: SQLite loses its own locks on a file that
/// the same process opens and closes.
fn lock(path: &Path, wait: Wait) -> Result<File, IndexError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name);
    let file = open.map_err(|problem| cannot_write(path, &problem))?;
    match (wait, file.try_lock()) {
        (_, Ok(())) => Ok(file),
        (Wait::No, Err(TryLockError::WouldBlock)) => Err(IndexError::Busy { path: path.to_owned() }),
        (Wait::Yes, Err(TryLockError::WouldBlock)) => {
            file.lock().map_err(|problem| cannot_write(path, &problem))?;
            Ok(file)
        }
        (_, Err(TryLockError::Error(problem))) => Err(cannot_write(path, &problem)),
    }
}

fn delete(path: &Path) -> Result<(), IndexError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(problem) if problem.kind() != ErrorKind::NotFound => return Err(cannot_write(path, &problem)),
            _ => {}
        }
    }
    Ok(())
}

fn cannot_write(path: &Path, problem: &io::Error) -> IndexError {
    match problem.kind() {
        ErrorKind::StorageFull => IndexError::Full { path: path.to_owned() },
        _ => IndexError::Write { path: path.to_owned(), problem: problem.to_string() },
    }
}
