//! Dialogues as events: the notation of the rules.

use msnp::codec::CommandSpan;
use msnp::table::Slot;
use msnp::{Command, Direction, ServerKind, Verb};

use crate::event::{
    self, CommandEvent, ConnectionClosed, ConnectionOpened, Event, OpaqueEvent, Origin, Payload, Stem, Text,
};

/// A dialogue in the making.
pub(crate) struct Dialogue {
    pub(crate) events: Vec<Event>,
    connection: u64,
    kind: ServerKind,
    millis: i64,
}

/// Plays a dialogue of a rule.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let mut dialogue = Dialogue::new();
    text.lines().for_each(|line| dialogue.line(line));
    dialogue.close();
    dialogue.events
}

/// Plays one of the example dialogues of `msnp`, whose format the README beside them describes.
pub(crate) fn example(text: &str) -> Vec<Event> {
    let mut dialogue = Dialogue::new();
    let mut connections: Vec<(String, u64, ServerKind)> = Vec::new();
    let mut message: Option<(Direction, String)> = None;
    for line in text.lines().chain(["#"]) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let ("C|" | "S|", Some((_, text))) = (kind, &mut message) {
            text.push_str(rest);
            continue;
        }
        if let Some((direction, text)) = message.take() {
            dialogue.command(direction, &text);
        }
        match kind {
            "C>" => message = Some((Direction::ClientToServer, rest.into())),
            "S>" => message = Some((Direction::ServerToClient, rest.into())),
            "@conn" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let kind = if words[1] == "SB" { ServerKind::Switchboard } else { ServerKind::Notification };
                let next = connections.len() as u64;
                dialogue.connection = next;
                dialogue.open(kind, (kind == ServerKind::Switchboard).then_some(words[2]));
                connections.push((words[0].into(), dialogue.connection, kind));
            }
            "@use" => {
                let (_, connection, kind) = connections.iter().find(|(name, ..)| name == rest).unwrap();
                (dialogue.connection, dialogue.kind) = (*connection, *kind);
            }
            "@close" => {
                let name = rest.split(' ').next().unwrap();
                let current = dialogue.connection;
                dialogue.connection = connections.iter().find(|(known, ..)| known == name).unwrap().1;
                dialogue.close();
                dialogue.connection = current;
            }
            _ => {}
        }
    }
    dialogue.events
}

impl Dialogue {
    pub(crate) fn new() -> Dialogue {
        Dialogue { events: Vec::new(), connection: 0, kind: ServerKind::Notification, millis: 0 }
    }

    pub(crate) fn stem(&mut self) -> Stem {
        self.millis += 10;
        let (seconds, millis) = (self.millis / 1000, self.millis % 1000);
        let time =
            format!("2026-11-22T{:02}:{:02}:{:02}.{millis:03}000Z", seconds / 3600, seconds / 60 % 60, seconds % 60);
        Stem { seq: self.events.len() as u64, time, session: "01jd".into() }
    }

    pub(crate) fn line(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("#", before) => self.before(before),
            ("C:", text) => self.command(Direction::ClientToServer, text),
            ("S:", text) => self.command(Direction::ServerToClient, text),
            ("C?", text) => self.opaque(Direction::ClientToServer, text),
            ("S?", text) => self.opaque(Direction::ServerToClient, text),
            ("...", time) => self.millis += time.trim_end_matches(" s").parse::<i64>().unwrap() * 1000,
            _ => panic!("{line:?} is no line of a dialogue"),
        }
    }

    pub(crate) fn open(&mut self, kind: ServerKind, version: Option<&str>) {
        self.connection += 1;
        self.kind = kind;
        let opened = ConnectionOpened {
            stem: self.stem(),
            connection: self.connection,
            client: "192.0.2.7:50000".into(),
            listener: "192.0.2.1:1863".into(),
            upstream: "ns.example:1863".into(),
            server: Some(kind.into()),
            account: None,
            version: version.map(str::to_owned),
        };
        self.events.push(Event::ConnectionOpened(opened));
    }

    pub(crate) fn close(&mut self) {
        let closed = ConnectionClosed {
            stem: self.stem(),
            connection: self.connection,
            by: "client".into(),
            reason: None,
            client_bytes: 0,
            server_bytes: 0,
        };
        self.events.push(Event::ConnectionClosed(closed));
    }

    /// Plays what a dialogue starts from.
    fn before(&mut self, before: &str) {
        let (name, version) = match before.split_once(" MSNP") {
            Some((name, version)) => (name, format!("MSNP{version}")),
            None => (before, before.to_owned()),
        };
        match name {
            "start" => self.open(ServerKind::Notification, None),
            "switchboard" => self.open(ServerKind::Switchboard, None),
            "board" | "empty board" | "answered board" => {
                self.log_in(&version, true);
                let cookie = "17262740.1050826919.32308";
                if name == "answered board" {
                    self.line(&format!("S: RNG 11752013 192.0.2.20:1863 CKI {cookie} bob@example.com Bob"));
                    self.open(ServerKind::Switchboard, Some(&version));
                    self.line(&format!("C: ANS 1 alice@example.com {cookie} 11752013"));
                    return;
                }
                self.line("C: XFR 7 SB");
                self.line(&format!("S: XFR 7 SB 192.0.2.20:1863 CKI {cookie}"));
                self.open(ServerKind::Switchboard, Some(&version));
                self.line(&format!("C: USR 1 alice@example.com {cookie}"));
                self.line("S: USR 1 OK alice@example.com Alice");
                if name == "board" {
                    self.line("C: CAL 2 bob@example.com");
                    self.line("S: CAL 2 RINGING 11752013");
                    self.line("S: JOI bob@example.com Bob");
                }
            }
            version => {
                let (version, is_ready) = match version.strip_suffix(" before lists") {
                    Some(version) => (version.to_owned(), false),
                    None => (version.to_owned(), true),
                };
                self.log_in(&version, is_ready);
            }
        }
    }

    fn log_in(&mut self, version: &str, is_ready: bool) {
        let number: u8 = version.trim_start_matches("MSNP").parse().unwrap();
        self.open(ServerKind::Notification, None);
        self.line(&format!("C: VER 1 {version} CVR0"));
        self.line(&format!("S: VER 1 {version}"));
        self.line("C: CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 7.5.0324 MSMSGS alice@example.com");
        self.line("S: CVR 2 7.5.0324 7.5.0324 1.0.0 http://download.example http://info.example");
        let ready: &[&str] = match number {
            15.. => {
                self.line("C: USR 3 SSO I alice@example.com");
                self.line("S: USR 3 SSO S MBI_KEY_OLD AAAA=");
                self.line("C: USR 4 SSO S t=ticket AAAA=");
                self.line("S: USR 4 OK alice@example.com 1 0");
                &["C: ADL 5 {n}\\r\\n<ml l=\"1\"></ml>", "S: ADL 5 OK"]
            }
            number => {
                self.line("C: USR 3 TWN I alice@example.com");
                self.line("S: USR 3 TWN S lc=1033");
                self.line("C: USR 4 TWN S t=ticket");
                self.line(if number < 10 {
                    "S: USR 4 OK alice@example.com Alice 1 0"
                } else {
                    "S: USR 4 OK alice@example.com 1 0"
                });
                if number < 10 { &["C: SYN 5 0", "S: SYN 5 1"] } else { &["C: SYN 5 0 0", "S: SYN 5 0 0 0 0"] }
            }
        };
        if is_ready {
            ready.iter().for_each(|line| self.line(line));
            let capabilities = if number >= 16 { "0:0" } else { "0" };
            self.line(&format!("C: CHG 6 NLN {capabilities}"));
            self.line(&format!("S: CHG 6 NLN {capabilities}"));
        }
    }

    fn command(&mut self, direction: Direction, text: &str) {
        let bytes = unescape(text);
        let end = memchr::memchr(b'\n', &bytes);
        let (line, eol, payload) = match end {
            None => (&bytes[..], &b"\r\n"[..], &b""[..]),
            Some(end) if bytes[..end].ends_with(b"\r") => (&bytes[..end - 1], &b"\r\n"[..], &bytes[end + 1..]),
            Some(end) => (&bytes[..end], &b"\n"[..], &bytes[end + 1..]),
        };
        let whole = [line, eol, payload].concat();
        let slot = Slot::of(Verb::of_line(line).unwrap());
        let span = CommandSpan { line: line.len() as u32, eol: eol.len() as u8, slot, len: whole.len() as u32 };
        let command = Command::from_span(direction, &whole, span);
        let event = self.event(&command);
        self.events.push(Event::Command(event));
    }

    pub(crate) fn event(&mut self, command: &Command) -> CommandEvent {
        CommandEvent {
            stem: self.stem(),
            connection: self.connection,
            server: Some(self.kind.into()),
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
        }
    }

    fn opaque(&mut self, direction: Direction, text: &str) {
        let bytes = unescape(text);
        let opaque = OpaqueEvent {
            stem: self.stem(),
            connection: self.connection,
            server: Some(self.kind.into()),
            direction: direction.into(),
            length: bytes.len() as u64,
            payload: Some(Payload::of(&bytes)),
            sent: None,
            masked: Vec::new(),
        };
        self.events.push(Event::Opaque(opaque));
    }
}

/// Resolves escapes, repetitions, and the length.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    let mut length_at = None;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let (value, after) = escape(rest);
                out.push(value);
                rest = after;
            }
            b'{' if rest.starts_with(b"n}") => {
                length_at = Some(out.len());
                rest = &rest[2..];
            }
            b'{' if is_repetition(rest) => {
                let (value, after) = if rest[0] == b'\\' { escape(&rest[1..]) } else { (rest[0], &rest[1..]) };
                let end = memchr::memchr(b'}', after).unwrap();
                let count: usize = std::str::from_utf8(&after[1..end]).unwrap().parse().unwrap();
                out.extend(std::iter::repeat_n(value, count));
                rest = &after[end + 1..];
            }
            byte => out.push(byte),
        }
    }
    if let Some(at) = length_at {
        let payload = out.len() - memchr::memchr(b'\n', &out).unwrap() - 1;
        out.splice(at..at, payload.to_string().into_bytes());
    }
    out
}

fn is_repetition(rest: &[u8]) -> bool {
    matches!(rest, [b'\\', b'x', _, _, b'*', ..] | [_, b'*', ..])
}

fn escape(rest: &[u8]) -> (u8, &[u8]) {
    match rest {
        [b'r', rest @ ..] => (b'\r', rest),
        [b'n', rest @ ..] => (b'\n', rest),
        [b't', rest @ ..] => (b'\t', rest),
        [b'\\', rest @ ..] => (b'\\', rest),
        [b'x', high, low, rest @ ..] => {
            let digits = [*high, *low];
            (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), rest)
        }
        _ => panic!("unknown escape in {:?}", String::from_utf8_lossy(rest)),
    }
}
