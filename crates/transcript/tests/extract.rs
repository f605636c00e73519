//! What can be extracted from the example dialogues of `crates/msnp/tests/data/examples`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use msnp::Command;
use msnp::types::Direction;
use msnp_transcript::event::{CommandEvent, Event, FORMAT, Origin, Payload, Server, SessionEvent, Stem, Text, Way};
use msnp_transcript::extract::{
    Carrier, Collection, Extractor, Found, Kind, Limits, Manifest, Status, TextMessage, check_any_extraction,
};

#[path = "../../msnp/tests/dialogue/mod.rs"]
mod dialogue;

type Files = Vec<(String, Vec<u8>)>;

fn extract(events: &[Event]) -> (Files, Manifest, Vec<TextMessage>) {
    let mut collection = Collection::default();
    let mut extractor = Extractor::new("example.jsonl", Limits::default());
    let mut found: Vec<Found> = events.iter().flat_map(|event| extractor.push(event)).collect();
    let (rest, origin) = extractor.finish();
    found.extend(rest);
    let (mut files, mut texts) = (Vec::new(), Vec::new());
    for found in found {
        let (file, text) = collection.add(found);
        files.extend(file);
        texts.extend(text);
    }
    collection.end(origin);
    let (rest, manifest) = collection.finish();
    files.extend(rest);
    let bytes = |file: &msnp_transcript::extract::NewFile| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        file.write(&mut bytes).unwrap();
        bytes.into_inner()
    };
    (files.iter().map(|file| (file.name.clone(), bytes(file))).collect(), manifest, texts)
}

/// One direction after the other: the dialogues do not tell how the two interleave.
fn events(name: &str) -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".txt"))
        .collect();
    names.sort();
    let index = names.iter().position(|found| found.starts_with(name)).unwrap();
    let dialogue = &dialogue::dialogues(&folder)[index];
    let mut seq = 0;
    let mut stem = || {
        seq += 1;
        Stem { seq, time: format!("2026-11-22T12:00:{seq:02}.000000Z"), session: "01jd".into() }
    };
    let (format, software) = (FORMAT.to_owned(), String::new());
    let mut events =
        vec![Event::Session(SessionEvent { stem: stem(), format, version: 1, software, source: None, redacted: None })];
    for (connection, of) in (1..).zip(&dialogue.connections) {
        let server = if of.id.starts_with("sb") { Server::Sb } else { Server::Ns };
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            for bytes in of.messages(direction) {
                let command = Command::parse(direction, &bytes).unwrap();
                events.push(Event::Command(CommandEvent {
                    stem: stem(),
                    connection,
                    server: Some(server),
                    direction: Way::from(direction),
                    verb: command.verb().to_string(),
                    trid: None,
                    args: command.arguments().map(Text::of).collect(),
                    payload: Some(Payload::of(command.payload())).filter(|_| !command.payload().is_empty()),
                    eol: None,
                    origin: Origin::Peer,
                    sent: None,
                    by: Vec::new(),
                    delay: None,
                    held: None,
                    masked: Vec::new(),
                }));
            }
        }
    }
    events
}

#[test]
fn the_object_of_the_version_1_dialogue_comes_out() {
    let (files, manifest, _) = extract(&events("09"));
    let expected: Vec<u8> = (b' '..b'`').collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].1, expected);
    let entry = &manifest.files[0];
    assert_eq!((entry.kind, entry.status, entry.mime.as_deref()), (Kind::Object, Status::Complete, Some("text/plain")));
    let seen = &entry.seen[0];
    assert_eq!((seen.from.as_str(), seen.to.as_str()), ("bob@example.com", "alice@example.com"));
    assert_eq!((seen.carrier, seen.p2p_session), (Carrier::P2p1, Some(216_498)));
}

#[test]
fn the_version_2_dialogue_carries_no_file() {
    let (files, manifest, texts) = extract(&events("10"));
    assert_eq!((files, manifest.files, texts), (Vec::new(), Vec::new(), Vec::new()));
}

#[test]
fn any_transcript_can_be_extracted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut count = 0;
    for corpus in ["transcript", "extract"] {
        for entry in fs::read_dir(folder.join(corpus)).unwrap() {
            check_any_extraction(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count > 1, "the corpus is empty");
    for name in ["03", "09", "10", "11", "07"] {
        let text: String = events(name).iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
        for cut in (0..text.len()).step_by(97) {
            check_any_extraction(&text.as_bytes()[..cut]);
        }
        check_any_extraction(text.as_bytes());
    }
}
