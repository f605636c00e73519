//! Reads commands.

use super::draft::{Draft, Pieces};
use super::{TextError, placeholder};
use crate::types::{Direction, Verb};

/// Reads a text of any number of commands, in order.
///
/// ```
/// use msnp::{Direction, LengthPolicy, text};
///
/// let mut drafts = text::parse("# be right back\n>>> CHG {trid} BRB 0\n")?;
/// drafts[0].fill(|name| (name == "trid").then(|| b"17".to_vec()));
/// let command = drafts[0].command(Some(Direction::ClientToServer), LengthPolicy::Repair)?;
/// assert_eq!(command.as_bytes(), b"CHG 17 BRB 0\r\n");
/// # Ok::<(), text::TextError>(())
/// ```
///
/// # Errors
///
/// If a line is neither a command nor a payload, or an escape is none. The first one is told.
pub fn parse(text: &str) -> Result<Vec<Draft>, TextError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut drafts: Vec<Draft> = Vec::new();
    let mut payload = Payload::NoCommand;
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut cursor = Cursor { line: index + 1, text: line, at: 0 };
        cursor.skip_space();
        match cursor.rest().chars().next() {
            Some('#') => {}
            None => payload = payload.after_empty_line(),
            Some('|' | ':') => {
                let pieces = match (payload, drafts.last_mut()) {
                    (Payload::Open { owes_end }, Some(draft)) => {
                        let pieces = draft.payload.get_or_insert_default();
                        if owes_end {
                            pieces.push_bytes(b"\r\n");
                        }
                        pieces
                    }
                    (Payload::Closed, _) => {
                        return Err(cursor.error("a payload has no empty lines; write `|` for an empty line of it"));
                    }
                    _ => return Err(cursor.error("a payload without a command; its line comes first")),
                };
                let end = if cursor.take("|") { cursor.text_line(pieces)? } else { cursor.hex_line(pieces)? };
                payload = Payload::Open { owes_end: end == End::Usual };
            }
            Some(_) => {
                drafts.push(cursor.command()?);
                payload = Payload::Open { owes_end: false };
            }
        }
    }
    Ok(drafts)
}

/// Whether a payload line may come next.
#[derive(Clone, Copy)]
enum Payload {
    NoCommand,
    /// It may; whether the line before it ends in CRLF if one does.
    Open {
        owes_end: bool,
    },
    Closed,
}

impl Payload {
    fn after_empty_line(self) -> Payload {
        match self {
            Payload::NoCommand => Payload::NoCommand,
            Payload::Open { .. } | Payload::Closed => Payload::Closed,
        }
    }
}

/// How a line ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// As lines of its kind do.
    Usual,
    /// With the line end that was written out.
    Shown,
    /// With none.
    None,
}

/// A place in a line of the text.
struct Cursor<'a> {
    line: usize,
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl Cursor<'_> {
    fn command(&mut self) -> Result<Draft, TextError> {
        let direction = Direction::BOTH.into_iter().find(|direction| self.take(direction.arrow()));
        self.skip_space();
        let start = self.at;
        let mut pieces = Pieces::default();
        let end = self.characters(&mut pieces, true)?;
        let eol = if end == End::Shown { pieces.take_end() } else { b"\r\n" };
        self.at = start;
        if pieces.start().is_some_and(|start| Verb::of_line(start).is_none()) {
            return Err(self.error(
                "not a command: it starts with three capital letters or three digits; the lines of a payload with `|`",
            ));
        }
        Ok(Draft { direction, line: pieces, eol, payload: None, place: self.place() })
    }

    fn text_line(&mut self, out: &mut Pieces) -> Result<End, TextError> {
        self.take(" ");
        self.characters(out, false)
    }

    fn hex_line(&mut self, out: &mut Pieces) -> Result<End, TextError> {
        self.take(":");
        loop {
            self.skip_space();
            if self.rest().is_empty() {
                return Ok(End::None);
            }
            let byte = self.hex_byte()?;
            out.push_bytes(&[byte]);
        }
    }

    /// Reads to the end of the line. The line of a command has no line end but at its end.
    fn characters(&mut self, out: &mut Pieces, is_command: bool) -> Result<End, TextError> {
        let mut end = End::Usual;
        while let Some(c) = self.rest().chars().next() {
            if end == End::Shown && is_command {
                return Err(self.error("the line has ended; a payload stands in lines that start with `|`"));
            }
            end = End::Usual;
            let rest = self.rest();
            match c {
                '\\' if rest.len() == 1 && is_command => {
                    return Err(self.error("the line of a command has an end; write `\\\\` for a backslash"));
                }
                '\\' if rest.len() == 1 => return Ok(End::None),
                '\\' => end = self.escape(out)?,
                '{' if rest.starts_with("{{") => {
                    out.push_bytes(b"{");
                    self.at += 2;
                }
                '{' => match placeholder(rest.as_bytes()) {
                    Some(length) => {
                        out.push_placeholder(rest[1..length - 1].to_owned(), self.place());
                        self.at += length;
                    }
                    None => {
                        out.push_bytes(b"{");
                        self.at += 1;
                    }
                },
                '\r' => return Err(self.error("a carriage return within a line; write `\\r`")),
                _ => {
                    out.push_bytes(c.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += c.len_utf8();
                }
            }
        }
        Ok(end)
    }

    fn escape(&mut self, out: &mut Pieces) -> Result<End, TextError> {
        let escapes = [("\\\\", b'\\'), ("\\r", b'\r'), ("\\n", b'\n'), ("\\t", b'\t')];
        let byte = match escapes.into_iter().find(|(escape, _)| self.take(escape)) {
            Some((_, byte)) => byte,
            None if self.take("\\x") => self.hex_byte()?,
            None => return Err(self.error("unknown escape; there are `\\\\`, `\\r`, `\\n`, `\\t` and `\\x41`")),
        };
        out.push_bytes(&[byte]);
        Ok(if byte == b'\n' { End::Shown } else { End::Usual })
    }

    fn hex_byte(&mut self) -> Result<u8, TextError> {
        let digits = self.rest().get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.ok_or_else(|| self.error("not a byte; write two hexadecimal digits for each"))?;
        self.at += 2;
        Ok(byte)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let is_there = self.rest().starts_with(prefix);
        self.at += if is_there { prefix.len() } else { 0 };
        is_there
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self) -> (usize, usize) {
        (self.line, self.text.get(..self.at).unwrap_or(self.text).chars().count() + 1)
    }

    fn error(&self, message: &str) -> TextError {
        let (line, column) = self.place();
        TextError { line, column, message: message.to_owned() }
    }
}
