//! The tables `Command` and `mitmsn`, and `print`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mlua::{Lua, LuaString, MultiValue, Table};
use msnp::argument::{self, Scope};
use msnp::{Direction, LengthPolicy, Version, challenge, text};
use tracing::{debug, error, info, trace, warn};

use super::Text;
use super::command::Handle;
use super::context::Context;
use super::making::make;
use crate::host::{Host, refuse};

/// Puts all of it into the globals of a world.
pub(super) fn register(lua: &Lua, host: &Arc<Host>) -> mlua::Result<()> {
    let globals = lua.globals();
    globals.set("Command", commands(lua, host)?)?;
    globals.set("mitmsn", library(lua, host)?)?;
    let own = Arc::clone(host);
    let print = lua.create_function(move |lua, values: MultiValue| {
        let tostring: mlua::Function = lua.globals().get("tostring")?;
        let texts = values.into_iter().map(|value| Ok(tostring.call::<LuaString>(value)?.to_string_lossy()));
        write(&own, None, "info", &texts.collect::<mlua::Result<Vec<_>>>()?.join(" "));
        Ok(())
    })?;
    globals.set("print", print)
}

fn commands(lua: &Lua, host: &Arc<Host>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let own = Arc::clone(host);
    let new = move |lua: &Lua, (Text(line), payload, from): (Text, Option<Text>, Option<String>)| {
        let payload = payload.as_ref().map(|Text(payload)| payload.as_slice());
        let (command, is_numbered) = make(&line, payload, direction(from.as_deref())?, None)?;
        let handle = Handle::new(lua, &own, command, Scope::default())?;
        Ok(if is_numbered { handle.numbered() } else { handle })
    };
    table.set("new", lua.create_function(new)?)?;
    let own = Arc::clone(host);
    let parse = move |lua: &Lua, source: LuaString| {
        let source = source.to_str().map_err(|_| refuse("the text form of commands is UTF-8"))?;
        let drafts = text::parse(&source).map_err(|error| refuse(&error.to_string()))?;
        let list = lua.create_table()?;
        for mut draft in drafts {
            let is_numbered = draft.is_numbered();
            draft.fill(|name| (name == "trid" && is_numbered).then(|| b"0".to_vec()));
            let command = draft.command(Some(Direction::ClientToServer), LengthPolicy::Repair);
            let command = command.map_err(|error| refuse(&error.to_string()))?;
            let handle = Handle::new(lua, &own, command, Scope::default())?;
            list.raw_push(if is_numbered { handle.numbered() } else { handle })?;
        }
        Ok(list)
    };
    table.set("parse", lua.create_function(parse)?)?;
    Ok(table)
}

fn library(lua: &Lua, host: &Arc<Host>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let encode = |lua: &Lua, Text(text): Text| lua.create_string(argument::encode(&text));
    table.set("encode", lua.create_function(encode)?)?;
    let decode = |lua: &Lua, Text(text): Text| lua.create_string(argument::decode(&text));
    table.set("decode", lua.create_function(decode)?)?;
    let answer = |_: &Lua, (Text(text), version): (Text, u8)| {
        let product = challenge::product_for(Version(version))
            .ok_or_else(|| refuse(&format!("MSNP{version} has no challenges that are known")))?;
        Ok((product.id, challenge::answer(&text, product, Version(version))))
    };
    table.set("challenge", lua.create_function(answer)?)?;
    let now = |_: &Lua, ()| Ok(seconds(SystemTime::now()));
    table.set("time", lua.create_function(now)?)?;
    let own = Arc::clone(host);
    let connections = move |lua: &Lua, ()| {
        let list = own.people.members().into_iter().map(|member| Context::of(&own, &member));
        lua.create_sequence_from(list)
    };
    table.set("connections", lua.create_function(connections)?)?;
    let own = Arc::clone(host);
    let write =
        move |_: &Lua, (first, second): (LuaString, Option<LuaString>)| log(&own, None, &first, second.as_ref());
    table.set("log", lua.create_function(write)?)?;
    Ok(table)
}

/// Writes `(text)`, or `(level, text)`, into the log.
pub(super) fn log(
    host: &Host,
    connection: Option<u64>,
    first: &LuaString,
    second: Option<&LuaString>,
) -> mlua::Result<()> {
    let Some(text) = second else {
        write(host, connection, "info", &first.to_string_lossy());
        return Ok(());
    };
    let level = first.to_string_lossy();
    if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        return Err(refuse(&format!("the level {level:?} is none of error, warn, info, debug and trace")));
    }
    write(host, connection, &level, &text.to_string_lossy());
    Ok(())
}

fn write(host: &Host, connection: Option<u64>, level: &str, text: &str) {
    if !host.may_log() {
        return;
    }
    let text: String = text.chars().take(MOST_CHARACTERS).collect();
    let script = host.name();
    match level {
        "error" => error!(%script, connection, "{text}"),
        "warn" => warn!(%script, connection, "{text}"),
        "debug" => debug!(%script, connection, "{text}"),
        "trace" => trace!(%script, connection, "{text}"),
        _ => info!(%script, connection, "{text}"),
    }
}

/// Reads `client` or `server`.
pub(super) fn direction(from: Option<&str>) -> mlua::Result<Direction> {
    match from {
        None | Some("client") => Ok(Direction::ClientToServer),
        Some("server") => Ok(Direction::ServerToClient),
        Some(other) => Err(refuse(&format!("{other:?} is neither \"client\" nor \"server\""))),
    }
}

/// Returns a time in seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Longest line that is written into the log.
const MOST_CHARACTERS: usize = 4000;
