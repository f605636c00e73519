//! Bytes that arrive in parts, in any order, more than once, or not at all.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

/// Bytes at their places. What is taken is what arrived: no place and no size that somebody claims costs memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parts {
    /// By place; they do not overlap.
    pieces: BTreeMap<u64, Vec<u8>>,
    len: u64,
}

/// What a piece costs beside its bytes.
const OVERHEAD: u64 = 64;

impl Parts {
    /// Puts bytes at a place. What is there already stays: the first to arrive wins.
    pub(super) fn insert(&mut self, start: u64, bytes: &[u8]) {
        let Some(end) = start.checked_add(bytes.len() as u64) else { return };
        for gap in self.gaps(start..end) {
            let from = (gap.start - start) as usize;
            let to = (gap.end - start) as usize;
            self.fill(gap.start, &bytes[from..to]);
        }
    }

    /// Puts bytes where nothing is. What follows is left alone: bytes that come last first would else be copied each time.
    fn fill(&mut self, start: u64, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        match self.pieces.range_mut(..start).next_back() {
            Some((at, piece)) if *at + piece.len() as u64 == start => piece.extend_from_slice(bytes),
            _ => _ = self.pieces.insert(start, bytes.to_vec()),
        }
    }

    /// Whether bytes at a place are the same as those that are there, as far as some are.
    pub(super) fn agrees(&self, start: u64, bytes: &[u8]) -> bool {
        let Some(end) = start.checked_add(bytes.len() as u64) else { return true };
        self.pieces.range(..end).rev().take_while(|(at, piece)| *at + piece.len() as u64 > start).all(|(&at, piece)| {
            let from = at.max(start);
            let to = (at + piece.len() as u64).min(end);
            piece[(from - at) as usize..(to - at) as usize] == bytes[(from - start) as usize..(to - start) as usize]
        })
    }

    /// Moves all down, so that `origin` becomes 0. What comes before it is dropped.
    pub(super) fn moved_down(self, origin: u64) -> Parts {
        let pieces = self.pieces.into_iter().filter_map(|(at, piece)| Some((at.checked_sub(origin)?, piece)));
        let pieces: BTreeMap<u64, Vec<u8>> = pieces.collect();
        let len = pieces.values().map(|piece| piece.len() as u64).sum();
        Parts { pieces, len }
    }

    /// Returns the places in a range where nothing is.
    pub(super) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        let first = self.pieces.range(..=range.start).next_back().map_or(range.start, |(&at, _)| at);
        for (&start, piece) in self.pieces.range(first..range.end.max(first)) {
            if start > at {
                gaps.push(at..start);
            }
            at = at.max(start + piece.len() as u64);
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Returns the pieces in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pieces.iter().map(|(&at, piece)| (at, &piece[..]))
    }

    /// Returns where the first byte is.
    pub(super) fn start(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(&at, _)| at)
    }

    /// Returns how many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Returns what it costs to keep them.
    pub(super) fn cost(&self) -> u64 {
        self.len + self.pieces.len() as u64 * OVERHEAD
    }

    /// Returns the first bytes, at most so many, as far as they are in one piece.
    pub(super) fn head(&self, most: usize) -> &[u8] {
        let first = self.pieces.get(&0).map_or(&[][..], Vec::as_slice);
        first.get(..most).unwrap_or(first)
    }

    /// Returns the bytes from 0 on, up to the first gap.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, piece) in self.pieces() {
            if at != bytes.len() as u64 {
                break;
            }
            bytes.extend_from_slice(piece);
        }
        bytes
    }

    /// Writes every piece at its place. What lies between is left out of the file where the system can.
    pub(super) fn write(&self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        for (at, piece) in self.pieces() {
            out.seek(SeekFrom::Start(at))?;
            out.write_all(piece)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_in_any_order_make_the_whole() {
        let mut parts = Parts::default();
        parts.insert(3, b"de");
        parts.insert(0, b"ab");
        assert_eq!(parts.gaps(0..8), [2..3, 5..8]);
        assert_eq!(parts.to_bytes(), b"ab");
        parts.insert(1, b"XcX");
        parts.insert(5, b"fgh");
        assert_eq!(parts.to_bytes(), b"abcdefgh");
        assert_eq!((parts.gaps(0..8), parts.len(), parts.head(2)), (Vec::new(), 8, &b"ab"[..]));
    }

    #[test]
    fn a_claimed_place_costs_nothing_and_overflows_nothing() {
        let mut parts = Parts::default();
        parts.insert(u64::MAX, b"ab");
        parts.insert(u64::MAX - 2, b"ab");
        assert_eq!((parts.len(), parts.cost()), (2, 66));
        let before = 0..u64::MAX - 2;
        assert_eq!(parts.gaps(0..u64::MAX), vec![before]);
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_where_the_first_of_it_said(
            parts in proptest::collection::vec((0u64..40, proptest::collection::vec(any::<u8>(), 0..12)), 0..20),
        ) {
            let mut expected = [None; 64];
            let mut found = Parts::default();
            for (start, bytes) in &parts {
                for (place, byte) in (*start..).zip(bytes) {
                    expected[place as usize].get_or_insert(*byte);
                }
                found.insert(*start, bytes);
                prop_assert!(found.agrees(*start, &[]));
            }
            let mut seen = [None; 64];
            let mut last = 0;
            for (at, piece) in found.pieces() {
                prop_assert!(last <= at && !piece.is_empty(), "pieces overlap");
                last = at + piece.len() as u64;
                prop_assert!(found.agrees(at, piece));
                (at..).zip(piece).for_each(|(place, byte)| seen[place as usize] = Some(*byte));
            }
            prop_assert_eq!(seen, expected);
            let missing: Vec<u64> = found.gaps(0..64).into_iter().flatten().collect();
            let holes: Vec<u64> = (0..64).filter(|&place| expected[place as usize].is_none()).collect();
            prop_assert_eq!(missing, holes);
        }
    }
}
