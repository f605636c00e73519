//! What a replay found: what was as recorded, and what was not.

use std::fmt;

use msnp::Command;
use serde::Serialize;

use crate::compare::Difference;
use crate::script::{Dialogue, line_of};

/// The outcome of a replay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Whether the live peer did what the recorded one did.
    pub result: Outcome,
    /// How many of its commands were as recorded.
    pub same: u64,
    /// Its commands with other arguments, or answers of another kind.
    pub different: Vec<Different>,
    /// Its commands that the recording does not have.
    pub not_in_recording: Vec<Line>,
    /// What the recording has, and the live peer did not do.
    pub missing: Vec<Line>,
    /// How many entries the lists above would have more: each is cut at 1000.
    pub more: u64,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// Whether the live peer did what the recorded one did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did.
    #[default]
    Same,
    /// It did not.
    Different,
}

/// Where something was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Place {
    /// The account of the recording, if it is known.
    pub account: Option<String>,
    /// The connection's number in the recording; absent for a connection that the recording does not have.
    pub connection: Option<u64>,
    /// `ds`, `ns` or `sb`.
    pub server: Option<&'static str>,
    /// The sequence number in the recording.
    pub seq: Option<u64>,
}

/// A command that was not as recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Different {
    /// Where it was.
    #[serde(flatten)]
    pub place: Place,
    /// The verb.
    pub verb: String,
    /// What differs.
    pub arguments: Vec<Difference>,
}

/// A command that only one side has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Line {
    /// Where it was.
    #[serde(flatten)]
    pub place: Place,
    /// The command's line without its secrets, or what is missing in words.
    pub text: String,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report {
            result: Outcome::Same,
            same: 0,
            different: Vec::new(),
            not_in_recording: Vec::new(),
            missing: Vec::new(),
            more: 0,
            notes: Vec::new(),
        }
    }

    /// Counts a command that the recording has.
    pub(crate) fn compared(&mut self, place: Place, verb: String, arguments: Vec<Difference>) {
        if arguments.is_empty() {
            self.same += 1;
        } else {
            self.result = Outcome::Different;
            push(&mut self.different, Different { place, verb, arguments }, &mut self.more);
        }
    }

    /// Adds what the recording does not have.
    pub(crate) fn unexpected(&mut self, place: Place, text: String) {
        self.result = Outcome::Different;
        push(&mut self.not_in_recording, Line { place, text }, &mut self.more);
    }

    /// Adds what only the recording has.
    pub(crate) fn missing(&mut self, place: Place, text: String) {
        self.result = Outcome::Different;
        push(&mut self.missing, Line { place, text }, &mut self.more);
    }

    pub(crate) fn note(&mut self, text: String) {
        if self.notes.len() < MOST_ENTRIES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}

impl Place {
    pub(crate) fn of(account: Option<&str>, dialogue: &Dialogue, seq: Option<u64>) -> Place {
        Place {
            account: account.map(str::to_owned),
            connection: Some(dialogue.connection),
            server: Some(dialogue.server.as_str()),
            seq,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account {
            write!(f, "{account} ")?;
        }
        match (self.server, self.connection) {
            (Some(server), Some(connection)) => write!(f, "{server}#{connection}"),
            _ => f.write_str("another connection"),
        }
    }
}

/// Returns a command as a report shows it, with the arrow of the screen.
pub(crate) fn drawn(command: &Command) -> String {
    let arrow = match command.direction() {
        msnp::Direction::ClientToServer => ">>>",
        msnp::Direction::ServerToClient => "<<<",
    };
    format!("{arrow} {}", line_of(command))
}

impl fmt::Display for Report {
    /// Draws the report for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} command(s) as recorded", self.same)?;
        section(f, "not as recorded", &self.different, |f, found| {
            write!(f, "{} {}", found.place, found.verb)?;
            for (index, Difference { name, recorded, live }) in found.arguments.iter().enumerate() {
                let separator = if index == 0 { ":" } else { "," };
                write!(f, "{separator} {name} {} -> {}", or_nothing(recorded), or_nothing(live))?;
            }
            Ok(())
        })?;
        let line = |f: &mut fmt::Formatter<'_>, found: &Line| write!(f, "{} {}", found.place, found.text);
        section(f, "not in the recording", &self.not_in_recording, line)?;
        section(f, "in the recording, but missing", &self.missing, line)?;
        if self.more > 0 {
            writeln!(f, "... and {} more", self.more)?;
        }
        section(f, "notes", &self.notes, |f, note| f.write_str(note))?;
        match self.result {
            Outcome::Same => writeln!(f, "result: same"),
            Outcome::Different => writeln!(f, "result: different"),
        }
    }
}

fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    entries: &[T],
    draw: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title} ({}):", entries.len())?;
    for entry in entries {
        f.write_str("  ")?;
        draw(f, entry)?;
        writeln!(f)?;
    }
    Ok(())
}

fn or_nothing(value: &str) -> &str {
    if value.is_empty() { "(nothing)" } else { value }
}

fn push<T>(list: &mut Vec<T>, entry: T, more: &mut u64) {
    if list.len() < MOST_ENTRIES {
        list.push(entry);
    } else {
        *more += 1;
    }
}

/// How long each list may become: a peer may say anything, as often as it likes.
const MOST_ENTRIES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{client, script};

    #[test]
    fn a_report_reads_like_one_and_hides_secrets() {
        let script = script("0 #1 > VER 1 MSNP8 CVR0");
        let place = |seq| Place::of(Some("alice@example.com"), &script.dialogues[0], seq);
        let mut report = Report::new();
        report.compared(place(Some(2)), "VER".into(), Vec::new());
        assert_eq!(report.to_string(), "1 command(s) as recorded\nresult: same\n");
        let status = Difference::new("status", b"NLN", b"AWY");
        report.compared(place(Some(5)), "CHG".into(), vec![status, Difference::new("capabilities", b"", b"1")]);
        report.unexpected(Place::default(), drawn(&client("USR 3 TWN S t=1&p=2")));
        report.missing(place(Some(9)), drawn(&client("CAL 3 bob@example.com")));
        report.note("the recording ended there".into());
        assert_eq!(
            report.to_string(),
            "1 command(s) as recorded\n\
             not as recorded (1):\n  alice@example.com ns#1 CHG: status NLN -> AWY, capabilities (nothing) -> 1\n\
             not in the recording (1):\n  another connection >>> USR 3 TWN S *******\n\
             in the recording, but missing (1):\n  alice@example.com ns#1 >>> CAL 3 bob@example.com\n\
             notes (1):\n  the recording ended there\n\
             result: different\n"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["result"], "different");
        assert_eq!(json["different"][0]["connection"], 1);
        assert_eq!(json["different"][0]["arguments"][0]["name"], "status");
    }

    #[test]
    fn a_peer_cannot_fill_a_report() {
        let mut report = Report::new();
        (0..1500).for_each(|_| report.unexpected(Place::default(), "ZZZ".into()));
        assert_eq!((report.not_in_recording.len(), report.more), (1000, 500));
    }
}
