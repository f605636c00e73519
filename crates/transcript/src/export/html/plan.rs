//! Where everything of a session stands, so that any page can link to it.

use std::collections::{BTreeMap, HashMap};

use msnp::types::Direction;

use crate::Transcript;
use crate::event::{Event, ReleasedEvent};
use crate::export::Options;
use crate::export::summary::Summary;
use crate::export::walk::{What, tags, walk};

/// A session and the places of its events.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) transcript: &'a Transcript,
    pub(super) options: &'a Options,
    pub(super) summary: Summary,
    /// Name of the session's folder.
    pub(super) folder: String,
    /// Tags, by the `seq` of the command.
    pub(super) tags: HashMap<u64, Vec<&'a str>>,
    /// Ends of holds, by their number: the event and its index.
    pub(super) released: HashMap<u64, (usize, &'a ReleasedEvent)>,
    /// Index of the command that is held under a number.
    pub(super) held: HashMap<u64, usize>,
    /// The pages of each connection.
    pages: BTreeMap<u64, u32>,
    /// Of each event its page, from 1; 0 for those that stand on none.
    page: Vec<u32>,
    /// The first event of each `seq`.
    first: HashMap<u64, usize>,
}

impl<'a> Plan<'a> {
    /// Finds a place for every event.
    pub(super) fn of(transcript: &'a Transcript, options: &'a Options, folder: String) -> Plan<'a> {
        let mut plan = Plan {
            transcript,
            options,
            summary: Summary::of(transcript, options),
            folder,
            tags: tags(transcript),
            released: HashMap::new(),
            held: HashMap::new(),
            pages: BTreeMap::new(),
            page: Vec::with_capacity(transcript.events.len()),
            first: HashMap::new(),
        };
        let mut filled: HashMap<u64, (u32, usize)> = HashMap::new();
        let walked = walk(transcript, options, |step| {
            plan.first.entry(step.event.stem().seq).or_insert(step.index);
            let size = match (&step.what, step.event) {
                (What::Command(event, command), _) => {
                    plan.held.extend(event.held.map(|held| (held, step.index)));
                    command.as_bytes().len()
                }
                (What::LeftOut | What::Broken, _) | (What::Other, Event::Tag(_)) => {
                    plan.page.push(0);
                    return Ok(());
                }
                (What::Other, Event::Opaque(opaque)) => usize::try_from(opaque.length).unwrap_or(usize::MAX),
                (What::Other, Event::Released(released)) => {
                    plan.released.insert(released.held, (step.index, released));
                    0
                }
                (What::Other, _) => 0,
            };
            let Some(connection) = step.event.connection().filter(|&number| number != 0) else {
                plan.page.push(0);
                return Ok(());
            };
            let pages = plan.pages.entry(connection).or_insert(1);
            let (rows, bytes) = filled.entry(connection).or_default();
            if *rows >= MOST_ROWS || (*rows > 0 && *bytes > MOST_BYTES) {
                *pages += 1;
                (*rows, *bytes) = (0, 0);
            }
            *rows += 1;
            *bytes = bytes.saturating_add(size);
            plan.page.push(*pages);
            Ok::<(), std::convert::Infallible>(())
        });
        match walked {
            Ok(()) => plan,
        }
    }

    /// Returns on which page of its connection an event stands.
    pub(super) fn page(&self, index: usize) -> Option<u32> {
        self.page.get(index).copied().filter(|&page| page != 0)
    }

    /// Returns how many pages a connection has.
    pub(super) fn pages(&self, connection: u64) -> u32 {
        self.pages.get(&connection).copied().unwrap_or(0)
    }

    /// Returns the connections that have a page.
    pub(super) fn connections(&self) -> impl Iterator<Item = u64> {
        self.pages.keys().copied()
    }

    /// Returns the anchor of an event: `c` and its `seq`.
    pub(super) fn anchor(&self, index: usize) -> String {
        let Some(event) = self.transcript.events.get(index) else { return String::new() };
        let seq = event.stem().seq;
        match self.first.get(&seq) {
            Some(&first) if first != index => format!("c{seq}-{index}"),
            _ => format!("c{seq}"),
        }
    }

    /// Returns the address of an event from another page of the session.
    pub(super) fn address(&self, index: usize) -> Option<String> {
        let page = self.page(index)?;
        let connection = self.transcript.events.get(index)?.connection()?;
        Some(format!("{}#{}", file(connection, page), self.anchor(index)))
    }

    /// Returns the event that has this `seq`.
    pub(super) fn index_of(&self, seq: u64) -> Option<usize> {
        self.first.get(&seq).copied()
    }

    /// Returns what the session is called.
    pub(super) fn title(&self) -> String {
        let account = self.summary.account.as_deref().unwrap_or("unknown account");
        format!("{account}, {}", super::super::summary::readable(&self.summary.start))
    }
}

/// Returns the name of a page of a connection.
pub(super) fn file(connection: u64, page: u32) -> String {
    match page {
        1 => format!("{connection}.html"),
        _ => format!("{connection}-{page}.html"),
    }
}

/// Returns the class of a direction.
pub(super) fn way(direction: Direction) -> &'static str {
    direction.as_str()
}

/// A page has no more rows than these,
const MOST_ROWS: u32 = 1000;
/// nor more bytes of commands, which may stand there three times.
const MOST_BYTES: usize = 1 << 20;
