//! What is to be written when: the events of a transcript as steps.

use std::collections::HashMap;

use jiff::Timestamp;
use msnp::Direction;
use msnp_transcript::Transcript;
use msnp_transcript::event::{
    CommandEvent, ConnectionClosed, ConnectionOpened, Event, GapEvent, Origin, Payload, ReleasedEvent, Sent,
};

use super::{Side, remarks};

/// One step: packets of one connection at one time.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// Where it stands among all steps.
    pub(super) key: u64,
    /// Its time, in microseconds since 1970.
    pub(super) time: u64,
    /// Index of the transcript.
    pub(super) transcript: usize,
    /// The connection's number; `None` for what is about the session.
    pub(super) connection: Option<u64>,
    pub(super) action: Action<'a>,
    pub(super) comments: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Action<'a> {
    Open(&'a ConnectionOpened),
    Data(Direction, Bytes<'a>),
    Gap(&'a GapEvent),
    /// Nothing but its comments, which a packet of their own carries.
    Remark,
    /// Nothing but its comments, which the next packet carries.
    Prelude,
    Close(&'a ConnectionClosed),
}

/// Where the bytes are; they are made when they are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bytes<'a> {
    Command(&'a CommandEvent),
    Sent(&'a Sent),
    /// So many that could not be framed, and which, if they are not masked.
    Opaque(Option<&'a Payload>, u64),
}

/// Returns the steps of a transcript, in the order of their keys.
pub(super) fn plan<'a>(
    index: usize,
    transcript: &'a Transcript,
    side: Side,
    problems: &mut Vec<String>,
) -> Vec<Step<'a>> {
    let mut planner = Planner::new(index, transcript, side);
    for event in &transcript.events {
        planner.time = match micros(&event.stem().time) {
            Some(time) => time,
            None => {
                problems.push(format!(
                    "{}: event {} has no time ({:?}): that of the one before is taken",
                    transcript.name.display(),
                    event.stem().seq,
                    event.stem().time
                ));
                planner.time
            }
        };
        planner.latest = planner.latest.max(planner.time);
        planner.event(event);
    }
    planner.steps.sort_by_key(|step| step.key);
    planner.steps
}

fn micros(time: &str) -> Option<u64> {
    time.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_microsecond()).ok())
}

struct Planner<'a> {
    transcript: usize,
    side: Side,
    released: HashMap<u64, &'a ReleasedEvent>,
    tags: HashMap<u64, Vec<&'a str>>,
    /// Before which keys nothing of a direction of a connection may stand.
    lanes: HashMap<(u64, Direction), u64>,
    time: u64,
    /// The latest time so far: clocks are set back, files go on.
    latest: u64,
    steps: Vec<Step<'a>>,
}

impl<'a> Planner<'a> {
    fn new(index: usize, transcript: &'a Transcript, side: Side) -> Planner<'a> {
        let mut released = HashMap::new();
        let mut tags: HashMap<u64, Vec<&str>> = HashMap::new();
        for event in &transcript.events {
            match event {
                Event::Released(event) => drop(released.insert(event.held, event)),
                Event::Tag(event) => tags.entry(event.command).or_default().push(&event.tag),
                _ => {}
            }
        }
        let lanes = HashMap::new();
        Planner { transcript: index, side, released, tags, lanes, time: 0, latest: 0, steps: Vec::new() }
    }

    fn event(&mut self, event: &'a Event) {
        let connection = event.connection();
        match event {
            Event::ConnectionOpened(opened) => {
                for direction in Direction::BOTH {
                    self.lanes.insert((opened.connection, direction), self.latest);
                }
                let comments = vec![remarks::opened(opened)];
                self.push(self.time, self.latest, connection, Action::Open(opened), comments);
            }
            Event::SessionJoined(joined) => {
                self.push(self.time, self.latest, connection, Action::Prelude, vec![remarks::joined(joined)]);
            }
            Event::Command(command) => match self.side {
                Side::Received => self.received(command),
                Side::Sent => self.sent(command),
            },
            Event::Released(released) if self.side == Side::Received => {
                self.push(self.time, self.latest, connection, Action::Remark, vec![remarks::released(released)]);
            }
            Event::Opaque(opaque) => {
                let comments = remarks::masked(&opaque.masked).into_iter().collect();
                let sent = opaque.sent.as_ref().filter(|_| self.side == Side::Sent);
                let bytes = sent.or(opaque.payload.as_ref());
                self.bytes(
                    opaque.connection,
                    opaque.direction.into(),
                    self.time,
                    Bytes::Opaque(bytes, opaque.length),
                    comments,
                );
            }
            Event::Gap(gap) => {
                let (time, key) = self.lane(gap.connection, gap.direction.into(), self.time);
                self.push(time, key, connection, Action::Gap(gap), vec![remarks::gap(gap)]);
            }
            Event::Note(note) => {
                let action = if note.connection.is_some() { Action::Remark } else { Action::Prelude };
                self.push(self.time, self.latest, connection, action, vec![remarks::note(note)]);
            }
            Event::ConnectionClosed(closed) => {
                // what was let go late may leave after the end was told
                let ends = Direction::BOTH.map(|direction| self.lanes.remove(&(closed.connection, direction)));
                let end = ends.into_iter().flatten().max().unwrap_or(0);
                let time = if self.side == Side::Sent { self.time.max(end) } else { self.time };
                let comments = remarks::closed(closed).into_iter().collect();
                self.push(time, self.latest.max(end), connection, Action::Close(closed), comments);
            }
            // tags and releases are with their commands; the interface tells of the session
            _ => {}
        }
    }

    fn received(&mut self, event: &'a CommandEvent) {
        let mut comments = remarks::received(event);
        comments.extend(self.tags_of(event));
        if event.origin == Origin::Injected {
            self.push(self.time, self.latest, Some(event.connection), Action::Remark, comments);
        } else {
            self.bytes(event.connection, event.direction.into(), self.time, Bytes::Command(event), comments);
        }
    }

    fn sent(&mut self, event: &'a CommandEvent) {
        let released = event.held.and_then(|held| self.released.get(&held).copied());
        let mut comments = remarks::sent(event, released);
        comments.extend(self.tags_of(event));
        let leaves = match released.and_then(|released| micros(&released.stem.time)) {
            Some(time) => time.max(self.time),
            None => self.time.saturating_add(delay(event)),
        };
        let direction = Direction::from(event.direction);
        let changed = released.and_then(|released| released.sent.as_ref()).or(event.sent.as_ref());
        let Some(sent) = changed else {
            self.bytes(event.connection, direction, leaves, Bytes::Command(event), comments);
            return;
        };
        if sent.is_empty() {
            self.push(self.time, self.latest, Some(event.connection), Action::Remark, comments);
            return;
        }
        for sent in sent {
            let way = Direction::from(sent.direction);
            // a reply does not wait for what it answers
            let time = if way == direction { leaves } else { self.time };
            self.bytes(event.connection, way, time, Bytes::Sent(sent), std::mem::take(&mut comments));
        }
    }

    fn bytes(&mut self, connection: u64, direction: Direction, time: u64, bytes: Bytes<'a>, comments: Vec<String>) {
        let (time, key) = self.lane(connection, direction, time);
        self.push(time, key, Some(connection), Action::Data(direction, bytes), comments);
    }

    /// Returns time and key of what takes its place in a direction at `time`. What is behind something late is late too.
    fn lane(&mut self, connection: u64, direction: Direction, time: u64) -> (u64, u64) {
        let lane = self.lanes.entry((connection, direction)).or_default();
        match self.side {
            Side::Received => {
                *lane = self.latest;
                (time, self.latest)
            }
            Side::Sent => {
                *lane = (*lane).max(time);
                (*lane, *lane)
            }
        }
    }

    fn tags_of(&self, event: &CommandEvent) -> impl Iterator<Item = String> {
        self.tags
            .get(&event.stem.seq)
            .into_iter()
            .flatten()
            .map(|tag| remarks::tag(tag))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn push(&mut self, time: u64, key: u64, connection: Option<u64>, action: Action<'a>, comments: Vec<String>) {
        self.steps.push(Step { key, time, transcript: self.transcript, connection, action, comments });
    }
}

/// Returns the delay of a command in microseconds.
fn delay(event: &CommandEvent) -> u64 {
    // a negative or missing delay is none; the cast saturates
    event.delay.map_or(0, |seconds| (seconds * 1e6) as u64)
}
