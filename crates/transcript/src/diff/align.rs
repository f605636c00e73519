//! Aligns two sequences: what is alike stays together, in order.
//!
//! Equal ends are taken off, then what is unique and equal on both sides anchors the rest (patience), and what lies between
//! the anchors is aligned by cost: as a whole if it is small, else through a window that moves along. Work and memory grow
//! with the length of the sequences, whatever they hold.

use std::collections::HashMap;
use std::ops::Range;

/// What an element is, from the narrowest to the widest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Keys {
    /// The same for elements without a difference.
    pub(super) exact: u64,
    /// The same for elements that are about the same thing.
    pub(super) thing: u64,
    /// The same for elements that can be compared at all.
    pub(super) sort: u64,
}

/// Returns pairs of indices, rising on both sides, and how many steps it took.
pub(super) fn align(a: &[Keys], b: &[Keys]) -> (Vec<(usize, usize)>, u64) {
    let mut work = Work { a, b, pairs: Vec::new(), steps: 0 };
    // ranges that are still to be aligned, with how often they were cut
    let mut open = vec![(0..a.len(), 0..b.len(), 0)];
    while let Some((ours, theirs, depth)) = open.pop() {
        let (ours, theirs) = work.strip(ours, theirs);
        if ours.is_empty() || theirs.is_empty() {
            continue;
        }
        let anchors = if depth < DEEPEST { work.anchors(&ours, &theirs) } else { Vec::new() };
        if anchors.is_empty() {
            work.window(ours, theirs);
            continue;
        }
        let mut start = (ours.start, theirs.start);
        for (our, their) in anchors.into_iter().chain([(ours.end, theirs.end)]) {
            open.push((start.0..our, start.1..their, depth + 1));
            if our < ours.end {
                work.pairs.push((our, their));
            }
            start = (our + 1, their + 1);
        }
    }
    work.pairs.sort_unstable();
    (work.pairs, work.steps)
}

struct Work<'a> {
    a: &'a [Keys],
    b: &'a [Keys],
    pairs: Vec<(usize, usize)>,
    steps: u64,
}

impl Work<'_> {
    /// Pairs what is equal at both ends, and returns what is left.
    fn strip(&mut self, mut ours: Range<usize>, mut theirs: Range<usize>) -> (Range<usize>, Range<usize>) {
        let is_equal = |our: usize, their: usize| self.a[our].exact == self.b[their].exact;
        while !ours.is_empty() && !theirs.is_empty() && is_equal(ours.start, theirs.start) {
            self.pairs.push((ours.start, theirs.start));
            self.steps += 1;
            (ours.start, theirs.start) = (ours.start + 1, theirs.start + 1);
        }
        while !ours.is_empty() && !theirs.is_empty() && is_equal(ours.end - 1, theirs.end - 1) {
            self.pairs.push((ours.end - 1, theirs.end - 1));
            self.steps += 1;
            (ours.end, theirs.end) = (ours.end - 1, theirs.end - 1);
        }
        (ours, theirs)
    }

    /// Returns the longest rising sequence of elements that are unique on both sides.
    fn anchors(&mut self, ours: &Range<usize>, theirs: &Range<usize>) -> Vec<(usize, usize)> {
        self.steps += (ours.len() + theirs.len()) as u64;
        if ours.len().saturating_mul(theirs.len()) <= SMALL {
            return Vec::new();
        }
        // how often on either side, and where
        let mut seen: HashMap<u64, (u32, u32, usize, usize)> = HashMap::new();
        for index in ours.clone() {
            let entry = seen.entry(self.a[index].exact).or_default();
            (entry.0, entry.2) = (entry.0 + 1, index);
        }
        for index in theirs.clone() {
            let entry = seen.entry(self.b[index].exact).or_default();
            (entry.1, entry.3) = (entry.1 + 1, index);
        }
        let unique = |entry: &&(u32, u32, usize, usize)| (entry.0, entry.1) == (1, 1);
        let mut pairs: Vec<(usize, usize)> = seen.values().filter(unique).map(|entry| (entry.2, entry.3)).collect();
        pairs.sort_unstable();
        rising(&pairs)
    }

    /// Aligns by cost through a window: the first half of what it finds holds, then it moves on.
    fn window(&mut self, mut ours: Range<usize>, mut theirs: Range<usize>) {
        loop {
            let part = ours.start..ours.end.min(ours.start + WINDOW);
            let other = theirs.start..theirs.end.min(theirs.start + WINDOW);
            let is_last = part.end == ours.end && other.end == theirs.end;
            let found = self.cheapest(&part, &other);
            if is_last {
                self.pairs.extend(found);
                return;
            }
            let half = (part.start + part.len().div_ceil(2), other.start + other.len().div_ceil(2));
            let keep = found.iter().take_while(|(our, their)| *our < half.0 && *their < half.1).count();
            self.pairs.extend(&found[..keep]);
            // what comes next, or the half of the window in which nothing is alike
            let (our, their) = found.get(keep).copied().unwrap_or(half);
            let next = (our.min(half.0), their.min(half.1));
            let last = found[..keep].last().map_or((part.start, other.start), |(our, their)| (our + 1, their + 1));
            let next = (next.0.max(last.0), next.1.max(last.1));
            let is_stuck = next == (ours.start, theirs.start);
            (ours.start, theirs.start) = if is_stuck { half } else { next };
            if ours.is_empty() || theirs.is_empty() {
                return;
            }
        }
    }

    /// Returns the cheapest alignment of two short ranges.
    fn cheapest(&mut self, ours: &Range<usize>, theirs: &Range<usize>) -> Vec<(usize, usize)> {
        let (height, width) = (ours.len(), theirs.len() + 1);
        self.steps += (height as u64 + 1) * width as u64;
        let mut costs = vec![0u32; (height + 1) * width];
        for row in (0..=height).rev() {
            for column in (0..width).rev() {
                let gaps = [
                    (row < height).then(|| costs[(row + 1) * width + column] + GAP),
                    (column + 1 < width).then(|| costs[row * width + column + 1] + GAP),
                ];
                let pair = (row < height && column + 1 < width)
                    .then(|| self.cost(ours.start + row, theirs.start + column))
                    .flatten()
                    .map(|cost| costs[(row + 1) * width + column + 1] + cost);
                costs[row * width + column] = gaps.into_iter().chain([pair]).flatten().min().unwrap_or(0);
            }
        }
        let (mut row, mut column) = (0, 0);
        let mut pairs = Vec::new();
        while row < height && column + 1 < width {
            let cost = costs[row * width + column];
            let pair = self.cost(ours.start + row, theirs.start + column);
            if pair.is_some_and(|pair| cost == costs[(row + 1) * width + column + 1] + pair) {
                pairs.push((ours.start + row, theirs.start + column));
                (row, column) = (row + 1, column + 1);
            } else if cost == costs[(row + 1) * width + column] + GAP {
                row += 1;
            } else {
                column += 1;
            }
        }
        pairs
    }

    /// Returns what it costs to pair two elements, if they can be.
    fn cost(&self, our: usize, their: usize) -> Option<u32> {
        let (our, their) = (&self.a[our], &self.b[their]);
        match () {
            () if our.exact == their.exact => Some(0),
            () if our.thing == their.thing => Some(2 * GAP - 6),
            () if our.sort == their.sort => Some(2 * GAP - 1),
            () => None,
        }
    }
}

/// Returns the longest sequence of pairs that rises on both sides; `pairs` rises in the first.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // the smallest end of a sequence of each length, and what stands before each pair
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (index, (_, their)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *their);
        before.push(length.checked_sub(1).map(|length| ends[length]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut at = ends.last().copied();
    let mut found = Vec::with_capacity(ends.len());
    while let Some(index) = at {
        found.push(pairs[index]);
        at = before[index];
    }
    found.reverse();
    found
}

/// What it costs to leave an element alone.
const GAP: u32 = 8;
/// How many pairs are small enough to be looked at one by one.
const SMALL: usize = 64 * 64;
/// How many elements of each side are looked at at once.
const WINDOW: usize = 192;
/// How often a range is cut at anchors.
const DEEPEST: u32 = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(values: impl IntoIterator<Item = u64>) -> Vec<Keys> {
        values.into_iter().map(|value| Keys { exact: value, thing: value / 10, sort: value / 100 }).collect()
    }

    fn pairs(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
        align(&keys(a.iter().copied()), &keys(b.iter().copied())).0
    }

    #[test]
    fn what_is_alike_is_paired_in_order() {
        assert_eq!(pairs(&[1, 2, 3], &[1, 2, 3]), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(pairs(&[101, 202, 303], &[101, 303]), [(0, 0), (2, 1)]);
        // the same thing is nearer than the same sort
        assert_eq!(pairs(&[11, 21], &[22]), [(1, 0)]);
        assert_eq!(pairs(&[11, 120], &[12, 12, 340]), [(0, 0)]);
        assert_eq!(pairs(&[], &[1]), []);
        assert_eq!(pairs(&[100], &[200]), []);
    }

    /// What an alignment costs.
    fn cost(a: &[u64], b: &[u64], pairs: &[(usize, usize)]) -> u32 {
        let (ours, theirs) = (keys(a.iter().copied()), keys(b.iter().copied()));
        let work = Work { a: &ours, b: &theirs, pairs: Vec::new(), steps: 0 };
        let paired: u32 = pairs.iter().map(|(our, their)| work.cost(*our, *their).unwrap()).sum();
        paired + GAP * (a.len() + b.len() - 2 * pairs.len()) as u32
    }

    /// A generator of numbers, always the same.
    fn numbers(mut seed: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        }
    }

    #[test]
    fn work_grows_with_the_length_whatever_the_sequences_hold() {
        let mut random = numbers(7);
        let length = 20_000;
        let same: Vec<u64> = (0..length).collect();
        let shuffled: Vec<u64> = {
            let mut list = same.clone();
            (1..list.len()).for_each(|at| list.swap(at, random(at as u64 + 1) as usize));
            list
        };
        let few: Vec<u64> = (0..length).map(|_| random(3) * 100).collect();
        let others: Vec<u64> = (0..length).map(|_| random(3) * 100 + 50).collect();
        let edited: Vec<u64> = same.iter().filter(|value| *value % 7 > 0).map(|value| value * 10 / 9).collect();
        let strange: Vec<u64> = (0..length).map(|value| value * 1000 + 10_000_000_000).collect();
        let (fives, sevens) = (vec![500; 20_000], vec![777; 10_000]);
        for (a, b) in [
            (&same, &same),
            (&same, &shuffled),
            (&few, &others),
            (&same, &edited),
            (&same, &strange),
            (&fives, &sevens),
            (&few, &same),
        ] {
            let (a, b) = (keys(a.iter().copied()), keys(b.iter().copied()));
            let (pairs, steps) = align(&a, &b);
            let most = 1000 * (a.len() + b.len()) as u64;
            assert!(steps < most, "{steps} steps, {} pairs", pairs.len());
            assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
        }
    }

    proptest! {
        #[test]
        fn an_alignment_rises_and_is_the_same_from_either_side(
            a in proptest::collection::vec(0u64..400, 0..60),
            b in proptest::collection::vec(0u64..400, 0..60),
        ) {
            let found = pairs(&a, &b);
            prop_assert!(found.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert!(found.iter().all(|(our, their)| a[*our] / 100 == b[*their] / 100));
            let turned: Vec<(usize, usize)> = pairs(&b, &a).into_iter().map(|(their, our)| (our, their)).collect();
            prop_assert_eq!(cost(&a, &b, &turned), cost(&a, &b, &found));
        }

        #[test]
        fn what_is_taken_out_is_all_that_is_missing(
            list in proptest::collection::vec(0u64..1000, 1..300), at in 0usize..300,
        ) {
            let at = at % list.len();
            let mut shorter = list.clone();
            shorter.remove(at);
            let found = pairs(&list, &shorter);
            prop_assert_eq!(found.len(), shorter.len());
            prop_assert!(found.iter().all(|(our, their)| list[*our] == shorter[*their]));
        }
    }
}
