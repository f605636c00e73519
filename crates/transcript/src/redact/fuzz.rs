//! What must hold for any transcript.

use std::path::Path;

use msnp::{Command, Direction};

use super::{Options, Redactor};
use crate::event::{CommandEvent, Event, Origin, Payload, SessionEvent, Stem, Text};
use crate::reader::Reader;
use crate::transcript::Transcript;

/// Reads anything as a transcript, with somebody planted in it, redacts it and checks what must hold for any input: no
/// panic, what was one command is one command, of the same verb and number of arguments, and who was planted is gone.
/// The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_redaction(text: &[u8]) {
    let mut events: Vec<Event> = Reader::new(text, Path::new("input")).filter_map(Result::ok).collect();
    if text.windows(WITNESS.len()).any(|window| window.eq_ignore_ascii_case(WITNESS.as_bytes())) {
        return;
    }
    events.extend(planted());
    let mut transcript = Transcript::default();
    // not the result of a redaction: people in such a one have no names that need replacing
    for event in &mut events {
        if let Event::Session(SessionEvent { redacted, .. }) = event {
            *redacted = None;
        }
    }
    transcript.events = events;
    let mut redactor = Redactor::new(Options::default());
    redactor.learn(&transcript);
    let redacted = redactor.redact(&transcript).expect("every command stays one");
    assert_eq!(redacted.events.len(), transcript.events.len());
    for (old, new) in transcript.events.iter().zip(&redacted.events) {
        let (Event::Command(old), Event::Command(new)) = (old, new) else { continue };
        let Ok(command) = old.command() else { continue };
        let redacted = new.command().expect("a command stays one");
        assert_eq!((old.verb.as_str(), old.trid), (new.verb.as_str(), new.trid));
        assert_eq!(command.arguments().count(), redacted.arguments().count(), "{}", old.verb);
        assert!(!command.is_framed() || redacted.is_framed(), "{}", old.verb);
    }
    let text = serde_json::to_string(&redacted.events).expect("events are JSON").to_ascii_lowercase();
    assert!(!text.contains(WITNESS), "{text}");
    // what is left may be a coincidence: then nothing is written
    let _ = redactor.check(&redacted);
}

fn planted() -> Vec<Event> {
    let profile = format!(
        "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nTypingUser: {WITNESS}@private.example.net\r\n\r\n{WITNESS}"
    );
    let contacts = format!(r#"<ml><d n="private.example.net"><c n="{WITNESS}" l="3"/></d></ml>"#);
    let lines: [(Direction, String, Option<&str>); 4] = [
        (Direction::ClientToServer, format!("USR 3 TWN I {WITNESS}@private.example.net"), None),
        (Direction::ServerToClient, format!("MSG 1:{WITNESS}@private.example.net {WITNESS}"), Some(&profile)),
        (Direction::ClientToServer, "ADL 6".into(), Some(&contacts)),
        (Direction::ServerToClient, format!("NLN NLN {WITNESS}%40private.example.net {WITNESS}"), None),
    ];
    let commands = lines.iter().filter_map(|(direction, line, payload)| {
        Command::new(*direction, line.as_bytes(), payload.map(str::as_bytes)).ok()
    });
    commands.enumerate().map(|(index, command)| event(PLANTED + index as u64, &command)).collect()
}

fn event(seq: u64, command: &Command) -> Event {
    Event::Command(CommandEvent {
        stem: Stem { seq, time: "2026-11-22T12:00:00.000000Z".into(), session: "01jd".into() },
        connection: PLANTED,
        server: None,
        direction: command.direction().into(),
        verb: command.verb().to_string(),
        trid: command.transaction_id().map(|id| id.0),
        args: command.arguments().map(Text::of).collect(),
        payload: (!command.payload().is_empty()).then(|| Payload::of(command.payload())),
        eol: None,
        origin: Origin::Peer,
        sent: None,
        by: Vec::new(),
        delay: None,
        held: None,
        masked: Vec::new(),
    })
}

/// Somebody whose name nobody has.
const WITNESS: &str = "quzbexjw.planted";
const PLANTED: u64 = 1 << 40;
