//! What is done for a script in the background: timers, ticks, and answers of injections.

use std::sync::Arc;
use std::time::Instant;

use super::Script;
use crate::agenda::Answered;
use crate::api;
use crate::host::lock;

impl Script {
    /// Returns when something is to be done in the background.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let timer = self.shown.load().host.next_timer();
        [timer, *lock(&self.next_tick)].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn run_due(&self, now: Instant) {
        let shown = self.shown.load_full();
        while let Some(function) = shown.host.due_timer(now) {
            self.call_quietly("timer", self.patience(), |vm| {
                // a reload may have come between
                Arc::ptr_eq(&vm.host, &shown.host).then_some((function, ()))
            });
        }
        let is_due = {
            let mut next = lock(&self.next_tick);
            let is_due = next.is_some_and(|due| due <= now);
            if let (true, Some(interval)) = (is_due, shown.tick_interval) {
                *next = Some(now + interval);
            }
            is_due
        };
        if is_due {
            self.call_quietly("tick", self.patience(), |vm| Some((vm.declaration.functions.tick.clone()?, ())));
        }
    }

    /// Tells the script what came back for an injection.
    pub(crate) fn answered(&self, answered: Answered) {
        // after a reload nobody waits for it
        let Some(host) = answered.host.upgrade() else { return };
        self.call_quietly("callback", self.patience(), |vm| {
            let function = host.answered(answered.number).filter(|_| Arc::ptr_eq(&vm.host, &host))?;
            let replies = answered
                .replies
                .into_iter()
                .map(|reply| api::command::Handle::new(&vm.lua, &host, reply, answered.scope));
            let replies = replies.collect::<mlua::Result<Vec<_>>>().ok()?;
            Some((function, (replies, answered.done.as_str())))
        });
    }
}
