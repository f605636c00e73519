//! Reloads rules, or anything else that comes from files, when the files change.
//!
//! The system tells of changes in the folders of the files at once. What it does not tell of (a link whose target is
//! elsewhere, a folder that is replaced as a whole, a file system of another machine) is found by a look every two seconds.

use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tracing::warn;

use super::{Problem, Rules};

/// Watches for as long as it lives.
pub struct Watch {
    _watcher: Debouncer<RecommendedWatcher, NoCache>,
    /// The thread that calls ends with it.
    _told: Sender<()>,
}

impl Watch {
    /// Reloads `rules` whenever one of their files changes, and tells `report` of the outcome.
    ///
    /// # Errors
    ///
    /// If the system cannot watch.
    pub fn start(
        rules: &Arc<Rules>,
        report: impl Fn(Result<usize, Vec<Problem>>) + Send + 'static,
    ) -> notify::Result<Watch> {
        let watched = Arc::clone(rules);
        Watch::files(rules.files(), move || report(watched.reload()))
    }

    /// Calls `changed`, on a thread of its own, whenever one of the files does.
    ///
    /// # Errors
    ///
    /// If the system cannot watch.
    pub fn files(files: &[PathBuf], changed: impl Fn() + Send + 'static) -> notify::Result<Watch> {
        let (tell, told) = channel();
        let looked_at = files.to_vec();
        let files: HashSet<PathBuf> = files.iter().map(|file| absolute(file)).collect();
        let folders: HashSet<PathBuf> = files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        let teller = tell.clone();
        let on_change = move |events: DebounceEventResult| {
            let is_ours = match events {
                // editors rename over a file: any event that names it counts
                Ok(events) => events.iter().any(|event| {
                    !event.kind.is_access() && event.paths.iter().any(|path| files.contains(&absolute(path)))
                }),
                Err(errors) => {
                    errors.iter().for_each(|error| warn!(%error, "cannot watch files"));
                    false
                }
            };
            if is_ours {
                // at the end nobody is there to be told
                let _ = teller.send(());
            }
        };
        let config = notify::Config::default();
        let mut watcher = new_debouncer_opt::<_, RecommendedWatcher, NoCache>(QUIET, None, on_change, NoCache, config)?;
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        let before = looks(&looked_at);
        std::thread::Builder::new().name("watch".into()).spawn(move || look(&looked_at, before, &told, changed))?;
        Ok(Watch { _watcher: watcher, _told: tell })
    }
}

/// Calls `changed` when told, and when the files look other than they did.
fn look(files: &[PathBuf], mut before: Vec<Option<Look>>, told: &Receiver<()>, changed: impl Fn()) {
    loop {
        let is_told = match told.recv_timeout(INTERVAL) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let now = looks(files);
        // a file that is missing is just being replaced, or the system told that it was removed
        let is_other = now != before && now.iter().all(Option::is_some);
        if is_told || is_other {
            before = now;
            changed();
        }
    }
}

/// Device, file, length and time of change: another if the file is another.
type Look = (u64, u64, u64, i64, i64);

fn looks(files: &[PathBuf]) -> Vec<Option<Look>> {
    let look = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    files.iter().map(look).collect()
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// Returns a path that compares equal however it was written. A file that is just being replaced may not exist.
fn absolute(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (parent.canonicalize(), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

/// How long a file must be quiet before it is read.
const QUIET: Duration = Duration::from_millis(100);
/// How often files are looked at besides.
const INTERVAL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_behind_a_link_and_a_folder_that_is_replaced_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for name in ["linked", "real", "replaced", "next"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("real/rules.toml"), "").unwrap();
        fs::write(at("replaced/rules.toml"), "").unwrap();
        fs::write(at("next/rules.toml"), "# next").unwrap();
        symlink(at("real/rules.toml"), at("linked/rules.toml")).unwrap();
        let (say, said) = channel();
        let files = [at("linked/rules.toml"), at("replaced/rules.toml")];
        let watch = Watch::files(&files, move || say.send(()).unwrap()).unwrap();
        let patience = Duration::from_secs(20);
        fs::write(at("real/rules.toml"), "# changed").unwrap();
        said.recv_timeout(patience).unwrap();
        fs::rename(at("replaced"), at("gone")).unwrap();
        fs::rename(at("next"), at("replaced")).unwrap();
        said.recv_timeout(patience).unwrap();
        drop(watch);
        // the thread ends, and with it what it calls: what a look between the two renames found is said before that
        while said.recv_timeout(patience).is_ok() {}
    }
}
