//! Every rule: a dialogue that breaks it and no other, and one that breaks none.

mod dialogue;

use std::collections::BTreeSet;
use std::path::Path;

use super::rules::RULES;
use super::{Linter, Side};
use crate::event::Event;
use dialogue::{events, example};

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
