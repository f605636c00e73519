//! What must hold of every example of the protocol: it is the same as itself however it is numbered, and one change is told
//! once.

use std::path::Path;

use msnp::command::transaction_id;

use super::super::volatile::{GUID, starts_with_guid, starts_with_time};
use super::*;
use crate::screen::Tracker;

/// Reads the examples of the protocol.
pub(super) fn examples() -> Vec<Vec<Said>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().map(|file| example(&std::fs::read_to_string(file).unwrap())).collect()
}

fn example(text: &str) -> Vec<Said> {
    let mut names: Vec<String> = Vec::new();
    let mut current = 0;
    let mut said: Vec<(u64, Direction, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "@conn" | "@use" => {
                let name = rest.split(' ').next().unwrap().to_owned();
                current = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
            }
            "C>" => said.push((current as u64 + 1, Direction::ClientToServer, unescape(rest))),
            "S>" => said.push((current as u64 + 1, Direction::ServerToClient, unescape(rest))),
            "C|" | "S|" => said.last_mut().unwrap().2.extend(unescape(rest)),
            _ => {}
        }
    }
    let command =
        |(connection, way, bytes): (u64, Direction, Vec<u8>)| Some((connection, Command::parse(way, &bytes).ok()?));
    said.into_iter().filter_map(command).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (code, after) = rest.split_first().unwrap();
        rest = after;
        match code {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'x' => {
                out.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            other => out.push(*other),
        }
    }
    out
}

/// Gives a session other ids, times, GUIDs, cookies and addresses, each the same everywhere.
fn renumbered(said: &[Said], seed: u32) -> Vec<Said> {
    let mut tracker = Tracker::default();
    let events = transcript("", said, false).events;
    let mut commands = said.iter();
    let mut out = Vec::new();
    for event in &events {
        tracker.learn(event);
        let Event::Command(event) = event else { continue };
        let (connection, command) = commands.next().unwrap();
        let scope = tracker.scope(*connection);
        let mut command = command.clone();
        for name in
            ["cookie", "session_id", "host_port", "list_version", "timestamp1", "timestamp2", "ticket", "challenge"]
        {
            let arguments: Vec<Vec<u8>> = command.arguments().map(<[u8]>::to_vec).collect();
            let slices: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let found = msnp::argument::find(command.verb(), command.direction(), &slices, scope, name);
            if let Some(value) = found.and_then(|place| arguments.get(place.index).map(|value| (place.index, value))) {
                let other: Vec<u8> = value.1.iter().map(|byte| digit(*byte, seed)).collect();
                command.set_argument(value.0, &other).unwrap();
            }
        }
        if let Some(id) = transaction_id(command.direction(), command.line(), scope).filter(|id| id.0 > 0) {
            command.set_argument(0, (id.0 + seed).to_string().as_bytes()).unwrap();
        }
        let mut bytes = command.as_bytes().to_vec();
        let mut at = 0;
        while at < bytes.len() {
            let length = match () {
                () if starts_with_guid(&bytes[at..]) => GUID,
                () if starts_with_time(&bytes[at..]) => 19,
                () => 0,
            };
            // in a GUID each digit becomes another one, so that no two become the same
            bytes[at..at + length].iter_mut().for_each(|byte| *byte = digit(*byte, seed));
            at += length.max(1);
        }
        let _ = event;
        out.push((*connection, Command::parse(command.direction(), &bytes).unwrap()));
    }
    out
}

fn digit(byte: u8, seed: u32) -> u8 {
    if byte.is_ascii_digit() { b'0' + ((u32::from(byte - b'0') + seed) % 10) as u8 } else { byte }
}

#[test]
fn every_example_is_the_same_as_itself_masked_or_not() {
    for (index, said) in examples().iter().enumerate() {
        for (mask_a, mask_b) in [(false, false), (true, true), (true, false)] {
            let diff =
                Diff::of(&transcript("a", said, mask_a), &transcript("b", said, mask_b), Options::default()).unwrap();
            assert_eq!(found(&diff), Vec::<String>::new(), "example {}", index + 1);
            assert_eq!(diff.summary.commands.same, said.len() as u64);
        }
    }
}

#[test]
fn every_example_with_other_numbers_is_the_same() {
    for (index, said) in examples().iter().enumerate() {
        for seed in [1, 7] {
            let other = renumbered(said, seed);
            assert!(other != *said);
            assert_eq!(
                found(&compare(said, &other, Options::default())),
                Vec::<String>::new(),
                "example {}",
                index + 1
            );
        }
    }
}

#[test]
fn a_command_that_is_taken_out_is_told_once_and_from_either_side() {
    for (index, said) in examples().iter().enumerate() {
        for at in 0..said.len() {
            // what opens a connection says what it is, and `LST` what the properties behind it are about
            let is_first = said.iter().position(|(connection, _)| *connection == said[at].0) == Some(at);
            if is_first || [&b"VER"[..], b"LST"].contains(&&said[at].1.verb().as_bytes()[..]) {
                continue;
            }
            let mut other = said.clone();
            let (_, command) = other.remove(at);
            let options = || Options { pings: true, ..Options::default() };
            let line = crate::screen::printable(command.line());
            let context = format!("example {}, command {}: {line}", index + 1, at + 1);
            assert_eq!(found(&compare(said, &other, options())), [format!("- {line}")], "{context}");
            assert_eq!(found(&compare(&other, said, options())), [format!("+ {line}")], "{context}");
        }
    }
}

/// Returns the values of a command that a test can change, as what they are called and the command with another one.
fn planted(item: &Item, index: usize) -> Option<(String, Command)> {
    let command = item.command()?;
    let all = fields::fields(item, None);
    let plain: Vec<&fields::Field<'_>> = all
        .iter()
        .filter(|field| matches!(field.value, fields::Value::Plain(_)) && field.part == Part::Argument)
        .filter(|field| !["form", "msnobject_urlenc"].contains(&&*field.name) && !field.name.contains('.'))
        .collect();
    let field = plain.get(index % plain.len().max(1))?;
    let arguments: Vec<&[u8]> = command.arguments().collect();
    let (_, names) = msnp::argument::describe(command.verb(), command.direction(), &arguments, item.scope)?;
    let at = names.iter().position(|name| *name == Some(&*field.name))?;
    let mut changed = command.clone();
    // a number stays one, and a word stays a word of no other meaning
    let mut value = arguments[at].to_vec();
    let last = value.last_mut()?;
    *last = if last.is_ascii_digit() { digit(*last, 1) } else { b'x' };
    changed.set_argument(at, &value).ok()?;
    let values: Vec<&[u8]> = changed.arguments().collect();
    let after = msnp::argument::describe(command.verb(), command.direction(), &values, item.scope)?;
    // another form of the line is another thing, and some names are what lines are told apart by
    (after.1 == names && changed != *command).then(|| (field.name.to_string(), changed))
}

#[test]
fn one_value_that_is_changed_is_told_once_by_its_name() {
    // what tells a person, a connection or a dialect is told wherever it matters
    let telling =
        ["email", "inviter_email", "to_email", "email_or_guid", "dialect", "client_brand", "login_url", "redirect_url"];
    let mut count = 0;
    for (number, said) in examples().iter().enumerate() {
        let side = Side::of(&transcript("a", said, false), &Options::default());
        let items: Vec<&Item> = said_items(&side, said);
        for (at, item) in items.iter().enumerate() {
            for index in 0..4 {
                let Some((name, changed)) = planted(item, index) else { continue };
                if telling.contains(&name.as_str()) || KEYED.contains(&(item.verb(), name.as_str())) {
                    continue;
                }
                let mut other = said.clone();
                other[at].1 = changed;
                let context = format!("example {}, command {}: {name}", number + 1, at + 1);
                for (a, b) in [(said, &other), (&other, said)] {
                    let found = found(&compare(a, b, Options::default()));
                    assert_eq!(found.len(), 1, "{context}: {found:?}");
                    assert!(found[0].starts_with(&format!("{} {name}: ", item.verb())), "{context}: {found:?}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 200, "{count}");
}

/// What a burst is sorted by: with another value it is about another group or property.
const KEYED: &[(&str, &str)] = &[("LSG", "group_name"), ("BPR", "key")];

/// Returns the items of a session in the order in which they were said.
fn said_items<'a>(side: &'a Side, said: &[Said]) -> Vec<&'a Item> {
    let mut items: Vec<&Item> = side.connections.iter().flat_map(|connection| &connection.items).collect();
    items.sort_by_key(|item| item.seq);
    assert_eq!(items.len(), said.len());
    items
}
