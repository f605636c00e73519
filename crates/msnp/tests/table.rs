//! The table against the lists that the project was given: every row of both.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use msnp::table::{Confidence, Format, HasTransactionId, PayloadRule, ROWS, Row, rows};
use msnp::types::{Direction, ServerKind, Verb};
use msnp::{argument, errors};

/// Splits a line of comma-separated values with double quotes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// Writes a row as the list has it. The names that the table adds to choices (`<prompt:A|N>`) are not in the list.
fn listed(row: &Row) -> Vec<String> {
    let mut arguments = String::new();
    let mut rest = row.arguments;
    while let Some((before, after)) = rest.split_once('<') {
        let (choice, behind) = after.split_once('>').unwrap();
        arguments += before;
        arguments += choice.split_once(':').unwrap().1;
        rest = behind;
    }
    arguments += rest;
    let kinds = [(ServerKind::Dispatch, "DS"), (ServerKind::Notification, "NS"), (ServerKind::Switchboard, "SB")];
    let servers: Vec<&str> =
        kinds.iter().filter(|(kind, _)| row.servers.contains(*kind)).map(|(_, name)| *name).collect();
    let since = if row.since.0 == 0 { "CVR0".to_owned() } else { row.since.to_string() };
    [
        row.verb.to_owned(),
        if row.direction == Direction::ClientToServer { "C2S" } else { "S2C" }.to_owned(),
        servers.join("+"),
        since,
        row.until.map(|until| until.to_string()).unwrap_or_default(),
        match row.transaction_id {
            HasTransactionId::Always => "yes",
            HasTransactionId::ZeroOrId => "0-or-id",
            HasTransactionId::Never => "no",
            HasTransactionId::Unknown => "unknown",
        }
        .to_owned(),
        match row.payload {
            PayloadRule::NoPayload => "none",
            PayloadRule::Last => "last-arg",
            PayloadRule::IfNumeric => "only-if-last-arg-numeric",
            PayloadRule::Lookahead => "conditional",
        }
        .to_owned(),
        arguments,
        match row.format {
            Format::None => "none",
            Format::Mime => "mime",
            Format::Xml => "xml",
            Format::Text => "text",
            _ => "binary",
        }
        .to_owned(),
        row.meaning.to_owned(),
        row.sources.to_owned(),
        match row.confidence {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
        .to_owned(),
    ]
    .to_vec()
}

#[test]
fn every_row_of_the_list_is_in_the_table() {
    let list = include_str!("data/commands.csv");
    let expected: Vec<Vec<String>> = list
        .lines()
        .skip(1)
        .map(|line| {
            let mut fields = fields(line);
            fields.remove(7); // the payload rule in words
            fields
        })
        .collect();
    let found: Vec<Vec<String>> = ROWS.iter().map(listed).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn every_row_is_found_by_its_verb_and_agrees_on_framing() {
    for row in ROWS.iter().filter(|row| row.verb != "*") {
        let verb: Verb = if row.verb == "NNN" { "911" } else { row.verb }.parse().unwrap();
        assert!(rows(verb, row.direction).any(|found| found.arguments == row.arguments), "{row:?}");
        assert_eq!(msnp::table::payload_rule(verb, row.direction).0, row.payload, "{row:?}");
        assert!(msnp::table::is_known(verb));
    }
}

#[test]
fn a_line_made_from_each_form_is_named_as_the_form_says() {
    for row in ROWS.iter().filter(|row| !matches!(row.verb, "*" | "NNN")) {
        let verb: Verb = row.verb.parse().unwrap();
        for name in argument::names(verb, row.direction) {
            assert!(argument::has_name(verb, row.direction, name), "{name} of {row:?}");
        }
    }
}

#[test]
fn every_error_of_the_list_is_known() {
    let list = include_str!("data/error-codes.csv");
    let mut count = 0;
    for line in list.lines().skip(1) {
        let fields = fields(line);
        let error = errors::lookup(fields[0].parse().unwrap()).unwrap();
        let seen = match error.payload_seen {
            errors::PayloadSeen::No => "no",
            errors::PayloadSeen::Maybe => "maybe",
            errors::PayloadSeen::Yes => "yes",
        };
        assert_eq!([error.name, error.meaning, error.sources, seen], fields[1..5]);
        count += 1;
    }
    assert_eq!(count, errors::ERRORS.len());
    assert_eq!(errors::lookup(999), None);
}
