//! `C:` from the client, `S:` from the server, as wikis write dialogues.

use msnp::{Direction, Verb};

use super::item::{Grammar, Item, Message};
use super::time::clock;

/// The grammar.
#[derive(Debug)]
pub(super) struct Letters;

/// Whether a line has a command behind a letter.
pub(super) fn is_line(line: &[u8]) -> bool {
    let (_, rest) = clock(line);
    letter(rest).is_some_and(|(_, rest)| Verb::of_line(rest.trim_ascii_start()).is_some())
}

impl Grammar for Letters {
    fn item(&mut self, line: &[u8]) -> Item {
        let (clock, rest) = clock(line);
        let Some((direction, rest)) = letter(rest) else { return Item::Other };
        match Message::of(direction, rest) {
            Some(message) => Item::Message(Message { clock, ..message }),
            None => Item::Bad("no command behind the letter"),
        }
    }
}

fn letter(line: &[u8]) -> Option<(Direction, &[u8])> {
    let line = line.trim_ascii_start();
    // marks of lists and quotations
    let line = line.strip_prefix(b"* ").or_else(|| line.strip_prefix(b"> ")).unwrap_or(line);
    let words: [(&[u8], Direction); 4] = [
        (b"C:", Direction::ClientToServer),
        (b"S:", Direction::ServerToClient),
        (b"Client:", Direction::ClientToServer),
        (b"Server:", Direction::ServerToClient),
    ];
    let (direction, rest) = words.into_iter().find_map(|(word, way)| Some((way, line.strip_prefix(word)?)))?;
    rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t')).then_some((direction, rest))
}
