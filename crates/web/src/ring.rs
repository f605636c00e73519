//! The latest events, in a bounded piece of memory. Whoever follows reads from here at its own pace; one that is too slow
//! finds that events are gone, and nobody waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use mitmsn_proxy::observer::{Changed, Run};
use mitmsn_proxy::observers::convert::{self, Place};
use msnp::Command;
use msnp_transcript::event::{Event, Stem};
use msnp_transcript::id::Stamp;
use tokio::sync::Notify;

use store::{Mark, Part, Store};

mod store;

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    state: Mutex<State>,
    news: Notify,
    /// Most memory that is taken.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    store: Store,
    size: usize,
    next: u64,
}

/// One event, or a run of commands.
#[derive(Clone, Debug)]
struct Entry {
    first: u64,
    time: SystemTime,
    session: Arc<str>,
    place: Place,
    what: What,
    /// Where its commands and names are.
    from: Mark,
    to: Mark,
}

#[derive(Clone, Debug)]
enum What {
    /// Commands that were forwarded as they came.
    Commands,
    /// What arrived; behind it, unless it left as it came, what left.
    Changed {
        as_it_came: bool,
        more: Option<Box<More>>,
    },
    Injected,
    Other(Box<Event>),
}

/// What few changed commands have.
#[derive(Clone, Debug)]
struct More {
    delay: Option<Duration>,
    held: Option<u64>,
    tags: Vec<String>,
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
        self.push(source, What::Commands, |store| store.add_run(run.direction, &run.bytes, &run.spans));
    }

    /// Adds a command that was changed.
    pub(crate) fn changed(&self, source: Source<'_>, changed: &Changed) {
        let Changed { received, sent, by, delay, held, tags } = changed;
        let more = More { delay: *delay, held: *held, tags: tags.clone() };
        let is_plain = more.delay.is_none() && more.held.is_none() && more.tags.is_empty();
        let what = What::Changed { as_it_came: sent.is_none(), more: (!is_plain).then(|| Box::new(more)) };
        self.push(source, what, |store| {
            store.add(received);
            sent.iter().flatten().for_each(|command| store.add(command));
            by.iter().for_each(|name| store.add_name(name));
        });
    }

    /// Adds a command that was injected.
    pub(crate) fn injected(&self, source: Source<'_>, command: &Command, by: &Arc<str>) {
        self.push(source, What::Injected, |store| {
            store.add(command);
            store.add_name(by);
        });
    }

    /// Adds any other event.
    pub(crate) fn add(&self, source: Source<'_>, event: Event) {
        self.push(source, What::Other(Box::new(event)), |_| {});
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
            let at = state.entries.partition_point(|entry| entry.first + entry.count() <= start);
            let mut entries = Vec::new();
            let mut count = 0;
            for entry in state.entries.range(at..) {
                if count >= most {
                    break;
                }
                let (entry, part) = match entry.what {
                    What::Commands => {
                        let skip = start.saturating_sub(entry.first);
                        let part = state.store.part(entry.from, entry.to, skip as usize, most - count);
                        count += part.len();
                        (Entry { first: entry.first + skip, ..entry.clone() }, part)
                    }
                    _ => {
                        count += entry.count() as usize;
                        (entry.clone(), state.store.part(entry.from, entry.to, 0, usize::MAX))
                    }
                };
                entries.push((entry, part));
            }
            (entries, start + count as u64, start - from.min(start))
        };
        let items = entries.iter().flat_map(|(entry, part)| entry.items(part, keep_secrets)).collect();
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

    fn push(&self, source: Source<'_>, what: What, fill: impl FnOnce(&mut Store)) {
        let mut state = self.lock();
        let State { entries, store, size, next } = &mut *state;
        let from = store.end();
        fill(store);
        let Source { time, session, place } = source;
        let entry = Entry { first: *next, time, session: Arc::clone(session), place, what, from, to: store.end() };
        *next += entry.count();
        *size += entry.size();
        entries.push_back(entry);
        while *size > self.limit && entries.len() > 1 {
            let Some(entry) = entries.pop_front() else { break };
            *size -= entry.size();
            store.forget(entry.to);
        }
        drop(state);
        self.news.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Returns how many events it stands for.
    fn count(&self) -> u64 {
        match &self.what {
            What::Commands => self.from.commands_to(self.to),
            What::Changed { more, .. } => 1 + more.as_ref().map_or(0, |more| more.tags.len() as u64),
            _ => 1,
        }
    }

    /// About how much memory it takes.
    fn size(&self) -> usize {
        let more = match &self.what {
            What::Commands | What::Injected | What::Changed { more: None, .. } => 0,
            What::Changed { .. } => size_of::<More>(),
            What::Other(_) => 2 * size_of::<Event>(),
        };
        size_of::<Entry>() + self.from.size_to(self.to) + more
    }

    fn items(&self, part: &Part, keep_secrets: bool) -> Vec<Item> {
        let time = Stamp::of(self.time).to_string();
        let stem = |number| Stem { seq: number, time: time.clone(), session: self.session.to_string() };
        let (first, place) = (self.first, self.place);
        let mut commands = part.commands();
        match &self.what {
            What::Commands => {
                let item = |(number, command): (u64, Command)| {
                    let event = convert::command(&command, None, place, stem(number), keep_secrets);
                    Item { number, event, command: Some((command, place)) }
                };
                (first..).zip(commands).map(item).collect()
            }
            What::Changed { as_it_came, more } => {
                let Some(received) = commands.next() else { return Vec::new() };
                let sent = (!as_it_came).then(|| commands.collect());
                let (delay, held, tags) =
                    more.as_ref().map_or((None, None, Vec::new()), |more| (more.delay, more.held, more.tags.clone()));
                let changed = Changed { received, sent, by: part.names.clone(), delay, held, tags };
                let event = convert::command(&changed.received, Some(&changed), place, stem(first), keep_secrets);
                let tags = (first + 1..).zip(&changed.tags);
                let tags = tags.map(|(number, tag)| Item {
                    number,
                    event: convert::tag(place, stem(number), first, tag),
                    command: None,
                });
                let mut items: Vec<Item> = tags.collect();
                items.insert(0, Item { number: first, event, command: Some((changed.received, place)) });
                items
            }
            What::Injected => {
                let (Some(command), Some(by)) = (commands.next(), part.names.first()) else { return Vec::new() };
                let event = convert::injected(&command, by, place, stem(first), keep_secrets);
                vec![Item { number: first, event, command: Some((command, place)) }]
            }
            What::Other(event) => vec![Item { number: first, event: (**event).clone(), command: None }],
        }
    }
}

#[cfg(test)]
mod tests {
    use msnp::argument::Scope;
    use msnp::codec::Span;
    use msnp::{Codec, Direction, Limits};

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
        let (first, last) = (state.entries.front().unwrap(), state.entries.back().unwrap());
        assert_eq!(last.to, state.store.end());
        let entries = state.entries.len() * size_of::<Entry>();
        assert_eq!(first.from.size_to(last.to) + entries, state.size);
        assert!(state.size <= 1 << 20 && state.entries.len() > 20, "{} entries", state.entries.len());
    }

    #[test]
    fn what_was_changed_or_injected_is_read_as_it_was_added() {
        let ring = Ring::new(1 << 20);
        let command = |line: &str| Command::parse(Direction::ClientToServer, line.as_bytes()).unwrap();
        let session: Arc<str> = "01jd".into();
        let place = Place { connection: 2, scope: Scope::default() };
        let source = Source { time: SystemTime::UNIX_EPOCH, session: &session, place };
        let mut changed = Changed {
            received: command("CHG 1 NLN\r\n"),
            sent: Some(vec![command("CHG 1 AWY\r\n"), command("MSG 2 N 2\r\nhi")]),
            by: vec!["one".into(), "two".into()],
            delay: Some(Duration::from_millis(20)),
            held: None,
            tags: vec!["odd".into()],
        };
        ring.changed(source, &changed);
        (changed.sent, changed.tags, changed.delay) = (None, Vec::new(), None);
        ring.changed(source, &changed);
        ring.injected(source, &command("PNG\r\n"), &"me".into());
        let told = ring.read(0, 100, true).items.into_iter().map(|item| (item.number, item.event));
        let text: Vec<_> = told.map(|(number, event)| format!("{number} {}", serde_json::json!(event))).collect();
        let has = |index: usize, parts: &[&str]| {
            parts.iter().for_each(|part| assert!(text[index].contains(part), "{part} in {}", text[index]));
        };
        has(
            0,
            &[
                r#""args":["1","NLN"]"#,
                r#""args":["1","AWY"]"#,
                r#""text":"hi""#,
                r#""by":["one","two"]"#,
                r#""delay":0.02"#,
            ],
        );
        has(1, &[r#""type":"tag","seq":1"#, r#""connection":2,"command":0,"tag":"odd""#]);
        has(2, &[r#""args":["1","NLN"]"#, r#""by":["one","two"]"#]);
        assert!(!text[2].contains("sent") && !text[2].contains("delay"), "{}", text[2]);
        has(3, &[r#""verb":"PNG""#, r#""by":["me"]"#, r#""origin":"injected""#]);
        assert_eq!(text.len(), 4);
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
