//! What the tests of redaction share. Traces are looked for here in another way than the checker does: it decodes what it
//! searches, this encodes what it searches for.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::{Command, Direction};
use msnp_transcript::event::{CommandEvent, Event, FORMAT, Origin, Payload, SessionEvent, Stem, Text, VERSION};
use msnp_transcript::lint::{Linter, Side};
use msnp_transcript::redact::{Options, Redactor};
use msnp_transcript::transcript::Transcript;

/// Makes a transcript of events.
pub(crate) fn transcript(name: &str, events: Vec<Event>) -> Transcript {
    let header = Event::Session(SessionEvent {
        stem: stem(0),
        format: FORMAT.into(),
        version: VERSION,
        software: "mitmsn 0.1.0".into(),
        source: None,
        redacted: None,
    });
    let mut transcript = Transcript::default();
    transcript.name = Path::new(name).into();
    transcript.events = std::iter::once(header).chain(events).collect();
    for (seq, event) in transcript.events.iter_mut().enumerate() {
        event.stem_mut().seq = seq as u64;
    }
    transcript
}

pub(crate) fn stem(seq: u64) -> Stem {
    Stem { seq, time: "2026-11-22T12:00:00.123456Z".into(), session: "01jd0000000000000000000000".into() }
}

/// Makes an event of a command on a connection.
pub(crate) fn event(connection: u64, command: &Command) -> Event {
    Event::Command(CommandEvent {
        stem: stem(0),
        connection,
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

/// Makes a command of a line, and a payload whose length becomes the last argument.
pub(crate) fn command(direction: Direction, line: &str, payload: Option<&[u8]>) -> Command {
    Command::new(direction, line.as_bytes(), payload).unwrap()
}

/// Learns from transcripts and redacts them.
pub(crate) fn redact(options: Options, transcripts: &[Transcript]) -> (Vec<Transcript>, Redactor) {
    let mut redactor = Redactor::new(options);
    transcripts.iter().for_each(|transcript| redactor.learn(transcript));
    let redacted = transcripts.iter().map(|transcript| redactor.redact(transcript).unwrap()).collect();
    (redacted, redactor)
}

/// Returns what the linter says of a copy that it does not say of the original, as rule and line. The copy is judged as if nobody
/// had said that it is one, so that its lengths and all else that is made anew count.
pub(crate) fn new_findings(original: &Transcript, copy: &Transcript) -> Vec<(&'static str, u64, String)> {
    let findings = |transcript: &Transcript, side| {
        let mut linter = Linter::new(side);
        let mut found = Vec::new();
        for (line, event) in (1..).zip(&transcript.events) {
            let mut event = event.clone();
            if let Event::Session(session) = &mut event {
                session.redacted = None;
            }
            found.extend(linter.event(line, &event));
        }
        found.extend(linter.finish());
        found
    };
    let mut new = Vec::new();
    for side in [Side::Received, Side::Sent] {
        let mut known: Vec<_> =
            findings(original, side).iter().map(|finding| (finding.rule.id, finding.place.line)).collect();
        for finding in findings(copy, side) {
            let place = (finding.rule.id, finding.place.line);
            match known.iter().position(|known| *known == place) {
                Some(at) => drop(known.swap_remove(at)),
                None => new.push((place.0, place.1, finding.message)),
            }
        }
    }
    new
}

/// Returns the lines of a transcript as they are written.
pub(crate) fn written(transcript: &Transcript) -> Vec<String> {
    transcript.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// Returns the encoding in which a value stands in a transcript, and what stands around it.
pub(crate) fn trace(transcript: &Transcript, value: &str) -> Option<String> {
    Haystack::of(transcript).trace(value)
}

/// Everything that a transcript holds: its lines, and the bytes of arguments and payloads.
pub(crate) struct Haystack {
    bytes: Vec<u8>,
    folded: Vec<u8>,
}

impl Haystack {
    pub(crate) fn of(transcript: &Transcript) -> Haystack {
        let mut bytes = transcript.name.to_string_lossy().into_owned().into_bytes();
        for (event, line) in transcript.events.iter().zip(written(transcript)) {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            bytes.extend(bytes_of(event));
        }
        let folded = bytes.to_ascii_lowercase();
        Haystack { bytes, folded }
    }

    pub(crate) fn trace(&self, value: &str) -> Option<String> {
        forms(value).into_iter().find_map(|(encoding, form, folds)| {
            let at = match folds {
                true => memchr::memmem::find(&self.folded, &form.to_ascii_lowercase())?,
                false => memchr::memmem::find(&self.bytes, &form)?,
            };
            let around = &self.bytes[at.saturating_sub(120)..(at + 120).min(self.bytes.len())];
            Some(format!("{encoding} in {}", String::from_utf8_lossy(around)))
        })
    }
}

/// A value in every encoding that it may be written in, and whether letters of either case are the same there.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>, bool)> {
    let each = |make: &dyn Fn(u8) -> String| value.bytes().map(make).collect::<String>().into_bytes();
    let some = |make: &dyn Fn(u8) -> String| {
        each(&|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { make(byte) })
    };
    let mut forms = vec![
        ("text", value.as_bytes().to_vec(), true),
        ("percent-encoding", some(&|byte| format!("%{byte:02x}")), true),
        ("percent-encoding of all", each(&|byte| format!("%{byte:02x}")), true),
        ("entities", some(&|byte| format!("&#x{byte:x};")), true),
        ("decimal entities", some(&|byte| format!("&#{byte};")), true),
        ("named entities", value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").into_bytes(), true),
        ("JSON", serde_json::to_string(value).unwrap().trim_matches('"').as_bytes().to_vec(), true),
        ("UTF-16LE", value.encode_utf16().flat_map(u16::to_le_bytes).collect(), true),
        ("UTF-16BE", value.encode_utf16().flat_map(u16::to_be_bytes).collect(), true),
    ];
    let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [value.as_bytes(), &value.to_lowercase().into_bytes(), &value.to_uppercase().into_bytes(), &wide] {
        for shift in 0..3 {
            // only the digits of base64 that no neighbour has a part in
            let encoded = STANDARD.encode([&vec![0; shift], bytes].concat());
            let start = (shift * 8).div_ceil(6);
            let end = (shift + bytes.len()) * 8 / 6;
            if end > start + 5 {
                forms.push(("base64", encoded.as_bytes()[start..end].to_vec(), false));
            }
        }
    }
    forms
}

/// All bytes of arguments and payloads of an event, decoded from base64 where JSON has them in it.
fn bytes_of(event: &Event) -> Vec<u8> {
    let Event::Command(event) = event else { return Vec::new() };
    let mut bytes = Vec::new();
    let mut add = |args: &[Text], payload: Option<&Payload>| {
        for arg in args {
            bytes.extend_from_slice(&arg.bytes().unwrap());
            bytes.push(b'\n');
        }
        bytes.extend(payload.into_iter().flat_map(|payload| payload.bytes().unwrap().into_owned()));
    };
    add(&event.args, event.payload.as_ref());
    event.sent.iter().flatten().for_each(|sent| add(&sent.args, sent.payload.as_ref()));
    bytes
}
