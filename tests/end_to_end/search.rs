//! `mitmsn index` and `mitmsn search` in a folder of recordings.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{mitmsn, out, said};

/// The usual folder, with one recording.
fn recorded(home: &Path) -> PathBuf {
    let folder = home.join(".local/state/mitmsn/sessions");
    fs::create_dir_all(&folder).unwrap();
    let chat = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/extract/chat.jsonl");
    fs::copy(chat, folder.join("chat.jsonl")).unwrap();
    folder
}

#[test]
fn a_hit_is_shown_as_the_proxy_showed_it_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path());
    let output = mitmsn(home.path(), &["search", "picture"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert_eq!(
        out(&output),
        concat!(
            "2026-11-22 chat.jsonl 01jda\n",
            "19:00:02.123 alice@example.com          sb#3 >>> MSG 4 D 133   SB#2\n",
            "                                             | hi Bob, new picture?\n",
        )
    );
    let output = mitmsn(home.path(), &["search", "smug -msnobj", "--context", "1", "--where", "from == 'server'"]);
    let lines: Vec<String> = out(&output).lines().map(|line| line.trim_start().to_owned()).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[3], "| sure :smug:");
    let output = mitmsn(
        home.path(),
        &["search", "picture OR story", "--json", "--verb", "msg", "--account", "alice@example.com"],
    );
    let places: Vec<serde_json::Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["place"].clone())
        .collect();
    assert_eq!(places[0], "01jda:SB#2");
    assert_eq!(places.len(), 2);
    assert_eq!(out(&mitmsn(home.path(), &["search", "picture", "--until", "2025", "--count"])), "0\n");
}

#[test]
fn the_index_follows_the_folder_and_can_be_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let folder = recorded(home.path());
    let database = folder.join("index.sqlite");
    assert!(out(&mitmsn(home.path(), &["index"])).starts_with("1 of 1 transcripts were new or changed, 0 are gone; "));
    fs::remove_file(folder.join("chat.jsonl")).unwrap();
    let output = mitmsn(home.path(), &["search", "picture", "--no-update"]);
    assert!(said(&output).contains("transcripts changed after they were indexed"), "{}", said(&output));
    let output = mitmsn(home.path(), &["search", "picture"]);
    assert_eq!((out(&output), said(&output)), (String::new(), "mitmsn: nothing was found\n".to_owned()));
    recorded(home.path());
    fs::write(
        &database,
        "my shopping list, which is none of its business, and needs to be long enough for a header of SQLite",
    )
    .unwrap();
    for arguments in [&["search", "picture"][..], &["index"], &["index", "--rebuild"]] {
        let output = mitmsn(home.path(), arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("index.sqlite is not an index of mitmsn: name another place"),
            "{}",
            said(&output)
        );
    }
    let elsewhere = home.path().join("elsewhere.sqlite");
    let output = mitmsn(home.path(), &["search", "picture", "--count", "--database", elsewhere.to_str().unwrap()]);
    assert_eq!(out(&output), "1\n");
    let output = mitmsn(home.path(), &["index", "--rebuild", "--json", "--database", elsewhere.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["update"]["commands"], report["index"]["commands"]);
}

#[test]
fn a_query_that_is_wrong_is_explained_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path());
    let output = mitmsn(home.path(), &["search", "hello ph*to"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        concat!(
            "mitmsn: a star stands at the end of a word only\n",
            "  hello ph*to\n",
            "          ^\n",
            "  help: photo* finds photos and photography; there is no search for the end of a word\n",
        )
    );
    let output = mitmsn(home.path(), &["search", "hello", "--dir", "nowhere"]);
    assert_eq!(said(&output), "mitmsn: nowhere does not exist: nothing was recorded there\n");
    let output = mitmsn(home.path(), &["search", "hello", "--since", "yesterday"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_others_recorded_and_indexed_is_searched_though_nothing_can_be_written_there() {
    let home = tempfile::tempdir().unwrap();
    let folder = recorded(home.path());
    let folder_text = folder.to_str().unwrap();
    assert_eq!(mitmsn(home.path(), &["index", folder_text]).status.code(), Some(0));
    for file in fs::read_dir(&folder).unwrap() {
        fs::set_permissions(file.unwrap().path(), Permissions::from_mode(0o644)).unwrap();
    }
    for inner in [&folder, home.path()] {
        fs::set_permissions(inner, Permissions::from_mode(0o555)).unwrap();
    }
    // nothing stops root from writing, so it looks as somebody else does, who may not see where the program was built
    let copy = tempfile::tempdir().unwrap();
    let program = copy.path().join("mitmsn");
    fs::copy(env!("CARGO_BIN_EXE_mitmsn"), &program).unwrap();
    fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).unwrap();
    let search = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.env_clear().env("HOME", home.path()).args(["search", "picture", "--count", "--dir", folder_text]);
        if fs::metadata(&folder).unwrap().uid() == 0 {
            command.uid(65_534);
        }
        command.args(more).current_dir("/").stdin(Stdio::null()).output().unwrap()
    };
    let output = search(&[]);
    assert_eq!((out(&output), output.status.code()), ("1\n".into(), Some(0)), "{}", said(&output));
    assert!(said(&output).ends_with("searching what the index has\n"), "{}", said(&output));
    let output = search(&["--no-update"]);
    assert_eq!((out(&output), said(&output)), ("1\n".into(), String::new()));
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
}
