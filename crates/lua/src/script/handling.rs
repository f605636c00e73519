//! A script as a hook: it is asked about a command, and its answer becomes a verdict.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use mitmsn_proxy::{Context, Hook, Interest, Verdict};
use msnp::{Command, command};

use super::Script;
use super::returned::Returned;
use crate::api;
use crate::declaration::OnError;
use crate::effects::Effects;
use crate::fault::Fault;
use crate::host::lock;
use crate::vm::{Vm, chunk_name};

impl Hook for Script {
    fn name(&self) -> &str {
        &self.label
    }

    fn interest(&self) -> Interest {
        self.shown.load().interest
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        let shown = self.shown.load();
        if !shown.wants(command, context) {
            return Verdict::forward();
        }
        let called = self.with_vm(self.settings.time_limit, |vm| {
            if !self.shown.load().wants(command, context) {
                // another script took its place while this call waited
                return Ok(Verdict::forward());
            }
            let done = handle(vm, command, context);
            done.map_err(|fault| (vm.place(&fault), fault))
        });
        let (at, fault) = match called {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(lost)) => lost,
            Err(busy) => (chunk_name(&self.file), busy),
        };
        self.complain("command", &at, &fault, Some(context.connection.number), shown.on_error.as_str());
        if shown.on_error == OnError::Pass {
            return Verdict::forward();
        }
        context.credit(&shown.host.name());
        let mut verdict = Verdict::drop();
        verdict.close = shown.on_error == OnError::Close;
        verdict
    }
}

/// Has a script handle a command. Nothing of it counts if the call is lost.
fn handle(vm: &mut Vm, command: &mut Command, context: &mut Context<'_>) -> Result<Verdict, Fault> {
    let Some(function) = vm.declaration.functions.command.clone() else { return Ok(Verdict::forward()) };
    let (direction, scope) = (command.direction(), context.scope);
    let id = command::transaction_id(direction, command.line(), scope);
    let effects = Arc::new(Mutex::new(Effects::new(direction, id)));
    let ctx = api::context::Context {
        host: Arc::clone(&vm.host),
        connection: Some(Arc::clone(context.connection)),
        session: context.session.map(|session| session.id().into()),
        scope,
        account: context.account.into(),
        time: context.time,
        effects: Some(Arc::clone(&effects)),
    };
    let called = match api::command::Handle::new(&vm.lua, &vm.host, command.clone(), scope) {
        Ok(cmd) => vm
            .call::<Returned>(&function, (cmd.clone(), ctx))
            .and_then(|returned| Ok((cmd, returned.into_commands(&vm.host, direction)?))),
        Err(error) => Err(Fault::of(&error, "")),
    };
    let mut effects = lock(&effects);
    let mut verdict = effects.end();
    let (cmd, replacement) = called?;
    verdict.replacement = replacement;
    let edited = &cmd.held().command;
    let is_edited = edited.as_bytes() != command.as_bytes();
    if is_edited {
        *command = edited.clone();
    }
    let tags = std::mem::take(&mut effects.tags);
    if is_edited || !tags.is_empty() || !verdict.is_plain() {
        context.credit(&vm.host.name());
    }
    tags.into_iter().for_each(|tag| context.tag(tag));
    Ok(verdict)
}
