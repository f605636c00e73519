//! `Command`: a command in a script, the one at hand or one that the script made.

use std::sync::{Arc, Mutex, MutexGuard};

use mlua::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, Value};
use msnp::argument::{self, Scope};
use msnp::codec::CommandSpan;
use msnp::command::CommandError;
use msnp::table::Slot;
use msnp::{Command, LengthPolicy, Verb, text};

use super::arguments::Arguments;
use super::headers::Headers;
use super::{Text, no_field};
use crate::host::{Charge, Host, lock, refuse};

/// A command that a script refers to.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Mutex<Held>>);

/// The command, and what a script says of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) command: Command,
    pub(crate) scope: Scope,
    pub(crate) length: LengthPolicy,
    /// Its first argument is to be a transaction id of its own.
    pub(crate) is_numbered: bool,
    charge: Charge,
}

impl Handle {
    pub(crate) fn new(lua: &Lua, host: &Arc<Host>, command: Command, scope: Scope) -> mlua::Result<Handle> {
        let charge = host.charge(lua, command.as_bytes().len())?;
        let held = Held { command, scope, length: LengthPolicy::Repair, is_numbered: false, charge };
        Ok(Handle(Arc::new(Mutex::new(held))))
    }

    pub(crate) fn numbered(self) -> Handle {
        self.held().is_numbered = true;
        self
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.0)
    }

    /// Edits the line. Unless the length may be wrong, a receiver must find the command's end where it is.
    pub(super) fn edit_line(
        &self,
        lua: &Lua,
        edit: impl FnOnce(&mut Command, Scope) -> mlua::Result<()>,
    ) -> mlua::Result<()> {
        let mut held = self.held();
        let before = held.command.clone();
        let scope = held.scope;
        let done = edit(&mut held.command, scope).and_then(|()| {
            match held.length == LengthPolicy::Repair && before.is_framed() && !held.command.is_framed() {
                true => Err(refuse("the length on the line would be wrong; `cmd.length = \"keep\"` allows that")),
                false => held.recharge(lua),
            }
        });
        if done.is_err() {
            held.command = before;
        }
        done
    }

    /// Edits the payload.
    pub(super) fn edit_payload(
        &self,
        lua: &Lua,
        edit: impl FnOnce(&mut Command, LengthPolicy) -> Result<(), CommandError>,
    ) -> mlua::Result<()> {
        let mut held = self.held();
        let length = held.length;
        edit(&mut held.command, length).map_err(|error| refuse(&error.to_string()))?;
        held.recharge(lua)
    }
}

impl Held {
    fn recharge(&mut self, lua: &Lua) -> mlua::Result<()> {
        let bytes = self.command.as_bytes().len();
        self.charge.set(lua, bytes)
    }
}

impl UserData for Handle {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Command");
        fields.add_field_method_get("verb", |_, this| Ok(this.held().command.verb().to_string()));
        fields.add_field_method_set("verb", |lua, this, verb: String| {
            let verb: Verb = verb.parse().map_err(|_| refuse("a verb is three capital letters or three digits"))?;
            this.edit_line(lua, |command, _| {
                command.set_verb(verb);
                Ok(())
            })
        });
        fields.add_field_method_get("args", |_, this| Ok(Arguments(this.clone())));
        fields.add_field_method_get("headers", |_, this| Ok(Headers(this.clone())));
        fields.add_field_method_get("text", |lua, this| lua.create_string(this.held().command.text()));
        fields.add_field_method_set("text", |lua, this, Text(value): Text| {
            this.edit_payload(lua, |command, length| command.set_text(&value, length))
        });
        fields.add_field_method_get("payload", |lua, this| lua.create_string(this.held().command.payload()));
        fields.add_field_method_set("payload", |lua, this, Text(value): Text| {
            this.edit_payload(lua, |command, length| command.set_payload(&value, length))
        });
        fields.add_field_method_get("has_payload", |_, this| Ok(this.held().command.has_payload()));
        fields.add_field_method_get("line", |lua, this| lua.create_string(this.held().command.line()));
        fields.add_field_method_set("line", |lua, this, Text(line): Text| {
            this.edit_line(lua, |command, _| {
                *command = with_line(command, &line)?;
                Ok(())
            })
        });
        fields.add_field_method_get("bytes", |lua, this| lua.create_string(this.held().command.as_bytes()));
        fields.add_field_method_get("size", |_, this| Ok(this.held().command.as_bytes().len()));
        fields.add_field_method_get("from", |_, this| Ok(this.held().command.direction().sender()));
        fields.add_field_method_get("trid", |_, this| {
            let held = this.held();
            let id = msnp::command::transaction_id(held.command.direction(), held.command.line(), held.scope);
            Ok(id.map(|id| id.0))
        });
        fields.add_field_method_get("length", |_, this| {
            Ok(if this.held().length == LengthPolicy::Repair { "repair" } else { "keep" })
        });
        fields.add_field_method_set("length", |_, this, policy: String| {
            this.held().length = match policy.as_str() {
                "repair" => LengthPolicy::Repair,
                "keep" => LengthPolicy::Keep,
                _ => return Err(refuse("the length is either \"repair\" or \"keep\"")),
            };
            Ok(())
        });
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("copy", |lua, this, ()| {
            let held = this.held();
            let copy = Handle::new(lua, held.charge.host(), held.command.clone(), held.scope)?;
            copy.held().length = held.length;
            Ok(if held.is_numbered { copy.numbered() } else { copy })
        });
        methods.add_method("is", |_, this, kind: String| Ok(this.held().command.headers().is(&kind)));
        methods.add_method("names", |lua, this, ()| {
            let held = this.held();
            let (command, arguments) = (&held.command, held.command.arguments().collect::<Vec<_>>());
            let described = argument::describe(command.verb(), command.direction(), &arguments, held.scope);
            let names = described.map(|(_, names)| names.into_iter().map(Option::unwrap_or_default));
            names.map(|names| lua.create_sequence_from(names)).transpose()
        });
        methods
            .add_meta_method(MetaMethod::Index, |_, _, key: Value| Err::<Value, _>(no_field("Command", &key, &FIELDS)));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(text::write(&this.held().command)));
    }
}

/// Returns the command with another line, its end and its payload as they are.
fn with_line(command: &Command, line: &[u8]) -> mlua::Result<Command> {
    let verb = Verb::of_line(line).filter(|_| !line.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
    let verb = verb.ok_or_else(|| refuse("a line starts with three capital letters or digits, and has no line end"))?;
    let bytes = [line, command.eol(), command.payload()].concat();
    let size = |len: usize| u32::try_from(len).map_err(|_| refuse("too long"));
    let eol = if command.eol().len() == 1 { 1 } else { 2 };
    let span = CommandSpan { line: size(line.len())?, eol, slot: Slot::of(verb), len: size(bytes.len())? };
    Ok(Command::from_span(command.direction(), &bytes, span))
}

/// What a `Command` has.
const FIELDS: [&str; 15] = [
    "verb",
    "args",
    "headers",
    "text",
    "payload",
    "has_payload",
    "line",
    "bytes",
    "size",
    "from",
    "trid",
    "length",
    "copy",
    "is",
    "names",
];
