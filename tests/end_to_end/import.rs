//! Captures made into transcripts, as people do it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The header of a capture of raw IP packets.
fn header() -> Vec<u8> {
    let numbers = [0xa1b2_c3d4u32, 2 | 4 << 16, 0, 0, 262_144, 101];
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A packet of a TCP connection from 192.0.2.1:40000 to 198.51.100.1:1863, with its record.
fn record(second: u32, is_client: bool, numbers: [u32; 2], flags: u8, payload: &str) -> Vec<u8> {
    let (client, server) = (([192, 0, 2, 1], 40000u16), ([198, 51, 100, 1], 1863u16));
    let (from, to) = if is_client { (client, server) } else { (server, client) };
    let length = 40 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    packet.extend([from.0, to.0].concat());
    packet.extend([from.1, to.1].iter().flat_map(|port| port.to_be_bytes()));
    packet.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(payload.as_bytes());
    let numbers = [1_100_000_000 + second, 0, packet.len() as u32, packet.len() as u32];
    numbers.iter().flat_map(|number| number.to_le_bytes()).chain(packet).collect()
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A login, in records.
fn login() -> Vec<Vec<u8>> {
    vec![
        record(0, true, [99, 0], SYN, ""),
        record(0, false, [499, 100], SYN | ACK, ""),
        record(1, true, [100, 500], ACK, "VER 1 MSNP8 CVR0\r\n"),
        record(1, false, [500, 118], ACK, "VER 1 MSNP8\r\n"),
        record(2, true, [118, 513], ACK, "USR 2 TWN I alice@example.com\r\n"),
        record(2, false, [513, 149], ACK, "USR 2 TWN S lc=1033,id=507\r\n"),
    ]
}

fn mitmsn(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().env("HOME", home).args(arguments);
    command
}

fn run(home: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = mitmsn(home, arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn write(home: &Path, name: &str, bytes: &[u8]) -> String {
    let file = home.join(name);
    std::fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_capture_becomes_a_transcript_that_show_prints() {
    let home = tempfile::tempdir().unwrap();
    let file = write(home.path(), "old.pcap", &[header(), login().concat()].concat());
    let out = home.path().join("out");
    let (code, stdout, said) = run(home.path(), &["import", &file, "-o", out.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    assert!(said.starts_with("6 packets, 1 TCP connection: 1 MSNP, in 1 session\n"), "{said}");
    let (code, shown, _) = run(home.path(), &["show", only_file(&out).to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1], "11:33:21.000 -                          ns#1 >>> VER 1 MSNP8 CVR0");
    assert_eq!(lines[4], "11:33:22.000 alice@example.com          ns#1 <<< USR 2 TWN S lc=1033,id=507");
    assert!(lines[5].ends_with("--- closed by source: the capture ends here"), "{shown}");
}

#[test]
fn what_is_wrong_is_said_and_the_rest_is_read() {
    let home = tempfile::tempdir().unwrap();
    let capture = [header(), login().concat()].concat();
    let cut = write(home.path(), "cut.pcap", &capture[..capture.len() - 3]);
    let text = write(home.path(), "notes.txt", b"hello there");
    let missing = home.path().join("missing.pcap");
    let out = home.path().join("out");
    let (code, stdout, said) =
        run(home.path(), &["import", &text, missing.to_str().unwrap(), &cut, "--json", "-o", out.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = said.lines().collect();
    let offset = capture.len() - login()[5].len();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with(&format!("mitmsn: {text}: neither a packet capture")), "{said}");
    assert!(lines[1].starts_with(&format!("mitmsn: cannot open {}: No such file", missing.display())), "{said}");
    assert_eq!(
        lines[2],
        format!("mitmsn: {cut}, at byte {offset}: cut off within a packet; the 5 packets before were read")
    );
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["packets"], 5);
    assert_eq!(summary["sources"][2]["problem"], lines[2].trim_start_matches("mitmsn: "));
    assert_eq!(summary["sessions"][0]["account"], "alice@example.com");
    let file = PathBuf::from(summary["sessions"][0]["file"].as_str().unwrap());
    assert!(file.starts_with(&out) && file.exists());
}

#[test]
fn a_live_capture_is_shown_and_recorded_while_it_runs() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let mut child = follow(home.path(), &["import", "-", "--follow", "-o", out.to_str().unwrap()]);
    let mut input = child.stdin.take().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    input.write_all(&header()).unwrap();
    for record in login() {
        input.write_all(&record).unwrap();
    }
    let lines: Vec<String> = shown.by_ref().take(5).map(Result::unwrap).collect();
    assert!(lines[4].ends_with("<<< USR 2 TWN S lc=1033,id=507"), "{lines:?}");
    // the next line is shown when that one is written
    input.write_all(&record(3, true, [149, 541], ACK, "OUT\r\n")).unwrap();
    assert!(shown.next().unwrap().unwrap().ends_with(">>> OUT"));
    let text = std::fs::read_to_string(only_file(&out)).unwrap();
    assert!(text.contains(r#""verb":"USR""#), "{text}");
    drop(input);
    assert!(shown.next().unwrap().unwrap().ends_with("closed by source: the capture ends here"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_a_live_capture_with_all_that_was_read() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    // a file that somebody else goes on writing
    let file = write(home.path(), "live.pcap", &[header(), login().concat()].concat());
    let mut child = follow(home.path(), &["import", &file, "--follow", "-o", out.to_str().unwrap()]);
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(shown.by_ref().take(5).last().unwrap().unwrap().ends_with("id=507"));
    let mut more = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    more.write_all(&record(3, true, [149, 541], ACK, "OUT\r\n")).unwrap();
    assert!(shown.next().unwrap().unwrap().ends_with(">>> OUT"));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(shown.next().unwrap().unwrap().ends_with("the capture ends here"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = std::fs::read_to_string(only_file(&out)).unwrap();
    assert!(text.lines().last().unwrap().contains(r#""type":"session-closed""#), "{text}");
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

fn follow(home: &Path, arguments: &[&str]) -> Child {
    let mut command = mitmsn(home, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}
