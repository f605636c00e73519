//! `cmd.args`: the arguments of a command, by number from 1 and by documented name.

use mlua::{Function, Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, Value};
use msnp::{Command, argument};
use msnp_transcript::expression::closest;

use super::Text;
use super::command::Handle;
use crate::host::refuse;

/// The arguments of one command.
#[derive(Debug)]
pub(super) struct Arguments(pub(super) Handle);

impl UserData for Arguments {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Arguments");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| {
            let held = this.0.held();
            let value = match key {
                Value::String(name) => held.command.argument_named(&name.to_string_lossy(), held.scope),
                key => held.command.argument(index(key, lua)?),
            };
            value.map(|value| lua.create_string(value)).transpose()
        });
        methods.add_meta_method(MetaMethod::NewIndex, |lua, this, (key, value): (Value, Value)| {
            if value.is_nil() {
                return Err(refuse("an argument cannot be taken away; write another cmd.line"));
            }
            let Text(value) = lua.unpack(value)?;
            let value = argument::protect(&value);
            this.0.edit_line(lua, |command, scope| {
                let (index, value) = match key {
                    Value::String(name) => {
                        let arguments: Vec<&[u8]> = command.arguments().collect();
                        let name = name.to_string_lossy();
                        let place = argument::find(command.verb(), command.direction(), &arguments, scope, &name)
                            .ok_or_else(|| no_such(command, &name))?;
                        (place.index, [place.prefix.as_bytes(), &value].concat())
                    }
                    key => (index(key, lua)?, value.into_owned()),
                };
                command.set_argument(index, &value).map_err(|error| match error {
                    msnp::command::CommandError::NoArgument { index, count } => {
                        refuse(&format!("no argument {}; the command has {count}", index + 1))
                    }
                    error => refuse(&error.to_string()),
                })
            })
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.0.held().command.arguments().count()));
        methods.add_meta_method(MetaMethod::Iter, |lua, this, ()| {
            let held = this.0.held();
            let arguments = held.command.arguments().map(|argument| lua.create_string(argument));
            let list = lua.create_sequence_from(arguments.collect::<mlua::Result<Vec<_>>>()?)?;
            Ok((lua.globals().get::<Function>("next")?, list))
        });
    }
}

/// Reads a number from 1 as an index from 0.
fn index(key: Value, lua: &Lua) -> mlua::Result<usize> {
    let number = lua.coerce_integer(key)?.ok_or_else(|| refuse("arguments have numbers from 1, and names"))?;
    number
        .checked_sub(1)
        .and_then(|index| usize::try_from(index).ok())
        .ok_or_else(|| refuse("arguments are counted from 1"))
}

fn no_such(command: &Command, name: &str) -> mlua::Error {
    let names = argument::names(command.verb(), command.direction());
    let hint = match closest(name, names.iter().copied()) {
        Some(near) if near != name => format!("; did you mean `{near}`?"),
        _ if names.is_empty() => "; none of them has a documented name: use its number".to_owned(),
        _ => format!("; there are {}", names.join(", ")),
    };
    refuse(&format!("{} has no argument `{name}` here{hint}", command.verb()))
}
