//! The latest events, in a bounded piece of memory. Whoever follows reads from here at its own pace; one that is too slow
//! finds that events are gone, and nobody waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use mitmsn_proxy::observer::{Changed, Run};
use mitmsn_proxy::observers::convert::{self, Place};
use msnp::codec::CommandSpan;
use msnp::{Command, Direction};
use msnp_transcript::event::{Event, Stem};
use msnp_transcript::id::Stamp;
use tokio::sync::Notify;

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    state: Mutex<State>,
    news: Notify,
    /// Most bytes of commands that are kept.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
    next: u64,
    /// Memory of entries that are gone.
    spare: Vec<Kept>,
}

/// One event, or a run of commands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    first: u64,
    time: SystemTime,
    session: Arc<str>,
    place: Place,
    what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Commands(Direction, Kept),
    Changed(Arc<Changed>),
    Injected(Box<Command>, Arc<str>),
    Other(Box<Event>),
}

/// Consecutive commands of one direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    spans: Vec<CommandSpan>,
}

/// An event that was read.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its number, counted over all sessions since the start.
    pub(crate) number: u64,
    pub(crate) event: Event,
    /// The command and its place, if it is one that arrived or was injected.
    pub(crate) command: Option<(Command, Place)>,
}

/// What a reader got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    pub(crate) items: Vec<Item>,
    /// Number of the first event that was not read.
    pub(crate) next: u64,
    /// How many events were gone already.
    pub(crate) missed: u64,
}

/// Whose events, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) time: SystemTime,
    pub(crate) session: &'a Arc<str>,
    pub(crate) place: Place,
}

impl Ring {
    pub(crate) fn new(limit: usize) -> Ring {
        Ring { state: Mutex::default(), news: Notify::new(), limit }
    }

    /// Adds commands that were forwarded as they came.
    pub(crate) fn commands(&self, source: Source<'_>, run: &Run<'_>) {
        let mut state = self.lock();
        let kept = match state.spare.pop() {
            // memory that is much too large would stay so for as long as the entry is kept
            Some(mut kept) if kept.bytes.capacity() <= 2 * run.bytes.len() => {
                kept.bytes.clear();
                kept.bytes.extend_from_slice(&run.bytes);
                kept.spans.clear();
                kept.spans.extend_from_slice(&run.spans);
                kept
            }
            _ => Kept { bytes: run.bytes.to_vec(), spans: run.spans.to_vec() },
        };
        self.push(&mut state, source, What::Commands(run.direction, kept));
    }

    /// Adds any other event.
    pub(crate) fn add(&self, source: Source<'_>, what: What) {
        self.push(&mut self.lock(), source, what);
    }

    /// Returns the number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }

    /// Reads at most `most` events from `from` on.
    pub(crate) fn read(&self, from: u64, most: usize, keep_secrets: bool) -> Read {
        let (entries, next, missed) = {
            let state = self.lock();
            let oldest = state.entries.front().map_or(state.next, |entry| entry.first);
            let start = from.clamp(oldest, state.next);
            let at = state.entries.partition_point(|entry| entry.first + entry.what.count() <= start);
            let mut entries = Vec::new();
            let mut count = 0;
            for entry in state.entries.range(at..) {
                if count >= most {
                    break;
                }
                let skip = start.saturating_sub(entry.first);
                let part = entry.part(skip as usize, most - count);
                count += part.what.count() as usize;
                entries.push(part);
            }
            (entries, start + count as u64, start - from.min(start))
        };
        let items = entries.iter().flat_map(|entry| entry.items(keep_secrets)).collect();
        Read { items, next, missed }
    }

    /// Waits until there is an event with this number or a later one.
    pub(crate) async fn wait_for(&self, number: u64) {
        loop {
            let news = self.news.notified();
            if self.next() > number {
                return;
            }
            news.await;
        }
    }

    fn push(&self, state: &mut State, source: Source<'_>, what: What) {
        let first = state.next;
        state.next += what.count();
        state.bytes += what.size();
        let Source { time, session, place } = source;
        state.entries.push_back(Entry { first, time, session: Arc::clone(session), place, what });
        while state.bytes > self.limit && state.entries.len() > 1 {
            let Some(entry) = state.entries.pop_front() else { break };
            state.bytes -= entry.what.size();
            if let What::Commands(_, kept) = entry.what
                && state.spare.len() < MOST_SPARE
            {
                state.spare.push(kept);
            }
        }
        self.news.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl What {
    fn count(&self) -> u64 {
        match self {
            What::Commands(_, kept) => kept.spans.len() as u64,
            What::Changed(changed) => 1 + changed.tags.len() as u64,
            _ => 1,
        }
    }

    /// About how much memory it takes.
    fn size(&self) -> usize {
        OVERHEAD
            + match self {
                What::Commands(_, kept) => kept.bytes.capacity() + kept.spans.capacity() * size_of::<CommandSpan>(),
                What::Changed(changed) => {
                    let sent = changed.sent.iter().flatten().map(|command| command.as_bytes().len() + OVERHEAD);
                    changed.received.as_bytes().len() + sent.sum::<usize>()
                }
                What::Injected(command, _) => command.as_bytes().len(),
                What::Other(_) => OVERHEAD,
            }
    }
}

impl Entry {
    /// Returns a part of a run, or the whole event.
    fn part(&self, skip: usize, most: usize) -> Entry {
        let What::Commands(direction, kept) = &self.what else { return self.clone() };
        let skip = skip.min(kept.spans.len());
        let spans = &kept.spans[skip..(skip + most).min(kept.spans.len())];
        let length = |spans: &[CommandSpan]| spans.iter().map(|span| span.len as usize).sum::<usize>();
        let start = length(&kept.spans[..skip]);
        let bytes = kept.bytes.get(start..start + length(spans)).unwrap_or_default();
        let kept = Kept { bytes: bytes.to_vec(), spans: spans.to_vec() };
        Entry { first: self.first + skip as u64, what: What::Commands(*direction, kept), ..self.clone_head() }
    }

    fn clone_head(&self) -> Entry {
        let Entry { first, time, session, place, .. } = self;
        let what = What::Commands(Direction::ClientToServer, Kept::default());
        Entry { first: *first, time: *time, session: Arc::clone(session), place: *place, what }
    }

    fn items(&self, keep_secrets: bool) -> Vec<Item> {
        let time = Stamp::of(self.time).to_string();
        let stem = |number| Stem { seq: number, time: time.clone(), session: self.session.to_string() };
        let (first, place) = (self.first, self.place);
        match &self.what {
            What::Commands(direction, kept) => {
                let run =
                    Run { direction: *direction, bytes: (&kept.bytes[..]).into(), spans: (&kept.spans[..]).into() };
                let item = |(index, command): (usize, Command)| {
                    let number = first + index as u64;
                    let event = convert::command(&command, None, place, stem(number), keep_secrets);
                    Item { number, event, command: Some((command, place)) }
                };
                run.commands().enumerate().map(item).collect()
            }
            What::Changed(changed) => {
                let event = convert::command(&changed.received, Some(changed), place, stem(first), keep_secrets);
                let mut items = vec![Item { number: first, event, command: Some((changed.received.clone(), place)) }];
                for (number, tag) in (first + 1..).zip(&changed.tags) {
                    items.push(Item { number, event: convert::tag(place, stem(number), first, tag), command: None });
                }
                items
            }
            What::Injected(command, by) => {
                let event = convert::injected(command, by, place, stem(first), keep_secrets);
                vec![Item { number: first, event, command: Some(((**command).clone(), place)) }]
            }
            What::Other(event) => vec![Item { number: first, event: (**event).clone(), command: None }],
        }
    }
}

/// About what an entry takes besides its bytes.
const OVERHEAD: usize = 200;
const MOST_SPARE: usize = 16;

#[cfg(test)]
mod tests {
    use msnp::argument::Scope;
    use msnp::codec::Span;
    use msnp::{Codec, Limits};

    use super::*;

    fn add(ring: &Ring, lines: &str) {
        let mut codec = Codec::new(Direction::ServerToClient, Limits::default());
        let mut spans = Vec::new();
        let mut at = 0;
        while let Some(Span::Command(span)) = codec.next_span(&lines.as_bytes()[at..]) {
            at += span.len as usize;
            spans.push(span);
        }
        let run =
            Run { direction: Direction::ServerToClient, bytes: lines.as_bytes().into(), spans: (&spans[..]).into() };
        let session: Arc<str> = "01jd".into();
        let place = Place { connection: 2, scope: Scope::default() };
        ring.commands(Source { time: SystemTime::UNIX_EPOCH, session: &session, place }, &run);
    }

    fn read(ring: &Ring, from: u64, most: usize) -> (Vec<(u64, String)>, u64, u64) {
        let read = ring.read(from, most, true);
        let line = |item: Item| {
            let (command, _) = item.command.unwrap();
            (item.number, String::from_utf8(command.line().to_vec()).unwrap())
        };
        (read.items.into_iter().map(line).collect(), read.next, read.missed)
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped_within_a_run_too() {
        let ring = Ring::new(1 << 20);
        add(&ring, "QNG 1\r\nQNG 2\r\nQNG 3\r\n");
        add(&ring, "QNG 4\r\n");
        let lines = |numbers: &[u64]| numbers.iter().map(|n| (*n, format!("QNG {}", n + 1))).collect::<Vec<_>>();
        assert_eq!(read(&ring, 0, 2), (lines(&[0, 1]), 2, 0));
        assert_eq!(read(&ring, 2, 2), (lines(&[2, 3]), 4, 0));
        assert_eq!(read(&ring, 4, 2), (lines(&[]), 4, 0));
    }

    #[test]
    fn small_runs_behind_large_ones_take_no_more_memory_than_the_limit() {
        let ring = Ring::new(1 << 20);
        for round in 0..200 {
            let lines = if round % 10 == 0 { 5000 } else { 1 };
            add(&ring, &"QNG 1\r\n".repeat(lines));
        }
        let state = ring.lock();
        let taken = |entry: &Entry| match &entry.what {
            What::Commands(_, kept) => kept.bytes.capacity() + kept.spans.capacity() * size_of::<CommandSpan>(),
            _ => 0,
        };
        assert!(state.entries.iter().map(taken).sum::<usize>() <= 1 << 20);
        assert!(state.bytes <= 1 << 20 && state.entries.len() > 20, "{} entries", state.entries.len());
    }

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let ring = Ring::new(1000);
        for number in 1..=50 {
            add(&ring, &format!("QNG {number}\r\n"));
        }
        let (lines, next, missed) = read(&ring, 3, 100);
        assert_eq!((lines.len() as u64 + missed + 3, next), (50, 50));
        assert!(missed > 30);
        // a number of another life of the proxy
        assert_eq!(read(&ring, 1000, 100), (Vec::new(), 50, 0));
    }
}
