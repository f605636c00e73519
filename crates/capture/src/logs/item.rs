//! What a line of a log is.

use std::time::Duration;

use msnp::{Direction, Verb};

use super::time::Clock;

/// Says what lines are; one for each format.
pub(super) trait Grammar {
    /// Says what a line is. The lines come in order.
    fn item(&mut self, line: &[u8]) -> Item;
}

/// What a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// The line of a command.
    Message(Message),
    /// A connection begins.
    Opened { clock: Option<Clock>, mark: Option<String>, client: String, server: String },
    /// A connection ends.
    Closed { clock: Option<Clock>, mark: Option<String>, by: String },
    /// A remark about a connection.
    Note { clock: Option<Clock>, mark: Option<String>, text: String },
    /// A line of a payload, or nothing of ours.
    Other,
    /// It looks like the line of a command and is none.
    Bad(&'static str),
}

/// The line of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    /// When, if the line tells.
    pub(super) clock: Option<Clock>,
    /// What the log calls the connection, if it does.
    pub(super) mark: Option<String>,
    pub(super) direction: Direction,
    /// The line without its end.
    pub(super) line: Vec<u8>,
    /// Its end: CRLF, unless the log shows another.
    pub(super) eol: &'static [u8],
    /// How the lines below it have the payload.
    pub(super) style: Style,
}

/// How a payload is written below its command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// As text, line by line, or in Python's notation.
    Text,
    /// Drawn for people: only where it happens to be whole are these the bytes.
    Drawn,
    /// Not at all.
    Absent,
}

impl Message {
    /// Makes a message of what stands behind an arrow or letter, if that is the line of a command. A line end in letters,
    /// `\r\n`, is its end.
    pub(super) fn of(direction: Direction, text: &[u8]) -> Option<Message> {
        let text = text.trim_ascii_start();
        let (line, eol) = match (text.strip_suffix(br"\r\n"), text.strip_suffix(br"\n")) {
            (Some(line), _) => (line, &b"\r\n"[..]),
            (None, Some(line)) => (line, &b"\n"[..]),
            // a space at the end is more often a reader's than a peer's, but an empty last argument is known to be sent
            (None, None) => (text, &b"\r\n"[..]),
        };
        Verb::of_line(line)?;
        let message = Message { clock: None, mark: None, direction, line: line.to_vec(), eol, style: Style::Text };
        (!line.contains(&b'\r')).then_some(message)
    }
}

/// How far apart messages without a time are put.
pub(super) const STEP: Duration = Duration::from_millis(1);
