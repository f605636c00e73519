//! The token of a running proxy, and the file in which the command line finds it.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use serde::{Deserialize, Serialize};

/// What the file holds: where a proxy is controlled, and with what token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The address.
    pub address: SocketAddr,
    /// The token.
    pub token: String,
    /// The process.
    pub pid: u32,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("address", &self.address).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Access {
    /// Makes a token for an address.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn new(address: SocketAddr) -> io::Result<Access> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Access { address, token, pid: std::process::id() })
    }

    /// Writes the file, readable by its owner only, and returns where it is.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self) -> io::Result<PathBuf> {
        let folder = folder()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let path = folder.join(file_name(self.address.port()));
        // never into a file that somebody else may read, and whole or not at all
        let next = folder.join(format!(".{}.{}", file_name(self.address.port()), self.pid));
        let _ = fs::remove_file(&next);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        fs::rename(&next, &path)?;
        Ok(path)
    }

    /// Removes the file, if it is still this proxy's.
    pub fn remove(&self) {
        let Ok(folder) = folder() else { return };
        let path = folder.join(file_name(self.address.port()));
        if read(&path).is_ok_and(|found| found == *self) {
            // one that is left behind is replaced by the next
            let _ = fs::remove_file(path);
        }
    }

    /// Finds the file of the proxy that is controlled at `port`.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn find(port: u16) -> io::Result<Access> {
        read(&folder()?.join(file_name(port)))
    }

    /// Returns the access to every proxy of which there is a file.
    pub fn all() -> Vec<Access> {
        let files = folder().and_then(fs::read_dir).into_iter().flatten().flatten();
        let mut all: Vec<Access> = files
            .filter(|file| file.file_name().to_string_lossy().starts_with("control-"))
            .filter_map(|file| read(&file.path()).ok())
            .collect();
        all.sort_by_key(|access| access.address.port());
        all
    }
}

/// Returns the folder of the files: `$XDG_RUNTIME_DIR/mitmsn`, or `$XDG_STATE_HOME/mitmsn` where there is none.
///
/// # Errors
///
/// If there is no home folder.
pub fn folder() -> io::Result<PathBuf> {
    let strategy = choose_base_strategy().map_err(io::Error::other)?;
    let base = strategy.runtime_dir().or_else(|| strategy.state_dir()).unwrap_or_else(|| strategy.data_dir());
    Ok(base.join("mitmsn"))
}

fn file_name(port: u16) -> String {
    format!("control-{port}.json")
}

fn read(path: &Path) -> io::Result<Access> {
    let text = fs::read(path)?;
    Ok(serde_json::from_slice(&text)?)
}
