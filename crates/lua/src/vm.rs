//! [`Vm`]: one loaded script in its world, and calls into it under its limits.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mitmsn_proxy::rules::Problem;
use mlua::chunk::ChunkMode;
use mlua::state::{GcIncParams, GcMode};
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, Value};

use crate::api::kind_of;
use crate::declaration::{Declaration, Wrong};
use crate::fault::{Fault, is_memory};
use crate::host::Host;
use crate::sandbox;
use crate::watchdog::Watchdog;

/// A script that was loaded.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) lua: Lua,
    pub(crate) host: Arc<Host>,
    pub(crate) declaration: Declaration,
    watchdog: Arc<Watchdog>,
    chunk: String,
    /// How much memory was left in use when all garbage was last collected.
    collected: usize,
}

impl Vm {
    /// Runs the file of a script.
    pub(crate) fn load(file: &Path, source: &str, host: Arc<Host>) -> Result<Vm, Problem> {
        let chunk = chunk_name(file);
        let problem = |fault: Fault| match fault.line {
            Some(line) => Problem::at(file, source, line_range(source, line), fault.message),
            None => Problem::at(file, source, 0..0, fault.message),
        };
        let (lua, watchdog) = sandbox::build(&host, &chunk).map_err(problem)?;
        let goal = GcIncParams::default().goal(GC_GOAL);
        lua.gc_set_mode(GcMode::Incremental(goal));
        watchdog.arm(host.settings.time_limit.max(LOAD_LIMIT));
        let name = format!("={chunk}");
        // never bytecode: a wrong one could do anything
        let loaded = lua.load(source).set_name(name).set_mode(ChunkMode::Text).eval::<Value>();
        let returned = match loaded {
            Ok(Value::Table(table)) => Declaration::read(&table).map_err(|wrong| complain(file, source, wrong)),
            Ok(Value::Nil) => {
                let end = source.trim_end().len();
                let help = "end it with `return { verbs = ..., command = function(cmd, ctx) ... end }`";
                let message = "a script returns a table that says what it does";
                Err(Problem::at(file, source, end..end, message).help(Some(help.to_owned())))
            }
            Ok(other) => {
                let message = format!("a script returns a table that says what it does, not a {}", kind_of(&other));
                Err(Problem::at(file, source, place_of(source, "return").unwrap_or(0..0), message))
            }
            Err(error) => Err(problem(Fault::of(&error, &chunk).or_line(watchdog.line()))),
        };
        let declaration = returned?;
        if let Some(name) = &declaration.name {
            host.set_name(name);
        }
        Ok(Vm { lua, host, declaration, watchdog, chunk, collected: 0 })
    }

    /// Calls one of its functions.
    pub(crate) fn call<R: FromLuaMulti>(
        &mut self,
        function: &Function,
        arguments: impl IntoLuaMulti,
    ) -> Result<R, Fault> {
        self.watchdog.arm(self.host.settings.time_limit);
        self.tidy();
        self.host.renew_budget();
        let result = function.call::<R>(arguments);
        result.map_err(|error| {
            if is_memory(&error) {
                self.collect();
            }
            let defined = function.info().line_defined.and_then(|line| u32::try_from(line).ok());
            Fault::of(&error, &self.chunk).or_line(self.watchdog.line()).or_line(defined)
        })
    }

    /// Says where something is in the file: `echo.luau:12`.
    pub(crate) fn place(&self, fault: &Fault) -> String {
        match fault.line {
            Some(line) => format!("{}:{line}", self.chunk),
            None => self.chunk.clone(),
        }
    }

    /// Collects garbage that Luau would leave until it is too late: it does not know the limit.
    fn tidy(&mut self) {
        let limit = self.host.settings.memory_limit;
        let used = self.lua.used_memory();
        if used > limit / 2 && used > self.collected + limit / 8 {
            self.collect();
        }
    }

    fn collect(&mut self) {
        // a collection fails in a destructor, of which there are none
        let _ = self.lua.gc_collect();
        self.collected = self.lua.used_memory();
    }
}

/// Returns the name under which a file appears in messages. Luau cuts longer ones off.
pub(crate) fn chunk_name(file: &Path) -> String {
    let path = file.display().to_string();
    if path.len() <= LONGEST_NAME {
        return path;
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.chars().take(LONGEST_NAME / 4).collect()
}

/// Shows a wrong key in the file.
fn complain(file: &Path, source: &str, wrong: Wrong) -> Problem {
    let place = place_of(source, &wrong.key).unwrap_or(0..0);
    Problem::at(file, source, place, wrong.message).help(wrong.help)
}

/// Returns where a key is most likely defined: the first word like it that is assigned to, or a function, else the first.
fn place_of(source: &str, key: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_code = |at: usize| !source[..at].rsplit('\n').next().unwrap_or_default().contains("--");
    let places = source.match_indices(key).filter(|(at, _)| {
        let (before, after) = (&source[..*at], &source[at + key.len()..]);
        !key.is_empty() && !before.ends_with(is_word) && !after.starts_with(is_word) && is_code(*at)
    });
    let ranges: Vec<Range<usize>> = places.map(|(at, _)| at..at + key.len()).collect();
    let is_defined = |range: &&Range<usize>| {
        let after = source[range.end..].trim_start();
        after.starts_with('=') && !after.starts_with("==") || after.starts_with('(')
    };
    ranges.iter().find(is_defined).or(ranges.first()).cloned()
}

/// Returns where a line lies, without the space around it.
fn line_range(source: &str, line: u32) -> Range<usize> {
    let index = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let start: usize = source.split_inclusive('\n').take(index).map(str::len).sum();
    let text = source[start..].lines().next().unwrap_or_default();
    let indent = text.len() - text.trim_start().len();
    start + indent..start + text.trim_end().len().max(indent)
}

/// How long the file itself may run, if calls may not run longer.
const LOAD_LIMIT: Duration = Duration::from_secs(1);
/// How far the heap may grow before its garbage is collected, in percent of what was in use.
const GC_GOAL: i32 = 150;
/// Longest name of a file that Luau keeps whole.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_is_defined() {
        let source = "-- verbs = 1\nlocal t = { other = t.verbs, verbs = 2 }";
        assert_eq!(place_of(source, "verbs").map(|range| range.start), source.rfind("verbs"));
        assert_eq!(place_of(source, "nothing"), None);
    }

    #[test]
    fn a_line_is_where_its_text_is() {
        let source = "one\n  two \nthree";
        assert_eq!(&source[line_range(source, 2)], "two");
        assert_eq!(&source[line_range(source, 3)], "three");
        assert_eq!(line_range(source, 9), source.len()..source.len());
    }
}
