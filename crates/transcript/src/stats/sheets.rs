//! The report as tables.

use std::collections::BTreeMap;

use super::histogram::Times;
use super::report::{By, Messages, Report};
use crate::sheet::{Column, Sheet};

impl Report {
    /// Returns the sum in a sentence.
    pub fn summary(&self) -> String {
        let span = match (&self.first, &self.last) {
            (Some(first), Some(last)) => format!(", {} to {}", second(first), second(last)),
            _ => String::new(),
        };
        let mut out = format!(
            "{} transcripts, {} sessions, {} commands, {}{span}",
            self.transcripts,
            self.sessions.len(),
            self.commands,
            size(self.bytes)
        );
        for (count, what) in [
            (self.opaque_bytes, "bytes outside the protocol"),
            (self.gaps, "gaps in captures"),
            (self.left_out, "entries too many to tell apart"),
        ] {
            if count > 0 {
                out += &format!("; {count} {what}");
            }
        }
        out
    }

    /// Returns the tables: all of them, or the one that is arranged in this way.
    pub fn sheets(&self, by: Option<By>) -> Vec<Sheet> {
        match by {
            Some(By::Session) => vec![self.by_session()],
            Some(By::Verb) => vec![self.by_verb()],
            Some(By::Account) => vec![self.by_account()],
            None => {
                let all = [
                    self.by_session(),
                    self.by_account(),
                    self.of_connections(),
                    self.by_verb(),
                    self.of_replies(),
                    self.of_errors(),
                    self.of_changes(),
                ];
                all.into_iter().filter(|sheet| !sheet.rows.is_empty()).collect()
            }
        }
    }

    fn by_session(&self) -> Sheet {
        let columns = [
            Column::text("Session"),
            Column::text("Account"),
            Column::text("First"),
            Column::number("Lasted"),
            Column::number("Connections"),
            Column::number("Commands"),
            Column::number("Bytes"),
            Column::number("Messages"),
            Column::number("Errors"),
        ];
        let mut sheet = Sheet::new("Sessions", "", &columns);
        for session in &self.sessions {
            sheet.rows.push(vec![
                session.session.clone(),
                session.account.clone(),
                session.first.as_deref().map(second).unwrap_or_default(),
                session.seconds.map(duration).unwrap_or_default(),
                session.connections.to_string(),
                session.amount.commands.to_string(),
                session.amount.bytes.to_string(),
                session.messages.to_string(),
                session.errors.to_string(),
            ]);
        }
        sheet
    }

    fn by_account(&self) -> Sheet {
        let columns = [
            Column::text("Account"),
            Column::number("Sessions"),
            Column::number("Commands"),
            Column::number("Bytes"),
            Column::text("Said"),
            Column::text("Heard by others"),
        ];
        let mut sheet = Sheet::new("People", "", &columns);
        for (name, account) in &self.accounts {
            sheet.rows.push(vec![
                name.clone(),
                account.sessions.to_string(),
                account.commands.to_string(),
                account.bytes.to_string(),
                messages(&account.said),
                messages(&account.heard),
            ]);
        }
        sheet
    }

    fn of_connections(&self) -> Sheet {
        let columns = [
            Column::text("Server"),
            Column::number("Closed"),
            Column::number("Bytes"),
            Column::number("Lasted p50"),
            Column::number("max"),
            Column::text("Closed by"),
        ];
        let mut sheet = Sheet::new("Connections", "", &columns);
        for (kind, connections) in &self.connections {
            let times = connections.lifetimes.times();
            let time = |pick: fn(&Times) -> f64| times.as_ref().map(pick).map(duration).unwrap_or_default();
            sheet.rows.push(vec![
                (*kind).to_owned(),
                connections.count.to_string(),
                connections.bytes.to_string(),
                time(|times| times.p50),
                time(|times| times.max),
                counts(&connections.closed_by),
            ]);
        }
        sheet
    }

    fn by_verb(&self) -> Sheet {
        let columns = [
            Column::code("Verb"),
            Column::text("Way"),
            Column::text("Server"),
            Column::number("Commands"),
            Column::number("Bytes"),
        ];
        let mut sheet = Sheet::new("Commands", "", &columns);
        for verb in &self.verbs {
            sheet.rows.push(vec![
                verb.verb.clone(),
                verb.direction.into(),
                verb.server.unwrap_or("?").into(),
                verb.amount.commands.to_string(),
                verb.amount.bytes.to_string(),
            ]);
        }
        sheet
    }

    fn of_replies(&self) -> Sheet {
        let columns = [
            Column::code("Request"),
            Column::number("Answered"),
            Column::number("p50"),
            Column::number("p90"),
            Column::number("p99"),
            Column::number("max"),
        ];
        let mut sheet = Sheet::new("Reply times", "From a request to its first answer.", &columns);
        for reply in &self.replies {
            let times = &reply.times;
            let values = [times.p50, times.p90, times.p99, times.max].map(duration);
            sheet.rows.push([vec![reply.verb.clone(), times.count.to_string()], values.to_vec()].concat());
        }
        sheet
    }

    fn of_errors(&self) -> Sheet {
        let columns = [Column::code("Code"), Column::number("Seen"), Column::text("Answers"), Column::text("Meaning")];
        let mut sheet = Sheet::new("Errors", "", &columns);
        for error in &self.errors {
            sheet.rows.push(vec![
                error.code.to_string(),
                error.count.to_string(),
                counts(&error.answers),
                error.meaning.unwrap_or("unknown").into(),
            ]);
        }
        sheet
    }

    fn of_changes(&self) -> Sheet {
        let columns = [
            Column::text("By"),
            Column::number("Commands"),
            Column::number("changed"),
            Column::number("dropped"),
            Column::number("injected"),
            Column::number("delayed"),
            Column::number("held"),
            Column::number("released"),
        ];
        let mut sheet = Sheet::new("What rules and hooks did", "", &columns);
        for (by, changes) in &self.changes {
            let numbers = [
                changes.commands,
                changes.changed,
                changes.dropped,
                changes.injected,
                changes.delayed,
                changes.held,
                changes.released,
            ];
            sheet.rows.push(std::iter::once(by.clone()).chain(numbers.map(|number| number.to_string())).collect());
        }
        sheet
    }
}

fn messages(messages: &Messages) -> String {
    let kinds =
        [(messages.text, "text"), (messages.typing, "typing"), (messages.nudge, "nudge"), (messages.other, "other")];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    kinds.map(|(count, kind)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// `2026-11-22T12:00:01Z`
fn second(time: &str) -> String {
    match time.split_once('.') {
        Some((second, _)) => format!("{second}Z"),
        None => time.to_owned(),
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.2} s")
    } else {
        let whole = seconds as u64;
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
        if hours > 0 { format!("{hours} h {minutes:02} min") } else { format!("{minutes} min {rest:02} s") }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        ..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1024 / 1024),
    }
}
