//! Transcripts for tests.

use std::path::Path;

use msnp::Direction;
use msnp_transcript::{Event, Reader, Transcript};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Makes a transcript event by event.
pub(crate) struct Draft {
    session: String,
    lines: Vec<Value>,
    time: u64,
}

impl Draft {
    pub(crate) fn new(session: &str) -> Draft {
        let mut draft = Draft { session: session.into(), lines: Vec::new(), time: 0 };
        draft.event(
            0,
            json!({"type": "session", "format": "mitmsn-transcript", "version": 1, "software": "mitmsn 0.1.0"}),
        );
        draft
    }

    /// Adds an event, so many microseconds after the one before. Returns its number.
    pub(crate) fn event(&mut self, after: u64, mut event: Value) -> u64 {
        self.time += after;
        let seq = self.lines.len() as u64;
        event["seq"] = json!(seq);
        event["session"] = json!(self.session);
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(START + self.time);
        event["time"] = json!(msnp_transcript::id::Stamp::of(time).as_str());
        self.lines.push(event);
        seq
    }

    pub(crate) fn opened(&mut self, connection: u64, client: &str, upstream: &str) -> u64 {
        let event = json!({
            "type": "connection-opened", "connection": connection, "client": client, "listener": "127.0.0.1:1863",
            "upstream": upstream
        });
        self.event(1000, event)
    }

    pub(crate) fn command(&mut self, connection: u64, bytes: &str) -> u64 {
        self.command_with(connection, bytes, json!({}))
    }

    /// Adds a command, `>>> VER ...` or `<<< VER ...`, with more fields.
    pub(crate) fn command_with(&mut self, connection: u64, text: &str, more: Value) -> u64 {
        let mut event = json!({"type": "command", "connection": connection, "origin": "peer"});
        for (name, value) in sent(text).as_object().into_iter().chain(more.as_object()).flatten() {
            event[name] = value.clone();
        }
        self.event(1000, event)
    }

    pub(crate) fn closed(&mut self, connection: u64, by: &str) -> u64 {
        let event = json!({"type": "connection-closed", "connection": connection, "by": by, "client_bytes": 0, "server_bytes": 0});
        self.event(1000, event)
    }

    pub(crate) fn transcript(&self) -> Transcript {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        let name = Path::new("session.jsonl");
        Transcript::read(Reader::new(text.as_bytes(), name), name).unwrap()
    }
}

/// Describes a command, given as `>>> VER ...` or `<<< VER ...` with its payload behind the first CRLF.
pub(crate) fn sent(text: &str) -> Value {
    let (arrow, rest) = text.split_at(4);
    let (line, payload) = rest.split_once("\r\n").unwrap_or((rest, ""));
    let (verb, rest) = line.split_at(3);
    let args: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest[1..].split(' ').collect() };
    let direction = if arrow == ">>> " { "c2s" } else { "s2c" };
    let mut event = json!({"direction": direction, "verb": verb, "args": args});
    if !payload.is_empty() {
        event["payload"] = json!({"text": payload});
    }
    event
}

/// Any transcript of a few connections, with everything that hooks, peers and sources do.
pub(crate) fn any_transcript(session: &'static str) -> impl Strategy<Value = Transcript> {
    let action = (0u64..4, 0u8..14, any::<bool>(), 0u64..2000, "[a-z]{0,3}");
    prop::collection::vec(action, 0..40).prop_map(move |actions| draft(session, &actions).transcript())
}

fn draft(session: &str, actions: &[(u64, u8, bool, u64, String)]) -> Draft {
    let mut draft = Draft::new(session);
    let mut open = [None; 4];
    let mut number = 0;
    let mut held = 0;
    for (index, what, is_client, size, word) in actions {
        let (index, size) = (*index as usize, *size as usize);
        if open[index].is_none() {
            let clients = ["10.0.0.5:40001", "10.0.0.5:1025", "", "[2001:db8::5]:40001"];
            let servers = ["192.0.2.9:1863", "ns.example:1864", "", "[2001:db8::9]:1863"];
            number += 1;
            draft.opened(number, clients[(index + size) % 4], servers[size % 4]);
            open[index] = Some(number);
        }
        let connection = open[index].unwrap_or(number);
        let way = if *is_client { ">>>" } else { "<<<" };
        let back = if *is_client { "<<<" } else { ">>>" };
        let direction = if *is_client { "c2s" } else { "s2c" };
        let message = match is_client {
            true => {
                format!(">>> MSG 5 N {}\r\n{}", size * 2, "hé".repeat(size).chars().take(size * 2).collect::<String>())
            }
            false => format!("<<< NOT {size}\r\n{}", "x".repeat(size)),
        };
        match what {
            0..=3 => {
                draft.command(connection, &format!("{way} CHG 8 NLN {word}"));
            }
            4..=5 => {
                draft.command(connection, &message);
            }
            6 => {
                let more = json!({"sent": [sent(&format!("{way} CHG 9 {word}")), sent(&format!("{back} QNG 50"))], "by": ["r"]});
                draft.command_with(connection, &format!("{way} CHG 8 NLN"), more);
            }
            7 => {
                draft.command_with(connection, &format!("{way} PNG"), json!({"sent": [], "by": [word]}));
            }
            8 => {
                draft.command_with(connection, &format!("{way} PNG"), json!({"delay": size as f64 / 100.0}));
            }
            9 => {
                draft.command_with(connection, &format!("{way} OUT"), json!({"origin": "injected", "by": ["me"]}));
            }
            10 => {
                held += 1;
                draft.command_with(connection, &format!("{way} FLN {word}"), json!({"held": held}));
                draft.command(connection, &format!("{way} BYE {word}"));
                if size % 2 == 0 {
                    let mut event = json!({"type": "released", "connection": connection, "held": held, "direction": direction, "by": "me", "after": 0.1});
                    if size % 4 == 0 {
                        event["sent"] = json!([sent(&format!("{way} FLN other"))]);
                    }
                    draft.event(100_000, event);
                }
            }
            11 => {
                let mut event = json!({"type": "opaque", "connection": connection, "direction": direction, "length": 5, "payload": {"base64": "/wABAgM="}});
                if size % 3 == 0 {
                    event.as_object_mut().unwrap().remove("payload");
                    event["masked"] = json!(["payload"]);
                }
                draft.event(10, event);
            }
            12 => {
                draft.event(10, json!({"type": "note", "connection": connection, "text": word}));
            }
            _ => {
                draft.closed(connection, if *is_client { "client" } else { "proxy" });
                open[index] = None;
            }
        }
    }
    draft
}

/// Returns the bytes of a direction as `reader::streams` has them, or none.
pub(crate) fn stream(transcript: &Transcript, connection: u64, side: msnp_transcript::reader::Side) -> Vec<u8> {
    msnp_transcript::reader::streams(&transcript.events).unwrap().remove(&(connection, side)).unwrap_or_default()
}

/// Returns the numbers of the connections that carry anything.
pub(crate) fn connections(events: &[Event]) -> Vec<u64> {
    let mut numbers: Vec<u64> = events.iter().filter_map(Event::connection).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Both directions, for loops that judge both.
pub(crate) const WAYS: [Direction; 2] = Direction::BOTH;

/// 2026-11-22T12:00:00Z in microseconds.
const START: u64 = 1_795_348_800_000_000;

/// A sink that writes down what it is told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) sources: Vec<msnp_transcript::event::Source>,
    pub(crate) lines: Vec<String>,
    /// The time of each line.
    pub(crate) times: Vec<std::time::SystemTime>,
    count: u64,
    open: Vec<u64>,
}

impl Told {
    fn tell(&mut self, time: std::time::SystemTime, line: String) {
        self.lines.push(line);
        self.times.push(time);
    }
}

impl crate::Sink for Told {
    fn source(&mut self, source: &msnp_transcript::event::Source) {
        self.sources.push(source.clone());
    }

    fn opened(&mut self, peers: &crate::Peers, time: std::time::SystemTime) -> crate::ConnectionKey {
        self.count += 1;
        self.open.push(self.count);
        self.tell(time, format!("{} opened {:?} {:?}", self.count, peers.client, peers.server));
        crate::ConnectionKey(self.count)
    }

    fn data(&mut self, key: crate::ConnectionKey, way: Direction, time: std::time::SystemTime, bytes: &[u8]) {
        assert!(self.open.contains(&key.0), "not open");
        self.tell(time, format!("{} {} {}", key.0, way.arrow(), bytes.escape_ascii()));
    }

    fn gap(&mut self, key: crate::ConnectionKey, way: Direction, time: std::time::SystemTime, length: Option<u64>) {
        assert!(self.open.contains(&key.0), "not open");
        self.tell(time, format!("{} {} missing {length:?}", key.0, way.arrow()));
    }

    fn note(&mut self, key: crate::ConnectionKey, time: std::time::SystemTime, text: &str) {
        assert!(self.open.contains(&key.0), "not open");
        self.tell(time, format!("{} note {text}", key.0));
    }

    fn closed(&mut self, key: crate::ConnectionKey, time: std::time::SystemTime, by: crate::Closer, _: Option<&str>) {
        assert!(self.open.contains(&key.0), "not open");
        self.open.retain(|open| *open != key.0);
        self.tell(time, format!("{} closed by {by:?}", key.0));
    }
}
