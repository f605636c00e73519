//! The debug log of libpurple: `pidgin -d`, `finch -d`, Adium.
//!
//! ```text
//! (12:00:01) msn: C: NS 000: VER 1 MSNP18 MSNP17 CVR0
//! ```
//!
//! Letter, kind of server and number of its connection object are those of libpurple's `cmdproc.c`, which prints lines without
//! their ends and never a payload. A connection object is used again after a redirect, so that a `VER` begins a connection.

use msnp::Direction;

use super::item::{Grammar, Item, Message, Style};
use super::time::clock;

/// The grammar.
#[derive(Debug)]
pub(super) struct Purple;

/// Whether a line has a command.
pub(super) fn is_line(line: &[u8]) -> bool {
    matches!(Purple.item(line), Item::Message(_))
}

/// Whether it is a line of a debug log at all: `(12:00:01) dns: ...`.
pub(super) fn is_debug(line: &[u8]) -> bool {
    let (clock, rest) = clock(line);
    let word = rest.trim_ascii_start().split(|&byte| byte == b':').next().unwrap_or_default();
    clock.is_some() && line.starts_with(b"(") && rest.starts_with(b" ") && rest.contains(&b':') && !word.contains(&b' ')
}

impl Grammar for Purple {
    fn item(&mut self, line: &[u8]) -> Item {
        let (clock, rest) = clock(line);
        let rest = rest.trim_ascii_start();
        let categories = [&b"msn: "[..], b": (Libpurple: msn) ", b"(Libpurple: msn) "];
        let Some(rest) = categories.iter().find_map(|category| rest.strip_prefix(*category)) else {
            return Item::Other;
        };
        let (direction, rest) = match rest {
            [b'C', b':', b' ', rest @ ..] => (Direction::ClientToServer, rest),
            [b'S', b':', b' ', rest @ ..] => (Direction::ServerToClient, rest),
            _ => return Item::Other,
        };
        let Some(end) = memchr::memchr(b':', rest).filter(|&end| end <= 12) else { return Item::Other };
        let (mark, rest) = (&rest[..end], &rest[end + 1..]);
        if !mark.starts_with(b"NS ") && !mark.starts_with(b"SB ") {
            return Item::Other;
        }
        let mark = Some(String::from_utf8_lossy(mark).into_owned());
        match Message::of(direction, rest.strip_prefix(b" ").unwrap_or(rest)) {
            Some(message) => Item::Message(Message { clock, mark, style: Style::Absent, ..message }),
            None => Item::Bad("no command behind the number of the connection"),
        }
    }
}
