//! [`News`]: what was seen of a session and is not taken apart yet.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use mitmsn_proxy::observer::Changed;
use mitmsn_proxy::observers::convert::Place;
use msnp::codec::CommandSpan;
use msnp::{Command, Direction};
use msnp_transcript::state::{Seen, SessionState};

/// What was seen and is taken apart only when somebody asks, or when it gets too much.
#[derive(Default)]
pub(super) struct News {
    /// The latest presence of each contact: a later one replaces it.
    latest: HashMap<(u64, u64), Latest>,
    /// Everything else, in order.
    rest: Vec<(u64, SystemTime, Place, Seldom)>,
    /// The bytes of commands in `rest` that were forwarded as they came.
    bytes: Vec<u8>,
    /// How many bytes the other commands in `rest` have.
    others: usize,
    counter: u64,
}

pub(super) enum Seldom {
    /// A command that was forwarded as it came, and where its bytes start.
    Command(Direction, CommandSpan, usize),
    Changed(Box<Changed>),
    Injected(Command),
    Released(u64, Option<Vec<Command>>),
    Closed(u64),
}

impl Seldom {
    /// Returns how many bytes the commands have that it holds.
    fn size(&self) -> usize {
        let sum = |commands: &[Command]| commands.iter().map(|command| command.as_bytes().len()).sum();
        match self {
            Seldom::Changed(changed) => changed.received.as_bytes().len() + changed.sent.as_deref().map_or(0, sum),
            Seldom::Injected(command) => command.as_bytes().len(),
            Seldom::Released(_, sent) => sent.as_deref().map_or(0, sum),
            Seldom::Command(..) | Seldom::Closed(_) => 0,
        }
    }
}

struct Latest {
    number: u64,
    time: SystemTime,
    place: Place,
    span: CommandSpan,
    bytes: Vec<u8>,
}

impl News {
    /// Keeps a command, in the memory of the one that it replaces. Whether there was room.
    pub(super) fn keep(&mut self, bytes: &[u8], span: CommandSpan, time: SystemTime, place: Place) -> bool {
        if self.latest.len() >= MOST_NEWS {
            return false;
        }
        self.counter += 1;
        let number = self.counter;
        let latest = self.latest.entry((place.connection, subject(bytes))).or_insert_with(|| Latest {
            number,
            time,
            place,
            span,
            bytes: Vec::new(),
        });
        (latest.number, latest.time, latest.place, latest.span) = (number, time, place, span);
        latest.bytes.clear();
        latest.bytes.extend_from_slice(bytes);
        true
    }

    /// Keeps what no other replaces.
    pub(super) fn add(&mut self, time: SystemTime, place: Place, what: Seldom) {
        self.counter += 1;
        self.others += what.size();
        self.rest.push((self.counter, time, place, what));
    }

    /// Keeps a command that no other replaces.
    pub(super) fn add_command(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        span: CommandSpan,
        time: SystemTime,
        place: Place,
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.add(time, place, Seldom::Command(direction, span, start));
    }

    /// Whether so much waits that it is to be told now.
    pub(super) fn is_much(&self) -> bool {
        self.rest.len() >= MOST_NEWS || self.bytes.len() + self.others >= MOST_NEWS_BYTES
    }

    /// Tells the state of everything, in order.
    pub(super) fn tell(&mut self, state: &mut SessionState) {
        let bytes = std::mem::take(&mut self.bytes);
        self.others = 0;
        let mut latest: Vec<Latest> = std::mem::take(&mut self.latest).into_values().collect();
        latest.sort_unstable_by_key(|latest| latest.number);
        let mut latest = latest.into_iter().peekable();
        let presence = |state: &mut SessionState, Latest { time, place, span, bytes, .. }: Latest| {
            let command = Command::from_span(Direction::ServerToClient, &bytes, span);
            state.command(&Seen::new(place.connection, &command, place.scope, time));
        };
        for (number, time, place, what) in std::mem::take(&mut self.rest) {
            while let Some(earlier) = latest.next_if(|latest| latest.number < number) {
                presence(state, earlier);
            }
            let Place { connection, scope } = place;
            match what {
                Seldom::Command(direction, span, start) => {
                    let command = Command::from_span(direction, &bytes[start..], span);
                    state.command(&Seen::new(connection, &command, scope, time));
                }
                Seldom::Changed(changed) => {
                    let seen = Seen::new(connection, &changed.received, scope, time);
                    match changed.held {
                        Some(number) => state.held(number, &seen),
                        None => state.passed(&seen, changed.sent.as_deref()),
                    }
                }
                Seldom::Injected(command) => state.injected(&Seen::new(connection, &command, scope, time)),
                Seldom::Released(number, sent) => state.released(number, sent.as_deref(), time),
                Seldom::Closed(number) => state.closed(number),
            }
        }
        latest.for_each(|latest| presence(state, latest));
    }
}

/// Returns a number for what a command of presence is about: status or personal message, and whose.
fn subject(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let is_status = !bytes.starts_with(b"UBX");
    let mut words = bytes.split(|byte| matches!(byte, b' ' | b'\r' | b'\n')).skip(1);
    // a status comes before the address in NLN, and not at all in FLN
    let skipped = usize::from(bytes.starts_with(b"NLN"));
    (is_status, words.nth(skipped)).hash(&mut hasher);
    hasher.finish()
}

/// How much of a session waits to be taken apart: presences, other events, and bytes of those.
const MOST_NEWS: usize = 1000;
const MOST_NEWS_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_wait_whatever_becomes_of_commands() {
        let payload = vec![b'x'; 10_000];
        let large = Command::new(Direction::ClientToServer, b"MSG 5 D", Some(&payload)).unwrap();
        let place = Place { connection: 1, scope: msnp::argument::Scope::default() };
        let kinds: [fn(Command) -> Seldom; 2] = [Seldom::Injected, |large| Seldom::Released(1, Some(vec![large]))];
        for kind in kinds {
            let mut news = News::default();
            for _ in 0..6 {
                news.add(SystemTime::UNIX_EPOCH, place, kind(large.clone()));
            }
            assert!(!news.is_much());
            news.add(SystemTime::UNIX_EPOCH, place, kind(large.clone()));
            assert!(news.is_much());
            news.tell(&mut SessionState::default());
            assert!(!news.is_much());
        }
    }
}
