//! [`Transcript`]: a whole transcript in memory, for whoever looks at a session as a whole.
//!
//! What reads one line after the other, such as `mitmsn show`, uses the [`Reader`] alone.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use msnp::Command;
use msnp::argument::Scope;

use crate::event::{CommandEvent, ConnectionOpened, Event, SessionEvent};
use crate::reader::{ReadError, Reader};
use crate::screen::Tracker;

/// A transcript in memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Transcript {
    /// Where it was read from.
    pub name: PathBuf,
    /// Its events, in order.
    pub events: Vec<Event>,
    /// What could not be read, each with its place: bad lines, a last line that was cut off.
    pub problems: Vec<String>,
}

/// A command of a transcript, with what is known of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Message<'a> {
    /// Index of the event in [`Transcript::events`].
    pub index: usize,
    /// The event.
    pub event: &'a CommandEvent,
    /// The command that arrived; masked places hold `*`.
    pub command: Command,
    /// What is known of its connection at that time.
    pub scope: Scope,
}

impl Transcript {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no transcript, is one of a later version, or is larger than [`MOST_BYTES`]. Lines in the
    /// middle that are no events are no error: they are left out and become [`Transcript::problems`].
    pub fn open(path: &Path) -> Result<Transcript, ReadError> {
        Transcript::read(Reader::open(path)?, path)
    }

    /// Reads what a reader has; `name` stands in errors and reports.
    ///
    /// # Errors
    ///
    /// As [`Transcript::open`].
    pub fn read<R: BufRead>(mut reader: Reader<R>, name: &Path) -> Result<Transcript, ReadError> {
        let mut transcript = Transcript { name: name.to_owned(), ..Transcript::default() };
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => transcript.events.push(event),
                Err(error @ (ReadError::File { .. } | ReadError::Format { .. })) => return Err(error),
                Err(error) if transcript.events.is_empty() => return Err(error),
                Err(error) => transcript.problems.push(error.to_string()),
            }
            if !matches!(transcript.events.first(), Some(Event::Session(_))) {
                return Err(ReadError::Format { name: name.to_owned(), line: 1 });
            }
            if reader.bytes() > MOST_BYTES {
                return Err(ReadError::Size { name: name.to_owned(), line: reader.line() });
            }
        }
        if let Some(line) = reader.torn() {
            let text = format!("{}:{line} is cut off: the recording ended there", name.display());
            transcript.problems.push(text);
        }
        match transcript.events.is_empty() {
            true => Err(ReadError::Format { name: name.to_owned(), line: 1 }),
            false => Ok(transcript),
        }
    }

    /// Returns the first event, which names the format.
    pub fn header(&self) -> Option<&SessionEvent> {
        self.events.iter().find_map(|event| match event {
            Event::Session(session) => Some(session),
            _ => None,
        })
    }

    /// Returns the session's id.
    pub fn id(&self) -> &str {
        self.events.first().map_or("", |event| &event.stem().session)
    }

    /// Returns the connections, by number.
    pub fn connections(&self) -> BTreeMap<u64, &ConnectionOpened> {
        let opened = self.events.iter().filter_map(|event| match event {
            Event::ConnectionOpened(opened) => Some((opened.connection, opened)),
            _ => None,
        });
        opened.collect()
    }

    /// Returns the commands in order. An event that describes none is left out.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let mut tracker = Tracker::default();
        self.events.iter().enumerate().filter_map(move |(index, event)| {
            tracker.learn(event);
            let message = match event {
                Event::Command(event) => event.command().ok().map(|command| Message {
                    index,
                    event,
                    command,
                    scope: tracker.scope(event.connection),
                }),
                _ => None,
            };
            tracker.forget(event);
            message
        })
    }

    /// Returns the account that the session belongs to: the first one that a command named.
    pub fn account(&self) -> Option<String> {
        let mut tracker = Tracker::default();
        self.events.iter().find_map(|event| {
            tracker.learn(event);
            let account = tracker.account(&event.stem().session, event.connection().unwrap_or_default());
            (!account.is_empty()).then(|| account.to_owned())
        })
    }
}

/// Largest transcript that is taken into memory, in bytes of the file: about a fifth of what it takes there.
pub const MOST_BYTES: u64 = 2 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#;
    const OPENED: &str = r#"{"type":"connection-opened","seq":1,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","connection":2,"client":"127.0.0.1:5","listener":"127.0.0.1:1863","upstream":"ns:1863"}"#;
    const VER: &str = r#"{"type":"command","seq":2,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"direction":"c2s","verb":"VER","trid":1,"args":["1","MSNP8","CVR0"],"origin":"peer"}"#;
    const USR: &str = r#"{"type":"command","seq":3,"time":"2026-11-22T12:00:01.000000Z","session":"01jd","connection":2,"direction":"c2s","verb":"USR","trid":2,"args":["2","TWN","I","Alice@example.com"],"origin":"peer"}"#;

    fn read(text: &str) -> Result<Transcript, String> {
        let name = Path::new("t.jsonl");
        Transcript::read(Reader::new(text.as_bytes(), name), name).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_come_with_what_is_known_of_them() {
        let transcript = read(&[HEADER, OPENED, VER, USR].join("\n")).unwrap();
        let lines: Vec<(usize, String)> = transcript
            .messages()
            .map(|message| (message.index, format!("{} {:?}", message.command.verb(), message.scope.version)))
            .collect();
        assert_eq!(lines, [(2, "VER Some(Version(8))".into()), (3, "USR Some(Version(8))".into())]);
        assert_eq!(transcript.account().as_deref(), Some("alice@example.com"));
        assert_eq!((transcript.id(), transcript.connections().len()), ("01jd", 1));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_kept() {
        let transcript = read(&format!("{HEADER}\nnonsense\n{VER}\n{{\"type\":\"comm")).unwrap();
        assert_eq!(transcript.events.len(), 2);
        assert!(transcript.problems[0].starts_with("t.jsonl:2: "), "{:?}", transcript.problems);
        assert_eq!(transcript.problems[1], "t.jsonl:4 is cut off: the recording ended there");
    }

    #[test]
    fn what_is_no_transcript_is_refused() {
        let no_transcript = "t.jsonl:1: not a mitmsn-transcript of version 1";
        for text in ["", VER, "{}", "hello"] {
            let error = read(text).unwrap_err();
            assert!(error == no_transcript || error.starts_with("t.jsonl:1: "), "{text}: {error}");
        }
        assert_eq!(read(VER).unwrap_err(), no_transcript);
    }
}
