//! Every rule: a dialogue that breaks it and no other, and one that breaks none.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::rules::{self, RULES, group};
use super::testing::{Dialogue, events, example};
use super::{Linter, Side};
use crate::event::{Event, FORMAT, Lack, Origin, Sent, SessionEvent, Source, Stem, Text, Way};
use msnp::{Command, Direction, ServerKind};

fn findings(events: &[Event], side: Side) -> Vec<String> {
    let mut linter = Linter::new(side);
    let mut found = Vec::new();
    for (line, event) in events.iter().enumerate() {
        found.extend(linter.event(line as u64 + 1, event));
    }
    found.extend(linter.finish());
    found
        .iter()
        .map(|finding| format!("{}: {} | {}", finding.rule.id, finding.place.command, finding.message))
        .collect()
}

#[test]
fn every_rule_finds_what_is_wrong_and_nothing_else() {
    let mut problems = Vec::new();
    for rule in RULES {
        let wrong = findings(&events(rule.wrong), Side::Received);
        let ids: BTreeSet<&str> = wrong.iter().map(|finding| finding.split(':').next().unwrap()).collect();
        if ids != BTreeSet::from([rule.id]) || wrong.len() != 1 {
            problems.push(format!("{}: the wrong dialogue gives {wrong:#?}", rule.id));
        }
        let right = findings(&events(rule.right), Side::Received);
        if !right.is_empty() {
            problems.push(format!("{}: the right dialogue gives {right:#?}", rule.id));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_example_dialogues_have_only_the_faults_that_they_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msnp/tests/data/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let mut all = String::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for finding in findings(&example(&std::fs::read_to_string(&file).unwrap()), Side::Received) {
            all += &format!("{}: {finding}\n", &name[..2]);
        }
    }
    // 05 shows an error with payload, 08 lines without what comes before them
    let expected = "\
05: syntax/client-bits: ADL 9 58 | 8 holds bits of the reverse or pending list
08: payload/headers: MSG bob@example.com Bob 11 | no MIME-Version, no Content-Type
08: keepalive/unasked: QNG 50 | the client had said no PNG
08: transaction/not-echoed: URL 3 /cgi-bin/HoTMaiL https://login.example/md5auth.srf?lc=1033 2 | the client sent nothing with id 3
08: transaction/not-echoed: 911 12 | the client sent nothing with id 12
";
    assert_eq!(all, expected);
}

#[test]
fn names_of_rules_are_unique_and_found() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    for rule in RULES {
        assert!(rules::find(rule.id).unwrap() == [*rule] && rules::find(group(rule)).unwrap().contains(rule));
    }
    let error = rules::find("transaction/not-echod").unwrap_err();
    assert_eq!(error.to_string(), "no rule is called transaction/not-echod; did you mean transaction/not-echoed?");
}

#[test]
fn a_changed_command_is_judged_on_the_side_that_is_asked_for() {
    let mut events = events("# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0");
    let command = events.iter_mut().rev().find_map(|event| match event {
        Event::Command(event)
            if event.verb == "CHG" && event.trid == Some(10) && event.direction == Way::ClientToServer =>
        {
            Some(event)
        }
        _ => None,
    });
    let changed = Command::new(Direction::ClientToServer, b"CHG 10 ONL 0", None).unwrap();
    command.unwrap().sent = Some(vec![Sent::of(&changed)]);
    assert_eq!(findings(&events, Side::Received), [""; 0]);
    assert_eq!(findings(&events, Side::Sent), ["syntax/status: CHG 10 ONL 0 | ONL is no status"]);
}

#[test]
fn an_injected_command_moves_the_ids_and_nobody_is_blamed() {
    let mut events = events("# MSNP12\nC: PNG\nC: CHG 10 BSY 0\nS: CHG 11 BSY 0\nS: QNG 50");
    for event in &mut events {
        let Event::Command(event) = event else { continue };
        let (line, origin) = match (event.verb.as_str(), event.trid, event.direction) {
            ("CHG", Some(10), Way::ClientToServer) => (&b"CHG 11 BSY 0"[..], Origin::Peer),
            ("CHG", Some(11), Way::ServerToClient) => (&b"CHG 10 BSY 0"[..], Origin::Peer),
            _ => continue,
        };
        let command = Command::new(event.direction.into(), line, None).unwrap();
        (event.sent, event.origin) = (Some(vec![Sent::of(&command)]), origin);
    }
    for side in [Side::Received, Side::Sent] {
        assert_eq!(findings(&events, side), [""; 0], "{side:?}");
    }
}

#[test]
fn events_that_are_missing_are_told_and_nothing_is_made_of_them() {
    let whole = events(
        "# board MSNP12\nC: MSG 10 A {n}\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain\\r\\n\\r\\nhi\nS: ACK 10",
    );
    assert_eq!(findings(&whole, Side::Received), [""; 0]);
    for missing in 0..whole.len() {
        let mut rest = whole.clone();
        rest.remove(missing);
        assert_eq!(findings(&rest, Side::Received), [""; 0], "without event {missing}");
        let late = whole[missing..].to_vec();
        assert_eq!(findings(&late, Side::Received), [""; 0], "from event {missing}");
    }
    let mut linter = Linter::new(Side::Received);
    whole.iter().filter(|event| event.stem().seq != 5).for_each(|event| drop(linter.event(1, event)));
    assert!(linter.notes()[0].starts_with("1 event(s) are missing"), "{:?}", linter.notes());
}

#[test]
fn what_a_source_lacks_is_not_judged_and_said() {
    let mut events = events("# MSNP12\nC: PNG\\n\nS: QNG 50");
    assert_eq!(findings(&events, Side::Received).len(), 1);
    let source = Source { format: "log".into(), file: None, lacks: vec![Lack::Bytes] };
    let session = SessionEvent {
        stem: Stem { session: "01jd".into(), ..Stem::default() },
        format: FORMAT.into(),
        version: 1,
        software: "test".into(),
        source: Some(source),
        redacted: None,
    };
    events.iter_mut().for_each(|event| event.stem_mut().seq += 1);
    events.insert(0, Event::Session(session));
    let mut linter = Linter::new(Side::Received);
    let found: Vec<_> = events.iter().flat_map(|event| linter.event(1, event)).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(linter.notes()[0].contains("lacks the exact bytes") && linter.notes()[0].contains("framing/bare-lf"));
}

#[test]
fn a_masked_cookie_is_not_judged() {
    let mut events = events(rules::find("switchboard/cookie").unwrap()[0].wrong);
    for event in &mut events {
        let Event::Command(event) = event else { continue };
        let masked = match event.verb.as_str() {
            "RNG" => 3,
            "ANS" => 2,
            _ => continue,
        };
        event.args[masked] = Text::Utf8("*".repeat(20));
        event.masked = vec![format!("args[{masked}]")];
    }
    assert_eq!(findings(&events, Side::Received), [""; 0]);
}

fn clean() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.right).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_clean_dialogue_stays_clean_whatever_numbers_it_counts_from(index in 0..RULES.len(), shift in 0u32..4_000_000_000) {
        let mut events = events(clean()[index]);
        for event in &mut events {
            let Event::Command(event) = event else { continue };
            if let Some(id) = event.trid.filter(|id| *id != 0) {
                event.trid = Some(id + shift);
                event.args[0] = Text::Utf8((id + shift).to_string());
            }
        }
        prop_assert_eq!(findings(&events, Side::Received), [""; 0]);
        prop_assert_eq!(findings(&events, Side::Sent), [""; 0]);
    }

    #[test]
    fn no_dialogue_is_too_odd(
        lines in prop::collection::vec((any::<bool>(), line(), prop::collection::vec(any::<u8>(), 0..60), 0u8..20), 0..40),
    ) {
        let mut dialogue = Dialogue::new();
        dialogue.line("# MSNP12");
        for (is_client, line, payload, what) in lines {
            let direction = if is_client { Direction::ClientToServer } else { Direction::ServerToClient };
            let Ok(command) = Command::new(direction, line.as_bytes(), (what % 2 == 0).then_some(&payload[..])) else { continue };
            match what {
                0..3 => dialogue.open(if what == 0 { ServerKind::Switchboard } else { ServerKind::Notification }, None),
                3 => dialogue.close(),
                _ => {}
            }
            let mut event = dialogue.event(&command);
            match what {
                4 => event.sent = Some(Vec::new()),
                5 => event.held = Some(1),
                6 => event.origin = Origin::Injected,
                7 => event.masked = vec!["payload".into(), "args[0]".into()],
                8 => event.stem.time = "yesterday".into(),
                _ => {}
            }
            dialogue.events.push(Event::Command(event));
        }
        let text: String = dialogue.events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
        super::check_any_transcript(text.as_bytes());
    }
}

/// Lines that come near to commands.
fn line() -> impl Strategy<Value = String> {
    let verbs = prop::sample::select(
        msnp::table::ROWS.iter().map(|row| row.verb).filter(|verb| verb.len() == 3).collect::<Vec<_>>(),
    );
    let words = prop::sample::select(vec![
        "0",
        "1",
        "10",
        "99999999999",
        "",
        "bob@example.com",
        "OK",
        "NLN",
        "SB",
        "NS",
        "CKI",
        "192.0.2.1:1863",
        "%zz",
        "FL",
        "64",
        "A",
        "D",
        "MSNP8",
        "MSNP21",
        "TWN",
        "SSO",
        "S",
        "I",
        "é",
        "N=bob@example.com",
    ]);
    (verbs, prop::collection::vec(words, 0..7))
        .prop_map(|(verb, words)| words.iter().fold(verb.to_owned(), |line, word| format!("{line} {word}")))
}
