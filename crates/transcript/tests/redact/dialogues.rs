//! The example dialogues, redacted.

use std::path::Path;

use msnp::{Direction, LengthPolicy, Version, text};
use msnp_transcript::event::{ConnectionOpened, Event, Text};
use msnp_transcript::redact::{Options, Redactor};
use msnp_transcript::transcript::Transcript;

use crate::support::{event, new_findings, redact, stem, trace, transcript, written};

/// The examples as transcripts. Their records are the text form of commands in other clothes.
fn examples() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().map(|file| example(&std::fs::read_to_string(file).unwrap())).collect()
}

fn example(text: &str) -> Transcript {
    let mut events = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    let mut current = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "@conn" => {
                known.push(words[1]);
                current = known.len() - 1;
                events.push(Event::ConnectionOpened(ConnectionOpened {
                    stem: stem(0),
                    connection: current as u64,
                    client: format!("192.168.7.33:{}", 50_000 + current),
                    listener: "192.168.7.10:1863".into(),
                    upstream: "192.0.2.10:1863".into(),
                    server: None,
                    account: None,
                    version: Version::from_token(words[3].as_bytes()).map(|version| version.to_string()),
                }));
            }
            "@use" => current = known.iter().position(|id| *id == words[1]).unwrap(),
            "C>" | "S>" => {
                let arrow = if words[0] == "C>" { ">>>" } else { "<<<" };
                let mut record = format!("{arrow}{}", &line[2..]);
                while let Some(payload) = lines.next_if(|line| line[1..].starts_with('|')) {
                    record = format!("{record}\n|{}", &payload[2..]);
                }
                let command = text::parse(&record).unwrap()[0].command(None, LengthPolicy::Keep).unwrap();
                events.push(event(current as u64, &command));
            }
            _ => {}
        }
    }
    transcript("20261122T120000Z_alice@example.com_01jd0000000000000000000000.jsonl", events)
}

#[test]
fn the_examples_keep_their_shape_and_nobody() {
    let before = examples();
    let (after, mut redactor) = redact(Options::default(), &before);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(new_findings(before, after), []);
        // which tells something, for a copy that is wrong in one place is found out
        let mut damaged = after.clone();
        let mut commands = damaged.events.iter_mut().filter_map(|event| match event {
            Event::Command(command) => Some(command),
            _ => None,
        });
        if let Some(command) = commands.find(|command| command.payload.is_some()) {
            *command.args.last_mut().unwrap() = Text::of(b"99999");
            assert!(!new_findings(before, &damaged).is_empty());
        }
        for trace_of in [
            "alice@example.com",
            "bob@example.com",
            "carol@example.com",
            "example.org",
            "Alice",
            "Bob",
            "Carol",
            "Böb",
            "EXAMPLETICKET",
            "EXAMPLEMSPAUTH",
            "17262740.1050826919.32308",
            "849102291.520491932",
            "1f2e3d4c-0001",
            "9a8b7c6d-0002",
            "7c2f0f4e-1111",
            "9d1f0f4e",
            "198.51.100.7",
            "192.168.7.33",
            "ALICE-PC",
            "gone fishing",
            "Hello",
            "HAAAAAEAAAADZgAA",
            "7f919fab3095",
            "Stillwater",
            "126868552",
        ] {
            assert_eq!(trace(after, trace_of), None, "{trace_of}");
        }
        assert_eq!(redactor.check(after), []);
        assert_eq!(before.messages().count(), after.messages().count());
        for (old, new) in before.messages().zip(after.messages()) {
            let (old, new) = (old.command, new.command);
            assert!(new.is_framed(), "{}", String::from_utf8_lossy(new.as_bytes()));
            assert_eq!(
                (old.verb(), old.direction(), old.transaction_id()),
                (new.verb(), new.direction(), new.transaction_id())
            );
            assert_eq!(old.arguments().count(), new.arguments().count());
            assert_eq!(old.payload().is_empty(), new.payload().is_empty());
            assert_eq!(old.headers().content_type(), new.headers().content_type());
            for (old, new) in old.arguments().zip(new.arguments()) {
                let is_fixed = old.len() <= 4 && old.iter().all(|byte| byte.is_ascii_uppercase());
                assert!(!is_fixed || old == new, "{old:?}");
            }
        }
    }
}

#[test]
fn who_is_redacted_twice_is_the_same() {
    let (once, _) = redact(Options::default(), &examples());
    let (twice, mut redactor) = redact(Options::default(), &once);
    for (once, twice) in once.iter().zip(&twice) {
        for (once, twice) in written(once).iter().zip(written(twice)) {
            assert_eq!(*once, twice);
        }
        assert_eq!(once.name, twice.name);
        assert_eq!(redactor.check(twice), []);
    }
}

#[test]
fn the_owner_of_the_first_session_comes_first_and_people_keep_their_names_in_later_calls() {
    let text = |account: &str, contact: &str| {
        let lines = [
            (Direction::ServerToClient, format!("RNG 11 192.0.2.1:1863 CKI 1.2.345678 {contact} Someone%20Else")),
            (Direction::ClientToServer, format!("USR 3 TWN I {account}")),
            (Direction::ServerToClient, format!("USR 4 OK {account} {account} 1 0")),
        ];
        let events = lines.iter().map(|(direction, line)| event(1, &crate::support::command(*direction, line, None)));
        transcript("t.jsonl", events.collect())
    };
    let first = text("owner@private.example.net", "friend@private.example.net");
    let (redacted, mut redactor) = redact(Options::default(), std::slice::from_ref(&first));
    let lines = written(&redacted[0]).join("\n");
    assert!(lines.contains(r#""192.0.2.1:1863","CKI","cookie-01","bob@example.com","Bob"]"#), "{lines}");
    // the default friendly name is the account
    assert!(lines.contains(r#"["4","OK","alice@example.com","alice@example.com","1","0"]"#), "{lines}");

    let mut text_of_map = Vec::new();
    redactor.map().write(&mut text_of_map).unwrap();
    let mut options = Options::default();
    options.map = Some(msnp_transcript::redact::Map::parse(&text_of_map).unwrap());
    let second = text("third@private.example.net", "Friend@private.example.net");
    let mut later = Redactor::new(options);
    later.learn(&second);
    let redacted = later.redact(&second).unwrap();
    let lines = written(&redacted).join("\n");
    assert!(lines.contains(r#""cookie-01","bob@example.com","Bob"]"#), "{lines}");
    assert!(lines.contains(r#"["3","TWN","I","carol@example.com"]"#), "{lines}");
    assert_eq!(later.check(&redacted), []);
    // the map alone is enough to find what a copy should not have
    assert!(later.check(&first).iter().any(|left| left.seq == 2 && left.place == "args[3]"));
}

#[test]
fn an_account_that_may_stay_stays_and_its_neighbours_do_not() {
    let payload =
        br#"<ml l="1"><d n="bots.example.net"><c n="echo" l="3" t="1"/><c n="zebulon" l="3" t="1"/></d></ml>"#;
    let command = crate::support::command(Direction::ClientToServer, "ADL 6", Some(payload));
    let mut options = Options::default();
    options.keep = vec!["Echo@bots.example.net".into()];
    let before = transcript("t.jsonl", vec![event(1, &command)]);
    let (redacted, mut redactor) = redact(options, &[before]);
    let command = redacted[0].messages().next().unwrap().command;
    let payload = String::from_utf8_lossy(command.payload()).into_owned();
    assert!(
        payload.contains(r#"<d n="bots.example.net"><c n="echo" l="3" t="1"/><c n="alice.example" l="3""#),
        "{payload}"
    );
    assert_eq!(redactor.check(&redacted[0]), []);
}

#[test]
fn an_account_that_may_stay_stays_though_somebody_is_named_as_a_part_of_it() {
    let lines = ["USR 4 OK zeb.quill@bots.example.net Quill 1 0", "NLN NLN quillon@private.example.net zeb%20Quill 0"];
    let mut events: Vec<Event> =
        lines.iter().map(|line| event(1, &crate::support::command(Direction::ServerToClient, line, None))).collect();
    let payload = br#"<ml><d n="bots.example.net"><c n="zeb.quill" l="3"/></d></ml>"#;
    events.push(event(1, &crate::support::command(Direction::ClientToServer, "ADL 6", Some(payload))));
    let mut options = Options::default();
    options.keep = vec!["zeb.quill@bots.example.net".into()];
    let (redacted, mut redactor) = redact(options, &[transcript("t.jsonl", events)]);
    assert_eq!(redactor.check(&redacted[0]), []);
    let lines = written(&redacted[0]).join("\n");
    assert!(lines.contains("zeb.quill@bots.example.net"), "{lines}");
    assert!(!lines.contains("quillon") && !lines.contains("zeb%20Quill"), "{lines}");
}
