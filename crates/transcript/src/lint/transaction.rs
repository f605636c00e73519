//! Requests and answers: transaction ids.

use std::collections::VecDeque;

use jiff::Timestamp;
use msnp::table::{self, HasTransactionId};
use msnp::{Direction, TransactionId, Verb};

use super::connection::End;
use super::report::{LONGEST_VALUE, Place, Report, shown};
use super::rule::{Needs, Rule, Severity};
use super::said::Said;

pub(super) static MISSING: Rule = Rule {
    id: "transaction/missing",
    severity: Severity::Error,
    summary: "no transaction id where one belongs",
    explanation: "The first argument is a decimal number of at most 32 bits. Without it nobody can pair request and answer.",
    reference: "commands, column TrID",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG x BSY 0",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0",
};

pub(super) static NOT_ECHOED: Rule = Rule {
    id: "transaction/not-echoed",
    severity: Severity::Error,
    summary: "an answer to a transaction id that was not asked",
    explanation: "The server echoes the id of the request. Clients drop an answer with another one, and wait on.",
    reference: "framing 2, what to track (ESC PUR M11)",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 11 BSY 0",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0",
};

pub(super) static OTHER_VERB: Rule = Rule {
    id: "transaction/other-verb",
    severity: Severity::Error,
    summary: "an answer of a kind that the request does not have",
    explanation: "A request is answered by its own verb or by an error. Exceptions: USR by XFR, CHG by ILN too, ANS by IRO too, MSG \
                  by ACK or NAK, SYN by the lists.",
    reference: "session flow 2 and 4; commands",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY 0\nS: REM 10 FL bob@example.com",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0",
};

pub(super) static UNANSWERED: Rule = Rule {
    id: "transaction/unanswered",
    severity: Severity::Warning,
    summary: "a request that was never answered",
    explanation: "Reported when the connection ends, if a later request was answered or ten seconds have passed. Not reported for \
                  what is never answered when all goes well: MSG of type U and N, UUM, SDG, PAG, PGD, VAS.",
    reference: "framing 2, what to track",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY\nC: CHG 11 BSY 0\nS: CHG 11 BSY 0",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0",
};

pub(super) static DUPLICATE: Rule = Rule {
    id: "transaction/duplicate",
    severity: Severity::Error,
    summary: "a transaction id that is still in use",
    explanation: "A request with the same id has had no answer yet: neither side can tell the answers apart.",
    reference: "framing 2, what to track",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY 0\nC: BLP 10 AL\nS: CHG 10 BSY 0",
    right: "# MSNP12\nC: CHG 10 BSY 0\nC: BLP 11 AL\nS: CHG 10 BSY 0\nS: BLP 11 AL",
};

pub(super) static BACKWARDS: Rule = Rule {
    id: "transaction/backwards",
    severity: Severity::Warning,
    summary: "a transaction id that does not increase",
    explanation: "Clients count upwards, from any number. Servers that compare ids with the last one refuse it.",
    reference: "framing 2, what to track",
    needs: Needs::Commands,
    wrong: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0\nC: CHG 9 NLN 0\nS: CHG 9 NLN 0",
    right: "# MSNP12\nC: CHG 10 BSY 0\nS: CHG 10 BSY 0\nC: CHG 11 NLN 0\nS: CHG 11 NLN 0",
};

/// The requests of a connection.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    requests: VecDeque<Request>,
    /// Whether requests were forgotten.
    has_forgotten: bool,
    last: Option<u32>,
}

#[derive(Debug)]
struct Request {
    /// As the server heard it.
    id: u32,
    /// As the client said it.
    own: Option<u32>,
    verb: Verb,
    place: Place,
    time: Option<Timestamp>,
    is_answered: bool,
    needs_answer: bool,
}

impl Transactions {
    pub(super) fn said(&mut self, said: &Said<'_>, is_whole: bool, report: &mut Report<'_>) {
        if !said.has_id() && !said.command.verb().is_error() {
            return self.settle(said);
        }
        let Some(id) = said.argument(0).and_then(TransactionId::from_token) else {
            let found = said
                .argument(0)
                .map_or_else(|| "nothing".into(), |found| format!("\"{}\"", shown(found, LONGEST_VALUE)));
            report.add(&MISSING, format!("{found} stands where the transaction id belongs"));
            return;
        };
        match said.command.direction() {
            Direction::ClientToServer => self.asked(id.0, report),
            Direction::ServerToClient => self.answered(id.0, said, is_whole, report),
        }
    }

    /// Some forms of BLP, GTC and PRP have an id: one that answers an open request of the verb is it.
    fn settle(&mut self, said: &Said<'_>) {
        let Some(id) = said.argument(0).and_then(TransactionId::from_token) else { return };
        let verb = said.command.verb();
        let asked = |request: &&mut Request| request.id == id.0 && request.verb == verb && request.is_open();
        if let (false, Some(request)) = (said.is_from_client(), self.requests.iter_mut().find(asked)) {
            request.is_answered = true;
        }
    }

    fn asked(&mut self, id: u32, report: &mut Report<'_>) {
        let open = self.requests.iter().find(|request| request.own == Some(id) && request.is_open());
        if let Some(request) = open {
            report.add(&DUPLICATE, format!("{} with id {id} has had no answer yet", request.verb));
        } else if let Some(last) = self.last.filter(|last| id <= *last) {
            report.add(&BACKWARDS, format!("{id} follows {last}"));
        }
        self.last = Some(id);
    }

    fn answered(&mut self, id: u32, said: &Said<'_>, is_whole: bool, report: &mut Report<'_>) {
        let verb = said.command.verb();
        // of two with one id, the one that it can answer
        let fits = |request: &Request| request.id == id && request.is_open() && answers(request.verb, verb);
        let index = self.requests.iter().position(fits);
        let index = index.or_else(|| self.requests.iter().rposition(|request| request.id == id));
        let Some(request) = index.and_then(|index| self.requests.get_mut(index)) else {
            let is_unasked = id == 0 && (verb.is_error() || may_be_unasked(verb));
            if is_whole && !self.has_forgotten && !is_unasked {
                report.add(&NOT_ECHOED, format!("the client sent nothing with id {id}"));
            }
            return;
        };
        request.is_answered = true;
        if !answers(request.verb, verb) {
            report.add(&OTHER_VERB, format!("{verb} answers a {}", request.verb));
        }
    }

    pub(super) fn heard(&mut self, heard: &Said<'_>, own: Option<u32>, place: &Place) {
        if !heard.is_from_client() || !table_or_unknown(heard) {
            return;
        }
        let Some(id) = heard.argument(0).and_then(TransactionId::from_token) else { return };
        if self.requests.len() >= MOST_REQUESTS {
            self.has_forgotten = true;
            self.requests.pop_front();
        }
        self.requests.push_back(Request {
            id: id.0,
            own,
            verb: heard.command.verb(),
            place: place.clone(),
            time: heard.time,
            is_answered: false,
            needs_answer: needs_answer(heard),
        });
    }

    pub(super) fn end(self, end: &End, report: &mut Report<'_>) {
        let last_answered = self.requests.iter().rposition(|request| request.is_answered);
        for (index, request) in self.requests.into_iter().enumerate() {
            let is_overtaken = last_answered.is_some_and(|last| last > index);
            let waited = end.since(request.time);
            if request.is_open() && (is_overtaken || waited.is_some_and(|seconds| seconds >= PATIENCE)) {
                let waited = match waited {
                    Some(seconds) if seconds >= PATIENCE => format!(" in {seconds:.0} s"),
                    _ => ", though a later request was".into(),
                };
                report.add_at(&UNANSWERED, request.place, format!("{} was not answered{waited}", request.verb));
            }
        }
    }
}

impl Request {
    fn is_open(&self) -> bool {
        self.needs_answer && !self.is_answered
    }
}

/// Unknown verbs of clients start with an id too, as far as anybody knows.
fn table_or_unknown(heard: &Said<'_>) -> bool {
    heard.has_id() || !table::is_known(heard.command.verb())
}

fn may_be_unasked(verb: Verb) -> bool {
    table::rows(verb, Direction::ServerToClient).any(|row| row.transaction_id == HasTransactionId::ZeroOrId)
}

fn needs_answer(heard: &Said<'_>) -> bool {
    match heard.verb() {
        b"MSG" => matches!(heard.argument(1), Some(b"A" | b"D")),
        b"UUM" | b"SDG" | b"PAG" | b"PGD" | b"VAS" | b"LKP" | b"GSB" | b"OUT" => false,
        _ => heard.has_id(),
    }
}

/// Whether a command of this verb can answer that request.
fn answers(request: Verb, answer: Verb) -> bool {
    if answer.is_error() || answer == request || !table::is_known(answer) || !table::is_known(request) {
        return true;
    }
    match (request.as_bytes(), answer.as_bytes()) {
        (b"USR", b"XFR") | (b"ANS", b"IRO") | (b"MSG", b"ACK" | b"NAK") | (b"CVQ", b"CVR") => true,
        (b"SYN", b"GTC" | b"BLP" | b"PRP" | b"LSG" | b"LST" | b"BPR") => true,
        // presence of whoever becomes visible by it
        (b"CHG" | b"ADD" | b"ADC" | b"ADL" | b"SYN" | b"BLP" | b"REA", b"ILN" | b"NLN") => true,
        // only known by name
        (b"GSB" | b"LKP" | b"VAS", _) => true,
        _ => false,
    }
}

/// No more requests of a connection are remembered than these.
const MOST_REQUESTS: usize = 512;
/// Seconds after which a request counts as never answered.
const PATIENCE: f64 = 10.0;
