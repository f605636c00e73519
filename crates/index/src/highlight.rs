//! Shows where the words of a query stand in text that is drawn for a terminal.

use std::ops::Range;

use crate::query::{Term, words};

/// Puts `start` and `end` around every place where a term stands. Escape sequences of the terminal are passed over, and
/// what is percent-encoded is found as well. Returns the text and how many places there are.
pub fn highlight(text: &str, terms: &[Term], start: &str, end: &str) -> (String, usize) {
    let found = places(text, terms);
    let mut out = String::with_capacity(text.len() + found.len() * (start.len() + end.len()));
    let mut at = 0;
    for place in &found {
        out.push_str(&text[at..place.start]);
        out.push_str(start);
        out.push_str(&text[place.clone()]);
        out.push_str(end);
        at = place.end;
    }
    out.push_str(&text[at..]);
    (out, found.len())
}

/// Returns where terms stand, in order and without overlap.
fn places(text: &str, terms: &[Term]) -> Vec<Range<usize>> {
    let tokens = tokens(text);
    let mut places = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let length = terms.iter().filter_map(|term| matches(&tokens[at..], term)).max();
        if let Some(length) = length.filter(|&length| length > 0) {
            places.push(tokens[at].range.start..tokens[at + length - 1].range.end);
            at += length;
        } else {
            at += 1;
        }
    }
    places
}

fn matches(tokens: &[Token], term: &Term) -> Option<usize> {
    let length = term.words.len();
    let found = tokens.get(..length)?;
    let is_here = found.iter().zip(&term.words).enumerate().all(|(index, (token, word))| {
        let word = fold_all(word);
        if term.is_prefix && index + 1 == length { token.folded.starts_with(&word) } else { token.folded == word }
    });
    is_here.then_some(length)
}

/// A word of the text.
struct Token {
    folded: String,
    range: Range<usize>,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut open = false;
    for (c, range) in characters(text) {
        match c {
            Some(c) if c.is_alphanumeric() => {
                if !open {
                    tokens.push(Token { folded: String::new(), range: range.clone() });
                }
                open = true;
                if let Some(token) = tokens.last_mut() {
                    fold(c, &mut token.folded);
                    token.range.end = range.end;
                }
            }
            // a colour that changes within a word ends it, so that no highlight reaches over it
            _ => open = false,
        }
    }
    tokens
}

/// Returns the characters with their places; `None` for an escape sequence. `%C3%A9` is one character.
fn characters(text: &str) -> Vec<(Option<char>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (c, length) = match c {
            '\u{1b}' => (None, escape_length(rest)),
            '%' => match encoded(rest.as_bytes()) {
                Some((c, length)) => (Some(c), length),
                None => (Some('%'), 1),
            },
            c => (Some(c), c.len_utf8()),
        };
        found.push((c, at..at + length));
        at += length;
    }
    found
}

/// `ESC [ ... letter`
fn escape_length(text: &str) -> usize {
    match text.strip_prefix("\u{1b}[") {
        Some(rest) => {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            end.map_or(text.len(), |end| 2 + end + 1)
        }
        None => 1,
    }
}

/// Reads one character of UTF-8 that is percent-encoded.
fn encoded(text: &[u8]) -> Option<(char, usize)> {
    let byte = |index: usize| {
        let digits = text.get(index * 3..index * 3 + 3)?.strip_prefix(b"%")?;
        u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut bytes = Vec::new();
    for index in 0..4 {
        bytes.push(byte(index)?);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            return text.chars().next().map(|c| (c, bytes.len() * 3));
        }
    }
    None
}

fn fold_all(word: &str) -> String {
    let mut folded = String::new();
    words(word).flat_map(str::chars).for_each(|c| fold(c, &mut folded));
    folded
}

/// Lower case without accents, for the letters of Western and Central Europe.
fn fold(c: char, out: &mut String) {
    for c in c.to_lowercase() {
        out.push(ACCENTS.iter().find(|(letters, _)| letters.contains(c)).map_or(c, |(_, plain)| *plain));
    }
}

const ACCENTS: &[(&str, char)] = &[
    ("àáâãäåāăą", 'a'),
    ("çćĉċč", 'c'),
    ("ďđ", 'd'),
    ("èéêëēĕėęě", 'e'),
    ("ĝğġģ", 'g'),
    ("ìíîïĩīĭį", 'i'),
    ("ķ", 'k'),
    ("ĺļľ", 'l'),
    ("ñńņň", 'n'),
    ("òóôõöōŏő", 'o'),
    ("ŕŗř", 'r'),
    ("śŝşš", 's'),
    ("ţť", 't'),
    ("ùúûüũūŭůűų", 'u'),
    ("ýÿŷ", 'y'),
    ("źżž", 'z'),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;

    fn mark(text: &str, query: &str) -> String {
        highlight(text, Query::parse(query).unwrap().terms(), "[", "]").0
    }

    #[test]
    fn words_are_marked_whatever_their_case_and_accents() {
        assert_eq!(mark("MSG Bob says: BOB, caf\u{e9} bobby", "bob cafe"), "MSG [Bob] says: [BOB], [caf\u{e9}] bobby");
        assert_eq!(mark("photo photos phot", "photo*"), "[photo] [photos] phot");
        assert_eq!(mark("so long, so", "\"so long\""), "[so long], so");
        assert_eq!(mark("to bob@example.com now", "bob@example.com"), "to [bob@example.com] now");
    }

    #[test]
    fn what_is_encoded_or_coloured_is_found() {
        assert_eq!(mark("NLN a Caf%C3%A9%20Noir 0", "caf\u{e9} noir"), "NLN a [Caf%C3%A9]%20[Noir] 0");
        assert_eq!(mark("\u{1b}[1mMSG\u{1b}[0m m", "msg m"), "\u{1b}[1m[MSG]\u{1b}[0m [m]");
        assert_eq!(mark("100% of %zz %", "of zz"), "100% [of] %[zz] %");
    }
}
