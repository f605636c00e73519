//! Writes commands.

use std::fmt::Write;
use std::ops::Range;

use super::placeholder;
use crate::command::Command;

/// Returns the text form of a command: its line and the lines of its payload, each with its end.
pub fn write(command: &Command) -> String {
    let mut out = String::with_capacity(command.as_bytes().len() + 16);
    out.push_str(command.direction().arrow());
    out.push(' ');
    characters(&mut out, command.line());
    out.push_str(if command.eol() == b"\n" { "\\n\n" } else { "\n" });
    let payload = command.payload();
    let mut at = 0;
    for binary in binary_parts(payload) {
        text(&mut out, &payload[at..binary.start], true);
        hex(&mut out, &payload[binary.clone()]);
        at = binary.end;
    }
    text(&mut out, &payload[at..], false);
    out
}

/// Writes a part of a payload as lines of text.
fn text(out: &mut String, part: &[u8], goes_on: bool) {
    let mut lines = part.split_inclusive(|&byte| byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = !goes_on && lines.peek().is_none();
        let (content, end) = match line {
            [content @ .., b'\r', b'\n'] => (content, if is_last { "\\r\\n" } else { "" }),
            [content @ .., b'\n'] => (content, "\\n"),
            content => (content, if is_last { "" } else { "\\" }),
        };
        out.push_str(if content.is_empty() && end.is_empty() { "|" } else { "| " });
        characters(out, content);
        out.push_str(end);
        out.push('\n');
    }
}

fn hex(out: &mut String, part: &[u8]) {
    for row in part.chunks(16) {
        out.push(':');
        for byte in row {
            let _ = write!(out, " {byte:02x}");
        }
        out.push('\n');
    }
}

fn characters(out: &mut String, bytes: &[u8]) {
    let (bytes, space) = match bytes {
        [before @ .., b' '] => (before, "\\x20"),
        _ => (bytes, ""),
    };
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let rest = &bytes[at..];
            at += c.len_utf8();
            match c {
                '\\' => out.push_str("\\\\"),
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '{' if rest.get(1) == Some(&b'{') || placeholder(rest).is_some() => out.push_str("{{"),
                _ if is_visible(c) => out.push(c),
                _ => escape(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        escape(out, chunk.invalid());
        at += chunk.invalid().len();
    }
    out.push_str(space);
}

fn escape(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Whether a person sees the character, and sees it where it stands.
fn is_visible(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'))
}

/// Returns the parts of a payload that would be mostly escapes.
fn binary_parts(payload: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut part = 0..0;
    let mut escaped = 0;
    let mut add = |start: usize, length: usize| {
        if start - part.end > LONGEST_GAP {
            parts.extend(as_binary(&part, escaped));
            part.start = start;
            escaped = 0;
        }
        part.end = start + length;
        escaped += length;
    };
    let mut at = 0;
    for chunk in payload.utf8_chunks() {
        for c in chunk.valid().chars() {
            if !is_visible(c) && !matches!(c, '\r' | '\n' | '\t') {
                add(at, c.len_utf8());
            }
            at += c.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            add(at, chunk.invalid().len());
            at += chunk.invalid().len();
        }
    }
    parts.extend(as_binary(&part, escaped));
    parts
}

fn as_binary(part: &Range<usize>, escaped: usize) -> Option<Range<usize>> {
    (escaped >= FEWEST_BYTES && escaped * 4 >= part.len()).then(|| part.clone())
}

/// So many bytes of text within a binary part do not end it.
const LONGEST_GAP: usize = 16;
/// Fewer bytes than these are escaped where they stand.
const FEWEST_BYTES: usize = 4;
