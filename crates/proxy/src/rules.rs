//! [`Rules`]: a hook written in TOML.
//!
//! ```toml
//! [[rule]]
//! name = "Say we are MSN 7.5"
//! from = "client"
//! verbs = ["CVR"]
//! set.client_version = "7.5.0324"
//! ```
//!
//! `config/rules/` has a commented example of every action. Rules are asked in file order; a change by one is seen by
//! the next. Files are replaced atomically: one that is broken leaves the rules as they were.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use msnp::Command;

use crate::hook::{Context, Hook, Interest, Verdict};

mod action;
mod load;
mod rule;
mod template;
mod watch;

pub use load::parse;
pub use msnp_transcript::rule_file::{Problem, render, render_all};
pub use rule::Rule;
pub use watch::Watch;

/// The rules of some files, as a hook.
#[derive(Debug)]
pub struct Rules {
    files: Vec<PathBuf>,
    list: ArcSwap<List>,
    generation: AtomicU64,
    /// What the files had before and have no more.
    gone: Mutex<Vec<(Arc<str>, Arc<rule::Counts>)>>,
}

/// The rules between two loads of the files.
#[derive(Debug)]
struct List(Vec<Arc<Rule>>);

impl List {
    fn new(rules: Vec<Rule>) -> List {
        List(rules.into_iter().map(Arc::new).collect())
    }
}

impl Rules {
    /// Loads files, in order.
    ///
    /// # Errors
    ///
    /// All problems of all files.
    pub fn load(files: &[PathBuf]) -> Result<Rules, Vec<Problem>> {
        Ok(Rules::of(files.to_vec(), load_all(files)?))
    }

    /// Makes rules of a text that is in no file; `name` stands in problems.
    ///
    /// # Errors
    ///
    /// All problems of the text.
    pub fn from_text(name: &str, source: &str) -> Result<Rules, Vec<Problem>> {
        Ok(Rules::of(Vec::new(), parse(Path::new(name), source)?))
    }

    fn of(files: Vec<PathBuf>, rules: Vec<Rule>) -> Rules {
        let list = ArcSwap::from_pointee(List::new(rules));
        Rules { files, list, generation: AtomicU64::new(0), gone: Mutex::default() }
    }

    /// Loads the files again. If one is broken, the rules stay as they are.
    ///
    /// # Errors
    ///
    /// All problems of all files.
    pub fn reload(&self) -> Result<usize, Vec<Problem>> {
        // one at a time
        let mut known = self.lock_gone();
        let mut list = load_all(&self.files)?;
        let before = self.list.load();
        known.extend(before.0.iter().map(|rule| (Arc::clone(&rule.name), Arc::clone(&rule.counts))));
        for rule in &mut list {
            if let Some(place) = known.iter().position(|(name, _)| *name == rule.name) {
                rule.counts = known.remove(place).1;
            }
        }
        let surplus = known.len().saturating_sub(MOST_GONE);
        known.drain(..surplus);
        let count = list.len();
        self.list.store(Arc::new(List::new(list)));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(count)
    }

    /// Switches every rule of this name on or off, until the files are loaded again. Returns how many there are.
    pub fn enable(&self, name: &str, is_enabled: bool) -> usize {
        let list = self.list.load();
        let named = list.0.iter().filter(|rule| rule.name() == name);
        let count = named.inspect(|rule| rule.is_enabled.store(is_enabled, Ordering::Relaxed)).count();
        self.generation.fetch_add(1, Ordering::Release);
        count
    }

    /// Returns the files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the names and hits of rules that were removed from the files while they were in use.
    pub fn removed(&self) -> Vec<(Arc<str>, u64)> {
        self.lock_gone().iter().map(|(name, counts)| (Arc::clone(name), counts.hits())).collect()
    }

    fn lock_gone(&self) -> MutexGuard<'_, Vec<(Arc<str>, Arc<rule::Counts>)>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the rules of this moment, in order.
    pub fn list(&self) -> Vec<Arc<Rule>> {
        self.list.load().0.clone()
    }
}

impl Hook for Rules {
    fn name(&self) -> &str {
        NAME
    }

    fn interest(&self) -> Interest {
        self.list.load().interest()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn present(&self) -> Option<Arc<dyn Hook>> {
        Some(self.list.load_full())
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        self.list.load().command(command, context)
    }
}

impl Hook for List {
    fn name(&self) -> &str {
        NAME
    }

    fn interest(&self) -> Interest {
        self.0.iter().fold(Interest::nothing(), |all, rule| all.union(rule.interest()))
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        let mut verdict = Verdict::forward();
        let mut effect = rule::Effect::on(&mut verdict);
        for rule in &self.0 {
            rule.apply(command, context, &mut effect);
            if effect.is_dropped {
                break;
            }
        }
        effect.conclude(command);
        verdict
    }
}

fn load_all(files: &[PathBuf]) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut list = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match load_file(file) {
            Ok(rules) => list.extend(rules),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(list) } else { Err(problems) }
}

fn load_file(file: &Path) -> Result<Vec<Rule>, Vec<Problem>> {
    let source = std::fs::read_to_string(file).map_err(|error| vec![Problem::of_file(file, &error)])?;
    parse(file, &source)
}

/// Loads anything as a rule file, and checks what must hold for any input: no panic, and a problem can be shown. The
/// body of a fuzz target.
pub fn check_any_rules(source: &str) {
    if let Err(problems) = parse(Path::new("rules.toml"), source) {
        assert!(!problems.is_empty(), "a refusal says why");
        for problem in &problems {
            let _ = render(problem, false);
        }
    }
}

/// Removed rules whose hits are remembered.
const MOST_GONE: usize = 1000;
/// The name of the rules as a hook.
const NAME: &str = "rules";
