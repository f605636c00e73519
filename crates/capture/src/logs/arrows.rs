//! `>>>` from the client, `<<<` from the server.
//!
//! ```text
//! MS/2a1f con                                                  Escargot; the bytes of a payload follow as b'...'
//! MS/2a1f >>> VER 1 MSNP8 CVR0
//! [11:44:11 DEBUG papyon.transport] >>> VER 0 MSNP18           papyon, emesene
//! 12:00:01.234 alice@example.com  ns#2 >>> XFR 7 SB            mitmsn show
//! # 2003-05-01 12:00:01 ns#2                                   mitmsn export --format text
//! <<< MSG bob@passport.com Bob 89\r\n                          MSNPiki, hypothetic.org
//!     MIME-Version: 1.0\r\n
//! ```

use memchr::memmem;
use msnp::{Direction, Verb};

use super::item::{Grammar, Item, Message, Style};
use super::time::{Clock, clock};

/// The grammar.
#[derive(Debug, Default)]
pub(super) struct Arrows {
    /// Where the dialogue goes on, and when, as `mitmsn export --format text` remarks before lines that do not say.
    place: Option<(Option<Clock>, String)>,
    /// The connection of the line before, for the lines below it.
    mark: Option<String>,
}

/// Whether a line has a command behind an arrow.
pub(super) fn is_line(line: &[u8]) -> bool {
    arrow(line).is_some_and(|(_, _, rest)| Verb::of_line(rest.trim_ascii_start()).is_some())
}

impl Grammar for Arrows {
    fn item(&mut self, line: &[u8]) -> Item {
        if let Some((before, direction, rest)) = arrow(line) {
            let (clock, before) = clock(before);
            let mark = mark(before);
            let is_drawn = mark.as_ref().is_some_and(|mark| mark.contains('#'));
            let (rest, eol) = if is_drawn { without_remarks(rest) } else { (rest, None) };
            let Some(message) = Message::of(direction, rest) else {
                return Item::Bad("no command behind the arrow");
            };
            let (clock, mark) = match (&self.place, mark) {
                (Some((remarked, place)), None) => (clock.or(*remarked), Some(place.clone())),
                (_, mark) => (clock, mark),
            };
            self.mark.clone_from(&mark);
            let style = if is_drawn { Style::Drawn } else { Style::Text };
            return Item::Message(Message { clock, mark, style, eol: eol.unwrap_or(message.eol), ..message });
        }
        if let Some(item) = self.below(line) {
            return item;
        }
        if let Some((clock, rest)) = line.strip_prefix(b"# ").map(clock)
            && let rest = rest.trim_ascii()
            && rest.contains(&b'#')
            && is_mark(rest)
        {
            self.place = Some((clock, name(rest)));
            return Item::Other;
        }
        let (clock, rest) = clock(line);
        let words: Vec<&[u8]> = rest.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
        match words[..] {
            [at, b"con"] if is_mark(at) => opened(clock, at, "", ""),
            [at, b"dis"] if is_mark(at) => Item::Closed { clock, mark: Some(name(at)), by: String::new() },
            [_, at, b"---", b"connected"] if is_mark(at) => opened(clock, at, "", ""),
            [_, at, b"---", b"connected:", client, b"->", _, b"->", server] if is_mark(at) => {
                opened(clock, at, &text(client), &text(server))
            }
            [_, at, b"---", b"closed", b"by", by, ..] if is_mark(at) => {
                let by = text(by).trim_end_matches(':').to_owned();
                Item::Closed { clock, mark: Some(name(at)), by }
            }
            [_, at, b"---", ..] if is_mark(at) => {
                let remark = memmem::find(rest, b"--- ").map(|at| &rest[at + 4..]).unwrap_or_default();
                Item::Note { clock, mark: Some(name(at)), text: text(remark) }
            }
            _ => Item::Other,
        }
    }
}

impl Arrows {
    /// Reads what `mitmsn show` draws below a command: what left in its place.
    fn below(&self, line: &[u8]) -> Option<Item> {
        let start = line.trim_ascii_start();
        let column = line.len() - start.len();
        let signs = [&b"~>>"[..], b"~<<", b"+>>", b"+<<", b"x>>", b"x<<", b"=||"];
        let sign = signs.iter().find(|sign| start.starts_with(sign))?;
        // injected commands stand for themselves, with time and connection before them
        (column >= BELOW).then(|| Item::Note {
            clock: None,
            mark: self.mark.clone(),
            text: format!("{} {}", String::from_utf8_lossy(sign), text(&start[sign.len()..])),
        })
    }
}

/// Splits a line at its arrow.
fn arrow(line: &[u8]) -> Option<(&[u8], Direction, &[u8])> {
    let head = &line[..line.len().min(FARTHEST)];
    let find = |arrow: &[u8]| {
        memmem::find_iter(head, arrow).find(|&at| {
            let starts = at == 0 || head[at - 1].is_ascii_whitespace();
            starts && line.get(at + 3).is_none_or(|byte| *byte == b' ')
        })
    };
    let (at, direction) = match (find(b">>>"), find(b"<<<")) {
        (Some(client), Some(server)) if server < client => (server, Direction::ServerToClient),
        (Some(client), _) => (client, Direction::ClientToServer),
        (None, Some(server)) => (server, Direction::ServerToClient),
        (None, None) => return None,
    };
    Some((&line[..at], direction, &line[at + 3..]))
}

/// Finds what the log calls the connection: `MS/2a1f`, `ns#2`, `[7]`.
fn mark(before: &[u8]) -> Option<String> {
    let mut words = before.split(|byte| byte.is_ascii_whitespace());
    words.rfind(|word| is_mark(word)).map(name)
}

/// Returns what a connection is called by. What is before `#` is the kind of server, which may show later.
fn name(mark: &[u8]) -> String {
    let mark = mark.strip_suffix(b":").unwrap_or(mark);
    text(memchr::memrchr(b'#', mark).map_or(mark, |at| &mark[at..]))
}

fn is_mark(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if let Some(inside) = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")) {
        return is_number(inside);
    }
    if let Some(at) = memchr::memrchr(b'#', word) {
        return is_number(&word[at + 1..]);
    }
    let Some(at) = memchr::memrchr(b'/', word) else { return false };
    let (name, digits) = (&word[..at], &word[at + 1..]);
    (1..=8).contains(&name.len()) && (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit)
}

/// Takes away what `mitmsn show` adds to a line: the meaning of an error, the end that is a bare line feed.
fn without_remarks(line: &[u8]) -> (&[u8], Option<&'static [u8]>) {
    let line = match memmem::rfind(line, b"   (") {
        Some(at) if line.ends_with(b")") => &line[..at],
        _ => line,
    };
    match line.strip_suffix(b" [LF]") {
        Some(line) => (line, Some(b"\n")),
        None => (line, None),
    }
}

fn opened(clock: Option<Clock>, mark: &[u8], client: &str, server: &str) -> Item {
    Item::Opened { clock, mark: Some(name(mark)), client: client.into(), server: server.into() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

/// How far from the start of a line an arrow may stand.
const FARTHEST: usize = 160;
/// How far `mitmsn show` indents what is below a command, at least.
const BELOW: usize = 20;
