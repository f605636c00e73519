//! The end: what everybody saw is compared, among each other and with the transcripts.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use msnp::Direction;
use msnp_transcript::Reader;
use msnp_transcript::event::Event;
use msnp_transcript::reader::{self, Side};

use crate::ledger::{Books, Record};
use crate::wire::{Kind, Token};

/// Compares all of it, and returns how many bytes the transcripts have.
pub(crate) fn judge(books: &mut Books, folder: &Path) -> Result<u64> {
    let mut violations = Vec::new();
    let mut keys = BTreeMap::new();
    let mut bytes = 0;
    let mut events = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("no transcripts in {}", folder.display()))? {
        let path = entry?.path();
        bytes += path.metadata()?.len();
        match compare(&path, books, &mut keys, &mut violations) {
            Ok(count) => events += count,
            Err(error) => violations.push(format!("{}: {error:#}", path.display())),
        }
    }
    books.counts.insert("events in transcripts", events);
    let numbers: HashMap<&str, u64> = keys.iter().map(|(number, key)| (key.as_str(), *number)).collect();
    for (key, record) in &books.connections {
        let Some(number) = numbers.get(key.as_str()) else {
            violations.push(format!("{key}: no transcript has it"));
            continue;
        };
        let was_closed = books.closed.contains(number);
        if record.was_cut && !was_closed {
            violations.push(format!("{key}: connection {number} ended, and nobody had asked for that"));
        }
        if !was_closed {
            ends(key, record, books, &mut violations);
        }
    }
    dropped(books, &mut violations);
    for (what, accepted, arrived) in [
        ("edit", books.edits.clone(), books.edited.clone()),
        (
            "injection",
            books.injections.iter().map(|(number, injected)| (number.to_string(), injected.connection)).collect(),
            books.arrived.iter().map(|(number, places)| (number.to_string(), places.clone())).collect(),
        ),
    ] {
        for (name, connection) in &accepted {
            let places = arrived.get(name).map(Vec::as_slice).unwrap_or_default();
            let key = keys.get(connection).map(String::as_str).unwrap_or_default();
            let is_right =
                matches!(places, [place] if place == key) || places.is_empty() && books.closed.contains(connection);
            if !is_right {
                let text = name.parse().ok().and_then(|number: u64| books.injections.get(&number));
                let text = text.map(|injected| injected.text.as_str()).unwrap_or_default();
                violations.push(format!("{what} {name} on {key} ({connection}) arrived at {places:?}: {text:?}"));
            }
        }
        for (name, places) in arrived.iter().filter(|(name, _)| !accepted.contains_key(*name)) {
            violations.push(format!("{what} {name} arrived at {places:?}, though it was not accepted"));
        }
    }
    books.violations.extend(violations);
    Ok(bytes)
}

/// Compares a transcript with the sockets. Returns how many events it has.
fn compare(path: &Path, books: &Books, keys: &mut BTreeMap<u64, String>, violations: &mut Vec<String>) -> Result<u64> {
    let mut reader = Reader::open(path)?;
    let events = reader.by_ref().collect::<Result<Vec<Event>, _>>()?;
    if let Some(line) = reader.torn() {
        violations.push(format!("{}: torn in line {line}", path.display()));
    }
    if !matches!(events.last(), Some(Event::SessionClosed(_))) {
        violations.push(format!("{}: not complete", path.display()));
    }
    let streams = reader::streams(&events)?;
    let mut numbers: Vec<u64> = streams.keys().map(|(number, _)| *number).collect();
    numbers.dedup();
    for number in numbers {
        let stream = |side| streams.get(&(number, side)).map(Vec::as_slice).unwrap_or_default();
        let Some(key) = key_of(stream(Side::Received(Direction::ClientToServer))) else {
            violations.push(format!("{}: connection {number} is of nobody", path.display()));
            continue;
        };
        let was_closed = books.closed.contains(&number);
        match books.connections.get(&key) {
            Some(Record { client: Some(client), server: Some(server), .. }) => {
                use Direction::{ClientToServer, ServerToClient};
                for (what, tally, side, may_be_cut) in [
                    ("the client sent", &client.sent, Side::Received(ClientToServer), was_closed),
                    ("the server received", &server.received, Side::Sent(ClientToServer), false),
                    ("the server sent", &server.sent, Side::Received(ServerToClient), was_closed),
                    ("the client received", &client.received, Side::Sent(ServerToClient), false),
                ] {
                    if let Err(difference) = tally.compare(stream(side), may_be_cut) {
                        let beside = path.with_file_name("..");
                        tally.write(stream(side), &beside, &format!("{key} {what}"))?;
                        let closed = if was_closed { ", closed from outside" } else { "" };
                        violations.push(format!("{key} ({number}{closed}): what {what}: {difference}"));
                    }
                }
            }
            Some(_) => violations.push(format!("{key} ({number}): only one end knows of it")),
            None => violations.push(format!("{key} ({number}): neither end knows of it")),
        }
        if let Some(other) = keys.insert(number, key) {
            violations.push(format!("connection {number} is in two transcripts, as {other} too"));
        }
    }
    Ok(events.len() as u64)
}

/// Returns which connection it is, by what the client says first.
fn key_of(stream: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&stream[..stream.len().min(300)]).into_owned();
    let user = text.split("\r\n").find(|line| line.starts_with("USR "))?;
    let words: Vec<&str> = user.split(' ').collect();
    match words.get(2) {
        Some(&"TWN") => Some(format!("{}n", words.get(4)?.split('@').next()?)),
        _ => Some((*words.get(3)?).to_owned()),
    }
}

/// Compares the two ends of a connection that ended as it should.
fn ends(key: &str, record: &Record, books: &Books, violations: &mut Vec<String>) {
    let Record { client: Some(client), server: Some(server), .. } = record else {
        violations.push(format!("{key}: only one end knows of it"));
        return;
    };
    for (kind, said, heard) in [
        (Kind::LooseRequest, client.loose_said, &server.loose_heard),
        (Kind::LoosePush, server.loose_said, &client.loose_heard),
    ] {
        for number in (1..=said).filter(|number| !heard.contains(number)) {
            let token = Token { kind, key: key.to_owned(), number };
            if !books.dropped.contains(&token) {
                violations.push(format!("{key}: {token} did not arrive, and nobody had dropped it"));
            }
        }
    }
    for token in client.missing.iter().filter(|token| !books.dropped.contains(*token)) {
        violations.push(format!("{key}: no answer to {token}, and nobody had dropped it"));
    }
    if client.challenges != server.challenges {
        let (seen, sent) = (client.challenges, server.challenges);
        violations.push(format!("{key}: the client saw {seen} challenges, and {sent} are left of the server's"));
    }
}

/// Nothing that was dropped may have arrived.
fn dropped(books: &Books, violations: &mut Vec<String>) {
    for token in &books.dropped {
        let Some(Record { client: Some(client), server: Some(server), .. }) = books.connections.get(&token.key) else {
            continue;
        };
        let heard = if token.kind == Kind::LooseRequest { &server.loose_heard } else { &client.loose_heard };
        if heard.contains(&token.number) {
            violations.push(format!("{token} was dropped, and arrived"));
        }
    }
}
