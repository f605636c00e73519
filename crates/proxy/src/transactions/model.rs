//! A client, a server and injectors that talk in any order, to check the translation against.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use msnp::argument::Scope;
use msnp::{Command, Direction, TransactionId};

use super::{MOST_PENDING, MOST_UNKNOWN, REMEMBERED, Recipient, Transactions};
use crate::injection::Injection;

/// Plays any interleaving of commands of a client, injections, dropped commands, answers and pushes, and checks what must
/// hold: the client gets every answer to its own commands under its own id and nothing else, every injector gets its own,
/// and the server sees no id twice unless somebody chose it. The body of a fuzz target.
///
/// The first four bytes are the client's id before the first command, then two bytes are one step.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_interleaving(input: &[u8]) {
    let Some((&start, steps)) = input.split_first_chunk::<4>() else { return };
    let mut model = Model::at(u32::from_le_bytes(start));
    for step in steps.chunks_exact(2).take(MOST_STEPS) {
        model.step(step[0], step[1]);
    }
}

struct Model {
    ids: Transactions,
    now: Instant,
    /// The client's latest id.
    client: u32,
    /// What the server has not answered yet.
    asked: Vec<Asked>,
    /// Who waits for a pong.
    pings: VecDeque<Who>,
    /// The lists that the server is telling, and how many contacts are left.
    lists: Option<(Who, u8)>,
    /// Ids that an injector chose: the only ones that may come twice.
    chosen: BTreeSet<u32>,
    injections: u32,
    unknown: usize,
}

/// Who said something to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Who {
    /// The client, under this id of its own.
    Client(u32),
    /// The injector of this name.
    Injector(String),
    /// An injector that has stopped waiting.
    Gone,
}

/// A command that the server may answer.
#[derive(Debug)]
struct Asked {
    verb: &'static str,
    /// Its id towards the server.
    number: u32,
    who: Who,
    /// How many commands that nobody knows had been sent until then.
    unknown: usize,
    since: Instant,
}

impl Model {
    fn at(client: u32) -> Model {
        let mut ids = Transactions::default();
        ids.note(TransactionId(client));
        let (asked, pings, lists, chosen) = Default::default();
        Model { ids, now: Instant::now(), client, asked, pings, lists, chosen, injections: 0, unknown: 0 }
    }

    fn step(&mut self, what: u8, how: u8) {
        match what % 16 {
            0..=2 => self.client_says("URL", how, true),
            3 => self.client_says("URL", how, false),
            4 => self.client_says("ABC", how, true),
            5 => self.client_says("SYN", how, true),
            6 => self.inject("URL", None),
            7 => self.inject(if how & 1 == 0 { "ABC" } else { "XYZ" }, None),
            8 => self.inject("SYN", None),
            9 => self.inject("URL", Some(self.client.wrapping_add(u32::from(how)).wrapping_sub(64))),
            10 | 11 => self.answer(how),
            12 => self.push(how),
            13 => self.ping(how),
            14 => self.pong(),
            _ => match how % 4 {
                0 => self.wait(),
                1 => self.inject_to_client(),
                _ => self.list(),
            },
        }
    }

    fn client_says(&mut self, verb: &'static str, how: u8, arrives: bool) {
        self.client = next(self.client, how, self.ids.is_shifted);
        let own = self.client;
        let command = command(Direction::ClientToServer, &format!("{verb} {own} 0"));
        let number = self.ids.outgoing(TransactionId(own), command.verb()).unwrap_or(own);
        if own == 0 {
            assert_eq!(number, 0, "id 0 is none");
            return;
        }
        assert!(self.ids.is_shifted || number == own, "{own} became {number} though nothing took an id");
        self.unknown += usize::from(verb == "ABC" && self.ids.is_on());
        self.uses(number, !self.ids.is_shifted);
        // what is dropped is never answered, and its id never used again
        if arrives {
            self.asks(verb, number, Who::Client(own));
        }
    }

    fn inject(&mut self, verb: &'static str, id: Option<u32>) {
        let line = format!("{verb} {} 0", id.unwrap_or(0));
        let who = self.injector();
        let injection = Injection::new(command(Direction::ClientToServer, &line)).by(who.as_str());
        let injection = if id.is_none() { injection.numbered() } else { injection };
        let is_full = self.ids.pending.len() >= MOST_PENDING;
        let Some(sent) = self.ids.inject(injection, Scope::default(), self.now) else {
            assert!(is_full, "refused for no reason");
            return;
        };
        let number = sent.transaction_id().map_or(0, |id| id.0);
        match id {
            Some(id) => {
                assert_eq!(number, id);
                self.chosen.insert(id);
            }
            None => assert_ne!(number, 0),
        }
        self.unknown += usize::from(matches!(verb, "ABC" | "XYZ"));
        self.uses(number, false);
        if number != 0 {
            self.asks(verb, number, Who::Injector(who));
        }
    }

    /// The server answers one of the commands it knows, with an error or without.
    fn answer(&mut self, how: u8) {
        if self.asked.is_empty() {
            return;
        }
        let index = usize::from(how >> 2) % self.asked.len();
        let has_more = how & 3 == 3 && self.asked[index].verb == "URL";
        let Asked { verb, number, ref who, unknown, since } = self.asked[index];
        let mut who = who.clone();
        let is_error = how & 3 == 2;
        let line = match (verb, is_error) {
            (_, true) => format!("500 {number}"),
            ("SYN", _) => format!("SYN {number} 1 1 {} 1", how >> 4),
            _ => format!("{verb} {number} /x https://h"),
        };
        let recipient = self.hear(&line);
        // only the latest commands of verbs that nobody knows are kept
        let is_unknown = matches!(verb, "ABC" | "XYZ") && !is_error && self.unknown - unknown >= MOST_UNKNOWN;
        // and what nobody waits for is forgotten some time after
        let is_lost = is_unknown || self.now - since >= REMEMBERED;
        let is_waited_for = matches!(who, Who::Injector(_));
        if is_waited_for || !is_lost {
            check(&line, &who, number, &recipient);
        }
        if verb == "SYN" && !is_error {
            // lists that come when nobody waits for them any more are the client's: nothing on them says otherwise
            self.lists = (who != Who::Gone).then(|| (who.clone(), how >> 4));
        }
        match has_more {
            true => {
                if matches!(who, Who::Injector(_)) {
                    // its grammar says that one answer is all
                    who = Who::Gone;
                }
                self.asked[index].who = who;
            }
            false => drop(self.asked.swap_remove(index)),
        }
    }

    /// The server tells one more contact of a list that it has begun.
    fn list(&mut self) {
        let Some((who, left)) = self.lists.take() else { return };
        for line in ["BLP AL", "LST bob@example.com Bob 11"] {
            let recipient = self.hear(line);
            match &who {
                Who::Client(_) => assert_eq!(recipient, Recipient::Client, "{line}"),
                who => check(line, who, 0, &recipient),
            }
        }
        self.lists = left.checked_sub(1).filter(|left| *left > 0).map(|left| (who, left));
    }

    fn push(&mut self, how: u8) {
        let unasked = ["ADC 0 RL N=bob@example.com F=Bob", "NLN NLN bob@example.com Bob 0", "CHL 0 155", "DEF 7 8"];
        let line = unasked[usize::from(how) % unasked.len()];
        assert_eq!(self.hear(line), Recipient::Client, "{line}");
    }

    fn ping(&mut self, how: u8) {
        if how & 1 == 0 {
            self.ids.note_ping();
            self.pings.push_back(Who::Client(0));
            return;
        }
        let who = self.injector();
        let ping = Injection::new(command(Direction::ClientToServer, "PNG")).by(who.as_str());
        if self.ids.inject(ping, Scope::default(), self.now).is_some() {
            self.pings.push_back(Who::Injector(who));
        }
    }

    /// The server answers a ping. A pong says not which: the client's come first, then those that are waited for.
    fn pong(&mut self) {
        let rank = |who: &Who| match who {
            Who::Client(_) => 0,
            Who::Injector(_) => 1,
            Who::Gone => 2,
        };
        let Some(index) = (0..self.pings.len()).min_by_key(|index| rank(&self.pings[*index])) else { return };
        let who = self.pings.remove(index).expect("it is one of them");
        if !self.ids.is_on() {
            self.ids.note_pong();
            return;
        }
        let recipient = self.hear("QNG 50");
        match who {
            Who::Client(_) => assert_eq!(recipient, Recipient::Client),
            who => check("QNG 50", &who, 0, &recipient),
        }
    }

    /// Nothing comes for so long that no injector waits any more.
    fn wait(&mut self) {
        self.now += Duration::from_secs(10);
        self.ids.expire(self.now);
        assert!(self.ids.pending.is_empty() && self.ids.deadline().is_none());
        let waiting = self.asked.iter_mut().map(|asked| &mut asked.who).chain(&mut self.pings);
        for who in waiting.filter(|who| matches!(who, Who::Injector(_))) {
            *who = Who::Gone;
        }
        // lists that stopped for so long are not told any more
        self.lists.take_if(|(who, _)| matches!(who, Who::Injector(_) | Who::Gone));
    }

    fn inject_to_client(&mut self) {
        let was_on = self.ids.is_on();
        for (line, is_unasked) in [("ADC 5 RL N=bob@example.com F=Bob", true), ("CHG 5 AWY", false)] {
            let injection = Injection::new(command(Direction::ServerToClient, line)).numbered();
            let sent = self.ids.inject(injection, Scope::default(), self.now).expect("the client takes any number");
            let id = sent.transaction_id().map_or(0, |id| id.0);
            assert_eq!(id, if is_unasked || self.ids.client == 0 { 0 } else { self.client_latest() }, "{line}");
        }
        assert_eq!(self.ids.is_on(), was_on, "nothing took an id");
    }

    /// The latest id of the client that is one.
    fn client_latest(&self) -> u32 {
        if self.client == 0 { self.ids.client } else { self.client }
    }

    fn hear(&mut self, line: &str) -> Recipient {
        self.ids.incoming(&command(Direction::ServerToClient, line), Scope::default(), self.now)
    }

    /// The server sees an id: a new one, unless somebody chose it.
    fn uses(&mut self, number: u32, may_repeat: bool) {
        let is_new = self.asked.iter().all(|asked| asked.number != number);
        assert!(is_new || may_repeat || self.chosen.contains(&number), "id {number} is used twice");
        // whoever used it last gets what comes
        self.asked.retain(|asked| asked.number != number);
    }

    fn asks(&mut self, verb: &'static str, number: u32, who: Who) {
        self.asked.push(Asked { verb, number, who, unknown: self.unknown, since: self.now });
    }

    fn injector(&mut self) -> String {
        self.injections += 1;
        format!("injector {}", self.injections)
    }
}

/// Checks that an answer went to who asked.
fn check(line: &str, who: &Who, number: u32, recipient: &Recipient) {
    let is_right = match (who, recipient) {
        (Who::Client(own), Recipient::Client) => *own == number,
        (Who::Client(own), Recipient::ClientAs(id)) => own == id,
        (Who::Injector(name), Recipient::Injector(Some(by))) => **by == **name,
        (Who::Gone, Recipient::Injector(None)) => true,
        _ => false,
    };
    assert!(is_right, "{line}, the answer to {who:?}, went to {recipient:?}");
}

/// Returns the client's next id: one more, a gap, the same again, or from anywhere. Before an injection took an id the
/// proxy keeps no more than the latest, so that there it only counts up.
fn next(id: u32, how: u8, is_shifted: bool) -> u32 {
    match how {
        0..=199 => id.wrapping_add(1),
        200..=229 => id.wrapping_add(u32::from(how)),
        230..=239 if is_shifted => id,
        240..=249 if is_shifted => u32::from(how - 240),
        250..=255 if is_shifted => u32::MAX - u32::from(how - 250),
        _ => id.wrapping_add(2),
    }
}

fn command(direction: Direction, line: &str) -> Command {
    Command::new(direction, line.as_bytes(), None).expect("the model speaks in lines")
}

/// Enough for more injections than may wait.
const MOST_STEPS: usize = 2000;
