//! Reloads rules, or anything else that comes from files, when the files change.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tracing::warn;

use super::{Problem, Rules};

/// Watches for as long as it lives.
pub struct Watch {
    _watcher: Debouncer<RecommendedWatcher, NoCache>,
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
        let files: HashSet<PathBuf> = files.iter().map(|file| absolute(file)).collect();
        let folders: HashSet<PathBuf> = files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
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
                changed();
            }
        };
        let config = notify::Config::default();
        let mut watcher = new_debouncer_opt::<_, RecommendedWatcher, NoCache>(QUIET, None, on_change, NoCache, config)?;
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Watch { _watcher: watcher })
    }
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
