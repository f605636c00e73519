//! Injection and holds on live connections: what both peers see, who gets the answers, and that the transcript rebuilds
//! exactly what went over the wire.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use mitmsn_proxy::holds::Release;
use mitmsn_proxy::hook::Hold;
use mitmsn_proxy::injection::{Answer, Done};
use mitmsn_proxy::observers::Recording;
use mitmsn_proxy::rules::Rules;
use mitmsn_proxy::{Connection, Context, Engine, Hook, Injection, Interest, Settings, Target, Verdict};
use msnp::flow::Address;
use msnp::{Command, Direction, Verb};
use msnp_transcript::event::{Event, Origin};
use msnp_transcript::reader::{Reader, Side, streams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver};

use Direction::{ClientToServer, ServerToClient};

/// A client and a server with the proxy between them.
struct Rig {
    engine: Engine,
    client: Peer,
    server: Peer,
    recording: Arc<Recording>,
    _folder: tempfile::TempDir,
}

/// One end, and all that it received.
struct Peer {
    socket: TcpStream,
    received: String,
    read: usize,
}

impl Peer {
    fn new(socket: TcpStream) -> Peer {
        Peer { socket, received: String::new(), read: 0 }
    }

    async fn send(&mut self, bytes: &str) {
        self.socket.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Waits for exactly this to come next.
    async fn expect(&mut self, expected: &str) {
        while self.received.len() < self.read + expected.len() {
            let mut buffer = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, self.socket.read(&mut buffer)).await;
            let count =
                read.unwrap_or_else(|_| panic!("waited for {expected:?}, got {:?}", &self.received[self.read..]));
            let count = count.unwrap();
            assert!(count > 0, "ended before {expected:?}: {:?}", &self.received[self.read..]);
            self.received += std::str::from_utf8(&buffer[..count]).unwrap();
        }
        assert_eq!(&self.received[self.read..self.read + expected.len()], expected);
        self.read += expected.len();
    }

    /// Waits for the end, and for exactly this before it.
    async fn expect_end(&mut self, expected: &str) {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.socket.read_to_end(&mut rest)).await.unwrap().unwrap();
        self.received += std::str::from_utf8(&rest).unwrap();
        assert_eq!(&self.received[self.read..], expected);
    }
}

/// Puts two commands behind each `REM` of the client.
struct Several;

impl Hook for Several {
    fn name(&self) -> &str {
        "several"
    }

    fn interest(&self) -> Interest {
        Interest::nothing().and(ClientToServer, Verb::new(*b"REM").unwrap())
    }

    fn command(&self, command: &mut Command, _: &mut Context<'_>) -> Verdict {
        let more = ["URL 0 INBOX", "PNG"].map(|line| Command::new(ClientToServer, line.as_bytes(), None).unwrap());
        Verdict::replace([&[command.clone(), command.clone()], &more[..]].concat())
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Rig {
    /// Starts with the client logged in as far as `VER 1`.
    async fn start(rules: &str) -> Rig {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = upstream.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let recording = Arc::new(Recording::start(folder.path(), true));
        let mut settings = Settings::default();
        settings.limits.unfinished_line = Duration::from_millis(50);
        let engine = Engine::builder(Target::Fixed(Address { host: "127.0.0.1".into(), port: Some(address.port()) }))
            .listen(([127, 0, 0, 1], 0))
            .settings(settings)
            .hook(Arc::new(Rules::from_text("rules.toml", rules).unwrap()))
            .hook(Arc::new(Several))
            .observer(Arc::clone(&recording) as _)
            .start()
            .await
            .unwrap();
        let mut client = Peer::new(TcpStream::connect(engine.addresses()[0]).await.unwrap());
        client.send("VER 1 MSNP8 CVR0\r\n").await;
        let mut server = Peer::new(upstream.accept().await.unwrap().0);
        server.expect("VER 1 MSNP8 CVR0\r\n").await;
        server.send("VER 1 MSNP8\r\n").await;
        client.expect("VER 1 MSNP8\r\n").await;
        Rig { engine, client, server, recording, _folder: folder }
    }

    fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.engine.connections()[0])
    }

    fn inject(&self, direction: Direction, line: &str, payload: Option<&str>) -> Receiver<Answer> {
        let (to, answers) = mpsc::channel(64);
        let command = Command::new(direction, line.replace("{trid}", "0").as_bytes(), payload.map(str::as_bytes));
        let injection = Injection::new(command.unwrap()).by("test").answers(to);
        let injection = if line.contains("{trid}") { injection.numbered() } else { injection };
        assert!(self.connection().inject(injection));
        answers
    }

    /// Waits until a command is held and returns its number.
    async fn held(&self) -> u64 {
        let found = async {
            loop {
                match self.engine.held().first() {
                    Some(held) => break held.number,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }

    /// Ends everything, and checks the transcript against what both peers received.
    async fn finish(self) -> Vec<Event> {
        self.finish_with("").await
    }

    /// As [`Rig::finish`], with this last word to the server.
    async fn finish_with(mut self, last: &str) -> Vec<Event> {
        self.client.socket.shutdown().await.unwrap();
        self.server.expect_end(last).await;
        self.server.socket.shutdown().await.unwrap();
        self.client.expect_end("").await;
        self.engine.shutdown().await;
        assert!(self.recording.finish(PATIENCE));
        let path = self.recording.paths().remove(0);
        let events: Vec<Event> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
        let streams = streams(&events).unwrap();
        let of = |side| streams.get(&(1, side)).map_or("", |bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(of(Side::Sent(ClientToServer)), self.server.received);
        assert_eq!(of(Side::Sent(ServerToClient)), self.client.received);
        events
    }
}

async fn next(answers: &mut Receiver<Answer>) -> String {
    let line = |command: Command| String::from_utf8(command.line().to_vec()).unwrap();
    match tokio::time::timeout(PATIENCE, answers.recv()).await.unwrap().unwrap() {
        Answer::Sent(command) => format!("sent {}", line(command)),
        Answer::Reply(command) => line(command),
        Answer::Done(done) => done.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_injected_command_and_its_answer_are_hidden_from_the_client() {
    let mut rig = Rig::start("").await;
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    // the client pipelines while the answer is on its way
    rig.client.send("CVR 2 0x0409 winnt 5.1\r\nUSR 3 TWN I a@b\r\nPNG\r\n").await;
    rig.server.expect("CVR 3 0x0409 winnt 5.1\r\nUSR 4 TWN I a@b\r\nPNG\r\n").await;
    rig.server.send("CVR 3 1.0 1.0 1.0 u v\r\nURL 2 /x https://h 2\r\nQNG 50\r\n911 4\r\n").await;
    rig.client.expect("CVR 2 1.0 1.0 1.0 u v\r\nQNG 50\r\n911 3\r\n").await;
    assert_eq!(next(&mut answers).await, "sent URL 2 INBOX");
    assert_eq!(next(&mut answers).await, "URL 2 /x https://h 2");
    assert_eq!(next(&mut answers).await, "complete");
    let events = rig.finish().await;
    let injected = events.iter().find_map(|event| match event {
        Event::Command(event) if event.origin == Origin::Injected => Some((event.by.concat(), event.trid)),
        _ => None,
    });
    assert_eq!(injected, Some(("test".to_owned(), Some(2))));
}

#[tokio::test]
async fn an_injection_waits_for_the_end_of_a_half_sent_payload_in_both_directions() {
    let mut rig = Rig::start("").await;
    rig.client.send("MSG 7 N 10\r\nabc").await;
    rig.server.expect("MSG 7 N 10\r\nabc").await;
    rig.server.send("MSG a@b A 6\r\nxyz").await;
    rig.client.expect("MSG a@b A 6\r\nxyz").await;
    let mut up = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    let mut down = rig.inject(ServerToClient, "MSG Hotmail Hotmail", Some("\r\nhello"));
    rig.client.send("defghij").await;
    // the half sent command has used id 7
    rig.server.expect("defghijURL 8 INBOX\r\n").await;
    rig.server.send("uvwNLN NLN a@b A\r\n").await;
    rig.client.expect("uvwMSG Hotmail Hotmail 7\r\n\r\nhelloNLN NLN a@b A\r\n").await;
    assert_eq!(next(&mut up).await, "sent URL 8 INBOX");
    assert_eq!(
        (next(&mut down).await, next(&mut down).await),
        ("sent MSG Hotmail Hotmail 7".into(), "complete".into())
    );
    rig.client.send("CHG 8 NLN\r\n").await;
    rig.server.expect("CHG 9 NLN\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn what_comes_with_the_end_of_a_half_sent_command_is_numbered_after_an_injection_that_waited_for_it() {
    let mut rig = Rig::start("").await;
    rig.client.send("MSG 7 N 10\r\nabc").await;
    rig.server.expect("MSG 7 N 10\r\nabc").await;
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.client.send("defghijCHG 8 NLN\r\nCHG 9 BSY\r\n").await;
    rig.server.expect("defghijURL 8 INBOX\r\nCHG 9 NLN\r\nCHG 10 BSY\r\n").await;
    assert_eq!(next(&mut answers).await, "sent URL 8 INBOX");
    rig.server.send("URL 8 a\r\nCHG 9 NLN\r\nCHG 10 BSY\r\n").await;
    rig.client.expect("CHG 8 NLN\r\nCHG 9 BSY\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn an_injection_that_waits_for_the_end_of_a_command_is_refused_if_that_never_comes() {
    for (start, rest, refused) in [("MSG 7 N 10\r\nabc", "", Done::Closed), ("MSG 7 U", " x\r\n", Done::Unframed)] {
        let mut rig = Rig::start("").await;
        rig.client.send(start).await;
        rig.server.expect(start).await;
        let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
        if refused == Done::Unframed {
            rig.client.send(rest).await;
            rig.server.expect(rest).await;
        } else {
            rig.client.socket.shutdown().await.unwrap();
        }
        assert_eq!(tokio::time::timeout(PATIENCE, answers.recv()).await.unwrap(), Some(Answer::Done(refused)));
        rig.finish().await;
    }
}

#[tokio::test]
async fn a_reply_of_a_rule_that_waits_for_a_half_sent_command_is_recorded_where_it_left() {
    let mut rig = Rig::start("[[rule]]\nfrom = \"client\"\nverbs = [\"PNG\"]\nreply = \"QNG 50\"\n").await;
    rig.server.send("MSG a@b A 6\r\nxyz").await;
    rig.client.expect("MSG a@b A 6\r\nxyz").await;
    rig.client.send("PNG\r\nCHG 8 NLN\r\n").await;
    rig.server.expect("CHG 8 NLN\r\n").await;
    rig.server.send("uvw").await;
    rig.client.expect("uvwQNG 50\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_line_without_an_end_leaves_under_its_translated_id() {
    let mut rig = Rig::start("").await;
    let _answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    rig.client.send("USR 2 TWN S t=abc").await;
    rig.server.expect("USR 3 TWN S t=abc").await;
    rig.client.send("def\r\nCHG 3 NLN\r\n").await;
    rig.server.expect("def\r\nCHG 4 NLN\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_line_that_never_ends_is_recorded_as_it_left() {
    let mut rig = Rig::start("").await;
    let _answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    rig.client.send("USR 2 TWN S t=abc").await;
    rig.server.expect("USR 3 TWN S t=abc").await;
    let events = rig.finish().await;
    let opaque = events.iter().find_map(|event| match event {
        Event::Opaque(event) => Some((event.payload.clone()?, event.sent.clone()?)),
        _ => None,
    });
    let (received, sent) = opaque.unwrap();
    assert_eq!(
        (&*received.bytes().unwrap(), &*sent.bytes().unwrap()),
        (&b"USR 2 TWN S t=abc"[..], &b"USR 3 TWN S t=abc"[..])
    );
}

#[tokio::test]
async fn an_answer_that_may_have_a_payload_is_not_let_go_to_the_wrong_one() {
    let mut rig = Rig::start("").await;
    let (to, mut answers) = mpsc::channel(64);
    let injection = Injection::new(Command::new(ClientToServer, b"XYZ 0 5", None).unwrap()).numbered().answers(to);
    assert!(rig.connection().inject(injection.patience(Duration::from_millis(200))));
    rig.server.expect("XYZ 2 5\r\n").await;
    rig.client.send("XYZ 2 5\r\nPNG\r\n").await;
    rig.server.expect("XYZ 3 5\r\nPNG\r\n").await;
    assert_eq!(next(&mut answers).await, "sent XYZ 2 5");
    // silence does not tell whether five bytes follow; the client's is let go after a while, under its own id
    rig.server.send("XYZ 3 5\r\n").await;
    rig.client.expect("XYZ 2 5\r\n").await;
    rig.server.send("XYZ 2 5\r\n").await;
    let mut second = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 4 INBOX\r\n").await;
    assert_eq!((next(&mut second).await, next(&mut answers).await), ("sent URL 4 INBOX".into(), "quiet".into()));
    rig.server.send("URL 4 x\r\nNLN NLN a@b A\r\n").await;
    rig.client.expect("NLN NLN a@b A\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_pong_that_was_half_sent_when_a_ping_was_injected_is_the_clients() {
    let mut rig = Rig::start("").await;
    rig.client.send("PNG\r\n").await;
    rig.server.expect("PNG\r\n").await;
    rig.server.send("QNG").await;
    rig.client.expect("QNG").await;
    let mut answers = rig.inject(ClientToServer, "PNG", None);
    rig.server.expect("PNG\r\n").await;
    rig.server.send(" 50\r\nQNG 51\r\nNLN NLN a@b A\r\n").await;
    rig.client.expect(" 50\r\nNLN NLN a@b A\r\n").await;
    assert_eq!((next(&mut answers).await, next(&mut answers).await), ("sent PNG".into(), "QNG 51".into()));
    rig.finish().await;
}

#[tokio::test]
async fn a_line_that_stops_within_its_id_waits_for_the_rest_of_it() {
    let mut rig = Rig::start("").await;
    let cuts = [(2, "C", "HG 2", 3), (4, "CHG", " 3", 5), (6, "CHG ", "4", 7), (8, "CHG 1", "4", 18)];
    for (injected, start, end, sent) in cuts {
        let command = Command::new(ClientToServer, b"URL 0 INBOX", None).unwrap();
        let (to, mut answers) = mpsc::channel(64);
        rig.client.send(start).await;
        // it is over later than anybody waits for the end of a line
        let injection = Injection::new(command).numbered().answers(to).patience(Duration::from_millis(200));
        assert!(rig.connection().inject(injection));
        rig.server.expect(&format!("URL {injected} INBOX\r\n")).await;
        assert_eq!(next(&mut answers).await, format!("sent URL {injected} INBOX"));
        assert_eq!(next(&mut answers).await, "quiet");
        rig.client.send(&format!("{end} NLN\r\n")).await;
        rig.server.expect(&format!("CHG {sent} NLN\r\n")).await;
    }
    rig.finish().await;
}

#[tokio::test]
async fn a_server_that_leaves_ends_the_wait_for_its_answer() {
    let mut rig = Rig::start("").await;
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    rig.server.socket.shutdown().await.unwrap();
    rig.client.expect_end("").await;
    // though the client stays
    assert_eq!((next(&mut answers).await, next(&mut answers).await), ("sent URL 2 INBOX".into(), "closed".into()));
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    assert_eq!((next(&mut answers).await, next(&mut answers).await), ("sent URL 3 INBOX".into(), "closed".into()));
    rig.server.expect("URL 3 INBOX\r\n").await;
    rig.client.socket.shutdown().await.unwrap();
    rig.server.expect_end("").await;
    assert!(rig.engine.shutdown().await);
}

#[tokio::test]
async fn a_client_that_has_left_gets_nothing_though_its_server_stays() {
    let mut rig = Rig::start("").await;
    let connection = rig.connection();
    rig.client.socket.shutdown().await.unwrap();
    rig.server.expect_end("").await;
    assert!(connection.has_left(ClientToServer) && !connection.has_left(ServerToClient));
    let mut answers = rig.inject(ServerToClient, "NLN AWY a@b A", None);
    assert_eq!(next(&mut answers).await, "closed");
    rig.server.socket.shutdown().await.unwrap();
    rig.client.expect_end("").await;
    assert!(rig.engine.shutdown().await);
}

#[tokio::test]
async fn an_injected_command_of_a_rule_gets_an_id_of_its_own() {
    let rule = "[[rule]]\nfrom = \"client\"\nverbs = [\"CHG\"]\nfirst = 1\ninject.before = \"URL {trid} INBOX\"\ninject.after = \"URL {trid} CHAT\"\n";
    let mut rig = Rig::start(rule).await;
    rig.client.send("SYN 2 0\r\nCHG 3 NLN\r\nCHG 4 AWY\r\n").await;
    rig.server.expect("SYN 2 0\r\nURL 3 INBOX\r\nCHG 4 NLN\r\nURL 5 CHAT\r\nCHG 6 AWY\r\n").await;
    rig.server.send("URL 3 a\r\nCHG 4 NLN\r\nURL 5 b\r\nCHG 6 AWY\r\n").await;
    rig.client.expect("CHG 3 NLN\r\nCHG 4 AWY\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn an_injected_command_follows_the_latest_of_several_commands_that_came_at_once() {
    let mut rig = Rig::start("[[rule]]\nverbs = ['URL']\ntag = 'x'\n").await;
    rig.client.send("CHG 3 NLN 0\r\nURL 4 INBOX\r\n").await;
    rig.server.expect("CHG 3 NLN 0\r\nURL 4 INBOX\r\n").await;
    rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 5 INBOX\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn what_a_held_command_became_is_recorded_when_it_leaves() {
    let mut rig = Rig::start("[[rule]]\nverbs = ['CHG']\nhold = true\nset.capabilities = '8'\n").await;
    rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    rig.client.send("CHG 2 NLN 0\r\n").await;
    let number = rig.held().await;
    assert!(rig.engine.release(number, Release::AsItIs, "test").await);
    rig.server.expect("CHG 3 NLN 8\r\n").await;
    rig.server.send("CHG 3 NLN 8\r\n").await;
    let number = rig.held().await;
    assert!(rig.engine.release(number, Release::AsItIs, "test").await);
    rig.client.expect("CHG 2 NLN 8\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_held_command_keeps_its_place_and_the_other_direction_flows() {
    let mut rig =
        Rig::start("[[rule]]\nname = \"stop\"\nfrom = \"client\"\nverbs = [\"CHG\"]\nfirst = 1\nhold = true\n").await;
    let _answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 2 INBOX\r\n").await;
    rig.client.send("SYN 2 0\r\nCHG 3 NLN\r\nREA 4 a@b A\r\nPNG\r\n").await;
    rig.server.expect("SYN 3 0\r\n").await;
    let number = rig.held().await;
    // its pings are answered meanwhile
    rig.client.expect("QNG\r\n").await;
    rig.server.send("NLN NLN a@b A\r\nSYN 3 0\r\n").await;
    rig.client.expect("NLN NLN a@b A\r\nSYN 2 0\r\n").await;
    // edited under the id that the client gave it
    let held = rig.engine.held().remove(0);
    assert_eq!((held.commands[0].line(), &*held.by[0]), (&b"CHG 3 NLN"[..], "stop"));
    let edited = ["PNG", "CHG 3 BSY"].map(|line| Command::new(ClientToServer, line.as_bytes(), None).unwrap());
    assert!(rig.engine.release(number, Release::Replace(edited.to_vec()), "test").await);
    rig.server.expect("PNG\r\nCHG 4 BSY\r\nREA 5 a@b A\r\n").await;
    assert!(!rig.engine.release(number, Release::AsItIs, "test").await);
    rig.finish().await;
}

#[tokio::test]
async fn what_replaces_a_held_command_takes_free_ids_and_its_answers_are_hidden() {
    let mut rig = Rig::start("[[rule]]\nverbs = ['CHG']\nfrom = 'client'\nfirst = 1\nhold = true\n").await;
    rig.client.send("CHG 8 NLN 0\r\nCHG 9 BSY 0\r\n").await;
    let number = rig.held().await;
    let texts = ["URL 0 INBOX", "CHG 0 AWY 0", "PNG", "UUX 0"];
    let commands = texts.map(|line| Command::new(ClientToServer, line.as_bytes(), None).unwrap());
    // none has the client's id: the first free one is its command
    let swapped = [commands[1].clone(), commands[0].clone(), commands[2].clone(), commands[3].clone()];
    assert!(rig.engine.release(number, Release::Replace(swapped.to_vec()), "test").await);
    rig.server.expect("CHG 8 AWY 0\r\nURL 10 INBOX\r\nPNG\r\nUUX 11\r\nCHG 9 BSY 0\r\n").await;
    rig.server.send("CHG 8 AWY 0\r\nURL 10 /a /b 1\r\nQNG 50\r\n715 11\r\nCHG 9 BSY 0\r\n").await;
    rig.client.expect("CHG 8 AWY 0\r\nCHG 9 BSY 0\r\n").await;
    rig.client.send("REA 10 a@b A\r\n").await;
    rig.server.expect("REA 12 a@b A\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn what_a_hook_puts_beside_a_command_takes_free_ids_and_its_answers_are_hidden() {
    let mut rig = Rig::start("").await;
    rig.client.send("REM 2 FL a@b\r\nCHG 3 NLN 0\r\n").await;
    // a copy is the client's own
    rig.server.expect("REM 2 FL a@b\r\nREM 2 FL a@b\r\nURL 3 INBOX\r\nPNG\r\nCHG 4 NLN 0\r\n").await;
    rig.server.send("REM 2 FL 1 a@b\r\n216 2\r\nURL 3 /a /b 1\r\nQNG 50\r\nCHG 4 NLN 0\r\n").await;
    rig.client.expect("REM 2 FL 1 a@b\r\n216 2\r\nCHG 3 NLN 0\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_hold_ends_with_its_time_its_peer_or_the_proxy() {
    let rule = "[[rule]]\nfrom = \"client\"\nverbs = [\"CHG\"]\nhold = { timeout = \"10ms\" }\n[[rule]]\nfrom = \"client\"\nverbs = [\"REA\"]\nhold = true\n";
    let mut rig = Rig::start(rule).await;
    rig.client.send("CHG 3 NLN\r\n").await;
    rig.server.expect("CHG 3 NLN\r\n").await;
    rig.client.send("REA 4 a@b A\r\n").await;
    rig.held().await;
    // the client leaves
    let events = rig.finish_with("REA 4 a@b A\r\n").await;
    let released: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Released(released) => Some((released.by.as_str(), released.sent.is_none())),
            _ => None,
        })
        .collect();
    assert_eq!(released, [("timeout", true), ("its peer left", true)]);
    let mut rig = Rig::start(rule).await;
    rig.client.send("REA 4 a@b A\r\n").await;
    rig.held().await;
    assert!(rig.engine.shutdown().await);
    rig.server.expect("REA 4 a@b A\r\n").await;
}

#[tokio::test]
async fn a_dropped_held_command_leaves_nothing_and_its_id_is_not_used_again() {
    let mut rig = Rig::start("[[rule]]\nfrom = \"client\"\nverbs = [\"CHG\"]\nhold = true\n").await;
    rig.client.send("CHG 3 NLN\r\nREA 4 a@b A\r\n").await;
    let number = rig.held().await;
    assert!(rig.engine.release(number, Release::Replace(Vec::new()), "test").await);
    rig.server.expect("REA 4 a@b A\r\n").await;
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    rig.server.expect("URL 5 INBOX\r\n").await;
    assert_eq!(next(&mut answers).await, "sent URL 5 INBOX");
    rig.finish().await;
}

#[tokio::test]
async fn challenges_are_answered_while_the_server_is_held_if_that_is_wanted() {
    let rule = "[[rule]]\nfrom = \"server\"\nverbs = [\"NLN\"]\nhold = { answer_challenges = true }\n";
    let mut rig = Rig::start(rule).await;
    rig.server.send("NLN NLN a@b A\r\nCHL 0 15570131571988941333\r\n").await;
    let number = rig.held().await;
    let product = msnp::challenge::product_for(msnp::Version(8)).unwrap();
    let answer = msnp::challenge::answer_md5(b"15570131571988941333", product.key.as_bytes());
    rig.server.expect(&format!("QRY 2 {} 32\r\n{answer}", product.id)).await;
    rig.server.send("QRY 2\r\nFLN a@b\r\n").await;
    assert!(rig.engine.release(number, Release::AsItIs, "test").await);
    rig.client.expect("NLN NLN a@b A\r\nFLN a@b\r\n").await;
    rig.finish().await;
}

#[tokio::test]
async fn what_is_not_msnp_takes_no_injection() {
    let mut rig = Rig::start("").await;
    rig.client.send("what is this\r\n").await;
    rig.server.expect("what is this\r\n").await;
    let mut answers = rig.inject(ClientToServer, "URL {trid} INBOX", None);
    assert_eq!(tokio::time::timeout(PATIENCE, answers.recv()).await.unwrap(), Some(Answer::Done(Done::Unframed)));
    rig.finish().await;
}

#[test]
fn a_hold_waits_a_minute_by_default() {
    assert_eq!(Hold::default().timeout, Duration::from_secs(60));
}

/// A server that answers each read before it reads again, and a client that sends and hears at the same time: neither may
/// wait for the other for ever, though what waits for the server is more than it reads.
#[tokio::test]
async fn a_server_that_reads_nothing_while_it_writes_is_read() {
    let rig = Rig::start("").await;
    let (mut hears, mut says) = rig.client.socket.into_split();
    let mut server = rig.server.socket;
    let echo = tokio::spawn(async move {
        let mut some = vec![0; 256 << 10];
        loop {
            match server.read(&mut some).await.unwrap() {
                0 => break,
                count => server.write_all(&some[..count]).await.unwrap(),
            }
        }
    });
    let command = format!("MSG 5 N 80\r\n{}", "x".repeat(80));
    let all = command.repeat(ECHOED / command.len());
    let length = all.len();
    let speaker = tokio::spawn(async move {
        says.write_all(all.as_bytes()).await.unwrap();
        says.shutdown().await.unwrap();
    });
    let mut heard = Vec::new();
    tokio::time::timeout(PATIENCE, hears.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard.len(), length);
    speaker.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_injected_no_more_than_a_limit() {
    let mut rig = Rig::start("").await;
    let payload = "x".repeat(1 << 20);
    let mut sent = 0;
    loop {
        let mut answers = rig.inject(ServerToClient, "MSG Hotmail Hotmail", Some(&payload));
        match tokio::time::timeout(PATIENCE, answers.recv()).await.unwrap().unwrap() {
            Answer::Sent(_) => sent += 1,
            Answer::Done(done) => break assert_eq!(done, Done::Busy),
            other => panic!("{other:?}"),
        }
        assert!(sent < 100, "everything is taken");
    }
    for _ in 0..sent {
        rig.client.expect(&format!("MSG Hotmail Hotmail {}\r\n{payload}", payload.len())).await;
    }
    let mut answers = rig.inject(ServerToClient, "NLN NLN a@b A", None);
    rig.client.expect("NLN NLN a@b A\r\n").await;
    assert_eq!(next(&mut answers).await, "sent NLN NLN a@b A");
    rig.finish().await;
}

/// Far more than sockets take.
const ECHOED: usize = 60 << 20;
