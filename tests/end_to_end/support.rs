//! What the end-to-end tests share: the real binary as a child, scripted peers on loopback sockets, and transcripts as
//! text that a test can compare whole.
//!
//! Nothing here sleeps for a fixed time; every wait ends with what it waits for, or fails the test after [`PATIENCE`].

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use msnp::Direction;
use msnp_transcript::event::{self, CommandEvent, Event, Way};
use msnp_transcript::reader::{Side, Streams};
use msnp_transcript::{Reader, reader};
use tempfile::TempDir;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often what cannot be waited for is looked at.
const TICK: Duration = Duration::from_millis(2);

/// A proxy to be started.
pub(crate) struct Setup {
    arguments: Vec<String>,
    listen: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
    records: bool,
    is_controlled: bool,
}

/// A running proxy. It is killed with the test, unless the test ends it.
pub(crate) struct Proxy {
    child: Child,
    /// Where it listens, in the order of `--listen`.
    pub(crate) addresses: Vec<SocketAddr>,
    log: Arc<Lines>,
    out: Arc<Lines>,
    folder: Option<TempDir>,
}

/// What a proxy left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Standard error.
    pub(crate) log: String,
    /// Standard output.
    pub(crate) out: String,
    /// In the order in which the sessions began.
    pub(crate) transcripts: Vec<Transcript>,
    _folder: TempDir,
}

/// One transcript.
pub(crate) struct Transcript {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) events: Vec<Event>,
    pub(crate) torn: Option<u64>,
}

/// A scripted server: hands its connections out one by one.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

/// One end of a dialogue: a client's socket or a server's.
pub(crate) struct Peer {
    name: &'static str,
    pub(crate) socket: TcpStream,
}

impl Setup {
    /// A proxy before `upstream` that shows nothing and records into a folder of its own.
    pub(crate) fn before(upstream: impl ToString) -> Setup {
        Setup {
            arguments: vec![upstream.to_string(), "--quiet".into()],
            listen: Vec::new(),
            environment: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            records: true,
            is_controlled: false,
        }
    }

    pub(crate) fn flag(mut self, argument: impl ToString) -> Setup {
        self.arguments.push(argument.to_string());
        self
    }

    pub(crate) fn set(self, setting: &str) -> Setup {
        self.flag("--set").flag(setting)
    }

    /// Everything is on the screen and in the log.
    pub(crate) fn loud(mut self) -> Setup {
        self.arguments.retain(|argument| argument != "--quiet");
        self
    }

    pub(crate) fn keep_secrets(self) -> Setup {
        self.flag("--keep-secrets")
    }

    pub(crate) fn listen(mut self, address: impl ToString) -> Setup {
        self.listen.push(address.to_string());
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Returns the folder of the rule file and of `sessions`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn record_nothing(mut self) -> Setup {
        self.records = false;
        self
    }

    /// With a control interface, which [`Proxy::tool`] finds.
    pub(crate) fn controlled(mut self) -> Setup {
        self.is_controlled = true;
        self
    }

    /// Puts a rule file beside the transcripts and uses it.
    pub(crate) fn rules(self, source: &str) -> Setup {
        let file = self.folder.path().join("rules.toml");
        std::fs::write(&file, source).unwrap();
        let file = file.display().to_string();
        self.flag("--rules").flag(file)
    }

    /// Puts a configuration file beside the transcripts and uses it.
    pub(crate) fn config(self, source: &str) -> Setup {
        let file = self.folder.path().join("config.toml");
        std::fs::write(&file, source).unwrap();
        let file = file.display().to_string();
        self.flag("--config").flag(file)
    }

    fn command(&mut self) -> Process {
        if self.listen.is_empty() {
            self.listen.push("127.0.0.1:0".into());
        }
        let mut command = Process::new(env!("CARGO_BIN_EXE_mitmsn"));
        // no setting of whoever runs the tests gets in
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("proxy").args(&self.arguments);
        for address in &self.listen {
            command.args(["--listen", address]);
        }
        match self.records {
            true => command.arg("--record").arg(self.folder.path().join("sessions")),
            false => command.arg("--no-record"),
        };
        match self.is_controlled {
            true => command.args(["--control", "127.0.0.1:0"]),
            false => command.arg("--no-control"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a proxy that ends by itself, and returns its exit code and standard error.
    pub(crate) fn fails(mut self) -> (Option<i32>, String) {
        let mut child = self.command().spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                // a proxy that works is what the test does not expect
                child.kill().unwrap();
            }
            std::thread::sleep(TICK);
        }
        (child.wait().unwrap().code(), log.to_end())
    }

    pub(crate) fn start(mut self) -> Proxy {
        let mut child = self.command().spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let out = Lines::of(child.stdout.take().unwrap());
        let count = self.listen.len();
        log.wait("the proxy to listen", |text| text.matches("listening on ").count() >= count);
        let text = log.text();
        let addresses =
            text.lines().filter_map(|line| line.split_once("listening on ")?.1.trim().parse().ok()).collect();
        Proxy { child, addresses, log, out, folder: Some(self.folder) }
    }
}

impl Proxy {
    /// Returns the first address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Connects a client.
    pub(crate) fn client(&self) -> Peer {
        Peer::to(self.address())
    }

    /// Returns the folder of the rule file and of `sessions`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Runs a command of the tool that finds this proxy, and returns exit code, standard output and standard error.
    pub(crate) fn tool(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command(env!("CARGO_BIN_EXE_mitmsn"));
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Returns a command that finds this proxy as the tool does.
    pub(crate) fn command(&self, program: &str) -> Process {
        let mut command = Process::new(program);
        command.env_clear().env("HOME", self.folder()).env("PATH", std::env::var("PATH").unwrap_or_default());
        command
    }

    /// Writes a rule file over the one in use, as editors do: a new file takes its name.
    pub(crate) fn write_rules(&self, source: &str) {
        let new = self.folder().join("rules.toml.new");
        std::fs::write(&new, source).unwrap();
        std::fs::rename(new, self.folder().join("rules.toml")).unwrap();
    }

    /// Waits until the log says something.
    pub(crate) fn says(&self, text: &str) {
        self.log.wait(text, |log| log.contains(text));
    }

    /// Waits until the screen shows something.
    pub(crate) fn shows(&self, text: &str) {
        self.out.wait(text, |out| out.contains(text));
    }

    /// Waits until the transcripts hold something, and returns them.
    pub(crate) fn records(&self, what: &str, holds: impl Fn(&[Transcript]) -> bool) -> Vec<Transcript> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let transcripts = transcripts(self.folder());
            if holds(&transcripts) {
                return transcripts;
            }
            let outlines: Vec<String> = transcripts.iter().map(Transcript::outline).collect();
            assert!(Instant::now() < deadline, "waited in vain for {what} in {}", outlines.join("\n---\n"));
            std::thread::sleep(TICK);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Process::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Ends it as an init system would, and checks what must hold of every recording.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.wait();
        assert_eq!(ended.status.code(), Some(143), "log:\n{}", ended.log);
        for transcript in &ended.transcripts {
            transcript.check();
        }
        ended
    }

    /// Waits for the process to end.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the proxy does not end; log:\n{}", self.log.text());
            std::thread::sleep(TICK);
        };
        let folder = self.folder.take().unwrap();
        let (log, out) = (self.log.to_end(), self.out.to_end());
        Ended { status, log, out, transcripts: transcripts(folder.path()), _folder: folder }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Returns the only transcript.
    pub(crate) fn transcript(&self) -> &Transcript {
        let outlines: Vec<String> = self.transcripts.iter().map(Transcript::outline).collect();
        assert_eq!(outlines.len(), 1, "{}", outlines.join("\n---\n"));
        &self.transcripts[0]
    }

    /// Returns the transcripts' outlines.
    pub(crate) fn outlines(&self) -> Vec<String> {
        self.transcripts.iter().map(Transcript::outline).collect()
    }

    /// Returns the warnings and errors, without their times.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let lines = self.log.lines().filter_map(|line| Some(line.split_once("Z ")?.1.trim_start()));
        lines.filter(|line| line.starts_with("WARN") || line.starts_with("ERROR")).map(str::to_owned).collect()
    }
}

impl Transcript {
    fn of(path: PathBuf, bytes: &[u8]) -> Transcript {
        let mut reader = Reader::new(bytes, &path);
        let events = reader.by_ref().map(|event| event.unwrap()).collect();
        let torn = reader.torn();
        Transcript { path, events, torn, text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// Checks what must hold of every transcript: whole lines that fit the schema, numbered without a gap.
    pub(crate) fn check(&self) {
        assert_eq!(self.torn, None, "{}", self.path.display());
        let schema = jsonschema::validator_for(&event::schema()).unwrap();
        for (seq, line) in self.text.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Err(error) = schema.validate(&line) {
                panic!("{line}: {error}");
            }
            assert_eq!(line["seq"], seq, "{line}");
        }
    }

    pub(crate) fn streams(&self) -> Streams {
        reader::streams(&self.events).unwrap()
    }

    /// Returns what one stream of a connection was; empty if nothing went there.
    pub(crate) fn stream(&self, connection: u64, side: Side) -> Vec<u8> {
        self.streams().remove(&(connection, side)).unwrap_or_default()
    }

    /// Returns one line of text for every event, those of one connection together: between connections there is no order
    /// that a test could rely on.
    pub(crate) fn outline(&self) -> String {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| match event {
            Event::Session(_) => 0,
            Event::SessionClosed(_) => u64::MAX,
            Event::ConnectionOpened(event) => event.connection,
            Event::SessionJoined(event) => event.connection,
            Event::Command(event) => event.connection,
            Event::Opaque(event) => event.connection,
            Event::ConnectionClosed(event) => event.connection,
            Event::Note(event) => event.connection.unwrap_or(0),
            Event::Tag(event) => event.connection,
            _ => 0,
        });
        events.into_iter().map(outline).collect::<Vec<_>>().join("\n")
    }
}

fn outline(event: &Event) -> String {
    match event {
        Event::Session(_) => "session".into(),
        Event::ConnectionOpened(opened) => {
            let mut text = format!("#{} to {}", opened.connection, opened.upstream);
            if let Some(server) = opened.server {
                let _ = write!(text, ", {}", format!("{server:?}").to_lowercase());
            }
            for known in [&opened.account, &opened.version].into_iter().flatten() {
                let _ = write!(text, ", {known}");
            }
            text
        }
        Event::SessionJoined(joined) => {
            format!("#{} follows #{} by {}", joined.connection, joined.from, format!("{:?}", joined.by).to_lowercase())
        }
        Event::Command(command) => command_outline(command),
        Event::Opaque(opaque) => {
            let arrow = if opaque.direction == Way::ClientToServer { ">>>" } else { "<<<" };
            format!("#{} {arrow} {} bytes", opaque.connection, opaque.length)
        }
        Event::ConnectionClosed(closed) => {
            let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("#{} closed by {}{reason}", closed.connection, closed.by)
        }
        Event::Note(note) => format!("#{} note: {}", note.connection.unwrap_or(0), note.text),
        Event::Tag(tag) => format!("#{} tag {} on {}", tag.connection, tag.tag, tag.command),
        Event::SessionClosed(closed) => format!("over after {}", closed.connections),
        other => format!("{other:?}"),
    }
}

fn command_outline(event: &CommandEvent) -> String {
    let drawn = |command: &msnp::Command| {
        let arrow = if command.direction() == Direction::ClientToServer { ">>>" } else { "<<<" };
        let mut text = format!("{arrow} {}", String::from_utf8_lossy(command.line()));
        if command.eol() == b"\n" {
            text.push_str(" (LF)");
        }
        if !command.payload().is_empty() {
            let _ = write!(text, " {:?}", String::from_utf8_lossy(command.payload()));
        }
        text
    };
    let mut text = format!("#{} {}", event.connection, drawn(&event.command().unwrap()));
    if event.sent.is_some() {
        let sent: Vec<String> = event.sent().unwrap().iter().map(drawn).collect();
        let _ = write!(text, " => [{}]", sent.join(", "));
    }
    if !event.by.is_empty() {
        let _ = write!(text, " by {}", event.by.join(", "));
    }
    text
}

/// Returns the transcripts in a folder, in the order in which they began.
pub(crate) fn transcripts(folder: &Path) -> Vec<Transcript> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("sessions")).into_iter().flatten() {
        let path = entry.unwrap().path();
        // a transcript gets another name when its account is known
        if let Ok(bytes) = std::fs::read(&path) {
            found.push(Transcript::of(path, &bytes));
        }
    }
    // connections are numbered in the order in which they come
    found.sort_by_key(|transcript| {
        transcript.events.iter().find_map(|event| match event {
            Event::ConnectionOpened(opened) => Some(opened.connection),
            _ => None,
        })
    });
    found
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::at("127.0.0.1:0")
    }

    pub(crate) fn at(address: &str) -> Server {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if sender.send(socket).is_err() {
                    return;
                }
            }
        });
        Server { address, accepted }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for the next connection.
    pub(crate) fn accept(&self) -> Peer {
        Peer::of("server", self.accepted.recv_timeout(PATIENCE).expect("a connection arrives"))
    }

    /// Whether a connection is there already that nobody has accepted.
    pub(crate) fn has_another(&self) -> bool {
        self.accepted.try_recv().is_ok()
    }
}

impl Peer {
    pub(crate) fn to(address: SocketAddr) -> Peer {
        Peer::of("client", TcpStream::connect(address).unwrap())
    }

    fn of(name: &'static str, socket: TcpStream) -> Peer {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { name, socket }
    }

    pub(crate) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends every byte in a segment of its own, as far as the system lets.
    pub(crate) fn dribbles(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.socket.write_all(&[*byte]).unwrap();
        }
    }

    /// Waits for exactly these bytes.
    pub(crate) fn sees(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut seen = vec![0; expected.len()];
        let mut count = 0;
        while count < expected.len() {
            match self.socket.read(&mut seen[count..]) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    panic!("{} sees {error} behind {:?}", self.name, String::from_utf8_lossy(&seen[..count]));
                }
            }
            // no need to wait for the rest of what is wrong already
            if seen[..count] != expected[..count] {
                break;
            }
        }
        if seen[..count] != *expected {
            let (seen, expected) = (String::from_utf8_lossy(&seen[..count]), String::from_utf8_lossy(expected));
            panic!("{} sees\n{seen:?}\nnot\n{expected:?}", self.name);
        }
    }

    /// Waits for a line and returns it, its end included.
    pub(crate) fn sees_line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            self.socket.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Reads so many bytes, or fewer if the stream ends before.
    pub(crate) fn reads(&mut self, count: u64) -> Vec<u8> {
        let mut seen = Vec::new();
        (&mut self.socket).take(count).read_to_end(&mut seen).unwrap();
        seen
    }

    /// Reads lines up to this one.
    pub(crate) fn sees_until(&mut self, line: &str) {
        while self.sees_line() != line {}
    }

    /// Waits for the stream to be reset and checks that nothing came before that.
    pub(crate) fn sees_reset(&mut self) {
        let read = self.socket.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::ConnectionReset), "{} is not reset", self.name);
    }

    /// Waits for the end of the stream and checks that nothing came before it.
    pub(crate) fn sees_end(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.reads_to_end()), "", "{} sees more", self.name);
    }

    /// Sends until the socket takes no more, and returns how many bytes that were.
    pub(crate) fn fills_up(&mut self, bytes: &[u8]) -> usize {
        self.socket.set_nonblocking(true).unwrap();
        let mut count = 0;
        let mut last = Instant::now();
        // full for a while, since the proxy takes some
        while last.elapsed() < Duration::from_millis(200) {
            match self.socket.write(&bytes[count % bytes.len()..]) {
                Ok(written) => {
                    count += written;
                    last = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
                Err(error) => panic!("{} cannot send: {error}", self.name),
            }
        }
        self.socket.set_nonblocking(false).unwrap();
        count
    }

    /// Reads all that comes until the stream ends, in whatever way.
    pub(crate) fn reads_to_end(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        match self.socket.read_to_end(&mut seen) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => {
                panic!("{} sees {error} behind {} bytes", self.name, seen.len());
            }
        }
        seen
    }

    /// Says that it will send no more.
    pub(crate) fn ends(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Checks that nothing came so far, without waiting.
    pub(crate) fn sees_nothing_yet(&mut self) {
        self.socket.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let peeked = self.socket.peek(&mut byte).map_err(|error| error.kind());
        self.socket.set_nonblocking(false).unwrap();
        assert_eq!(peeked, Err(ErrorKind::WouldBlock), "{} sees something", self.name);
    }

    /// Returns a second handle on the same socket.
    pub(crate) fn handle(&self) -> Peer {
        Peer { name: self.name, socket: self.socket.try_clone().unwrap() }
    }
}

/// What a process prints, as it comes.
pub(crate) struct Lines {
    state: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Lines {
    pub(crate) fn of(source: impl Read + Send + 'static) -> Arc<Lines> {
        let lines = Arc::new(Lines { state: Mutex::default(), changed: Condvar::new() });
        let shared = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                shared.state.lock().unwrap().0.push_str(&String::from_utf8_lossy(&line));
                shared.changed.notify_all();
                line.clear();
            }
            shared.state.lock().unwrap().1 = true;
            shared.changed.notify_all();
        });
        lines
    }

    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let state = self.state.lock().unwrap();
        let (state, timeout) =
            self.changed.wait_timeout_while(state, PATIENCE, |(text, is_over)| !holds(text) && !*is_over).unwrap();
        assert!(holds(&state.0), "waited in vain for {what:?} (timeout: {}) in\n{}", timeout.timed_out(), state.0);
    }

    pub(crate) fn text(&self) -> String {
        self.state.lock().unwrap().0.clone()
    }

    pub(crate) fn to_end(&self) -> String {
        let state = self.state.lock().unwrap();
        let (state, _) = self.changed.wait_timeout_while(state, PATIENCE, |(_, is_over)| !*is_over).unwrap();
        state.0.clone()
    }
}

/// A server whose queue is full: who connects gets no answer at all.
pub(crate) struct Full {
    pub(crate) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    pub(crate) fn start() -> Full {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let entered = runtime.enter();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        drop(entered);
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(socket);
        }
        Full { address, _runtime: runtime, _listener: listener, _waiting: waiting }
    }
}

/// Waits until something holds that nothing tells of.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(TICK);
    }
}

/// Carries a client through the first exchange of a login, and returns its server's end.
pub(crate) fn log_in(client: &mut Peer, server: &Server, account: &str) -> Peer {
    client.sends("VER 1 MSNP9 MSNP8 CVR0\r\n");
    let mut server = server.accept();
    server.sees("VER 1 MSNP9 MSNP8 CVR0\r\n");
    server.sends("VER 1 MSNP8\r\n");
    client.sees("VER 1 MSNP8\r\n");
    client.sends(format!("USR 2 TWN I {account}\r\n"));
    server.sees(format!("USR 2 TWN I {account}\r\n"));
    server
}
