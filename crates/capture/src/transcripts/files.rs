//! The files of transcripts.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use msnp_transcript::log;

use super::WriteError;

/// The files of a folder that are being written.
#[derive(Debug)]
pub(super) struct Files {
    /// Nothing is written without one.
    folder: Option<PathBuf>,
    /// Those that are open, by number of the session: idle sessions cost no descriptor.
    open: HashMap<u64, File>,
}

impl Files {
    pub(super) fn new(folder: Option<&Path>) -> Files {
        Files { folder: folder.map(Path::to_owned), open: HashMap::new() }
    }

    /// Appends lines to the file of a session, which `path` names if it was begun, and is to be named `name`.
    pub(super) fn write(
        &mut self,
        session: u64,
        path: &mut Option<PathBuf>,
        name: &str,
        lines: &[u8],
    ) -> Result<(), WriteError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let wanted = folder.join(name);
        let failed = |path: &Path, error| WriteError { path: path.to_owned(), error };
        match path {
            None => log::create_folder(folder).map_err(|error| failed(folder, error))?,
            Some(before) if *before != wanted => {
                fs::rename(&*before, &wanted).map_err(|error| failed(&wanted, error))?;
            }
            Some(_) => {}
        }
        *path = Some(wanted.clone());
        if !self.open.contains_key(&session) && self.open.len() >= MOST_OPEN {
            let other = self.open.keys().next().copied();
            other.map(|other| self.open.remove(&other));
        }
        let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(&wanted);
        let file = match self.open.entry(session) {
            std::collections::hash_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(open().map_err(|error| failed(&wanted, error))?)
            }
        };
        file.write_all(lines).map_err(|error| failed(&wanted, error))
    }

    /// Closes the file of a session.
    pub(super) fn close(&mut self, session: u64) {
        self.open.remove(&session);
    }
}

/// Most files that are open at once.
const MOST_OPEN: usize = 128;
