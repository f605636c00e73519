//! A TCP connection to a gateway: requests and their answers, each a part of a session.

use std::collections::VecDeque;
use std::time::SystemTime;

use msnp::Direction;

use super::Sessions;
use super::http::{Head, Http, Kind, Part};
use super::target::Target;
use crate::sink::{Closer, Peers, Sink};

/// A TCP connection to a gateway.
#[derive(Debug)]
pub(super) struct Tunnel {
    lanes: [Http; 2],
    state: State,
}

#[derive(Debug)]
struct State {
    peers: Peers,
    /// Requests without an answer, the oldest first; each with its session.
    asked: VecDeque<Option<u64>>,
    /// The sessions of the request and of the answer that are being read.
    current: [Option<u64>; 2],
    /// What becomes of the session when the answer is read.
    ends: Option<String>,
    /// Whether the answer is an error of HTTP.
    is_refusal: bool,
    /// The session that was told of last.
    last: Option<u64>,
    /// Whether requests or answers may have been missed.
    has_lost: bool,
}

impl Tunnel {
    pub(super) fn new(peers: Peers) -> Tunnel {
        let state = State {
            peers,
            asked: VecDeque::new(),
            current: [None; 2],
            ends: None,
            is_refusal: false,
            last: None,
            has_lost: false,
        };
        Tunnel { lanes: [Http::new(Kind::Requests), Http::new(Kind::Answers)], state }
    }

    pub(super) fn data(
        &mut self,
        direction: Direction,
        time: SystemTime,
        bytes: &[u8],
        sessions: &mut Sessions,
        sink: &mut dyn Sink,
    ) {
        let Tunnel { lanes, state } = self;
        lanes[direction.index()].data(bytes, &mut |part| state.part(direction, time, part, sessions, sink));
    }

    pub(super) fn gap(
        &mut self,
        direction: Direction,
        time: SystemTime,
        length: Option<u64>,
        sessions: &mut Sessions,
        sink: &mut dyn Sink,
    ) {
        let Tunnel { lanes, state } = self;
        lanes[direction.index()].gap(length, &mut |part| state.part(direction, time, part, sessions, sink));
    }

    pub(super) fn closed(&mut self, time: SystemTime, sessions: &mut Sessions, sink: &mut dyn Sink) {
        let Tunnel { lanes, state } = self;
        for (lane, direction) in lanes.iter_mut().zip(Direction::BOTH) {
            lane.finish(&mut |part| state.part(direction, time, part, sessions, sink));
        }
    }
}

impl State {
    fn part(
        &mut self,
        direction: Direction,
        time: SystemTime,
        part: Part<'_>,
        sessions: &mut Sessions,
        sink: &mut dyn Sink,
    ) {
        let current = self.current[direction.index()];
        let session = current.and_then(|number| sessions.get(number, time)).map(|session| session.key);
        match (part, direction) {
            (Part::Head(head), Direction::ClientToServer) => self.request(&head, time, sessions, sink),
            (Part::Head(head), Direction::ServerToClient) => self.answer(&head, time, sessions, sink),
            // what comes with an error is for people
            (Part::Body(_), Direction::ServerToClient) if self.is_refusal => {}
            (Part::Body(bytes), _) => {
                if let Some(key) = session {
                    sink.data(key, direction, time, bytes);
                }
            }
            (Part::Missing(length), _) => {
                if let Some(key) = session {
                    sink.gap(key, direction, time, Some(length));
                }
            }
            (Part::End, Direction::ClientToServer) => {
                self.current[0] = None;
            }
            (Part::End, Direction::ServerToClient) => {
                let number = self.current[1].take();
                if let (Some(reason), Some(number)) = (self.ends.take(), number) {
                    let reason = (!reason.is_empty()).then_some(&reason[..]);
                    sessions.end(number, time, Closer::Server, reason, sink);
                }
            }
            (Part::Lost, _) => {
                // whose bytes are missing can only be guessed: the session seen here last
                let number = current.or(self.last);
                if let Some(session) = number.and_then(|number| sessions.get(number, time)) {
                    sink.gap(session.key, direction, time, None);
                }
                self.current[direction.index()] = None;
                self.ends = None;
                self.has_lost = true;
            }
        }
    }

    fn request(&mut self, head: &Head, time: SystemTime, sessions: &mut Sessions, sink: &mut dyn Sink) {
        let number = match Target::of(&head.target) {
            Target::Open { address } => {
                let peers = Peers { client: self.peers.client.clone(), server: address };
                let number = sessions.open(None, &peers, time, sink);
                self.inside(number, &head.host, time, sessions, sink);
                Some(number)
            }
            Target::Session(id) => Some(self.session(&id, &head.host, time, sessions, sink)),
            Target::Other => None,
        };
        self.current[0] = number;
        self.last = number.or(self.last);
        if self.asked.len() >= MOST_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(number);
    }

    fn answer(&mut self, head: &Head, time: SystemTime, sessions: &mut Sessions, sink: &mut dyn Sink) {
        if matches!(head.status, 100..=199) {
            return;
        }
        let id = head.session.as_deref();
        let named = id.and_then(|id| sessions.find(id));
        // the answer knows best: after a loss, it may not be the one to the oldest request
        let place = match (named, id) {
            (Some(_), _) => self.asked.iter().position(|asked| *asked == named),
            (None, _) if !self.has_lost => (!self.asked.is_empty()).then_some(0),
            (None, Some(_)) => {
                self.asked.iter().position(|asked| asked.is_some_and(|number| sessions.is_nameless(number)))
            }
            (None, None) => None,
        };
        let asked = place.and_then(|place| self.asked.drain(..=place).next_back());
        let number = match (named.or(asked.flatten()), id) {
            (Some(number), _) => Some(number),
            (None, Some(id)) => Some(self.session(id, b"", time, sessions, sink)),
            (None, None) => None,
        };
        self.is_refusal = head.status != 200;
        self.current[1] = number;
        self.last = number.or(self.last);
        let Some(number) = number else { return };
        if let Some(id) = &head.session {
            sessions.name(number, id);
        }
        if let (Some(gateway), Some(session)) = (&head.gateway, sessions.get(number, time)) {
            if !session.gateway.is_empty() && session.gateway != *gateway {
                let text = format!("the gateway sends the client to {}", String::from_utf8_lossy(gateway));
                sink.note(session.key, time, &text);
            }
            session.gateway.clone_from(gateway);
        }
        self.ends = match head.status {
            200 => head.closes.then(String::new),
            status => Some(format!("the gateway answers with HTTP status {status}")),
        };
    }

    /// Returns a session by its id. One that nobody opened had begun before.
    fn session(&self, id: &[u8], host: &[u8], time: SystemTime, sessions: &mut Sessions, sink: &mut dyn Sink) -> u64 {
        if let Some(number) = sessions.find(id) {
            return number;
        }
        let peers = Peers { client: self.peers.client.clone(), server: String::new() };
        let number = sessions.open(Some(id), &peers, time, sink);
        if let Some(session) = sessions.get(number, time) {
            sink.note(session.key, time, "the source begins within this connection");
        }
        self.inside(number, host, time, sessions, sink);
        number
    }

    fn inside(&self, number: u64, host: &[u8], time: SystemTime, sessions: &mut Sessions, sink: &mut dyn Sink) {
        let Some(session) = sessions.get(number, time) else { return };
        let host = if host.is_empty() { self.peers.server.clone() } else { String::from_utf8_lossy(host).into_owned() };
        sink.note(session.key, time, &format!("inside HTTP to the gateway {host}"));
    }
}

/// How many requests may wait for an answer: clients send one at a time.
const MOST_ASKED: usize = 1024;
