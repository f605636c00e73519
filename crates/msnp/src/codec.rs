//! Cuts one direction of a connection into whole commands.
//!
//! ```text
//! message = verb *( SP argument ) CRLF [ payload ]
//! ```
//!
//! Whether a payload follows is decided by verb, direction and number of arguments alone (module [`crate::table`]),
//! never by guessing. Three situations:
//!
//! * The buffer starts with a whole command: it is a [`Frame::Command`].
//! * It starts with a part of one: nothing is returned, and what was scanned is not scanned again.
//! * It starts with what cannot be a command (no verb, no length where there must be one, a line or payload over the
//!   limit): everything from there on is [`Frame::Opaque`]. A blank line alone is opaque too, but framing goes on.
//!
//! An unknown verb has no payload, unless its last token is a number N and a command starts N bytes after the line and
//! none starts right after it. Until those bytes are there the command is not decided; [`Codec::finish`] decides at
//! the end of the stream. The frames never depend on how the stream was cut, except that opaque bytes come as they come.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::command::Command;
use crate::table::{self, PayloadRule, Slot};
use crate::types::{Direction, Verb};

/// How large a command may be before the stream is given up as unframeable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest line, its end included, in bytes. Default 65536.
    pub line: usize,
    /// Longest payload, in bytes. Default 1048576.
    pub payload: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { line: 64 * 1024, payload: 1024 * 1024 }
    }
}

/// What a stream consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole command.
    Command(Command),
    /// Bytes that could not be framed.
    Opaque(Bytes),
}

/// Where a frame lies in a buffer that starts with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// A whole command.
    Command(CommandSpan),
    /// So many bytes that cannot be framed.
    Opaque(usize),
}

impl Span {
    /// Returns the length in bytes.
    pub const fn len(&self) -> usize {
        match self {
            Span::Command(command) => command.len as usize,
            Span::Opaque(len) => *len,
        }
    }

    /// Whether the span is empty, which no span is that [`Codec::next_span`] returns.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where the parts of a command lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandSpan {
    /// Length of the line without its end.
    pub line: u32,
    /// Length of the line's end: 2 for CRLF, 1 for a bare LF.
    pub eol: u8,
    /// The verb's place in sets of verbs.
    pub slot: Slot,
    /// Length of the whole command.
    pub len: u32,
}

/// The framing of one direction. [`Decoder`] and [`Encoder`] of tokio-util; [`next_span`](Codec::next_span) is the
/// same without a copy.
#[derive(Clone, Debug)]
pub struct Codec {
    direction: Direction,
    limits: Limits,
    state: State,
}

/// A limit that a stream does not keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excess {
    /// [`Limits::line`].
    Line,
    /// [`Limits::payload`]: a command announces more.
    Payload {
        /// Its verb.
        verb: Verb,
        /// The length that it announces.
        length: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Looking for the end of a line; so many bytes hold none.
    Line { scanned: usize },
    /// The line is whole, its payload is not.
    Payload(CommandSpan),
    /// The line has an unknown verb and might announce a payload of this length.
    Undecided(CommandSpan, u32),
    /// The stream was given up.
    Opaque,
}

impl Codec {
    /// Returns a codec for one direction of one connection.
    pub fn new(direction: Direction, limits: Limits) -> Codec {
        Codec { direction, limits, state: State::Line { scanned: 0 } }
    }

    /// Treats everything from here on as opaque, for a dialect whose framing is not ours (MSNP22 and later).
    pub fn give_up(&mut self) {
        self.state = State::Opaque;
    }

    /// Whether the stream was given up.
    pub fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Returns which limit made the stream opaque, if one did; `start` is what the first opaque bytes were.
    pub fn excess(&self, start: &[u8]) -> Option<Excess> {
        let end = line_end(start);
        let line = &start[..end.unwrap_or(start.len())];
        let verb = start.first_chunk().and_then(|verb| Verb::new(*verb)).filter(|_| may_become_line(start))?;
        if line.len() >= self.limits.line {
            return Some(Excess::Line);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let length = end.and_then(|_| length_token(line, table::payload_rule(verb, self.direction).1))?;
        (length > self.limits.payload as u64).then_some(Excess::Payload { verb, length })
    }

    /// Whether a line is whole and its payload is not.
    pub fn awaits_payload(&self) -> bool {
        matches!(self.state, State::Payload(_))
    }

    /// Returns the span of the frame that `buffer` starts with, or `None` if there is no whole one yet. The caller
    /// removes the span from the buffer before the next call; otherwise it only appends.
    #[inline]
    pub fn next_span(&mut self, buffer: &[u8]) -> Option<Span> {
        if buffer.is_empty() {
            return None;
        }
        match self.state {
            State::Line { scanned } => self.line(buffer, scanned),
            State::Payload(span) => self.payload(buffer, span),
            State::Undecided(span, length) => self.undecided(buffer, span, length),
            State::Opaque => Some(Span::Opaque(buffer.len())),
        }
    }

    /// Returns the next span when no byte will follow: an undecided command is one without payload, and a part of a
    /// command is opaque.
    pub fn finish(&mut self, buffer: &[u8]) -> Option<Span> {
        if let Some(span) = self.next_span(buffer) {
            return Some(span);
        }
        if buffer.is_empty() {
            return None;
        }
        if let State::Undecided(span, _) = self.state {
            return Some(self.whole(span));
        }
        self.state = State::Opaque;
        Some(Span::Opaque(buffer.len()))
    }

    #[inline]
    fn line(&mut self, buffer: &[u8], scanned: usize) -> Option<Span> {
        let Some(end) = line_end(buffer.get(scanned..)?).map(|at| scanned + at) else {
            if buffer.len() >= self.limits.line || !may_become_line(buffer) {
                return self.opaque(buffer);
            }
            self.state = State::Line { scanned: buffer.len() };
            return None;
        };
        let (line, eol) = match buffer[..end].split_last() {
            Some((b'\r', line)) => (line, 2),
            _ => (&buffer[..end], 1),
        };
        if line.is_empty() {
            self.state = State::Line { scanned: 0 };
            return Some(Span::Opaque(end + 1));
        }
        let verb = Verb::of_line(line).filter(|_| end < self.limits.line);
        let Some(verb) = verb else { return self.opaque(buffer) };
        let (rule, fewest) = table::payload_rule(verb, self.direction);
        let slot = Slot::of(verb);
        let after = (end + 1) as u32;
        // made in one go, not changed: parts written one by one stall whoever reads the whole
        let span = |payload| CommandSpan { line: line.len() as u32, eol, slot, len: after + payload };
        let length = match rule {
            PayloadRule::NoPayload => return Some(self.whole(span(0))),
            _ => length_token(line, fewest),
        };
        let most = (self.limits.payload as u64).min(u64::from(u32::MAX - after));
        let too_long = length.is_some_and(|length| length > most);
        match (rule, length) {
            (PayloadRule::Lookahead, Some(length)) if length > 0 && !too_long => {
                self.undecided(buffer, span(0), length as u32)
            }
            (PayloadRule::Last, None) => self.opaque(buffer),
            (PayloadRule::Lookahead, _) | (_, None) => Some(self.whole(span(0))),
            _ if too_long => self.opaque(buffer),
            (_, Some(length)) => self.payload(buffer, span(length as u32)),
        }
    }

    #[inline]
    fn payload(&mut self, buffer: &[u8], span: CommandSpan) -> Option<Span> {
        if buffer.len() >= span.len as usize {
            return Some(self.whole(span));
        }
        self.state = State::Payload(span);
        None
    }

    fn undecided(&mut self, buffer: &[u8], mut span: CommandSpan, length: u32) -> Option<Span> {
        let starts_at = |at: u32| {
            let at = buffer.get((span.len + at) as usize..).unwrap_or_default();
            starts_with_command(at, self.direction)
        };
        match (starts_at(0), starts_at(length)) {
            (Some(true), _) | (Some(false), Some(false)) => Some(self.whole(span)),
            (Some(false), Some(true)) => {
                span.len += length;
                Some(self.whole(span))
            }
            _ => {
                self.state = State::Undecided(span, length);
                None
            }
        }
    }

    #[inline]
    fn whole(&mut self, span: CommandSpan) -> Span {
        self.state = State::Line { scanned: 0 };
        Span::Command(span)
    }

    fn opaque(&mut self, buffer: &[u8]) -> Option<Span> {
        self.state = State::Opaque;
        Some(Span::Opaque(buffer.len()))
    }

    fn frame(&self, span: Span, bytes: BytesMut) -> Frame {
        match span {
            Span::Command(span) => Frame::Command(Command::from_span(self.direction, &bytes, span)),
            Span::Opaque(_) => Frame::Opaque(bytes.freeze()),
        }
    }
}

/// Returns where the first LF is. Most lines are short: for those, eight bytes at a time cost less than to set up a
/// search.
#[inline]
fn line_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    for (index, word) in bytes.as_chunks::<8>().0.iter().take(4).enumerate() {
        let differs = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'\n'));
        // the lowest byte that is zero has the lowest high bit; those above it may be wrong
        let equal = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if equal != 0 {
            return Some(index * 8 + equal.trailing_zeros() as usize / 8);
        }
    }
    memchr::memchr(b'\n', bytes)
}

/// Whether a line that starts so can still become a command or a blank line.
fn may_become_line(start: &[u8]) -> bool {
    match start {
        [b'\r'] => true,
        [a, b, c, end, ..] => Verb::new([*a, *b, *c]).is_some() && matches!(end, b' ' | b'\r'),
        _ => start.iter().all(u8::is_ascii_uppercase) || start.iter().all(u8::is_ascii_digit),
    }
}

/// Whether a command starts here; `None` if there are too few bytes to tell.
fn starts_with_command(bytes: &[u8], direction: Direction) -> Option<bool> {
    let letters = bytes.iter().take(3).all(u8::is_ascii_uppercase);
    let digits = direction == Direction::ServerToClient && bytes.iter().take(3).all(u8::is_ascii_digit);
    match bytes.get(3) {
        _ if !letters && !digits => Some(false),
        Some(end) => Some(matches!(end, b' ' | b'\r')),
        None => None,
    }
}

/// Returns the value of the last token, if the line has at least `fewest` arguments and the token is 1 to 10 digits.
/// Empty tokens do not count.
#[inline]
fn length_token(line: &[u8], fewest: usize) -> Option<u64> {
    let end = line.iter().rposition(|&byte| byte != b' ')? + 1;
    let start = line[..end].iter().rposition(|&byte| byte == b' ').map_or(0, |space| space + 1);
    let token = &line[start..end];
    if token.len() > 10 {
        return None;
    }
    let mut value = 0;
    for &byte in token {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    // the verb is three bytes: an argument starts behind it
    let before = line.get(3..start)?;
    (fewest < 2 || before.iter().any(|&byte| byte != b' ')).then_some(value)
}

impl Decoder for Codec {
    type Item = Frame;
    /// Never made by the codec itself: odd bytes are [`Frame::Opaque`], since an error would end the stream.
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        Ok(self.next_span(buffer).map(|span| self.frame(span, buffer.split_to(span.len()))))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        Ok(self.finish(buffer).map(|span| self.frame(span, buffer.split_to(span.len()))))
    }
}

impl Encoder<Frame> for Codec {
    type Error = io::Error;

    fn encode(&mut self, frame: Frame, buffer: &mut BytesMut) -> io::Result<()> {
        match &frame {
            Frame::Command(command) => buffer.extend_from_slice(command.as_bytes()),
            Frame::Opaque(bytes) => buffer.extend_from_slice(bytes),
        }
        Ok(())
    }
}

impl Encoder<Command> for Codec {
    type Error = io::Error;

    fn encode(&mut self, command: Command, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(command.as_bytes());
        Ok(())
    }
}

/// Decodes `stream` whole and in `pieces` of the given sizes (cyclically), and checks what must hold for any input: the
/// frames are the same and hold the same bytes. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_stream(direction: Direction, stream: &[u8], pieces: &[usize]) {
    let limits = Limits { line: 512, payload: 4096 };
    let whole = frames(direction, limits, stream, &[stream.len().max(1)]);
    let pieces: Vec<usize> = pieces.iter().map(|&piece| piece.max(1)).collect();
    let cut = frames(direction, limits, stream, if pieces.is_empty() { &[1] } else { &pieces });
    assert_eq!(whole, cut, "frames depend on the cut");
    let mut encoder = Codec::new(direction, limits);
    let mut out = BytesMut::new();
    for frame in whole {
        encoder.encode(frame, &mut out).expect("encoding does no input or output");
    }
    assert_eq!(&out[..], stream, "bytes were lost");
}

/// Calls [`check_any_stream`] with what `input` holds: a byte with the direction in its lowest bit and the number of
/// pieces above it, a byte for the size of each piece, the stream.
///
/// # Panics
///
/// As that does.
pub fn check_any_stream_bytes(input: &[u8]) {
    let Some((&head, rest)) = input.split_first() else { return };
    let (pieces, stream) = rest.split_at(usize::from(head >> 1).min(rest.len()));
    let pieces: Vec<usize> = pieces.iter().map(|&piece| usize::from(piece)).collect();
    check_any_stream(Direction::BOTH[usize::from(head & 1)], stream, &pieces);
}

/// Returns the frames of a stream that arrives in pieces, with adjacent opaque bytes joined.
pub fn frames(direction: Direction, limits: Limits, stream: &[u8], pieces: &[usize]) -> Vec<Frame> {
    let mut codec = Codec::new(direction, limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut rest = stream;
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        buffer.extend_from_slice(now);
        rest = later;
        while let Some(frame) = codec.decode(&mut buffer).expect("the codec makes no errors") {
            push(&mut frames, frame);
        }
        if rest.is_empty() {
            break;
        }
    }
    while let Some(frame) = codec.decode_eof(&mut buffer).expect("the codec makes no errors") {
        push(&mut frames, frame);
    }
    frames
}

fn push(frames: &mut Vec<Frame>, frame: Frame) {
    match (frames.last_mut(), frame) {
        (Some(Frame::Opaque(before)), Frame::Opaque(bytes)) => *before = [&before[..], &bytes].concat().into(),
        (_, frame) => frames.push(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};
    use proptest::prelude::*;

    fn shapes(direction: Direction, stream: &[u8]) -> Vec<String> {
        frames(direction, Limits::default(), stream, &[stream.len().max(1)])
            .iter()
            .map(|frame| match frame {
                Frame::Command(command) => {
                    format!("{}+{}", String::from_utf8_lossy(command.line()), command.payload().len())
                }
                Frame::Opaque(bytes) => format!("?{}", bytes.len()),
            })
            .collect()
    }

    #[test]
    fn the_last_token_is_a_length_only_where_the_table_says_so() {
        assert_eq!(shapes(ServerToClient, b"UUX 9\r\nQNG 50\r\n"), ["UUX 9+0", "QNG 50+0"]);
        assert_eq!(shapes(ServerToClient, b"NOT 2\r\nabIPG 1\r\nx911 3\r\n"), ["NOT 2+2", "IPG 1+1", "911 3+0"]);
        assert_eq!(shapes(ServerToClient, b"801 45 5\r\n0 6 6QRY 7\r\n"), ["801 45 5+5", "QRY 7+0"]);
        assert_eq!(
            shapes(ServerToClient, b"UBX bob@example.com 1 0 \r\nOUT\r\n"),
            ["UBX bob@example.com 1 0 +0", "OUT+0"]
        );
        assert_eq!(shapes(ClientToServer, b"QRY 7 PROD 3\r\nabcPNG\r\n"), ["QRY 7 PROD 3+3", "PNG+0"]);
        assert_eq!(shapes(ServerToClient, b"ADL 7 OK\r\nADL 0 2\r\nab"), ["ADL 7 OK+0", "ADL 0 2+2"]);
    }

    #[test]
    fn an_unknown_verb_has_a_payload_only_if_a_command_follows_it() {
        assert_eq!(shapes(ClientToServer, b"ZZZ 1 5\r\nhelloPNG\r\n"), ["ZZZ 1 5+5", "PNG+0"]);
        assert_eq!(shapes(ClientToServer, b"ZZZ 1 5\r\nPNG\r\nOUT\r\n"), ["ZZZ 1 5+0", "PNG+0", "OUT+0"]);
        assert_eq!(shapes(ClientToServer, b"ZZZ 1 5\r\n"), ["ZZZ 1 5+0"]);
        assert_eq!(shapes(ClientToServer, b"ZZZ 15\r\nPNG\r\n"), ["ZZZ 15+0", "PNG+0"]);
    }

    #[test]
    fn what_cannot_be_framed_is_opaque_from_there_on() {
        assert_eq!(shapes(ClientToServer, b"PNG\r\nhello\r\nPNG\r\n"), ["PNG+0", "?12"]);
        assert_eq!(shapes(ClientToServer, b"MSG 5 U x\r\nPNG\r\n"), ["?16"]);
        assert_eq!(shapes(ClientToServer, b"MSG 5 U 4294967296\r\nPNG\r\n"), ["?25"]);
        assert_eq!(shapes(ClientToServer, b"PNG\r\n\x16\x03\x01"), ["PNG+0", "?3"]);
        assert_eq!(shapes(ClientToServer, b"MSG 5 U 100\r\nshort"), ["?18"]);
    }

    #[test]
    fn a_blank_line_does_not_end_the_framing() {
        assert_eq!(shapes(ClientToServer, b"\r\nPNG\r\n\nOUT\r\n"), ["?2", "PNG+0", "?1", "OUT+0"]);
    }

    #[test]
    fn a_bare_line_feed_ends_a_line_and_a_lone_carriage_return_does_not() {
        assert_eq!(shapes(ClientToServer, b"PNG\nCHG 8 NLN\r0\r\n"), ["PNG+0", "CHG 8 NLN\r0+0"]);
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        let limits = Limits { line: 16, payload: 8 };
        let fits = frames(ClientToServer, limits, b"CHG 1 NLN 1234\r\n", &[3]);
        assert!(matches!(&fits[..], [Frame::Command(_)]));
        let over = frames(ClientToServer, limits, b"CHG 1 NLN 12345\r\n", &[3]);
        assert!(matches!(&over[..], [Frame::Opaque(_)]));
    }

    #[test]
    fn nothing_is_scanned_twice() {
        let mut codec = Codec::new(ClientToServer, Limits::default());
        let line = [b"CHG 1 ".to_vec(), vec![b'x'; 1000]].concat();
        assert_eq!(codec.next_span(&line), None);
        assert!(matches!(codec.state, State::Line { scanned: 1006 }));
        let command = [b"MSG 1 N 5000\r\n".to_vec(), vec![b'\n'; 100]].concat();
        let mut codec = Codec::new(ClientToServer, Limits::default());
        assert_eq!(codec.next_span(&command), None);
        assert!(matches!(codec.state, State::Payload(CommandSpan { len: 5014, .. })));
    }

    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec![
                "PNG\r\n", "MSG 1 N 5\r\nhello", "ZZZ 1 7\r\n", "ZZZ 1 3\r\nabc", "UBX a@b 1 0\r\n", "NOT 4\r\nPNG ",
                "\r\n", "\n", "801 4 2\r\n\r\n", "VER 1 MSNP8 CVR0\n", "QRY 3\r\n", "ADL 0 3\r\n<m>", "MSG 1 N 9999\r\n",
                "CHG 1 ", "\r", "abc", " ", "7",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..12),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_the_cut(stream in wire(), pieces in prop::collection::vec(1usize..9, 1..6)) {
            check_any_stream(ClientToServer, &stream, &pieces);
            check_any_stream(ServerToClient, &stream, &pieces);
        }
    }
}
