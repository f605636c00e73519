//! The payload of a command, found in the lines below it.

use msnp::codec::{Codec, Limits};
use msnp::command::LengthPolicy;
use msnp::table::{PayloadRule, payload_rule};
use msnp::{Direction, Verb, text};

use super::item::{Message, Style};

/// What the lines below a command have of its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// All of it: as many bytes as the line announces, from so many lines.
    Whole(Vec<u8>, usize),
    /// Another number of bytes than the line announces.
    Shown(Vec<u8>, usize),
    /// Nothing.
    Missing,
}

/// Returns how many bytes a line announces.
pub(super) fn announced(message: &Message) -> u64 {
    let bytes = [&message.line[..], message.eol].concat();
    let rule = Verb::of_line(&bytes).map(|verb| payload_rule(verb, message.direction).0);
    let waits = Codec::new(message.direction, Limits::default()).next_span(&bytes).is_none();
    if waits && rule != Some(PayloadRule::NoPayload) { last_number(&message.line).unwrap_or(0) } else { 0 }
}

/// Looks for a payload of `length` bytes in the lines below its command.
pub(super) fn find(message: &Message, length: u64, rows: &[Vec<u8>]) -> Found {
    // what papyon has in the place of most payloads
    let is_left_out =
        rows.iter().find(|row| !row.trim_ascii().is_empty()).is_some_and(|row| row.trim_ascii() == b"[payload]");
    if length == 0 || message.style == Style::Absent || is_left_out {
        return Found::Missing;
    }
    if message.style == Style::Drawn {
        return drawn(length, rows);
    }
    let is_text_form = rows.first().is_some_and(|row| matches!(row.trim_ascii_start().first(), Some(b'|' | b':')));
    if is_text_form && let Some(found) = text_form(length, rows) {
        return found;
    }
    if rows.iter().any(|row| row.trim_ascii_end().ends_with(br"\r\n")) {
        return with_ends(length, rows);
    }
    plain(length, &without_indent(rows))
}

/// Reads a value in Python's notation: `b'...'`, `b"..."`, `'...'`.
pub(super) fn python(row: &[u8]) -> Option<Vec<u8>> {
    let row = row.trim_ascii();
    let row = row.strip_prefix(b"b").unwrap_or(row);
    let (quote, rest) = row.split_first()?;
    let inside = rest.strip_suffix(&[*quote])?;
    matches!(quote, b'\'' | b'"').then(|| unescape(inside)).flatten()
}

/// Puts the length of a payload into its line. Escargot's log has the number of its digits there, or leaves it out.
pub(super) fn with_length(message: &Message, length: usize) -> Vec<u8> {
    let line = &message.line;
    let number = length.to_string();
    let last = last_token(line);
    if last == number.as_bytes() {
        return line.clone();
    }
    let names_digits = message.direction == Direction::ServerToClient && last == number.len().to_string().as_bytes();
    if names_digits || (message.direction == Direction::ServerToClient && announced(message) > 0) {
        let start = line.len() - last.len();
        return [&line[..start], number.as_bytes()].concat();
    }
    [&line[..], b" ", number.as_bytes()].concat()
}

/// Puts a length in the place of the one that a line announces.
pub(super) fn with_other_length(line: &[u8], length: usize) -> Vec<u8> {
    let end = line.trim_ascii_end().len();
    let start = line[..end].iter().rposition(|&byte| byte == b' ').map_or(end, |space| space + 1);
    [&line[..start], length.to_string().as_bytes(), &line[end..]].concat()
}

/// The text form of `msnp::text`, which loses nothing.
fn text_form(length: u64, rows: &[Vec<u8>]) -> Option<Found> {
    let is_payload = |row: &&Vec<u8>| matches!(row.trim_ascii_start().first(), Some(b'|' | b':'));
    let used = rows.iter().take_while(is_payload).count();
    // any command with a payload: the rows do not depend on it
    let mut source = format!("<<< NOT {length}\n").into_bytes();
    for row in &rows[..used] {
        source.extend_from_slice(row);
        source.push(b'\n');
    }
    let drafts = text::parse(std::str::from_utf8(&source).ok()?).ok()?;
    let command = drafts.first()?.command(None, LengthPolicy::Keep).ok()?;
    let bytes = command.payload().to_vec();
    Some(if bytes.len() as u64 == length { Found::Whole(bytes, used) } else { Found::Shown(bytes, used) })
}

/// What `mitmsn show -v` and `-vv` draw. Only `-vv` has all bytes, as a dump that comes last.
fn drawn(length: u64, rows: &[Vec<u8>]) -> Found {
    let rows: Vec<&[u8]> = rows.iter().filter_map(|row| row.trim_ascii_start().strip_prefix(b"|")).collect();
    let rows: Vec<&[u8]> = rows.into_iter().map(|row| row.strip_prefix(b" ").unwrap_or(row)).collect();
    if let Some(start) = rows.iter().rposition(|row| row.starts_with(b"000000  ")) {
        let bytes: Option<Vec<Vec<u8>>> = rows[start..].iter().map(|row| dump(row)).collect();
        if let Some(bytes) = bytes.map(|bytes| bytes.concat()).filter(|bytes| bytes.len() as u64 == length) {
            return Found::Whole(bytes, rows.len());
        }
    }
    match plain(length, &rows) {
        Found::Whole(bytes, used) => Found::Whole(bytes, used),
        _ => Found::Missing,
    }
}

/// Reads a row of a dump: offset, two spaces, up to sixteen bytes.
fn dump(row: &[u8]) -> Option<Vec<u8>> {
    let digits = row.get(8..)?;
    let digits = &digits[..digits.len().min(48)];
    let bytes = digits.split(|&byte| byte == b' ').filter(|byte| !byte.is_empty());
    bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 16).ok()).collect()
}

/// Lines that show their ends, `\r\n`. The last has none where the payload has none; one that stands further left than those
/// before is text around the dialogue.
fn with_ends(length: u64, rows: &[Vec<u8>]) -> Found {
    let has_end = |row: &[u8]| row.ends_with(br"\r\n") || row.ends_with(br"\n");
    let indents = rows.iter().filter(|row| has_end(row.trim_ascii_end())).map(|row| indent(row));
    let column = indents.min().unwrap_or(0);
    let mut bytes = Vec::new();
    let mut used = 0;
    for (index, row) in rows.iter().enumerate() {
        let row = row.trim_ascii_end();
        // what is pasted from pages has empty lines in between
        if row.is_empty() {
            continue;
        }
        if indent(row) < column {
            break;
        }
        let row = &row[column..];
        bytes.extend(unescape(row).unwrap_or_else(|| row.to_vec()));
        used = index + 1;
        if bytes.len() as u64 == length {
            return Found::Whole(bytes, used);
        }
        if !has_end(row) {
            break;
        }
    }
    if bytes.is_empty() { Found::Missing } else { Found::Shown(bytes, used) }
}

/// Lines as they are. How they ended is tried out.
fn plain<R: AsRef<[u8]>>(length: u64, rows: &[R]) -> Found {
    for end in [&b"\r\n"[..], b"\n"] {
        let mut bytes = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                bytes.extend_from_slice(end);
            }
            bytes.extend_from_slice(row.as_ref());
            // a log loses the empty lines at the end of a payload
            for ends in 0..=2 {
                if bytes.len() as u64 + ends * end.len() as u64 == length {
                    (0..ends).for_each(|_| bytes.extend_from_slice(end));
                    return Found::Whole(bytes, index + 1);
                }
            }
        }
    }
    let last = rows.iter().rposition(|row| !row.as_ref().trim_ascii().is_empty());
    let Some(last) = last else { return Found::Missing };
    let rows: Vec<&[u8]> = rows[..=last].iter().map(AsRef::as_ref).collect();
    Found::Shown(rows.join(&b"\r\n"[..]), last + 1)
}

/// Takes away the spaces that all rows begin with.
fn without_indent(rows: &[Vec<u8>]) -> Vec<&[u8]> {
    let common = rows.iter().filter(|row| !row.trim_ascii().is_empty()).map(|row| indent(row)).min().unwrap_or(0);
    rows.iter().map(|row| row.get(common..).unwrap_or_default()).collect()
}

fn indent(row: &[u8]) -> usize {
    row.len() - row.trim_ascii_start().len()
}

/// Reads escapes: `\r`, `\n`, `\t`, `\\`, `\'`, `\"`, `\xNN`. `None` if there is another.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&sign, after) = rest.split_first()?;
        rest = after;
        out.push(match sign {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => sign,
            b'x' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
                u8::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}

fn last_token(line: &[u8]) -> &[u8] {
    line.trim_ascii_end().rsplit(|&byte| byte == b' ').next().unwrap_or_default()
}

fn last_number(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(last_token(line)).ok()?.parse().ok()
}
