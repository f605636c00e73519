//! Puts P2P messages together from their packets.

use std::collections::{HashMap, VecDeque};

use super::Limits;
use super::manifest::Carrier;
use super::packet::{Packet, Peers, Place};
use super::parts::Parts;
use crate::event::{CommandEvent, Server};

/// Where and when a part was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) connection: u64,
    pub(super) server: Option<Server>,
}

impl Mark {
    pub(super) fn of(event: &CommandEvent) -> Mark {
        Mark { seq: event.stem.seq, time: event.stem.time.clone(), connection: event.connection, server: event.server }
    }
}

/// A message, or what there is of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub(super) peers: Peers,
    /// 0 for MSNSLP.
    pub(super) session: u32,
    pub(super) carrier: Carrier,
    pub(super) parts: Parts,
    /// Its size; of version 2 not known without its first packet, and then its last byte is at [`END`].
    pub(super) total: Option<u64>,
    pub(super) carries_data: bool,
    /// Whether parts were left out since they were too much.
    pub(super) is_cut: bool,
    pub(super) first: Mark,
    pub(super) last: Mark,
}

/// The messages that wait for packets.
#[derive(Debug)]
pub(super) struct Transfers {
    limits: Limits,
    open: HashMap<Key, Open>,
    done: HashMap<Key, Bases>,
    oldest_done: VecDeque<Key>,
    in_flight: u64,
    count: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    connection: u64,
    peers: Peers,
    session: u32,
    message: Number,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Number {
    V1 { message: u32, total: u64 },
    V2 { package: u16 },
}

#[derive(Debug)]
struct Open {
    number: u64,
    message: Message,
    bases: Bases,
    /// Base id of the packet that says that it is the first.
    first_base: Option<u32>,
}

/// The sequence numbers of version 2 that a message took.
#[derive(Clone, Copy, Debug)]
struct Bases {
    first: u32,
    last: u32,
}

/// Where a message of version 2 ends: its packets say how much is still to come, so they are put together from the end.
pub(super) const END: u64 = 1 << 62;
/// Most messages that wait for packets; a new one takes the place of the oldest.
const MOST_OPEN: usize = 4096;
/// Most complete messages that are remembered, to know packets that come again.
const MOST_DONE: usize = 4096;

impl Transfers {
    pub(super) fn new(limits: Limits) -> Transfers {
        Transfers {
            limits,
            open: HashMap::new(),
            done: HashMap::new(),
            oldest_done: VecDeque::new(),
            in_flight: 0,
            count: 0,
        }
    }

    /// Takes a packet and returns the messages that come to an end: one that it makes whole, one that is given up.
    pub(super) fn push(&mut self, packet: &Packet<'_>, peers: &Peers, mark: Mark) -> Vec<Message> {
        let (number, start, total) = match packet.place {
            Place::V1 { message, offset, total } => (Number::V1 { message, total }, offset, Some(total)),
            Place::V2 { package, is_first, rest, .. } => {
                let from_end = rest.saturating_add(packet.data.len() as u64);
                let Some(start) = END.checked_sub(from_end) else { return Vec::new() };
                (Number::V2 { package }, start, is_first.then_some(from_end))
            }
        };
        let mut ended = Vec::new();
        let key = Key { connection: mark.connection, peers: peers.clone(), session: packet.session, message: number };
        let Some(key) = self.key(key, packet, &mut ended) else { return ended };
        if !self.open.contains_key(&key) && self.open.len() >= MOST_OPEN {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.number).map(|(key, _)| key.clone());
            ended.extend(oldest.and_then(|oldest| self.close(&oldest)));
        }
        self.count += 1;
        let open = self.open.entry(key.clone()).or_insert_with(|| Open::new(self.count, packet, peers, &mark));
        open.message.last = mark;
        open.message.total = open.message.total.or(total);
        open.message.carries_data |= packet.carries_data;
        open.learn(packet);
        let limit = self.limits.file.min(open.message.total.unwrap_or(u64::MAX));
        // a part that reaches over the end is cut there
        let room = match packet.place {
            Place::V1 { offset, .. } => limit.saturating_sub(offset),
            Place::V2 { .. } => limit.saturating_sub(open.message.parts.len()),
        };
        let data = packet.data.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(packet.data);
        let is_over = open.message.total.is_none_or(|total| total > self.limits.file);
        open.message.is_cut |= is_over && data.len() < packet.data.len();
        let before = open.message.parts.cost();
        if self.in_flight + data.len() as u64 > self.limits.in_flight {
            open.message.is_cut = true;
        } else if !data.is_empty() {
            open.message.parts.insert(start, data);
        }
        self.in_flight = self.in_flight - before + open.message.parts.cost();
        if open.message.is_whole() {
            ended.extend(self.close(&key));
        }
        ended
    }

    /// Returns what there is of the messages that wait, in the order in which they began.
    pub(super) fn finish(self) -> Vec<Message> {
        let mut open: Vec<Open> = self.open.into_values().collect();
        open.sort_by_key(|open| open.number);
        open.into_iter().map(Open::end).collect()
    }

    /// Returns under which key a packet belongs; `None` if it only comes again.
    fn key(&mut self, key: Key, packet: &Packet<'_>, ended: &mut Vec<Message>) -> Option<Key> {
        if let Some(open) = self.open.get(&key) {
            // a number of version 2 that starts anew
            if let Place::V2 { is_first: true, base, .. } = packet.place
                && open.first_base.is_some_and(|first| first != base)
            {
                ended.extend(self.close(&key));
            }
            return Some(key);
        }
        if let Some(bases) = self.done.get(&key) {
            match packet.place {
                Place::V1 { .. } => return None,
                Place::V2 { base, .. } if bases.hold(base) => return None,
                Place::V2 { .. } => return Some(key),
            }
        }
        // a transfer may go on in another switchboard of the same two
        let is_start = matches!(packet.place, Place::V1 { offset: 0, .. } | Place::V2 { is_first: true, .. });
        let elsewhere =
            |other: &&Key| other.session == key.session && other.message == key.message && other.peers == key.peers;
        match is_start {
            true => Some(key),
            false => Some(self.open.keys().find(elsewhere).cloned().unwrap_or(key)),
        }
    }

    fn close(&mut self, key: &Key) -> Option<Message> {
        let open = self.open.remove(key)?;
        self.in_flight -= open.message.parts.cost();
        if self.done.insert(key.clone(), open.bases).is_none() {
            self.oldest_done.push_back(key.clone());
        }
        if self.oldest_done.len() > MOST_DONE {
            self.oldest_done.pop_front().and_then(|oldest| self.done.remove(&oldest));
        }
        Some(open.end())
    }
}

impl Open {
    fn new(number: u64, packet: &Packet<'_>, peers: &Peers, mark: &Mark) -> Open {
        let (carrier, base) = match packet.place {
            Place::V1 { .. } => (Carrier::P2p1, 0),
            Place::V2 { base, .. } => (Carrier::P2p2, base),
        };
        let message = Message {
            peers: peers.clone(),
            session: packet.session,
            carrier,
            parts: Parts::default(),
            total: None,
            carries_data: false,
            is_cut: false,
            first: mark.clone(),
            last: mark.clone(),
        };
        Open { number, message, bases: Bases { first: base, last: base }, first_base: None }
    }

    fn learn(&mut self, packet: &Packet<'_>) {
        if let Place::V2 { base, is_first, .. } = packet.place {
            self.bases.include(base);
            if is_first {
                self.first_base = self.first_base.or(Some(base));
            }
        }
    }

    /// Returns the message with its first byte at 0, if its size is known.
    fn end(self) -> Message {
        let mut message = self.message;
        if let (Carrier::P2p2, Some(total)) = (message.carrier, message.total) {
            message.parts = message.parts.moved_down(END - total);
        }
        message
    }
}

impl Message {
    fn is_whole(&self) -> bool {
        let Some(total) = self.total else { return false };
        let end = if self.carrier == Carrier::P2p2 { END } else { total };
        self.parts.len() >= total && self.parts.gaps(end - total..end).is_empty()
    }
}

impl Bases {
    fn include(&mut self, base: u32) {
        if base.wrapping_sub(self.first) > i32::MAX as u32 {
            self.first = base;
        } else if base.wrapping_sub(self.last) <= i32::MAX as u32 {
            self.last = base;
        }
    }

    fn hold(self, base: u32) -> bool {
        base.wrapping_sub(self.first) <= self.last.wrapping_sub(self.first)
    }
}
