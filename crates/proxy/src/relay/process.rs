//! What a read becomes: frames, hooks, bytes forwarded, events.
//!
//! What no hook wants is forwarded as the slice that was read; the rest is collected in the lane, in order. Observers are told
//! last.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::argument::Scope;
use msnp::codec::{CommandSpan, Span};
use msnp::command::transaction_id;
use msnp::flow::TELLING;
use msnp::table::Slot;
use msnp::types::{Verb, Version};
use msnp::{Command, Direction, TransactionId, challenge};
use tokio::net::TcpStream;
use tracing::warn;

use super::orders::numbered;
use super::{Relay, together};
use crate::fault;
use crate::hook::{Context, Interest, Outcome};
use crate::injection::{Answer, Done, Injection};
use crate::lane::{Lane, Waiting};
use crate::observer::{Changed, Event, Run};
use crate::transactions::{Recipient, renumber};

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

const PNG: Slot = Slot::of(Verb::new(*b"PNG").expect("three capitals"));
const OUT: Slot = Slot::of(Verb::new(*b"OUT").expect("three capitals"));
const QNG: Slot = Slot::of(Verb::new(*b"QNG").expect("three capitals"));

/// Who is named where an id was translated.
const TRANSLATED: &str = "transaction-ids";
/// Who is named where something was done because a command is held.
const HOLDING: &str = "hold";

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
                    self.say_opaque(direction, &data[frame.clone()]);
                    work.opaque(frame);
                }
                Span::Command(span) => {
                    work.commands += 1;
                    work.total += 1;
                    let bytes = &data[frame.clone()];
                    match direction {
                        Direction::ClientToServer if span.slot == PNG => self.transactions.note_ping(),
                        Direction::ServerToClient if span.slot == QNG => self.note_pong(),
                        _ => {}
                    }
                    let decision = if wanted.holds(direction, span.slot) {
                        // what comes of this one is counted from those before it
                        self.note_latest(data, &mut work);
                        self.consult(direction, bytes, span, time, &mut scratch)
                    } else {
                        Decision::AsItCame
                    };
                    match decision {
                        Decision::AsItCame => {
                            if direction == Direction::ClientToServer && span.slot != PNG && span.slot != OUT {
                                work.numbered = Some(frame.start);
                            }
                            work.span(direction, frame, span);
                        }
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
            self.end_of_streamed(direction, data, at, &mut work);
        }
        self.note_latest(data, &mut work);
        self.forward_rest(direction, data, at, &work, receiver);
        if let Some(session) = self.reporter.session() {
            session.count_commands(direction, work.total);
        }
        self.tell(direction, data, work, time);
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
            self.interest.union(OWN)
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
        // afterwards it is counted when it is known whose it is
        if !self.transactions.is_on() {
            self.transactions.note_pong();
        }
    }

    /// A command that was forwarded in parts is whole: injections that waited for its end follow it.
    fn end_of_streamed(&mut self, direction: Direction, data: &[u8], at: usize, work: &mut Work) {
        let lane = &mut self.lanes[direction.index()];
        if std::mem::take(&mut lane.streamed) == 0 {
            return;
        }
        self.streamed_ids = None;
        let inserts = self.lanes[direction.index()].take_inserts();
        if inserts.is_empty() {
            return;
        }
        self.lanes[direction.index()].collect(data.get(work.forwarded..at).unwrap_or_default(), 1);
        work.forwarded = at;
        work.has_changes = true;
        self.note_latest(data, work);
        for injection in inserts {
            work.items.extend(self.inject(injection).map(|(command, by)| Item::Injected(Box::new(command), by)));
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
        if self.wanted() == Interest::everything() {
            return true;
        }
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
        let scope = self.scope();
        let is_observed = !self.engine.observers.is_empty();
        if self.lanes[direction.index()].streamed > 0 {
            if self.interest.holds(direction, span.slot) {
                warn!(connection = self.connection.number, verb = %command.verb(), "forwarded before it was whole: hooks did not see it");
            }
            let Some((_, number)) = self.streamed_ids.filter(|_| is_observed) else { return Decision::AsItCame };
            renumber(command, number);
            let received = Command::from_span(direction, bytes, span);
            return Decision::Gone(Some(Box::new(Changed::new(received, vec![command.clone()], TRANSLATED))));
        }
        let mut by = Vec::new();
        if direction == Direction::ServerToClient {
            match self.transactions.incoming(command, scope, Instant::now()) {
                Recipient::Client => {}
                Recipient::ClientAs(id) => {
                    renumber(command, id);
                    by.push(TRANSLATED.into());
                }
                Recipient::Injector(who) => {
                    let received = Command::from_span(direction, bytes, span);
                    let who = match who {
                        Some(who) => format!("answer to {who}").into(),
                        None => Arc::from(TRANSLATED),
                    };
                    return Decision::Swallowed(is_observed.then(|| Box::new(Changed::new(received, Vec::new(), who))));
                }
            }
        }
        if let Some(outcome) = self.while_held(command) {
            let received = is_observed.then(|| Command::from_span(direction, bytes, span));
            let by = vec![HOLDING.into()];
            return Decision::More(Box::new(Consulted { outcome, received, by, tags: Vec::new(), id: None }));
        }
        let id = match direction {
            Direction::ClientToServer => transaction_id(direction, command.line(), scope),
            Direction::ServerToClient => None,
        };
        if !self.interest.holds(direction, span.slot) {
            let Some(number) = id.and_then(|id| self.transactions.outgoing(id, command.verb())) else {
                return match by.is_empty() {
                    true => Decision::AsItCame,
                    false => edited(command, bytes, span, by, is_observed),
                };
            };
            renumber(command, number);
            by.push(TRANSLATED.into());
            return edited(command, bytes, span, by, is_observed);
        }
        if direction == Direction::ServerToClient && matches!(command.verb().as_bytes(), b"XFR" | b"RNG") {
            // a redirect belongs to a session, known or new
            self.reporter.decide(&self.facts, &self.engine, &self.connection);
        }
        let account = self.facts.account.as_deref().unwrap_or_default();
        let mut context = Context {
            session: self.reporter.session(),
            offered: &self.offered,
            is_observed,
            by,
            ..Context::new(&self.connection, scope, account, time)
        };
        let outcome = self.engine.hooks.consult(&self.interests, command, &mut context);
        let Context { mut by, tags, .. } = context;
        match outcome {
            None => {
                if let Some(id) = id
                    && let Some(number) = self.transactions.outgoing(id, command.verb())
                    && command.transaction_id() == Some(id)
                {
                    renumber(command, number);
                    by.push(TRANSLATED.into());
                }
                if tags.is_empty() && command.as_bytes() == bytes {
                    return Decision::AsItCame;
                }
                if !is_observed {
                    return Decision::Edited(None);
                }
                let received = Command::from_span(direction, bytes, span);
                let sent = (*command != received).then(|| vec![command.clone()]);
                Decision::Edited(Some(Box::new(Changed { received, sent, by, delay: None, held: None, tags })))
            }
            Some(outcome) => {
                let received = is_observed.then(|| Command::from_span(direction, bytes, span));
                Decision::More(Box::new(Consulted { outcome, received, by, tags, id }))
            }
        }
    }

    /// What the proxy does by itself while a command is held: it answers the client's pings, and the server's challenges if
    /// it is told to.
    fn while_held(&mut self, command: &Command) -> Option<Outcome> {
        let lane = &self.lanes[command.direction().index()];
        let answer: Injection = match (command.direction(), command.verb().as_bytes()) {
            (Direction::ClientToServer, b"PNG") if lane.is_held() => {
                self.transactions.note_pong();
                let line: &[u8] = match self.facts.version {
                    Some(version) if version < Version(9) => b"QNG",
                    _ => b"QNG 60",
                };
                Command::new(Direction::ServerToClient, line, None).ok()?.into()
            }
            (Direction::ServerToClient, b"CHL") if lane.answers_challenges() => {
                let version = self.facts.version?;
                let product = challenge::product_for(version)?;
                let answer = challenge::answer(command.argument(1)?, product, version);
                let line = format!("QRY 0 {}", product.id);
                let query = Command::new(Direction::ClientToServer, line.as_bytes(), Some(answer.as_bytes())).ok()?;
                Injection::new(query).numbered().by(HOLDING)
            }
            _ => return None,
        };
        Some(Outcome { replies: vec![answer], ..Outcome::default() })
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
        match decision {
            Decision::AsItCame | Decision::Gone(_) => {}
            Decision::Edited(changed) => {
                if let Some(edited) = edited {
                    self.lanes[direction.index()].collect(edited.as_bytes(), 1);
                }
                work.items.extend(changed.map(Item::Changed));
            }
            Decision::Swallowed(changed) => work.items.extend(changed.map(Item::Changed)),
            Decision::More(consulted) => self.carry_out_all(direction, *consulted, work),
        }
    }

    fn carry_out_all(&mut self, direction: Direction, consulted: Consulted, work: &mut Work) {
        let Consulted { mut outcome, received, mut by, tags, id } = consulted;
        let name = by.last().cloned().unwrap_or_else(|| "a hook".into());
        let is_held = outcome.hold.is_some();
        let mut sent = Vec::new();
        for injection in std::mem::take(&mut outcome.before) {
            self.inject_beside(injection, &name, is_held, &mut sent, work);
        }
        let delay = fault::delay(outcome.delay, &mut outcome.faults);
        let number = id.and_then(|id| Some((id.0, self.transactions.outgoing(id, outcome.verb?)?)));
        if outcome.is_dropped_ping() {
            self.transactions.note_pong();
        }
        let mut held = None;
        match outcome.hold {
            Some(hold) if !self.lanes[direction.index()].shut => {
                let since = Instant::now();
                let leaves = received.as_ref().and_then(|received| {
                    let leaves = numbered(outcome.forward.clone(), number);
                    (leaves != std::slice::from_ref(received)).then_some(leaves)
                });
                let waiting = Waiting {
                    number: 0,
                    since,
                    delay,
                    ids: number,
                    leaves,
                    answers_challenges: hold.answer_challenges,
                    faults: outcome.faults,
                };
                held = Some(self.hold(direction, outcome.forward, hold, waiting, by.clone()));
            }
            _ => {
                let forward = numbered(outcome.forward, number);
                if number.is_some() && !forward.is_empty() {
                    by.push(TRANSLATED.into());
                }
                let lane = &mut self.lanes[direction.index()];
                for command in &forward {
                    match delay {
                        None if outcome.faults.is_empty() => lane.collect(command.as_bytes(), 1),
                        delay => {
                            let due = fault::later(Instant::now(), delay.unwrap_or_default());
                            lane.delay(command.as_bytes(), due, outcome.faults.clone());
                        }
                    }
                }
                sent.extend(forward);
            }
        }
        // what goes behind a held command is an event of its own, behind the one that says so
        let mut behind = Vec::new();
        for injection in outcome.after.into_iter().chain(outcome.replies) {
            match is_held {
                true => behind.push(injection),
                false => self.inject_beside(injection, &name, false, &mut sent, work),
            }
        }
        if outcome.close {
            self.end("proxy", Some(format!("closed by {:?}", &*name)));
            self.is_closing = true;
        }
        if let Some(received) = received {
            let is_same = sent.len() == 1 && sent[0] == received;
            let sent = (!is_same && held.is_none()).then_some(sent);
            work.items.push(Item::Changed(Box::new(Changed { received, sent, by, delay, held, tags })));
        }
        for injection in behind {
            self.inject_beside(injection, &name, true, &mut Vec::new(), work);
        }
    }

    /// Injects what a hook put beside a command. It is part of the event of that command, unless it is told of apart.
    fn inject_beside(
        &mut self,
        mut injection: Injection,
        name: &Arc<str>,
        apart: bool,
        sent: &mut Vec<Command>,
        work: &mut Work,
    ) {
        injection.by.get_or_insert_with(|| Arc::clone(name));
        // the other lane may be within a command: then it waits for the end of that
        let lane = &mut self.lanes[injection.direction().index()];
        let Some(injection) = lane.insert(injection) else { return };
        if lane.streamed > 0 {
            injection.tell(Answer::Done(Done::Busy));
            return;
        }
        if let Some((command, by)) = self.inject(injection) {
            match apart {
                true => work.items.push(Item::Injected(Box::new(command), by)),
                false => sent.push(command),
            }
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
                Item::Injected(command, by) => Event::Injected { command: *command, by },
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
    /// It left already, though not as it came.
    Gone(Option<Box<Changed>>),
    /// It answers an injection: the client does not see it.
    Swallowed(Option<Box<Changed>>),
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
    /// The client's id of it.
    id: Option<TransactionId>,
}

/// What one read brought.
struct Work {
    /// Where the bytes start that were not sent on yet.
    forwarded: usize,
    /// Whether a hook changed something, so that what leaves is not what was read.
    has_changes: bool,
    commands: usize,
    /// All commands of this read.
    total: u64,
    /// Where the client's latest command with an id starts.
    numbered: Option<usize>,
    /// What observers want to be told of.
    told: Interest,
    items: Vec<Item>,
    spans: Vec<CommandSpan>,
}

enum Item {
    Run { bytes: Range<usize>, spans: Range<usize> },
    Changed(Box<Changed>),
    Injected(Box<Command>, Arc<str>),
    Opaque(Range<usize>),
}

/// A command that was edited in place.
fn edited(command: &Command, bytes: &[u8], span: CommandSpan, by: Vec<Arc<str>>, is_observed: bool) -> Decision {
    if !is_observed {
        return Decision::Edited(None);
    }
    let received = Command::from_span(command.direction(), bytes, span);
    let sent = Some(vec![command.clone()]);
    Decision::Edited(Some(Box::new(Changed { received, sent, by, delay: None, held: None, tags: Vec::new() })))
}

impl Work {
    fn new(forwarded: usize, told: Interest) -> Work {
        Work {
            forwarded,
            has_changes: false,
            commands: 0,
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

    fn opaque(&mut self, frame: Range<usize>) {
        if self.told != Interest::nothing() {
            self.items.push(Item::Opaque(frame));
        }
    }
}
