//! [`States`]: the table `ctx.state` of each session.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;

use mlua::{Lua, Table, Value};

use crate::people::Gone;

/// The tables of the sessions. Until it is known to which session a connection belongs, it has one of its own.
#[derive(Debug, Default)]
pub(crate) struct States {
    sessions: HashMap<Arc<str>, Table>,
    connections: HashMap<u64, Table>,
}

impl States {
    /// Returns the table of a session, or of a connection whose session is not known.
    pub(crate) fn get(&mut self, lua: &Lua, session: Option<&str>, connection: u64) -> mlua::Result<Table> {
        let Some(session) = session else {
            return match self.connections.get(&connection) {
                Some(table) => Ok(table.clone()),
                None => {
                    let table = lua.create_table()?;
                    self.connections.insert(connection, table.clone());
                    Ok(table)
                }
            };
        };
        if let Some(early) = self.connections.remove(&connection) {
            match self.sessions.get(session) {
                Some(table) => early.for_each(|key: Value, value: Value| table.raw_set(key, value))?,
                None => {
                    self.sessions.insert(session.into(), early);
                }
            }
        }
        if let Some(table) = self.sessions.get(session) {
            return Ok(table.clone());
        }
        let table = lua.create_table()?;
        self.sessions.insert(session.into(), table.clone());
        Ok(table)
    }

    /// Whether somebody has a table.
    pub(crate) fn has(&self, who: &Gone) -> bool {
        match who {
            Gone::Session(session) => self.sessions.contains_key(session),
            Gone::Connection(connection) => self.connections.contains_key(connection),
        }
    }

    pub(crate) fn forget(&mut self, who: &Gone) {
        match who {
            Gone::Session(session) => self.sessions.remove(session),
            Gone::Connection(connection) => self.connections.remove(connection),
        };
    }

    /// Copies all tables into another world, with what can go there: numbers, strings, booleans, and tables of them.
    pub(crate) fn carry_over(&self, lua: &Lua) -> mlua::Result<States> {
        let mut copies = Copies { lua, known: HashMap::new() };
        let mut states = States::default();
        for (session, table) in &self.sessions {
            states.sessions.insert(Arc::clone(session), copies.table(table, 0)?);
        }
        for (connection, table) in &self.connections {
            states.connections.insert(*connection, copies.table(table, 0)?);
        }
        Ok(states)
    }
}

/// Tables of one world as tables of another. One that is found twice, be it within itself, is copied once.
struct Copies<'l> {
    lua: &'l Lua,
    known: HashMap<*const c_void, Table>,
}

impl Copies<'_> {
    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<Table> {
        if let Some(known) = self.known.get(&table.to_pointer()) {
            return Ok(known.clone());
        }
        let copy = self.lua.create_table()?;
        self.known.insert(table.to_pointer(), copy.clone());
        table.for_each(|key: Value, value: Value| {
            if let (Some(key), Some(value)) = (self.value(&key, depth)?, self.value(&value, depth)?) {
                copy.raw_set(key, value)?;
            }
            Ok(())
        })?;
        Ok(copy)
    }

    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<Option<Value>> {
        Ok(match value {
            Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => Some(value.clone()),
            Value::String(text) => Some(Value::String(self.lua.create_string(text.as_bytes())?)),
            Value::Table(table) if depth < MOST_DEPTH => Some(Value::Table(self.table(table, depth + 1)?)),
            _ => None,
        })
    }
}

/// How deep tables within tables are copied.
const MOST_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_over_what_its_connection_had_before_it_was_known() {
        let lua = Lua::new();
        let mut states = States::default();
        states.get(&lua, None, 1).unwrap().set("offered", 12).unwrap();
        let first = states.get(&lua, Some("s"), 1).unwrap();
        assert_eq!(first.get::<i32>("offered").unwrap(), 12);
        states.get(&lua, None, 2).unwrap().set("second", true).unwrap();
        let both = states.get(&lua, Some("s"), 2).unwrap();
        assert_eq!((both.get::<i32>("offered").unwrap(), first.get::<bool>("second").unwrap()), (12, true));
        states.forget(&Gone::Session("s".into()));
        assert!(!states.has(&Gone::Session("s".into())));
        assert!(states.get(&lua, Some("s"), 1).unwrap().is_empty());
    }

    #[test]
    fn plain_values_survive_a_reload_and_functions_do_not() {
        let (old, new) = (Lua::new(), Lua::new());
        let mut states = States::default();
        let table: Table =
            old.load("local t = {1, {x = 'a\\255'}, f = print, [2.5] = true} t.me = t return t").eval().unwrap();
        states.get(&old, Some("s"), 1).unwrap().set("kept", table).unwrap();
        let mut states = states.carry_over(&new).unwrap();
        new.globals().set("state", states.get(&new, Some("s"), 1).unwrap()).unwrap();
        let same =
            "local k = state.kept return k.me == k and k[1] == 1 and k[2].x == 'a\\255' and k[2.5] and k.f == nil";
        assert!(new.load(same).eval::<bool>().unwrap());
    }
}
