//! What a script is told besides commands.

use std::sync::Arc;

use mitmsn_proxy::Interest;
use mitmsn_proxy::observer::{About, Event, Observer};
use mlua::IntoLuaMulti;
use msnp::flow;

use super::Script;
use crate::api::context::Context;
use crate::declaration::Functions;
use crate::host::{Host, lock};
use crate::people::{Gone, Member};

impl Observer for Script {
    fn interest(&self) -> Interest {
        TELLING
    }

    fn observe(&self, event: &Event<'_>, about: &About<'_>) {
        match event {
            Event::SessionStarted => {
                self.people.session_started(about.session.id());
                self.tell("session_start", about, (), |functions| functions.session_start.as_ref());
            }
            Event::Opened => {
                if let Some(connection) = about.connection {
                    self.people.opened(Member {
                        connection: Arc::clone(connection),
                        session: about.session.id().into(),
                        scope: about.scope,
                        account: about.session.account().unwrap_or_default().into(),
                        since: about.time,
                    });
                }
                self.tell("connection_open", about, (), |functions| functions.connection_open.as_ref());
            }
            Event::Closed { by, reason, .. } => {
                let what = (*by, reason.clone());
                self.tell("connection_close", about, what, |functions| functions.connection_close.as_ref());
                if let Some(connection) = about.connection {
                    self.people.closed(connection.number);
                    self.forget(Gone::Connection(connection.number));
                }
            }
            Event::SessionEnded => {
                self.tell("session_end", about, (), |functions| functions.session_end.as_ref());
                self.people.session_ended(about.session.id());
                self.forget(Gone::Session(about.session.id().into()));
            }
            _ => {
                if let Some(connection) = about.connection {
                    let account = about.session.account().unwrap_or_default();
                    self.people.learn(connection.number, about.scope, account);
                }
            }
        }
    }
}

impl Script {
    /// Forgets a table. It belongs to the script's world: if somebody is in there, the next one does it.
    fn forget(&self, who: Gone) {
        if lock(&self.shown.load().host.states).has(&who) {
            self.people.remember(who);
            if let Some(mut vm) = self.gate.try_enter() {
                self.bury(&mut vm);
            }
        }
    }

    /// Calls a function of the script if it has it.
    fn tell(
        &self,
        what: &'static str,
        about: &About<'_>,
        more: impl IntoLuaMulti,
        choose: impl Fn(&Functions) -> Option<&mlua::Function>,
    ) {
        if choose(&self.shown.load().functions).is_none() {
            return;
        }
        self.call_quietly(what, self.settings.time_limit, |vm| {
            let function = choose(&vm.declaration.functions)?.clone();
            let mut arguments = context(&vm.host, about).into_lua_multi(&vm.lua).ok()?;
            arguments.extend(more.into_lua_multi(&vm.lua).ok()?);
            Some((function, arguments))
        });
    }
}

fn context(host: &Arc<Host>, about: &About<'_>) -> Context {
    Context {
        host: Arc::clone(host),
        connection: about.connection.map(Arc::clone),
        session: Some(about.session.id().into()),
        scope: about.scope,
        account: about.session.account().unwrap_or_default().into(),
        time: about.time,
        effects: None,
    }
}

/// The commands after which version or account may be known.
const TELLING: Interest = {
    let mut interest = Interest::nothing();
    let mut i = 0;
    while i < flow::TELLING.len() {
        interest = interest.and(flow::TELLING[i].0, flow::TELLING[i].1);
        i += 1;
    }
    interest
};
