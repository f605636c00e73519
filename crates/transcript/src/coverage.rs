//! What of the protocol was seen: transcripts against the table of commands.
//!
//! [`Coverage`] takes the events of any number of transcripts, one after the other, and counts each command under the row of
//! [`msnp::table`] that describes it, or as undocumented, with the reason. [`Report`] is the sum, which `serde` writes as JSON
//! and [`Report::sheets`] as tables.

use std::collections::BTreeMap;

use msnp::argument::{self, Scope};
use msnp::payload::datagram::Datagram;
use msnp::table::{self, Format, ROWS, Row};
use msnp::{Command, Direction, ServerKind, Verb, Version, errors};

use crate::event::{Event, Origin};
use crate::scopes::Scopes;

mod report;
mod sheets;

pub use report::{ErrorSeen, Example, Form, Report, Seen, Undocumented};

/// Counts commands.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Only commands of this version count.
    only: Option<Version>,
    rows: BTreeMap<usize, Seen>,
    odd: BTreeMap<Odd, Seen>,
    errors: BTreeMap<u16, u64>,
    transcripts: u64,
    commands: u64,
    left_out: u64,
    scopes: Scopes,
}

/// What a command that the table does not describe looks like.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Odd {
    why: Why,
    verb: Verb,
    direction: Direction,
    server: Option<ServerKind>,
    arguments: usize,
}

/// Why a command counts as undocumented.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Why {
    Verb,
    Direction,
    Server,
    Version,
    Form,
    Arguments,
}

impl Coverage {
    /// Returns a count of nothing. With a version, only commands of connections that speak it count.
    pub fn new(only: Option<Version>) -> Coverage {
        Coverage { only, ..Coverage::default() }
    }

    /// Begins with a transcript.
    pub fn begin(&mut self) {
        self.transcripts += 1;
        self.scopes = Scopes::default();
    }

    /// Takes one event of it, which stands in this line of that file. What a proxy injected does not count.
    pub fn event(&mut self, file: &str, line: u64, event: &Event) {
        self.scopes.learn(event);
        if let Event::Command(event) = event
            && event.origin != Origin::Injected
            && let Ok(command) = event.command()
        {
            let scope = self.scopes.scope(&event.stem.session, event.connection);
            self.command(&command, scope, &|| Example { file: file.to_owned(), line });
        }
        self.scopes.forget(event);
    }

    /// Returns the sum.
    pub fn report(&self) -> Report {
        Report::of(self)
    }

    fn command(&mut self, command: &Command, scope: Scope, example: &dyn Fn() -> Example) {
        if self.only.is_some() && scope.version != self.only {
            return;
        }
        self.commands += 1;
        if let Some(code) = command.verb().error_code().filter(|_| command.direction() == Direction::ServerToClient) {
            *self.errors.entry(code).or_default() += 1;
        }
        let arguments: Vec<&[u8]> = command.arguments().filter(|argument| !argument.is_empty()).collect();
        let seen = match documented(command, scope) {
            Ok(row) => self.rows.entry(row).or_default(),
            Err(why) => {
                let (verb, direction) = (command.verb(), command.direction());
                let odd = Odd { why, verb, direction, server: scope.server, arguments: arguments.len() };
                if self.odd.len() >= MOST_ODD && !self.odd.contains_key(&odd) {
                    self.left_out += 1;
                    return;
                }
                self.odd.entry(odd).or_default()
            }
        };
        seen.add(scope.version, arguments.len(), &payload_type(command), example);
    }
}

/// Returns the index of the row that describes a command, or why there is none.
fn documented(command: &Command, scope: Scope) -> Result<usize, Why> {
    let (verb, direction) = (command.verb(), command.direction());
    if let Some(code) = verb.error_code() {
        let row = ROWS.iter().position(|row| row.verb == "NNN").filter(|_| direction == Direction::ServerToClient);
        return row.filter(|_| errors::lookup(code).is_some()).ok_or(Why::Verb);
    }
    if !table::is_known(verb) {
        return Err(Why::Verb);
    }
    if table::rows(verb, direction).next().is_none() {
        return Err(Why::Direction);
    }
    // until it redirects, a dispatch server is not known for one, and what it says then are forms of a notification server
    let server =
        scope.server.map(|server| if server == ServerKind::Dispatch { ServerKind::Notification } else { server });
    let scope = Scope { server, ..scope };
    let here = |row: &&'static Row| server.is_none_or(|server| row.servers.contains(server));
    if !table::rows(verb, direction).any(|row| here(&row)) {
        return Err(Why::Server);
    }
    let now = |row: &&'static Row| scope.version.is_none_or(|version| row.applies_to(version));
    if !table::rows(verb, direction).filter(here).any(|row| now(&row)) {
        return Err(Why::Version);
    }
    let arguments: Vec<&[u8]> = command.arguments().collect();
    let (row, _) = argument::describe(verb, direction, &arguments, scope).ok_or(Why::Arguments)?;
    if !here(&row) || !now(&row) {
        return Err(Why::Form);
    }
    // rows are constants, of which every use has its own
    let key = |row: &Row| (row.verb, row.direction, row.servers, row.since, row.arguments);
    ROWS.iter().position(|known| key(known) == key(row)).ok_or(Why::Arguments)
}

/// Says in a word what a payload holds: a content type, the root of a document.
fn payload_type(command: &Command) -> String {
    let payload = command.payload();
    if payload.is_empty() {
        return if command.has_payload() { "empty".into() } else { String::new() };
    }
    let datagram = Datagram::parse(payload);
    let content = match datagram.routing().get("Routing") {
        Some(_) => datagram.content().content_type(),
        None => command.headers().content_type(),
    };
    let name = match (content, payload.trim_ascii_start().strip_prefix(b"<")) {
        (Some(content), _) => content.to_ascii_lowercase(),
        (None, Some(xml)) => {
            let end =
                xml.iter().position(|byte| matches!(byte, b'>' | b'/' | b' ' | b'\r' | b'\n')).unwrap_or(xml.len());
            [b"<", &xml[..end], b">"].concat()
        }
        (None, None) if std::str::from_utf8(payload).is_ok() => b"text".to_vec(),
        (None, None) => b"binary".to_vec(),
    };
    String::from_utf8_lossy(name.get(..LONGEST_TYPE).unwrap_or(&name)).into_owned()
}

fn format_of(row: &Row) -> &'static str {
    match row.format {
        Format::Mime => "mime",
        Format::Xml => "xml",
        Format::Text => "text",
        Format::Binary => "binary",
        _ => "",
    }
}

/// No more shapes of undocumented commands are told apart than these.
const MOST_ODD: usize = 2000;
/// Longest name of a payload's type, in bytes.
const LONGEST_TYPE: usize = 64;

#[cfg(test)]
mod tests;
