//! The world that a script sees: Luau's own libraries without those that reach out of it, and the proxy's.

use std::sync::Arc;

use mlua::{Function, Lua, LuaOptions, LuaString, StdLib, Table, Value};

use crate::api;
use crate::fault::Fault;
use crate::host::Host;
use crate::watchdog::Watchdog;

/// Makes a world for the script of `host`, and who watches over it.
pub(crate) fn build(host: &Arc<Host>, chunk: &str) -> Result<(Lua, Arc<Watchdog>), Fault> {
    let limits = &host.settings;
    let libraries = StdLib::COROUTINE
        | StdLib::TABLE
        | StdLib::STRING
        | StdLib::UTF8
        | StdLib::BIT
        | StdLib::MATH
        | StdLib::BUFFER
        | StdLib::VECTOR;
    let lua = Lua::new_with(libraries, LuaOptions::default()).map_err(|error| Fault::of(&error, chunk))?;
    let watchdog = Watchdog::install(&lua, chunk, limits.memory_limit);
    furnish(&lua, host).map_err(|error| Fault::of(&error, chunk))?;
    Ok((lua, watchdog))
}

fn furnish(lua: &Lua, host: &Arc<Host>) -> mlua::Result<()> {
    lua.set_memory_limit(host.settings.memory_limit)?;
    let globals = lua.globals();
    for name in globals.pairs::<String, Value>().map(|pair| Ok(pair?.0)).collect::<mlua::Result<Vec<_>>>()? {
        if !GLOBALS.contains(&name.as_str()) {
            globals.raw_set(name, Value::Nil)?;
        }
    }
    let tame: Function = lua.load(PRELUDE).set_name("=mitmsn").into_function()?;
    tame.call::<()>((host.settings.memory_limit, lua.create_function(find_plain)?))?;
    let seed = match host.settings.seed {
        0 => fastrand::u64(..),
        seed => seed,
    };
    // a number of Luau holds no more
    globals.get::<Table>("math")?.get::<Function>("randomseed")?.call::<()>((seed % (1 << 31)) as f64)?;
    api::register(lua, host)?;
    lua.sandbox(true)
}

/// `find_plain(text, word, from)`: `string.find` with its last argument true, in a time that its arguments cannot spoil.
fn find_plain(_: &Lua, (text, word, from): (LuaString, LuaString, usize)) -> mlua::Result<Option<usize>> {
    let text = text.as_bytes();
    let start = from.saturating_sub(1);
    let rest = text.get(start..).unwrap_or_default();
    Ok(memchr::memmem::find(rest, &word.as_bytes()).map(|at| start + at + 1))
}

/// What is left of Luau's own.
const GLOBALS: [&str; 28] = [
    "_VERSION",
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "vector",
    "xpcall",
];

/// Tames the functions that Luau cannot interrupt.
const PRELUDE: &str = include_str!("prelude.luau");
