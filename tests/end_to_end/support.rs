//! What the end-to-end tests share: the real binary as a child, scripted peers on loopback sockets, and transcripts as
//! text that a test can compare whole.
//!
//! Nothing here sleeps for a fixed time; every wait ends with what it waits for, or fails the test after [`PATIENCE`].

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command as Process, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use peers::{Full, Peer, Server, log_in};
pub(crate) use transcripts::{Transcript, transcripts};

mod peers;
mod transcripts;

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
    is_unread: bool,
}

/// A running proxy. It is killed with the test, unless the test ends it.
pub(crate) struct Proxy {
    child: Child,
    /// Where it listens, in the order of `--listen`.
    pub(crate) addresses: Vec<SocketAddr>,
    log: Arc<Lines>,
    out: Arc<Lines>,
    /// Standard output, if nobody reads it.
    _unread: Option<ChildStdout>,
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
            is_unread: false,
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

    /// Everything is on a screen that nobody reads, as that of a pager which is paused.
    pub(crate) fn unread(mut self) -> Setup {
        self.is_unread = true;
        self.loud()
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
        let stdout = child.stdout.take().unwrap();
        let (out, unread) = match self.is_unread {
            true => (Lines::of(std::io::empty()), Some(stdout)),
            false => (Lines::of(stdout), None),
        };
        let count = self.listen.len();
        log.wait("the proxy to listen", |text| text.matches("listening on ").count() >= count);
        let text = log.text();
        let addresses =
            text.lines().filter_map(|line| line.split_once("listening on ")?.1.trim().parse().ok()).collect();
        Proxy { child, addresses, log, out, _unread: unread, folder: Some(self.folder) }
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

/// Waits until something holds that nothing tells of.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(TICK);
    }
}

/// Runs the program to its end, with no setting of whoever runs the tests and nothing on its standard input.
pub(crate) fn mitmsn(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Process::new(env!("CARGO_BIN_EXE_mitmsn"));
    command.env_clear().env("HOME", home).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Returns what a program that ended printed.
pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns what a program that ended said on its standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
