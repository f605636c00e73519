//! Logs and packets: in, out, and in again, as people do it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use msnp_transcript::Transcript;

const LOG: &str = "\
[11:44:10 DEBUG papyon.transport] <-> Connecting to messenger.hotmail.com:1863
[11:44:11 DEBUG papyon.transport] >>> VER 0 MSNP18 MSNP16 MSNP15
[11:44:11 DEBUG papyon.transport] <<< VER 0 MSNP18
[11:44:11 DEBUG papyon.transport] >>> CVR 1 0x0409 winnt 5.1 i386 MSNMSGR 8.1 msmsgs alice@example.com
[11:44:12 DEBUG papyon.transport] <<< GCF 0 6812\r
\t[payload]
[11:44:13 DEBUG papyon.transport] >>> not a command
[11:44:14 DEBUG papyon.transport] >>> PNG
";

fn run(home: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().env("HOME", home).args(arguments).current_dir(home);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Returns the one transcript of a folder.
fn only(folder: PathBuf) -> Transcript {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    Transcript::open(&files.remove(0)).unwrap()
}

fn lines(transcript: &Transcript) -> Vec<String> {
    transcript.messages().map(|message| message.command.line().escape_ascii().to_string()).collect()
}

#[test]
fn a_log_becomes_a_transcript_packets_a_dialogue_and_a_transcript_again() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("papyon.log"), LOG).unwrap();
    let (code, _, said) = run(home.path(), &["import", "papyon.log", "-o", "first"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("5 commands in logs, in 1 session\n"), "{said}");
    assert!(said.contains("papyon.log:7: no command behind the arrow"), "{said}");
    assert!(said.contains("1 payload not in the log"), "{said}");
    let first = only(home.path().join("first"));
    let source = first.header().unwrap().source.clone().unwrap();
    assert_eq!((source.format.as_str(), source.file.as_deref()), ("arrows", Some("papyon.log")));
    assert_eq!(source.lacks.len(), 3);
    assert_eq!(lines(&first)[3..], ["GCF 0 6812", "PNG"]);
    let file = first.name.to_str().unwrap();

    let (code, _, said) = run(home.path(), &["export", file, "-o", "a.pcapng", "--no-redact"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, _, said) = run(home.path(), &["import", "a.pcapng", "-o", "second"]);
    assert_eq!(code, Some(0), "{said}");
    let second = only(home.path().join("second"));
    assert_eq!(lines(&second), lines(&first));
    assert_eq!(second.account(), first.account());

    let file = second.name.to_str().unwrap();
    let (code, dialogue, _) = run(home.path(), &["export", file, "--format", "dialogue", "--no-redact"]);
    assert_eq!(code, Some(0));
    assert!(dialogue.contains("C> VER 0 MSNP18 MSNP16 MSNP15\\r\\n\nS> VER 0 MSNP18\\r\\n\n"), "{dialogue}");
    assert!(dialogue.contains("# <<< 6812 bytes are missing here\n"), "{dialogue}");
}

#[test]
fn which_side_is_asked_only_where_there_is_one() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.txt"), "C: VER 1 MSNP8 CVR0\nS: VER 1 MSNP8\n").unwrap();
    let (code, _, said) = run(home.path(), &["import", "a.txt", "-o", "in"]);
    assert_eq!(code, Some(0), "{said}");
    let transcript = only(home.path().join("in"));
    let file = transcript.name.to_str().unwrap();
    let (code, _, said) = run(home.path(), &["export", file, "--format", "text", "--side", "sent", "--no-redact"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("text shows what arrived: use it without --side"), "{said}");
    let (code, _, said) = run(home.path(), &["export", file, "-o", "a.pcapng", "--side", "sent", "--no-redact"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = run(home.path(), &["export", file, "-o", "b.pcapng", "--filter", "verb == 'VER'"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("pcapng cannot leave commands out"), "{said}");
}
