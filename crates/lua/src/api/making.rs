//! Commands that a script makes: from a line and a payload, or from a `Command`.

use mlua::{FromLua, Lua, Value};
use msnp::{Command, Direction, TransactionId};

use super::command::Handle;
use super::{Text, kind_of};
use crate::host::refuse;

/// What a script gives where a command is wanted.
pub(crate) enum Source {
    /// A line without its end.
    Line(Vec<u8>),
    Command(Handle),
}

impl FromLua for Source {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<Source> {
        match value {
            Value::UserData(data) => match data.borrow::<Handle>() {
                Ok(handle) => Ok(Source::Command(handle.clone())),
                Err(_) => Err(refuse("a line or a Command is wanted here")),
            },
            Value::String(_) => Ok(Source::Line(Text::from_lua(value, lua)?.0)),
            other => Err(refuse(&format!("a line or a Command is wanted here, not a {}", kind_of(&other)))),
        }
    }
}

impl Source {
    /// Makes a command that goes this way. With `id`, that stands where the line says `{trid}`; without, the second value
    /// tells that it is to have one of its own.
    pub(crate) fn make(
        self,
        payload: Option<&[u8]>,
        direction: Direction,
        id: Option<TransactionId>,
    ) -> mlua::Result<(Command, bool)> {
        match self {
            Source::Line(line) => make(&line, payload, direction, id),
            Source::Command(_) if payload.is_some() => Err(refuse("a Command has its payload already")),
            Source::Command(handle) => {
                let held = handle.held();
                let mut command = held.command.clone().with_direction(direction);
                let is_numbered = held.is_numbered && id.is_none();
                if let Some(id) = id.filter(|_| held.is_numbered) {
                    set_id(&mut command, id)?;
                }
                Ok((command, is_numbered))
            }
        }
    }
}

/// Makes a command of a line and a payload, whose length is put behind the line.
pub(crate) fn make(
    line: &[u8],
    payload: Option<&[u8]>,
    direction: Direction,
    id: Option<TransactionId>,
) -> mlua::Result<(Command, bool)> {
    let is_numbered = line.get(4..).is_some_and(|rest| {
        rest.strip_prefix(PLACEHOLDER).is_some_and(|rest| rest.is_empty() || rest.starts_with(b" "))
    });
    let id_text = id.map_or_else(|| "0".to_owned(), |id| id.to_string());
    let line = match is_numbered {
        true => [&line[..4], id_text.as_bytes(), &line[4 + PLACEHOLDER.len()..]].concat(),
        false => line.to_vec(),
    };
    let command = Command::new(direction, &line, payload)
        .map_err(|_| refuse("a line starts with three capital letters or digits, and has no line end"))?;
    if payload.is_none() && !command.is_framed() {
        return Err(refuse("the line announces a payload: give it behind the line, which gets its length then"));
    }
    Ok((command, is_numbered && id.is_none()))
}

fn set_id(command: &mut Command, id: TransactionId) -> mlua::Result<()> {
    command.set_argument(0, id.to_string().as_bytes()).map_err(|error| refuse(&error.to_string()))
}

/// Stands for a transaction id, as the first argument.
const PLACEHOLDER: &[u8] = b"{trid}";
