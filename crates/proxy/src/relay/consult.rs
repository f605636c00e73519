//! What hooks make of one command, and how that is carried out: edits in place, lanes, holds, injections beside it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::codec::CommandSpan;
use msnp::command::transaction_id;
use msnp::types::Version;
use msnp::{Command, Direction, TransactionId, challenge};
use tracing::warn;

use super::Relay;
use super::orders::numbered;
use super::process::{Item, OWN, Work};
use crate::fault;
use crate::hook::{Context, Interest, Outcome};
use crate::injection::{Answer, Done, Injection};
use crate::lane::Waiting;
use crate::observer::Changed;
use crate::transactions::{Recipient, renumber};

/// What becomes of one command.
pub(super) enum Decision {
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
pub(super) struct Consulted {
    outcome: Box<Outcome>,
    /// What arrived, if somebody is to be told.
    received: Option<Command>,
    by: Vec<Arc<str>>,
    tags: Vec<String>,
    /// The client's id of it.
    id: Option<TransactionId>,
}

impl Relay {
    /// Learns from a command and asks the hooks.
    pub(super) fn consult(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        span: CommandSpan,
        (time, told): (SystemTime, Interest),
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
        let is_observed = told.holds(direction, span.slot);
        if self.lanes[direction.index()].streamed > 0 {
            if self.hooks.interest().holds(direction, span.slot) {
                warn!(connection = self.connection.number, verb = %command.verb(), "forwarded before it was whole: hooks did not see it");
            }
            let left_as = self.lanes[direction.index()].streamed_as;
            let Some(number) = left_as.filter(|_| is_observed) else { return Decision::AsItCame };
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
        let own_id = || match direction {
            Direction::ClientToServer => transaction_id(direction, &bytes[..span.line as usize], scope),
            Direction::ServerToClient => None,
        };
        // until something is injected, the latest of all that a read brings will do
        let id = if self.transactions.is_on() { own_id() } else { None };
        if !self.hooks.interest().holds(direction, span.slot) {
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
        // field by field, since a context that is made and then changed is copied, for each command
        let mut context = Context {
            connection: &self.connection,
            session: self.reporter.session(),
            scope,
            account,
            offered: &self.offered,
            time,
            by,
            tags: Vec::new(),
            is_observed,
        };
        let outcome = self.hooks.consult(command, &mut context);
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
                Decision::More(Box::new(Consulted { outcome, received, by, tags, id: own_id() }))
            }
        }
    }

    /// What the proxy does by itself while a command is held: it answers the client's pings, and the server's challenges if
    /// it is told to.
    fn while_held(&mut self, command: &Command) -> Option<Box<Outcome>> {
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
        Some(Box::new(Outcome { replies: vec![answer], ..Outcome::default() }))
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
    pub(super) fn carry_out(
        &mut self,
        direction: Direction,
        decision: Decision,
        edited: Option<&Command>,
        work: &mut Work,
    ) {
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
        let Consulted { outcome, received, mut by, tags, id } = consulted;
        let mut outcome = *outcome;
        let other = direction.opposite().index();
        let load = self.lanes[other].load();
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
                let forward = match direction {
                    Direction::ClientToServer => self.replacing(id, outcome.forward, number, &name),
                    Direction::ServerToClient => outcome.forward,
                };
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
        self.lanes[other].note_replies(load);
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
        let lane = &mut self.lanes[injection.direction().index()];
        // its receiver may have left, though the sender of the command has not
        if let Some(done) = lane.refusal() {
            injection.tell(Answer::Done(done));
            return;
        }
        // the other lane may be within a command: then it waits for the end of that
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

/// Who is named where an id was translated.
const TRANSLATED: &str = "transaction-ids";
/// Who is named where something was done because a command is held.
const HOLDING: &str = "hold";

/// First version whose framing is another.
const FOREIGN: Version = Version(22);
