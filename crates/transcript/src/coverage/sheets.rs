//! The report as tables.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::report::{Form, Report, Seen};
use crate::sheet::{Column, Sheet};

impl Report {
    /// Returns the sum in a sentence.
    pub fn summary(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" of {version}")).unwrap_or_default();
        let (seen, all) = (self.seen.len(), self.documented);
        let percent = (seen * 100).checked_div(all).unwrap_or(0);
        format!(
            "{} commands in {} transcripts: {seen} of {all} documented forms{version} seen ({percent} %), {} undocumented shapes",
            self.commands,
            self.transcripts,
            self.undocumented.len()
        )
    }

    /// Returns the tables: undocumented, seen, errors, never seen.
    pub fn sheets(&self) -> Vec<Sheet> {
        let mut sheets = Vec::new();
        if !self.undocumented.is_empty() {
            sheets.push(self.undocumented());
        }
        sheets.push(seen(&self.seen));
        if !self.errors.is_empty() {
            sheets.push(self.errors());
        }
        sheets.push(never_seen(&self.never_seen));
        sheets
    }

    fn undocumented(&self) -> Sheet {
        let note = match self.left_out {
            0 => String::new(),
            count => format!("{count} commands of still other shapes were left out."),
        };
        let columns = [
            Column::code("Verb"),
            Column::text("Way"),
            Column::text("Server"),
            Column::number("Arguments"),
            Column::text("Not documented"),
            Column::number("Seen"),
            Column::text("Versions"),
            Column::text("Payload"),
            Column::text("First seen"),
        ];
        let mut sheet = Sheet::new("Seen but undocumented", note, &columns);
        for odd in &self.undocumented {
            let what = match odd.what {
                "verb" => "the verb",
                "direction" => "in this direction",
                "server" => "on this server",
                "version" => "in this version",
                "form" => "form of another version",
                _ => "the arguments",
            };
            sheet.rows.push(vec![
                odd.verb.clone(),
                odd.direction.into(),
                odd.server.unwrap_or("?").into(),
                odd.arguments.to_string(),
                what.into(),
                odd.seen.count.to_string(),
                versions(&odd.seen),
                listed(&odd.seen.payloads),
                first(&odd.seen),
            ]);
        }
        sheet
    }

    fn errors(&self) -> Sheet {
        let columns = [Column::code("Code"), Column::text("Name"), Column::number("Seen")];
        let mut sheet = Sheet::new("Errors", "", &columns);
        for error in &self.errors {
            sheet.rows.push(vec![
                error.code.to_string(),
                error.name.unwrap_or("unknown").into(),
                error.count.to_string(),
            ]);
        }
        sheet
    }
}

fn seen(forms: &[Form]) -> Sheet {
    let columns = [
        Column::code("Verb"),
        Column::text("Way"),
        Column::text("Servers"),
        Column::text("Documented for"),
        Column::code("Form"),
        Column::number("Seen"),
        Column::text("In"),
        Column::text("Arguments"),
        Column::text("Payload"),
    ];
    let mut sheet = Sheet::new("Seen", "", &columns);
    for form in forms {
        let mut row = start(form);
        row.extend([
            form.seen.count.to_string(),
            versions(&form.seen),
            listed(&form.seen.argument_counts),
            listed(&form.seen.payloads),
        ]);
        sheet.rows.push(row);
    }
    sheet
}

fn never_seen(forms: &[Form]) -> Sheet {
    let columns = [
        Column::code("Verb"),
        Column::text("Way"),
        Column::text("Servers"),
        Column::text("Documented for"),
        Column::code("Form"),
        Column::text("Payload"),
        Column::text("Confidence"),
    ];
    let mut sheet = Sheet::new("Never seen", "", &columns);
    for form in forms {
        let mut row = start(form);
        row.extend([form.payload.into(), form.confidence.into()]);
        sheet.rows.push(row);
    }
    sheet
}

fn start(form: &Form) -> Vec<String> {
    let since = form.since.trim_start_matches("MSNP");
    let documented = match &form.until {
        Some(until) if *until == form.since => since.to_owned(),
        Some(until) => format!("{since}-{}", until.trim_start_matches("MSNP")),
        None => format!("{since}+"),
    };
    vec![form.verb.into(), form.direction.into(), form.servers.join(" "), documented, form.arguments.into()]
}

/// `8 12 18`, in the order of numbers.
fn versions(seen: &Seen) -> String {
    let mut versions: Vec<&str> = seen.versions.keys().map(|version| version.trim_start_matches("MSNP")).collect();
    versions.sort_by_key(|version| (version.parse::<u8>().is_err(), version.parse::<u8>().unwrap_or(0)));
    versions.join(" ")
}

fn listed<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    match counts.len() {
        1 => counts.keys().map(K::to_string).collect(),
        _ => counts.iter().map(|(key, count)| format!("{key} ({count})")).collect::<Vec<_>>().join(", "),
    }
}

fn first(seen: &Seen) -> String {
    seen.first.as_ref().map(|example| format!("{}:{}", example.file, example.line)).unwrap_or_default()
}
