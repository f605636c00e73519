//! What a read becomes: frames, bytes forwarded, events. What hooks make of a command is in `consult.rs`.
//!
//! What no hook wants is forwarded as the slice that was read; the rest is collected in the lane, in order. Observers are told
//! last, but for what sends a client to another connection: they are told of causes before effects.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::argument::Scope;
use msnp::codec::{CommandSpan, Excess, Span};
use msnp::flow::TELLING;
use msnp::table::Slot;
use msnp::types::Verb;
use msnp::{Command, Direction, TransactionId};
use tokio::net::TcpStream;
use tracing::warn;

use super::Relay;
use super::consult::Decision;
use super::orders::with_id;
use crate::hook::Interest;
use crate::injection::{Answer, Done};
use crate::lane::Lane;
use crate::observer::{Changed, Event, Run};

/// What the engine itself looks at, to learn account and version.
pub(super) const OWN: Interest = {
    let mut interest = Interest::nothing();
    let mut i = 0;
    while i < TELLING.len() {
        interest = interest.and(TELLING[i].0, TELLING[i].1);
        i += 1;
    }
    interest
};

const PNG: Slot = Slot::of(Verb::new(*b"PNG").expect("three capitals"));
const OUT: Slot = Slot::of(Verb::new(*b"OUT").expect("three capitals"));
const QNG: Slot = Slot::of(Verb::new(*b"QNG").expect("three capitals"));
const XFR: Slot = Slot::of(Verb::new(*b"XFR").expect("three capitals"));
const RNG: Slot = Slot::of(Verb::new(*b"RNG").expect("three capitals"));

impl Relay {
    /// Frames `data`, asks hooks, forwards, tells observers. Returns how many bytes are dealt with.
    pub(super) fn process(&mut self, direction: Direction, data: &[u8], receiver: &TcpStream) -> usize {
        self.hooks.refresh(&self.engine.hooks);
        let mut wanted = self.wanted();
        let lane = direction.index();
        let time = SystemTime::now();
        let mut work = Work::new(self.lanes[lane].streamed, self.engine.observers.interest());
        // memory that the commands of one read share
        let mut scratch = None;
        let mut at = 0;
        while let Some(span) = self.next_span(direction, &data[at..]) {
            let frame = at..at + span.len();
            at = frame.end;
            match span {
                Span::Opaque(_) => {
                    let bytes = &data[frame.clone()];
                    self.say_opaque(direction, bytes);
                    let left_as = self.lanes[direction.index()].streamed_as;
                    work.opaque(frame, left_as.map(|number| with_id(bytes, number)));
                }
                Span::Command(span) => {
                    work.commands += 1;
                    work.total += 1;
                    let bytes = &data[frame.clone()];
                    match direction {
                        Direction::ClientToServer if span.slot == PNG => self.transactions.note_ping(),
                        Direction::ServerToClient if span.slot == QNG => self.note_pong(),
                        Direction::ServerToClient if matches!(span.slot, XFR | RNG) => work.leads_on = true,
                        _ => {}
                    }
                    let decision = if wanted.holds(direction, span.slot) {
                        self.consult(direction, bytes, span, (time, work.told), &mut scratch)
                    } else {
                        Decision::AsItCame
                    };
                    match &decision {
                        // what comes of this one is counted from those before it
                        Decision::More(_) => self.note_latest(data, &mut work),
                        _ if direction == Direction::ClientToServer && span.slot != PNG && span.slot != OUT => {
                            work.numbered = Some(frame.start);
                        }
                        _ => {}
                    }
                    match decision {
                        Decision::AsItCame => work.span(direction, frame, span),
                        Decision::Gone(changed) => work.items.extend(changed.map(Item::Changed)),
                        decision => {
                            let before = data.get(work.forwarded..frame.start).unwrap_or_default();
                            self.lanes[direction.index()].collect(before, std::mem::take(&mut work.commands) - 1);
                            self.carry_out(direction, decision, scratch.as_ref(), &mut work);
                            work.forwarded = at;
                            work.has_changes = true;
                            wanted = self.wanted();
                        }
                    }
                }
            }
            if self.is_closing {
                break;
            }
            if self.end_of_streamed(direction, data, at, &mut work) {
                wanted = self.wanted();
            }
        }
        self.note_latest(data, &mut work);
        if let Some(session) = self.reporter.session() {
            session.count_commands(direction, work.total);
        }
        if work.leads_on {
            self.tell(direction, data, &mut work, time);
        }
        self.forward_rest(direction, data, at, &work, receiver);
        self.tell(direction, data, &mut work, time);
        at
    }

    fn next_span(&mut self, direction: Direction, data: &[u8]) -> Option<Span> {
        let lane = &mut self.lanes[direction.index()];
        if lane.at_end { lane.codec.finish(data) } else { lane.codec.next_span(data) }
    }

    /// What has to be looked at: after an injection, and while a command is held, everything.
    fn wanted(&self) -> Interest {
        if self.transactions.is_on() || self.lanes.iter().any(Lane::is_held) {
            Interest::everything()
        } else {
            self.hooks.interest().union(OWN)
        }
    }

    /// Keeps the id of the client's latest command.
    fn note_latest(&mut self, data: &[u8], work: &mut Work) {
        let Some(start) = work.numbered.take().filter(|_| !self.transactions.is_on()) else { return };
        let id = data.get(start + 4..).and_then(|rest| rest.split(|byte| !byte.is_ascii_digit()).next());
        if let Some(id) = id.and_then(TransactionId::from_token) {
            self.transactions.note(id);
        }
    }

    fn note_pong(&mut self) {
        // afterwards it is counted when it is known whose it is, but for one that has half left to the client
        if !self.transactions.is_on() || self.lanes[Direction::ServerToClient.index()].streamed > 0 {
            self.transactions.note_pong();
        }
    }

    /// A command that was forwarded in parts has ended: injections that waited for its end follow it, if it is whole.
    /// Whether any did.
    fn end_of_streamed(&mut self, direction: Direction, data: &[u8], at: usize, work: &mut Work) -> bool {
        let lane = &mut self.lanes[direction.index()];
        if std::mem::take(&mut lane.streamed) == 0 {
            return false;
        }
        lane.streamed_as = None;
        let inserts = self.lanes[direction.index()].take_inserts();
        let lane = &self.lanes[direction.index()];
        let refusal = if lane.at_end { Some(Done::Closed) } else { lane.refusal() };
        if let Some(done) = refusal {
            // its sender has left, or what ended is no whole command
            inserts.iter().for_each(|injection| injection.tell(Answer::Done(done)));
            return false;
        }
        if inserts.is_empty() {
            return false;
        }
        self.lanes[direction.index()].collect(data.get(work.forwarded..at).unwrap_or_default(), 1);
        work.forwarded = at;
        work.has_changes = true;
        self.note_latest(data, work);
        for injection in inserts {
            work.items.extend(self.inject(injection).map(|(command, by)| Item::Injected(Box::new(command), by)));
        }
        true
    }

    /// Forwards what no hook touched behind the last change, and as much of an unfinished command as no hook wants.
    fn forward_rest(&mut self, direction: Direction, data: &[u8], at: usize, work: &Work, receiver: &TcpStream) {
        let tail = &data[at..];
        let is_streamed = self.lanes[direction.index()].streamed > 0;
        let may_stream = is_streamed || !self.may_want(direction, tail);
        let streams = !tail.is_empty() && !self.is_closing && may_stream;
        let end = if streams { data.len() } else { at };
        let rest = data.get(work.forwarded..end).unwrap_or_default();
        let lane = &mut self.lanes[direction.index()];
        if streams {
            lane.streamed = tail.len();
        }
        let is_held = !tail.is_empty() && !streams && !lane.codec.awaits_payload();
        lane.held_since = is_held.then(Instant::now);
        let result = if work.has_changes {
            lane.collect(rest, work.commands);
            lane.flush(receiver)
        } else {
            lane.forward(rest, work.commands, receiver)
        };
        if let Err(error) = result {
            self.lost(direction, &error);
        }
    }

    /// Whether a hook may want the command that starts so.
    fn may_want(&self, direction: Direction, start: &[u8]) -> bool {
        if self.wanted() == Interest::everything() {
            return true;
        }
        match start.first_chunk::<3>().and_then(|verb| Verb::new(*verb)) {
            Some(verb) => self.hooks.interest().holds(direction, Slot::of(verb)),
            None => self.hooks.interest() != Interest::nothing(),
        }
    }

    /// Says once for each direction that a stream cannot be framed; a blank line alone is no reason.
    fn say_opaque(&mut self, direction: Direction, bytes: &[u8]) {
        let lane = &mut self.lanes[direction.index()];
        let is_blank = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if is_blank || std::mem::replace(&mut lane.said_opaque, true) {
            return;
        }
        let (connection, from) = (self.connection.number, direction.sender());
        if lane.at_end {
            warn!(connection, from, bytes = bytes.len(), "the stream ends within a command: relayed as far as it came");
            return;
        }
        let limits = &self.engine.settings.limits;
        match lane.codec.excess(bytes) {
            None => warn!(connection, from, "not MSNP: relayed untouched and unframed from here on"),
            Some(Excess::Line) => warn!(
                connection,
                from,
                "limits.line" = limits.line,
                "a line is longer than its limit: relayed untouched and unframed from here on"
            ),
            Some(Excess::Payload { verb, length }) => warn!(
                connection,
                from,
                %verb,
                length,
                "limits.payload" = limits.payload,
                "a payload is longer than its limit: relayed untouched and unframed from here on"
            ),
        }
    }

    fn tell(&mut self, direction: Direction, data: &[u8], work: &mut Work, time: SystemTime) {
        if self.engine.observers.is_empty() {
            return;
        }
        let scope = Scope { server: self.facts.server, version: self.facts.version };
        for item in std::mem::take(&mut work.items) {
            let event = match item {
                Item::Run { bytes, spans } => {
                    Event::Commands(Run { direction, bytes: data[bytes].into(), spans: work.spans[spans].into() })
                }
                Item::Changed(changed) => Event::Changed(*changed),
                Item::Injected(command, by) => Event::Injected { command: *command, by },
                Item::Opaque(bytes, sent) => Event::Opaque { direction, bytes: data[bytes].into(), sent },
            };
            self.reporter.tell(event, time, scope, &self.engine, &self.connection);
        }
    }
}

/// What one read brought.
pub(super) struct Work {
    /// Where the bytes start that were not sent on yet.
    pub(super) forwarded: usize,
    /// Whether a hook changed something, so that what leaves is not what was read.
    pub(super) has_changes: bool,
    pub(super) commands: usize,
    /// All commands of this read.
    pub(super) total: u64,
    /// The client is sent to another server: what it does there is told of later, so this is told of before it leaves.
    leads_on: bool,
    /// Where the client's latest command with an id starts.
    pub(super) numbered: Option<usize>,
    /// What observers want to be told of.
    pub(super) told: Interest,
    pub(super) items: Vec<Item>,
    pub(super) spans: Vec<CommandSpan>,
}

pub(super) enum Item {
    Run {
        bytes: Range<usize>,
        spans: Range<usize>,
    },
    Changed(Box<Changed>),
    Injected(Box<Command>, Arc<str>),
    /// Bytes outside the framing, and what left, if that differs.
    Opaque(Range<usize>, Option<Vec<u8>>),
}

impl Work {
    fn new(forwarded: usize, told: Interest) -> Work {
        Work {
            forwarded,
            has_changes: false,
            commands: 0,
            leads_on: false,
            numbered: None,
            total: 0,
            told,
            items: Vec::new(),
            spans: Vec::new(),
        }
    }

    #[inline]
    fn span(&mut self, direction: Direction, frame: Range<usize>, span: CommandSpan) {
        if !self.told.holds(direction, span.slot) {
            return;
        }
        self.spans.push(span);
        let count = self.spans.len();
        match self.items.last_mut() {
            Some(Item::Run { bytes, spans }) if bytes.end == frame.start => {
                bytes.end = frame.end;
                spans.end = count;
            }
            _ => self.items.push(Item::Run { bytes: frame, spans: count - 1..count }),
        }
    }

    fn opaque(&mut self, frame: Range<usize>, sent: Option<Vec<u8>>) {
        if self.told != Interest::nothing() {
            self.items.push(Item::Opaque(frame, sent));
        }
    }
}
