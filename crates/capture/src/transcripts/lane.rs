//! One direction of a connection, cut into commands.

use msnp::codec::{CommandSpan, Span};
use msnp::table::Slot;
use msnp::{Codec, Direction, Limits, Verb};

use crate::classify::find_command;

/// The framing of a direction.
#[derive(Debug)]
pub(super) struct Lane {
    direction: Direction,
    codec: Codec,
    /// What is not dealt with yet.
    partial: Vec<u8>,
    state: State,
    /// Bytes received.
    pub(super) received: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was framed yet: if the first bytes are no command, the connection may have begun before the source.
    New,
    Framing,
    /// The next command has to be found; so many bytes were passed over, and whether they are told of.
    Seeking(u64),
    /// The framing is not ours.
    Foreign,
}

/// What a direction consists of.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Command(&'a [u8], CommandSpan),
    /// Bytes that are no command.
    Opaque(&'a [u8]),
    /// Behind this, commands are framed again; so many bytes were passed over.
    Resumed(u64),
}

impl Lane {
    pub(super) fn new(direction: Direction) -> Lane {
        let codec = Codec::new(direction, Limits::default());
        Lane { direction, codec, partial: Vec::new(), state: State::New, received: 0 }
    }

    /// Cuts the next bytes. `found` may tell the lane, by its answer, that the framing is not ours from there on.
    #[inline]
    pub(super) fn data(&mut self, bytes: &[u8], found: &mut dyn FnMut(Found<'_>) -> Framing) {
        self.received += bytes.len() as u64;
        if self.partial.is_empty() {
            let used = self.cut(bytes, found);
            self.partial.extend_from_slice(&bytes[used..]);
            return;
        }
        let mut partial = std::mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let used = self.cut(&partial, found);
        partial.drain(..used);
        self.partial = partial;
    }

    /// Bytes are missing, so many if that is known: what is unfinished never will be, and the next command has to be found. If
    /// they are a whole payload, its command has none, and framing goes on behind it.
    pub(super) fn gap(&mut self, length: Option<u64>, found: &mut dyn FnMut(Found<'_>) -> Framing) {
        let bare = self.bare_command();
        if let Some((span, _)) = bare {
            let line = std::mem::take(&mut self.partial);
            found(Found::Command(&line, span));
        } else {
            self.finish(found);
        }
        if self.state != State::Foreign {
            let is_payload = bare.is_some_and(|(_, announced)| Some(announced) == length);
            self.state = if is_payload { State::Framing } else { State::Seeking(0) };
            self.codec = Codec::new(self.direction, Limits::default());
        }
    }

    /// Returns the command of which nothing but the line is there, and how many bytes of payload it announces.
    fn bare_command(&self) -> Option<(CommandSpan, u64)> {
        let line = self.partial.strip_suffix(b"\n").filter(|line| !line.contains(&b'\n'))?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.codec.awaits_payload() {
            return None;
        }
        let token = line.rsplit(|&byte| byte == b' ').find(|token| !token.is_empty())?;
        let announced = std::str::from_utf8(token).ok()?.parse().ok()?;
        let len = self.partial.len();
        let slot = Slot::of(Verb::of_line(line)?);
        Some((CommandSpan { line: line.len() as u32, eol: (len - line.len()) as u8, slot, len: len as u32 }, announced))
    }

    /// No more bytes will come for what is unfinished.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(Found<'_>) -> Framing) {
        let partial = std::mem::take(&mut self.partial);
        let mut rest = &partial[..];
        while !matches!(self.state, State::Seeking(_)) {
            match self.codec.finish(rest) {
                Some(Span::Command(span)) => {
                    found(Found::Command(&rest[..span.len as usize], span));
                    rest = &rest[span.len as usize..];
                }
                _ => break,
            }
        }
        if !rest.is_empty() {
            found(Found::Opaque(rest));
        }
    }

    /// The framing is not ours any more.
    pub(super) fn give_up(&mut self) {
        self.codec.give_up();
        self.state = State::Foreign;
    }

    /// Returns how many bytes are not dealt with.
    pub(super) fn held(&self) -> usize {
        self.partial.capacity()
    }

    #[inline]
    fn cut(&mut self, bytes: &[u8], found: &mut dyn FnMut(Found<'_>) -> Framing) -> usize {
        let mut at = 0;
        if let State::Seeking(_) = self.state {
            at = self.seek(bytes, found);
        }
        if matches!(self.state, State::Seeking(_)) {
            return at;
        }
        while let Some(span) = self.codec.next_span(&bytes[at..]) {
            let frame = &bytes[at..at + span.len()];
            match span {
                Span::Command(span) => {
                    self.state = if self.state == State::New { State::Framing } else { self.state };
                    at += frame.len();
                    if found(Found::Command(frame, span)) == Framing::Foreign {
                        self.give_up();
                    }
                }
                Span::Opaque(_) if self.codec.is_opaque() && self.state == State::New => {
                    self.codec = Codec::new(self.direction, Limits::default());
                    self.state = State::Seeking(0);
                    return at + self.cut(&bytes[at..], found);
                }
                Span::Opaque(_) => {
                    at += frame.len();
                    found(Found::Opaque(frame));
                }
            }
        }
        at
    }

    /// Looks for the next command and returns how many bytes lie before it, or cannot be one.
    fn seek(&mut self, bytes: &[u8], found: &mut dyn FnMut(Found<'_>) -> Framing) -> usize {
        let State::Seeking(passed) = self.state else { return 0 };
        if let Some(at) = find_command(self.direction, bytes) {
            if at > 0 {
                found(Found::Opaque(&bytes[..at]));
            }
            self.state = State::Framing;
            found(Found::Resumed(passed + at as u64));
            return at;
        }
        let start = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        let is_too_long = bytes.len() - start > Limits::default().line;
        let at = if is_too_long { bytes.len() } else { start };
        if at > 0 {
            found(Found::Opaque(&bytes[..at]));
        }
        self.state = State::Seeking(passed + at as u64);
        at
    }
}

/// Whose framing goes on behind a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    Ours,
    Foreign,
}
