//! One direction of a TCP connection.
//!
//! Segments come in any order, twice, overlapping, with sequence numbers that wrap around; out come the bytes in order, each
//! once. Of two different bytes for one place the first counts. A hole waits for a retransmission, and becomes a gap when the
//! other side has acknowledged what is missing (the capture lost it, not the network), or when it cannot wait longer.

use std::collections::BTreeMap;
use std::ops::Bound;

/// What comes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// The next bytes.
    Data(&'a [u8]),
    /// So many bytes are missing.
    Gap(u64),
}

/// What happened besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Bytes that came again.
    pub repeated: u64,
    /// Bytes that came again and were others. Only those are compared that wait, or went out lately.
    pub different: u64,
    /// Segments that came out of order.
    pub out_of_order: u64,
    /// Segments so far from the others that they cannot be meant.
    pub astray: u64,
}

/// Puts the segments of one direction in order.
#[derive(Debug, Default)]
pub struct Stream {
    /// How far the bytes have gone out, counted from the start.
    next: u64,
    /// The sequence number of the byte at `next`.
    sequence: u32,
    /// Segments further on, by where they start; they do not overlap.
    waiting: BTreeMap<u64, Vec<u8>>,
    /// Bytes in `waiting`, and what it takes to keep them.
    held: usize,
    /// How far the other side has acknowledged; 0 if it never has.
    acknowledged: u64,
    /// Whether that was one more than before.
    is_single_step: bool,
    /// Where the sender has ended the direction.
    end: Option<u64>,
    /// The bytes that went out last.
    recent: Vec<u8>,
    counts: Counts,
}

impl Stream {
    /// Returns a stream whose first byte has this sequence number.
    pub fn new(sequence: u32) -> Stream {
        Stream { next: START, sequence, ..Stream::default() }
    }

    /// Takes a segment, and hands on what is in order now. `most` is how many bytes may wait; beyond that the first hole
    /// becomes a gap.
    #[inline]
    pub fn segment(&mut self, sequence: u32, bytes: &[u8], most: usize, out: &mut dyn FnMut(Piece<'_>)) {
        if sequence == self.sequence && self.waiting.is_empty() {
            self.hand_on(bytes, out);
            return;
        }
        let Some(start) = self.place(sequence) else {
            self.counts.astray += 1;
            return;
        };
        self.out_of_order(start, bytes, out);
        while self.held > most {
            self.skip(out);
        }
    }

    /// Is told how far the other side has received.
    #[inline]
    pub fn acknowledge(&mut self, sequence: u32) {
        let ahead = i64::from(sequence.wrapping_sub(self.sequence) as i32);
        let place = self.next.saturating_add_signed(ahead);
        let is_far = ahead > FAR as i64;
        if !is_far && place > self.acknowledged {
            self.is_single_step = place == self.acknowledged + 1;
            self.acknowledged = place;
        }
    }

    /// Is told where the sender ends.
    pub fn finish(&mut self, sequence: u32) {
        if let Some(place) = self.place(sequence) {
            self.end.get_or_insert(place);
        }
    }

    /// Whether the sender has ended and everything went out.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Whether the sender has said that it ends, though not everything may be there.
    pub fn is_finishing(&self) -> bool {
        self.end.is_some()
    }

    /// Whether bytes are missing that others wait for or that the other side has.
    #[inline]
    pub fn has_hole(&self) -> bool {
        !self.waiting.is_empty() || self.unseen() > 0 || self.end.is_some_and(|end| end > self.next)
    }

    /// Whether the next byte is missing although the other side has it.
    pub fn is_lost(&self) -> bool {
        self.unseen() > 0
    }

    /// Whether the other side has said how far it has received.
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged > 0
    }

    /// Gives up waiting for what the other side has, and hands on what follows.
    pub fn give_up_lost(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        let unseen = self.unseen();
        if unseen > 0 {
            self.gap(unseen, out);
        }
    }

    /// Gives up waiting for whatever is missing.
    pub fn give_up(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        while !self.waiting.is_empty() {
            self.skip(out);
        }
        self.give_up_lost(out);
        if let Some(missing) = self.end.and_then(|end| end.checked_sub(self.next)).filter(|&missing| missing > 0) {
            self.gap(missing, out);
        }
    }

    /// Returns how many bytes are needed for what waits.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Returns the sequence number of the next byte.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Returns what happened besides.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns where a sequence number lies; `None` if it is too far ahead to be meant.
    fn place(&self, sequence: u32) -> Option<u64> {
        let ahead = i64::from(sequence.wrapping_sub(self.sequence) as i32);
        let place = self.next.checked_add_signed(ahead)?;
        (ahead <= FAR as i64 || place <= self.acknowledged).then_some(place)
    }

    /// Returns how many bytes the other side has that are not there. The end of a direction counts as one in
    /// acknowledgements: a single one at the end is no byte.
    fn unseen(&self) -> u64 {
        let first = self.waiting.keys().next().copied();
        let end = first.or(self.end).unwrap_or(u64::MAX);
        let unseen = self.acknowledged.min(end).saturating_sub(self.next);
        match unseen {
            _ if first.or(self.end).is_some() => unseen,
            1.. if unseen == 1 || self.is_single_step => unseen - 1,
            _ => unseen,
        }
    }

    #[inline]
    fn hand_on(&mut self, bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        self.advance(bytes.len() as u64);
        self.remember(bytes);
        out(Piece::Data(bytes));
    }

    fn gap(&mut self, length: u64, out: &mut dyn FnMut(Piece<'_>)) {
        self.advance(length);
        self.recent.clear();
        out(Piece::Gap(length));
        self.hand_on_waiting(out);
    }

    /// Gives up the first hole.
    fn skip(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some(&first) = self.waiting.keys().next() {
            self.gap(first - self.next, out);
        }
    }

    #[inline]
    fn advance(&mut self, length: u64) {
        self.next += length;
        // sequence numbers wrap around
        self.sequence = self.sequence.wrapping_add(length as u32);
    }

    fn out_of_order(&mut self, start: u64, bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        let end = start + bytes.len() as u64;
        let mut at = start;
        if at < self.next {
            let known = (self.next.min(end) - at) as usize;
            self.compare(at, &bytes[..known]);
            at = self.next;
        }
        if at >= end {
            return;
        }
        if at == self.next && self.waiting.keys().next().is_none_or(|&first| first >= end) {
            self.hand_on(&bytes[(at - start) as usize..], out);
            self.hand_on_waiting(out);
            return;
        }
        self.counts.out_of_order += 1;
        self.wait(at, &bytes[(at - start) as usize..]);
        self.hand_on_waiting(out);
    }

    /// Keeps what is new of some bytes.
    fn wait(&mut self, start: u64, bytes: &[u8]) {
        let end = start + bytes.len() as u64;
        let slice = |from: u64, to: u64| &bytes[(from - start) as usize..(to - start) as usize];
        let before = self.waiting.range(..=start).next_back().map_or(start, |(&at, _)| at);
        let mut at = start;
        let mut new = Vec::new();
        for (&known, old) in self.waiting.range((Bound::Included(before), Bound::Excluded(end))) {
            let known_end = known + old.len() as u64;
            if known_end <= at {
                continue;
            }
            if at < known {
                new.push((at, known));
                at = known;
            }
            let to = known_end.min(end);
            let same = &old[(at - known) as usize..(to - known) as usize];
            self.counts.repeated += to - at;
            self.counts.different += differences(same, slice(at, to));
            at = to;
        }
        if at < end {
            new.push((at, end));
        }
        for (from, to) in new {
            self.held += (to - from) as usize + OVERHEAD;
            self.waiting.insert(from, slice(from, to).to_vec());
        }
    }

    fn hand_on_waiting(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() <= self.next) {
            let bytes = first.remove();
            self.held -= bytes.len() + OVERHEAD;
            self.hand_on(&bytes, out);
        }
    }

    /// Compares bytes that came again with what went out.
    fn compare(&mut self, start: u64, bytes: &[u8]) {
        self.counts.repeated += bytes.len() as u64;
        let recent = self.next - self.recent.len() as u64;
        let from = start.max(recent);
        let again = bytes.get((from - start) as usize..).unwrap_or_default();
        let known = self.recent.get((from - recent) as usize..).unwrap_or_default();
        self.counts.different += differences(known, again);
    }

    /// Keeps the last bytes, to compare others with.
    #[inline]
    fn remember(&mut self, bytes: &[u8]) {
        if self.recent.len() + bytes.len() > 2 * REMEMBERED {
            let keep = REMEMBERED.saturating_sub(bytes.len()).min(self.recent.len());
            self.recent.drain(..self.recent.len() - keep);
        }
        self.recent.extend_from_slice(&bytes[bytes.len().saturating_sub(REMEMBERED)..]);
    }
}

fn differences(old: &[u8], new: &[u8]) -> u64 {
    if old.len() == new.len() && old == new {
        return 0;
    }
    old.iter().zip(new).filter(|(old, new)| old != new).count() as u64
}

/// Where streams begin: what comes before the first byte has a place too.
const START: u64 = 1 << 40;
/// How far ahead a segment may be that nobody has acknowledged.
const FAR: u64 = 64 << 20;
/// Memory that a waiting segment takes besides its bytes, about.
const OVERHEAD: usize = 96;
/// How many bytes are kept to be compared with others that claim their place.
const REMEMBERED: usize = 4096;

/// Puts segments in order as `input` says, and checks that every byte that comes out is the one of its place, and that nothing
/// waits in the end. Three bytes are a step: where a segment begins in a stream of 4096 bytes, and how long it is; with the
/// highest bit set the other side has received as far as there. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_segments(input: &[u8]) {
    let Some((start, steps)) = input.split_first_chunk::<4>() else { return };
    let start = u32::from_le_bytes(*start);
    let original: Vec<u8> = (0..4096u32 + 255).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut stream = Stream::new(start);
    let mut at = 0usize;
    let mut out = |piece: Piece<'_>| match piece {
        Piece::Data(bytes) => {
            assert_eq!(original.get(at..at + bytes.len()), Some(bytes), "other bytes at {at}");
            at += bytes.len();
        }
        Piece::Gap(length) => {
            assert!(length > 0, "an empty gap at {at}");
            at += length as usize;
        }
    };
    for &[low, high, length] in steps.as_chunks::<3>().0 {
        let place = usize::from(u16::from_le_bytes([low, high]) & 0x0fff);
        let sequence = start.wrapping_add(place as u32);
        match high >> 6 {
            0 | 1 => stream.segment(sequence, &original[place..place + usize::from(length)], 2000, &mut out),
            2 => stream.acknowledge(sequence),
            _ if length == 0 => stream.give_up_lost(&mut out),
            _ => {}
        }
        assert!(stream.held() <= 2000, "more waits than may");
    }
    stream.give_up(&mut out);
    assert_eq!((stream.held(), stream.sequence()), (0, start.wrapping_add(at as u32)));
    assert_eq!(stream.counts().different, 0, "all bytes are the same");
}
