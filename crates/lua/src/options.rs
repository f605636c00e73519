//! [`Options`]: what a script lets people set with `--set name=value`.

use mlua::{Lua, Table, Value};

use crate::declaration::{Wrong, unlike, wrong};

/// The options that a script declares: a table of defaults, into which what is set is written.
#[derive(Debug, Default)]
pub(crate) struct Options {
    table: Option<Table>,
    list: Vec<(String, Kind)>,
}

/// What kind of value an option has: that of its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Number,
    Truth,
    Text,
    List,
}

impl Options {
    /// Reads the table of a script.
    pub(crate) fn read(value: &Value) -> Result<Options, Wrong> {
        let table = match value {
            Value::Nil => return Ok(Options::default()),
            Value::Table(table) => table.clone(),
            other => return Err(unlike("options", "a table of defaults", other)),
        };
        let mut list = Vec::new();
        for pair in table.pairs::<Value, Value>() {
            let (Value::String(name), default) = pair.map_err(|error| wrong("options", error.to_string()))? else {
                return Err(wrong("options", "`options` has names for keys"));
            };
            let name = name.to_string_lossy();
            let kind = Kind::of(&default).ok_or_else(|| {
                wrong(&name, format!("the option `{name}` is a number, a string, a boolean or a list of strings"))
            })?;
            list.push((name, kind));
        }
        list.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Options { table: Some(table), list })
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    /// Sets an option. `Ok(false)`: there is none of this name.
    pub(crate) fn set(&self, lua: &Lua, name: &str, text: &str) -> Result<bool, String> {
        let (Some(table), Some((_, kind))) = (&self.table, self.list.iter().find(|(own, _)| own == name)) else {
            return Ok(false);
        };
        let value = kind.parse(lua, text)?;
        table.raw_set(name, value).map_err(|error| error.to_string())?;
        Ok(true)
    }
}

impl Kind {
    fn of(default: &Value) -> Option<Kind> {
        match default {
            Value::Integer(_) | Value::Number(_) => Some(Kind::Number),
            Value::Boolean(_) => Some(Kind::Truth),
            Value::String(_) => Some(Kind::Text),
            Value::Table(_) => Some(Kind::List),
            _ => None,
        }
    }

    fn parse(self, lua: &Lua, text: &str) -> Result<Value, String> {
        match self {
            Kind::Number => text.parse().map(Value::Number).map_err(|_| format!("{text:?} is not a number")),
            Kind::Truth => match text {
                "true" | "1" | "yes" => Ok(Value::Boolean(true)),
                "false" | "0" | "no" => Ok(Value::Boolean(false)),
                _ => Err(format!("{text:?} is neither true nor false")),
            },
            Kind::Text => lua.create_string(text).map(Value::String).map_err(|error| error.to_string()),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                lua.create_sequence_from(items).map(Value::Table).map_err(|error| error.to_string())
            }
        }
    }
}
