//! What others ask of a connection: injections, and what becomes of held commands.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msnp::argument::Scope;
use msnp::command::transaction_id;
use msnp::{Command, Direction, TransactionId, Verb, table};

use super::Relay;
use crate::connection::Releasing;
use crate::holds::{Held, Release};
use crate::hook::Hold;
use crate::injection::{Answer, Done, Injection};
use crate::lane::Waiting;
use crate::observer::Event;
use crate::transactions::{Recipient, renumber};

impl Relay {
    pub(super) fn scope(&self) -> Scope {
        Scope { server: self.facts.server, version: self.facts.version }
    }

    /// Puts in what somebody outside injects: at once, or behind the command that is half forwarded.
    pub(super) fn inject_from_outside(&mut self, injection: Injection) {
        // a client that has left, though its server has not, gets nothing any more
        let has_left =
            injection.direction() == Direction::ServerToClient && self.lanes[Direction::ClientToServer.index()].at_end;
        let lane = &mut self.lanes[injection.direction().index()];
        let refusal = if lane.at_end || has_left { Some(Done::Closed) } else { lane.refusal() };
        if let Some(done) = refusal {
            injection.tell(Answer::Done(done));
            return;
        }
        if let Some(injection) = lane.insert(injection) {
            if lane.streamed > 0 {
                injection.tell(Answer::Done(Done::Busy));
                return;
            }
            if let Some((command, by)) = self.inject(injection) {
                self.report(Event::Injected { command, by });
            }
        }
    }

    /// Puts an injection into its lane, numbered. `None`: it was refused.
    pub(super) fn inject(&mut self, injection: Injection) -> Option<(Command, Arc<str>)> {
        let by = injection.by.clone().unwrap_or_else(|| "injected".into());
        let scope = self.scope();
        let command = self.transactions.inject(injection, scope, Instant::now())?;
        self.lanes[command.direction().index()].collect(command.as_bytes(), 1);
        if self.lanes[Direction::ServerToClient.index()].at_end {
            // nothing will answer
            self.transactions.close();
        }
        Some((command, by))
    }

    /// Puts commands into the lane that wait until they are released. Returns the number of the held command.
    pub(super) fn hold(
        &mut self,
        direction: Direction,
        commands: Vec<Command>,
        hold: Hold,
        mut waiting: Waiting,
        by: Vec<Arc<str>>,
    ) -> u64 {
        waiting.number = self.engine.holds.number();
        let number = waiting.number;
        let ids = waiting.ids;
        let due = waiting.since + hold.timeout;
        self.lanes[direction.index()].hold(&to_bytes(&commands, ids), commands.len(), due, waiting);
        self.engine.holds.insert(Held {
            number,
            connection: Arc::clone(&self.connection),
            session: self.reporter.session().map_or_else(String::new, |session| session.id().to_owned()),
            account: self.facts.account.clone().unwrap_or_default(),
            scope: self.scope(),
            direction,
            commands,
            by,
            since: SystemTime::now(),
            timeout: hold.timeout,
        });
        number
    }

    /// Lets go of one held command.
    pub(super) fn let_go(&mut self, releasing: Releasing) {
        let Releasing { number, release, by, done } = releasing;
        let Some(held) = self.engine.holds.get(number) else {
            // whoever asked may be gone
            let _ = done.send(false);
            return;
        };
        let ids = self.lanes[held.direction.index()].ids_of(number);
        let sent = match release {
            Release::AsItIs => None,
            Release::Replace(commands) if held.direction == Direction::ClientToServer => {
                let own = held.commands.first().and_then(Command::transaction_id);
                Some(self.replacing(own, commands, ids, &by))
            }
            Release::Replace(commands) => Some(commands),
        };
        let bytes = sent.as_ref().map(|commands| to_bytes(commands, None));
        let found = self.lanes[held.direction.index()].let_go(number, bytes);
        if let Some(waiting) = &found {
            self.report_release(held.direction, waiting, sent, by);
        }
        let _ = done.send(found.is_some());
    }

    /// Returns what takes the place of a command of the client, whose id is `own`, with the ids that it has towards the
    /// server. What is not the client's command, or a copy of it, is an injection: its answers are not the client's.
    pub(super) fn replacing(
        &mut self,
        own: Option<TransactionId>,
        mut commands: Vec<Command>,
        ids: Option<(u32, u32)>,
        by: &Arc<str>,
    ) -> Vec<Command> {
        let has = |id: TransactionId| move |one: &Command| one.transaction_id() == Some(id);
        if let Some(own) = own
            && !commands.iter().any(has(own))
            && let Some(first_free) = commands.iter_mut().find(|one| has(TransactionId(0))(one))
        {
            renumber(first_free, own.0);
        }
        if commands.len() == 1 {
            return numbered(commands, ids);
        }
        let first = commands.first().cloned();
        let mut leaving = Vec::new();
        for command in commands {
            let is_own = match own {
                Some(own) => has(own)(&command),
                None => first.as_ref() == Some(&command),
            };
            if is_own {
                leaving.extend(numbered(vec![command], ids));
                continue;
            }
            let is_free = command.transaction_id() == Some(TransactionId(0));
            let injection = Injection::new(command).by(Arc::clone(by));
            let injection = if is_free { injection.numbered() } else { injection };
            leaving.extend(self.transactions.inject(injection, self.scope(), Instant::now()));
        }
        leaving
    }

    /// Moves what is due towards the socket.
    pub(super) fn release_due(&mut self, direction: Direction, now: Option<Instant>) {
        let over = self.lanes[direction.index()].release(now);
        let why = if now.is_some() { "timeout" } else { "shutdown" };
        for waiting in over {
            self.report_release(direction, &waiting, None, why.into());
        }
    }

    /// Lets go of everything that is held, in both directions.
    pub(super) fn let_all_go(&mut self, why: &'static str) {
        for direction in Direction::BOTH {
            for waiting in self.lanes[direction.index()].let_all_go() {
                self.report_release(direction, &waiting, None, why.into());
            }
        }
    }

    /// Forgets what waits in a lane.
    pub(super) fn abandon(&mut self, direction: Direction, why: &'static str) {
        for waiting in self.lanes[direction.index()].abandon() {
            self.report_release(direction, &waiting, Some(Vec::new()), why.into());
        }
    }

    /// Forgets what waits in a lane though its receiver is there.
    pub(super) fn forget(&mut self, direction: Direction, why: Arc<str>) {
        for waiting in self.lanes[direction.index()].forget() {
            self.report_release(direction, &waiting, Some(Vec::new()), Arc::clone(&why));
        }
    }

    /// Decides how the start of a command leaves whose end does not come: under the id that it has for its receiver.
    pub(super) fn start_of(&mut self, direction: Direction) -> Start {
        let lane = &self.lanes[direction.index()];
        if !self.transactions.is_on() || lane.streamed > 0 {
            return Start::AsItCame;
        }
        let start = &lane.partial;
        let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_whole = line.len() < start.len();
        if direction == Direction::ServerToClient {
            // it may answer an injection: only a whole line tells
            let whole = is_whole.then(|| Command::new(direction, line.trim_ascii_end(), None).ok()).flatten();
            return match whole.map(|command| self.transactions.recipient(&command, self.scope())) {
                None | Some(Recipient::Injector(_)) => Start::Later,
                Some(Recipient::Client) => Start::AsItCame,
                Some(Recipient::ClientAs(id)) => self.renumbered(direction, id),
            };
        }
        let Some(verb) = Verb::of_line(line) else {
            // a verb, or what follows it, may be still to come
            return if start.len() < 4 { Start::Later } else { Start::AsItCame };
        };
        let is_open = !is_whole && line.len() <= 4 + LONGEST_ID && !line.iter().skip(4).any(|byte| *byte == b' ');
        match table::transaction_id_rule(verb, direction) {
            // digits that go on may become another id
            Some(true) if is_open => return Start::Later,
            // the form tells, and that is known by its end
            None if !is_whole => return Start::Later,
            _ => {}
        }
        let id = transaction_id(direction, line.trim_ascii_end(), self.scope());
        match id.and_then(|id| self.transactions.outgoing(id, verb)) {
            Some(number) => self.renumbered(direction, number),
            None => Start::AsItCame,
        }
    }

    fn renumbered(&mut self, direction: Direction, number: u32) -> Start {
        let lane = &mut self.lanes[direction.index()];
        lane.streamed_as = Some(number);
        Start::Renumbered(with_id(&lane.partial, number))
    }

    pub(super) fn report(&mut self, event: Event<'_>) {
        self.reporter.tell(event, SystemTime::now(), self.scope(), &self.engine, &self.connection);
    }

    fn report_release(&mut self, direction: Direction, waiting: &Waiting, sent: Option<Vec<Command>>, by: Arc<str>) {
        self.engine.holds.remove(waiting.number);
        let after = waiting.since.elapsed();
        let sent = sent.or_else(|| waiting.leaves.clone());
        self.report(Event::Released { number: waiting.number, direction, sent, by, after });
    }
}

/// Returns the start of a command, which has an id, under another one.
pub(super) fn with_id(start: &[u8], id: u32) -> Vec<u8> {
    let (verb, rest) = start.split_at(4);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [verb, id.to_string().as_bytes(), &rest[digits..]].concat()
}

/// Gives the commands that carry the client's id the one towards the server.
pub(super) fn numbered(mut commands: Vec<Command>, ids: Option<(u32, u32)>) -> Vec<Command> {
    if let Some((own, number)) = ids {
        for command in &mut commands {
            if command.transaction_id() == Some(TransactionId(own)) {
                renumber(command, number);
            }
        }
    }
    commands
}

fn to_bytes(commands: &[Command], ids: Option<(u32, u32)>) -> Vec<u8> {
    let commands = numbered(commands.to_vec(), ids);
    commands.iter().flat_map(|command| command.as_bytes()).copied().collect()
}

/// How the start of a line leaves that is not whole.
pub(super) enum Start {
    AsItCame,
    /// With another id.
    Renumbered(Vec<u8>),
    /// When more of it has come.
    Later,
}

/// Digits of the highest transaction id.
const LONGEST_ID: usize = 10;
