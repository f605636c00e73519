//! Who owns which transaction id of a connection.
//!
//! Until something is injected the client's ids are the server's, and all that is kept is the latest. From the first
//! injection on the two number differently: an injected command takes the next id towards the server, and the client's
//! later ones are shifted. A reply is looked up by its id: it goes to the client under the client's own id, or to whoever
//! injected the command.
//!
//! Towards the server ids only ever go up, so that none is used twice, whatever the client does: starts anywhere, leaves
//! gaps, counts beyond 2^32 - 1, starts over, or uses one id for everything. Id 0 is the mark of what a server sends
//! unasked and is never translated. Dropped commands keep theirs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use msnp::argument::Scope;
use msnp::command::transaction_id;
use msnp::table::{HasTransactionId, ROWS, Slot};
use msnp::{Command, Direction, TransactionId, Verb};

use crate::injection::{Answer, Done, Injection, Numbering};
use grammar::{Grammar, Step};

mod grammar;
mod model;
#[cfg(test)]
mod tests;

pub use model::check_any_interleaving;

/// The transaction ids of one connection.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// The client's latest id.
    client: u32,
    /// The latest id towards the server, once something was injected.
    server: u32,
    /// Something was injected.
    is_on: bool,
    /// An injection took an id, so that the client's are others than the server's.
    is_shifted: bool,
    runs: VecDeque<Run>,
    /// Since when, and how many of the runs are younger.
    young: Option<(Instant, usize)>,
    /// Commands of unknown verbs, whose replies may carry an id.
    unknown: VecDeque<(Verb, u32)>,
    pending: Vec<Pending>,
    next_ticket: u64,
    /// Pings of the client that were not answered yet.
    pings: u32,
    /// Injected pings that were not answered in time.
    late_pongs: u32,
}

/// Consecutive ids towards the server.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    count: u32,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    /// The client, for which the first of them is this one.
    Client(u32),
    /// The injection of this ticket.
    Injection(u64),
}

/// An injected command that waits for its answer.
#[derive(Debug)]
struct Pending {
    ticket: u64,
    injection: Injection,
    grammar: Grammar,
    /// When it is over if nothing more comes.
    deadline: Instant,
}

/// To whom a command of the server goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Recipient {
    /// To the client, as it came.
    Client,
    /// To the client, under this id of its own.
    ClientAs(u32),
    /// To whoever injected the command that it answers; this is who.
    Injector(Option<std::sync::Arc<str>>),
}

impl Recipient {
    /// The answer to this id goes to whoever used it.
    fn of(id: u32, owner: Option<Owner>) -> Recipient {
        match owner {
            Some(Owner::Client(own)) if own != id => Recipient::ClientAs(own),
            Some(Owner::Injection(_)) => Recipient::Injector(None),
            _ => Recipient::Client,
        }
    }
}

impl Transactions {
    /// Notes the id of a command of the client that is forwarded untouched.
    pub(crate) fn note(&mut self, id: TransactionId) {
        self.client = id.0;
    }

    /// Counts a ping of the client.
    pub(crate) fn note_ping(&mut self) {
        self.pings = self.pings.saturating_add(1);
    }

    /// A ping of the client was answered, as far as that can be told.
    pub(crate) fn note_pong(&mut self) {
        self.pings = self.pings.saturating_sub(1);
    }

    /// Whether anything was injected, so that every command has to be looked at.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes the id of a command of the client and returns the one that it gets towards the server, if that is another.
    pub(crate) fn outgoing(&mut self, id: TransactionId, verb: Verb) -> Option<u32> {
        let TransactionId(id) = id;
        if !self.is_on {
            self.client = id;
        }
        if !self.is_on || id == 0 {
            return None;
        }
        let step = match distance(self.client, id) {
            0 => 1,
            step if step > HALF => 1,
            step => step,
        };
        // what the client leaves out belongs to nobody, or to an injector who chose it
        let is_next = distance(self.client, id) == 1;
        self.client = id;
        self.server = if self.is_shifted { ahead(self.server, step) } else { id };
        let server = self.server;
        match self.runs.back_mut() {
            Some(run) if is_next && matches!(run.owner, Owner::Client(_)) && run.count < HALF => {
                run.count += 1;
            }
            _ => self.push(Run { first: server, count: 1, owner: Owner::Client(id) }),
        }
        self.note_unknown(verb, server);
        (server != id).then_some(server)
    }

    /// Registers an injection that leaves now and gives it its id. `None`: too many wait for answers already.
    pub(crate) fn inject(&mut self, mut injection: Injection, scope: Scope, now: Instant) -> Option<Command> {
        if injection.direction() == Direction::ServerToClient {
            if injection.numbering == Numbering::Fresh {
                let id = if may_be_unasked(injection.command.verb()) { 0 } else { self.client };
                renumber(&mut injection.command, id);
            }
            injection.tell(Answer::Sent(injection.command.clone()));
            injection.tell(Answer::Done(Done::Complete));
            return Some(injection.command);
        }
        if self.pending.len() >= MOST_PENDING {
            injection.tell(Answer::Done(Done::Busy));
            return None;
        }
        self.is_on = true;
        self.forget(now);
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        if injection.numbering == Numbering::Fresh {
            if !std::mem::replace(&mut self.is_shifted, true) {
                self.server = self.client;
            }
            self.server = ahead(self.server, 1);
            renumber(&mut injection.command, self.server);
            self.push(Run { first: self.server, count: 1, owner: Owner::Injection(ticket) });
            self.note_unknown(injection.command.verb(), self.server);
        } else if let Some(TransactionId(id)) = transaction_id(injection.direction(), injection.command.line(), scope)
            && id != 0
        {
            // sent under an id that somebody chose: whoever used it last gets its answer
            self.push(Run { first: id, count: 1, owner: Owner::Injection(ticket) });
        }
        let command = injection.command.clone();
        injection.tell(Answer::Sent(command.clone()));
        let grammar = Grammar::of(&command);
        let deadline = now + grammar.quiet_before().unwrap_or(injection.patience);
        self.pending.push(Pending { ticket, injection, grammar, deadline });
        Some(command)
    }

    /// Decides to whom a command of the server goes, and hands it over if that is not the client.
    pub(crate) fn incoming(&mut self, command: &Command, scope: Scope, now: Instant) -> Recipient {
        if !self.is_on {
            return Recipient::Client;
        }
        if command.verb().as_bytes() == b"QNG" {
            // what the client waits for comes first
            if self.pings > 0 {
                self.pings -= 1;
                return Recipient::Client;
            }
            return match self.pending.iter().position(|pending| pending.grammar == Grammar::Pong) {
                Some(index) => self.answer(index, command, now),
                None if self.late_pongs > 0 => {
                    self.late_pongs -= 1;
                    Recipient::Injector(None)
                }
                None => Recipient::Client,
            };
        }
        match self.id_of_reply(command, scope) {
            Some(id) if id != 0 => {
                self.end_of_lists(command);
                match self.owner(id) {
                    Some(Owner::Injection(ticket)) => match self.pending.iter().position(|one| one.ticket == ticket) {
                        Some(index) => self.answer(index, command, now),
                        // late: its injector has gone
                        None => Recipient::Injector(None),
                    },
                    owner => Recipient::of(id, owner),
                }
            }
            // an error that names no id is about a ping, if the client has none under way
            _ if command.verb().is_error() && self.pings == 0 => {
                match self.pending.iter().position(|pending| pending.grammar == Grammar::Pong) {
                    Some(index) => self.answer(index, command, now),
                    None => Recipient::Client,
                }
            }
            _ => match self.pending.iter().position(|pending| pending.grammar.takes_unnumbered(command)) {
                Some(index) => self.answer(index, command, now),
                None => Recipient::Client,
            },
        }
    }

    /// Returns to whom a command of the server goes by its id, without handing it over.
    pub(crate) fn recipient(&self, command: &Command, scope: Scope) -> Recipient {
        let id = self.id_of_reply(command, scope).filter(|id| *id != 0);
        id.map_or(Recipient::Client, |id| Recipient::of(id, self.owner(id)))
    }

    /// Ends what nothing more came for.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.pending.retain(|pending| {
            let is_over = pending.deadline <= now;
            if is_over {
                let done = if pending.grammar.is_complete() { Done::Complete } else { Done::Quiet };
                pending.injection.tell(Answer::Done(done));
                self.late_pongs = self.late_pongs.saturating_add(u32::from(pending.grammar == Grammar::Pong));
            }
            !is_over
        });
    }

    /// Tells all injectors that the connection has ended.
    pub(crate) fn close(&mut self) {
        for pending in self.pending.drain(..) {
            let done = if pending.grammar == Grammar::Close { Done::Complete } else { Done::Closed };
            pending.injection.tell(Answer::Done(done));
        }
    }

    /// Returns when the next injection is over if nothing comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    fn answer(&mut self, index: usize, command: &Command, now: Instant) -> Recipient {
        let pending = &mut self.pending[index];
        pending.injection.tell(Answer::Reply(command.clone()));
        let by = pending.injection.by.clone();
        match pending.grammar.step(command) {
            Step::Done => {
                pending.injection.tell(Answer::Done(Done::Complete));
                self.pending.remove(index);
            }
            Step::More => pending.deadline = now + pending.injection.patience,
            Step::Perhaps => pending.deadline = now + grammar::QUIET,
        }
        Recipient::Injector(by)
    }

    /// The lists that follow an answered `SYN` are of whoever sent that, and of nobody before.
    fn end_of_lists(&mut self, command: &Command) {
        if command.verb().as_bytes() == b"SYN" {
            self.pending.retain(|pending| {
                let is_over = pending.grammar.takes_lists();
                if is_over {
                    pending.injection.tell(Answer::Done(Done::Quiet));
                }
                !is_over
            });
        }
    }

    fn id_of_reply(&self, command: &Command, scope: Scope) -> Option<u32> {
        if command.slot() == Slot::UNKNOWN {
            let TransactionId(id) = TransactionId::from_token(command.argument(0)?)?;
            let is_asked = |pending: &Pending| pending.injection.command.verb() == command.verb();
            let is_reply = self.unknown.contains(&(command.verb(), id))
                || matches!(self.owner(id), Some(Owner::Injection(ticket))
                    if self.pending.iter().any(|one| one.ticket == ticket && is_asked(one)));
            return is_reply.then_some(id);
        }
        transaction_id(command.direction(), command.line(), scope).map(|id| id.0)
    }

    fn note_unknown(&mut self, verb: Verb, id: u32) {
        if Slot::of(verb) != Slot::UNKNOWN {
            return;
        }
        if self.unknown.len() == MOST_UNKNOWN {
            self.unknown.pop_front();
        }
        self.unknown.push_back((verb, id));
    }

    /// Returns who used an id last.
    fn owner(&self, id: u32) -> Option<Owner> {
        self.runs.iter().rev().find_map(|run| {
            let offset = distance(run.first, id);
            (offset < run.count).then_some(match run.owner {
                Owner::Client(first) => Owner::Client(ahead(first, offset)),
                owner => owner,
            })
        })
    }

    fn push(&mut self, run: Run) {
        if self.runs.len() == MOST_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(run);
        if let Some((_, young)) = &mut self.young {
            *young += 1;
        }
    }

    /// Forgets runs that began long ago, but for the latest of them, which may have gone on since, and for injections that
    /// still wait.
    fn forget(&mut self, now: Instant) {
        let (since, young) = *self.young.get_or_insert((now, 0));
        if now.saturating_duration_since(since) < REMEMBERED {
            return;
        }
        let first_pending = self.pending.first().map_or(u64::MAX, |pending| pending.ticket);
        let old = self.runs.len().saturating_sub(young + 1);
        let is_over = |run: &Run| !matches!(run.owner, Owner::Injection(ticket) if ticket >= first_pending);
        let over = self.runs.iter().take(old).take_while(|run| is_over(run)).count();
        self.runs.drain(..over);
        self.young = Some((now, 0));
    }
}

/// Puts an id into the first argument of a command.
pub(crate) fn renumber(command: &mut Command, id: u32) {
    // digits never break a line, and the first argument can always be set
    let _ = command.set_argument(0, id.to_string().as_bytes());
}

/// Whether a server may send this verb unasked, with id 0.
fn may_be_unasked(verb: Verb) -> bool {
    ROWS.iter().any(|row| {
        row.verb.as_bytes() == verb.as_bytes()
            && row.direction == Direction::ServerToClient
            && row.transaction_id == HasTransactionId::ZeroOrId
    })
}

/// Returns the id that comes `step` after `id`: 1 follows 2^32 - 1.
fn ahead(id: u32, step: u32) -> u32 {
    let sum = (u64::from(id) + u64::from(step)) % IDS;
    // 0 is no id
    if sum == 0 { u32::MAX } else { sum as u32 }
}

/// Returns how many steps it takes from one id to another.
fn distance(from: u32, to: u32) -> u32 {
    ((u64::from(to) + IDS - u64::from(from) % IDS) % IDS) as u32
}

/// How many ids there are: all of 32 bits but 0.
const IDS: u64 = u32::MAX as u64;
/// A step that is longer leads backwards.
const HALF: u32 = 1 << 31;
/// Runs that are remembered; each injection begins one.
const MOST_RUNS: usize = 4096;
/// How long a run is remembered at least. What is older, and was followed by others, has been answered long ago.
const REMEMBERED: Duration = Duration::from_secs(120);
const MOST_UNKNOWN: usize = 64;
/// Injections that may wait for answers on one connection.
pub(crate) const MOST_PENDING: usize = 1024;
