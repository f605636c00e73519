//! Reads transcripts back.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use msnp::types::Direction;

use crate::event::{Event, EventError, FORMAT, Origin, Payload, ReleasedEvent, Sent, VERSION};
use crate::transcript::MOST_BYTES;

/// Longest line that is read, in bytes: a payload of the largest size, escaped, fits.
pub const LONGEST_LINE: u64 = 64 << 20;

/// The events of a transcript, in order. A torn last line, as a killed process leaves it, ends the iteration and is
/// reported by [`Reader::torn`]; any other bad line is an error, after which reading goes on.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    name: PathBuf,
    line: u64,
    bytes: u64,
    torn: Option<u64>,
}

/// Why a line of a transcript cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{}: {problem}", name.display())]
    File {
        /// The file.
        name: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// A line is not an event.
    #[error("{}:{line}: not an event: {}", name.display(), without_line(problem))]
    Line {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: serde_json::Error,
    },
    /// A line is longer than any event.
    #[error("{}:{line}: line longer than {LONGEST_LINE} bytes", name.display())]
    Length {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The file is too large to be taken into memory.
    #[error("{}:{line}: more than {MOST_BYTES} bytes, too large to look at as a whole", name.display())]
    Size {
        /// The file.
        name: PathBuf,
        /// The line that is too much, from 1.
        line: u64,
    },
    /// The file is not a transcript, or one of a later version.
    #[error("{}:{line}: not a {FORMAT} of version {VERSION}", name.display())]
    Format {
        /// The file.
        name: PathBuf,
        /// The line, from 1.
        line: u64,
    },
}

impl Reader<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Reader<BufReader<File>>, ReadError> {
        let file = File::open(path).map_err(|problem| ReadError::File { name: path.into(), problem })?;
        Ok(Reader::new(BufReader::new(file), path))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads from `source`; `name` stands in errors.
    pub fn new(source: R, name: &Path) -> Reader<R> {
        Reader { source, name: name.into(), line: 0, bytes: 0, torn: None }
    }

    /// Returns the number of the line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns how many bytes were read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of the torn last line, if there was one.
    pub fn torn(&self) -> Option<u64> {
        self.torn
    }

    fn read(&mut self) -> Result<Option<Event>, ReadError> {
        let mut text = Vec::new();
        self.line += 1;
        let (name, line) = (self.name.clone(), self.line);
        let file = |problem| ReadError::File { name: name.clone(), problem };
        let read = self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text).map_err(file)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        let is_whole = text.last() == Some(&b'\n');
        if !is_whole && read as u64 == LONGEST_LINE {
            self.source.skip_until(b'\n').map_err(file)?;
            return Err(ReadError::Length { name, line });
        }
        match serde_json::from_slice(&text) {
            Ok(Event::Session(session)) if session.format != FORMAT || session.version > VERSION => {
                Err(ReadError::Format { name, line })
            }
            Ok(event) => Ok(Some(event)),
            Err(_) if !is_whole => {
                self.torn = Some(line);
                Ok(None)
            }
            Err(problem) => Err(ReadError::Line { name, line, problem }),
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Result<Event, ReadError>> {
        match self.read() {
            Err(error @ ReadError::File { .. }) if self.torn.is_none() => {
                // a file that fails once fails again: say it once
                self.torn = Some(self.line);
                Some(Err(error))
            }
            Err(ReadError::File { .. }) => None,
            result => result.transpose(),
        }
    }
}

/// The bytes of one direction of one connection.
pub type Streams = BTreeMap<(u64, Side), Vec<u8>>;

/// Which bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// What arrived in this direction.
    Received(Direction),
    /// What left in this direction.
    Sent(Direction),
}

/// Rebuilds the byte streams of every connection. They are exact if nothing was masked; masked bytes are `*`.
///
/// # Errors
///
/// If an event does not describe a command, or more than 16 MiB were masked outside of commands.
pub fn streams(events: &[Event]) -> Result<Streams, EventError> {
    let mut streams = Streams::new();
    let mut room = MOST_MASKED;
    let mut add = |connection, side, bytes: &[u8]| {
        streams.entry((connection, side)).or_default().extend_from_slice(bytes);
    };
    // what is held leaves in its place, whenever it is let go
    let released: HashMap<u64, &ReleasedEvent> = events
        .iter()
        .filter_map(|event| match event {
            Event::Released(released) => Some((released.held, released)),
            _ => None,
        })
        .collect();
    for event in events {
        match event {
            Event::Command(event) => {
                let command = event.command()?;
                if event.origin != Origin::Injected {
                    add(event.connection, Side::Received(command.direction()), command.as_bytes());
                }
                let released = event.held.and_then(|held| released.get(&held)).and_then(|event| event.sent.as_ref());
                let sent = match released {
                    Some(sent) => sent.iter().map(Sent::command).collect::<Result<_, _>>()?,
                    None => event.sent()?,
                };
                for sent in sent {
                    add(event.connection, Side::Sent(sent.direction()), sent.as_bytes());
                }
            }
            Event::Opaque(event) => {
                let bytes = match &event.payload {
                    Some(payload) => payload.bytes()?.into_owned(),
                    None => {
                        let length = event.length;
                        room = room.checked_sub(length).ok_or(EventError::Length { length, limit: room })?;
                        vec![b'*'; length as usize]
                    }
                };
                let direction = event.direction.into();
                add(event.connection, Side::Received(direction), &bytes);
                let sent = event.sent.as_ref().map(Payload::bytes).transpose()?;
                add(event.connection, Side::Sent(direction), sent.as_deref().unwrap_or(&bytes));
            }
            _ => {}
        }
    }
    Ok(streams)
}

/// Reads anything as a transcript, and checks what must hold for any input: no panic, and what is read can be drawn.
/// The body of a fuzz target.
pub fn check_any_transcript(text: &[u8]) {
    let mut reader = Reader::new(text, Path::new("input"));
    let events: Vec<Event> = reader.by_ref().filter_map(Result::ok).collect();
    let _ = streams(&events);
    let mut screen = crate::screen::Screen::new(crate::screen::Options { verbosity: 2, color: true });
    for event in &events {
        let _ = screen.draw(event);
    }
}

/// How many masked bytes outside of commands are filled in: a line of a hundred bytes may speak of any number.
const MOST_MASKED: u64 = 16 << 20;

/// Returns what is wrong in a line; serde_json counts it as the first of its own.
fn without_line(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"type":"session","seq":0,"time":"2026-11-22T12:00:00.000000Z","session":"01jd","format":"mitmsn-transcript","version":1,"software":"mitmsn 0.1.0"}"#;
    const COMMAND: &str = r#"{"type":"command","seq":1,"time":"2026-11-22T12:00:01.234567Z","session":"01jd","connection":2,"server":"ns","direction":"s2c","verb":"XFR","trid":7,"args":["7","SB","127.0.0.1:1863","CKI","1.2"],"origin":"peer","sent":[{"direction":"s2c","verb":"XFR","args":["7","SB","127.0.0.1:41863","CKI","1.2"]}],"by":["redirect"],"later":{"field":1}}"#;

    fn read(text: &str) -> (Vec<Result<Event, String>>, Option<u64>) {
        let mut reader = Reader::new(text.as_bytes(), Path::new("t.jsonl"));
        let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
        (events, reader.torn())
    }

    #[test]
    fn the_documented_shape_is_read_and_unknown_fields_are_ignored() {
        let (events, torn) = read(&format!("{HEADER}\n{COMMAND}\n"));
        let events: Vec<Event> = events.into_iter().map(Result::unwrap).collect();
        let streams = streams(&events).unwrap();
        let of = |side| String::from_utf8(streams[&(2, side)].clone()).unwrap();
        assert_eq!(of(Side::Received(Direction::ServerToClient)), "XFR 7 SB 127.0.0.1:1863 CKI 1.2\r\n");
        assert_eq!(of(Side::Sent(Direction::ServerToClient)), "XFR 7 SB 127.0.0.1:41863 CKI 1.2\r\n");
        assert_eq!(torn, None);
    }

    #[test]
    fn a_torn_last_line_is_reported_wherever_it_is_torn() {
        for cut in 1..COMMAND.len() {
            let (events, torn) = read(&format!("{HEADER}\n{}", &COMMAND[..cut]));
            assert_eq!((events.len(), torn), (1, Some(2)), "cut at {cut}");
        }
        // whole but for its line end: nothing is missing
        let (events, torn) = read(&format!("{HEADER}\n{COMMAND}"));
        assert_eq!((events.len(), torn), (2, None));
    }

    #[test]
    fn a_bad_line_in_the_middle_is_an_error_with_its_place() {
        let (events, _) = read(&format!("{HEADER}\nnonsense\n{COMMAND}\n"));
        assert_eq!(events.len(), 3);
        assert!(events[1].as_ref().unwrap_err().starts_with("t.jsonl:2: not an event: "));
        assert!(events[2].is_ok());
    }

    #[test]
    fn a_length_that_nobody_recorded_takes_no_memory() {
        let opaque = |length: u64| {
            format!(
                r#"{{"type":"opaque","seq":1,"time":"","session":"01jd","connection":2,"direction":"c2s","length":{length},"masked":["payload"]}}"#
            )
        };
        let streams = |lengths: [u64; 2]| {
            let text = lengths.map(|length| opaque(length) + "\n").concat();
            streams(&read(&text).0.into_iter().map(Result::unwrap).collect::<Vec<Event>>())
        };
        let limit = MOST_MASKED;
        assert_eq!(streams([0, u64::MAX]), Err(EventError::Length { length: u64::MAX, limit }));
        assert_eq!(streams([3, limit]), Err(EventError::Length { length: limit, limit: limit - 3 }));
        assert_eq!(streams([1, 2]).unwrap()[&(2, Side::Sent(Direction::ClientToServer))], b"***");
    }

    #[test]
    fn another_format_is_refused() {
        let (events, _) = read(&HEADER.replace("\"version\":1", "\"version\":2"));
        assert_eq!(events[0].as_ref().unwrap_err(), "t.jsonl:1: not a mitmsn-transcript of version 1");
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = Reader::open(Path::new("/nonexistent/t.jsonl")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/t.jsonl: "), "{error}");
    }
}
