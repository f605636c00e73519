//! [`Scripts`]: all scripts of a proxy, as one set.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mitmsn_proxy::rules::Problem;
use msnp_transcript::expression::closest;
use tokio::sync::Notify;

use crate::background::Background;
use crate::host::lock;
use crate::script::Script;
use crate::settings::Settings;

/// The scripts of some files, in order.
///
/// ```no_run
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use mitmsn_lua::{Scripts, Settings};
/// use mitmsn_proxy::{Engine, Target};
/// # let target = Target::Original;
///
/// let scripts = Scripts::load(&["echo_bot.luau".into()], &Settings::default()).map_err(|_| "broken")?;
/// let mut builder = Engine::builder(target);
/// for script in scripts.list() {
///     builder = builder.hook(Arc::clone(script) as _).observer(Arc::clone(script) as _);
/// }
/// let _background = scripts.start()?;
/// # use std::sync::Arc;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Scripts {
    list: Vec<Arc<Script>>,
    bell: Arc<Notify>,
    /// What was set, for the next reload.
    options: Mutex<Vec<(String, String)>>,
}

/// A command that a script offers.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CommandInfo {
    /// Its name.
    pub name: String,
    /// The script that has it.
    pub script: String,
}

/// Why an option could not be set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// No script has an option of this name.
    #[error("no script has an option {name}{}", hint(.near.as_deref(), .known, "options"))]
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The text is no value for the option.
    #[error("{name}: {problem}")]
    Value {
        /// The name of the option.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Why a command of a script gave no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No script has a command of this name.
    #[error("no script has a command {name}{}", hint(.near.as_deref(), .known, "commands"))]
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// Several scripts have it.
    #[error("several scripts have a command {name}; say which: {}", .choices.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// What to say instead.
        choices: Vec<String>,
    },
    /// The script failed. Starts with the place, if that is known: `echo.luau:12`.
    #[error("{problem}")]
    Failed {
        /// Where, and what.
        problem: String,
    },
}

impl Scripts {
    /// Loads files, in order.
    ///
    /// # Errors
    ///
    /// A problem for each file that is broken.
    pub fn load(files: &[PathBuf], settings: &Settings) -> Result<Scripts, Vec<Problem>> {
        let bell = Arc::new(Notify::new());
        let mut list = Vec::new();
        let mut problems = Vec::new();
        for file in files {
            match Script::load(file, settings, &bell) {
                Ok(script) => list.push(script),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Scripts { list, bell, options: Mutex::default() }) } else { Err(problems) }
    }

    /// Loads the files again that have changed. One that is broken stays as it was. Returns how many were loaded.
    ///
    /// # Errors
    ///
    /// A problem for each file that is broken.
    pub fn reload(&self) -> Result<usize, Vec<Problem>> {
        let options = lock(&self.options).clone();
        let mut count = 0;
        let mut problems = Vec::new();
        for script in &self.list {
            match script.reload(&options) {
                Ok(is_new) => count += usize::from(is_new),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(count) } else { Err(problems) }
    }

    /// Sets an option in every script that has it. It keeps its value when the script is reloaded.
    ///
    /// # Errors
    ///
    /// If no script has it, or the text is no value for it.
    pub fn set(&self, name: &str, text: &str) -> Result<(), SetError> {
        let mut is_known = false;
        for script in &self.list {
            is_known |= script.set(name, text).map_err(|problem| SetError::Value { name: name.to_owned(), problem })?;
        }
        if !is_known {
            let known = self.options();
            let near = closest(name, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(SetError::Unknown { name: name.to_owned(), near, known });
        }
        let mut options = lock(&self.options);
        options.retain(|(own, _)| own != name);
        options.push((name.to_owned(), text.to_owned()));
        Ok(())
    }

    /// Calls a command: its name, or `script/name` if several scripts have it. Blocks until the script is free and the
    /// call is over: seconds at most.
    ///
    /// # Errors
    ///
    /// If there is no such command, or it fails.
    pub fn call(&self, name: &str, arguments: &[String]) -> Result<String, CallError> {
        let (label, command) = name.split_once('/').map_or((None, name), |(label, command)| (Some(label), command));
        let has = |script: &&Arc<Script>| {
            label.is_none_or(|label| label == script.label()) && script.commands().iter().any(|own| own == command)
        };
        let owners: Vec<&Arc<Script>> = self.list.iter().filter(has).collect();
        let unknown = || {
            let known: Vec<String> = self.commands().into_iter().map(|command| command.name).collect();
            let near = closest(command, known.iter().map(String::as_str)).map(str::to_owned);
            CallError::Unknown { name: name.to_owned(), near, known }
        };
        match owners[..] {
            [] => Err(unknown()),
            [script] => match script.call(command, arguments) {
                Some(result) => result.map_err(|problem| CallError::Failed { problem }),
                None => Err(unknown()),
            },
            _ => {
                let choices = owners.iter().map(|script| format!("{}/{command}", script.label())).collect();
                Err(CallError::Ambiguous { name: name.to_owned(), choices })
            }
        }
    }

    /// Returns the commands of all scripts.
    pub fn commands(&self) -> Vec<CommandInfo> {
        let of = |script: &Arc<Script>| {
            let label = script.label().to_owned();
            script.commands().into_iter().map(move |name| CommandInfo { name, script: label.clone() })
        };
        self.list.iter().flat_map(of).collect()
    }

    /// Returns the names of the options of all scripts.
    pub fn options(&self) -> Vec<String> {
        let mut names: Vec<String> = self.list.iter().flat_map(|script| script.options()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the scripts, each to be added to an engine as a hook and as an observer.
    pub fn list(&self) -> &[Arc<Script>] {
        &self.list
    }

    /// Returns the files.
    pub fn files(&self) -> Vec<PathBuf> {
        self.list.iter().map(|script| script.file().to_owned()).collect()
    }

    /// Starts the thread that runs timers, ticks and callbacks. Without it none of them is called.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(&self) -> io::Result<Background> {
        Background::start(self.list.clone(), Arc::clone(&self.bell))
    }
}

fn hint(near: Option<&str>, known: &[String], what: &str) -> String {
    match (near, known) {
        (Some(near), _) => format!("; did you mean {near}?"),
        (None, []) => format!("; they have no {what}"),
        (None, known) => format!("; {what} are {}", known.join(", ")),
    }
}
