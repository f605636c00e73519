//! Any interleaving on a live connection: the client's bytes cut anywhere, injections at any time, held and released
//! commands in between. Whatever the order, the server hears one well-formed dialogue in which no id comes twice, the client
//! gets each of its answers under its own id, every injector gets its own, and the transcript rebuilds all four streams.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mitmsn_proxy::holds::Release;
use mitmsn_proxy::injection::{Answer, Done};
use mitmsn_proxy::observers::Recording;
use mitmsn_proxy::rules::Rules;
use mitmsn_proxy::{Context, Engine, Hook, Injection, Interest, Settings, Target, Verdict};
use msnp::codec::Frame;
use msnp::flow::Address;
use msnp::{Codec, Command, Direction, Limits, Verb};
use msnp_transcript::reader::{Reader, Side, streams};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::codec::Decoder;

use Direction::{ClientToServer, ServerToClient};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// The client sends so many more of its bytes.
    Client(usize),
    /// The server sends so many more of its answers' bytes.
    Server(usize),
    /// Somebody injects a command towards the server.
    Ask,
    /// Somebody injects a ping towards the server.
    Ping,
    /// Somebody injects a command towards the client.
    Tell,
    /// Something becomes of the oldest held command.
    Release(Become),
}

/// What becomes of a held command.
#[derive(Clone, Debug)]
enum Become {
    Itself,
    /// Another one follows it.
    Two,
    Nothing,
}

/// What a client says, in order.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Say {
    Url,
    /// With so long a payload.
    Message(usize),
    /// A rule holds it.
    Remove,
    /// A rule puts another command behind it, another one holds the answer.
    Change,
    /// A rule delays it, and a hook says something when the answer comes.
    Block,
    Unknown,
    Ping,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let few_or_many = || prop_oneof![1..6_usize, 1..60_usize];
    let step = prop_oneof![
        6 => few_or_many().prop_map(Step::Client),
        4 => few_or_many().prop_map(Step::Server),
        3 => Just(Step::Ask),
        1 => Just(Step::Ping),
        1 => Just(Step::Tell),
        2 => prop_oneof![Just(Become::Itself), Just(Become::Two), Just(Become::Nothing)].prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..60)
}

fn dialogue() -> impl Strategy<Value = Vec<Say>> {
    let say = prop_oneof![
        3 => Just(Say::Url),
        3 => (0..50_usize).prop_map(Say::Message),
        1 => Just(Say::Remove),
        1 => Just(Say::Change),
        1 => Just(Say::Block),
        1 => Just(Say::Unknown),
        1 => Just(Say::Ping),
    ];
    prop::collection::vec(say, 1..15)
}

impl Say {
    /// Returns the command under this id.
    fn command(self, id: u32) -> String {
        match self {
            Say::Url => format!("URL {id} client\r\n"),
            Say::Message(length) => format!("MSG {id} A {length}\r\n{}", "x".repeat(length)),
            Say::Remove => format!("REM {id} AL a@b\r\n"),
            Say::Change => format!("CHG {id} NLN\r\n"),
            Say::Block => format!("BLP {id} AL\r\n"),
            Say::Unknown => format!("ABC {id} client\r\n"),
            Say::Ping => "PNG\r\n".to_owned(),
        }
    }
}

/// What the server answers.
fn answer(command: &Command) -> String {
    let id = command.transaction_id().map_or(0, |id| id.0);
    match command.verb().as_str() {
        "MSG" => format!("ACK {id}\r\n"),
        "GCF" => format!("GCF {id} ok 2\r\nok"),
        "PNG" => "QNG 50\r\n".to_owned(),
        _ => format!("{}\r\n", line(command)),
    }
}

const RULES: &str = "[[rule]]
from = 'client'
verbs = ['REM']
hold = { timeout = '1h' }
[[rule]]
from = 'client'
verbs = ['CHG']
inject.after = 'GCF {trid} rule'
[[rule]]
from = 'server'
verbs = ['CHG']
hold = { timeout = '1h' }
[[rule]]
from = 'client'
verbs = ['BLP']
delay = '1ms'
";

/// Injects a command towards the server when that answers a `BLP`.
struct Back;

impl Hook for Back {
    fn name(&self) -> &str {
        "back"
    }

    fn interest(&self) -> Interest {
        Interest::nothing().and(ServerToClient, Verb::new(*b"BLP").unwrap())
    }

    fn command(&self, _: &mut Command, _: &mut Context<'_>) -> Verdict {
        let back = Command::new(ClientToServer, b"GCF 0 back", None).unwrap();
        let mut verdict = Verdict::forward();
        verdict.replies.push(Injection::new(back).numbered());
        verdict
    }
}

/// One end: what it hears, framed.
struct Peer {
    socket: TcpStream,
    codec: Codec,
    buffer: BytesMut,
    heard: Vec<Command>,
    sent: Vec<u8>,
    received: Vec<u8>,
    has_left: bool,
}

impl Peer {
    fn new(socket: TcpStream, hears: Direction) -> Peer {
        Peer {
            socket,
            codec: Codec::new(hears, Limits::default()),
            buffer: BytesMut::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            has_left: false,
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        if self.has_left {
            return;
        }
        self.socket.write_all(bytes).await.unwrap();
        self.sent.extend_from_slice(bytes);
    }

    /// Takes what has come, without waiting.
    fn look(&mut self) {
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = self.socket.try_read(&mut some) {
            self.take(&some[..count]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        self.buffer.extend_from_slice(bytes);
        while let Some(frame) = self.codec.decode(&mut self.buffer).unwrap() {
            match frame {
                Frame::Command(command) => self.heard.push(command),
                Frame::Opaque(bytes) => panic!("no command: {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
    }

    async fn hear_to_end(&mut self) {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.socket.read_to_end(&mut rest)).await.unwrap().unwrap();
        self.take(&rest);
    }

    /// Says that nothing more comes from here.
    async fn leave(&mut self) {
        self.socket.shutdown().await.unwrap();
        self.has_left = true;
    }
}

fn line(command: &Command) -> String {
    String::from_utf8(command.line().to_vec()).unwrap()
}

/// Lets the proxy do what it can do now.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// A session that is played.
struct Play {
    engine: Engine,
    client: Peer,
    server: Peer,
    /// What the client has still to say.
    saying: VecDeque<u8>,
    /// What the server has still to say.
    answering: VecDeque<u8>,
    answered: usize,
    injections: Vec<(Command, Receiver<Answer>)>,
    told: usize,
    /// How many commands were put behind held ones.
    added: usize,
    /// What was held and never left.
    dropped: Vec<Command>,
    recording: Arc<Recording>,
    _folder: tempfile::TempDir,
}

impl Play {
    async fn start(dialogue: &[Say]) -> Play {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = upstream.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let recording = Arc::new(Recording::start(folder.path(), true));
        let mut settings = Settings::default();
        settings.limits.unfinished_line = Duration::from_millis(1);
        let engine = Engine::builder(Target::Fixed(Address { host: "127.0.0.1".into(), port: Some(address.port()) }))
            .listen(([127, 0, 0, 1], 0))
            .settings(settings)
            .hook(Arc::new(Rules::from_text("rules.toml", RULES).unwrap()))
            .hook(Arc::new(Back))
            .observer(Arc::clone(&recording) as _)
            .start()
            .await
            .unwrap();
        let mut client = Peer::new(TcpStream::connect(engine.addresses()[0]).await.unwrap(), ServerToClient);
        client.send(b"VER 1 MSNP8 CVR0\r\n").await;
        let saying: String = dialogue.iter().zip(2..).map(|(say, id)| say.command(id)).collect();
        Play {
            engine,
            client,
            server: Peer::new(upstream.accept().await.unwrap().0, ClientToServer),
            saying: saying.into_bytes().into(),
            answering: VecDeque::new(),
            answered: 0,
            injections: Vec::new(),
            told: 0,
            added: 0,
            dropped: Vec::new(),
            recording,
            _folder: folder,
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Client(count) => {
                let bytes: Vec<u8> = self.saying.drain(..(*count).min(self.saying.len())).collect();
                self.client.send(&bytes).await;
            }
            Step::Server(count) => {
                self.server.look();
                self.answer();
                let bytes: Vec<u8> = self.answering.drain(..(*count).min(self.answering.len())).collect();
                self.server.send(&bytes).await;
            }
            Step::Ask => self.ask(&format!("URL 0 {}", self.injections.len())),
            Step::Ping => self.ask("PNG"),
            Step::Tell => {
                self.told += 1;
                self.inject(Injection::new(Command::new(ServerToClient, TOLD.as_bytes(), None).unwrap()));
            }
            Step::Release(what) => self.release(what).await,
        }
        settle().await;
    }

    fn ask(&mut self, line: &str) {
        let (to, answers) = mpsc::channel(16);
        let command = Command::new(ClientToServer, line.as_bytes(), None).unwrap();
        let injection = Injection::new(command.clone()).answers(to).patience(PATIENCE);
        self.inject(if line == "PNG" { injection } else { injection.numbered() });
        self.injections.push((command, answers));
    }

    fn inject(&self, injection: Injection) {
        if let Some(connection) = self.engine.connections().first() {
            assert!(connection.inject(injection));
        }
    }

    async fn release(&mut self, what: &Become) {
        let held = self.engine.held();
        let Some(held) = held.first() else { return };
        let command = held.commands[0].clone();
        let release = match (what, held.direction) {
            (Become::Itself, _) => Release::AsItIs,
            (Become::Two, ClientToServer) => {
                self.added += 1;
                Release::Replace(vec![command, Command::new(ClientToServer, b"GCF 0 release", None).unwrap()])
            }
            (Become::Two, ServerToClient) => {
                self.told += 1;
                Release::Replace(vec![command, Command::new(ServerToClient, TOLD.as_bytes(), None).unwrap()])
            }
            (Become::Nothing, _) => {
                self.dropped.push(command);
                Release::Replace(Vec::new())
            }
        };
        assert!(self.engine.release(held.number, release, "test").await);
    }

    /// The server answers what it has heard since.
    fn answer(&mut self) {
        self.answering.extend(self.server.heard[self.answered..].iter().flat_map(|one| answer(one).into_bytes()));
        self.answered = self.server.heard.len();
    }

    /// Lets everybody end, and checks what they heard.
    async fn finish(mut self, dialogue: &[Say]) {
        self.step(&Step::Client(usize::MAX)).await;
        // who leaves lets go of what is held
        self.client.leave().await;
        self.server.hear_to_end().await;
        self.step(&Step::Server(usize::MAX)).await;
        self.server.leave().await;
        self.client.hear_to_end().await;
        self.engine.shutdown().await;
        for peer in [&mut self.client, &mut self.server] {
            assert_eq!(peer.codec.decode_eof(&mut peer.buffer).unwrap(), None, "it ends within a command");
        }
        self.check_ids();
        self.check_server(dialogue);
        self.check_client(dialogue);
        self.check_transcript();
        for (injected, mut answers) in self.injections {
            let mut got = Vec::new();
            while let Some(answer) = answers.recv().await {
                got.push(answer);
            }
            let [Answer::Sent(sent), Answer::Reply(reply), Answer::Done(Done::Complete)] = &got[..] else {
                panic!("{injected:?}: {got:?}")
            };
            assert_eq!(sent.argument(1), injected.argument(1));
            assert_eq!(format!("{}\r\n", line(reply)), answer(sent));
        }
    }

    /// Lets one of them leave here, and the other go on alone.
    async fn break_off(mut self, who: Direction, rest: &[Step]) {
        let leaver = if who == ClientToServer { &mut self.client } else { &mut self.server };
        leaver.leave().await;
        settle().await;
        for step in rest {
            self.step(step).await;
        }
        let (stays, left) = match who {
            ClientToServer => (&mut self.server, &mut self.client),
            ServerToClient => (&mut self.client, &mut self.server),
        };
        stays.leave().await;
        stays.hear_to_end().await;
        left.hear_to_end().await;
        self.engine.shutdown().await;
        self.check_ids();
        self.check_transcript();
        for (injected, mut answers) in self.injections {
            let mut last = None;
            while let Some(answer) = answers.recv().await {
                last = Some(answer);
            }
            assert!(matches!(last, Some(Answer::Done(_))), "{injected:?} ends with {last:?}");
        }
    }

    fn check_ids(&self) {
        let ids: Vec<u32> = self.server.heard.iter().filter_map(|one| Some(one.transaction_id()?.0)).collect();
        let mut different = ids.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), ids.len(), "an id comes twice: {ids:?}");
    }

    fn check_server(&self, dialogue: &[Say]) {
        let beside = |word: &[u8]| self.server.heard.iter().filter(|one| one.argument(1) == Some(word)).count();
        let changes = dialogue.iter().filter(|say| **say == Say::Change).count();
        let blocks = dialogue.iter().filter(|say| **say == Say::Block).count();
        // a line whose end lets itself be waited for passes the rules by
        assert!(beside(b"rule") <= changes, "{} > {changes}", beside(b"rule"));
        assert!(beside(b"back") <= blocks, "{} > {blocks}", beside(b"back"));
        assert_eq!(beside(b"release"), self.added);
        // pings are answered by the proxy while something is held
        let is_own = |one: &&Command| match one.verb().as_str() {
            "URL" => one.argument(1) == Some(b"client"),
            "GCF" | "PNG" | "VER" => false,
            _ => true,
        };
        let own: Vec<String> = self.server.heard.iter().filter(is_own).map(without_id).collect();
        let said = dialogue.iter().zip(2..).filter(|(say, id)| **say != Say::Ping && !self.is_dropped("REM", *id));
        let said: Vec<String> = said.map(|(say, id)| without_id(&read(ClientToServer, &say.command(id)))).collect();
        assert_eq!(own, said, "what the client said, in its order");
    }

    fn check_client(&self, dialogue: &[Say]) {
        let count = |verb: &str| self.client.heard.iter().filter(|one| one.verb().as_str() == verb).count();
        let pings = dialogue.iter().filter(|say| **say == Say::Ping).count();
        assert_eq!((count("NLN"), count("QNG")), (self.told, pings));
        let mut expected = vec!["VER 1 MSNP8 CVR0".to_owned()];
        for (say, id) in dialogue.iter().zip(2..) {
            if *say != Say::Ping && !self.is_dropped("REM", id) && !self.is_dropped("CHG", id) {
                expected.push(line(&read(ServerToClient, &answer(&read(ClientToServer, &say.command(id))))));
            }
        }
        let others = self.client.heard.iter().filter(|one| !matches!(one.verb().as_str(), "NLN" | "QNG"));
        assert_eq!(others.map(line).collect::<Vec<_>>(), expected, "an answer to each command, in order");
    }

    fn check_transcript(&self) {
        assert!(self.recording.finish(PATIENCE));
        let path = self.recording.paths().remove(0);
        let events: Vec<_> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
        let streams = streams(&events).unwrap();
        for (side, bytes) in [
            (Side::Received(ClientToServer), &self.client.sent),
            (Side::Sent(ClientToServer), &self.server.received),
            (Side::Received(ServerToClient), &self.server.sent),
            (Side::Sent(ServerToClient), &self.client.received),
        ] {
            let told = streams.get(&(1, side)).map_or(&b""[..], |bytes| bytes);
            assert_eq!(String::from_utf8_lossy(told), String::from_utf8_lossy(bytes), "{side:?}");
        }
    }

    /// Whether the client's command of this id, or the answer to it, was dropped.
    fn is_dropped(&self, verb: &str, id: u32) -> bool {
        self.dropped.iter().any(|one| one.verb().as_str() == verb && one.transaction_id().unwrap().0 == id)
    }
}

fn read(direction: Direction, bytes: &str) -> Command {
    let mut codec = Codec::new(direction, Limits::default());
    match codec.decode_eof(&mut BytesMut::from(bytes)).unwrap().unwrap() {
        Frame::Command(command) => command,
        Frame::Opaque(_) => panic!("no command: {bytes:?}"),
    }
}

/// Returns a command without its transaction id.
fn without_id(command: &Command) -> String {
    let text = std::str::from_utf8(command.as_bytes()).unwrap();
    let (verb, rest) = text.split_once(' ').unwrap();
    format!("{verb} {}", rest.split_once(' ').unwrap().1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_is_one_dialogue(dialogue in dialogue(), steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut play = Play::start(&dialogue).await;
            for step in &steps {
                play.step(step).await;
            }
            play.finish(&dialogue).await;
        });
    }

    #[test]
    fn whoever_leaves_first_all_that_left_is_recorded(
        dialogue in dialogue(),
        (before, after) in (steps(), steps()),
        is_client in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut play = Play::start(&dialogue).await;
            for step in &before {
                play.step(step).await;
            }
            play.break_off(if is_client { ClientToServer } else { ServerToClient }, &after).await;
        });
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
/// What is injected towards the client.
const TOLD: &str = "NLN NLN a@b A";
