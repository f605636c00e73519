//! [`Host`]: what the functions that a script calls need to know, and the room that they may use.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use mlua::{Function, Lua};

use crate::agenda::Agenda;
use crate::people::People;
use crate::settings::Settings;
use crate::states::States;

/// The surroundings of one loaded script. A reload makes another.
#[derive(Debug)]
pub(crate) struct Host {
    /// The script's name, for the transcript and the log: that of its file until it has declared another.
    file: Arc<str>,
    declared: OnceLock<Arc<str>>,
    pub(crate) settings: Settings,
    pub(crate) people: Arc<People>,
    pub(crate) agenda: Arc<Agenda>,
    pub(crate) states: Mutex<States>,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) callbacks: Mutex<Callbacks>,
    budget: Mutex<Budget>,
    commands: AtomicUsize,
}

/// What one call may still do.
#[derive(Debug, Default)]
struct Budget {
    sent: usize,
    sent_bytes: usize,
    lines: usize,
}

/// Functions to be called later, by time and number.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    last: u64,
    list: BTreeMap<(Instant, u64), Function>,
}

/// Functions to be called with the answers of injections.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    last: u64,
    list: BTreeMap<u64, Function>,
}

impl Host {
    pub(crate) fn new(file: Arc<str>, settings: Settings, people: Arc<People>, agenda: Arc<Agenda>) -> Arc<Host> {
        Arc::new(Host {
            file,
            declared: OnceLock::new(),
            settings,
            people,
            agenda,
            states: Mutex::default(),
            timers: Mutex::default(),
            callbacks: Mutex::default(),
            budget: Mutex::default(),
            commands: AtomicUsize::new(0),
        })
    }

    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(self.declared.get().unwrap_or(&self.file))
    }

    pub(crate) fn set_name(&self, name: &str) {
        // a script declares its name once
        let _ = self.declared.set(name.into());
    }

    /// Begins a call.
    pub(crate) fn renew_budget(&self) {
        *lock(&self.budget) = Budget::default();
    }

    /// Counts a command that the call at hand sends.
    pub(crate) fn spend(&self, bytes: usize) -> mlua::Result<()> {
        let mut budget = lock(&self.budget);
        budget.sent += 1;
        budget.sent_bytes += bytes;
        if budget.sent > MOST_SENT || budget.sent_bytes > self.settings.memory_limit {
            return Err(refuse(&format!(
                "one call may send {MOST_SENT} commands, and no more bytes than memory_limit"
            )));
        }
        Ok(())
    }

    /// Counts a line for the log. Whether it is to be written.
    pub(crate) fn may_log(&self) -> bool {
        let mut budget = lock(&self.budget);
        budget.lines += 1;
        budget.lines <= MOST_LINES
    }

    /// Makes room for a command in a value of the script: its bytes are not Luau's own.
    pub(crate) fn charge(self: &Arc<Self>, lua: &Lua, bytes: usize) -> mlua::Result<Charge> {
        let limit = self.settings.memory_limit;
        if self.commands.load(Ordering::Relaxed).saturating_add(bytes) > limit {
            // commands that nobody refers to any more may still be there
            lua.gc_collect()?;
        }
        if self.commands.load(Ordering::Relaxed).saturating_add(bytes) > limit {
            return Err(refuse("all commands together are more than script.memory_limit allows"));
        }
        self.commands.fetch_add(bytes, Ordering::Relaxed);
        Ok(Charge { host: Arc::clone(self), bytes })
    }

    /// Has a function called at a time. Returns the number of the timer.
    pub(crate) fn start_timer(&self, due: Instant, function: Function) -> mlua::Result<u64> {
        let mut timers = lock(&self.timers);
        if timers.list.len() >= MOST_TIMERS {
            return Err(refuse(&format!("{MOST_TIMERS} timers run already")));
        }
        timers.last += 1;
        let number = timers.last;
        timers.list.insert((due, number), function);
        drop(timers);
        self.agenda.wake();
        Ok(number)
    }

    /// Stops a timer. Whether it ran still.
    pub(crate) fn stop_timer(&self, number: u64) -> bool {
        let mut timers = lock(&self.timers);
        let key = timers.list.keys().find(|(_, own)| *own == number).copied();
        key.and_then(|key| timers.list.remove(&key)).is_some()
    }

    /// Returns when the next timer is due.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        lock(&self.timers).list.keys().next().map(|(due, _)| *due)
    }

    /// Takes a timer that is due.
    pub(crate) fn due_timer(&self, now: Instant) -> Option<Function> {
        let mut timers = lock(&self.timers);
        let first = timers.list.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// Keeps a function for the answers of an injection. Returns the number under which it is kept.
    pub(crate) fn await_answers(&self, function: Function) -> mlua::Result<u64> {
        let mut callbacks = lock(&self.callbacks);
        if callbacks.list.len() >= MOST_CALLBACKS {
            return Err(refuse(&format!("{MOST_CALLBACKS} injections wait for their answers already")));
        }
        callbacks.last += 1;
        let number = callbacks.last;
        callbacks.list.insert(number, function);
        Ok(number)
    }

    /// Takes the function that waits for these answers.
    pub(crate) fn answered(&self, number: u64) -> Option<Function> {
        lock(&self.callbacks).list.remove(&number)
    }
}

/// Room that a command takes; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    host: Arc<Host>,
    bytes: usize,
}

impl Charge {
    /// Changes how much it is.
    pub(crate) fn set(&mut self, lua: &Lua, bytes: usize) -> mlua::Result<()> {
        if bytes > self.bytes {
            *self = self.host.charge(lua, bytes)?;
        }
        Ok(())
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.host.commands.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Returns an error that the script sees at the place of its call.
pub(crate) fn refuse(message: &str) -> mlua::Error {
    mlua::Error::runtime(message)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Commands that one call may send beside the one at hand.
const MOST_SENT: usize = 256;
/// Lines that one call may write into the log.
const MOST_LINES: usize = 100;
/// Timers of one script.
const MOST_TIMERS: usize = 1000;
/// Injections of one script that wait for answers.
const MOST_CALLBACKS: usize = 256;
