//! One live connection of a client.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use msnp::argument::Scope;
use msnp::flow::Facts;
use msnp::{Codec, Command, Direction, Frame, Limits};
use msnp_transcript::event::Origin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_util::codec::Decoder;
use tracing::{debug, info};

use super::play::{Ends, Outgoing};
use super::{Shared, now};
use crate::record::Route;

/// A live connection and what is recorded of it.
struct Live<'a> {
    stream: TcpStream,
    codec: Codec,
    buffer: BytesMut,
    number: u64,
    shared: &'a Shared,
    facts: Facts,
    /// Bytes from the client and to it.
    bytes: [u64; 2],
}

/// Why a connection ended.
enum Ended {
    By(Direction),
    Broken(String),
    /// The client said something that is no command.
    NoCommand(&'static str),
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, number: u64, shared: &Shared) {
    let Ok(reached) = stream.local_addr() else { return };
    // small answers must not wait for each other
    let _ = stream.set_nodelay(true);
    let codec = Codec::new(Direction::ClientToServer, Limits::default());
    let facts = Facts::default();
    let mut live = Live { stream, codec, buffer: BytesMut::new(), number, shared, facts, bytes: [0; 2] };
    let first = match timeout(OPENING_TIME, live.read()).await {
        Ok(Ok(first)) => first,
        Ok(Err(Ended::NoCommand(what))) => {
            shared.play().broken_off(None, what);
            return;
        }
        _ => {
            debug!(number, %peer, "closed: it said nothing");
            return;
        }
    };
    if let Some(tape) = &shared.tape {
        let route = Route { client: peer.to_string(), listener: reached.to_string(), upstream: "replay".to_owned() };
        tape.opened(number, &route, Scope::default(), None);
    }
    live.learn(&first);
    let opened = shared.play().open(&first, Ends { number, peer, reached }, now());
    match opened {
        Ok(place) => {
            info!(number, %peer, recorded = shared.play().script().dialogues[place].connection, "connected");
            if let (Some(tape), Some((from, by))) = (&shared.tape, shared.play().came_from(place)) {
                tape.joined(number, from, by);
            }
            let ended = live.play(place, &first).await;
            live.close(ended);
            // only now: the last one ends the replay
            shared.play().ended(place);
        }
        Err(answer) => {
            info!(number, %peer, "connected, but the recording has no such connection: closed");
            let ended = live.write(answer.as_slice()).await.err();
            live.close(ended.unwrap_or(Ended::By(Direction::ServerToClient)));
        }
    }
    shared.changed();
}

impl Live<'_> {
    /// Plays a dialogue until either side closes the connection.
    async fn play(&mut self, place: usize, first: &Command) -> Ended {
        let mut changes = self.shared.changes.subscribe();
        self.hear(place, first);
        loop {
            let Outgoing { commands, close, next } = self.shared.play().due(place, now());
            if let Err(ended) = self.write(&commands).await {
                return ended;
            }
            if close {
                return Ended::By(Direction::ServerToClient);
            }
            if changes.borrow_and_update().is_ending {
                return Ended::Broken("the replay was ended".to_owned());
            }
            let next = next.unwrap_or_else(|| now() + IDLE);
            tokio::select! {
                read = self.read() => match read {
                    Ok(command) => {
                        self.learn(&command);
                        self.hear(place, &command);
                    }
                    Err(ended) => {
                        if let Ended::NoCommand(what) = ended {
                            self.shared.play().broken_off(Some(place), what);
                        }
                        return ended;
                    }
                },
                // another connection may have come to where this one waits for it
                _ = changes.changed() => {}
                () = sleep_until(instant(next)) => {}
            }
        }
    }

    /// Takes in what the client said, and lets the other connections know.
    fn hear(&mut self, place: usize, command: &Command) {
        self.shared.play().receive(place, command, now());
        self.shared.changed();
    }

    /// Records a client's command with what is known of the connection by then.
    fn learn(&mut self, command: &Command) {
        let is_news = self.facts.learn(command);
        let Some(tape) = &self.shared.tape else { return };
        if let Some(account) = self.facts.account.as_ref().filter(|_| is_news) {
            tape.set_account(account);
        }
        tape.command(self.number, command, self.scope(), Origin::Peer);
    }

    /// Returns the next command. What is no command ends the connection. Cancelling it loses nothing.
    async fn read(&mut self) -> Result<Command, Ended> {
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(Frame::Command(command))) => {
                    self.bytes[0] += command.as_bytes().len() as u64;
                    return Ok(command);
                }
                Ok(Some(Frame::Opaque(bytes))) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Some(Frame::Opaque(_))) => {
                    return Err(Ended::NoCommand("what the client said is no command"));
                }
                Ok(None) => match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) if !self.buffer.is_empty() => {
                        return Err(Ended::NoCommand("the client left within a command"));
                    }
                    Ok(0) => return Err(Ended::By(Direction::ClientToServer)),
                    Ok(_) => {}
                    Err(problem) => return Err(Ended::Broken(problem.to_string())),
                },
                Err(problem) => return Err(Ended::Broken(problem.to_string())),
            }
        }
    }

    async fn write(&mut self, commands: &[Command]) -> Result<(), Ended> {
        let mut bytes = Vec::new();
        for command in commands {
            self.facts.learn(command);
            bytes.extend_from_slice(command.as_bytes());
            if let Some(tape) = &self.shared.tape {
                tape.command(self.number, command, self.scope(), Origin::Replayed);
            }
        }
        self.bytes[1] += bytes.len() as u64;
        match timeout(WRITE_TIME, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(Ended::Broken(problem.to_string())),
            Err(_) => Err(Ended::Broken("the client reads nothing".to_owned())),
        }
    }

    fn scope(&self) -> Scope {
        Scope { server: self.facts.server, version: self.facts.version }
    }

    fn close(&self, ended: Ended) {
        let (by, reason) = match ended {
            Ended::By(by) => (by, None),
            Ended::Broken(reason) => (Direction::ServerToClient, Some(reason)),
            Ended::NoCommand(what) => (Direction::ServerToClient, Some(what.to_owned())),
        };
        info!(number = self.number, by = by.sender(), reason = reason.as_deref(), "closed");
        if let Some(tape) = &self.shared.tape {
            tape.closed(self.number, by, reason, self.bytes);
        }
    }
}

fn instant(at: Instant) -> tokio::time::Instant {
    tokio::time::Instant::from_std(at)
}

/// How long a client may be silent before its first command.
const OPENING_TIME: Duration = Duration::from_secs(60);
/// How long a client may take to read what it is told.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// How long to sleep if nothing is due.
const IDLE: Duration = Duration::from_secs(60);
