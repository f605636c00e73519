//! `ctx`: where a call comes from, and what it can do there.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use mitmsn_proxy::{Connection, Injection};
use mlua::{FromLua, Function, Lua, LuaString, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};
use msnp::Direction;
use msnp::argument::Scope;
use tokio::sync::mpsc;

use super::library::{direction, log, seconds};
use super::making::Source;
use super::{Seconds, Text, no_field};
use crate::agenda::Gather;
use crate::effects::Effects;
use crate::host::{Host, lock, refuse};
use crate::people::Member;

/// One connection as a script sees it, and the command at hand if there is one.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) host: Arc<Host>,
    /// Absent where a call is about a session as a whole.
    pub(crate) connection: Option<Arc<Connection>>,
    pub(crate) session: Option<Arc<str>>,
    pub(crate) scope: Scope,
    pub(crate) account: Arc<str>,
    pub(crate) time: SystemTime,
    /// What becomes of the command at hand.
    pub(crate) effects: Option<Arc<Mutex<Effects>>>,
}

impl Context {
    /// Returns an open connection without a command.
    pub(super) fn of(host: &Arc<Host>, member: &Member) -> Context {
        Context {
            host: Arc::clone(host),
            connection: Some(Arc::clone(&member.connection)),
            session: Some(Arc::clone(&member.session)),
            scope: member.scope,
            account: Arc::clone(&member.account),
            time: member.since,
            effects: None,
        }
    }

    /// Does something with the command at hand. `None`: there is none, or no more.
    fn at_hand<R>(&self, act: impl FnOnce(&mut Effects) -> R) -> Option<R> {
        let mut effects = lock(self.effects.as_ref()?);
        if effects.is_over { None } else { Some(act(&mut effects)) }
    }

    fn must_be_at_hand<R>(&self, what: &str, act: impl FnOnce(&mut Effects) -> R) -> mlua::Result<R> {
        self.at_hand(act).ok_or_else(|| refuse(&format!("ctx:{what} works only while a command is handled")))
    }

    fn connection(&self) -> mlua::Result<&Arc<Connection>> {
        self.connection.as_ref().ok_or_else(|| refuse("this is about a session: there is no connection here"))
    }

    fn number(&self) -> u64 {
        self.connection.as_ref().map_or(0, |connection| connection.number)
    }

    /// Returns the session, also if it was not known yet when the call began.
    fn session(&self) -> Option<Arc<str>> {
        self.session.clone().or_else(|| self.host.people.session_of(self.number()))
    }

    fn state(&self, lua: &Lua) -> mlua::Result<Table> {
        let session = self.session();
        let is_alive = match &session {
            Some(session) => self.host.people.is_session(session),
            None => false,
        };
        if is_alive || self.at_hand(|_| ()).is_some() {
            lock(&self.host.states).get(lua, session.as_deref(), self.number())
        } else {
            // whoever comes late finds nothing, and nothing is kept
            lua.create_table()
        }
    }

    fn inject(&self, request: Request) -> mlua::Result<()> {
        let connection = self.connection()?;
        if request.is_before && self.at_hand(|effects| effects.back()) != Some(request.to.opposite()) {
            return Err(refuse("it could only go before a command at hand that goes the same way"));
        }
        let (command, is_numbered) = request.source.make(request.payload.as_deref(), request.to, None)?;
        self.host.spend(command.as_bytes().len())?;
        let mut injection = Injection::new(command).by(self.host.name());
        if is_numbered {
            injection = injection.numbered();
        }
        if let Some(Seconds(patience)) = request.patience {
            injection = injection.patience(patience);
        }
        if let Some(callback) = request.callback {
            let (to, answers) = mpsc::channel(MOST_ANSWERS);
            let number = self.host.await_answers(callback)?;
            self.host.agenda.gather(Gather { host: Arc::downgrade(&self.host), number, answers, scope: self.scope });
            injection = injection.answers(to);
        }
        let mut beside = self.effects.as_ref().map(|effects| lock(effects)).filter(|effects| !effects.is_over);
        match &mut beside {
            Some(effects) => effects.inject(injection, request.is_before),
            // where it cannot be taken, the answer says so
            None => drop(connection.inject(injection)),
        }
        Ok(())
    }

    fn reply(&self, source: Source, payload: Option<&[u8]>) -> mlua::Result<()> {
        let (id, to) = self.must_be_at_hand("reply", |effects| (effects.id, effects.back()))?;
        let (command, is_numbered) = source.make(payload, to, id)?;
        self.host.spend(command.as_bytes().len())?;
        let injection = Injection::new(command).by(self.host.name());
        let injection = if is_numbered { injection.numbered() } else { injection };
        self.must_be_at_hand("reply", |effects| effects.inject(injection, false))
    }
}

/// What `ctx:inject` is asked for.
struct Request {
    source: Source,
    payload: Option<Vec<u8>>,
    to: Direction,
    is_before: bool,
    patience: Option<Seconds>,
    callback: Option<Function>,
}

impl Request {
    /// Reads `(what, payload?, callback?)` or one table with names.
    fn read(lua: &Lua, what: Value, second: Option<Value>, third: Option<Function>) -> mlua::Result<Request> {
        let Value::Table(table) = what else {
            let (payload, callback) = match second {
                Some(Value::Function(callback)) => (None, Some(callback)),
                Some(Value::Nil) | None => (None, third),
                Some(payload) => (Some(Text::from_lua(payload, lua)?.0), third),
            };
            let source = Source::from_lua(what, lua)?;
            return Ok(Request {
                source,
                payload,
                to: Direction::ClientToServer,
                is_before: false,
                patience: None,
                callback,
            });
        };
        for pair in table.pairs::<String, Value>() {
            let (key, _) = pair?;
            if !REQUEST.contains(&key.as_str()) {
                return Err(refuse(&format!("ctx:inject knows no `{key}`, only {}", REQUEST.join(", "))));
            }
        }
        Ok(Request {
            source: table.get::<Source>("command")?,
            payload: table.get::<Option<Text>>("payload")?.map(|Text(payload)| payload),
            // what goes to one comes from the other
            to: match table.get::<Option<String>>("to")? {
                Some(receiver) => direction(Some(&receiver))?.opposite(),
                None => Direction::ClientToServer,
            },
            is_before: table.get::<Option<bool>>("before")?.unwrap_or(false),
            patience: table.get::<Option<Seconds>>("patience")?,
            callback: table.get::<Option<Function>>("callback")?,
        })
    }
}

impl UserData for Context {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Context");
        fields.add_field_method_get("session", |_, this| Ok(this.session().as_deref().unwrap_or_default().to_owned()));
        fields.add_field_method_get("connection", |_, this| Ok(this.number()));
        fields.add_field_method_get("client", |_, this| {
            Ok(this.connection.as_ref().map_or_else(String::new, |connection| connection.client.to_string()))
        });
        fields.add_field_method_get("upstream", |_, this| {
            Ok(this.connection.as_ref().map_or_else(String::new, |connection| connection.upstream().to_owned()))
        });
        fields.add_field_method_get("server", |_, this| Ok(this.scope.server.map_or("", |server| server.as_str())));
        fields.add_field_method_get("version", |_, this| Ok(this.scope.version.map_or(0, |version| version.0)));
        fields.add_field_method_get("account", |_, this| Ok(this.account.to_string()));
        fields.add_field_method_get("time", |_, this| Ok(seconds(this.time)));
        fields.add_field_method_get("state", |lua, this| this.state(lua));
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("inject", |lua, this, (what, second, third): (Value, Option<Value>, Option<Function>)| {
            this.inject(Request::read(lua, what, second, third)?)
        });
        methods.add_method("reply", |_, this, (source, payload): (Source, Option<Text>)| {
            this.reply(source, payload.as_ref().map(|Text(payload)| payload.as_slice()))
        });
        methods.add_method("hold", |_, this, timeout: Option<Seconds>| {
            this.must_be_at_hand("hold", |effects| effects.hold(timeout.map(|Seconds(timeout)| timeout)))
        });
        methods.add_method("delay", |_, this, Seconds(delay): Seconds| {
            this.must_be_at_hand("delay", |effects| effects.delay(delay))
        });
        methods.add_method("tag", |_, this, tag: LuaString| {
            let tag = tag.to_string_lossy().chars().take(MOST_TAG_CHARACTERS).collect();
            this.must_be_at_hand("tag", |effects| effects.tag(tag))?
        });
        methods.add_method("close", |_, this, ()| {
            if this.at_hand(|effects| effects.is_closed = true).is_none() {
                this.connection()?.close("closed by a script");
            }
            Ok(())
        });
        methods.add_method("log", |_, this, (first, second): (LuaString, Option<LuaString>)| {
            let number = this.connection.as_ref().map(|connection| connection.number);
            log(&this.host, number, &first, second.as_ref())
        });
        methods.add_method("after", |_, this, (Seconds(delay), function): (Seconds, Function)| {
            this.host.start_timer(Instant::now() + delay, function)
        });
        methods.add_method("cancel", |_, this, number: u64| Ok(this.host.stop_timer(number)));
        methods
            .add_meta_method(MetaMethod::Index, |_, _, key: Value| Err::<Value, _>(no_field("Context", &key, &FIELDS)));
    }
}

/// What a `Context` has.
const FIELDS: [&str; 18] = [
    "session",
    "connection",
    "client",
    "upstream",
    "server",
    "version",
    "account",
    "time",
    "state",
    "inject",
    "reply",
    "hold",
    "delay",
    "tag",
    "close",
    "log",
    "after",
    "cancel",
];
/// The keys of a table that `ctx:inject` takes.
const REQUEST: [&str; 6] = ["command", "payload", "to", "before", "patience", "callback"];
/// Answers of one injection that wait to be told to the script.
const MOST_ANSWERS: usize = 256;
/// Longest tag.
const MOST_TAG_CHARACTERS: usize = 200;
