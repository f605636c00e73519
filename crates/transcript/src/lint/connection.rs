//! One connection: runs the checks of every group.

use jiff::Timestamp;
use msnp::flow::Facts;

use super::challenge::Challenges;
use super::cookies::Cookies;
use super::framing::Framing;
use super::keepalive::Keepalive;
use super::login::Login;
use super::report::{Finding, Place, Report};
use super::said::{Said, seconds};
use super::switchboard::Board;
use super::transaction::Transactions;
use super::{length, payload, syntax, version};
use crate::event::{Lack, OpaqueEvent};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) facts: Facts,
    /// When something happened last.
    pub(super) time: Option<Timestamp>,
    /// Whether everything was seen from the start.
    pub(super) is_whole: bool,
    framing: Framing,
    offers: version::Offers,
    transactions: Transactions,
    login: Login,
    challenges: Challenges,
    keepalive: Keepalive,
    board: Board,
}

/// What is left to say when a connection ends.
pub(super) struct End {
    time: Option<Timestamp>,
}

impl End {
    /// Returns the seconds from `before` until the last that was seen.
    pub(super) fn since(&self, before: Option<Timestamp>) -> Option<f64> {
        seconds(before, self.time)
    }
}

impl Connection {
    pub(super) fn opened(facts: Facts, time: Option<Timestamp>) -> Connection {
        Connection {
            facts,
            time,
            is_whole: true,
            framing: Framing::default(),
            offers: version::Offers::default(),
            transactions: Transactions::default(),
            login: Login::default(),
            challenges: Challenges::default(),
            keepalive: Keepalive::default(),
            board: Board::default(),
        }
    }

    /// One whose start was not seen.
    pub(super) fn in_the_middle(time: Option<Timestamp>) -> Connection {
        Connection { is_whole: false, ..Connection::opened(Facts::default(), time) }
    }

    /// Is told that something is missing: what depends on the past can no longer be judged.
    pub(super) fn lose(&mut self) {
        *self = Connection { facts: self.facts.clone(), ..Connection::in_the_middle(self.time) };
    }

    pub(super) fn opaque(&mut self, event: &OpaqueEvent, report: &mut Report<'_>) {
        if self.framing.opaque(event, self.time, report) {
            self.lose();
        }
    }

    /// A peer said something: is it right, given what it has heard?
    pub(super) fn said(&mut self, said: &Said<'_>, cookies: &Cookies, report: &mut Report<'_>) {
        self.framing.said(said, report);
        syntax::check(said, report);
        length::check(said, report);
        payload::check(said, report);
        self.offers.said(said, report);
        self.transactions.said(said, self.is_whole, report);
        self.challenges.said(said, self.is_whole, report);
        self.keepalive.said(said, self.is_whole, report);
        if self.is_whole {
            self.login.said(said, report);
            self.board.said(said, cookies, report);
        }
    }

    /// The other peer heard something. `own` is the transaction id under which the client said it.
    pub(super) fn heard(&mut self, heard: &Said<'_>, own: Option<u32>, place: &Place) {
        self.offers.heard(heard);
        self.transactions.heard(heard, own, place);
        self.challenges.heard(heard, place);
        self.keepalive.heard(heard, place);
        self.login.heard(heard);
        self.board.heard(heard);
    }

    pub(super) fn end(self, lacks: &[Lack], findings: &mut Vec<Finding>) {
        let nowhere = Place::default();
        let mut report = Report::new(&nowhere, lacks, findings);
        let end = End { time: self.time };
        self.transactions.end(&end, &mut report);
        self.challenges.end(&end, &mut report);
        self.keepalive.end(&end, &mut report);
    }
}
