//! Every file of `config/diff` covers what its comments say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use msnp_transcript::diff::{self, Diff, Options, parse_ignores};
use msnp_transcript::rule_file::render_all;
use msnp_transcript::{Reader, Transcript};
use serde_json::json;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/diff")
}

/// Makes a transcript of lines such as `< NLN NLN bob@example.com Bob`, with a payload behind `|`.
fn transcript(dialogue: &[&str]) -> Transcript {
    let header = json!({"type": "session", "seq": 0, "time": "", "session": "1", "format": "mitmsn-transcript", "version": 1, "software": "test"});
    let line = |(seq, row): (usize, &&str)| {
        let (way, text) = row.split_once(' ').unwrap();
        let (line, payload) = text.split_once('|').map_or((text, None), |(line, payload)| (line, Some(payload)));
        let mut words = line.split(' ');
        let verb = words.next().unwrap();
        let mut arguments: Vec<String> = words.map(str::to_owned).collect();
        arguments.extend(payload.map(|payload| payload.len().to_string()));
        let direction = if way == ">" { "c2s" } else { "s2c" };
        let mut event = json!({"type": "command", "seq": seq + 1, "time": "", "session": "1", "connection": 1, "server": "ns",
            "direction": direction, "verb": verb, "args": arguments, "origin": "peer"});
        if let Some(payload) = payload {
            event["payload"] = json!({ "text": payload });
        }
        event.to_string()
    };
    let lines: Vec<String> = std::iter::once(header.to_string()).chain(dialogue.iter().enumerate().map(line)).collect();
    let name = Path::new("t.jsonl");
    Transcript::read(Reader::new(lines.join("\n").as_bytes(), name), name).unwrap()
}

/// Returns how often each rule of a file covers a difference of the two, none of which is left.
fn covered(file: &str, a: &[&str], b: &[&str]) -> Vec<u64> {
    let path = folder().join(file);
    let source = std::fs::read_to_string(&path).unwrap();
    let ignores = parse_ignores(&path, &source).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let options = Options { ignores, ..Options::default() };
    let diff = Diff::of(&transcript(a), &transcript(b), options).unwrap();
    assert!(diff.is_same(), "{}", diff::text::draw(&diff, diff::text::Options::default()));
    diff.ignores.iter().map(|(_, count)| *count).collect()
}

#[test]
fn servers_may_say_some_things_in_their_own_words() {
    let profile = |text: &str| format!("< MSG Hotmail Hotmail|Content-Type: text/x-msmsgsprofile\r\n{text}\r\n\r\n");
    let (ours, theirs) = (profile("lang: 1033"), profile("lang: 1031"));
    let a = [
        "> VER 1 MSNP12 CVR0",
        "< CVR 2 7.0 7.0 1.0 http://a http://b",
        "< URL 3 /a http://a 2",
        &ours,
        "< CHL 0 1234",
    ];
    let b = [
        "> VER 1 MSNP12 CVR0",
        "< CVR 2 7.5 7.5 1.0 http://c http://d",
        "< URL 3 /b http://b 2",
        &theirs,
        "< SBS 0 null",
    ];
    assert_eq!(covered("servers.toml", &a, &b), [4, 2, 1, 1, 1]);
}

#[test]
fn clients_may_be_what_they_are() {
    let a = [
        "> VER 1 MSNP9 CVR0",
        "> CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.0.0777 MSMSGS a@b.c",
        "> QRY 3 PROD0076ENE8*@AW|12345678901234567890123456789012",
        "> CHG 4 NLN 1 0",
    ];
    let b = [
        "> VER 1 MSNP9 CVR0",
        "> CVR 2 0x0409 winnt 5.0 i386 MSNMSGR 7.5.0324 MSMSGS a@b.c",
        "> QRY 3 PROD0101{0RM?UBW|abcdefghijabcdefghijabcdefghij12",
        "> CHG 4 NLN 2 %3Cmsnobj%20Creator%3D%22a%40b.c%22%20Type%3D%223%22%2F%3E",
    ];
    assert_eq!(covered("clients.toml", &a, &b), [1, 1, 1, 1, 1]);
}

#[test]
fn people_may_say_other_things() {
    let text =
        |look: &str, text: &str| format!("> MSG 2 A|Content-Type: text/plain\r\nX-MMS-IM-Format: {look}\r\n\r\n{text}");
    let typing = "> MSG 3 U|Content-Type: text/x-msmsgscontrol\r\nTypingUser: a@b.c\r\n\r\n";
    let data =
        |psm: &str, media: &str| format!("> UUX 5|<Data><PSM>{psm}</PSM><CurrentMedia>{media}</CurrentMedia></Data>");
    let (ours, theirs) = (text("FN=Arial", "hello\r\nyou"), text("FN=Verdana", "hi"));
    let (mine, yours) = (data("a", "b"), data("c", "d"));
    let (a, b) = ([ours.as_str(), typing, &mine], [theirs.as_str(), &yours]);
    assert_eq!(covered("chat.toml", &a, &b), [1, 2, 1, 1, 1]);
}

#[test]
fn every_file_is_sound_and_tested() {
    let mut names: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["chat.toml", "clients.toml", "servers.toml"]);
}
