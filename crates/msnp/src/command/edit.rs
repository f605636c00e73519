//! Edits in place: only what changes is rewritten, and the length repaired.

use std::ops::Range;

use super::{Command, CommandError, LengthPolicy};
use crate::codec::{Codec, Limits, Span};
use crate::payload::mime::Headers;
use crate::table::{self, PayloadRule, Slot};
use crate::types::{Direction, Verb};

impl Command {
    /// Replaces argument `index` (from 0, after the verb), or appends it if it would be the next.
    ///
    /// # Errors
    ///
    /// If there is no such place, or the value would break the line.
    pub fn set_argument(&mut self, index: usize, value: &[u8]) -> Result<(), CommandError> {
        if value.iter().any(|&byte| matches!(byte, b' ' | b'\r' | b'\n')) {
            return Err(CommandError::BreaksLine);
        }
        self.edits += 1;
        let count = self.arguments().count();
        match self.argument_range(index) {
            Some(range) => self.splice_line(range, value),
            None if index == count => {
                let end = self.line;
                self.splice_line(end..end, value);
                self.splice_line(end..end, b" ");
            }
            None => return Err(CommandError::NoArgument { index, count }),
        }
        Ok(())
    }

    /// Replaces the verb, and nothing else: whether the length still stands where it should is for the caller to see.
    pub fn set_verb(&mut self, verb: Verb) {
        self.edits += 1;
        self.bytes[..3].copy_from_slice(verb.as_bytes());
        self.verb = verb;
        self.slot = Slot::of(verb);
    }

    /// Replaces the payload.
    ///
    /// # Errors
    ///
    /// If the verb carries none in this direction.
    pub fn set_payload(&mut self, payload: &[u8], length: LengthPolicy) -> Result<(), CommandError> {
        let start = self.line + self.eol;
        let end = self.bytes.len();
        self.splice_payload(start..end, payload, length)
    }

    /// Replaces a part of the payload, given as a range within it.
    ///
    /// # Errors
    ///
    /// If the verb carries none in this direction.
    ///
    /// # Panics
    ///
    /// If the range lies outside the payload.
    pub fn replace_in_payload(
        &mut self,
        range: Range<usize>,
        value: &[u8],
        length: LengthPolicy,
    ) -> Result<(), CommandError> {
        let start = self.line + self.eol;
        self.splice_payload(start + range.start..start + range.end, value, length)
    }

    /// Sets a MIME header of the payload: the value of the first of that name, else a new one at the end of the block.
    ///
    /// # Errors
    ///
    /// If the verb carries no payload, or the value would break the header line.
    pub fn set_header(&mut self, name: &str, value: &[u8], length: LengthPolicy) -> Result<(), CommandError> {
        if value.iter().chain(name.as_bytes()).any(|&byte| matches!(byte, b'\r' | b'\n')) {
            return Err(CommandError::BreaksLine);
        }
        let headers = Headers::parse(self.payload());
        match headers.range(name) {
            Some(range) => self.replace_in_payload(range, value, length),
            None => {
                let at = headers.end_of_lines();
                // a payload that was cut off may end within a header line
                let is_cut = self.payload()[..at].last().is_some_and(|&byte| byte != b'\n');
                let end = if is_cut { &b"\r\n"[..] } else { b"" };
                let line = [end, name.as_bytes(), b": ", value, b"\r\n"].concat();
                self.replace_in_payload(at..at, &line, length)
            }
        }
    }

    /// Replaces the text: the body after the MIME headers, or the whole payload where there are none.
    ///
    /// # Errors
    ///
    /// If the verb carries no payload.
    pub fn set_text(&mut self, text: &[u8], length: LengthPolicy) -> Result<(), CommandError> {
        let range = self.text_range();
        self.replace_in_payload(range, text, length)
    }

    fn splice_payload(&mut self, range: Range<usize>, value: &[u8], length: LengthPolicy) -> Result<(), CommandError> {
        let rule = table::payload_rule(self.verb(), self.direction).0;
        if rule == PayloadRule::NoPayload {
            return Err(CommandError::NoPayload { verb: self.verb() });
        }
        self.edits += 1;
        let token = self.length_range();
        splice(&mut self.bytes, range, value);
        if length == LengthPolicy::Repair {
            let mut digits = [0u8; 20];
            let digits = decimal(self.payload().len(), &mut digits);
            match token {
                Some(token) => {
                    if self.bytes[token.clone()] != *digits {
                        self.splice_line(token, digits);
                    }
                }
                None => {
                    let end = self.line;
                    self.splice_line(end..end, digits);
                    self.splice_line(end..end, b" ");
                }
            }
        }
        Ok(())
    }

    fn argument_range(&self, index: usize) -> Option<Range<usize>> {
        let start = self.arguments().take(index).map(|argument| argument.len() + 1).sum::<usize>() + 4;
        let argument = self.argument(index)?;
        Some(start..start + argument.len())
    }

    fn splice_line(&mut self, range: Range<usize>, value: &[u8]) {
        self.line = self.line - range.len() + value.len();
        splice(&mut self.bytes, range, value);
    }
}

/// Replaces a range of bytes, moving what follows once.
fn splice(bytes: &mut Vec<u8>, range: Range<usize>, value: &[u8]) {
    let tail = bytes.len() - range.end;
    if value.len() > range.len() {
        bytes.resize(bytes.len() + value.len() - range.len(), 0);
    }
    bytes.copy_within(range.end..range.end + tail, range.start + value.len());
    bytes[range.start..range.start + value.len()].copy_from_slice(value);
    bytes.truncate(range.start + value.len() + tail);
}

fn decimal(mut value: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[start..];
        }
    }
}

/// Edits the first command of `stream` in every way with `value`, and checks what must hold for any input: the edit is
/// there, nothing else changed, and the result is still one command. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_edit(direction: Direction, stream: &[u8], index: usize, value: &[u8]) {
    let Some(Span::Command(span)) = Codec::new(direction, Limits::default()).finish(stream) else { return };
    let command = Command::from_span(direction, stream, span);
    let mut edited = command.clone();
    if edited.set_argument(index, value).is_ok() {
        assert_eq!(edited.argument(index), Some(value));
        assert_eq!(edited.payload(), command.payload());
        for (other, argument) in command.arguments().enumerate().filter(|(other, _)| *other != index) {
            assert_eq!(edited.argument(other), Some(argument));
        }
    }
    let mut edited = command.clone();
    if edited.set_payload(value, LengthPolicy::Repair).is_ok() {
        assert_eq!(edited.payload(), value);
        if table::payload_rule(command.verb(), direction).0 == PayloadRule::Last && value.len() < 1000 {
            assert_eq!(Command::parse(direction, edited.as_bytes()).as_ref(), Ok(&edited));
        }
    }
    let mut edited = command.clone();
    if edited.set_text(value, LengthPolicy::Keep).is_ok() {
        assert_eq!(edited.line(), command.line());
        assert!(edited.payload().ends_with(value));
    }
    let mut edited = command.clone();
    let was_empty = command.headers().is_empty();
    if !was_empty && edited.set_header("X-Check", value, LengthPolicy::Repair).is_ok() {
        let expected = value.trim_ascii();
        assert_eq!(edited.headers().get("x-check").map(<[u8]>::trim_ascii), Some(expected));
    }
}

/// Calls [`check_any_edit`] with what `input` holds: a byte with the direction in its lowest bit and the index above it,
/// a byte for the length of the value, the value, the stream.
///
/// # Panics
///
/// As that does.
pub fn check_any_edit_bytes(input: &[u8]) {
    let Some((&[head, length], rest)) = input.split_first_chunk() else { return };
    let (value, stream) = rest.split_at(usize::from(length).min(rest.len()));
    check_any_edit(Direction::BOTH[usize::from(head & 1)], stream, usize::from(head >> 1), value);
}
