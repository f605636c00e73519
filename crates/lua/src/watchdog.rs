//! [`Watchdog`]: ends calls that take too long, and knows where they were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mlua::{Lua, VmState};

/// Looks at a script whenever Luau lets it: at each call, at each turn of a loop, and at each step of a pattern.
#[derive(Debug)]
pub(crate) struct Watchdog {
    born: Instant,
    /// When the call at hand must be over, in nanoseconds after `born`.
    deadline: AtomicU64,
    /// The limit of the call at hand in milliseconds, to be told.
    limit: AtomicU64,
    /// Where a call was when it had taken much memory; 0: it had not.
    line: AtomicU32,
    /// The name of the script's chunk.
    chunk: String,
}

impl Watchdog {
    /// Begins to watch.
    pub(crate) fn install(lua: &Lua, chunk: &str, memory_limit: usize) -> Arc<Watchdog> {
        let watchdog = Arc::new(Watchdog {
            born: Instant::now(),
            deadline: AtomicU64::new(u64::MAX),
            limit: AtomicU64::new(0),
            line: AtomicU32::new(0),
            chunk: chunk.to_owned(),
        });
        let own = Arc::clone(&watchdog);
        let much = memory_limit / 8;
        lua.set_interrupt(move |lua| {
            if own.now() > own.deadline.load(Ordering::Relaxed) {
                return Err(mlua::Error::runtime(own.too_late(lua)));
            }
            // what ends a call for want of memory cannot ask where it is any more
            if lua.used_memory() > much {
                own.line.store(own.find(lua).unwrap_or(0), Ordering::Relaxed);
            }
            Ok(VmState::Continue)
        });
        watchdog
    }

    /// Ends what is called from now on after this time.
    pub(crate) fn arm(&self, limit: Duration) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.deadline.store(self.now().saturating_add(nanos(limit)), Ordering::Relaxed);
        self.limit.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.line.store(0, Ordering::Relaxed);
    }

    /// Returns the line where the call at hand was when it last took much memory.
    pub(crate) fn line(&self) -> Option<u32> {
        Some(self.line.load(Ordering::Relaxed)).filter(|line| *line > 0)
    }

    fn too_late(&self, lua: &Lua) -> String {
        let limit = self.limit.load(Ordering::Relaxed);
        let text = format!("still at work after {limit} ms, which is all that script.time_limit gives a call");
        match self.find(lua) {
            Some(line) => format!("{}:{line}: {text}", self.chunk),
            None => text,
        }
    }

    /// Returns the innermost line of the script that is at work.
    fn find(&self, lua: &Lua) -> Option<u32> {
        (0..MOST_LEVELS).find_map(|level| {
            let line = |debug: &mlua::debug::Debug| {
                let is_own = debug.source().short_src.as_deref() == Some(self.chunk.as_str());
                debug.current_line().filter(|_| is_own)
            };
            lua.inspect_stack(level, line).flatten().and_then(|line| u32::try_from(line).ok())
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// How far the stack is searched for a line of the script.
const MOST_LEVELS: usize = 8;
