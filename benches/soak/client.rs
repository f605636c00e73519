//! Clients that talk all the time, and check all that they hear.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::{End, Ledger};
use crate::wire::{Body, Frame, HEADERS, Kind, PLAIN, Peer, SHIELDS, Token, answers};

/// What all clients share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) proxy: SocketAddr,
    /// How many switchboards there may be at one time.
    pub(crate) boards: Arc<Semaphore>,
    /// Mean time between two bursts.
    pub(crate) pace: Duration,
    /// Longest life of a connection that comes and goes.
    pub(crate) life: Duration,
    pub(crate) seed: u64,
}

impl World {
    pub(crate) fn random(&self, key: &str) -> Rng {
        Rng::with_seed(self.seed ^ crate::tally::Tally::of(key.as_bytes()).hash())
    }
}

/// One person, who logs in again and again, or stays all the time.
pub(crate) async fn live(world: Arc<World>, index: usize) {
    let stays = index.is_multiple_of(2);
    let mut generation = 0;
    while !world.ledger.is_over() {
        generation += 1;
        let base = format!("c{index}g{generation}");
        let random = world.random(&base);
        let (proxy, life) = (world.proxy, if stays { None } else { Some(world.life) });
        let opening = Opening::Login { account: format!("{base}@example.com") };
        Talk::run(Arc::clone(&world), format!("{base}n"), proxy, opening, random, life).await;
    }
}

enum Opening {
    Login { account: String },
    Board { account: String, cookie: String },
}

/// What the client waits for.
#[derive(Debug)]
struct Expected {
    what: What,
    /// The answer may be missing, since the request may be dropped.
    loose: Option<Token>,
    since: Instant,
}

#[derive(Debug)]
enum What {
    Line(String),
    /// The address of a switchboard, under this id.
    Redirect(u32),
}

/// A client's side of one connection.
struct Talk {
    world: Arc<World>,
    key: String,
    account: String,
    peer: Peer,
    random: Rng,
    is_board: bool,
    id: u32,
    expected: VecDeque<Expected>,
    pings: u32,
    /// Ids of requests that a rule may answer, at any time.
    shields: HashSet<u32>,
    requests: u64,
    loose: u64,
    shields_said: u64,
    pushes: u64,
    latest_loose: u64,
    missing: Vec<Token>,
    loose_heard: HashSet<u64>,
    challenges: u64,
    /// Since when it has nothing more to say.
    left: Option<Instant>,
    boards: JoinSet<()>,
    counts: [u64; 2],
}

impl Talk {
    async fn run(
        world: Arc<World>,
        key: String,
        address: SocketAddr,
        opening: Opening,
        random: Rng,
        life: Option<Duration>,
    ) {
        let ledger = Arc::clone(&world.ledger);
        let socket = match TcpStream::connect(address).await {
            Ok(socket) => socket,
            Err(error) => return ledger.violation(format!("{key}: cannot connect to the proxy: {error}")),
        };
        let mut talk = Talk {
            account: match &opening {
                Opening::Login { account } | Opening::Board { account, .. } => account.clone(),
            },
            peer: Peer::new(socket, true),
            is_board: matches!(opening, Opening::Board { .. }),
            id: 0,
            expected: VecDeque::new(),
            pings: 0,
            shields: HashSet::new(),
            requests: 0,
            loose: 0,
            shields_said: 0,
            pushes: 0,
            latest_loose: 0,
            missing: Vec::new(),
            loose_heard: HashSet::new(),
            challenges: 0,
            left: None,
            boards: JoinSet::new(),
            counts: [0; 2],
            world,
            key,
            random,
        };
        if talk.random.u8(..) < 25 {
            // so close to the last id that it is passed soon
            talk.id = u32::MAX - talk.random.u32(5..60);
        }
        let result = talk.talk(opening, life).await;
        if let Err(error) = &result {
            ledger.violation(format!("{}: client: {error:#}", talk.key));
        }
        ledger.count("commands of clients", talk.counts[0]);
        ledger.count("commands heard by clients", talk.counts[1]);
        ledger.count("connections", 1);
        talk.boards.join_all().await;
        let was_cut = result.is_ok() && talk.left.is_none();
        if talk.left.is_some() {
            talk.peer.sent.shrink();
        }
        let end = End {
            sent: talk.peer.sent,
            received: talk.peer.received,
            missing: talk.missing,
            loose_said: talk.loose,
            loose_heard: talk.loose_heard,
            challenges: talk.challenges,
        };
        let mut books = ledger.books();
        let record = books.connections.entry(talk.key).or_default();
        record.client = Some(end);
        record.was_cut = was_cut;
    }

    /// Talks until it is over, or the connection ends.
    async fn talk(&mut self, opening: Opening, life: Option<Duration>) -> Result<()> {
        let end = life.map(|life| Instant::now() + life.mul_f64(self.random.f64().max(0.1)));
        let mut out = Vec::new();
        match opening {
            Opening::Login { account } => {
                let id = self.next_id();
                self.ask(&mut out, format!("VER {id} MSNP8 CVR0"), None);
                let id = self.next_id();
                self.ask(&mut out, format!("USR {id} TWN I {account}"), None);
            }
            Opening::Board { account, cookie } => {
                let id = self.next_id();
                self.ask(&mut out, format!("USR {id} {account} {cookie}"), None);
            }
        }
        self.peer.send(&out).await?;
        let mut due = Instant::now() + self.world.pace;
        loop {
            tokio::select! {
                frame = self.peer.frame() => match frame? {
                    Some(frame) => self.hear(&frame).await.with_context(|| format!("it heard {:?}", frame.line))?,
                    None if self.peer.rest() > 0 => bail!("the stream ended within a command"),
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(due) => {
                    let is_late = |since: Instant| since.elapsed() > PATIENCE;
                    if let Some(first) = self.expected.front().filter(|first| is_late(first.since)) {
                        bail!("no {:?} in {PATIENCE:?}", first.what);
                    }
                    if self.left.is_some_and(is_late) {
                        bail!("the connection does not end; {} pings, {} shields", self.pings, self.shields.len());
                    }
                    let is_over = self.world.ledger.is_over() || end.is_some_and(|end| Instant::now() > end);
                    let is_quiet = self.expected.is_empty() && self.pings == 0 && self.shields.is_empty();
                    if self.left.is_some() {
                        due = Instant::now() + Duration::from_secs(1);
                    } else if is_over && is_quiet && self.boards.try_join_next().is_none() && self.boards.is_empty() {
                        self.left = Some(Instant::now());
                        self.peer.send(b"OUT\r\n").await?;
                        self.counts[0] += 1;
                    } else if is_over {
                        due = Instant::now() + Duration::from_millis(100);
                        if self.expected.back().is_some_and(|last| last.loose.is_some()) {
                            // only what is answered behind it shows that it was dropped
                            let mut out = Vec::new();
                            let (id, token) = (self.next_id(), self.token(Kind::Request));
                            self.ask(&mut out, format!("URL {id} INBOX {token}"), None);
                            self.peer.send(&out).await?;
                        }
                    } else {
                        self.burst().await?;
                        due = Instant::now() + self.world.pace.mul_f64(2.0 * self.random.f64());
                    }
                }
            }
        }
    }

    /// Says a few things at once, and sometimes with a pause within.
    async fn burst(&mut self) -> Result<()> {
        if self.expected.len() > 24 {
            return Ok(());
        }
        let mut out = Vec::new();
        for _ in 0..self.random.u8(1..5) {
            self.say(&mut out);
        }
        if self.random.u8(..) < 25 {
            let (start, rest) = out.split_at(self.random.usize(0..out.len()));
            self.peer.send(start).await?;
            tokio::time::sleep(Duration::from_millis(self.random.u64(1..30))).await;
            self.peer.send(rest).await?;
        } else {
            self.peer.send(&out).await?;
        }
        Ok(())
    }

    fn say(&mut self, out: &mut Vec<u8>) {
        let dice = self.random.u8(0..100);
        if dice < 6 {
            self.pings += 1;
            self.counts[0] += 1;
            out.extend_from_slice(b"PNG\r\n");
            return;
        }
        let id = self.next_id();
        let count = self.random.u8(1..5);
        if self.is_board {
            let token = self.token(Kind::Request);
            match dice {
                ..30 => self.ask(out, format!("CAL {id} bob@example.com {token}"), None),
                _ => {
                    let kind = self.random.choice(["A", "N", "U"]).unwrap_or("A");
                    let body = Body::write(&token.to_string(), PLAIN, &mut self.random);
                    self.ask_with(out, format!("MSG {id} {kind}"), &[HEADERS.as_bytes(), &body].concat());
                }
            }
            return;
        }
        match dice {
            0..12 => {
                self.loose += 1;
                let token = Token { kind: Kind::LooseRequest, key: self.key.clone(), number: self.loose };
                self.ask(out, format!("URL {id} DROP {token}"), Some(token.clone()));
            }
            12..16 => {
                self.shields_said += 1;
                let token = Token { kind: Kind::Shield, key: self.key.clone(), number: self.shields_said };
                self.shields.insert(id);
                self.counts[0] += 1;
                out.extend_from_slice(format!("GCF {id} {token}\r\n").as_bytes());
            }
            16..18 => {
                self.expect(What::Redirect(id), None);
                self.counts[0] += 1;
                out.extend_from_slice(format!("XFR {id} SB\r\n").as_bytes());
            }
            _ => {
                let token = self.token(Kind::Request);
                match dice {
                    0..40 => self.ask(out, format!("URL {id} INBOX {token}"), None),
                    40..46 => self.ask(out, format!("URL {id} ERR {token}"), None),
                    46..56 => self.ask(out, format!("CHG {id} NLN {count} {token}"), None),
                    56..61 => self.ask(out, format!("FND {id} {count} {token}"), None),
                    61..65 => self.ask(out, format!("SYN {id} 0 {token}"), None),
                    65..72 => self.ask(out, format!("XYZ {id} {token}"), None),
                    _ => {
                        let body = Body::write(&token.to_string(), PLAIN, &mut self.random);
                        self.ask_with(out, format!("UUX {id}"), &body);
                    }
                }
            }
        }
    }

    async fn hear(&mut self, frame: &Frame) -> Result<()> {
        self.counts[1] += 1;
        let body = match frame.payload.is_empty() || frame.verb() == "GCF" {
            true => None,
            false => Some(Body::read(&frame.payload)?),
        };
        if let Some(body) = &body {
            self.world.ledger.marked(&body.mark, &self.key);
        }
        let token = frame.token();
        match (frame.verb(), token) {
            ("QNG", _) => self.pings = self.pings.checked_sub(1).context("it sent no ping")?,
            ("CHL", _) => {
                self.challenges += 1;
                if self.left.is_none() {
                    let id = self.next_id();
                    let token = self.token(Kind::Request);
                    let body = Body::write(&token.to_string(), PLAIN, &mut self.random);
                    let mut out = Vec::new();
                    self.ask_with(&mut out, format!("QRY {id} msmsgs@msnmsgr.com"), &body);
                    self.peer.send(&out).await?;
                }
            }
            ("GCF", _) => {
                let id = frame.argument(0).parse()?;
                if !self.shields.remove(&id) || frame.payload != SHIELDS.as_bytes() {
                    bail!("it asked for no such thing");
                }
            }
            (_, Some(token)) if token.kind == Kind::Injected => self.world.ledger.arrived(token.number, &self.key),
            (_, Some(token)) if token.kind == Kind::Push => {
                self.pushes += 1;
                self.own(&token)?;
                if token.number != self.pushes {
                    bail!("push {} was expected", self.pushes);
                }
            }
            (_, Some(token)) if token.kind == Kind::LoosePush => {
                self.own(&token)?;
                if token.number <= self.latest_loose {
                    bail!("it comes behind {}", self.latest_loose);
                }
                self.latest_loose = token.number;
                self.loose_heard.insert(token.number);
            }
            _ => self.answered(frame)?,
        }
        Ok(())
    }

    fn answered(&mut self, frame: &Frame) -> Result<()> {
        loop {
            let Some(expected) = self.expected.pop_front() else { bail!("nothing was expected") };
            let is_it = match &expected.what {
                What::Line(line) => *line == frame.line,
                What::Redirect(id) => frame.line.starts_with(&format!("XFR {id} SB ")),
            };
            match (is_it, expected.what, expected.loose) {
                (true, What::Redirect(_), _) => return self.open_board(frame),
                (true, ..) => return Ok(()),
                (false, _, Some(token)) => self.missing.push(token),
                (false, what, None) => bail!("{what:?} was expected"),
            }
        }
    }

    /// Goes where the server sends it, which has to be the proxy.
    fn open_board(&mut self, frame: &Frame) -> Result<()> {
        let address: SocketAddr = frame.argument(2).parse().context("no address")?;
        if address != self.world.proxy {
            bail!("it leads past the proxy, which is at {}", self.world.proxy);
        }
        let key = frame.argument(4).to_owned();
        let Ok(permit) = Arc::clone(&self.world.boards).try_acquire_owned() else { return Ok(()) };
        let opening = Opening::Board { account: self.account.clone(), cookie: key.clone() };
        self.boards.spawn(board(Arc::clone(&self.world), key, address, opening, permit));
        Ok(())
    }

    fn own(&self, token: &Token) -> Result<()> {
        match token.key == self.key {
            true => Ok(()),
            false => bail!("it is not for {}", self.key),
        }
    }

    fn ask(&mut self, out: &mut Vec<u8>, line: String, loose: Option<Token>) {
        self.counts[0] += 1;
        for answer in answers(&line) {
            self.expect(What::Line(answer), loose.clone());
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn ask_with(&mut self, out: &mut Vec<u8>, line: String, payload: &[u8]) {
        self.ask(out, format!("{line} {}", payload.len()), None);
        out.extend_from_slice(payload);
    }

    fn expect(&mut self, what: What, loose: Option<Token>) {
        self.expected.push_back(Expected { what, loose, since: Instant::now() });
    }

    fn token(&mut self, kind: Kind) -> Token {
        self.requests += 1;
        Token { kind, key: self.key.clone(), number: self.requests }
    }

    fn next_id(&mut self) -> u32 {
        // clients leave some out, and begin again at 1 behind the last
        let step = if self.id < u32::MAX - 10 && self.random.u8(..) < 5 { 3 } else { 1 };
        self.id = self.id.checked_add(step).unwrap_or(1);
        self.id
    }
}

fn board(
    world: Arc<World>,
    key: String,
    address: SocketAddr,
    opening: Opening,
    permit: OwnedSemaphorePermit,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    let mut random = world.random(&key);
    let life = world.life.mul_f64(0.05 + 0.5 * random.f64());
    Box::pin(async move {
        Talk::run(world, key, address, opening, random, Some(life)).await;
        drop(permit);
    })
}

/// Longest wait for an answer: several holds may lie before it, one behind the other.
const PATIENCE: Duration = Duration::from_secs(60);
