//! A server that answers every command, says things unasked, and checks all that it hears.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::client::World;
use crate::ledger::End;
use crate::wire::{Body, Frame, HEADERS, Kind, PLAIN, Peer, SHIELDS, Token, answers};

/// Serves whoever comes. `boards` is where switchboards are.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener, boards: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(Desk::run(Arc::clone(&world), socket, boards))),
            Err(error) => world.ledger.violation(format!("the server cannot accept: {error}")),
        }
    }
}

/// The server's side of one connection.
struct Desk {
    world: Arc<World>,
    boards: SocketAddr,
    peer: Peer,
    random: Rng,
    /// Empty until the client says who it is.
    key: String,
    ids: HashSet<u32>,
    requests: u64,
    latest_loose: u64,
    loose_heard: HashSet<u64>,
    pushes: u64,
    loose: u64,
    challenges: u64,
    answered_by_proxy: u64,
    redirects: u64,
    has_left: bool,
    counts: [u64; 2],
}

impl Desk {
    async fn run(world: Arc<World>, socket: TcpStream, boards: SocketAddr) {
        let ledger = Arc::clone(&world.ledger);
        let mut desk = Desk {
            boards,
            peer: Peer::new(socket, false),
            random: Rng::with_seed(world.seed),
            key: String::new(),
            ids: HashSet::new(),
            requests: 0,
            latest_loose: 0,
            loose_heard: HashSet::new(),
            pushes: 0,
            loose: 0,
            challenges: 0,
            answered_by_proxy: 0,
            redirects: 0,
            has_left: false,
            counts: [0; 2],
            world,
        };
        if let Err(error) = desk.attend().await {
            ledger.violation(format!("{}: server: {error:#}", desk.key));
        }
        desk.peer.end().await;
        ledger.count("commands of servers", desk.counts[0]);
        ledger.count("commands heard by servers", desk.counts[1]);
        if desk.has_left {
            desk.peer.sent.shrink();
        }
        let end = End {
            sent: desk.peer.sent,
            received: desk.peer.received,
            missing: Vec::new(),
            loose_said: desk.loose,
            loose_heard: desk.loose_heard,
            challenges: desk.challenges.saturating_sub(desk.answered_by_proxy),
        };
        let mut books = ledger.books();
        let record = books.connections.entry(desk.key.clone()).or_default();
        if record.server.replace(end).is_some() {
            drop(books);
            ledger.violation(format!("{:?} came twice", desk.key));
        }
    }

    async fn attend(&mut self) -> Result<()> {
        let mut due = Instant::now() + self.world.pace;
        loop {
            tokio::select! {
                frame = self.peer.frame() => match frame? {
                    Some(frame) => {
                        let out = self.hear(&frame).with_context(|| format!("it heard {:?}", frame.line))?;
                        if !self.has_left && !out.is_empty() {
                            self.peer.send(&out).await?;
                        }
                        if frame.verb() == "OUT" {
                            self.has_left = true;
                            self.peer.end().await;
                        }
                    }
                    None if self.peer.rest() > 0 && self.has_left => bail!("the stream ended within a command"),
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(due) => {
                    due = Instant::now() + self.world.pace.mul_f64(2.0 * self.random.f64());
                    if !self.key.is_empty() && !self.has_left && !self.world.ledger.is_over() {
                        let out = self.push();
                        self.peer.send(&out).await?;
                    }
                }
            }
        }
    }

    /// Takes a command in and returns the answer.
    fn hear(&mut self, frame: &Frame) -> Result<Vec<u8>> {
        self.counts[1] += 1;
        if !matches!(frame.verb(), "PNG" | "OUT") {
            let id = frame.argument(0).parse().context("no transaction id")?;
            if !self.ids.insert(id) {
                bail!("id {id} came before");
            }
        }
        let is_proxys_answer = frame.verb() == "QRY" && frame.payload.len() == 32;
        if !frame.payload.is_empty() && !is_proxys_answer {
            let body = Body::read(&frame.payload)?;
            self.world.ledger.marked(&body.mark, &self.key);
        }
        match (frame.verb(), frame.token()) {
            ("USR", _) => {
                let account = frame.argument(3).split('@').next().unwrap_or_default();
                let key = if frame.argument(1) == "TWN" { format!("{account}n") } else { frame.argument(2).to_owned() };
                self.random = self.world.random(&format!("server of {key}"));
                self.key = key;
            }
            ("VER" | "PNG" | "OUT", _) => {}
            ("QRY", _) if is_proxys_answer => self.answered_by_proxy += 1,
            ("XFR", _) => {
                self.redirects += 1;
                let key = format!("{}s{}", self.key.trim_end_matches('n'), self.redirects);
                self.counts[0] += 1;
                let id = frame.argument(0);
                return Ok(format!("XFR {id} SB {} CKI {key}\r\n", self.boards).into_bytes());
            }
            ("GCF", Some(token)) => {
                self.own(&token)?;
                self.counts[0] += 1;
                let id = frame.argument(0);
                return Ok(format!("GCF {id} {token} {}\r\n{SHIELDS}", SHIELDS.len()).into_bytes());
            }
            (_, Some(token)) => match token.kind {
                Kind::Request => {
                    self.requests += 1;
                    self.own(&token)?;
                    if token.number != self.requests {
                        bail!("request {} was expected", self.requests);
                    }
                }
                Kind::LooseRequest => {
                    self.own(&token)?;
                    if token.number <= self.latest_loose {
                        bail!("it comes behind {}", self.latest_loose);
                    }
                    self.latest_loose = token.number;
                    self.loose_heard.insert(token.number);
                }
                Kind::Injected => self.world.ledger.arrived(token.number, &self.key),
                _ => bail!("no client says that"),
            },
            _ if frame.argument(2) == "rule" => self.world.ledger.count("injections by rules", 1),
            _ => bail!("nobody says that"),
        }
        let mut out = Vec::new();
        for line in answers(&frame.line) {
            self.counts[0] += 1;
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Ok(out)
    }

    /// Says something unasked.
    fn push(&mut self) -> Vec<u8> {
        self.counts[0] += 1;
        let (dice, is_board) = (self.random.u8(0..100), self.key.contains('s'));
        if dice < 15 {
            self.loose += 1;
            let token = Token { kind: Kind::LoosePush, key: self.key.clone(), number: self.loose };
            return format!("{} {token}\r\n", if is_board { "BYE" } else { "FLN" }).into_bytes();
        }
        if dice < 20 && !is_board {
            self.challenges += 1;
            return format!("CHL 0 15{:06}\r\n", self.random.u32(0..1_000_000)).into_bytes();
        }
        self.pushes += 1;
        let token = Token { kind: Kind::Push, key: self.key.clone(), number: self.pushes }.to_string();
        let bob = format!("bob{}@example.com", self.random.u8(1..6));
        let (line, headers) = match (dice, is_board) {
            (..60, false) => return format!("NLN NLN {bob} {token} 0\r\n").into_bytes(),
            (..40, true) => return format!("JOI {bob} {token}\r\n").into_bytes(),
            (..80, false) => (format!("UBX {bob}"), ""),
            (..90, false) => ("NOT".to_owned(), ""),
            (_, false) => ("MSG Hotmail Hotmail".to_owned(), HEADERS),
            (_, true) => (format!("MSG {bob} Bob"), HEADERS),
        };
        let payload = [headers.as_bytes(), &Body::write(&token, PLAIN, &mut self.random)].concat();
        [format!("{line} {}\r\n", payload.len()).as_bytes(), &payload].concat()
    }

    fn own(&self, token: &Token) -> Result<()> {
        match token.key == self.key {
            true => Ok(()),
            false => bail!("it is not of {}", self.key),
        }
    }
}

/// How long the last of them have to say what they saw.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
