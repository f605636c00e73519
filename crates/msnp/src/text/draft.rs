//! What a text says, before it is a command.

use std::fmt;
use std::ops::Range;

use super::{TextError, assemble};
use crate::command::{Command, CommandError, LengthPolicy};
use crate::table::{self, PayloadRule};
use crate::types::{Direction, Verb};

/// A command that was read from a text, with placeholders that may still be empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    pub(super) direction: Option<Direction>,
    pub(super) line: Pieces,
    /// The line's end: CRLF, or a bare LF.
    pub(super) eol: &'static [u8],
    pub(super) payload: Option<Pieces>,
    /// Line and column of the text where it starts.
    pub(super) place: (usize, usize),
}

impl Draft {
    /// Asks for the value of every placeholder but `{len}` and puts in what there is. What is put into the line must
    /// hold no line end; a space in it makes two arguments.
    pub fn fill(&mut self, mut value: impl FnMut(&str) -> Option<Vec<u8>>) {
        for piece in self.line.0.iter_mut().chain(self.payload.iter_mut().flat_map(|payload| &mut payload.0)) {
            if let Piece::Placeholder { name, .. } = piece
                && name != LENGTH
                && let Some(value) = value(name)
            {
                *piece = Piece::Bytes(value);
            }
        }
    }

    /// Returns which way the text says that it goes.
    pub fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// Returns the line of the text where the command stands, from 1.
    pub fn line_number(&self) -> usize {
        self.place.0
    }

    /// Returns the names of the placeholders that are still empty, `len` excepted.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces().filter_map(|piece| match piece {
            Piece::Placeholder { name, .. } if name != LENGTH => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the first argument of the line is `{trid}` alone.
    pub fn is_numbered(&self) -> bool {
        let is_trid = |piece: &Piece| matches!(piece, Piece::Placeholder { name, .. } if name == "trid");
        match &self.line.0[..] {
            [Piece::Bytes(verb), id] => verb.len() == 4 && is_trid(id),
            [Piece::Bytes(verb), id, Piece::Bytes(rest), ..] => {
                verb.len() == 4 && is_trid(id) && rest.starts_with(b" ")
            }
            _ => false,
        }
    }

    /// Makes the command. Its direction is the one that the text says, else `direction`. The number at the end of the
    /// line is made the length of the payload where it is one, unless the line has `{len}` or `length` is
    /// [`LengthPolicy::Keep`].
    ///
    /// # Errors
    ///
    /// If there is no direction or no verb, a placeholder is empty, or the verb carries no payload (not with
    /// [`LengthPolicy::Keep`], which sends anything).
    pub fn command(&self, direction: Option<Direction>, length: LengthPolicy) -> Result<Command, TextError> {
        let Some(direction) = self.direction.or(direction) else {
            return Err(self.error("from the client or the server? start the line with `>>> ` or `<<< `"));
        };
        let payload = match &self.payload {
            Some(payload) => payload.join(None)?,
            None => Vec::new(),
        };
        let mut line = self.line.join(Some(payload.len()))?;
        if memchr::memchr(b'\n', &line).is_some() {
            return Err(self.error("what was put in for a placeholder holds a line end"));
        }
        let Some(verb) = Verb::of_line(&line) else {
            return Err(self.error("a command starts with three capital letters or three digits"));
        };
        if length == LengthPolicy::Repair {
            let (rule, fewest) = table::payload_rule(verb, direction);
            if rule == PayloadRule::NoPayload && !payload.is_empty() {
                let problem = CommandError::NoPayload { verb };
                return Err(self.error(&format!("{problem}; keep the length to send it nevertheless")));
            }
            if !self.line.0.iter().any(Piece::is_length) {
                repair(&mut line, payload.len(), rule, fewest);
            }
        }
        assemble(direction, &line, self.eol, &payload).ok_or_else(|| self.error("too long"))
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.line.0.iter().chain(self.payload.iter().flat_map(|payload| &payload.0))
    }

    fn error(&self, message: &str) -> TextError {
        let (line, column) = self.place;
        TextError { line, column, message: message.to_owned() }
    }
}

impl fmt::Debug for Draft {
    /// Shows verb and sizes only: a line or payload may hold a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.direction.map_or("", Direction::as_str);
        let verb = self.line.start().and_then(Verb::of_line).map(|verb| verb.to_string()).unwrap_or_default();
        write!(f, "Draft({direction} {verb}, line {}, {} placeholders)", self.place.0, self.placeholders().count())
    }
}

/// Makes the length on a line that of its payload.
fn repair(line: &mut Vec<u8>, length: usize, rule: PayloadRule, fewest: usize) {
    let place = length_place(line, fewest);
    let is_right = |place: &Range<usize>| {
        std::str::from_utf8(&line[place.clone()]).is_ok_and(|digits| digits.parse() == Ok(length))
    };
    match (rule, place) {
        (PayloadRule::NoPayload, _) => {}
        // without a payload, the number on the line of an unknown verb is any number
        (PayloadRule::Lookahead, _) | (PayloadRule::IfNumeric, None) if length == 0 => {}
        (_, Some(place)) if is_right(&place) => {}
        (_, Some(place)) => {
            line.splice(place, length.to_string().into_bytes());
        }
        (_, None) => line.extend_from_slice(format!(" {length}").as_bytes()),
    }
}

/// Returns where the last argument is, if it can be a length there.
fn length_place(line: &[u8], fewest: usize) -> Option<Range<usize>> {
    let end = line.iter().rposition(|&byte| byte != b' ')? + 1;
    let start = line[..end].iter().rposition(|&byte| byte == b' ')? + 1;
    let is_number = end - start <= 10 && line[start..end].iter().all(u8::is_ascii_digit);
    let enough = fewest < 2 || line.get(3..start)?.iter().any(|&byte| byte != b' ');
    (is_number && enough).then_some(start..end)
}

/// The placeholder that [`Draft::command`] fills in itself.
const LENGTH: &str = "len";

/// Bytes and placeholders.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Pieces(Vec<Piece>);

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Placeholder { name: String, place: (usize, usize) },
}

impl Piece {
    fn is_length(&self) -> bool {
        matches!(self, Piece::Placeholder { name, .. } if name == LENGTH)
    }
}

impl Pieces {
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Bytes(before)) => before.extend_from_slice(bytes),
            _ => self.0.push(Piece::Bytes(bytes.to_vec())),
        }
    }

    pub(super) fn push_placeholder(&mut self, name: String, place: (usize, usize)) {
        self.0.push(Piece::Placeholder { name, place });
    }

    /// Removes a line end from the end and returns it: CRLF, or a bare LF.
    pub(super) fn take_end(&mut self) -> &'static [u8] {
        let Some(Piece::Bytes(bytes)) = self.0.last_mut() else { return b"" };
        for end in [&b"\r\n"[..], b"\n"] {
            if bytes.ends_with(end) {
                bytes.truncate(bytes.len() - end.len());
                return end;
            }
        }
        b""
    }

    /// Returns the bytes before the first placeholder; `None` if it comes first.
    pub(super) fn start(&self) -> Option<&[u8]> {
        match self.0.first() {
            Some(Piece::Bytes(bytes)) => Some(bytes),
            Some(Piece::Placeholder { .. }) => None,
            None => Some(b""),
        }
    }

    /// Joins all, with `length` for `{len}`.
    fn join(&self, length: Option<usize>) -> Result<Vec<u8>, TextError> {
        let mut out = Vec::new();
        for piece in &self.0 {
            match (piece, length) {
                (Piece::Bytes(bytes), _) => out.extend_from_slice(bytes),
                (Piece::Placeholder { .. }, Some(length)) if piece.is_length() => {
                    out.extend_from_slice(length.to_string().as_bytes());
                }
                (Piece::Placeholder { name, place: (line, column) }, _) => {
                    let message =
                        format!("nothing is known for `{{{name}}}`; write `{{{{{name}}}` for these characters");
                    return Err(TextError { line: *line, column: *column, message });
                }
            }
        }
        Ok(out)
    }
}
