use super::*;
use crate::lint::testing::events;

fn report(dialogue: &str, only: Option<Version>) -> Report {
    let mut coverage = Coverage::new(only);
    coverage.begin();
    for (line, event) in events(dialogue).iter().enumerate() {
        coverage.event("a.jsonl", line as u64 + 1, event);
    }
    coverage.report()
}

#[test]
fn commands_count_under_the_form_that_describes_them() {
    let report = report("# MSNP12\nS: UBX bob@example.com {n}\\r\\n<Data></Data>\nS: UBX bob@example.com 0", None);
    let ubx = report.seen.iter().find(|form| form.verb == "UBX").unwrap();
    assert_eq!((ubx.since.as_str(), ubx.arguments, ubx.seen.count), ("MSNP11", "email length", 2));
    assert_eq!(ubx.seen.versions, BTreeMap::from([("MSNP12".to_owned(), 2)]));
    assert_eq!(ubx.seen.payloads, BTreeMap::from([("<Data>".to_owned(), 1), ("empty".to_owned(), 1)]));
    assert!(report.undocumented.is_empty(), "{:?}", report.undocumented);
    assert!(report.never_seen.iter().any(|form| form.verb == "NFY"));
    assert_eq!(report.documented, report.seen.len() + report.never_seen.len());
}

#[test]
fn what_no_row_describes_is_told_with_the_reason() {
    let dialogue = "# MSNP8\nC: ZZZ 10 a\nC: FLN bob@example.com\nC: CAL 11 bob@example.com\nC: ADL 12 {n}\\r\\n<ml/>\n\
                    C: SYN 13 0 0\nS: FLN";
    let found: Vec<(String, &str, usize)> =
        report(dialogue, None).undocumented.into_iter().map(|odd| (odd.verb, odd.what, odd.arguments)).collect();
    let expected = [
        ("ZZZ", "verb", 2),
        ("FLN", "direction", 1),
        ("CAL", "server", 2),
        ("ADL", "version", 2),
        ("SYN", "form", 3),
        ("FLN", "arguments", 0),
    ];
    assert_eq!(found, expected.map(|(verb, what, arguments)| (verb.to_owned(), what, arguments)));
}

#[test]
fn a_version_limits_table_and_commands() {
    let limited = report("# MSNP12\nC: PNG\nS: QNG 50", Some(Version(12)));
    assert!(limited.seen.iter().any(|form| form.verb == "PNG"));
    assert!(limited.never_seen.iter().all(|form| form.verb != "ADL"));
    let other = report("# MSNP12\nC: PNG\nS: QNG 50", Some(Version(18)));
    assert_eq!((other.commands, other.seen.len()), (0, 0));
}

#[test]
fn very_many_shapes_take_no_more_room() {
    let mut coverage = Coverage::new(None);
    let verbs = (b'A'..=b'Z').flat_map(|a| (b'A'..=b'Z').flat_map(move |b| (b'A'..=b'Z').map(move |c| [a, b, c])));
    for verb in verbs.take(5000) {
        let line = [&verb[..], b" 1"].concat();
        let command = Command::new(Direction::ClientToServer, &line, None).unwrap();
        coverage.command(&command, Scope::default(), &|| Example { file: String::new(), line: 1 });
    }
    let report = coverage.report();
    assert!(report.undocumented.len() <= MOST_ODD && report.left_out > 0);
    assert!(report.summary().contains("5000 commands"), "{}", report.summary());
}
