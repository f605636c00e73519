//! Writes command events by hand: the same lines as serde would, several times faster.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::sync::LazyLock;

use base64::Engine;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::{Simd, general_purpose::PAD};
use msnp::argument::Scope;
use msnp::codec::CommandSpan;
use msnp::types::Direction;
use msnp::{Command, command};

use crate::event::Sent;
use crate::id::{STAMP, Stamp};
use crate::mask;

/// What the commands of one batch have in common, formatted once.
#[derive(Clone, Debug)]
pub struct Batch {
    direction: Direction,
    scope: Scope,
    keep_secrets: bool,
    /// From behind `seq` to before the verb.
    middle: Vec<u8>,
}

/// What hooks did to a command.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// What left, if that differs from what arrived.
    pub sent: Option<&'a [Command]>,
    /// Who changed it.
    pub by: &'a [std::sync::Arc<str>],
    /// Seconds for which it was delayed.
    pub delay: Option<f64>,
    /// The number under which it is held.
    pub held: Option<u64>,
}

impl Batch {
    /// Prepares for commands of one connection and direction that were seen at one time.
    pub fn new(
        stamp: &Stamp,
        session: &str,
        connection: u64,
        direction: Direction,
        scope: Scope,
        keep_secrets: bool,
    ) -> Batch {
        let mut middle = Vec::with_capacity(176);
        for part in [TIME, stamp.as_str(), "\",\"session\":\"", session, "\",\"connection\":"] {
            middle.extend_from_slice(part.as_bytes());
        }
        number(&mut middle, connection);
        let server = scope.server.map_or(["", "", ""], |kind| [",\"server\":\"", kind.as_str(), "\""]);
        for part in server.into_iter().chain([",\"direction\":\"", direction.as_str(), "\",\"verb\":\""]) {
            middle.extend_from_slice(part.as_bytes());
        }
        Batch { direction, scope, keep_secrets, middle }
    }

    /// Goes on to commands that were seen at another time.
    pub fn set_time(&mut self, stamp: &Stamp) {
        self.middle[TIME_AT..TIME_AT + STAMP].copy_from_slice(stamp.as_str().as_bytes());
    }

    /// Appends the line of one command that was forwarded as it came.
    #[inline]
    pub fn command(&self, out: &mut Vec<u8>, seq: u64, bytes: &[u8], span: CommandSpan) {
        let masked = if self.keep_secrets { None } else { mask::mask(self.direction, bytes, span) };
        match masked {
            None => {
                self.head(out, seq, bytes, span);
                out.extend_from_slice(b"}\n");
            }
            Some(masked) => {
                self.head(out, seq, masked.command.as_bytes(), span);
                out.extend_from_slice(b",\"masked\":");
                strings(out, &masked.places);
                out.extend_from_slice(b"}\n");
            }
        }
    }

    /// Appends the line of one command that hooks changed.
    pub fn changed(&self, out: &mut Vec<u8>, seq: u64, command: &Command, change: &Change<'_>) {
        let span = CommandSpan {
            line: command.line().len() as u32,
            eol: command.eol().len() as u8,
            slot: command.slot(),
            len: command.as_bytes().len() as u32,
        };
        let mut places = Vec::new();
        let hide = |command: &Command, places: &mut Vec<String>, prefix: &str| match mask::mask_command(command) {
            Some(masked) if !self.keep_secrets => {
                places.extend(masked.places.iter().map(|place| format!("{prefix}{place}")));
                masked.command
            }
            _ => command.clone(),
        };
        self.head(out, seq, hide(command, &mut places, "").as_bytes(), span);
        if let Some(sent) = change.sent {
            out.extend_from_slice(b",\"sent\":[");
            for (index, command) in sent.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let sent = Sent::of(&hide(command, &mut places, &format!("sent[{index}].")));
                // these types always serialise
                let _ = serde_json::to_writer(&mut *out, &sent);
            }
            out.push(b']');
        }
        if !change.by.is_empty() {
            out.extend_from_slice(b",\"by\":");
            strings(out, change.by);
        }
        if let Some(delay) = change.delay {
            out.extend_from_slice(b",\"delay\":");
            let _ = serde_json::to_writer(&mut *out, &delay);
        }
        if let Some(held) = change.held {
            out.extend_from_slice(b",\"held\":");
            number(out, held);
        }
        if !places.is_empty() {
            out.extend_from_slice(b",\"masked\":");
            strings(out, &places);
        }
        out.extend_from_slice(b"}\n");
    }

    #[inline]
    fn head(&self, out: &mut Vec<u8>, seq: u64, bytes: &[u8], span: CommandSpan) {
        let line = &bytes[..span.line as usize];
        let payload = &bytes[span.line as usize + span.eol as usize..span.len as usize];
        out.extend_from_slice(b"{\"type\":\"command\",\"seq\":");
        number(out, seq);
        out.extend_from_slice(&self.middle);
        out.extend_from_slice(&line[..3]);
        out.push(b'"');
        if let Some(id) = command::transaction_id(self.direction, line, self.scope) {
            out.extend_from_slice(b",\"trid\":");
            number(out, u64::from(id.0));
        }
        out.extend_from_slice(b",\"args\":[");
        arguments(out, line);
        out.push(b']');
        if !payload.is_empty() {
            match std::str::from_utf8(payload) {
                Ok(text) => {
                    out.extend_from_slice(b",\"payload\":{\"text\":");
                    string(out, text.as_bytes());
                }
                Err(_) => {
                    out.extend_from_slice(b",\"payload\":{\"base64\":\"");
                    base64(out, payload);
                    out.push(b'"');
                }
            }
            out.push(b'}');
        }
        if span.eol == 1 {
            out.extend_from_slice(b",\"eol\":\"\\n\"");
        }
        out.extend_from_slice(b",\"origin\":\"peer\"");
    }
}

const TIME: &str = ",\"time\":\"";
const TIME_AT: usize = TIME.len();

#[inline]
fn arguments(out: &mut Vec<u8>, line: &[u8]) {
    let Some(rest) = line.get(4..) else { return };
    match std::str::from_utf8(rest) {
        // almost every line needs no escape: then the arguments are the line with other separators
        Ok(_) if plain(rest) == rest.len() => {
            out.push(b'"');
            let mut at = 0;
            for space in memchr::memchr_iter(b' ', rest) {
                out.extend_from_slice(&rest[at..space]);
                out.extend_from_slice(b"\",\"");
                at = space + 1;
            }
            out.extend_from_slice(&rest[at..]);
            out.push(b'"');
        }
        _ => {
            for (index, argument) in command::arguments(line).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match std::str::from_utf8(argument) {
                    Ok(_) => string(out, argument),
                    Err(_) => {
                        out.extend_from_slice(b"{\"base64\":\"");
                        base64(out, argument);
                        out.extend_from_slice(b"\"}");
                    }
                }
            }
        }
    }
}

fn strings<S: AsRef<str>>(out: &mut Vec<u8>, texts: &[S]) {
    for (index, text) in texts.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        string(out, text.as_ref().as_bytes());
    }
    out.push(b']');
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let length = bytes.len().div_ceil(3) * 4;
    out.resize(start + length, b'=');
    // the slice has the exact length that padding base64 needs
    let _ = BASE64.encode_slice(bytes, &mut out[start..]);
}

/// Pictures and files go through here: with vector instructions where there are some.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::engine::general_purpose::STANDARD as BASE64;

#[inline]
fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends valid UTF-8 as a JSON string.
#[inline]
fn string(out: &mut Vec<u8>, mut text: &[u8]) {
    out.push(b'"');
    loop {
        let (clean, rest) = text.split_at(plain(text));
        out.extend_from_slice(clean);
        // the usual line end, at once
        if let Some(rest) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\\r\\n");
            text = rest;
            continue;
        }
        let Some((&byte, rest)) = rest.split_first() else { break };
        escape(out, byte);
        text = rest;
    }
    out.push(b'"');
}

#[inline]
fn escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        _ => {
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]])
        }
    }
}

/// Returns how many bytes at the start stand in a JSON string as they are.
#[inline]
fn plain(text: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut clean = 0;
    // a loop without an early exit inside a block becomes vector instructions
    for block in text.as_chunks::<BLOCK>().0 {
        if block.iter().fold(false, |any, &byte| any | is_special(byte)) {
            break;
        }
        clean += BLOCK;
    }
    // lines of chat are short: what is left goes by words
    let (words, rest) = text[clean..].as_chunks::<8>();
    for word in words {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return clean + found.trailing_zeros() as usize / 8;
        }
        clean += 8;
    }
    clean + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// Returns a word whose lowest set bit lies in the first byte (least significant) that needs an escape.
#[inline]
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    /// The high bit of each byte below `limit`, and perhaps of bytes above one that is.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word & HIGHS
    }
    below(word, 0x20) | below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use msnp::ServerKind;
    use proptest::prelude::*;

    use super::*;
    use crate::event::{self, CommandEvent, Event, Origin, Payload, Stem, Text};

    fn event(command: &Command, seq: u64, stamp: &Stamp, server: Option<ServerKind>) -> Event {
        Event::Command(CommandEvent {
            stem: Stem { seq, time: stamp.to_string(), session: "01jd".into() },
            connection: 2,
            server: server.map(Into::into),
            direction: command.direction().into(),
            verb: command.verb().to_string(),
            trid: command.transaction_id().map(|id| id.0),
            args: command.arguments().map(Text::of).collect(),
            payload: (!command.payload().is_empty()).then(|| Payload::of(command.payload())),
            eol: event::eol(command.eol()),
            origin: Origin::Peer,
            sent: None,
            by: Vec::new(),
            delay: None,
            held: None,
            masked: Vec::new(),
        })
    }

    fn check(direction: Direction, bytes: &[u8]) {
        let Ok(command) = Command::parse(direction, bytes) else { return };
        let stamp = Stamp::of(SystemTime::UNIX_EPOCH);
        let span = CommandSpan {
            line: command.line().len() as u32,
            eol: command.eol().len() as u8,
            slot: command.slot(),
            len: bytes.len() as u32,
        };
        let mut out = Vec::new();
        let batch = Batch::new(&stamp, "01jd", 2, direction, Scope::default(), true);
        batch.command(&mut out, 17, bytes, span);
        let expected = event(&command, 17, &stamp, None);
        assert_eq!(String::from_utf8(out.clone()).unwrap(), serde_json::to_string(&expected).unwrap() + "\n");
        let Event::Command(read) = serde_json::from_slice(&out).unwrap() else { panic!("not a command") };
        assert_eq!(read.command().unwrap(), command);
    }

    #[test]
    fn lines_are_what_serde_writes() {
        check(Direction::ServerToClient, b"XFR 7 SB 127.0.0.1:1863 CKI 17262740.1050826919.32308\r\n");
        check(Direction::ClientToServer, b"PNG\r\n");
        check(Direction::ClientToServer, b"PNG \n");
        check(Direction::ClientToServer, b"MSG 1 N 4\r\n\"\\\x00\xff");
        check(Direction::ClientToServer, "PRP 1 MFN B\u{f6}b\"\\\t\x08\x0c\x1f\u{7f}\r\n".as_bytes());
        check(Direction::ClientToServer, b"PRP 1 MFN \xff\xfe x\r\n");
        check(Direction::ServerToClient, b"UBX a@b 5\r\na\r\nb\t");
    }

    proptest! {
        #[test]
        fn any_command_is_written_as_serde_writes_it(
            line in prop::collection::vec(any::<u8>(), 0..40), payload in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let line: Vec<u8> = line.into_iter().filter(|byte| *byte != b'\n').collect();
            let head = format!(" {}\r\n", payload.len());
            check(Direction::ClientToServer, &[b"MSG 1 ", &line[..], head.as_bytes(), &payload[..]].concat());
            check(Direction::ServerToClient, &[b"NLN ", &line[..], b"\n"].concat());
        }
    }

    #[test]
    fn a_batch_can_go_on_to_another_time() {
        let later = Stamp::of(SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(86_400_000_001));
        let (mut moved, mut fresh) = (Vec::new(), Vec::new());
        let new = |stamp: &Stamp| Batch::new(stamp, "01jd", 2, Direction::ClientToServer, Scope::default(), true);
        let mut batch = new(&Stamp::of(SystemTime::UNIX_EPOCH));
        batch.set_time(&later);
        let span = CommandSpan { line: 3, eol: 2, slot: msnp::table::Slot::UNKNOWN, len: 5 };
        batch.command(&mut moved, 0, b"PNG\r\n", span);
        new(&later).command(&mut fresh, 0, b"PNG\r\n", span);
        assert_eq!(moved, fresh);
    }

    #[test]
    fn the_first_byte_that_needs_an_escape_is_found() {
        for special in [0u8, 0x1f, b'"', b'\\', b'\r'] {
            for length in 1..80 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = special;
                    text[length - 1] = if at == length - 1 { special } else { 0xff };
                    assert_eq!(plain(&text), at, "{special} at {at} of {length}");
                }
                assert_eq!(plain(&vec![b' '; length]), length);
                assert_eq!(plain(&vec![0xff; length]), length);
            }
        }
    }

    #[test]
    fn a_change_names_what_left_and_who_did_it() {
        let command = Command::parse(Direction::ServerToClient, b"XFR 7 SB h:1 CKI 1.2\r\n").unwrap();
        let mut sent = command.clone();
        sent.set_argument(2, b"l:2").unwrap();
        let stamp = Stamp::of(SystemTime::UNIX_EPOCH);
        let scope = Scope { server: Some(ServerKind::Notification), version: None };
        let mut out = Vec::new();
        let by = ["redirect".into()];
        let change = Change { sent: Some(&[sent]), by: &by, ..Change::default() };
        Batch::new(&stamp, "01jd", 2, Direction::ServerToClient, scope, false).changed(&mut out, 17, &command, &change);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"type":"command","seq":17,"time":"1970-01-01T00:00:00.000000Z","session":"01jd","connection":2,"server":"ns","#,
                r#""direction":"s2c","verb":"XFR","trid":7,"args":["7","SB","h:1","CKI","***"],"origin":"peer","#,
                r#""sent":[{"direction":"s2c","verb":"XFR","args":["7","SB","l:2","CKI","***"]}],"by":["redirect"],"#,
                r#""masked":["args[4]","sent[0].args[4]"]}"#,
                "\n"
            )
        );
    }
}
