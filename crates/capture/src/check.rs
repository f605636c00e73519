//! What must hold for any input of the readers: the bodies of fuzz targets.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use msnp::Direction;
use msnp_transcript::event::Source;
use msnp_transcript::export::Options;
use msnp_transcript::{Reader, Transcript};

use crate::export::{self, Side};
use crate::gateway::{Gateways, TcpKey};
use crate::logs::{self, Log};
use crate::report::{Logs, Report};
use crate::sink::{Closer, ConnectionKey, Peers, Sink};

/// Reads anything as a log of each format, and checks that the sink is told of connections as it must be.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_log(text: &[u8]) {
    let _ = Log::of(text);
    for log in [Log::Dialogue, Log::Arrows, Log::Letters, Log::Libpurple] {
        let mut sink = Strict::default();
        logs::read(log, text, Path::new("input"), &mut sink, &mut Logs::default()).expect("memory can be read");
        sink.finish(true);
    }
}

/// Tells gateways of what `input` holds: pieces, each of a byte with the number of a TCP connection, the direction and what it is, a
/// byte with the length, and so many bytes. Then checks that the sink is told of connections as it must be.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_gateway(input: &[u8]) {
    let (mut gateways, mut sink, mut report) = (Gateways::default(), Strict::default(), Report::default());
    let mut open = HashSet::new();
    let mut time = SystemTime::UNIX_EPOCH;
    let mut rest = input;
    while let [what, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let tcp = TcpKey(u64::from(what & 3));
        let direction = Direction::BOTH[usize::from(what >> 2 & 1)];
        time += Duration::from_secs(u64::from(what >> 6) * 100);
        if open.insert(tcp) {
            gateways.opened(tcp, &Peers::default(), time, &mut report);
        }
        match what >> 3 & 7 {
            0 => gateways.gap(tcp, direction, time, Some(u64::from(*length).max(1)), &mut sink),
            1 => gateways.gap(tcp, direction, time, None, &mut sink),
            2 => {
                open.remove(&tcp);
                gateways.closed(tcp, time, Closer::Client, &mut sink);
            }
            _ => gateways.data(tcp, direction, time, bytes, &mut sink),
        }
    }
    gateways.finish(time, &mut sink);
    sink.finish(false);
}

/// Reads anything as a transcript and writes it as packets of both sides, and as a dialogue.
///
/// # Panics
///
/// If writing into memory fails.
pub fn check_any_export(text: &[u8]) {
    let name = Path::new("input");
    let Ok(transcript) = Transcript::read(Reader::new(text, name), name) else { return };
    let transcripts = [transcript];
    for side in [Side::Received, Side::Sent] {
        export::pcapng(&transcripts, &Options { side, ..Options::default() }, "mitmsn", Vec::new())
            .expect("memory takes everything");
    }
    export::dialogue(&transcripts, Vec::new()).expect("memory takes everything");
}

/// Checks that a source opens before it tells, tells in order, and closes what it opened.
#[derive(Debug, Default)]
struct Strict {
    sources: usize,
    opened: u64,
    open: HashSet<ConnectionKey>,
    time: Option<SystemTime>,
}

impl Strict {
    fn at(&mut self, time: SystemTime) {
        assert!(self.time.is_none_or(|before| before <= time), "told out of order");
        self.time = Some(time);
    }

    fn on(&mut self, connection: ConnectionKey, time: SystemTime) {
        self.at(time);
        assert!(self.open.contains(&connection), "told of a connection that is not open");
    }

    fn finish(self, has_source: bool) {
        assert!(self.open.is_empty(), "connections were left open");
        assert!(!has_source || self.opened == 0 || self.sources == 1, "the source was not told of once");
    }
}

impl Sink for Strict {
    fn source(&mut self, _: &Source) {
        assert_eq!(self.opened, 0, "the source was told of too late");
        self.sources += 1;
    }

    fn opened(&mut self, _: &Peers, time: SystemTime) -> ConnectionKey {
        self.at(time);
        self.opened += 1;
        let key = ConnectionKey(self.opened);
        self.open.insert(key);
        key
    }

    fn data(&mut self, connection: ConnectionKey, _: Direction, time: SystemTime, _: &[u8]) {
        self.on(connection, time);
    }

    fn gap(&mut self, connection: ConnectionKey, _: Direction, time: SystemTime, length: Option<u64>) {
        assert_ne!(length, Some(0), "nothing is missing");
        self.on(connection, time);
    }

    fn note(&mut self, connection: ConnectionKey, time: SystemTime, _: &str) {
        self.on(connection, time);
    }

    fn closed(&mut self, connection: ConnectionKey, time: SystemTime, _: Closer, _: Option<&str>) {
        self.on(connection, time);
        self.open.remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = String> {
        let starts = vec![
            ">>> ",
            "<<< ",
            "C: ",
            "S: ",
            "(12:00:01) msn: C: NS 000: ",
            "(12:00:01) msn: S: SB 001: ",
            "C> ",
            "S| ",
            "@conn ",
            "@use ",
            "@close ",
            "MS/2a1f >>> ",
            "MS/2a1f con",
            "MS/2a1f dis",
            "23:59:59.9 a@b  ns#2 <<< ",
            "| ",
            ": ",
            "b'",
            "    ",
            "",
        ];
        let texts = vec![
            "VER 1 MSNP8 CVR0",
            "USR 1 a@b 1.2",
            "ANS 1 a@b 1 2",
            "MSG a@b A 5",
            "MSG 3 N 999999",
            "NOT 3",
            "OUT",
            "hello\\r\\n",
            "\\x0",
            "a",
            "ns1 NS MSNP8",
            "ns1 by=server",
            "00 ff",
            "MSG Hotmail Hotmail 4\\r\\n",
            "XFR 1 NS 1.2.3.4:1",
            "'",
            "ADL 1 2",
            "é",
        ];
        (prop::sample::select(starts), prop::sample::select(texts), prop::sample::select(vec!["\n", "\r\n", ""]))
            .prop_map(|(start, text, end)| format!("{start}{text}{end}"))
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let texts = vec![
            "POST /gateway.dll?Action=open&Server=NS&IP=h HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            "POST /gateway.dll?SessionID=7.1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-MSN-Messenger: SessionID=7.1\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-MSN-Messenger: SessionID=7.1; Session=close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 500 x\r\n\r\n",
            "5\r\n",
            "hello",
            "\r\n",
            "0\r\n\r\n",
            "x",
        ];
        (any::<u8>(), prop::sample::select(texts))
            .prop_map(|(what, text)| [&[what, text.len() as u8][..], text.as_bytes()].concat())
    }

    proptest! {
        #[test]
        fn any_log_can_be_read(lines in prop::collection::vec(line(), 0..30)) {
            check_any_log(lines.concat().as_bytes());
        }

        #[test]
        fn any_gateway_can_be_read(pieces in prop::collection::vec(piece(), 0..30)) {
            check_any_gateway(&pieces.concat());
        }

        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            check_any_log(&bytes);
            check_any_gateway(&bytes);
        }
    }
}
