//! The text form of a command: what people read, and what they may write. Lossless for any bytes.
//!
//! Whoever edits a held command, sends one by hand or writes an experiment uses this form. [`write()`] makes it, [`parse`]
//! reads it into [`Draft`]s, and [`Draft::command`] makes the command.
//!
//! ```text
//! text        = { empty line | comment | command }
//! comment     = "#" anything
//! command     = [ ">>> " | "<<< " ] characters     from the client, from the server; ends in CRLF
//!               { payload }
//! payload     = "| " characters                    a line of text
//!             | ": " { hex hex }                   bytes, with spaces between them or without
//! characters  = { anything printable | escape | placeholder } [ "\" ]
//! escape      = "\\" | "\r" | "\n" | "\t" | "\x" hex hex     the last is one byte; "\n" is a bare line feed
//!             | "{{"                               a brace, where one could be taken for a placeholder
//! placeholder = "{" ( word | digit [ digit ] ) "}" a word is of small letters and "_"
//! ```
//!
//! * **Lines of a payload are divided by CRLF**, and the last one has no end. A line that shows its end has that one
//!   instead: `\n` at its end is a bare line feed, `\r\n` at the end of the last line is the CRLF that it would not have.
//!   A lone `\` at the end means that no line end follows. The same `\n` ends a command line in a bare line feed.
//! * No payload line is no payload; a `|` alone is one of zero bytes or, further down, an empty line.
//! * Payload lines follow their command without an empty line between. A comment may stand anywhere. Space before the
//!   marks `>>>`, `<<<`, `|`, `:` and `#` does not count, nor does a CR at the end of a line of the text.
//! * `{len}` on the command line becomes the length of the payload. Without it, [`LengthPolicy`] decides: the number at
//!   the end of the line is repaired (or one is added, where the verb needs it), or all is sent as it stands. Other
//!   placeholders are for the caller to fill in: [`Draft::fill`]. Braces around anything else, such as a GUID, stand for
//!   themselves.
//!
//! [`write()`] escapes what a person could not see, and a space at the end of a line. It uses bytes in hexadecimal only
//! where text would be mostly escapes.
//!
//! ```text
//! # an XML document on one line
//! >>> UUX 8 63
//! | <Data><PSM>naïve ☕</PSM><CurrentMedia></CurrentMedia></Data>
//! # headers, an empty line, a body that has no line end
//! <<< MSG bob@example.com Bob 66
//! | MIME-Version: 1.0
//! | Content-Type: text/plain; charset=UTF-8
//! |
//! | late
//! # a payload that ends in two empty lines
//! >>> MSG 3 U {len}
//! | MIME-Version: 1.0
//! | Content-Type: text/x-msmsgscontrol
//! | TypingUser: alice@example.com
//! |
//! | \r\n
//! # the start of a packet, and a command that ends in a bare line feed
//! >>> MSG 10 D 75
//! | Content-Type: application/x-msnmsgrp2p
//! | P2P-Dest: b@example.com
//! |
//! : 00 00 00 00 0a 0d fe ff
//! <<< QNG 50\n
//! ```

mod draft;
mod read;
mod write;

use crate::codec::CommandSpan;
use crate::command::{Command, LengthPolicy};
use crate::table::Slot;
use crate::types::{Direction, Verb};

pub use draft::Draft;
pub use read::parse;
pub use write::write;

/// Why a text is no command. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TextError {
    /// The line of the text.
    pub line: usize,
    /// The column in it.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Writes `command` and reads it back, and checks what must hold for any command: every byte is the same and so is the
/// direction; if a codec would frame it, it is also the same with its length repaired.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_command(command: &Command) {
    let text = write(command);
    let drafts = parse(&text).expect("what was written can be read");
    let [draft] = &drafts[..] else { panic!("one command became {}", drafts.len()) };
    let read = draft.command(None, LengthPolicy::Keep).expect("what was written is a command");
    assert_eq!(read.as_bytes(), command.as_bytes(), "{text}");
    assert_eq!(read.direction(), command.direction());
    if Command::parse(command.direction(), command.as_bytes()).is_ok() {
        let repaired = draft.command(None, LengthPolicy::Repair).expect("a framed command needs no repair");
        assert_eq!(repaired.as_bytes(), command.as_bytes(), "{text}");
    }
}

/// Reads `text` and checks every command in it with [`check_any_command`].
///
/// # Panics
///
/// As that does.
pub fn check_any_text(text: &str) {
    let Ok(mut drafts) = parse(text) else { return };
    for draft in &mut drafts {
        draft.fill(|name| (name != "len").then(|| name.into()));
        for length in [LengthPolicy::Keep, LengthPolicy::Repair] {
            if let Ok(command) = draft.command(Some(Direction::ClientToServer), length) {
                check_any_command(&command);
            }
        }
    }
}

/// Calls [`check_any_text`], or [`check_any_command`], with what `input` holds behind its first byte: a text if that is
/// even, else a command (with bit 1 set from the server) of any length, right or wrong. The body of a fuzz target.
///
/// # Panics
///
/// As those do.
pub fn check_any_text_bytes(input: &[u8]) {
    let Some((&head, bytes)) = input.split_first() else { return };
    if head & 1 == 0 {
        if let Ok(text) = std::str::from_utf8(bytes) {
            check_any_text(text);
        }
        return;
    }
    let direction = Direction::BOTH[usize::from(head >> 1 & 1)];
    let Some(end) = memchr::memchr(b'\n', bytes) else { return };
    let eol = if bytes[..end].ends_with(b"\r") { 2 } else { 1 };
    let (line, rest) = bytes.split_at(end + 1 - eol);
    if let Some(command) = assemble(direction, line, &rest[..eol], &rest[eol..]) {
        check_any_command(&command);
    }
}

/// Makes a command of its parts as they are, whatever its line says of a length; `None` if the line has no verb.
fn assemble(direction: Direction, line: &[u8], eol: &[u8], payload: &[u8]) -> Option<Command> {
    let verb = Verb::of_line(line)?;
    let bytes = [line, eol, payload].concat();
    let span = CommandSpan {
        line: u32::try_from(line.len()).ok()?,
        eol: eol.len() as u8,
        slot: Slot::of(verb),
        len: u32::try_from(bytes.len()).ok()?,
    };
    Some(Command::from_span(direction, &bytes, span))
}

/// Returns how many bytes of `text`, which starts with a brace, are a placeholder.
fn placeholder(text: &[u8]) -> Option<usize> {
    let name = text.get(1..1 + memchr::memchr(b'}', text.get(1..)?)?)?;
    let is_word = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let is_index = matches!(name.len(), 1 | 2) && name.iter().all(u8::is_ascii_digit);
    (is_word || is_index).then_some(name.len() + 2)
}

#[cfg(test)]
mod tests;
