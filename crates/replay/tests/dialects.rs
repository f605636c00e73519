//! The example dialogues of every version, replayed by both sides to each other: neither finds a difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use msnp::flow::Address;
use msnp::{Command, Direction};
use msnp_replay::client::{self, Secrets};
use msnp_replay::server::{self, Matching, Pace, Server};
use msnp_replay::{Outcome, Script};
use msnp_transcript::Reader;
use msnp_transcript::event::Sent;
use serde_json::json;

#[tokio::test]
async fn both_sides_of_every_example_find_the_other_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    // two people in one recording, odd framing, and the HTTP gateway are not what the proxy records
    files.retain(|file| {
        !["03-", "08-", "12-"].iter().any(|odd| file.file_name().unwrap().to_str().unwrap().starts_with(odd))
    });
    assert!(files.len() > 8);
    for file in files {
        let text = transcript(&std::fs::read_to_string(&file).unwrap());
        let script = || Script::read(Reader::new(text.as_bytes(), &file), &file).unwrap();
        for matching in [Matching::Loose, Matching::Strict] {
            let options = server::Options { matching, pace: Pace::AtOnce, password: None };
            let server = Server::bind(script(), ([127, 0, 0, 1], 0).into(), options, None).await.unwrap();
            let address = Address::parse(&server.address().to_string()).unwrap();
            let mut secrets = Secrets::default();
            secrets.set_password(None, "password");
            let options = client::Options { secrets, timeout: Duration::from_secs(5), ..client::Options::to(address) };
            let playing = client::play(vec![script()], options, None, std::future::pending());
            let stop = tokio::sync::Notify::new();
            let both = tokio::join!(server.run(stop.notified()), async {
                let report = playing.await.unwrap();
                stop.notify_one();
                report
            });
            for report in [both.0, both.1] {
                assert_eq!(report.result, Outcome::Same, "{}, {matching:?}\n{report}", file.display());
            }
        }
    }
}

/// Writes an example as a transcript that keeps its secrets. The format is described in the README beside the examples.
fn transcript(example: &str) -> String {
    let mut events = vec![json!({"type": "session", "format": "mitmsn-transcript", "version": 1, "software": "test"})];
    let mut connections: Vec<&str> = Vec::new();
    let mut current = 0;
    let mut messages: Vec<(usize, Direction, Vec<u8>)> = Vec::new();
    let mut ends: Vec<(usize, usize, &str)> = Vec::new();
    for line in example.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let id = rest.split(' ').next().unwrap();
        match kind {
            "@conn" => {
                connections.push(id);
                current = connections.len();
            }
            "@use" => current = 1 + connections.iter().position(|connection| *connection == id).unwrap(),
            "@close" => {
                let connection = 1 + connections.iter().position(|connection| *connection == id).unwrap();
                ends.push((messages.len(), connection, rest.split_once("by=").unwrap().1));
            }
            "C>" => messages.push((current, Direction::ClientToServer, unescape(rest))),
            "S>" => messages.push((current, Direction::ServerToClient, unescape(rest))),
            "C|" | "S|" => messages.last_mut().unwrap().2.extend(unescape(rest)),
            _ => {}
        }
    }
    for (index, (connection, direction, bytes)) in messages.iter().enumerate() {
        let command = Command::parse(*direction, bytes).unwrap();
        let mut event = serde_json::to_value(Sent::of(&command)).unwrap();
        let fields = json!({"type": "command", "connection": connection, "origin": "peer"});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        events.push(event);
        for (_, connection, by) in ends.iter().filter(|(at, ..)| *at == index + 1) {
            let bytes = json!({"type": "connection-closed", "connection": connection, "by": by, "client_bytes": 0, "server_bytes": 0});
            events.push(bytes);
        }
    }
    let mut text = String::new();
    for (seq, mut event) in events.into_iter().enumerate() {
        let time = format!("2026-11-22T12:00:{:02}.{:03}000Z", seq / 100, seq % 100 * 10);
        let stem = json!({"seq": seq, "time": time, "session": "01jd"});
        event.as_object_mut().unwrap().extend(stem.as_object().unwrap().clone());
        text.push_str(&format!("{event}\n"));
    }
    text
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next().unwrap() {
                b'r' => out.push(b'\r'),
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'x' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                other => out.push(other),
            },
            byte => out.push(byte),
        }
    }
    out
}
