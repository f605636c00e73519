//! [`Script`]: one file as a hook and an observer.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mitmsn_proxy::rules::Problem;
use mitmsn_proxy::{Context, Interest};
use mlua::{IntoLuaMulti, Value};
use msnp::Command;
use msnp::types::{Direction, ServerKind, Verb};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tracing::warn;

use crate::agenda::Agenda;
use crate::complaints::Complaints;
use crate::declaration::{Functions, OnError};
use crate::fault::Fault;
use crate::gate::{Gate, Pass};
use crate::host::{Host, lock};
use crate::people::People;
use crate::settings::Settings;
use crate::vm::{Vm, chunk_name};

mod errands;
mod events;
mod handling;
mod returned;

/// One script: a [`Hook`](mitmsn_proxy::Hook) and an [`Observer`](mitmsn_proxy::Observer), to be added to an engine as both.
///
/// A call into it takes at most the time that is set. Who comes meanwhile waits for at most that time too, and then goes on
/// without it.
#[derive(Debug)]
pub struct Script {
    /// The name of its file without the ending.
    label: String,
    file: PathBuf,
    settings: Settings,
    people: Arc<People>,
    agenda: Arc<Agenda>,
    gate: Gate<Vm>,
    /// What can be known of it without the gate.
    shown: ArcSwap<Shown>,
    generation: AtomicU64,
    complaints: Complaints,
    /// For how many more calls it is to be called apart from other work, since one took long.
    wary: AtomicU32,
    next_tick: Mutex<Option<Instant>>,
}

/// What everybody may know of a loaded script.
#[derive(Debug)]
struct Shown {
    host: Arc<Host>,
    source: String,
    interest: Interest,
    direction: Option<Direction>,
    verbs: Vec<Verb>,
    servers: Vec<ServerKind>,
    on_error: OnError,
    functions: Functions,
    options: Vec<String>,
    commands: Vec<String>,
    tick_interval: Option<Duration>,
}

impl Shown {
    fn of(vm: &Vm, source: &str) -> Shown {
        let declaration = &vm.declaration;
        Shown {
            host: Arc::clone(&vm.host),
            source: source.to_owned(),
            interest: declaration.interest(),
            direction: declaration.direction,
            verbs: declaration.verbs.clone(),
            servers: declaration.servers.clone(),
            on_error: declaration.on_error,
            functions: declaration.functions.clone(),
            options: declaration.options.names().map(str::to_owned).collect(),
            commands: declaration.commands.iter().map(|(name, _)| name.clone()).collect(),
            tick_interval: declaration.functions.tick.as_ref().map(|_| declaration.tick_interval),
        }
    }

    fn wants(&self, command: &Command, context: &Context<'_>) -> bool {
        self.functions.command.is_some()
            && self.direction.is_none_or(|direction| direction == command.direction())
            && (self.verbs.is_empty() || self.verbs.contains(&command.verb()))
            && (self.servers.is_empty() || context.scope.server.is_some_and(|server| self.servers.contains(&server)))
    }
}

impl Script {
    /// Loads a file.
    pub(crate) fn load(file: &Path, settings: &Settings, bell: &Arc<Notify>) -> Result<Arc<Script>, Problem> {
        let source = read(file)?;
        let label = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let people = Arc::new(People::default());
        let agenda = Arc::new(Agenda::new(Arc::clone(bell)));
        let host = Host::new(label.as_str().into(), settings.clone(), Arc::clone(&people), Arc::clone(&agenda));
        let vm = Vm::load(file, &source, host)?;
        let shown = Shown::of(&vm, &source);
        let next_tick = shown.tick_interval.map(|interval| Instant::now() + interval);
        Ok(Arc::new(Script {
            label,
            file: file.to_owned(),
            settings: settings.clone(),
            people,
            agenda,
            gate: Gate::new(vm),
            shown: ArcSwap::from_pointee(shown),
            generation: AtomicU64::new(0),
            complaints: Complaints::default(),
            wary: AtomicU32::new(0),
            next_tick: Mutex::new(next_tick),
        }))
    }

    /// Loads the file again if its text is another. Sessions keep the plain values in their state.
    pub(crate) fn reload(&self, options: &[(String, String)]) -> Result<bool, Problem> {
        let source = read(&self.file)?;
        if source == self.shown.load().source {
            return Ok(false);
        }
        let (people, agenda) = (Arc::clone(&self.people), Arc::clone(&self.agenda));
        let host = Host::new(self.label.as_str().into(), self.settings.clone(), people, agenda);
        let vm = Vm::load(&self.file, &source, host)?;
        for (name, text) in options {
            vm.declaration
                .options
                .set(&vm.lua, name, text)
                .map_err(|problem| Problem::at(&self.file, &source, 0..0, format!("--set {name}={text}: {problem}")))?;
        }
        let shown = Shown::of(&vm, &source);
        let Some(mut old) = self.gate.enter(self.patience()) else {
            return Err(Problem::at(&self.file, &source, 0..0, "the script before it does not end its call"));
        };
        if let Ok(states) = lock(&old.host.states).carry_over(&vm.lua) {
            *lock(&vm.host.states) = states;
        }
        *old = vm;
        *lock(&self.next_tick) = shown.tick_interval.map(|interval| Instant::now() + interval);
        self.shown.store(Arc::new(shown));
        drop(old);
        self.complaints.clear();
        self.generation.fetch_add(1, Ordering::Release);
        self.agenda.wake();
        Ok(true)
    }

    /// Returns the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the name: what the script declares, or that of its file.
    pub fn title(&self) -> Arc<str> {
        self.shown.load().host.name()
    }

    /// Returns the names of the options that can be set.
    pub fn options(&self) -> Vec<String> {
        self.shown.load().options.clone()
    }

    /// Returns the names of the commands that can be called.
    pub fn commands(&self) -> Vec<String> {
        self.shown.load().commands.clone()
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// Sets an option. `Ok(false)`: the script has none of this name.
    pub(crate) fn set(&self, name: &str, text: &str) -> Result<bool, String> {
        let Some(vm) = self.gate.enter(self.patience()) else {
            return Err(Fault::busy().message);
        };
        vm.declaration.options.set(&vm.lua, name, text)
    }

    /// Calls a command of the script. `None`: it has none of this name.
    pub(crate) fn call(&self, name: &str, arguments: &[String]) -> Option<Result<String, String>> {
        let known = |vm: &Vm| vm.declaration.commands.iter().find(|(own, _)| own == name).map(|(_, own)| own.clone());
        let called = self.with_vm(self.patience(), |vm| {
            let function = known(vm)?;
            let list = vm.lua.create_sequence_from(arguments.iter().map(String::as_str));
            let result = list.map_err(|error| Fault::of(&error, "")).and_then(|list| {
                let value: Value = vm.call(&function, list)?;
                returned::text(&vm.lua, value)
            });
            Some(result.map_err(|fault| format!("{}: {fault}", vm.place(&fault))))
        });
        called.unwrap_or_else(|busy| Some(Err(busy.message)))
    }

    /// Calls a function whose outcome nobody waits for.
    fn call_quietly<A: IntoLuaMulti>(
        &self,
        what: &'static str,
        patience: Duration,
        prepare: impl FnOnce(&mut Vm) -> Option<(mlua::Function, A)>,
    ) {
        let called = self.with_vm(patience, |vm| {
            let Some((function, arguments)) = prepare(vm) else { return Ok(()) };
            vm.call::<()>(&function, arguments).map_err(|fault| (vm.place(&fault), fault))
        });
        match called {
            Ok(Ok(())) => {}
            Ok(Err((place, fault))) => self.complain(what, &place, &fault, None, ""),
            Err(busy) => self.complain(what, &chunk_name(&self.file), &busy, None, ""),
        }
    }

    /// Forgets the tables of those who are gone.
    fn bury(&self, vm: &mut Vm) {
        for gone in self.people.take_gone() {
            lock(&vm.host.states).forget(&gone);
        }
    }

    /// Does something with the script once it is free.
    fn with_vm<R>(&self, patience: Duration, act: impl FnOnce(&mut Vm) -> R) -> Result<R, Fault> {
        let is_wary = self.wary.load(Ordering::Relaxed) > 0;
        let work = |mut vm: Pass<'_, Vm>| {
            self.bury(&mut vm);
            let start = processor_time();
            let result = act(&mut vm);
            self.watch_pace(processor_time().saturating_sub(start));
            result
        };
        // most calls are over in microseconds: to wait for one costs less than to hand this thread's work to another, even
        // when a busy machine stops it midway
        let at_hand = if is_wary { self.gate.try_enter() } else { self.gate.enter(SHORT_WAIT.min(patience)) };
        match at_hand {
            Some(vm) => Ok(apart(is_wary, || work(vm))),
            None => apart(true, || self.gate.enter(patience).map(work)).ok_or_else(Fault::busy),
        }
    }

    /// Returns how long to wait for the script where no connection waits.
    fn patience(&self) -> Duration {
        PATIENCE.max(self.settings.time_limit * 2)
    }

    /// Keeps in mind that a call took long.
    fn watch_pace(&self, took: Duration) {
        if took > self.settings.time_limit / 8 {
            self.wary.store(WARY_CALLS, Ordering::Relaxed);
        } else if self.wary.load(Ordering::Relaxed) > 0 {
            self.wary.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn complain(&self, call: &str, at: &str, fault: &Fault, connection: Option<u64>, then: &str) {
        let Some(unsaid) = self.complaints.count(fault, Instant::now()) else { return };
        let script = self.title();
        let unsaid = (unsaid > 0).then_some(unsaid);
        let then = (!then.is_empty()).then_some(then);
        warn!(%script, at, call, connection, then, unsaid, "a call of a script is lost: {fault}");
    }
}

/// Does something that may take long. On a runtime with several threads the others take over this thread's other work.
fn apart<R>(is_needed: bool, act: impl FnOnce() -> R) -> R {
    let has_others =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if is_needed && has_others() { tokio::task::block_in_place(act) } else { act() }
}

/// Returns how long this thread has had a processor: a busy machine makes no call slow.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn read(file: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(file).map_err(|error| Problem::of_file(file, &error))
}

/// How long those wait for a script that keep no connection waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection waits for a script that is quick before its thread's other work goes to another thread. Threads
/// are dear: the allocator's memory for each is kept, and filled anew.
const SHORT_WAIT: Duration = Duration::from_millis(20);
/// For how many calls a script is called apart after one that took long.
const WARY_CALLS: u32 = 100;
