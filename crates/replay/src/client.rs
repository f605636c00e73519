//! Plays the recorded client to a live server.
//!
//! Every recorded command of the client is said once everything has come that had come by then in the recording: answers are
//! known by their transaction id, the rest by verb and person. Several recordings of one time are played as they happened,
//! each with connections of its own, so that people who talked to each other do so again. Transaction ids are those of the
//! recording; cookies, session ids, addresses, challenges and logins those of the live server.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use msnp::argument::Scope;
use msnp::flow::{Address, Facts};
use msnp::{Codec, Command, Direction, Frame, Limits};
use msnp_transcript::event::Origin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::Decoder;
use tracing::info;

use crate::error::Error;
use crate::record::{Recording, Route, Tape};
use crate::report::{Place, Report, drawn};
use crate::script::Script;
use performance::{Action, Performance};
pub use secrets::Secrets;

mod performance;
mod secrets;

/// How to play clients.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server where the recorded clients log in.
    pub to: Address,
    /// What the recordings do not tell.
    pub secrets: Secrets,
    /// How long to wait for anything. Default 10 s.
    pub timeout: Duration,
}

impl Options {
    /// Returns the options for a server.
    pub fn to(address: Address) -> Options {
        Options { to: address, secrets: Secrets::default(), timeout: Duration::from_secs(10) }
    }
}

/// Plays the clients of these recordings, which are of one time, until all is said, or `until` is ready; returns what was
/// found.
///
/// # Errors
///
/// If a secret is missing, or the server cannot be reached at all.
pub async fn play(
    scripts: Vec<Script>,
    options: Options,
    recording: Option<&Recording>,
    until: impl Future<Output = ()>,
) -> Result<Report, Error> {
    let performance = Performance::new(scripts, options.to, options.secrets)?;
    let tapes = recording.map(|recording| {
        let begin = |script: &Script| {
            let tape = recording.begin(&script.name);
            script.account.iter().for_each(|account| tape.set_account(account));
            tape
        };
        performance.scripts().iter().map(begin).collect::<Vec<Tape>>()
    });
    let (sender, inbox) = channel(MOST_UNREAD);
    let mut player = Player {
        performance,
        timeout: options.timeout,
        tapes: tapes.unwrap_or_default(),
        links: HashMap::new(),
        sender,
        inbox,
        numbers: HashMap::new(),
        count: 0,
        closing: JoinSet::new(),
    };
    let outcome = tokio::select! {
        outcome = player.run() => Some(outcome),
        () = until => None,
    };
    player.finish().await;
    let mut report = player.performance.report();
    match outcome {
        Some(outcome) => outcome?,
        None => report.missing(Place::default(), "all that follows: the replay was ended early".to_owned()),
    }
    Ok(report)
}

/// The network around a performance.
struct Player {
    performance: Performance,
    timeout: Duration,
    /// One for each script, if it is recorded.
    tapes: Vec<Tape>,
    /// The open connections, by part.
    links: HashMap<usize, Link>,
    sender: Sender<(u64, usize, Arrival)>,
    inbox: Receiver<(u64, usize, Arrival)>,
    /// The last connection of each part, and how many there were.
    numbers: HashMap<usize, u64>,
    count: u64,
    /// Connections that were closed from this side and are read to their end.
    closing: JoinSet<()>,
}

/// An open connection.
struct Link {
    number: u64,
    writer: OwnedWriteHalf,
    reader: JoinHandle<()>,
    facts: Facts,
    bytes: [u64; 2],
}

/// What is waited for.
struct Waiting {
    cue: usize,
    since: Instant,
    /// When to look for what may have to happen first.
    stall: Option<Instant>,
}

/// What comes from a server.
enum Arrival {
    Command(Command),
    /// The end, and why, unless the server just closed the connection.
    End(Option<String>),
}

impl Player {
    async fn run(&mut self) -> Result<(), Error> {
        let mut waiting = Waiting { cue: usize::MAX, since: Instant::now(), stall: None };
        loop {
            while let Ok(arrival) = self.inbox.try_recv() {
                self.take(arrival);
            }
            match self.performance.next() {
                Action::Connect { part, address } => self.connect(part, &address).await?,
                Action::Say { part, command } => self.say(part, &command).await,
                Action::Close { part } => self.close(part, Direction::ClientToServer, None).await,
                Action::Over => return Ok(()),
                Action::Wait { cue } => {
                    if waiting.cue != cue {
                        let now = Instant::now();
                        waiting = Waiting { cue, since: now, stall: Some(now + STALL) };
                    }
                    let end = waiting.since + self.timeout;
                    let until = waiting.stall.filter(|stall| *stall < end).unwrap_or(end);
                    match timeout_at(until, self.inbox.recv()).await {
                        Ok(Some(arrival)) => self.take(arrival),
                        // the sender is ours
                        Ok(None) => {}
                        Err(_) if until == end => self.performance.gave_up(),
                        Err(_) => waiting.stall = self.performance.stalled().then(|| Instant::now() + STALL),
                    }
                }
            }
        }
    }

    async fn connect(&mut self, part: usize, address: &Address) -> Result<(), Error> {
        self.count += 1;
        let (number, target) = (self.count, (address.host.as_str(), address.port()));
        let connecting = timeout(self.timeout, TcpStream::connect(target)).await;
        let stream = match connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => stream,
            Err(problem) if number == 1 => return Err(Error::Connect { address: address.to_string(), problem }),
            Err(problem) => {
                self.performance.failed(part, &format!("cannot connect to {address}: {problem}"));
                return Ok(());
            }
        };
        let (script, dialogue) = self.performance.origin(part);
        info!(number, to = %address, recorded = dialogue.connection, server = %dialogue.server, "connected");
        let own = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
        if let Some(tape) = self.tapes.get(script) {
            let route = Route { client: own.clone(), listener: own, upstream: address.to_string() };
            let account = self.performance.scripts()[script].account.clone();
            tape.opened(number, &route, Scope { server: Some(dialogue.server), version: None }, account.as_deref());
            if let Some((from, by)) = self.performance.came_from(part)
                && let Some(from) = self.numbers.get(&from)
            {
                tape.joined(number, *from, by);
            }
        }
        // small commands must not wait for each other
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let reader = tokio::spawn(read_all(reader, number, part, self.sender.clone()));
        self.numbers.insert(part, number);
        self.links.insert(part, Link { number, writer, reader, facts: Facts::default(), bytes: [0; 2] });
        self.performance.connected(part);
        Ok(())
    }

    async fn say(&mut self, part: usize, command: &Command) {
        let Some(link) = self.links.get_mut(&part) else { return };
        link.facts.learn(command);
        link.bytes[0] += command.as_bytes().len() as u64;
        if let Some(tape) = self.tapes.get(self.performance.origin(part).0) {
            tape.command(link.number, command, link.scope(), Origin::Replayed);
        }
        let written = timeout(self.timeout, link.writer.write_all(command.as_bytes())).await;
        if !matches!(written, Ok(Ok(()))) {
            // the reader learns the same, and says so in its turn
            info!(number = link.number, command = %drawn(command), "the server takes nothing");
        }
    }

    fn take(&mut self, (number, part, arrival): (u64, usize, Arrival)) {
        let Some(link) = self.links.get_mut(&part).filter(|link| link.number == number) else { return };
        match arrival {
            Arrival::Command(command) => {
                link.facts.learn(&command);
                link.bytes[1] += command.as_bytes().len() as u64;
                if let Some(tape) = self.tapes.get(self.performance.origin(part).0) {
                    tape.command(number, &command, link.scope(), Origin::Peer);
                }
                self.performance.heard(part, command);
            }
            Arrival::End(reason) => {
                if let Some(link) = self.links.remove(&part) {
                    self.closed(part, &link, Direction::ServerToClient, reason);
                }
                self.performance.ended(part);
            }
        }
    }

    /// Closes a connection from this side: says so, and lets the server do the same.
    async fn close(&mut self, part: usize, by: Direction, reason: Option<String>) {
        let Some(mut link) = self.links.remove(&part) else { return };
        // a connection that is gone needs no closing
        let _ = link.writer.shutdown().await;
        self.closed(part, &link, by, reason);
        // what is unread when a socket is dropped makes the system take back what was said last
        self.closing.spawn(async move {
            let _ = timeout(LAST_WORDS, &mut link.reader).await;
            link.reader.abort();
        });
    }

    fn closed(&self, part: usize, link: &Link, by: Direction, reason: Option<String>) {
        info!(number = link.number, by = by.sender(), reason = reason.as_deref(), "closed");
        if let Some(tape) = self.tapes.get(self.performance.origin(part).0) {
            tape.closed(link.number, by, reason, link.bytes);
        }
    }

    /// Closes what is open, and ends the transcripts.
    async fn finish(&mut self) {
        while let Ok(arrival) = self.inbox.try_recv() {
            self.take(arrival);
        }
        let open: Vec<usize> = self.links.keys().copied().collect();
        for part in open {
            self.close(part, Direction::ClientToServer, None).await;
        }
        while !self.closing.is_empty() {
            tokio::select! {
                _ = self.closing.join_next() => {}
                // a reader must not wait for room
                _ = self.inbox.recv() => {}
            }
        }
        for (script, tape) in self.tapes.iter().enumerate() {
            let own = self.numbers.keys().filter(|part| self.performance.origin(**part).0 == script);
            tape.over(own.count() as u64);
        }
    }
}

impl Link {
    fn scope(&self) -> Scope {
        Scope { server: self.facts.server, version: self.facts.version }
    }
}

/// Reads until the connection ends or says what is no command.
async fn read_all(mut stream: OwnedReadHalf, number: u64, part: usize, sender: Sender<(u64, usize, Arrival)>) {
    let mut codec = Codec::new(Direction::ServerToClient, Limits::default());
    let mut buffer = BytesMut::new();
    let reason = 'connection: loop {
        while let Ok(Some(frame)) = codec.decode(&mut buffer) {
            match frame {
                Frame::Command(command) => {
                    if sender.send((number, part, Arrival::Command(command))).await.is_err() {
                        return;
                    }
                }
                Frame::Opaque(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Frame::Opaque(_) => break 'connection Some("what the server said is no command".to_owned()),
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break None,
            Ok(_) => {}
            Err(problem) => break Some(problem.to_string()),
        }
    };
    // nobody listens once the replay is over
    let _ = sender.send((number, part, Arrival::End(reason))).await;
}

/// How long to wait for something before it may have to do with the end of another connection.
const STALL: Duration = Duration::from_millis(200);
/// How many commands may wait to be taken in.
const MOST_UNREAD: usize = 1024;
/// How long a server may take to close a connection that was closed from this side.
const LAST_WORDS: Duration = Duration::from_secs(1);
