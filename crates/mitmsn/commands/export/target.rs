//! Where an export goes: written under another name beside it, and renamed once it is whole.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use msnp_transcript::export::Format;
use tempfile::Builder;

/// Where an export goes.
#[derive(Debug)]
pub(super) struct Target {
    /// None is standard output.
    path: Option<PathBuf>,
    force: bool,
    secrecy: Secrecy,
}

/// Who may read what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Secrecy {
    /// Whoever the system lets read new files.
    Shared,
    /// Only the user.
    Private,
}

impl Target {
    /// Goes to `path`, or to standard output.
    pub(super) fn of(path: Option<&Path>, force: bool, secrecy: Secrecy) -> Target {
        let path = path.filter(|path| *path != Path::new("-"));
        // a link leads to what is to be replaced
        let path = path.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        Target { path, force, secrecy }
    }

    pub(super) fn is_standard_output(&self) -> bool {
        self.path.is_none()
    }

    /// Complains early about what may not be replaced.
    pub(super) fn check(&self, format: &Format) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let Ok(found) = fs::metadata(path) else { return Ok(()) };
        let shown = path.display();
        if format.is_folder() {
            if !found.is_dir() {
                bail!("{shown} is a file, and {} needs a folder", format.name);
            }
            if is_empty(path) {
                return Ok(());
            }
            if !self.force {
                bail!("{shown} exists and is not empty: --force replaces it");
            }
            if !is_export(path) {
                bail!("{shown} is no export of mitmsn: remove it yourself, or name another folder");
            }
        } else if found.is_dir() {
            bail!("{shown} is a folder, and {} needs a file", format.name);
        } else if found.is_file() && !self.force {
            bail!("{shown} exists: --force replaces it");
        }
        Ok(())
    }

    /// Writes one file.
    pub(super) fn file<T>(&self, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        let Some(path) = &self.path else {
            let mut out = BufWriter::new(io::stdout().lock());
            let result = write(&mut out)?;
            out.flush()?;
            return Ok(result);
        };
        let context = || format!("cannot write {}", path.display());
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            // a device or a pipe is written to, not replaced
            let mut out = BufWriter::new(File::options().write(true).open(path).with_context(context)?);
            let result = write(&mut out).with_context(context)?;
            out.flush().with_context(context)?;
            return Ok(result);
        }
        let mut builder = Builder::new();
        let permissions = Permissions::from_mode(if self.secrecy == Secrecy::Private { 0o600 } else { 0o666 });
        let file =
            builder.prefix(PREFIX).permissions(permissions).tempfile_in(folder_of(path)).with_context(context)?;
        let mut out = BufWriter::new(file);
        let result = write(&mut out).with_context(context)?;
        let file = out.into_inner().map_err(|error| error.into_error()).with_context(context)?;
        let kept = match self.force {
            true => file.persist(path),
            false => file.persist_noclobber(path),
        };
        kept.map_err(|problem| problem.error).with_context(context)?;
        Ok(result)
    }

    /// Writes a folder of files.
    pub(super) fn folder<T>(&self, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let path = self.path.as_deref().context("a folder cannot be written to standard output")?;
        let context = || format!("cannot write {}", path.display());
        let mut builder = Builder::new();
        let permissions = Permissions::from_mode(if self.secrecy == Secrecy::Private { 0o700 } else { 0o777 });
        builder.prefix(PREFIX).permissions(permissions);
        let new = builder.tempdir_in(folder_of(path)).with_context(context)?;
        let result = write(new.path()).with_context(context)?;
        if path.is_dir() && !is_empty(path) {
            // checked before; what is there now goes when the new one stands
            let old = builder.tempdir_in(folder_of(path)).with_context(context)?;
            let aside = old.path().join("old");
            fs::rename(path, &aside).with_context(context)?;
            if let Err(problem) = fs::rename(new.path(), path) {
                fs::rename(&aside, path).with_context(context)?;
                return Err(problem).with_context(context);
            }
        } else {
            fs::rename(new.path(), path).with_context(context)?;
        }
        // under its new name it stays
        let _ = new.keep();
        Ok(result)
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether an export made the folder: only such a one may be replaced as a whole.
fn is_export(folder: &Path) -> bool {
    let index = fs::read(folder.join("index.html")).unwrap_or_default();
    let head = String::from_utf8_lossy(index.get(..1024).unwrap_or(&index)).into_owned();
    head.contains("<meta name=\"generator\" content=\"mitmsn ")
}

/// What the names start with under which an export is written.
const PREFIX: &str = ".mitmsn-export-";
