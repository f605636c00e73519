//! What a script says of itself: the table that its file returns.

use std::time::Duration;

use mitmsn_proxy::Interest;
use mlua::{Function, Table, Value};
use msnp::types::{Direction, ServerKind, Verb};
use msnp_transcript::expression::closest;

use crate::api::kind_of;
use crate::options::Options;

/// What a script declares.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) name: Option<String>,
    pub(crate) direction: Option<Direction>,
    /// All, if there is none.
    pub(crate) verbs: Vec<Verb>,
    /// All, if there is none.
    pub(crate) servers: Vec<ServerKind>,
    pub(crate) on_error: OnError,
    pub(crate) tick_interval: Duration,
    pub(crate) functions: Functions,
    pub(crate) options: Options,
    /// By name.
    pub(crate) commands: Vec<(String, Function)>,
}

/// The functions that the proxy calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    pub(crate) session_start: Option<Function>,
    pub(crate) connection_open: Option<Function>,
    pub(crate) command: Option<Function>,
    pub(crate) connection_close: Option<Function>,
    pub(crate) session_end: Option<Function>,
    pub(crate) tick: Option<Function>,
}

/// What becomes of a command whose call was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum OnError {
    #[default]
    Pass,
    Drop,
    Close,
}

impl OnError {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OnError::Pass => "pass",
            OnError::Drop => "drop",
            OnError::Close => "close",
        }
    }
}

/// A key that is not as it should be.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The key that is wrong, or whose value is.
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Declaration {
    /// Reads the table.
    pub(crate) fn read(table: &Table) -> Result<Declaration, Wrong> {
        for pair in table.pairs::<Value, Value>() {
            let key = match pair {
                Ok((Value::String(key), _)) => key.to_string_lossy(),
                _ => return Err(wrong("", "the table of a script has names for keys")),
            };
            if !KEYS.contains(&key.as_str()) {
                let help = match closest(&key, KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("a script has the keys {}", KEYS.join(", ")),
                };
                let message = format!("unknown key `{key}` in the table of a script");
                return Err(Wrong { key, message, help: Some(help) });
            }
        }
        let function = |key: &str| match field(table, key)? {
            Value::Nil => Ok(None),
            Value::Function(function) => Ok(Some(function)),
            other => Err(unlike(key, "a function", &other)),
        };
        Ok(Declaration {
            name: text(table, "name")?,
            direction: text(table, "from")?.map(|from| parse_direction(&from)).transpose()?,
            verbs: texts(table, "verbs")?.iter().map(|verb| parse_verb(verb)).collect::<Result<_, _>>()?,
            servers: texts(table, "servers")?.iter().map(|kind| parse_server(kind)).collect::<Result<_, _>>()?,
            on_error: text(table, "on_error")?.map(|policy| parse_on_error(&policy)).transpose()?.unwrap_or_default(),
            tick_interval: interval(table)?,
            functions: Functions {
                session_start: function("session_start")?,
                connection_open: function("connection_open")?,
                command: function("command")?,
                connection_close: function("connection_close")?,
                session_end: function("session_end")?,
                tick: function("tick")?,
            },
            options: Options::read(&field(table, "options")?)?,
            commands: commands(&field(table, "commands")?)?,
        })
    }

    /// Returns the commands that the script wants to see.
    pub(crate) fn interest(&self) -> Interest {
        if self.functions.command.is_none() {
            return Interest::nothing();
        }
        let both = Direction::BOTH.into_iter().filter(|way| self.direction.is_none_or(|own| own == *way));
        both.fold(Interest::nothing(), |all, way| match &self.verbs[..] {
            [] => all.and_all(way),
            verbs => verbs.iter().fold(all, |all, &verb| all.and(way, verb)),
        })
    }
}

/// Returns a complaint about the value of a key.
pub(crate) fn wrong(key: &str, message: impl Into<String>) -> Wrong {
    Wrong { key: key.to_owned(), message: message.into(), help: None }
}

pub(crate) fn unlike(key: &str, wanted: &str, found: &Value) -> Wrong {
    wrong(key, format!("`{key}` must be {wanted}, not a {}", kind_of(found)))
}

fn field(table: &Table, key: &str) -> Result<Value, Wrong> {
    table.raw_get(key).map_err(|error| wrong(key, error.to_string()))
}

fn text(table: &Table, key: &str) -> Result<Option<String>, Wrong> {
    match field(table, key)? {
        Value::Nil => Ok(None),
        Value::String(text) => Ok(Some(text.to_string_lossy())),
        other => Err(unlike(key, "a string", &other)),
    }
}

fn texts(table: &Table, key: &str) -> Result<Vec<String>, Wrong> {
    let list = match field(table, key)? {
        Value::Nil => return Ok(Vec::new()),
        Value::Table(list) => list,
        other => return Err(unlike(key, "a list of strings", &other)),
    };
    let strings = list.sequence_values::<Value>().map(|value| match value {
        Ok(Value::String(text)) => Ok(text.to_string_lossy()),
        Ok(other) => Err(unlike(key, "a list of strings", &other)),
        Err(error) => Err(wrong(key, error.to_string())),
    });
    let strings: Vec<String> = strings.collect::<Result<_, _>>()?;
    // an empty list would mean all, which nobody expects of it
    if strings.is_empty() {
        Err(wrong(key, format!("`{key}` is empty: leave it out to mean all")))
    } else {
        Ok(strings)
    }
}

fn parse_direction(from: &str) -> Result<Direction, Wrong> {
    match from {
        "client" => Ok(Direction::ClientToServer),
        "server" => Ok(Direction::ServerToClient),
        _ => Err(wrong("from", format!("`from` is \"client\" or \"server\", not {from:?}"))),
    }
}

fn parse_verb(verb: &str) -> Result<Verb, Wrong> {
    verb.parse().map_err(|_| wrong("verbs", format!("{verb:?} is no verb: three capital letters or three digits")))
}

fn parse_server(kind: &str) -> Result<ServerKind, Wrong> {
    kind.parse().map_err(|_| wrong("servers", format!("{kind:?} is no kind of server: ds, ns or sb")))
}

fn parse_on_error(policy: &str) -> Result<OnError, Wrong> {
    let known = [OnError::Pass, OnError::Drop, OnError::Close];
    known
        .into_iter()
        .find(|known| known.as_str() == policy)
        .ok_or_else(|| wrong("on_error", format!("`on_error` is \"pass\", \"drop\" or \"close\", not {policy:?}")))
}

fn interval(table: &Table) -> Result<Duration, Wrong> {
    let seconds = match field(table, "tick_interval")? {
        Value::Nil => 1.0,
        Value::Integer(seconds) => seconds as f64,
        Value::Number(seconds) => seconds,
        other => return Err(unlike("tick_interval", "a number of seconds", &other)),
    };
    if (SHORTEST_TICK..=LONGEST_TICK).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong("tick_interval", format!("`tick_interval` is between {SHORTEST_TICK} and {LONGEST_TICK} seconds")))
    }
}

fn commands(value: &Value) -> Result<Vec<(String, Function)>, Wrong> {
    let table = match value {
        Value::Nil => return Ok(Vec::new()),
        Value::Table(table) => table,
        other => return Err(unlike("commands", "a table of functions", other)),
    };
    let mut list = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        match pair {
            Ok((Value::String(name), Value::Function(function))) => list.push((name.to_string_lossy(), function)),
            _ => return Err(wrong("commands", "`commands` has names for keys and functions for values")),
        }
    }
    list.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(list)
}

/// Every key that the table may have.
const KEYS: [&str; 14] = [
    "name",
    "from",
    "verbs",
    "servers",
    "on_error",
    "tick_interval",
    "options",
    "commands",
    "session_start",
    "connection_open",
    "command",
    "connection_close",
    "session_end",
    "tick",
];
/// Bounds of the time between two ticks, in seconds.
const SHORTEST_TICK: f64 = 0.1;
const LONGEST_TICK: f64 = 86_400.0;
