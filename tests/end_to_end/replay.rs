//! Replays: two real clients (msnp11-sdk) are recorded with the sandbox; then each recorded server is played to a fresh
//! client, and both recorded clients to a fresh sandbox. All come to the same end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Instant;

use msnp_sandbox::client::{Client, Conversation, Login};
use msnp_sandbox::{Challenges, Options, Sandbox};
use msnp_transcript::Event as Line;
use msnp11_sdk::{Event, MsnpStatus, PersonalMessage, PlainText, Switchboard};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::clients::{PATIENCE, Person, TEXT, events_of, handler, meet, wait};
use crate::diff::assert_same;
use crate::support::{Ended, Lines, Setup, Transcript, transcripts};

/// A running `mitmsn replay`. It is killed with the test, unless it ends by itself.
struct Replay {
    child: Child,
    log: Arc<Lines>,
    out: Arc<Lines>,
    folder: TempDir,
}

/// What a replay left behind.
struct Played {
    code: Option<i32>,
    report: Value,
    log: String,
    transcripts: Vec<Transcript>,
    _folder: TempDir,
}

impl Replay {
    fn start(arguments: &[&str]) -> Replay {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Process::new(env!("CARGO_BIN_EXE_mitmsn"));
        // no setting of whoever runs the tests gets in
        command.env_clear().env("HOME", folder.path()).arg("replay").args(arguments);
        command.arg("--json").arg("--record").arg(folder.path().join("sessions"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, out) = (Lines::of(child.stderr.take().unwrap()), Lines::of(child.stdout.take().unwrap()));
        Replay { child, log, out, folder }
    }

    /// Plays the server of a transcript.
    fn server(transcript: &Path, flags: &[&str]) -> (Replay, SocketAddr) {
        let transcript = transcript.to_str().unwrap();
        let replay = Replay::start(&[&["server", transcript, "--listen", "127.0.0.1:0"], flags].concat());
        replay.log.wait("the replay to listen", |text| text.contains("listening on "));
        let text = replay.log.text();
        let address = text.lines().find_map(|line| line.split_once("listening on ")?.1.trim().parse().ok());
        (replay, address.unwrap())
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Process::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end of the replay.
    async fn end(mut self) -> Played {
        tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + PATIENCE;
            let status = loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    break status;
                }
                assert!(Instant::now() < deadline, "the replay does not end; log:\n{}", self.log.text());
                std::thread::sleep(std::time::Duration::from_millis(2));
            };
            let (log, out) = (self.log.to_end(), self.out.to_end());
            let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{log}"));
            let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
            Played { code: status.code(), report, log, transcripts: transcripts(folder.path()), _folder: folder }
        })
        .await
        .unwrap()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Played {
    /// The live peer did what the recorded one did, and the replay's own transcript has it.
    fn is_same(&self) {
        assert_eq!(
            (self.report["result"].as_str(), self.code),
            (Some("same"), Some(0)),
            "{}\n{}",
            self.report,
            self.log
        );
        for list in ["different", "not_in_recording", "missing"] {
            assert_eq!(self.report[list], Value::Array(Vec::new()), "{list}");
        }
        assert_eq!(self.report["notes"], Value::Array(Vec::new()), "{}", self.log);
        self.transcripts.iter().for_each(Transcript::check);
    }
}

async fn sandbox() -> Sandbox {
    // the recorded client answers no challenge
    Sandbox::start(Options { challenges: Challenges::Never, ..Options::default() }).await.unwrap()
}

/// Records Alice and Bob, with secrets masked.
async fn record(sandbox: &Sandbox) -> Ended {
    let proxy = Setup::before(sandbox.dispatch()).start();
    let nexus = sandbox.nexus_url();
    let mut alice = Person::log_in(proxy.address(), &nexus, "alice@example.com").await;
    let mut bob = Person::log_in(proxy.address(), &nexus, "bob@example.com").await;
    meet(&mut alice, &mut bob).await;
    tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap()
}

fn transcript_of<'a>(ended: &'a Ended, account: &str) -> &'a Transcript {
    ended.transcripts.iter().find(|transcript| transcript.path.to_string_lossy().contains(account)).unwrap()
}

/// What was said, as far as two runs share it: for each connection, the verbs in each direction. When a client pings, and
/// whether it says `OUT` before it goes, differs from run to run.
fn verbs(transcript: &Transcript) -> Vec<(String, Vec<String>)> {
    let mut verbs: Vec<(String, Vec<String>)> = Vec::new();
    for event in &transcript.events {
        match event {
            Line::Command(event) if !["OUT", "PNG", "QNG"].contains(&event.verb.as_str()) => {
                let key = format!("{} {:?}", event.connection, event.direction);
                match verbs.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, said)) => said.push(event.verb.clone()),
                    None => verbs.push((key, vec![event.verb.clone()])),
                }
            }
            _ => {}
        }
    }
    // connections are numbered over all sessions
    verbs.sort();
    verbs.into_iter().map(|(key, said)| (key.split(' ').next_back().unwrap().to_owned(), said)).collect()
}

fn said(event: Event) -> Option<(String, String)> {
    match event {
        Event::TextMessage { email, message } => Some((email, message.text)),
        _ => None,
    }
}

fn joined(event: Event) -> Option<()> {
    matches!(event, Event::ParticipantInSwitchboard { .. }).then_some(())
}

fn left(event: Event) -> Option<String> {
    match event {
        Event::ParticipantLeftSwitchboard { email } => Some(email),
        _ => None,
    }
}

fn text() -> PlainText {
    PlainText {
        bold: false,
        italic: false,
        underline: false,
        strikethrough: false,
        color: "0".into(),
        text: TEXT.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_client_meets_the_recorded_server() {
    let sandbox = sandbox().await;
    let recorded = record(&sandbox).await;
    let original = transcript_of(&recorded, "alice@example.com");
    let (replay, address) = Replay::server(&original.path, &[]);
    // tickets come from elsewhere, and any is right
    let mut alice = Person::log_in(address, &sandbox.nexus_url(), "alice@example.com").await;
    assert_eq!(alice.redirected_to, address.to_string());
    alice.client.set_presence(MsnpStatus::Online).await.unwrap();
    let presence = |event| match event {
        Event::PresenceUpdate { email, presence, .. } => Some((email, presence.status)),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, presence).await, ("bob@example.com".into(), MsnpStatus::Busy));
    let personal = |event| match event {
        Event::PersonalMessageUpdate { email, personal_message } => Some((email, personal_message.psm)),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, personal).await, ("bob@example.com".into(), "naïve ☕".into()));
    let board = timeout(PATIENCE, alice.client.create_session("bob@example.com")).await.unwrap().unwrap();
    let mut events = events_of(|sender| board.add_event_handler_closure(handler(sender)));
    wait(&mut events, joined).await;
    board.send_text_message(&text()).await.unwrap();
    let typing = |event| match event {
        Event::TypingNotification { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(&mut events, typing).await, "bob@example.com");
    let nudge = |event| match event {
        Event::Nudge { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(&mut events, nudge).await, "bob@example.com");
    assert_eq!(wait(&mut events, left).await, "bob@example.com");
    board.disconnect().await.unwrap();
    let offline = |event| match event {
        Event::ContactOffline { email } => Some(email),
        _ => None,
    };
    assert_eq!(wait(&mut alice.events, offline).await, "bob@example.com");
    alice.client.disconnect().await.unwrap();
    let played = replay.end().await;
    played.is_same();
    assert_eq!(verbs(&played.transcripts[0]), verbs(original));
    assert_same(&original.path, &played.transcripts[0].path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_client_is_invited_by_the_recorded_server() {
    let sandbox = sandbox().await;
    let recorded = record(&sandbox).await;
    let original = transcript_of(&recorded, "bob@example.com");
    let (replay, address) = Replay::server(&original.path, &["--no-wait"]);
    let mut bob = Person::log_in(address, &sandbox.nexus_url(), "bob@example.com").await;
    bob.client.set_presence(MsnpStatus::Busy).await.unwrap();
    let message = PersonalMessage { psm: "naïve ☕".into(), current_media: String::new() };
    bob.client.set_personal_message(&message).await.unwrap();
    let answered = |event| match event {
        Event::SessionAnswered(session) => Some(session),
        _ => None,
    };
    let board: Arc<Switchboard> = wait(&mut bob.events, answered).await;
    let mut events = events_of(|sender| board.add_event_handler_closure(handler(sender)));
    // the recorded Alice may have spoken before anybody listened: the client keeps what comes until then
    assert_eq!(wait(&mut events, said).await, ("alice@example.com".into(), TEXT.into()));
    board.send_typing_user("bob@example.com").await.unwrap();
    board.send_nudge().await.unwrap();
    board.disconnect().await.unwrap();
    bob.client.disconnect().await.unwrap();
    replay.end().await.is_same();
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_clients_meet_again_on_a_fresh_server() {
    let first = sandbox().await;
    let recorded = record(&first).await;
    first.shutdown().await;
    let fresh = sandbox().await;
    let [alices, bobs] = ["alice@example.com", "bob@example.com"].map(|account| transcript_of(&recorded, account));
    let passwords = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(passwords.path(), "alice@example.com:password\nbob@example.com:password\n").unwrap();
    let paths: Vec<&PathBuf> = vec![&alices.path, &bobs.path];
    let (to, nexus) = (fresh.dispatch().to_string(), fresh.nexus_url());
    let mut arguments = vec!["client", "--to", &to, "--nexus", &nexus];
    arguments.extend(["--password-file", passwords.path().to_str().unwrap()]);
    arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
    let played = Replay::start(&arguments).end().await;
    played.is_same();
    for original in [alices, bobs] {
        let account = original.path.to_string_lossy().split('_').nth(1).unwrap().to_owned();
        let again = played.transcripts.iter().find(|other| other.path.to_string_lossy().contains(&account)).unwrap();
        assert!(again.text.contains("你好 😀"));
        assert_eq!(verbs(again), verbs(original));
        assert_same(&original.path, &again.path);
    }
    // every connection that was recorded reached the fresh server
    let opened = |transcript: &&Transcript| {
        transcript.events.iter().filter(|event| matches!(event, Line::ConnectionOpened(_))).count()
    };
    assert_eq!(fresh.accepted().len(), [alices, bobs].iter().map(opened).sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_kind_is_compared_with_the_recorded_one() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let proxy = Setup::before(sandbox.dispatch()).start();
    let login = |server: SocketAddr| {
        let mut login = Login::to(&sandbox, "alice@example.com", "password", msnp::Version(7));
        login.server = server.to_string();
        login
    };
    let mut recorded = Client::login(&login(proxy.address())).await.unwrap();
    recorded.set_status("NLN").await.unwrap();
    let board: Conversation = recorded.open_switchboard().await.unwrap();
    board.leave().await.unwrap();
    recorded.logout().await.unwrap();
    let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();

    let (replay, address) = Replay::server(&ended.transcript().path, &["--strict", "--no-wait"]);
    let mut live = Client::login(&login(address)).await.unwrap();
    live.set_status("NLN").await.unwrap();
    live.open_switchboard().await.unwrap().leave().await.unwrap();
    live.logout().await.unwrap();
    replay.end().await.is_same();

    let (replay, address) = Replay::server(&ended.transcript().path, &["--no-wait"]);
    let mut live = Client::login(&login(address)).await.unwrap();
    live.set_status("AWY").await.unwrap();
    live.logout().await.unwrap();
    // the recorded switchboard was never asked for
    replay.log.wait("the client to leave", |text| text.matches("closed number=").count() >= 2);
    let id = replay.child.id().to_string();
    assert!(Process::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    let played = replay.end().await;
    assert_eq!((played.report["result"].as_str(), played.code), (Some("different"), Some(3)), "{}", played.log);
    assert_eq!(played.report["different"][0]["verb"], "CHG");
    assert_eq!(played.report["different"][0]["arguments"][0]["name"], "status");
    let missing: Vec<&str> =
        played.report["missing"].as_array().unwrap().iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(missing[0], ">>> XFR 8 SB");
    assert!(missing[1].starts_with("connection, opened with >>> USR 1 alice@example.com ***"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_is_repeated_and_a_replay_can_be_replayed() {
    for version in [2, 7, 9, 12, 15] {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let proxy = Setup::before(sandbox.dispatch()).start();
        let mut login = Login::to(&sandbox, "alice@example.com", "password", msnp::Version(version));
        login.server = proxy.address().to_string();
        let mut client = Client::login(&login).await.unwrap();
        client.set_status("NLN").await.unwrap();
        client.open_switchboard().await.unwrap().leave().await.unwrap();
        client.logout().await.unwrap();
        let ended = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap();
        let passwords = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(passwords.path(), "password\n").unwrap();
        let (to, nexus, rst) = (sandbox.dispatch().to_string(), sandbox.nexus_url(), sandbox.rst_url());
        let replay = |transcript: &Path| {
            let transcript = transcript.to_str().unwrap();
            let mut arguments = vec!["client", transcript, "--to", &to, "--nexus", &nexus, "--rst", &rst];
            arguments.extend(["--password-file", passwords.path().to_str().unwrap()]);
            Replay::start(&arguments)
        };
        let played = replay(&ended.transcript().path).end().await;
        played.is_same();
        assert_eq!(verbs(&played.transcripts[0]), verbs(ended.transcript()), "MSNP{version}");
        assert_same(&ended.transcript().path, &played.transcripts[0].path);
        replay(&played.transcripts[0].path).end().await.is_same();
    }
}

#[tokio::test]
async fn a_replay_that_is_ended_early_is_not_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.jsonl");
    let lines: Vec<&str> = LOGIN.lines().collect();
    let answer = lines[1].replace(r#""seq":1"#, r#""seq":4"#).replace("c2s", "s2c").replace(r#","CVR0""#, "");
    std::fs::write(&file, format!("{}\n{}\n{answer}\n", lines[0], lines[1])).unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap().to_string();
    let path = file.to_str().unwrap();
    let replay = Replay::start(&["client", path, "--to", &to, "--set", "ticket=t=1", "--timeout", "10m"]);
    // it waits for an answer
    let _socket = tokio::task::spawn_blocking(move || server.accept().unwrap()).await.unwrap();
    replay.signal("INT");
    let played = replay.end().await;
    assert_eq!((played.report["result"].as_str(), played.code), (Some("different"), Some(130)), "{}", played.report);
    assert_eq!(played.report["missing"][0]["text"], "all that follows: the replay was ended early");
}

#[tokio::test]
async fn what_a_client_says_that_is_no_command_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.jsonl");
    std::fs::write(&file, LOGIN).unwrap();
    for (said, reported) in [
        ("ver 1 MSNP8 CVR0\r\n", "what the client said is no command"),
        ("VER 1 MSNP8 CVR0\r\nhello\r\n", "what the client said is no command"),
        ("VER 1 MSNP8 CVR0\r\nMSG 2 N 10\r\nabc", "the client left within a command"),
    ] {
        let (replay, address) = Replay::server(&file, &[]);
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut socket, said.as_bytes()).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        // until the server has closed it too
        std::io::Read::read_to_end(&mut socket, &mut Vec::new()).unwrap();
        replay.signal("INT");
        let played = replay.end().await;
        assert_eq!(played.report["not_in_recording"][0]["text"], reported, "{said:?}: {}", played.report);
        assert_eq!(played.report["result"], "different");
    }
}

#[test]
fn what_cannot_be_replayed_is_said_with_the_place_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Process::new(env!("CARGO_BIN_EXE_mitmsn"));
        let output = command.env_clear().env("HOME", home.path()).arg("replay").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let file = home.path().join("session.jsonl");
    let path = file.to_str().unwrap();
    assert_eq!(run(&["server", path]), (Some(1), format!("mitmsn: {path}: No such file or directory (os error 2)\n")));
    std::fs::write(&file, "GET / HTTP/1.1\r\n").unwrap();
    assert_eq!(run(&["server", path]), (Some(1), format!("mitmsn: {path}:1: not a mitmsn-transcript of version 1\n")));
    std::fs::write(&file, LOGIN).unwrap();
    let (code, said) = run(&["client", path, "--to", "127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        format!(
            "mitmsn: {path}: USR 3 TWN S of alice@example.com (seq 3) needs a ticket: give it with --set ticket=..., or let \
             it be fetched with --nexus and a password\n"
        )
    );
    let (code, said) = run(&["client", path, "--to", "127.0.0.1:1", "--set", "tikcet=1"]);
    assert_eq!(code, Some(1));
    assert_eq!(said, "mitmsn: --set tikcet: unknown key; keys are ticket, secret, circle, account\n");
    let (code, said) = run(&["client", path, "--to", "127.0.0.1:1", "--set", "bob@example.com:ticket=1"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("accounts are alice@example.com"), "{said}");
    let (code, said) = run(&["client", path, "--to", "127.0.0.1:1", "--set", "ticket=t=1", "--no-record", "--quiet"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("mitmsn: cannot connect to 127.0.0.1:1: "), "{said}");
    assert_eq!(run(&["client", path]).0, Some(2));
    assert_eq!(run(&["server", path, "--speed", "0"]).0, Some(2));
    assert_eq!(run(&["server", path, "--speed", "2", "--no-wait"]).0, Some(2));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = run(&["server", path, "--listen", &address, "--no-record", "--quiet"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("mitmsn: cannot listen on {address}: Address already in use")), "{said}");
}

const LOGIN: &str = concat!(
    r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#,
    "\n",
    r#"{"type":"command","seq":1,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":1,"direction":"c2s","verb":"VER","args":["1","MSNP8","CVR0"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:02.000000Z","session":"01jd","connection":1,"direction":"c2s","verb":"USR","args":["2","TWN","I","alice@example.com"],"origin":"peer"}"#,
    "\n",
    r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:03.000000Z","session":"01jd","connection":1,"direction":"c2s","verb":"USR","args":["3","TWN","S","***"],"origin":"peer","masked":["args[3]"]}"#,
    "\n",
);
