//! Text taken apart into what is compared as it stands, and what only stands for something.

use std::hash::{Hash, Hasher};

use super::volatile::{GUID, starts_with_guid, starts_with_time};

/// A part of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Atom<'a> {
    /// Bytes that are what they are.
    Plain(&'a [u8]),
    /// A GUID, without braces.
    Guid(&'a [u8]),
    /// A time of RFC 3339.
    Time(&'a [u8]),
    /// An account.
    Account(&'a [u8]),
}

/// Takes a text apart.
pub(super) fn atoms(text: &[u8]) -> Vec<Atom<'_>> {
    let mut atoms = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while at < text.len() {
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        let (found, length) = match next(&text[at..]) {
            (Some(found), length) => (found, length),
            (None, length) => {
                at += length;
                continue;
            }
        };
        if plain < at {
            atoms.push(Atom::Plain(&text[plain..at]));
        }
        atoms.push(found);
        at += length;
        plain = at;
    }
    if plain < text.len() {
        atoms.push(Atom::Plain(&text[plain..]));
    }
    atoms
}

/// Returns what a word is, and how many bytes it takes; or how many can be passed over.
fn next(text: &[u8]) -> (Option<Atom<'_>>, usize) {
    if starts_with_time(text) {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"T.:+-Z".contains(byte);
        let length = text.iter().take_while(|byte| is_part(byte)).count();
        return (Some(Atom::Time(&text[..length])), length);
    }
    let length = text.iter().take_while(|byte| is_word(**byte)).count();
    let word = &text[..length];
    if starts_with_guid(word) {
        return (Some(Atom::Guid(&word[..GUID])), GUID);
    }
    if word.contains(&b'@') {
        let address = &word[..word.iter().rposition(|byte| !b".-".contains(byte)).map_or(0, |last| last + 1)];
        let mut parts = address.split(|byte| *byte == b'@');
        let is_address = matches!((parts.next(), parts.next(), parts.next()), (Some([_, ..]), Some([_, ..]), None));
        return if is_address { (Some(Atom::Account(address)), address.len()) } else { (None, length) };
    }
    match (0..length).find(|&start| starts_with_guid(&word[start..])) {
        Some(start) => (None, start),
        None => (None, length),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-@".contains(&byte)
}

/// Feeds a text to a hash as it is compared: what only stands for something counts as that.
pub(super) fn hash(text: &[u8], account: &impl Fn(&[u8]) -> Vec<u8>, hasher: &mut impl Hasher) {
    for atom in atoms(text) {
        match atom {
            Atom::Plain(text) => text.hash(hasher),
            Atom::Guid(_) => b"guid".hash(hasher),
            Atom::Time(_) => b"time".hash(hasher),
            Atom::Account(address) => account(address).hash(hasher),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_guids_and_times_are_found_in_any_text() {
        let text = b"To: <msnmsgr:Bob@example.com;{A56B9148-1496-61cf-b95d-bddbe89b3ddf}>, 1:a+b@c.d. 2003-05-01T00:00:04.1Z a@b@c";
        assert_eq!(
            atoms(text),
            [
                Atom::Plain(b"To: <msnmsgr:"),
                Atom::Account(b"Bob@example.com"),
                Atom::Plain(b";{"),
                Atom::Guid(b"A56B9148-1496-61cf-b95d-bddbe89b3ddf"),
                Atom::Plain(b"}>, 1:"),
                Atom::Account(b"a+b@c.d"),
                Atom::Plain(b". "),
                Atom::Time(b"2003-05-01T00:00:04.1Z"),
                Atom::Plain(b" a@b@c"),
            ]
        );
        for text in [&b""[..], b"@", b"a@", b"@.", b"....@...", b"--", b"a56b9148-1496-61cf-b95d-bddbe89b3dd"] {
            let whole: Vec<u8> = atoms(text)
                .iter()
                .flat_map(|atom| match atom {
                    Atom::Plain(part) | Atom::Guid(part) | Atom::Time(part) | Atom::Account(part) => part.to_vec(),
                })
                .collect();
            assert_eq!(whole, text);
        }
    }
}
