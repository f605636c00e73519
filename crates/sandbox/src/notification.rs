//! The notification server, and the dispatch server, which is one that sends everybody on.
//!
//! One [`Notification`] is the server's side of one connection. It is told commands and answers them; sockets are
//! elsewhere ([`crate::connection`]). What a command does is one row of [`COMMANDS`] and one function in a module below.

mod groups;
mod lists;
mod login;
mod member;
mod membership;
mod presence;
mod services;
mod sync;

use std::net::SocketAddr;
use std::time::Duration;

use msnp::{Direction, Version, table};
use tokio::time::Instant;

use crate::code::{self, ErrorCode};
use crate::connection::{Session, Turn};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::world::World;
use login::Login;
use member::Member;

/// Which of the two servers a connection reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Dispatch,
    Notification,
}

/// The server's side of one connection.
#[derive(Debug)]
pub(crate) struct Notification {
    role: Role,
    peer: SocketAddr,
    outbox: Outbox,
    login_deadline: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was agreed on, except perhaps the mini-dialect `CVR0`.
    New,
    /// The version is agreed on, the login is under way.
    Greeted { version: Version, login: Login },
    /// Somebody is logged in.
    Member(Member),
}

impl Notification {
    pub(crate) fn new(role: Role, peer: SocketAddr, outbox: Outbox, now: Instant) -> Notification {
        Notification { role, peer, outbox, login_deadline: now + LOGIN_TIMEOUT, state: State::New }
    }

    fn version(&self) -> Option<Version> {
        match &self.state {
            State::New => None,
            State::Greeted { version, .. } => Some(*version),
            State::Member(member) => Some(member.version),
        }
    }

    fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let verb = turn.request.verb;
        let rows = || COMMANDS.iter().filter(|row| row.verb == verb.as_str());
        let version = self.version();
        let fits = |row: &&Row| version.is_none_or(|version| (row.since..=row.until).contains(&version.0));
        match (rows().find(fits).map(|row| row.run), &mut self.state) {
            (Some(Run::Anybody(run)), _) => run(self, turn),
            (Some(Run::Member(run)), State::Member(member)) => run(member, turn),
            (Some(Run::Member(_)), _) => Err(code::NOT_LOGGED_IN),
            (None, _) if rows().next().is_some() => Err(code::NOT_EXPECTED),
            (None, _) if is_documented(verb.as_str()) => Err(code::COMMAND_DISABLED),
            (None, _) => Err(code::SYNTAX_ERROR),
        }
    }
}

impl Session for Notification {
    fn handle(&mut self, turn: &mut Turn<'_>) {
        if let Err(code) = self.run(turn) {
            turn.output.error(code, turn.request.id);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Member(member) => member.deadline(),
            _ => Some(self.login_deadline),
        }
    }

    fn expire(&mut self, now: Instant, output: &mut Output) {
        match &mut self.state {
            State::Member(member) => member.expire(now, output),
            _ => output.close(),
        }
    }

    fn leave(&mut self, world: &mut World) {
        if let State::Member(member) = &self.state {
            world.log_out(&member.email, member.login);
        }
    }
}

/// Whether some client of some version sends `verb`.
fn is_documented(verb: &str) -> bool {
    table::ROWS.iter().any(|row| row.direction == Direction::ClientToServer && row.verb == verb)
}

/// What the server does on one command.
struct Row {
    verb: &'static str,
    since: u8,
    until: u8,
    run: Run,
}

/// Answers a command, or says with which error to answer.
type Handler<Who> = fn(&mut Who, &mut Turn<'_>) -> Result<(), ErrorCode>;

#[derive(Clone, Copy)]
enum Run {
    /// Served from the start.
    Anybody(Handler<Notification>),
    /// Needs a completed login.
    Member(Handler<Member>),
}

const fn anybody(verb: &'static str, since: u8, until: u8, run: Handler<Notification>) -> Row {
    Row { verb, since, until, run: Run::Anybody(run) }
}

const fn member(verb: &'static str, since: u8, until: u8, run: Handler<Member>) -> Row {
    Row { verb, since, until, run: Run::Member(run) }
}

/// Every command that is served, with the versions that have it.
const COMMANDS: &[Row] = &[
    anybody("VER", 2, 15, login::ver),
    anybody("CVR", 2, 15, login::cvr),
    anybody("CVQ", 2, 15, login::cvr),
    anybody("INF", 2, 7, login::inf),
    anybody("USR", 2, 15, login::usr),
    anybody("PNG", 2, 15, services::png),
    anybody("OUT", 2, 15, services::out),
    member("QRY", 6, 15, member::qry),
    member("SYN", 2, 12, sync::syn),
    member("GCF", 11, 12, services::gcf),
    member("GTC", 2, 12, lists::gtc),
    member("BLP", 2, 15, lists::blp),
    member("PRP", 5, 15, lists::prp),
    member("ADD", 2, 9, lists::add),
    member("ADC", 10, 12, lists::adc),
    member("REM", 2, 12, lists::rem),
    member("REA", 2, 9, lists::rea),
    member("SBP", 10, 12, lists::sbp),
    member("ADG", 7, 12, groups::adg),
    member("RMG", 7, 12, groups::rmg),
    member("REG", 7, 12, groups::reg),
    member("ADL", 13, 15, membership::adl),
    member("RML", 13, 15, membership::rml),
    member("FQY", 14, 15, membership::fqy),
    member("CHG", 2, 15, presence::chg),
    member("UUX", 11, 15, presence::uux),
    member("URL", 2, 15, services::url),
    member("XFR", 2, 15, services::xfr),
];

/// The versions served, best first.
pub(crate) const SERVED: [Version; 12] = [
    Version(15),
    Version(12),
    Version(11),
    Version(10),
    Version(9),
    Version(8),
    Version(7),
    Version(6),
    Version(5),
    Version(4),
    Version(3),
    Version(2),
];

/// How long a connection may stay without a login.
pub(crate) const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
