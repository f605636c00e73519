//! The net: finds any of many values in any encoding.
//!
//! Values are searched without regard to case, as text, UTF-16 and (GUIDs) bytes, in the data as it stands and in every
//! [view](views) of it: without percent-encoding, without entities, and out of base64 at each of its alignments.
//!
//! What is short would be found everywhere. So a value counts only between characters that could not belong to it, and a
//! kind has a shortest length below which its values are not searched for; the audit of places has none (`names.rs`).

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::classes::{is_filler, stars};
use super::kind::Kind;
use super::names::Names;
use super::pseudonym;
use super::table::{self, Place};

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
            let is_kept = kind == Kind::Address && names.is_kept(key);
            if !is_itself && !is_kept && !names.is_issued(kind, key) && !is_filler(key) {
                add(&mut needles, names, kind, key, &entry.original, &entry.pseudonym);
            }
        }
        needles.retain(|needle: &Needle| !needle.bytes.is_empty());
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

/// Adds the forms in which a value is searched for.
fn add(needles: &mut Vec<Needle>, names: &Names, kind: Kind, key: &str, original: &str, pseudonym: &str) {
    let replacement = if kind.is_dropped() { stars(original) } else { pseudonym.to_owned() };
    let whole = Some(replacement.as_str());
    let mut text = |form: &str, border, replacement| needles.extend(forms(kind, form, border, replacement));
    match kind {
        Kind::Address => match key.rsplit_once('@') {
            Some((local, _)) => {
                text(key, Border::Account, whole);
                if is_common(local) || is_filler(local) || names.is_issued_local(local) || pseudonym::is_guid(local) {
                    return;
                }
                if is_telling(local, SHORTEST_LOCAL) {
                    text(local, Border::Word, pseudonym.split('@').next());
                }
                if is_telling(local, SHORTEST_QUOTED) {
                    needles.extend(quoted(kind, local));
                }
            }
            None if is_telling(key, SHORTEST_WORD) => text(key, Border::Word, whole),
            None => {}
        },
        Kind::Domain if key.contains('.') => {
            let bytes = format!("@{key}").into_bytes();
            needles.push(Needle { kind, bytes, border: Border::Domain, replacement: None });
            needles.extend(quoted(kind, key));
        }
        Kind::Name | Kind::Group | Kind::File if is_telling(original, SHORTEST_WORD) => {
            text(original.trim(), Border::Word, whole);
        }
        Kind::Personal if is_telling(original, SHORTEST_DETAIL) => text(original.trim(), Border::Word, whole),
        Kind::Guid => {
            text(key, Border::Word, whole);
            text(&key.replace('-', ""), Border::Word, None);
            let bytes = guid_bytes(key).unwrap_or_default();
            needles.push(Needle { kind, bytes, border: Border::Free, replacement: None });
        }
        Kind::Ticket if key.len() >= SHORTEST_TICKET => {
            text(key, Border::Free, whole);
            // any prefix lets in where servers compare only that
            if let Some(prefix) = key.get(..TICKET_PREFIX).filter(|_| key.len() > TICKET_PREFIX) {
                text(prefix, Border::Free, None);
            }
        }
        Kind::Cookie | Kind::Secret if is_telling(key, SHORTEST_SECRET) => text(key, Border::Word, whole),
        Kind::Hash if key.len() >= SHORTEST_TICKET => text(key, Border::Free, whole),
        Kind::Puid if key.len() >= SHORTEST_NUMBER => text(key, Border::Word, whole),
        Kind::Number if key.len() >= SHORTEST_NUMBER => {
            let is_decimal = key.bytes().all(|byte| byte.is_ascii_digit());
            text(key, if is_decimal { Border::Number } else { Border::Word }, whole);
        }
        Kind::Phone if key.len() >= SHORTEST_PHONE => {
            text(key, Border::Number, Some(pseudonym.trim_start_matches('+')));
            if original != key {
                text(original, Border::Number, whole);
            }
        }
        Kind::Ip => {
            text(key, Border::Ip, whole);
            let reversed: String = key.chars().rev().collect();
            text(&reversed, Border::Ip, None);
        }
        _ => {}
    }
}

/// Returns a form in the cases that the search does not fold, and in UTF-16, where there is no border to look at.
fn forms(kind: Kind, form: &str, border: Border, replacement: Option<&str>) -> Vec<Needle> {
    let mut forms = Vec::new();
    for form in cases(form) {
        if form.chars().count() >= SHORTEST_IN_UTF16 {
            let little: Vec<u8> = form.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = form.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let wide = |bytes| Needle { kind, bytes, border: Border::Free, replacement: None };
            forms.extend([wide(little), wide(big)]);
        }
        let replacement = replacement.map(str::to_owned);
        forms.push(Needle { kind, bytes: form.into_bytes(), border, replacement });
    }
    forms
}

/// A part of an account where it stands as an attribute of its own.
fn quoted(kind: Kind, part: &str) -> impl Iterator<Item = Needle> {
    ['"', '\''].into_iter().map(move |quote| {
        let bytes = format!("{quote}{part}{quote}").into_bytes();
        Needle { kind, bytes, border: Border::Free, replacement: None }
    })
}

/// Returns a text, and its other cases where they are not ASCII, which the search does not fold.
fn cases(text: &str) -> impl Iterator<Item = String> + use<> {
    let mut cases = vec![text.to_owned()];
    if !text.is_ascii() {
        cases.extend([text.to_lowercase(), text.to_uppercase()]);
        cases.dedup();
    }
    cases.into_iter()
}

/// Whether a value is long and rare enough to be searched for as a word.
fn is_telling(text: &str, shortest: usize) -> bool {
    if is_common(text) || is_filler(text) {
        return false;
    }
    let is_number = text.chars().all(|c| !c.is_alphabetic());
    text.chars().filter(|c| c.is_alphanumeric()).count() >= if is_number { SHORTEST_NUMBER } else { shortest }
}

/// Whether a text is a word that the protocol itself uses, or that pseudonyms are made of.
fn is_common(text: &str) -> bool {
    let text = text.to_lowercase();
    VOCABULARY.contains(&text) || text.strip_prefix("msnp").is_some_and(|number| number.parse::<u8>().is_ok())
}

/// The words of the tables, and of what is written beside them.
static VOCABULARY: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let places = table::ROWS.iter().flat_map(|row| match row.place {
        Place::Argument(name) | Place::Property(name) | Place::Slp(name) | Place::Element(name) => [name, row.verbs],
        Place::Header(content, name) | Place::Attribute(content, name) => [content, name],
        Place::Body(content) => [content, row.verbs],
        Place::Payload => ["", row.verbs],
    });
    let public = table::PUBLIC_ARGUMENTS.iter().chain(table::PUBLIC_HEADERS).copied();
    let verbs = msnp::table::ROWS.iter().flat_map(|row| [row.verb, row.arguments]);
    let all = places.chain(public).chain(verbs).chain(COMMON.split(' '));
    let words = all.flat_map(|text| {
        let parts = text.split(|c: char| !c.is_alphanumeric());
        parts.chain([text]).map(str::to_lowercase).collect::<Vec<_>>()
    });
    words.collect()
});

/// Returns a GUID as Windows has it in memory.
fn guid_bytes(key: &str) -> Option<Vec<u8>> {
    let number = u128::from_str_radix(&key.replace('-', ""), 16).ok()?;
    let mut bytes = number.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes.to_vec())
}

/// Calls `look` with `bytes` and with everything that decodes from them, and whether base64 was among it.
pub(super) fn views(bytes: &[u8], depth: usize, look: &mut impl FnMut(&[u8], bool)) {
    walk(bytes, depth, false, look);
}

fn walk(bytes: &[u8], depth: usize, is_base64: bool, look: &mut impl FnMut(&[u8], bool)) {
    look(bytes, is_base64);
    if depth >= DEEPEST {
        return;
    }
    if let Cow::Owned(decoded) = msnp::argument::decode(bytes)
        && decoded != bytes
    {
        walk(&decoded, depth + 1, is_base64, look);
    }
    if let Some(decoded) = entities(bytes) {
        walk(&decoded, depth + 1, is_base64, look);
    }
    if !is_base64 {
        for run in runs(bytes) {
            // where in the run the alphabet begins is not known: text before it may belong to it
            for offset in 0..4 {
                let decoded = base64(run.get(offset..).unwrap_or_default());
                walk(&decoded, depth.max(DEEPEST - 2) + 1, true, look);
            }
        }
    }
}

/// Resolves the entities of XML; `None` if there is none.
pub(super) fn entities(bytes: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'&', bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let end = rest.iter().take(12).position(|&byte| byte == b';');
        match end.and_then(|end| Some((end, character(std::str::from_utf8(&rest[1..end]).ok()?)?))) {
            Some((end, c)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
                changed = true;
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    changed.then_some(out)
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// Returns the runs of characters of base64 that are long enough to hold a value; a line end does not end one.
fn runs(bytes: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut runs: Vec<Cow<'_, [u8]>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|&&byte| is_digit(byte)).count();
        if length > 0 {
            open = Some(open.map_or(at, |open| open.start)..at + length);
            at += length;
            continue;
        }
        let is_line_end = matches!(bytes[at], b'\r' | b'\n');
        if !is_line_end {
            push_run(&mut runs, bytes, open.take());
        }
        at += 1;
    }
    push_run(&mut runs, bytes, open);
    runs
}

fn push_run<'a>(runs: &mut Vec<Cow<'a, [u8]>>, bytes: &'a [u8], open: Option<Range<usize>>) {
    let Some(run) = open.filter(|run| run.len() >= SHORTEST_RUN) else { return };
    let run = &bytes[run];
    if run.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        runs.push(Cow::Owned(run.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()));
    } else {
        runs.push(Cow::Borrowed(run));
    }
}

fn base64(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for &byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

const DEEPEST: usize = 3;
/// Of the part of an account before the `@`, in quotes.
const SHORTEST_QUOTED: usize = 3;
const SHORTEST_RUN: usize = 8;
const SHORTEST_IN_BASE64: usize = 6;
const SHORTEST_IN_UTF16: usize = 5;
/// Letters and digits of a name that is searched for anywhere; shorter ones are audited in their places only.
pub(super) const SHORTEST_WORD: usize = 4;
const SHORTEST_DETAIL: usize = 5;
/// Of the part of an account before the `@`, standing alone.
const SHORTEST_LOCAL: usize = 6;
const SHORTEST_SECRET: usize = 6;
const SHORTEST_TICKET: usize = 8;
const TICKET_PREFIX: usize = 20;
/// Digits of a number: below, counts and times would be taken for it.
const SHORTEST_NUMBER: usize = 8;
const SHORTEST_PHONE: usize = 7;

/// Words that the protocol uses itself. A person of that name is replaced where names stand, and not searched for elsewhere.
const COMMON: &str = "\
    ack active address admin agent alias allow application available away away. block body bsy busy caps chunk \
    chunks circle circles client close code command config contact contacts context control cookie country data \
    default device domain email endpoint error example false file flags friend friends from full gateway gender \
    group groups guest hello hidden home host hotmail html http https icon idle image info invite ipv4 ipv6 kind \
    lang lcid length list live local location login mail master media member message messages messaging messenger \
    microsoft mime mobile mode msmsgs msnmsgr msnobj msnslp music name names network nln none note notification null \
    number object offline online options partial passport password path person phone plain policies policy port \
    presence profile publication push redirect reliability reply ringing root roster routing segment server service \
    session shields sign size snm software sound state status stream system test text ticket time timeout title true \
    type typing unknown user users version video voice webmaster windows winnt work";

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8], wanted: &[u8]) -> bool {
        let mut found = false;
        views(bytes, 0, &mut |view, _| found |= memchr::memmem::find(view, wanted).is_some());
        found
    }

    #[test]
    fn values_are_seen_through_every_encoding() {
        assert!(seen(b"a%62c%40d", b"abc@d"));
        assert!(seen(b"&#98;ob&#x40;x &amp;", b"bob@x &"));
        assert!(seen(b"%26%2398%3Bob", b"bob"));
        use ::base64::Engine;
        for before in ["", "1", "22", "333"] {
            let encoded = ::base64::engine::general_purpose::STANDARD.encode(format!("{before}bob@example.org..."));
            assert!(seen(format!("Context: {encoded}\r\n").as_bytes(), b"bob@example.org"));
            let (one, two) = encoded.split_at(9);
            assert!(seen(format!("x{one}\r\n{two}").as_bytes(), b"bob@example.org"));
        }
    }

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
