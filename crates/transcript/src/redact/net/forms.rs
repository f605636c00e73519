//! In which forms a value is searched for, and which values are too short or too common for that.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Border, Needle};
use crate::redact::classes::{is_filler, stars};
use crate::redact::kind::Kind;
use crate::redact::names::Names;
use crate::redact::pseudonym;
use crate::redact::table::{self, Place};

/// Adds the forms in which a value is searched for.
pub(super) fn add(needles: &mut Vec<Needle>, names: &Names, kind: Kind, key: &str, original: &str, pseudonym: &str) {
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

/// Returns the forms in which an account stands.
pub(super) fn of_account(account: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
    let whole = forms(Kind::Address, account, Border::Free, None);
    let local = account.split('@').next().map(|local| quoted(Kind::Address, local).collect()).unwrap_or_default();
    [whole, local].into_iter().flatten().map(|needle: Needle| needle.bytes)
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

/// Of the part of an account before the `@`, in quotes.
const SHORTEST_QUOTED: usize = 3;
const SHORTEST_IN_UTF16: usize = 5;
/// Letters and digits of a name that is searched for anywhere; shorter ones are audited in their places only.
const SHORTEST_WORD: usize = 4;
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
