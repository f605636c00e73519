//! What functions of a script return.

use mlua::{FromLua, Lua, Value};
use msnp::{Command, Direction};

use crate::api::kind_of;
use crate::api::making::Source;
use crate::fault::Fault;
use crate::host::{Host, refuse};

/// What `command` returns.
pub(super) enum Returned {
    /// Nothing: the command goes on.
    Nothing,
    /// `false`, or a list of what goes on in its place.
    Instead(Vec<Source>),
}

impl FromLua for Returned {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<Returned> {
        match value {
            Value::Nil | Value::Boolean(true) => Ok(Returned::Nothing),
            Value::Boolean(false) => Ok(Returned::Instead(Vec::new())),
            Value::Table(list) => {
                if list.raw_len() > MOST_COMMANDS {
                    return Err(refuse(&format!("one command may become {MOST_COMMANDS}")));
                }
                let sources = list.sequence_values::<Value>().map(|value| Source::from_lua(value?, lua));
                Ok(Returned::Instead(sources.collect::<mlua::Result<_>>()?))
            }
            one @ (Value::UserData(_) | Value::String(_)) => Ok(Returned::Instead(vec![Source::from_lua(one, lua)?])),
            other => {
                let found = kind_of(&other);
                Err(refuse(&format!("command returns nothing, false or a list of commands, not a {found}")))
            }
        }
    }
}

impl Returned {
    /// Returns what goes on in place of a command that went this way.
    pub(super) fn into_commands(self, host: &Host, direction: Direction) -> Result<Option<Vec<Command>>, Fault> {
        let Returned::Instead(sources) = self else { return Ok(None) };
        let commands = sources.into_iter().map(|source| {
            let (command, _) = source.make(None, direction, None)?;
            host.spend(command.as_bytes().len())?;
            Ok(command)
        });
        commands.collect::<mlua::Result<_>>().map(Some).map_err(|error| Fault::of(&error, ""))
    }
}

/// Makes a text of what a command of a script returns.
pub(super) fn text(lua: &Lua, value: Value) -> Result<String, Fault> {
    let text = match value {
        Value::Nil => return Ok(String::new()),
        Value::Boolean(truth) => return Ok(truth.to_string()),
        value @ (Value::String(_) | Value::Integer(_) | Value::Number(_)) => lua.coerce_string(value),
        other => {
            let message =
                format!("a command returns a string, a number, a boolean or nothing, not a {}", kind_of(&other));
            return Err(Fault { message, line: None });
        }
    };
    let text = text.map_err(|error| Fault::of(&error, ""))?;
    Ok(text.map(|text| text.to_string_lossy()).unwrap_or_default())
}

/// Commands that may go on in place of one.
const MOST_COMMANDS: usize = 256;
