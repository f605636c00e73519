//! What else bytes may say: without percent-encoding, without entities, and out of base64 at each of its alignments.

use std::borrow::Cow;
use std::ops::Range;

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
pub(in crate::redact) fn entities(bytes: &[u8]) -> Option<Vec<u8>> {
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
const SHORTEST_RUN: usize = 8;

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
}
