//! What a read becomes: frames, hooks, bytes forwarded, events.
//!
//! What no hook wants is forwarded as the slice that was read; the rest is collected in the lane, in order. Observers are told
//! last.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::argument::Scope;
use msnp::codec::{CommandSpan, Span};
use msnp::flow::TELLING;
use msnp::table::Slot;
use msnp::types::{Verb, Version};
use msnp::{Command, Direction};
use tokio::net::TcpStream;
use tracing::warn;

use super::{Relay, together};
use crate::fault;
use crate::hook::{Context, Interest, Outcome};
use crate::observer::{Changed, Event, Run};

/// What the engine itself looks at, to learn account and version.
const OWN: Interest = {
    let mut interest = Interest::nothing();
    let mut i = 0;
    while i < TELLING.len() {
        interest = interest.and(TELLING[i].0, TELLING[i].1);
        i += 1;
    }
    interest
};

/// First version whose framing is another.
const FOREIGN: Version = Version(22);

impl Relay {
    /// Frames `data`, asks hooks, forwards, tells observers. Returns how many bytes are dealt with.
    pub(super) fn process(&mut self, direction: Direction, data: &[u8], receiver: &TcpStream) -> usize {
        let generation = self.engine.hooks.generation();
        if generation != self.generation {
            self.generation = generation;
            self.interests = self.engine.hooks.interests();
            self.interest = together(&self.interests);
        }
        let wanted = self.interest.union(OWN);
        let lane = direction.index();
        let time = SystemTime::now();
        let mut work = Work::new(self.lanes[lane].streamed, self.engine.observers.is_empty());
        // memory that the commands of one read share
        let mut scratch = None;
        let mut at = 0;
        while let Some(span) = self.next_span(direction, &data[at..]) {
            let frame = at..at + span.len();
            at = frame.end;
            match span {
                Span::Opaque(_) => {
                    self.say_opaque(direction, &data[frame.clone()]);
                    work.opaque(frame);
                }
                Span::Command(span) => {
                    work.commands += 1;
                    let bytes = &data[frame.clone()];
                    let decision = if wanted.holds(direction, span.slot) {
                        self.consult(direction, bytes, span, time, &mut scratch)
                    } else {
                        Decision::AsItCame
                    };
                    if matches!(decision, Decision::AsItCame) {
                        work.span(frame, span);
                    } else {
                        let before = data.get(work.forwarded..frame.start).unwrap_or_default();
                        self.lanes[direction.index()].collect(before, std::mem::take(&mut work.commands) - 1);
                        self.carry_out(direction, decision, scratch.as_ref(), &mut work);
                        work.forwarded = at;
                        work.has_changes = true;
                    }
                }
            }
            if self.is_closing {
                break;
            }
            self.end_of_streamed(direction, data, at, &mut work);
        }
        self.forward_rest(direction, data, at, &work, receiver);
        self.tell(direction, data, work, time);
        at
    }

    fn next_span(&mut self, direction: Direction, data: &[u8]) -> Option<Span> {
        let lane = &mut self.lanes[direction.index()];
        if lane.at_end { lane.codec.finish(data) } else { lane.codec.next_span(data) }
    }

    /// A command that was forwarded in parts is whole: replies that waited for its end follow it.
    fn end_of_streamed(&mut self, direction: Direction, data: &[u8], at: usize, work: &mut Work) {
        let lane = &mut self.lanes[direction.index()];
        if std::mem::take(&mut lane.streamed) > 0 && lane.has_inserts() {
            lane.collect(data.get(work.forwarded..at).unwrap_or_default(), 1);
            lane.release_inserts();
            work.forwarded = at;
            work.has_changes = true;
        }
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
        match start.first_chunk::<3>().and_then(|verb| Verb::new(*verb)) {
            Some(verb) => self.interest.holds(direction, Slot::of(verb)),
            None => self.interest != Interest::nothing(),
        }
    }

    /// Learns from a command and asks the hooks.
    fn consult(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        span: CommandSpan,
        time: SystemTime,
        scratch: &mut Option<Command>,
    ) -> Decision {
        let command = match scratch {
            Some(command) => {
                command.reload(direction, bytes, span);
                command
            }
            None => scratch.insert(Command::from_span(direction, bytes, span)),
        };
        if OWN.holds(direction, span.slot) {
            self.learn(command);
        }
        if !self.interest.holds(direction, span.slot) {
            return Decision::AsItCame;
        }
        if self.lanes[direction.index()].streamed > 0 {
            warn!(connection = self.connection.number, verb = %command.verb(), "forwarded before it was whole: hooks did not see it");
            return Decision::AsItCame;
        }
        if direction == Direction::ServerToClient && matches!(command.verb().as_bytes(), b"XFR" | b"RNG") {
            // a redirect belongs to a session, known or new
            self.reporter.decide(&self.facts, &self.engine, &self.connection);
        }
        let mut context = Context {
            session: self.reporter.session(),
            offered: &self.offered,
            is_observed: !self.engine.observers.is_empty(),
            ..Context::new(
                &self.connection,
                Scope { server: self.facts.server, version: self.facts.version },
                self.facts.account.as_deref().unwrap_or_default(),
                time,
            )
        };
        let outcome = self.engine.hooks.consult(&self.interests, command, &mut context);
        let Context { by, tags, is_observed, .. } = context;
        let is_untouched = tags.is_empty() && command.as_bytes() == bytes;
        match outcome {
            None if is_untouched => Decision::AsItCame,
            None if !is_observed => Decision::Edited(None),
            None => {
                let received = Command::from_span(direction, bytes, span);
                let sent = (*command != received).then(|| vec![command.clone()]);
                Decision::Edited(Some(Box::new(Changed { received, sent, by, delay: None, tags })))
            }
            Some(outcome) => {
                let received = is_observed.then(|| Command::from_span(direction, bytes, span));
                Decision::More(Box::new(Consulted { outcome, received, by, tags }))
            }
        }
    }

    /// Learns account, version and kind of server, and finds the session by them.
    fn learn(&mut self, command: &Command) {
        if command.direction() == Direction::ClientToServer && command.verb().as_str() == "VER" {
            self.offered = command.arguments().filter_map(Version::from_token).collect();
        }
        if self.facts.learn(command) {
            self.reporter.learn(&self.facts, &self.engine, &self.connection);
        }
        let is_chosen = command.direction() == Direction::ServerToClient && command.verb().as_str() == "VER";
        if is_chosen && self.facts.version.is_some_and(|version| version >= FOREIGN) {
            warn!(
                connection = self.connection.number,
                "MSNP22 and later frame otherwise: relayed unframed from here on"
            );
            for lane in &mut self.lanes {
                lane.codec.give_up();
                lane.said_opaque = true;
            }
        }
    }

    /// Puts what hooks made of a command into the lanes.
    fn carry_out(&mut self, direction: Direction, decision: Decision, edited: Option<&Command>, work: &mut Work) {
        let lane = &mut self.lanes[direction.index()];
        let consulted = match decision {
            Decision::AsItCame => return,
            Decision::Edited(changed) => {
                if let Some(edited) = edited {
                    lane.collect(edited.as_bytes(), 1);
                }
                work.items.extend(changed.map(Item::Changed));
                return;
            }
            Decision::More(consulted) => *consulted,
        };
        let Consulted { mut outcome, received, by, tags } = consulted;
        let delay = fault::delay(outcome.delay, &mut outcome.faults);
        if outcome.faults.is_empty() {
            for command in &outcome.forward {
                match delay {
                    Some(delay) => lane.delay(command.as_bytes(), fault::later(Instant::now(), delay)),
                    None => lane.collect(command.as_bytes(), 1),
                }
            }
        } else {
            let bytes: Vec<u8> = outcome.forward.iter().flat_map(|command| command.as_bytes()).copied().collect();
            lane.afflict(&bytes, fault::later(Instant::now(), delay.unwrap_or_default()), outcome.faults);
        }
        for reply in &outcome.replies {
            self.lanes[direction.opposite().index()].insert(reply.as_bytes());
        }
        if outcome.close {
            let name = by.last().map_or("a hook", |name| name);
            self.end("proxy", Some(format!("closed by {name:?}")));
            self.is_closing = true;
        }
        if let Some(received) = received {
            let mut sent = outcome.forward;
            sent.extend(outcome.replies);
            let is_same = sent.len() == 1 && sent[0] == received;
            let sent = (!is_same).then_some(sent);
            let changed = Changed { received, sent, by, delay, tags };
            work.items.push(Item::Changed(Box::new(changed)));
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
        } else {
            warn!(connection, from, "not MSNP: relayed untouched and unframed from here on");
        }
    }

    fn tell(&mut self, direction: Direction, data: &[u8], work: Work, time: SystemTime) {
        if self.engine.observers.is_empty() {
            return;
        }
        let scope = Scope { server: self.facts.server, version: self.facts.version };
        for item in work.items {
            let event = match item {
                Item::Run { bytes, spans } => {
                    Event::Commands(Run { direction, bytes: data[bytes].into(), spans: work.spans[spans].into() })
                }
                Item::Changed(changed) => Event::Changed(*changed),
                Item::Opaque(bytes) => Event::Opaque { direction, bytes: data[bytes].into() },
            };
            self.reporter.tell(event, time, scope, &self.engine, &self.connection);
        }
    }
}

/// What becomes of one command.
enum Decision {
    /// It goes on as it came.
    AsItCame,
    /// It was edited in place, or tagged; what to tell of that, if somebody listens.
    Edited(Option<Box<Changed>>),
    /// Anything else.
    More(Box<Consulted>),
}

/// What the hooks made of one command.
struct Consulted {
    outcome: Outcome,
    /// What arrived, if somebody is to be told.
    received: Option<Command>,
    by: Vec<Arc<str>>,
    tags: Vec<String>,
}

/// What one read brought.
struct Work {
    /// Where the bytes start that were not sent on yet.
    forwarded: usize,
    /// Whether a hook changed something, so that what leaves is not what was read.
    has_changes: bool,
    commands: usize,
    nobody_listens: bool,
    items: Vec<Item>,
    spans: Vec<CommandSpan>,
}

enum Item {
    Run { bytes: Range<usize>, spans: Range<usize> },
    Changed(Box<Changed>),
    Opaque(Range<usize>),
}

impl Work {
    fn new(forwarded: usize, nobody_listens: bool) -> Work {
        Work { forwarded, has_changes: false, commands: 0, nobody_listens, items: Vec::new(), spans: Vec::new() }
    }

    #[inline]
    fn span(&mut self, frame: Range<usize>, span: CommandSpan) {
        if self.nobody_listens {
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

    fn opaque(&mut self, frame: Range<usize>) {
        if !self.nobody_listens {
            self.items.push(Item::Opaque(frame));
        }
    }
}
