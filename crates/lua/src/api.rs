//! What a script can call: `docs/scripts.md` is its documentation, `config/scripts/mitmsn.d.luau` its types.

use std::sync::Arc;
use std::time::Duration;

use mlua::{FromLua, Lua, Value};
use msnp_transcript::expression::closest;

use crate::host::{Host, refuse};

mod arguments;
pub(crate) mod command;
pub(crate) mod context;
mod headers;
mod library;
pub(crate) mod making;

/// Puts everything into a world.
pub(crate) fn register(lua: &Lua, host: &Arc<Host>) -> mlua::Result<()> {
    library::register(lua, host)
}

/// Bytes that a script gives: a string, or a number as Luau writes it.
pub(crate) struct Text(pub(crate) Vec<u8>);

impl FromLua for Text {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<Text> {
        let kind = kind_of(&value);
        match value {
            Value::String(text) => Ok(Text(text.as_bytes().to_vec())),
            number @ (Value::Integer(_) | Value::Number(_)) => {
                let text = lua.coerce_string(number)?;
                Ok(Text(text.map_or_else(Vec::new, |text| text.as_bytes().to_vec())))
            }
            _ => Err(refuse(&format!("a string is wanted here, not a {kind}"))),
        }
    }
}

/// Returns the kind of a value as a script knows it.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        // Luau has one kind of number
        Value::Integer(_) => "number",
        other => other.type_name(),
    }
}

/// Returns the error of a field that there is not.
fn no_field(what: &str, key: &Value, known: &[&str]) -> mlua::Error {
    let key = key.to_string().unwrap_or_default();
    let hint = match closest(&key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", known.join(", ")),
    };
    refuse(&format!("a {what} has no `{key}`; {hint}"))
}

/// A time in seconds that a script gives.
pub(crate) struct Seconds(pub(crate) Duration);

impl FromLua for Seconds {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<Seconds> {
        let seconds = f64::from_lua(value, lua)?;
        if !(0.0..=MOST_SECONDS).contains(&seconds) {
            return Err(refuse(&format!("{seconds} is not a time between 0 and {MOST_SECONDS} seconds")));
        }
        Ok(Seconds(Duration::from_secs_f64(seconds)))
    }
}

/// Longest time that a script may name: a week.
const MOST_SECONDS: f64 = 604_800.0;
