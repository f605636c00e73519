//! The index of a folder that changes, as a person would search in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use msnp_index::{Hit, Index, IndexError, Query, Report, Search, Wait};
use msnp_transcript::Expression;
use tempfile::TempDir;

struct Recordings {
    folder: TempDir,
}

impl Recordings {
    fn new() -> Recordings {
        Recordings { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database(&self) -> PathBuf {
        Index::usual_path(self.path())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).open(self.path().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn open(&self) -> Index {
        Index::open(self.path(), &self.database(), Wait::No).unwrap()
    }

    fn update(&self) -> Report {
        self.open().update(&mut |_| {}).unwrap()
    }

    fn find(&self, query: &str) -> Vec<String> {
        let query = Query::parse(query).unwrap();
        self.search(&Search { query: Some(&query), ..Search::default() })
    }

    fn search(&self, search: &Search<'_>) -> Vec<String> {
        let mut found = Vec::new();
        let index = Index::open_to_search(self.path(), &self.database()).unwrap();
        let mut take = |hit: Hit| {
            found.push(short(&hit));
            Ok::<(), IndexError>(())
        };
        index.search(search, &mut take).unwrap();
        found
    }
}

fn short(hit: &Hit) -> String {
    format!(
        "{} {}",
        hit.place(),
        hit.event.payload.as_ref().map_or("-", |payload| match payload {
            msnp_transcript::event::Payload::Text(text) => text.rsplit("\r\n").next().unwrap(),
            msnp_transcript::event::Payload::Base64(_) => "binary",
        })
    )
}

fn header(session: &str) -> String {
    format!(
        "{{\"type\":\"session\",\"seq\":0,\"time\":\"2026-11-22T12:00:00.000000Z\",\"session\":\"{session}\",\"format\":\"mitmsn-transcript\",\"version\":1,\"software\":\"mitmsn 0.1.0\"}}\n"
    )
}

fn event(session: &str, seq: u64, time: &str, verb: &str, args: &str, text: &str) -> String {
    let args: Vec<&str> = args.split(' ').collect();
    let payload = if text.is_empty() {
        String::new()
    } else {
        format!(",\"payload\":{{\"text\":\"Content-Type: text/plain\\r\\n\\r\\n{text}\"}}")
    };
    let direction = if verb == "USR" { "c2s" } else { "s2c" };
    format!(
        "{{\"type\":\"command\",\"seq\":{seq},\"time\":\"2026-11-22T{time}Z\",\"session\":\"{session}\",\"connection\":1,\"server\":\"sb\",\"direction\":\"{direction}\",\"verb\":\"{verb}\",\"args\":{}{payload},\"origin\":\"peer\"}}\n",
        serde_json::to_string(&args).unwrap()
    )
}

fn message(session: &str, seq: u64, text: &str) -> String {
    let time = format!("12:00:{seq:02}.000000");
    event(session, seq, &time, "MSG", "bob@example.com Caf%C3%A9%20Bob 99", text)
}

fn alice() -> String {
    header("01a")
        + &event("01a", 1, "12:00:01.000000", "USR", "1 alice@example.com 1.2", "")
        + &message("01a", 2, "good morning")
}

#[test]
fn words_are_found_where_they_stand() {
    let recordings = Recordings::new();
    recordings.write(
        "a.jsonl",
        &(alice() + &message("01a", 3, "photos of the caf\u{e9}, naturally") + &message("01a", 4, "bye")),
    );
    recordings.write("notes.txt", "morning");
    let report = recordings.update();
    assert_eq!((report.transcripts, report.changed, report.commands), (1, 1, 4));
    for (query, expected) in [
        ("morning", &["01a:SB#2 good morning"][..]),
        ("MORNING bob", &["01a:SB#2 good morning"]),
        ("\"good morning\"", &["01a:SB#2 good morning"]),
        ("\"morning good\"", &[]),
        ("photo*", &["01a:SB#3 photos of the caf\u{e9}, naturally"]),
        ("photo", &[]),
        ("cafe -naturally", &["01a:SB#2 good morning", "01a:SB#4 bye"]),
        ("bye OR morning", &["01a:SB#2 good morning", "01a:SB#4 bye"]),
        ("alice@example.com", &["01a:SB#1 -"]),
        ("usr", &["01a:SB#1 -"]),
    ] {
        assert_eq!(recordings.find(query), expected, "{query}");
    }
    let mode = fs::metadata(recordings.database()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn conditions_narrow_and_context_surrounds() {
    let recordings = Recordings::new();
    recordings.write(
        "a.jsonl",
        &(alice() + &message("01a", 3, "one") + &message("01a", 4, "two") + &message("01a", 5, "three")),
    );
    recordings.update();
    let all = || Search { verbs: vec!["MSG".into()], ..Search::default() };
    assert_eq!(recordings.search(&all()).len(), 4);
    assert_eq!(recordings.search(&Search { limit: Some(2), ..all() }), ["01a:SB#4 two", "01a:SB#5 three"]);
    assert_eq!(recordings.search(&Search { account: Some("Alice@example.com".into()), ..all() }).len(), 4);
    assert_eq!(recordings.search(&Search { account: Some("bob@example.com".into()), ..all() }), [] as [&str; 0]);
    assert_eq!(
        recordings.search(&Search { server: Some(msnp::types::ServerKind::Notification), ..all() }),
        [] as [&str; 0]
    );
    let expression =
        Expression::compile("text.contains('t') && account == 'alice@example.com' && from == 'server'").unwrap();
    let search = Search { expression: Some(&expression), ..all() };
    assert_eq!(recordings.search(&search), ["01a:SB#4 two", "01a:SB#5 three"]);
    let index = Index::open_to_search(recordings.path(), &recordings.database()).unwrap();
    assert_eq!((index.count(&search).unwrap().hits, index.count(&all()).unwrap().hits), (2, 4));
    let at = |text: &str| msnp_index::Period::parse(text).unwrap();
    let (since, until) = (at("2026-11-22T12:00:03").start, at("2026-11-22T12:00:04").end);
    let search = Search { since: Some(since), until: Some(until), ..all() };
    assert_eq!(recordings.search(&search), ["01a:SB#3 one", "01a:SB#4 two"]);
    let query = Query::parse("one").unwrap();
    let mut around = Vec::new();
    index
        .search(&Search { query: Some(&query), context: 2, ..Search::default() }, &mut |hit| {
            around.push(hit.before.iter().map(|event| event.stem.seq).collect::<Vec<_>>());
            around.push(hit.after.iter().map(|event| event.stem.seq).collect());
            Ok::<(), IndexError>(())
        })
        .unwrap();
    assert_eq!(around, [vec![1, 2], vec![4, 5]]);
}

#[test]
fn what_is_recorded_meanwhile_is_added_from_the_last_whole_line_on() {
    let recordings = Recordings::new();
    let more = message("01a", 3, "good night");
    recordings.write("a.jsonl", &alice());
    recordings.update();
    for cut in [1, 40, more.len() - 1] {
        recordings.append("a.jsonl", &more[..cut]);
        assert_eq!(recordings.update().commands, 0);
        let text = alice() + &more;
        fs::write(recordings.path().join("a.jsonl"), &text[..text.len() - more.len() + cut]).unwrap();
        let whole = OpenOptions::new().write(true).open(recordings.path().join("a.jsonl")).unwrap();
        whole.set_len(alice().len() as u64).unwrap();
        recordings.update();
    }
    recordings.append("a.jsonl", &more);
    assert_eq!(recordings.update().commands, 1);
    assert_eq!(recordings.find("good"), ["01a:SB#2 good morning", "01a:SB#3 good night"]);
    // what was known of the connection is still known
    let search = Search { account: Some("alice@example.com".into()), ..Search::default() };
    assert_eq!(recordings.search(&search).len(), 3);
    assert_eq!(recordings.update().changed, 0);
}

#[test]
fn what_is_replaced_or_gone_is_noticed() {
    let recordings = Recordings::new();
    recordings.write("a.jsonl", &alice());
    recordings.write("b.jsonl", &(header("01b") + &message("01b", 1, "from another")));
    recordings.update();
    // as long as before, and longer, but another text
    recordings.write("a.jsonl", &alice().replace("good morning", "fine evening"));
    recordings
        .write("b.jsonl", &(header("01b") + &message("01b", 1, "not the another") + &message("01b", 2, "and more")));
    recordings.update();
    assert_eq!(recordings.find("morning OR from"), [] as [&str; 0]);
    assert_eq!(
        recordings.find("evening OR more OR not"),
        ["01b:SB#1 not the another", "01a:SB#2 fine evening", "01b:SB#2 and more"]
    );
    fs::remove_file(recordings.path().join("b.jsonl")).unwrap();
    assert_eq!(recordings.update().removed, 1);
    assert_eq!(recordings.find("bob"), ["01a:SB#2 fine evening"]);
    // shorter than before
    recordings.write("a.jsonl", &header("01a"));
    recordings.update();
    assert_eq!(recordings.find("bob"), [] as [&str; 0]);
}

#[test]
fn a_transcript_that_changed_since_is_not_quoted_wrongly() {
    let recordings = Recordings::new();
    recordings.write("a.jsonl", &alice());
    recordings.update();
    recordings.write("a.jsonl", &alice().replace("12:00:00", "12:00:00000"));
    let query = Query::parse("morning").unwrap();
    let index = Index::open_to_search(recordings.path(), &recordings.database()).unwrap();
    let search = Search { query: Some(&query), ..Search::default() };
    let outcome = index.search(&search, &mut |_| Ok::<(), IndexError>(())).unwrap();
    assert_eq!((outcome.hits, outcome.stale), (0, 1));
    fs::remove_file(recordings.path().join("a.jsonl")).unwrap();
    let outcome = index.search(&search, &mut |_| Ok::<(), IndexError>(())).unwrap();
    assert_eq!((outcome.hits, outcome.stale), (0, 1));
}

#[test]
fn commands_of_one_time_in_many_sessions_all_have_their_place() {
    let recordings = Recordings::new();
    for session in 0..40 {
        let id = format!("{session:02}");
        let lines: String = (1..=100).map(|seq| event(&id, seq, "12:00:00.000000", "MSG", "b@c B 9", "same")).collect();
        recordings.write(&format!("{id}.jsonl"), &(header(&id) + &lines));
    }
    recordings.update();
    let found = recordings.find("same");
    assert_eq!(found.len(), 4000);
    let of_one: Vec<&String> = found.iter().filter(|hit| hit.starts_with("07:")).collect();
    let expected: Vec<String> = (1..=100).map(|seq| format!("07:SB#{seq} same")).collect();
    assert_eq!(of_one, expected.iter().collect::<Vec<_>>());
    let at = msnp_index::Period::parse("2026-11-22T12:00:00").unwrap();
    let search = Search { since: Some(at.start), until: Some(at.end), ..Search::default() };
    assert_eq!(recordings.search(&search).len(), 4000);
}

#[test]
fn bad_lines_are_told_and_the_rest_is_found() {
    let recordings = Recordings::new();
    recordings.write("a.jsonl", &(alice() + "nonsense\n" + &message("01a", 3, "after it")));
    recordings.write("b.jsonl", "hello\n");
    recordings.write("c.jsonl", &header("01c").replace("\"version\":1", "\"version\":9"));
    let report = recordings.update();
    assert_eq!(report.problems.len(), 3, "{:?}", report.problems);
    assert!(report.problems[0].ends_with("a.jsonl: 1 lines are no events"), "{:?}", report.problems);
    assert!(report.problems[1].ends_with("b.jsonl:1: not a mitmsn-transcript of version 1"), "{:?}", report.problems);
    assert_eq!(recordings.find("after"), ["01a:SB#3 after it"]);
}

#[test]
fn what_is_no_index_is_left_alone() {
    let recordings = Recordings::new();
    let path = recordings.database();
    fs::write(&path, "some notes of mine, long enough to be looked at as the header of a database, and a bit longer")
        .unwrap();
    for result in [Index::open(recordings.path(), &path, Wait::No).map(drop), Index::delete(&path, Wait::No)] {
        assert!(matches!(result, Err(IndexError::Foreign { .. })), "{result:?}");
    }
    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE mine(a)").unwrap();
    drop(other);
    assert!(matches!(Index::open(recordings.path(), &path, Wait::No), Err(IndexError::Foreign { .. })));
    assert!(matches!(Index::open_to_search(recordings.path(), &path), Err(IndexError::Foreign { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(Index::open_to_search(recordings.path(), &path), Err(IndexError::Missing { .. })));
}

#[test]
fn a_damaged_index_is_told_and_can_be_made_anew() {
    let recordings = Recordings::new();
    let lines: String = (1..2000).map(|seq| message("01a", seq % 60, &format!("word{seq}"))).collect();
    recordings.write("a.jsonl", &(header("01a") + &lines));
    recordings.update();
    let mut bytes = fs::read(recordings.database()).unwrap();
    let length = bytes.len();
    bytes[4096..length].iter_mut().for_each(|byte| *byte = 0xa5);
    fs::write(recordings.database(), bytes).unwrap();
    let found = Index::open(recordings.path(), &recordings.database(), Wait::No)
        .and_then(|mut index| index.update(&mut |_| {}).map(drop).and_then(|()| index.size().map(drop)));
    assert!(matches!(found, Err(IndexError::Damaged { .. })), "{found:?}");
    Index::delete(&recordings.database(), Wait::No).unwrap();
    recordings.update();
    assert_eq!(recordings.find("word77").len(), 1);
}

#[test]
fn an_index_of_another_version_is_made_anew() {
    let recordings = Recordings::new();
    recordings.write("a.jsonl", &alice());
    recordings.update();
    let other = rusqlite::Connection::open(recordings.database()).unwrap();
    other.execute_batch("PRAGMA user_version = 99; DROP TABLE words").unwrap();
    drop(other);
    let found = Index::open_to_search(recordings.path(), &recordings.database());
    assert!(matches!(found, Err(IndexError::Version { .. })));
    assert_eq!(recordings.update().commands, 2);
    assert_eq!(recordings.find("morning").len(), 1);
}

#[test]
fn two_do_not_write_at_once_but_one_can_search() {
    let recordings = Recordings::new();
    recordings.write("a.jsonl", &alice());
    recordings.update();
    let writer = recordings.open();
    let second = Index::open(recordings.path(), &recordings.database(), Wait::No);
    assert!(matches!(second, Err(IndexError::Busy { .. })));
    assert_eq!(recordings.find("morning").len(), 1);
    drop(writer);
    recordings.open();
}
