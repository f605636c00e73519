//! Text without its content: letters become `x`, digits `0`; every character keeps its length in bytes.

/// Replaces letters by `x` and digits by `0`. Letters beyond ASCII become an x of as many bytes, other signs stay.
pub(super) fn class(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { filler(c) } else { c }).collect()
}

/// Replaces the letters and digits of bytes in an unknown character set.
pub(super) fn class_bytes(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => class(text).into_bytes(),
        Err(_) => bytes
            .iter()
            .map(|byte| match byte {
                b'0'..=b'9' => b'0',
                byte if byte.is_ascii_alphabetic() || *byte >= 0x80 => b'x',
                byte => *byte,
            })
            .collect(),
    }
}

/// Returns as many `x` as there are bytes.
pub(super) fn blank(bytes: &[u8]) -> Vec<u8> {
    vec![b'x'; bytes.len()]
}

/// Returns as many `*` as there are bytes, as the masks of a recording have it.
pub(super) fn stars(text: &str) -> String {
    "*".repeat(text.len())
}

/// Whether a value holds nothing that a redaction or mask did not put there.
pub(super) fn is_filler(value: &str) -> bool {
    value.chars().all(|c| matches!(c, 'x' | '0' | '*' | 'х' | 'ｘ' | '𝐱') || !c.is_alphanumeric())
}

fn filler(c: char) -> char {
    match c.len_utf8() {
        1 if c.is_ascii_digit() => '0',
        1 => 'x',
        2 => 'х',
        3 => 'ｘ',
        _ => '𝐱',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_signs_stay() {
        for text in ["Hi Bob, call 555!", "Grüße ☺", "你好 😀 𝔵", "", "a\r\nb\0"] {
            let classed = class(text);
            assert_eq!(classed.len(), text.len());
            assert_eq!(class(&classed), classed);
            assert!(is_filler(&classed));
        }
        assert_eq!(class("Hi Bob, call 555!"), "xx xxx, xxxx 000!");
        assert_eq!(class_bytes(b"Andr\xe9 7"), b"xxxxx 0");
    }
}
