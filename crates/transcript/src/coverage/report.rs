//! The sum of what was seen.

use std::collections::BTreeMap;

use msnp::table::{Confidence, ROWS, Row};
use msnp::{ServerKind, Version, errors};
use serde::Serialize;

use super::{Coverage, Why, format_of};

/// What was seen of the protocol.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How many transcripts were read.
    pub transcripts: u64,
    /// How many commands in them counted.
    pub commands: u64,
    /// The version that it was limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many forms the table has (for that version).
    pub documented: usize,
    /// The forms that were seen.
    pub seen: Vec<Form>,
    /// The forms that were not.
    pub never_seen: Vec<Form>,
    /// What was seen and is in no row of the table.
    pub undocumented: Vec<Undocumented>,
    /// The errors.
    pub errors: Vec<ErrorSeen>,
    /// How many commands were of still other undocumented shapes, which are too many to tell apart.
    pub left_out: u64,
}

/// A row of the table.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Form {
    /// The verb; `NNN` for errors.
    pub verb: &'static str,
    /// Which way it goes: `c2s` or `s2c`.
    pub direction: &'static str,
    /// On which servers: `ds`, `ns`, `sb`.
    pub servers: Vec<&'static str>,
    /// First version.
    pub since: String,
    /// Last version, if it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The arguments, in the notation of `mitmsn explain`.
    pub arguments: &'static str,
    /// What a payload holds by the table: `mime`, `xml`, `text`; empty without one.
    pub payload: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// How sure the table is: `low`, `medium`, `high`.
    pub confidence: &'static str,
    /// What was seen of it.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What was seen of a form.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Seen {
    /// How many.
    pub count: u64,
    /// By version; `?` where it is not known.
    pub versions: BTreeMap<String, u64>,
    /// By number of arguments.
    pub argument_counts: BTreeMap<usize, u64>,
    /// By type of payload: a content type, or the root of a document.
    pub payloads: BTreeMap<String, u64>,
    /// Where it was seen first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Example>,
}

/// A place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Example {
    /// The transcript.
    pub file: String,
    /// The line in it.
    pub line: u64,
}

/// A shape of commands that is in no row of the table.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Undocumented {
    /// The verb.
    pub verb: String,
    /// Which way it went.
    pub direction: &'static str,
    /// On which kind of server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'static str>,
    /// How many arguments it had.
    pub arguments: usize,
    /// What is not documented: `verb`, `direction`, `server`, `version`, `form` (it is that of another version) or `arguments`.
    pub what: &'static str,
    /// What was seen of it.
    #[serde(flatten)]
    pub seen: Seen,
}

/// An error code.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ErrorSeen {
    /// The code.
    pub code: u16,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// How many.
    pub count: u64,
}

impl Report {
    pub(super) fn of(coverage: &Coverage) -> Report {
        let rows = ROWS.iter().enumerate().filter(|(_, row)| row.verb != "*");
        let rows = rows.filter(|(_, row)| coverage.only.is_none_or(|version| row.applies_to(version)));
        let forms = rows.map(|(index, row)| form(row, coverage.rows.get(&index).cloned().unwrap_or_default()));
        let (seen, never_seen): (Vec<Form>, Vec<Form>) = forms.partition(|form| form.seen.count > 0);
        let undocumented = coverage.odd.iter().map(|(odd, seen)| Undocumented {
            verb: odd.verb.to_string(),
            direction: odd.direction.as_str(),
            server: odd.server.map(ServerKind::as_str),
            arguments: odd.arguments,
            what: match odd.why {
                Why::Verb => "verb",
                Why::Direction => "direction",
                Why::Server => "server",
                Why::Version => "version",
                Why::Form => "form",
                Why::Arguments => "arguments",
            },
            seen: seen.clone(),
        });
        let error = |(&code, &count): (&u16, &u64)| ErrorSeen {
            code,
            name: errors::lookup(code).map(|error| error.name),
            count,
        };
        Report {
            transcripts: coverage.transcripts,
            commands: coverage.commands,
            version: coverage.only.as_ref().map(Version::to_string),
            documented: seen.len() + never_seen.len(),
            seen,
            never_seen,
            undocumented: undocumented.collect(),
            errors: coverage.errors.iter().map(error).collect(),
            left_out: coverage.left_out,
        }
    }
}

fn form(row: &'static Row, seen: Seen) -> Form {
    let kinds = [ServerKind::Dispatch, ServerKind::Notification, ServerKind::Switchboard];
    let version = |version: Version| if version.0 == 0 { "CVR0".to_owned() } else { version.to_string() };
    Form {
        verb: row.verb,
        direction: row.direction.as_str(),
        servers: kinds.into_iter().filter(|kind| row.servers.contains(*kind)).map(ServerKind::as_str).collect(),
        since: version(row.since),
        until: row.until.map(version),
        arguments: row.arguments,
        payload: format_of(row),
        meaning: row.meaning,
        confidence: match row.confidence {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        },
        seen,
    }
}

impl Seen {
    pub(super) fn add(
        &mut self,
        version: Option<Version>,
        arguments: usize,
        payload: &str,
        example: &dyn Fn() -> Example,
    ) {
        self.count += 1;
        let version = version.map_or_else(|| "?".to_owned(), |version| version.to_string());
        *self.versions.entry(version).or_default() += 1;
        if self.argument_counts.len() < MOST || self.argument_counts.contains_key(&arguments) {
            *self.argument_counts.entry(arguments).or_default() += 1;
        }
        if !payload.is_empty() {
            let payload =
                if self.payloads.len() < MOST || self.payloads.contains_key(payload) { payload } else { "other" };
            *self.payloads.entry(payload.to_owned()).or_default() += 1;
        }
        self.first.get_or_insert_with(example);
    }
}

/// No more argument counts or payload types of a form are told apart than these.
const MOST: usize = 100;
