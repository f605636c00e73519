//! Reads the example dialogues of `tests/data/examples`; their format is described in the README beside them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use msnp::types::Direction;

pub(crate) struct Dialogue {
    pub(crate) connections: Vec<Connection>,
}

pub(crate) struct Connection {
    pub(crate) id: String,
    messages: Vec<(Direction, Vec<u8>)>,
}

impl Connection {
    pub(crate) fn messages(&self, direction: Direction) -> Vec<Vec<u8>> {
        self.messages.iter().filter(|(found, _)| *found == direction).map(|(_, bytes)| bytes.clone()).collect()
    }
}

pub(crate) fn dialogues(folder: &Path) -> Vec<Dialogue> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().map(|file| parse(&std::fs::read_to_string(file).unwrap())).collect()
}

fn parse(text: &str) -> Dialogue {
    let mut connections: Vec<Connection> = Vec::new();
    let mut current = 0;
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "@conn" => {
                let id = rest.split(' ').next().unwrap().to_owned();
                connections.push(Connection { id, messages: Vec::new() });
                current = connections.len() - 1;
            }
            "@use" => current = connections.iter().position(|connection| connection.id == rest).unwrap(),
            "C>" => connections[current].messages.push((Direction::ClientToServer, unescape(rest))),
            "S>" => connections[current].messages.push((Direction::ServerToClient, unescape(rest))),
            "C|" | "S|" => connections[current].messages.last_mut().unwrap().1.extend(unescape(rest)),
            _ => assert!(kind.starts_with('#') || kind == "@close", "{line}"),
        }
    }
    Dialogue { connections }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next().unwrap() {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => panic!("unknown escape {other}"),
        }
    }
    out
}
