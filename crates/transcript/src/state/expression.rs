//! Expressions on the state of a session, in CEL.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Program, Value};

use super::{Contact, SessionState};
use crate::expression::{self, ExpressionError, Kind};

/// The variables that an expression on the state may use.
pub const STATE_VARIABLES: &[&str] = &[
    "logged_in",
    "account",
    "friendly_name",
    "version",
    "status",
    "privacy",
    "contacts",
    "online",
    "groups",
    "switchboards",
    "connections",
    "in_flight",
    "errors",
];

/// A compiled expression on the state of a session, such as `logged_in && size(switchboards) > 0`. Variables:
///
/// | name | type | meaning |
/// |---|---|---|
/// | `logged_in` | bool | whether a notification server has accepted the login |
/// | `account` | string | who logs in, `""` while unknown |
/// | `friendly_name` | string | its name, `""` while unknown |
/// | `version` | int | 12 for MSNP12, 0 while unknown |
/// | `status` | string | the client's own, as confirmed: `"NLN"`; `""` before the first |
/// | `privacy` | string | `"AL"`, `"BL"`, `""` while unknown |
/// | `contacts` | map | by address: `contacts["bob@example.com"].status`, which is `"FLN"` while offline; `.name`, `.lists` (`["FL", "AL"]`), `.groups`, `.network_id`, `.message` |
/// | `online` | list of string | the addresses of the contacts that are not offline |
/// | `groups` | map | names by number or GUID |
/// | `switchboards` | list of map | `.connection`, `.joined`, `.session_id`, `.participants` (list of addresses), `.ringing` (the same), `.sent`, `.received` |
/// | `connections` | list of map | `.number`, `.server` (`"ds"`, `"ns"`, `"sb"`, `""`), `.in_flight` (list of verbs) |
/// | `in_flight` | int | transactions without an answer |
/// | `errors` | map | how often by code: `errors["911"]` |
///
/// A missing contact or error makes the condition false; it is not an error.
pub struct StateExpression {
    source: String,
    program: Program,
}

impl StateExpression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// If it is no expression, or uses a variable or a function that does not exist, or is no condition.
    pub fn compile(source: &str) -> Result<StateExpression, ExpressionError> {
        let program = expression::compile(source, STATE_VARIABLES, |name| match name {
            "account" | "friendly_name" | "status" | "privacy" => Kind::Text,
            "online" => Kind::Texts,
            "version" | "in_flight" => Kind::Number,
            "logged_in" => Kind::Flag,
            _ => Kind::Unknown,
        })?
        .0;
        Ok(StateExpression { source: source.to_owned(), program })
    }

    /// Whether the expression holds. One that fails (a contact that is missing, a comparison of unlike things) does not.
    pub fn matches(&self, state: &SessionState) -> bool {
        expression::holds(&self.program, state)
    }

    /// Returns the text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for StateExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateExpression({})", self.source)
    }
}

impl VariableResolver for SessionState {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = match variable {
            "logged_in" => Value::Bool(self.logged_in),
            "account" => text(self.account.as_deref()),
            "friendly_name" => text(self.friendly_name.as_deref()),
            "version" => number(self.version.map_or(0, |version| u64::from(version.0))),
            "status" => text(self.presence.status.as_deref()),
            "privacy" => text(self.privacy.as_deref()),
            "contacts" => map(self.contacts.iter().map(|(address, contact)| (address.as_str(), of_contact(contact)))),
            "online" => list(self.online()),
            "groups" => map(self.groups.iter().map(|(group, name)| (group.as_str(), text(Some(name))))),
            "switchboards" => self.switchboards(),
            "connections" => self.connections(),
            "in_flight" => number(self.in_flight() as u64),
            "errors" => map(self.errors.iter().map(|(code, count)| (code.as_str(), number(*count)))),
            _ => return None,
        };
        value.try_into().ok().map(CowVal::Owned)
    }
}

impl SessionState {
    fn switchboards(&self) -> Value {
        let boards = self.switchboards.iter().map(|board| {
            map([
                ("connection", number(board.connection)),
                ("joined", Value::Bool(board.joined)),
                ("session_id", text(board.session_id.as_deref())),
                ("participants", list(board.participants.keys().map(String::as_str))),
                ("ringing", list(board.ringing.iter().map(String::as_str))),
                ("sent", number(board.sent)),
                ("received", number(board.received)),
            ])
        });
        Value::List(Arc::new(boards.collect()))
    }

    fn connections(&self) -> Value {
        let connections = self.connections.iter().map(|open| {
            map([
                ("number", number(open.number)),
                ("server", text(open.server.map(|server| msnp::ServerKind::from(server).as_str()))),
                ("in_flight", list(open.in_flight.iter().map(|transaction| transaction.verb.as_str()))),
            ])
        });
        Value::List(Arc::new(connections.collect()))
    }
}

fn of_contact(contact: &Contact) -> Value {
    map([
        ("status", text(Some(contact.presence.status.as_deref().unwrap_or("FLN")))),
        ("name", text(contact.name.as_deref())),
        ("lists", list(contact.lists.iter().map(|list| list.as_str()))),
        ("groups", list(contact.groups.iter().map(String::as_str))),
        ("network_id", number(contact.network_id.map_or(0, u64::from))),
        ("message", text(contact.presence.personal_message.as_deref())),
    ])
}

fn text(text: Option<&str>) -> Value {
    Value::from(text.unwrap_or_default().to_owned())
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    Value::List(Arc::new(items.map(|item| text(Some(item))).collect()))
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(entries.into_iter().map(|(key, value)| (Key::from(key), value)).collect::<HashMap<_, _>>())
}
