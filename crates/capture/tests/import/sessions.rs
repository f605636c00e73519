use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use msnp_capture::transcripts::Made;
use msnp_capture::{Importer, Transcripts};
use msnp_transcript::event::{Event, JoinedBy};
use msnp_transcript::{Reader, Transcript};

use super::support::{Connection, simple_pcap};

/// Interleaves the segments of connections by the order in which `order` names them, and writes a capture.
struct Scene {
    frames: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Scene {
        Scene { frames: Vec::new() }
    }

    /// Captures what a connection has sent since.
    fn capture(&mut self, connection: &mut Connection) -> &mut Scene {
        self.frames.extend(connection.frames());
        connection.segments.clear();
        self
    }

    fn import(&self, keep_secrets: bool) -> (tempfile::TempDir, Vec<Made>) {
        import(&[simple_pcap(&self.frames)], keep_secrets)
    }
}

fn import(captures: &[Vec<u8>], keep_secrets: bool) -> (tempfile::TempDir, Vec<Made>) {
    let folder = tempfile::tempdir().unwrap();
    let mut transcripts = Transcripts::new(&folder.path().join("sessions"), keep_secrets);
    let mut importer = Importer::default();
    for capture in captures {
        importer.read(&capture[..], Path::new("t.pcap"), &mut transcripts).unwrap();
    }
    importer.finish(&mut transcripts);
    let made = transcripts.finish().unwrap();
    (folder, made)
}

fn transcript(made: &Made) -> Transcript {
    let transcript = Transcript::open(&made.file).unwrap();
    assert_eq!(transcript.problems, Vec::<String>::new());
    let numbers: Vec<u64> = transcript.events.iter().map(|event| event.stem().seq).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    assert!(matches!(transcript.events.last(), Some(Event::SessionClosed(_))));
    transcript
}

/// Returns how connections were joined: connection, by which, by what.
fn joined(transcript: &Transcript) -> Vec<(u64, u64, JoinedBy)> {
    let joined = transcript.events.iter().filter_map(|event| match event {
        Event::SessionJoined(joined) => Some((joined.connection, joined.from, joined.by)),
        _ => None,
    });
    joined.collect()
}

fn notes(transcript: &Transcript) -> Vec<&str> {
    let notes = transcript.events.iter().filter_map(|event| match event {
        Event::Note(note) => Some(note.text.as_str()),
        _ => None,
    });
    notes.collect()
}

fn login(client: &str, server: &str, who: &str) -> Connection {
    let mut connection = Connection::new(client, server);
    connection.handshake().client("VER 1 MSNP8 CVR0\r\n").server("VER 1 MSNP8\r\n");
    connection.client(format!("USR 2 TWN I {who}@example.com\r\n"));
    connection
}

const DISPATCH: &str = "198.51.100.1:1863";
const NOTIFICATION: &str = "198.51.100.2:1863";
const SWITCHBOARD: &str = "198.51.100.3:1863";

#[test]
fn one_login_is_one_session() {
    let mut scene = Scene::new();
    let mut dispatch = login("192.0.2.1:40000", DISPATCH, "alice");
    dispatch.server(format!("XFR 2 NS {NOTIFICATION} 0 {DISPATCH}\r\n")).close();
    let mut notification = login("192.0.2.1:40001", NOTIFICATION, "alice");
    notification.server("USR 2 OK alice@example.com Alice 1 0\r\n");
    notification.client("XFR 3 SB\r\n").server(format!("XFR 3 SB {SWITCHBOARD} CKI 17.42\r\n"));
    let mut board = Connection::new("192.0.2.1:40002", SWITCHBOARD);
    board.handshake().client("USR 1 alice@example.com 17.42\r\n").server("USR 1 OK alice@example.com Alice\r\n");
    scene.capture(&mut dispatch).capture(&mut notification).capture(&mut board);
    notification.server(format!("RNG 99 {SWITCHBOARD} CKI 18.43 bob@example.com Bob\r\n"));
    let mut second = Connection::new("192.0.2.1:40003", SWITCHBOARD);
    second.handshake().client("ANS 1 alice@example.com 18.43 99\r\n").server("ANS 1 OK\r\n").close();
    scene.capture(&mut notification).capture(&mut second);
    scene.capture(board.close()).capture(notification.close());

    let (_folder, made) = scene.import(false);
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].connections, made[0].commands, made[0].apart), (4, 15, false));
    let name = made[0].file.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("20041109T113320Z_alice@example.com_{}.jsonl", made[0].session));
    assert_eq!(std::fs::metadata(&made[0].file).unwrap().permissions().mode() & 0o777, 0o600);
    let transcript = transcript(&made[0]);
    let source = transcript.header().unwrap().source.clone().unwrap();
    assert_eq!((source.format.as_str(), source.file.as_deref()), ("pcap", Some("t.pcap")));
    assert_eq!(
        joined(&transcript),
        [(2, 1, JoinedBy::Redirect), (3, 2, JoinedBy::Cookie), (4, 2, JoinedBy::Invitation)]
    );
    let text = std::fs::read_to_string(&made[0].file).unwrap();
    assert!(!text.contains("17.42") && text.contains(r#""masked":["args[4]"]"#), "secrets are masked");
}

#[test]
fn secrets_are_kept_on_demand() {
    let mut scene = Scene::new();
    let mut notification = login("192.0.2.1:40001", NOTIFICATION, "alice");
    scene.capture(notification.server(format!("XFR 3 SB {SWITCHBOARD} CKI 17.42\r\n")).close());
    let (_folder, made) = scene.import(true);
    assert!(std::fs::read_to_string(&made[0].file).unwrap().contains("17.42"));
}

#[test]
fn two_logins_behind_one_address_are_not_mixed_up() {
    let mut scene = Scene::new();
    for (port, who) in [(40000, "alice"), (40010, "bob")] {
        let mut dispatch = login(&format!("192.0.2.1:{port}"), DISPATCH, who);
        scene.capture(dispatch.server(format!("XFR 2 NS {NOTIFICATION} 0 {DISPATCH}\r\n")).close());
    }
    // in the other order
    for (port, who) in [(40011, "bob"), (40001, "alice")] {
        let mut notification = login(&format!("192.0.2.1:{port}"), NOTIFICATION, who);
        scene.capture(notification.server(format!("USR 2 OK {who}@example.com {who} 1 0\r\n")));
    }
    let (_folder, made) = scene.import(false);
    let accounts: Vec<_> = made.iter().map(|made| (made.account.as_deref().unwrap(), made.connections)).collect();
    assert_eq!(accounts, [("alice@example.com", 2), ("bob@example.com", 2)]);
    assert_eq!(joined(&transcript(&made[0])), [(4, 1, JoinedBy::Redirect)]);
    assert_eq!(joined(&transcript(&made[1])), [(3, 2, JoinedBy::Redirect)]);
}

#[test]
fn what_cannot_be_joined_is_a_session_of_its_own_and_says_so() {
    let mut scene = Scene::new();
    let mut board = Connection::new("192.0.2.1:40002", SWITCHBOARD);
    scene.capture(board.handshake().client("USR 1 alice@example.com 17.42\r\n").close());
    let mut middle = Connection::new("192.0.2.1:40003", NOTIFICATION);
    scene.capture(middle.client("PNG\r\n").server("QNG 50\r\n").client("PNG\r\n").server("QNG 50\r\n"));
    let (_folder, made) = scene.import(false);
    assert_eq!(made.iter().map(|made| made.apart).collect::<Vec<_>>(), [true, true]);
    assert_eq!(
        notes(&transcript(&made[0])),
        ["the cookie is unknown: this switchboard could not be joined to a session"]
    );
    assert_eq!(
        notes(&transcript(&made[1])),
        [
            "the capture begins within this connection",
            "its first command is missing: this connection could not be joined to a session"
        ]
    );
}

#[test]
fn framing_resumes_behind_a_gap_and_says_so() {
    let mut scene = Scene::new();
    let mut notification = login("192.0.2.1:40001", NOTIFICATION, "alice");
    notification.server("MSG Hotmail Hotmail 400\r\nContent-Type: text/plain\r\n");
    let lost = notification.segments.len();
    notification.server("x".repeat(300));
    notification.segments.remove(lost);
    notification.server("the end of it\r\nNLN NLN bob@example.com Bob 0\r\n").close();
    let (_folder, made) = scene.capture(&mut notification).import(true);
    assert_eq!((made[0].commands, made[0].gaps), (4, 1));
    let transcript = transcript(&made[0]);
    let kinds: Vec<String> = transcript.events[5..]
        .iter()
        .map(|event| match event {
            Event::Command(command) => command.verb.clone(),
            Event::Opaque(opaque) => format!("opaque {}", opaque.length),
            Event::Gap(gap) => format!("gap {}", gap.length.unwrap()),
            Event::Note(note) => note.text.clone(),
            Event::ConnectionClosed(_) => "closed".into(),
            _ => "other".into(),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "opaque 51",
            "gap 300",
            "opaque 15",
            "framing resumes 15 bytes further on, with the next command of the server",
            "NLN",
            "closed",
            "other"
        ]
    );
}

#[test]
fn captures_that_follow_each_other_are_one() {
    let mut notification = login("192.0.2.1:40001", NOTIFICATION, "alice");
    notification.client("PNG\r\n").server("QNG 50\r\n").close();
    let frames = notification.frames();
    let whole = simple_pcap(&frames);
    // the second file begins with the header of the first, and with a packet in the middle
    let at = whole.len() - frames[8..].iter().map(|frame| frame.len() + 16).sum::<usize>();
    let second = [&whole[..24], &whole[at..]].concat();
    let (_folder, made) = import(&[whole[..at].to_vec(), second], false);
    assert_eq!((made.len(), made[0].connections, made[0].commands), (1, 1, 5));
    // one that begins earlier is another matter, even with the same ports
    let (_folder, made) = import(&[whole.clone(), whole], false);
    assert_eq!(made.iter().map(|made| made.commands).collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn a_transcript_rebuilds_both_streams() {
    let mut scene = Scene::new();
    let mut notification = login("192.0.2.1:40001", NOTIFICATION, "alice");
    notification.most = 11;
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for number in 0..300u32 {
        let payload: Vec<u8> = (0..number * 7 % 2000).map(|at| (at * number) as u8).collect();
        let message = [format!("MSG {number} D {}\r\n", payload.len()).as_bytes(), &payload].concat();
        client.extend_from_slice(&message);
        server.extend_from_slice(format!("ACK {number}\r\n").as_bytes());
    }
    notification.client(&client).server(&server).close();
    let (_folder, made) = scene.capture(&mut notification).import(true);
    let transcript = transcript(&made[0]);
    let mut bytes = [Vec::new(), Vec::new()];
    for message in transcript.messages() {
        bytes[message.command.direction().index()].extend_from_slice(message.command.as_bytes());
    }
    assert!(bytes[0].ends_with(&client) && bytes[1].ends_with(&server));
}

#[test]
fn lines_are_told_as_they_are_made() {
    let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let listener = std::rc::Rc::clone(&told);
    let folder = tempfile::tempdir().unwrap();
    let transcripts = Transcripts::new(folder.path(), false);
    let mut transcripts =
        transcripts.with_listener(Box::new(move |lines| listener.borrow_mut().extend_from_slice(lines)));
    let mut importer = Importer::default();
    let capture = simple_pcap(&login("192.0.2.1:40001", NOTIFICATION, "alice").frames());
    importer.read(&capture[..], Path::new("-"), &mut transcripts).unwrap();
    importer.finish(&mut transcripts);
    let made = transcripts.finish().unwrap();
    let told: Vec<Event> = Reader::new(&told.borrow()[..], Path::new("told")).map(Result::unwrap).collect();
    assert_eq!(told, transcript(&made[0]).events);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("sessions");
    std::fs::write(&in_the_way, "a file").unwrap();
    let mut transcripts = Transcripts::new(&in_the_way, false);
    let mut importer = Importer::default();
    let capture = simple_pcap(&login("192.0.2.1:40001", NOTIFICATION, "alice").frames());
    importer.read(&capture[..], Path::new("t"), &mut transcripts).unwrap();
    importer.finish(&mut transcripts);
    let error = transcripts.finish().unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write {}", in_the_way.display())), "{error}");
}
