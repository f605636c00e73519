//! `mitmsn redact` as a user runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const SESSION: &str = concat!(
    r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd0000000000000000000000","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#,
    "\n",
    r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:00.000000Z","session":"01jd0000000000000000000000","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns.example:1863","server":"ns","version":"MSNP9"}"#,
    "\n",
    r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:01.000000Z","session":"01jd0000000000000000000000","connection":2,"direction":"c2s","verb":"USR","trid":3,"args":["3","TWN","I","zebulon.quux@private.example.net"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:02.000000Z","session":"01jd0000000000000000000000","connection":2,"direction":"s2c","verb":"NLN","args":["NLN","zebulon.quux@private.example.net","Zebulon%20Quux","0"],"origin":"peer"}"#,
    "\n",
);
const NAME: &str = "20261122T120000Z_zebulon.quux@private.example.net_01jd0000000000000000000000.jsonl";
const COPY: &str = "20261122T120000Z_alice@example.com_01jd0000000000000000000000.jsonl";

fn mitmsn(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let binary = env!("CARGO_BIN_EXE_mitmsn");
    let Output { status, stdout, stderr } = Command::new(binary).args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_copy_can_be_shared_and_the_map_finds_what_should_not_be_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), SESSION).unwrap();
    let redact = ["redact", NAME, "-o", "public", "--map", "who.json"];
    let (code, out, log) = mitmsn(folder.path(), &redact);
    assert_eq!((code, out.trim()), (Some(0), format!("public/{COPY}").as_str()), "{log}");
    assert!(log.contains("nothing left of what was replaced: address 1, name 1"), "{log}");
    let copy = fs::read_to_string(folder.path().join("public").join(COPY)).unwrap();
    assert!(copy.contains(r#""args":["NLN","alice@example.com","Alice","0"]"#), "{copy}");
    assert!(copy.contains(r#""redacted":{"software":"mitmsn"#), "{copy}");
    assert!(!copy.to_lowercase().contains("quux") && !copy.contains("private"), "{copy}");
    let mode = fs::metadata(folder.path().join("who.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // what is there is not replaced by mistake
    let (code, _, log) = mitmsn(folder.path(), &redact);
    assert_eq!(code, Some(1));
    assert!(log.contains("is there already"), "{log}");

    let copied = format!("public/{COPY}");
    let (code, _, log) = mitmsn(folder.path(), &["redact", "--check", &copied, "--map", "who.json"]);
    assert_eq!((code, log.trim()), (Some(0), "mitmsn: 1 file searched for 2 values: nothing is left"));
    // the address in base64, in a page
    fs::write(folder.path().join("page.html"), "<p>x</p>\n<p>emVidWxvbi5xdXV4QHByaXZhdGUuZXhhbXBsZS5uZXQ=</p>\n")
        .unwrap();
    let (code, _, log) = mitmsn(folder.path(), &["redact", "--check", "page.html", "--map", "who.json"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("page.html: line 2") && log.contains("address") && !log.contains("zebulon"), "{log}");
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_redacted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("torn.jsonl"), format!("{SESSION}{{\"type\":\"comm")).unwrap();
    fs::write(folder.path().join("other.jsonl"), "hello\n").unwrap();
    let (code, out, log) =
        mitmsn(folder.path(), &["redact", "torn.jsonl", "other.jsonl", "absent.jsonl", "-o", "public"]);
    assert_eq!((code, out.trim()), (Some(1), "public/redacted-1.jsonl"), "{log}");
    for said in ["torn.jsonl:5 is cut off", "other.jsonl:1: ", "absent.jsonl"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let (code, _, log) = mitmsn(folder.path(), &["redact", "torn.jsonl"]);
    assert_eq!(code, Some(2), "{log}");
}
