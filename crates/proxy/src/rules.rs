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
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    list: ArcSwap<Vec<Arc<Rule>>>,
    generation: AtomicU64,
}

impl Rules {
    /// Loads files, in order.
    ///
    /// # Errors
    ///
    /// All problems of all files.
    pub fn load(files: &[PathBuf]) -> Result<Rules, Vec<Problem>> {
        let list = load_all(files)?;
        Ok(Rules { files: files.to_vec(), list: ArcSwap::from_pointee(list), generation: AtomicU64::new(0) })
    }

    /// Makes rules of a text that is in no file; `name` stands in problems.
    ///
    /// # Errors
    ///
    /// All problems of the text.
    pub fn from_text(name: &str, source: &str) -> Result<Rules, Vec<Problem>> {
        let list = parse(Path::new(name), source)?.into_iter().map(Arc::new).collect();
        Ok(Rules { files: Vec::new(), list: ArcSwap::from_pointee(list), generation: AtomicU64::new(0) })
    }

    /// Loads the files again. If one is broken, the rules stay as they are.
    ///
    /// # Errors
    ///
    /// All problems of all files.
    pub fn reload(&self) -> Result<usize, Vec<Problem>> {
        let list = load_all(&self.files)?;
        let before = self.list.load();
        for rule in &list {
            if let Some(known) = before.iter().find(|known| known.name() == rule.name()) {
                rule.carry_hits_over(known);
            }
        }
        let count = list.len();
        self.list.store(Arc::new(list));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(count)
    }

    /// Switches every rule of this name on or off, until the files are loaded again. Returns how many there are.
    pub fn enable(&self, name: &str, is_enabled: bool) -> usize {
        let list = self.list.load();
        let named = list.iter().filter(|rule| rule.name() == name);
        let count = named.inspect(|rule| rule.is_enabled.store(is_enabled, Ordering::Relaxed)).count();
        self.generation.fetch_add(1, Ordering::Release);
        count
    }

    /// Returns the files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the rules of this moment, in order.
    pub fn list(&self) -> Arc<Vec<Arc<Rule>>> {
        self.list.load_full()
    }
}

impl Hook for Rules {
    fn name(&self) -> &str {
        "rules"
    }

    fn interest(&self) -> Interest {
        self.list.load().iter().fold(Interest::nothing(), |all, rule| all.union(rule.interest()))
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        let mut effect = rule::Effect::default();
        for rule in self.list.load().iter() {
            rule.apply(command, context, &mut effect);
            if effect.is_dropped {
                break;
            }
        }
        effect.into_verdict(command)
    }
}

fn load_all(files: &[PathBuf]) -> Result<Vec<Arc<Rule>>, Vec<Problem>> {
    let mut list = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match load_file(file) {
            Ok(rules) => list.extend(rules.into_iter().map(Arc::new)),
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
