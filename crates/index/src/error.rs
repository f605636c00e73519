//! [`IndexError`]: why an index cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why an index cannot be used. The recordings are not affected by any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// There is no index.
    #[error("{} does not exist: make it with `mitmsn index`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is a database of another program, or no database.
    #[error("{} is not an index of mitmsn: name another place with --database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The index is of another version.
    #[error("{} is of another version of mitmsn: bring it up to date with `mitmsn index`", path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{} is damaged ({problem}): make it anew with `mitmsn index --rebuild`; the recordings are not affected", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        problem: rusqlite::Error,
    },
    /// The disk is full.
    #[error("{}: the disk is full; what was indexed before is kept, and the recordings are not affected", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error("cannot write {}: {problem}; --database keeps the index in another place", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// Another process is writing the index.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The folder of recordings cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// Something else is wrong with the database.
    #[error("{}: {problem}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        problem: rusqlite::Error,
    },
}

impl IndexError {
    /// Tells what an error of SQLite means.
    pub(crate) fn of(path: &Path, problem: rusqlite::Error) -> IndexError {
        let path = path.to_owned();
        match problem.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => IndexError::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => IndexError::Damaged { path, problem },
            Some(ErrorCode::DiskFull) => IndexError::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                IndexError::Write { path, problem: problem.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => IndexError::Busy { path },
            _ => IndexError::Database { path, problem },
        }
    }
}
