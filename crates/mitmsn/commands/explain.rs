//! `mitmsn explain`: the table of verbs and error codes, for people.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use msnp::errors::{self, PayloadSeen};
use msnp::table::{PayloadRule, ROWS, Row};
use msnp::types::{Direction, ServerKind, Verb};
use msnp_transcript::expression::closest;

/// Explains words, or lists all verbs.
pub(super) fn run(words: &[String]) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if words.is_empty() {
        list(&mut out)?;
    }
    for word in words {
        let Ok(verb) = word.to_uppercase().parse::<Verb>() else {
            bail!("{word:?} is neither three letters nor three digits");
        };
        match verb.error_code() {
            Some(code) => error(&mut out, code)?,
            None => explain(&mut out, verb)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(out: &mut impl Write) -> Result<()> {
    let mut last = "";
    for row in ROWS.iter().filter(|row| row.verb.len() == 3 && row.verb != "NNN") {
        let verb = if row.verb == last { "" } else { row.verb };
        writeln!(out, "{verb:3}  {}  {}", row.direction, row.meaning)?;
        last = row.verb;
    }
    Ok(())
}

fn explain(out: &mut impl Write, verb: Verb) -> Result<()> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.verb == verb.as_str()).collect();
    if rows.is_empty() {
        let known = ROWS.iter().map(|row| row.verb).filter(|verb| verb.len() == 3);
        match closest(verb.as_str(), known) {
            Some(near) => bail!("{verb} is not in the table; did you mean {near}?"),
            None => bail!("{verb} is not in the table; `mitmsn explain` lists what is"),
        }
    }
    for row in rows {
        let arrow = if row.direction == Direction::ClientToServer { ">>>" } else { "<<<" };
        writeln!(out, "{arrow} {} {}", row.verb, row.arguments)?;
        writeln!(out, "    {}", row.meaning)?;
        let payload = match row.payload {
            PayloadRule::NoPayload => "none".to_owned(),
            PayloadRule::Last => format!("{:?}, its length is the last argument", row.format),
            PayloadRule::IfNumeric => format!("{:?}, if the last of two or more arguments is a number", row.format),
            PayloadRule::Lookahead => "unknown".to_owned(),
        };
        writeln!(out, "    {}, {}; payload: {}", servers(row), versions(row), payload.to_lowercase())?;
        writeln!(out, "    sources: {} ({:?} confidence)", row.sources, row.confidence)?;
    }
    Ok(())
}

fn servers(row: &Row) -> String {
    let kinds = [ServerKind::Dispatch, ServerKind::Notification, ServerKind::Switchboard];
    kinds.into_iter().filter(|kind| row.servers.contains(*kind)).map(ServerKind::as_str).collect::<Vec<_>>().join(" ")
}

fn versions(row: &Row) -> String {
    match (row.since.0, row.until) {
        (0, _) => "CVR0".to_owned(),
        (_, Some(until)) if until == row.since => until.to_string(),
        (_, Some(until)) => format!("{} to {until}", row.since),
        (_, None) => format!("{} and later", row.since),
    }
}

fn error(out: &mut impl Write, code: u16) -> Result<()> {
    let Some(error) = errors::lookup(code) else { bail!("{code} is no known error code") };
    let payload = match error.payload_seen {
        PayloadSeen::No => "",
        PayloadSeen::Maybe => "; may carry a payload",
        PayloadSeen::Yes => "; carries a payload",
    };
    writeln!(out, "<<< {code} trid [length]\n    {}: {}{payload}", error.name, error.meaning)?;
    writeln!(out, "    sources: {}", error.sources)?;
    Ok(())
}
