//! A transcript, written as packets and imported, is the same transcript.
//!
//! The same: connections with their addresses and what the server is, what joins them, commands with their bytes, directions
//! and times to the microsecond, gaps, opaque bytes, notes, and who ended a connection. Not the same, since packets cannot tell
//! it: who changed what and what left instead (it becomes notes), the listener, names and ports that packets stand in for, an end
//! by the proxy (it becomes one by the server), times around a gap (an import waits for what is missing), a single byte missing
//! at the end (the end counts as one), which lines are joined into which opaque event, and ids and numbers.

use std::collections::BTreeMap;
use std::path::Path;

use msnp::Direction;
use msnp_transcript::event::Event;
use msnp_transcript::{Reader, Transcript};
use proptest::prelude::*;
use serde_json::json;

use super::tests::side;
use super::{Side, dialogue, pcapng};
use crate::testing::{Draft, sent};
use crate::{Importer, Transcripts};

/// A connection, as far as it must be the same.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    opened: String,
    client: String,
    upstream: String,
    joined: Option<String>,
    closed: Option<(String, String)>,
    /// Direction, time, and server with the bytes, or how many are missing.
    items: Vec<(String, String, String)>,
    /// The directions in which something is missing: an import waits for it, so that what follows is later.
    late: Vec<&'static str>,
}

fn shape(transcripts: &[Transcript]) -> Vec<Shape> {
    let mut shapes: BTreeMap<(usize, u64), Shape> = BTreeMap::new();
    for (index, transcript) in transcripts.iter().enumerate() {
        for event in &transcript.events {
            let Some(connection) = event.connection() else { continue };
            let shape = shapes.entry((index, connection)).or_default();
            let time = event.stem().time.clone();
            match event {
                Event::ConnectionOpened(event) => {
                    shape.opened = time;
                    shape.client.clone_from(&event.client);
                    shape.upstream.clone_from(&event.upstream);
                }
                Event::SessionJoined(event) => shape.joined = Some(format!("{} {:?}", event.from, event.by)),
                Event::ConnectionClosed(event) => {
                    let time = if shape.late.is_empty() { time } else { String::new() };
                    shape.closed = Some((time, event.by.clone()));
                }
                Event::Command(event) => {
                    let command = event.command().unwrap();
                    let way = command.direction().arrow();
                    let time = if shape.late.contains(&way) { String::new() } else { time };
                    let text = format!("{:?} {}", event.server, command.as_bytes().escape_ascii());
                    shape.items.push((way.into(), time, text));
                }
                Event::Gap(event) => {
                    let way = Direction::from(event.direction).arrow();
                    shape.late.push(way);
                    // the command whose payload is missing is told with the gap
                    if let Some((_, time, _)) = shape.items.iter_mut().rev().find(|(lane, ..)| lane == way) {
                        time.clear();
                    }
                    shape.items.push((way.into(), String::new(), format!("{:?} missing", event.length)));
                }
                // what joined a connection is a note too, and an event
                Event::Note(event)
                    if !["connection ", "belongs to"].iter().any(|start| event.text.starts_with(start))
                        && !event.text.contains("missing") =>
                {
                    shape.items.push(("note".into(), time, event.text.clone()));
                }
                _ => {}
            }
        }
    }
    // what opened first comes first, whatever the numbers
    let mut shapes: Vec<Shape> = shapes.into_values().collect();
    for shape in &mut shapes {
        // each direction is a stream of its own
        shape.items.sort_by(|a, b| a.0.cmp(&b.0));
    }
    shapes.sort_by(|a, b| (&a.opened, &a.client).cmp(&(&b.opened, &b.client)));
    shapes
}

fn import(file: &[u8]) -> Vec<Transcript> {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = Transcripts::new(folder.path(), true);
    let mut importer = Importer::default();
    importer.read(file, Path::new("a"), &mut sink).unwrap();
    importer.finish(&mut sink);
    let made = sink.finish().unwrap();
    made.iter().map(|made| Transcript::read(Reader::open(&made.file).unwrap(), &made.file).unwrap()).collect()
}

/// One login: what happens on the notification server, and switchboards that it leads to.
fn login(gaps: bool) -> impl Strategy<Value = Transcript> {
    let step = (0u8..12, any::<bool>(), 0usize..3000, 0u64..2_000_000);
    prop::collection::vec(step, 0..30).prop_map(move |steps| {
        let mut draft = Draft::new("01jd");
        draft.opened(1, "10.0.0.5:40001", "192.0.2.9:1863");
        for line in [
            ">>> VER 1 MSNP12 CVR0",
            "<<< VER 1 MSNP12",
            ">>> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5 MSMSGS alice@example.com",
            ">>> USR 3 TWN I alice@example.com",
            "<<< USR 3 TWN S ct=1",
            "<<< USR 4 OK alice@example.com 1 0",
        ] {
            server(&mut draft, 1, "ns", line);
        }
        let mut boards: Vec<u64> = Vec::new();
        let mut next = 2;
        for (what, is_client, size, after) in steps {
            draft.event(after, json!({"type": "note", "connection": 1, "text": "a moment later"}));
            let board = boards.last().copied();
            match (what, board) {
                (0..=1, _) => {
                    let cookie = format!("{next}.1.2");
                    server(&mut draft, 1, "ns", &format!("<<< XFR 7 SB 192.0.2.10:1863 CKI {cookie}"));
                    draft.opened(next, &format!("10.0.0.5:{}", 40001 + next), "192.0.2.10:1863");
                    draft.event(0, json!({"type": "session-joined", "connection": next, "from": 1, "by": "cookie"}));
                    server(&mut draft, next, "sb", &format!(">>> USR 1 alice@example.com {cookie}"));
                    server(&mut draft, next, "sb", "<<< USR 1 OK alice@example.com Alice");
                    boards.push(next);
                    next += 1;
                }
                (2..=4, Some(board)) => {
                    let text = "x".repeat(size);
                    let line = match is_client {
                        true => format!(">>> MSG 5 N {size}\r\n{text}"),
                        false => format!("<<< MSG bob@example.com Bob {size}\r\n{text}"),
                    };
                    server(&mut draft, board, "sb", &line);
                }
                (5, Some(board)) if gaps => {
                    // a payload that is not there, and all of it
                    let size = size + 1;
                    server(&mut draft, board, "sb", &format!("<<< MSG bob@example.com Bob {}", size + 1));
                    draft.event(0, json!({"type": "gap", "connection": board, "server": "sb", "direction": "s2c", "length": size + 1}));
                }
                (6, Some(board)) => {
                    let by = if is_client { "client" } else { "server" };
                    draft.closed(board, by);
                    boards.retain(|open| *open != board);
                }
                (7, _) => server(&mut draft, 1, "ns", ">>> PNG"),
                (8, _) => server(&mut draft, 1, "ns", "<<< QNG 50"),
                (9, _) => server(&mut draft, 1, "ns", &format!("<<< NOT {size}\r\n{}", "\r\n".repeat(size / 2) + if size % 2 == 1 { "." } else { "" })),
                (10, _) => server(&mut draft, 1, "ns", "<<< NLN NLN bob@example.com Böb 0"),
                _ => server(&mut draft, 1, "ns", ">>> CHG 9 NLN 0"),
            }
        }
        draft.transcript()
    })
}

/// The records of a dialogue, remarks left out. A switchboard has the version of its session only where that is known.
fn records(text: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(text).unwrap().lines().filter(|line| !line.starts_with('#'));
    let without_version = |line: &str| match line.strip_prefix("@conn ") {
        Some(words) => {
            words.split(' ').enumerate().filter(|(at, _)| *at != 2).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
        }
        None => line.to_owned(),
    };
    lines.map(without_version).collect()
}

fn server(draft: &mut Draft, connection: u64, kind: &str, line: &str) {
    draft.command_with(connection, line, json!({"server": kind}));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_login_comes_back_as_it_was(transcript in login(true)) {
        let transcripts = [transcript];
        let mut file = Vec::new();
        pcapng(&transcripts, &side(Side::Received), "mitmsn", &mut file).unwrap();
        let back = import(&file);
        let (mut wanted, found) = (shape(&transcripts), shape(&back));
        for shape in &mut wanted {
            // nobody saw it end
            let end = transcripts[0].events.last().unwrap().stem().time.clone();
            let time = if shape.late.is_empty() { end } else { String::new() };
            shape.closed.get_or_insert((time, "source".into()));
        }
        prop_assert_eq!(found, wanted);
        prop_assert_eq!(back.len(), 1);
        prop_assert_eq!(back[0].account(), transcripts[0].account());
    }

    #[test]
    fn a_dialogue_comes_back_as_it_was(transcript in login(false)) {
        let mut text = Vec::new();
        dialogue(&[transcript], &mut text).unwrap();
        let back = import(&text);
        let mut again = Vec::new();
        dialogue(&back, &mut again).unwrap();
        prop_assert_eq!(records(&again), records(&text));
        prop_assert_eq!(back.len(), 1);
    }
}

#[test]
fn the_other_side_comes_back_as_what_left() {
    let mut draft = Draft::new("01jd");
    draft.opened(1, "10.0.0.5:40001", "192.0.2.9:1863");
    let change = json!({"server": "ns", "sent": [sent(">>> VER 1 MSNP8 CVR0")], "by": ["old"]});
    draft.command_with(1, ">>> VER 1 MSNP12 MSNP8 CVR0", change);
    draft.command_with(1, "<<< QNG 50", json!({"server": "ns", "origin": "injected", "by": ["me"]}));
    let mut file = Vec::new();
    pcapng(&[draft.transcript()], &side(Side::Sent), "mitmsn", &mut file).unwrap();
    let back = import(&file);
    let lines: Vec<String> =
        back[0].messages().map(|message| message.command.as_bytes().escape_ascii().to_string()).collect();
    assert_eq!(lines, [r"VER 1 MSNP8 CVR0\r\n", r"QNG 50\r\n"]);
    let notes: Vec<&str> = back[0]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Note(note) => Some(&note.text[..]),
            _ => None,
        })
        .collect();
    assert!(notes.contains(&"changed by old; arrived as: >>> VER 1 MSNP12 MSNP8 CVR0"), "{notes:?}");
    assert!(notes.contains(&"injected by me"), "{notes:?}");
}
