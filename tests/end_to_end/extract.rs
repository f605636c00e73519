//! `mitmsn extract`: a chat with a picture, an emoticon and files, as the fuzzer starts from it too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use msnp_transcript::extract::{Manifest, TextMessage, schema};

use crate::support::mitmsn;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn chat() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/extract/chat.jsonl")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_chat_is_taken_apart_into_files() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("out");
    let chat = chat();
    let (chat, out) = (chat.to_str().unwrap(), folder.to_str().unwrap());
    let output = mitmsn(home.path(), &["extract", chat, "-o", out, "--json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let manifest: Manifest = serde_json::from_slice(&output.stdout).unwrap();
    let written = fs::read(folder.join("manifest.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Manifest>(&written).unwrap(), manifest);
    let schema = jsonschema::validator_for(&schema()).unwrap();
    schema.validate(&serde_json::from_slice(&written).unwrap()).unwrap();
    let mut expected: Vec<String> = manifest.files.iter().filter_map(|entry| entry.file.clone()).collect();
    expected.extend(["manifest.json".to_owned(), "messages.jsonl".to_owned()]);
    expected.sort();
    assert_eq!(names(&folder), expected);
    for entry in manifest.files.iter().filter(|entry| entry.file.is_some()) {
        let path = folder.join(entry.file.as_ref().unwrap());
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (entry.bytes, 0o600), "{}", path.display());
        assert_ne!(entry.sha1d.as_ref().and_then(|check| check.ok), Some(false));
    }
    assert!(fs::read(folder.join("caf\u{e9} notes.txt")).unwrap().starts_with("dear diary, \u{2615}".as_bytes()));
    let texts: Vec<TextMessage> = text(&fs::read(folder.join("messages.jsonl")).unwrap())
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts: Vec<&str> = texts.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["hi Bob, new picture?", "sure :smug:", "a long story"]);

    let again = mitmsn(home.path(), &["extract", chat, "-o", out]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("is not empty: name another folder, or add --force"),
        "{}",
        text(&again.stderr)
    );
    let forced = mitmsn(home.path(), &["extract", chat, "-o", out, "--force"]);
    assert_eq!(forced.status.code(), Some(0));
    assert_eq!(names(&folder), expected);
}

#[test]
fn a_list_writes_nothing_and_tells_what_never_came() {
    let home = tempfile::tempdir().unwrap();
    let output = mitmsn(home.path(), &["extract", chat().to_str().unwrap(), "--list"]);
    assert_eq!(output.status.code(), Some(0));
    let listed = text(&output.stdout);
    for expected in [
        "image/png                display-picture-bob@example.com-",
        "budget.xls\n                                it was declined\n",
        "old.doc\n                                it went over a connection between the two",
        ":smug: is emoticon-bob@example.com-",
        "5 complete, 0 partial, 2 without data; 3 text messages\n",
    ] {
        assert!(listed.contains(expected), "{expected:?} in\n{listed}");
    }
    assert_eq!(names(home.path()), [] as [&str; 0]);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_extracted() {
    let home = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(chat()).unwrap();
    let torn = home.path().join("torn.jsonl");
    fs::write(&torn, &whole[..whole.len() - 40]).unwrap();
    let garbage = home.path().join("garbage.jsonl");
    fs::write(&garbage, [0xff; 100]).unwrap();
    let out = home.path().join("out");
    let files = [torn.to_str().unwrap(), garbage.to_str().unwrap(), "missing.jsonl"];
    let output = mitmsn(home.path(), &[&["extract", "-o", out.to_str().unwrap()][..], &files].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for expected in ["torn.jsonl:25 is cut off", "garbage.jsonl", "missing.jsonl: No such file"] {
        assert!(said.contains(expected), "{expected:?} in\n{said}");
    }
    assert!(names(&out).len() > 5, "{:?}", names(&out));
    let nothing = mitmsn(home.path(), &["extract", garbage.to_str().unwrap(), "--list"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("no transcript could be read"), "{}", text(&nothing.stderr));
}
