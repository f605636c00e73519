//! A TCP connection: both directions, from the first packet that shows it to the last.

use super::stream::{Counts, Piece, Stream};
use crate::ip::{Endpoint, Segment};

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Its ends. A side is an index into this.
    pub(crate) ends: [Endpoint; 2],
    /// The side that opened it, if that was seen.
    pub(crate) client: Option<usize>,
    /// When it was seen first.
    pub(crate) opened: u64,
    /// When it was seen last.
    pub(crate) last: u64,
    /// How many packets came from each side.
    pub(crate) seen: [u64; 2],
    /// The sequence number of the SYN of each side.
    beginning: [Option<u32>; 2],
    state: State,
    /// The side that ended its direction first.
    ended_by: Option<usize>,
    /// The side that reset it, and when that was.
    reset: Option<(usize, Moment)>,
    /// The sequence number at which each direction waits, and since when.
    holes: [Option<(u32, Moment)>; 2],
}

/// What is told of a connection.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// The next of what a side sent.
    Piece(usize, Piece<'a>),
    /// It is over.
    Closed(End),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The side that closed it, if that was seen.
    pub(crate) by: Option<usize>,
    pub(crate) reason: Option<&'static str>,
    /// How many packets came from each side.
    pub(crate) seen: [u64; 2],
    /// What happened besides, by side.
    pub(crate) counts: [Counts; 2],
}

#[derive(Debug)]
enum State {
    /// Nobody knows yet where the directions begin: the packets are kept until it is clear.
    Settling(Vec<Early>),
    Open(Box<[Stream; 2]>),
    /// Over, or of no interest.
    Closed,
}

/// A packet of a connection that settles.
#[derive(Debug)]
struct Early {
    side: usize,
    sequence: u32,
    acknowledged: Option<u32>,
    is_fin: bool,
    is_reset: bool,
    bytes: Vec<u8>,
}

/// A point in the life of a connection: how many packets it had, and the time.
#[derive(Clone, Copy, Debug)]
struct Moment {
    packets: u64,
    time: u64,
}

/// How long something is waited for: so many packets of the connection, or nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Patience {
    packets: u64,
    time: u64,
}

impl Flow {
    pub(crate) fn new(ends: [Endpoint; 2], time: u64) -> Flow {
        Flow {
            ends,
            client: None,
            opened: time,
            last: time,
            seen: [0; 2],
            beginning: [None; 2],
            state: State::Settling(Vec::new()),
            ended_by: None,
            reset: None,
            holes: [None; 2],
        }
    }

    /// Takes a packet that a side sent. `most` is how many bytes may wait for others.
    #[inline]
    pub(crate) fn packet(
        &mut self,
        side: usize,
        segment: &Segment<'_>,
        time: u64,
        most: usize,
        out: &mut dyn FnMut(Told<'_>),
    ) {
        self.last = self.last.max(time);
        self.seen[side] += 1;
        let sequence = segment.sequence.wrapping_add(u32::from(segment.is_syn));
        if segment.is_syn {
            self.begin(side, segment);
        }
        match &mut self.state {
            State::Closed => {}
            State::Open(streams) => {
                let packet = Packet {
                    side,
                    sequence,
                    acknowledged: segment.acknowledged,
                    is_fin: segment.is_fin,
                    is_reset: segment.is_reset,
                    bytes: segment.bytes,
                };
                packet.put(streams, most, out);
                if segment.is_fin {
                    self.ended_by.get_or_insert(side);
                }
                if segment.is_reset {
                    self.reset.get_or_insert((side, Moment { packets: self.seen[0] + self.seen[1], time }));
                }
                self.check(time, out);
            }
            State::Settling(early) => {
                early.push(Early {
                    side,
                    sequence,
                    acknowledged: segment.acknowledged,
                    is_fin: segment.is_fin,
                    is_reset: segment.is_reset,
                    bytes: segment.bytes.to_vec(),
                });
                let is_clear = self.beginning.iter().all(Option::is_some);
                if is_clear || early.len() >= SETTLING.packets as usize {
                    self.settle(most, out);
                }
                self.check(time, out);
            }
        }
    }

    /// Lets time pass: what was waited for long enough is given up.
    pub(crate) fn check(&mut self, time: u64, out: &mut dyn FnMut(Told<'_>)) {
        if matches!(self.state, State::Settling(_)) && time.saturating_sub(self.opened) >= SETTLING.time {
            self.settle(usize::MAX, out);
        }
        let now = Moment { packets: self.seen[0] + self.seen[1], time };
        let State::Open(streams) = &mut self.state else { return };
        let mut is_whole = true;
        for side in 0..2 {
            let stream = &mut streams[side];
            if !stream.has_hole() {
                self.holes[side] = None;
                continue;
            }
            let since = match self.holes[side] {
                Some((at, since)) if at == stream.sequence() => since,
                _ => now,
            };
            self.holes[side] = Some((stream.sequence(), since));
            let is_silent = self.seen[side] == 0;
            let patience = match (is_silent, stream.is_lost(), stream.is_acknowledged()) {
                (true, true, _) if now.packets >= SILENT.packets => Patience { packets: 0, time: 0 },
                (true, true, _) => SILENT,
                (false, true, _) => LOST,
                (_, false, false) => UNKNOWN,
                // the sender will send it again
                (_, false, true) => FOREVER,
            };
            if patience.is_over(since, now) {
                let mut out = |piece: Piece<'_>| out(Told::Piece(side, piece));
                if stream.is_lost() { stream.give_up_lost(&mut out) } else { stream.give_up(&mut out) }
            }
            is_whole &= !stream.has_hole();
        }
        let is_finished = streams.iter().all(Stream::is_finished);
        match self.reset {
            _ if is_finished => self.close(self.ended_by, None, out),
            Some((by, since)) if is_whole || LOST.is_over(since, now) => {
                self.close(Some(by), Some("connection reset"), out);
            }
            _ => {}
        }
    }

    /// Ends what is left, since the capture does or since nothing came for long.
    pub(crate) fn end(&mut self, reason: &'static str, out: &mut dyn FnMut(Told<'_>)) {
        self.settle(usize::MAX, out);
        match (self.reset, self.ended_by) {
            (Some((by, _)), _) => self.close(Some(by), Some("connection reset"), out),
            (None, Some(by)) => self.close(Some(by), None, out),
            (None, None) => self.close(None, Some(reason), out),
        }
    }

    /// Forgets what was kept: nobody wants to know more.
    pub(crate) fn ignore(&mut self) {
        self.state = State::Closed;
    }

    /// Whether it is over, or ignored.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether a SYN of this side belongs to another connection, that has the same ends.
    pub(crate) fn is_other(&self, side: usize, segment: &Segment<'_>) -> bool {
        if self.is_closed() {
            return self.beginning[side] != Some(segment.sequence);
        }
        // while it is open, only the one who opens a connection may begin anew
        segment.acknowledged.is_none() && self.beginning[side].is_some_and(|known| known != segment.sequence)
            || segment.acknowledged.is_none() && self.beginning == [None, None] && matches!(self.state, State::Open(_))
    }

    /// Whether the first byte of a side was seen, or is known to be missing.
    pub(crate) fn is_from_start(&self, side: usize) -> bool {
        self.beginning[side].is_some()
    }

    /// Whether it waits for something.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.state {
            State::Settling(_) => true,
            State::Open(streams) => self.reset.is_some() || streams.iter().any(Stream::has_hole),
            State::Closed => false,
        }
    }

    /// Returns how many bytes wait for others.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        match &self.state {
            State::Settling(early) => early.iter().map(|early| early.bytes.len() + OVERHEAD).sum(),
            State::Open(streams) => streams[0].held() + streams[1].held(),
            State::Closed => 0,
        }
    }

    fn begin(&mut self, side: usize, segment: &Segment<'_>) {
        self.beginning[side].get_or_insert(segment.sequence);
        let client = if segment.acknowledged.is_none() { side } else { 1 - side };
        self.client.get_or_insert(client);
        if let Some(acknowledged) = segment.acknowledged {
            self.beginning[1 - side].get_or_insert(acknowledged.wrapping_sub(1));
        }
    }

    /// Decides where the directions begin, and goes through the packets that were kept.
    fn settle(&mut self, most: usize, out: &mut dyn FnMut(Told<'_>)) {
        let State::Settling(early) = &mut self.state else { return };
        let early = std::mem::take(early);
        let first = |side: usize| match self.beginning[side] {
            Some(beginning) => beginning.wrapping_add(1),
            None => {
                let own = early.iter().filter(|early| early.side == side && !early.is_reset);
                let other = early.iter().filter(|early| early.side != side);
                lowest(own.map(|early| early.sequence))
                    .or_else(|| lowest(other.filter_map(|early| early.acknowledged)))
                    .unwrap_or_default()
            }
        };
        let mut streams = Box::new([Stream::new(first(0)), Stream::new(first(1))]);
        let now = Moment { packets: self.seen[0] + self.seen[1], time: self.last };
        for early in &early {
            if early.is_fin {
                self.ended_by.get_or_insert(early.side);
            }
            if early.is_reset {
                self.reset.get_or_insert((early.side, now));
            }
            let Early { side, sequence, acknowledged, is_fin, is_reset, ref bytes } = *early;
            Packet { side, sequence, acknowledged, is_fin, is_reset, bytes }.put(&mut streams, most, out);
        }
        self.state = State::Open(streams);
    }

    fn close(&mut self, by: Option<usize>, reason: Option<&'static str>, out: &mut dyn FnMut(Told<'_>)) {
        let State::Open(mut streams) = std::mem::replace(&mut self.state, State::Closed) else { return };
        for (side, stream) in streams.iter_mut().enumerate() {
            stream.give_up(&mut |piece| out(Told::Piece(side, piece)));
        }
        let counts = [streams[0].counts(), streams[1].counts()];
        out(Told::Closed(End { by, reason, seen: self.seen, counts }));
    }
}

/// A packet, as the streams see it.
struct Packet<'a> {
    side: usize,
    sequence: u32,
    acknowledged: Option<u32>,
    is_fin: bool,
    is_reset: bool,
    bytes: &'a [u8],
}

impl Packet<'_> {
    #[inline]
    fn put(&self, streams: &mut [Stream; 2], most: usize, out: &mut dyn FnMut(Told<'_>)) {
        // what a reset carries is a message of the system, if anything
        if self.is_reset {
            return;
        }
        let side = self.side;
        if !self.bytes.is_empty() {
            streams[side].segment(self.sequence, self.bytes, most, &mut |piece| out(Told::Piece(side, piece)));
        }
        if let Some(acknowledged) = self.acknowledged {
            streams[1 - side].acknowledge(acknowledged);
        }
        if self.is_fin {
            streams[side].finish(self.sequence.wrapping_add(self.bytes.len() as u32));
        }
    }
}

impl Patience {
    fn is_over(&self, since: Moment, now: Moment) -> bool {
        now.packets - since.packets >= self.packets || now.time.saturating_sub(since.time) >= self.time
    }
}

/// Returns the lowest of some sequence numbers, which wrap around.
fn lowest(numbers: impl Iterator<Item = u32>) -> Option<u32> {
    numbers.reduce(|lowest, number| if (number.wrapping_sub(lowest) as i32) < 0 { number } else { lowest })
}

const SECOND: u64 = 1_000_000_000;
/// A connection whose beginning was not captured shows by so much where its directions begin.
const SETTLING: Patience = Patience { packets: 8, time: SECOND };
/// What the other side has received may come a little later, since captures mix up the order of packets.
const LOST: Patience = Patience { packets: 64, time: 2 * SECOND };
/// The same for a side of which nothing was seen: its packets were not captured at all.
const SILENT: Patience = Patience { packets: 16, time: SECOND };
/// What nobody says of whether it was received may be sent again.
const UNKNOWN: Patience = Patience { packets: 1024, time: 10 * SECOND };
const FOREVER: Patience = Patience { packets: u64::MAX, time: u64::MAX };
/// Memory that a kept packet takes besides its bytes, about.
const OVERHEAD: usize = 64;
