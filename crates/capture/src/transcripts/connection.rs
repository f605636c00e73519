//! A connection: its commands, and the session that it belongs to.

use std::time::SystemTime;

use msnp::argument::Scope;
use msnp::codec::CommandSpan;
use msnp::flow::{Facts, Opening, Redirect, RedirectKind, TELLING};
use msnp::table::Slot;
use msnp::{Command, Direction, ServerKind, Verb, Version};
use msnp_transcript::event::{
    ConnectionClosed, ConnectionOpened, Event, GapEvent, JoinedBy, NoteEvent, OpaqueEvent, Payload, SessionJoined,
};
use msnp_transcript::id::Stamp;
use msnp_transcript::json::Batch;

use super::lane::{Found, Framing, Lane};
use super::routes::{Kind, Led, Route, host};
use super::sessions::Sessions;
use crate::sink::{Closer, Peers};

/// A connection of a source.
#[derive(Debug)]
pub(super) struct Connection {
    lanes: [Lane; 2],
    about: About,
}

/// What is known of a connection.
#[derive(Debug)]
struct About {
    number: u64,
    peers: Peers,
    opened: SystemTime,
    facts: Facts,
    /// The versions that the client offered.
    offered: Vec<Version>,
    session: Belongs,
    /// How the commands of each direction are written, as long as nothing new is learned.
    batches: [Option<Batch>; 2],
}

#[derive(Debug)]
enum Belongs {
    /// To this session.
    To(u64),
    /// It shows with the client's first command, or when the account is known.
    Unclear(Waiting),
}

/// What was seen of a connection of unknown session.
#[derive(Debug, Default)]
struct Waiting {
    /// It may follow a redirect: the account will tell which.
    is_login: bool,
    seen: Vec<(SystemTime, Scope, Seen)>,
    bytes: usize,
}

/// What is seen on a connection.
#[derive(Debug)]
enum Seen {
    Command(Direction, Vec<u8>, CommandSpan),
    Opaque(Direction, Vec<u8>),
    Gap(Direction, Option<u64>),
    Note(String),
}

impl Connection {
    pub(super) fn new(number: u64, peers: Peers, time: SystemTime) -> Connection {
        let about = About {
            number,
            peers,
            opened: time,
            facts: Facts::default(),
            offered: Vec::new(),
            session: Belongs::Unclear(Waiting::default()),
            batches: [None, None],
        };
        Connection { lanes: Direction::BOTH.map(Lane::new), about }
    }

    #[inline]
    pub(super) fn data(&mut self, direction: Direction, time: SystemTime, bytes: &[u8], sessions: &mut Sessions) {
        let Connection { lanes, about } = self;
        about.set_time(direction, time);
        let framing = &mut Framing::Ours;
        lanes[direction.index()].data(bytes, &mut |found| about.found(direction, time, found, framing, sessions));
        self.follow(*framing);
    }

    pub(super) fn gap(&mut self, direction: Direction, time: SystemTime, length: Option<u64>, sessions: &mut Sessions) {
        let Connection { lanes, about } = self;
        about.set_time(direction, time);
        let framing = &mut Framing::Ours;
        lanes[direction.index()].gap(length, &mut |found| about.found(direction, time, found, framing, sessions));
        about.see(time, Seen::Gap(direction, length), sessions);
        self.follow(*framing);
    }

    pub(super) fn note(&mut self, time: SystemTime, text: String, sessions: &mut Sessions) {
        self.about.see(time, Seen::Note(text), sessions);
    }

    pub(super) fn closed(mut self, time: SystemTime, by: Closer, reason: Option<&str>, sessions: &mut Sessions) {
        let Connection { lanes, about } = &mut self;
        for (lane, direction) in lanes.iter_mut().zip(Direction::BOTH) {
            about.set_time(direction, time);
            lane.finish(&mut |found| about.found(direction, time, found, &mut Framing::Ours, sessions));
        }
        about.decide(sessions);
        let Belongs::To(session) = about.session else { return };
        let [client_bytes, server_bytes] = [lanes[0].received, lanes[1].received];
        let by = match by {
            Closer::Client => "client",
            Closer::Server => "server",
            Closer::Source => "source",
        };
        sessions.event(session, time, |stem| {
            Event::ConnectionClosed(ConnectionClosed {
                stem,
                connection: about.number,
                by: by.into(),
                reason: reason.map(str::to_owned),
                client_bytes,
                server_bytes,
            })
        });
        sessions.close(session);
    }

    /// Returns how many bytes are in memory.
    pub(super) fn held(&self) -> usize {
        let waiting = match &self.about.session {
            Belongs::Unclear(waiting) => waiting.bytes,
            Belongs::To(_) => 0,
        };
        self.lanes.iter().map(Lane::held).sum::<usize>() + waiting
    }

    fn follow(&mut self, framing: Framing) {
        if framing == Framing::Foreign {
            self.lanes.iter_mut().for_each(Lane::give_up);
        }
    }
}

impl About {
    fn set_time(&mut self, direction: Direction, time: SystemTime) {
        if let Some(batch) = &mut self.batches[direction.index()] {
            batch.set_time(&Stamp::of(time));
        }
    }

    fn scope(&self) -> Scope {
        Scope { server: self.facts.server, version: self.facts.version }
    }

    #[inline]
    fn found(
        &mut self,
        direction: Direction,
        time: SystemTime,
        found: Found<'_>,
        framing: &mut Framing,
        sessions: &mut Sessions,
    ) -> Framing {
        match found {
            Found::Command(bytes, span) => {
                let is_first = direction == Direction::ClientToServer && matches!(self.session, Belongs::Unclear(_));
                if is_first || span.slot.bit() & LOOKED_AT != 0 {
                    let command = Command::from_span(direction, bytes, span);
                    if self.learn(&command, is_first, sessions) == Framing::Foreign {
                        *framing = Framing::Foreign;
                        self.command(direction, time, bytes, span, sessions);
                        let text = "MSNP22 and later frame otherwise: what follows is not taken apart";
                        self.see(time, Seen::Note(text.into()), sessions);
                        return Framing::Foreign;
                    }
                    // else it is told again when the session is known
                    let is_told = matches!(self.session, Belongs::To(_));
                    self.command(direction, time, bytes, span, sessions);
                    if direction == Direction::ServerToClient && is_told {
                        self.redirect(&command, time, sessions);
                    }
                } else {
                    self.command(direction, time, bytes, span, sessions);
                }
            }
            Found::Opaque(bytes) => self.see(time, Seen::Opaque(direction, bytes.to_vec()), sessions),
            Found::Resumed(passed) => {
                let sender = direction.sender();
                let text = match passed {
                    0 => format!("framing resumes: the next bytes of the {sender} are a command"),
                    _ => format!("framing resumes {passed} bytes further on, with the next command of the {sender}"),
                };
                self.see(time, Seen::Note(text), sessions);
            }
        }
        Framing::Ours
    }

    #[inline]
    fn command(
        &mut self,
        direction: Direction,
        time: SystemTime,
        bytes: &[u8],
        span: CommandSpan,
        sessions: &mut Sessions,
    ) {
        match self.session {
            Belongs::To(number) => {
                let batch = &self.batches[direction.index()];
                if let Some(batch) = batch {
                    write(batch, bytes, span, number, sessions);
                } else if let Some(batch) = self.batch(direction, time, self.scope(), number, sessions) {
                    write(&batch, bytes, span, number, sessions);
                    self.batches[direction.index()] = Some(batch);
                }
            }
            Belongs::Unclear(_) => self.see(time, Seen::Command(direction, bytes.to_vec(), span), sessions),
        }
    }

    fn batch(
        &self,
        direction: Direction,
        time: SystemTime,
        scope: Scope,
        number: u64,
        sessions: &mut Sessions,
    ) -> Option<Batch> {
        let keep_secrets = sessions.keep_secrets;
        let id = &sessions.get(number)?.id;
        Some(Batch::new(&Stamp::of(time), id, self.number, direction, scope, keep_secrets))
    }

    /// Learns from a command, and finds the session by it.
    fn learn(&mut self, command: &Command, is_first: bool, sessions: &mut Sessions) -> Framing {
        let is_version = command.verb().as_bytes() == b"VER";
        if is_version && command.direction() == Direction::ClientToServer {
            self.offered = command.arguments().filter_map(Version::from_token).collect();
        }
        if self.facts.learn(command) {
            self.batches = [None, None];
        }
        if is_first && !self.is_login() {
            self.open(&Opening::of(command), sessions);
        }
        if self.facts.account.is_some() {
            self.decide(sessions);
        }
        if let Belongs::To(number) = self.session {
            sessions.learn(number, self.facts.account.as_deref(), self.facts.version);
        }
        let is_chosen = is_version && command.direction() == Direction::ServerToClient;
        match self.facts.version {
            Some(version) if is_chosen && version >= FOREIGN => Framing::Foreign,
            _ => Framing::Ours,
        }
    }

    fn is_login(&self) -> bool {
        matches!(&self.session, Belongs::Unclear(waiting) if waiting.is_login)
    }

    /// Finds the session by the first command of the client.
    fn open(&mut self, opening: &Opening, sessions: &mut Sessions) {
        match sessions.routes.find(opening, &self.peers) {
            Led::To { session, from, by } => {
                self.facts.version = sessions.get(session).and_then(|session| session.version);
                self.begin(session, Some((from, by)), sessions);
            }
            Led::Login => {
                if let Belongs::Unclear(waiting) = &mut self.session {
                    waiting.is_login = true;
                }
            }
            Led::UnknownCookie => {
                self.apart("the cookie is unknown: this switchboard could not be joined to a session", sessions);
            }
            Led::Nowhere if *opening == Opening::Other => {
                self.apart("its first command is missing: this connection could not be joined to a session", sessions);
            }
            Led::Nowhere => {
                let session = sessions.start(self.opened);
                self.begin(session, None, sessions);
            }
        }
    }

    /// Decides by what is known now.
    fn decide(&mut self, sessions: &mut Sessions) {
        let Belongs::Unclear(waiting) = &self.session else { return };
        if !waiting.is_login {
            // the client said nothing yet, or nothing of it was captured
            self.apart("its first command is missing: this connection could not be joined to a session", sessions);
            return;
        }
        match sessions.routes.claim_login(&self.peers, self.facts.account.as_deref()) {
            Some(route) => {
                debug_assert!(route.is_login(), "others are claimed by cookie");
                self.begin(route.session, Some((route.from, JoinedBy::Redirect)), sessions);
                sessions.release(route.session);
            }
            None => {
                let session = sessions.start(self.opened);
                self.begin(session, None, sessions);
            }
        }
    }

    /// Begins a session of its own for a connection that should belong to another one, and says why.
    fn apart(&mut self, why: &str, sessions: &mut Sessions) {
        let number = sessions.start(self.opened);
        if let Some(session) = sessions.get(number) {
            session.is_apart = true;
        }
        self.begin(number, None, sessions);
        self.see(sessions.now(), Seen::Note(why.into()), sessions);
    }

    fn begin(&mut self, number: u64, joined: Option<(u64, JoinedBy)>, sessions: &mut Sessions) {
        let waiting = match std::mem::replace(&mut self.session, Belongs::To(number)) {
            Belongs::Unclear(waiting) => waiting,
            Belongs::To(_) => Waiting::default(),
        };
        self.batches = [None, None];
        sessions.open(number);
        let (account, version) = match sessions.get(number) {
            Some(session) => (session.account.clone(), session.version),
            None => (None, None),
        };
        // what the first command tells; later ones may know better
        let server = waiting.seen.first().map_or(self.facts.server, |(_, scope, _)| scope.server.or(self.facts.server));
        let server = server.map(|kind| if kind == ServerKind::Dispatch { ServerKind::Notification } else { kind });
        let (connection, peers) = (self.number, self.peers.clone());
        sessions.event(number, self.opened, |stem| {
            Event::ConnectionOpened(ConnectionOpened {
                stem,
                connection,
                client: peers.client,
                listener: peers.server.clone(),
                upstream: peers.server,
                server: server.map(Into::into),
                account,
                version: version.map(|version| version.to_string()),
            })
        });
        if let Some((from, by)) = joined {
            let opened = self.opened;
            sessions.event(number, opened, |stem| Event::SessionJoined(SessionJoined { stem, connection, from, by }));
        }
        sessions.learn(number, self.facts.account.as_deref(), self.facts.version);
        for (time, scope, seen) in waiting.seen {
            self.tell(time, scope, seen, number, sessions);
        }
    }

    /// Tells what was seen, now or when the session is known.
    fn see(&mut self, time: SystemTime, seen: Seen, sessions: &mut Sessions) {
        let scope = self.scope();
        match &mut self.session {
            Belongs::To(number) => {
                let number = *number;
                self.tell(time, scope, seen, number, sessions);
            }
            Belongs::Unclear(waiting) => {
                waiting.bytes += match &seen {
                    Seen::Command(_, bytes, _) | Seen::Opaque(_, bytes) => bytes.len(),
                    Seen::Gap(..) | Seen::Note(_) => 0,
                };
                waiting.seen.push((time, scope, seen));
                if waiting.seen.len() >= MOST_WAITING || waiting.bytes >= MOST_WAITING_BYTES {
                    self.decide(sessions);
                }
            }
        }
    }

    fn tell(&mut self, time: SystemTime, scope: Scope, seen: Seen, number: u64, sessions: &mut Sessions) {
        let connection = self.number;
        match seen {
            Seen::Command(direction, bytes, span) => {
                if let Some(batch) = self.batch(direction, time, scope, number, sessions) {
                    write(&batch, &bytes, span, number, sessions);
                }
                if direction == Direction::ServerToClient && span.slot.bit() & LOOKED_AT != 0 {
                    self.redirect(&Command::from_span(direction, &bytes, span), time, sessions);
                }
            }
            Seen::Opaque(direction, bytes) => {
                let keep_secrets = sessions.keep_secrets;
                sessions.event(number, time, |stem| {
                    Event::Opaque(OpaqueEvent {
                        stem,
                        connection,
                        server: scope.server.map(Into::into),
                        direction: direction.into(),
                        length: bytes.len() as u64,
                        payload: keep_secrets.then(|| Payload::of(&bytes)),
                        sent: None,
                        masked: if keep_secrets { Vec::new() } else { vec!["payload".into()] },
                    })
                });
            }
            Seen::Gap(direction, length) => {
                if let Some(session) = sessions.get(number) {
                    session.gaps += 1;
                }
                let server = scope.server.map(Into::into);
                sessions.event(number, time, |stem| {
                    Event::Gap(GapEvent { stem, connection, server, direction: direction.into(), length })
                });
            }
            Seen::Note(text) => {
                sessions.event(number, time, |stem| Event::Note(NoteEvent { stem, connection: Some(connection), text }))
            }
        }
    }

    /// Remembers where a server sends the client.
    fn redirect(&mut self, command: &Command, time: SystemTime, sessions: &mut Sessions) {
        let Belongs::To(number) = self.session else { return };
        let Some(Redirect { kind, address, .. }) = Redirect::of(command) else { return };
        let account = self.facts.account.clone();
        let (kind, cookie) = match kind {
            RedirectKind::Notification { .. } => (Kind::Login(self.offered.clone()), None),
            RedirectKind::Switchboard { cookie } => (Kind::Caller, Some(cookie)),
            RedirectKind::Invitation { cookie, session } => (Kind::Callee(session), Some(cookie)),
        };
        let route = Route {
            session: number,
            from: self.number,
            account: account.or_else(|| sessions.get(number).and_then(|session| session.account.clone())),
            client: host(&self.peers.client),
            address,
            kind,
            time,
            used: false,
        };
        sessions.redirect(route, cookie);
    }
}

#[inline]
fn write(batch: &Batch, bytes: &[u8], span: CommandSpan, number: u64, sessions: &mut Sessions) {
    if let Some(session) = sessions.get(number) {
        session.commands += 1;
    }
    sessions.lines(number, 1, |out, seq, _| batch.command(out, seq, bytes, span));
}

/// First version whose framing is another.
const FOREIGN: Version = Version(22);
/// The verbs that tell something of account, version, or where the client goes next.
const LOOKED_AT: u128 = {
    let mut bits = Slot::of(Verb::new(*b"XFR").expect("three capitals")).bit()
        | Slot::of(Verb::new(*b"RNG").expect("three capitals")).bit();
    let mut i = 0;
    while i < TELLING.len() {
        bits |= Slot::of(TELLING[i].1).bit();
        i += 1;
    }
    bits
};
/// Most that is kept of a connection of unknown session.
const MOST_WAITING: usize = 256;
const MOST_WAITING_BYTES: usize = 1 << 20;
