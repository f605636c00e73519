//! The net: finds any of many values in any encoding.
//!
//! Values are searched without regard to case, as text, UTF-16 and (GUIDs) bytes, in the data as it stands and in every
//! [view](mod@views) of it: without percent-encoding, without entities, and out of base64 at each of its alignments.
//!
//! What is short would be found everywhere. So a value counts only between characters that could not belong to it, and a
//! kind has a shortest length below which its values are not searched for; the audit of places has none (`names.rs`).

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::classes::is_filler;
use super::kind::Kind;
use super::names::Names;
pub(super) use views::entities;
use views::views;

mod forms;
mod views;

/// A search for all values at once.
#[derive(Debug)]
pub(super) struct Net {
    search: Option<AhoCorasick>,
    needles: Vec<Needle>,
    /// How many values there were when it was made.
    values: usize,
}

/// One form of one value.
#[derive(Clone, Debug)]
struct Needle {
    kind: Kind,
    bytes: Vec<u8>,
    border: Border,
    /// What takes its place in a text that stays; `None` for a form that is only searched for.
    replacement: Option<String>,
}

/// What must not stand beside a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Border {
    /// Anything may.
    Free,
    /// Letters, digits, anything beyond ASCII.
    Word,
    /// What would make another account of it.
    Account,
    /// What would make another domain of it: letters and digits behind.
    Domain,
    /// Digits.
    Number,
    /// What would make another IP address of it.
    Ip,
}

/// Where a value was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hit {
    /// What it is.
    pub(super) kind: Kind,
    /// How many bytes it has.
    pub(super) length: usize,
    /// Its first byte.
    pub(super) first: u8,
    /// Whether it is a part of an account in quotes, as attributes have it.
    pub(super) is_quoted: bool,
    needle: usize,
    start: usize,
}

impl Net {
    /// Makes a net of all values that are not pseudonyms.
    pub(super) fn new(names: &Names) -> Net {
        let mut needles = Vec::new();
        for (kind, key, entry) in names.entries() {
            let is_itself = kind.key(&entry.pseudonym) == key;
            if !is_itself && !names.is_issued(kind, key) && !is_filler(key) {
                forms::add(&mut needles, names, kind, key, &entry.original, &entry.pseudonym);
            }
        }
        let kept: Vec<Vec<u8>> = names.kept().flat_map(forms::of_account).collect();
        // what stands in an account that stays is no secret: its owner's name is often the part before the @
        let is_in_kept = |needle: &Needle| kept.iter().any(|kept| needle.is_in(kept));
        needles.retain(|needle| !needle.bytes.is_empty() && !is_in_kept(needle));
        let patterns = needles.iter().map(|needle| &needle.bytes);
        let built = AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(patterns);
        let search = if needles.is_empty() { None } else { built.ok() };
        Net { search, needles, values: names.len() }
    }

    /// Whether values were met since it was made.
    pub(super) fn is_old(&self, names: &Names) -> bool {
        self.values != names.len()
    }

    /// Returns the kind and place of every value that `bytes` hold in any encoding; each kind once.
    pub(super) fn search(&self, bytes: &[u8]) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        views(bytes, 0, &mut |view, is_base64| {
            for hit in self.hits(view) {
                // five letters turn up in what base64 makes of other things
                let counts = !is_base64 || hit.length >= SHORTEST_IN_BASE64;
                let is_known = hits.iter().any(|known| (known.kind, known.is_quoted) == (hit.kind, hit.is_quoted));
                if counts && !is_known {
                    hits.push(hit);
                }
            }
        });
        hits
    }

    /// Returns a text with every value in it replaced; `None` if it has none.
    pub(super) fn replace(&self, text: &str) -> Option<String> {
        let mut hits: Vec<(Range<usize>, &str)> = self
            .hits(text.as_bytes())
            .filter_map(|hit| {
                let replacement = self.needles[hit.needle].replacement.as_deref()?;
                Some((hit.start..hit.start + hit.length, replacement))
            })
            .collect();
        if hits.is_empty() {
            return None;
        }
        // the longest of those that overlap
        hits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, replacement) in hits {
            if range.start >= at {
                out.push_str(text.get(at..range.start)?);
                out.push_str(replacement);
                at = range.end;
            }
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }

    fn hits<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Hit> + 'a {
        let found = self.search.iter().flat_map(move |search| search.find_overlapping_iter(bytes));
        found.filter_map(move |found| {
            let index = found.pattern().as_usize();
            let needle = &self.needles[index];
            let (start, end) = (found.start(), found.end());
            let hit = Hit {
                kind: needle.kind,
                length: end - start,
                first: bytes[start],
                is_quoted: needle.is_quoted(),
                needle: index,
                start,
            };
            needle.border.holds(&bytes[..start], &bytes[end..]).then_some(hit)
        })
    }
}

impl Needle {
    /// Whether it would be found there.
    fn is_in(&self, bytes: &[u8]) -> bool {
        let length = self.bytes.len();
        let mut places = bytes.windows(length).enumerate();
        places.any(|(at, window)| {
            window.eq_ignore_ascii_case(&self.bytes) && self.border.holds(&bytes[..at], &bytes[at + length..])
        })
    }

    fn is_quoted(&self) -> bool {
        matches!(self.bytes.first(), Some(b'"' | b'\''))
    }
}

impl Border {
    fn holds(self, before: &[u8], after: &[u8]) -> bool {
        let (left, right) = (before.last().copied(), after.first().copied());
        let beyond = after.get(1).copied();
        let is_word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80);
        // what is played is told with \0 between its parts
        let left = if before.ends_with(b"\\0") { None } else { left };
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        // a dot ends a sentence, or joins what is behind it
        let goes_on = is_word(right) || right == Some(b'.') && is_word(beyond);
        match self {
            Border::Free => true,
            Border::Word => !is_word(left) && !is_word(right),
            Border::Account => {
                let joins = |byte: Option<u8>| is_word(byte) || byte.is_some_and(|byte| b"._+-".contains(&byte));
                !joins(left) && !goes_on
            }
            Border::Domain => !goes_on,
            Border::Number => !is_digit(left) && !is_digit(right),
            Border::Ip => {
                let joins = |dot: Option<u8>, next: Option<u8>| dot == Some(b'.') && is_digit(next);
                let further = before.len().checked_sub(2).map(|at| before[at]);
                !is_word(left) && !is_word(right) && !joins(right, beyond) && !joins(left, further)
            }
        }
    }
}

const SHORTEST_IN_BASE64: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_tell_a_value_from_a_longer_one() {
        assert!(Border::Account.holds(b"<", b">"));
        assert!(Border::Account.holds(b"1:", b"."));
        assert!(!Border::Account.holds(b"bo", b""));
        assert!(!Border::Account.holds(b"", b".br"));
        assert!(!Border::Ip.holds(b"1", b""));
        assert!(!Border::Ip.holds(b"1.", b""));
        assert!(Border::Ip.holds(b"at ", b"."));
        assert!(!Border::Word.holds("é".as_bytes(), b""));
    }
}
