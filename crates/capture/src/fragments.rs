//! Puts IP packets together that were sent in fragments.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// What the fragments of one packet have in common: addresses, identification, protocol.
pub(crate) type Whole = (IpAddr, IpAddr, u32, u8);

/// A fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) whole: Whole,
    /// Where it begins in the whole.
    pub(crate) offset: usize,
    pub(crate) is_last: bool,
    pub(crate) bytes: &'a [u8],
}

/// The fragments that wait for others.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    waiting: HashMap<Whole, Parts>,
    /// Those that came first are forgotten first. Some may be gone already.
    order: VecDeque<(Whole, u64)>,
    held: usize,
    /// How many packets were given up.
    pub(crate) lost: u64,
}

#[derive(Debug)]
struct Parts {
    /// By where they begin, not overlapping.
    parts: Vec<(usize, Vec<u8>)>,
    /// Known once the last one is there.
    length: Option<usize>,
    since: u64,
    held: usize,
}

impl Fragments {
    /// Adds a fragment, and returns the whole if nothing of it is missing any more. Where two overlap, the first counts.
    pub(crate) fn add(&mut self, fragment: Fragment<'_>, time: u64) -> Option<Vec<u8>> {
        let end = fragment.offset + fragment.bytes.len();
        if end > LONGEST || fragment.bytes.is_empty() {
            return None;
        }
        self.forget(time);
        let order = &mut self.order;
        let parts = self.waiting.entry(fragment.whole).or_insert_with(|| {
            order.push_back((fragment.whole, time));
            Parts { parts: Vec::new(), length: None, since: time, held: 0 }
        });
        if fragment.is_last {
            parts.length.get_or_insert(end);
        }
        let added = parts.add(fragment.offset, fragment.bytes);
        self.held += added;
        let whole = parts.whole()?;
        let parts = self.waiting.remove(&fragment.whole)?;
        self.held -= parts.held;
        Some(whole)
    }

    /// Returns how many bytes wait.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Gives up the oldest ones while there are too many, and those that are too old.
    fn forget(&mut self, now: u64) {
        while let Some(&(whole, since)) = self.order.front() {
            let is_over = self.held > MOST_HELD || self.order.len() > MOST_WAITING;
            if !is_over && now.saturating_sub(since) < PATIENCE {
                break;
            }
            self.order.pop_front();
            if self.waiting.get(&whole).is_some_and(|parts| parts.since == since) {
                self.held -= self.waiting.remove(&whole).map_or(0, |parts| parts.held);
                self.lost += 1;
            }
        }
    }
}

impl Parts {
    /// Adds what is new, and returns how much that is.
    fn add(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let (mut at, end) = (offset, offset + bytes.len());
        let mut new = Vec::new();
        for (start, part) in &self.parts {
            if at < *start && at < end {
                new.push((at, end.min(*start)));
            }
            at = at.max(start + part.len());
        }
        if at < end {
            new.push((at, end));
        }
        let added = new.iter().map(|(start, end)| end - start).sum();
        for (start, end) in new {
            self.parts.push((start, bytes[start - offset..end - offset].to_vec()));
        }
        self.parts.sort_unstable_by_key(|(start, _)| *start);
        self.held += added;
        added
    }

    fn whole(&self) -> Option<Vec<u8>> {
        let length = self.length?;
        let mut whole = Vec::with_capacity(length);
        for (start, part) in &self.parts {
            if *start != whole.len() {
                return None;
            }
            whole.extend_from_slice(part);
        }
        whole.truncate(length);
        (whole.len() == length).then_some(whole)
    }
}

/// Longest packet.
const LONGEST: usize = 65_535;
/// Most bytes that wait.
const MOST_HELD: usize = 16 << 20;
/// Most packets that wait.
const MOST_WAITING: usize = 4096;
/// How long a packet waits for its fragments, in nanoseconds.
const PATIENCE: u64 = 30_000_000_000;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn whole(identification: u32) -> Whole {
        (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into(), identification, 6)
    }

    fn fragment(identification: u32, offset: usize, bytes: &[u8], is_last: bool) -> Fragment<'_> {
        Fragment { whole: whole(identification), offset, is_last, bytes }
    }

    #[test]
    fn where_two_overlap_the_first_counts() {
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(fragment(1, 8, b"BBBBBBBB", false), 0), None);
        assert_eq!(fragments.add(fragment(1, 0, b"aaaaaaaaaaaa", false), 0), None);
        assert_eq!(fragments.add(fragment(1, 8, b"ccccccccCC", true), 0).unwrap(), b"aaaaaaaaBBBBBBBBCC");
        assert_eq!(fragments.held(), 0);
    }

    #[test]
    fn what_never_becomes_whole_is_forgotten() {
        let mut fragments = Fragments::default();
        for number in 0..100_000 {
            assert_eq!(fragments.add(fragment(number, 0, &[0; 1400], false), 0), None);
            assert!(fragments.held() <= MOST_HELD + 1400);
        }
        assert!(fragments.lost > 80_000);
        assert_eq!(fragments.add(fragment(7, 0, b"a", false), PATIENCE * 2), None);
        assert_eq!(fragments.held(), 1);
    }

    proptest! {
        #[test]
        fn the_order_of_fragments_does_not_matter(
            bytes in prop::collection::vec(any::<u8>(), 1..200), order in any::<u64>(),
        ) {
            let mut pieces: Vec<(usize, &[u8])> = bytes.chunks(8).enumerate().map(|(i, piece)| (i * 8, piece)).collect();
            let last = pieces.len() - 1;
            pieces.push(pieces[order as usize % (last + 1)]);
            let count = pieces.len();
            for index in 0..count {
                pieces.swap(index, (order >> (index % 48)) as usize % count);
            }
            let mut fragments = Fragments::default();
            let mut found = None;
            for (offset, piece) in pieces {
                found = fragments.add(fragment(1, offset, piece, offset == last * 8), 0).or(found);
            }
            prop_assert_eq!(found.unwrap(), bytes);
        }
    }
}
