//! What an input is, and who reads it.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use crate::error::ReadError;
use crate::logs::{self, Log};
use crate::report::Report;
use crate::sink::Sink;

/// The formats, told apart by how they begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Format {
    /// A capture of libpcap.
    Pcap,
    /// A capture of the newer format.
    Pcapng,
    /// A log.
    Log(Log),
}

impl Format {
    /// Finds out what begins with `head`: the first [`HEAD`] bytes, or all if there are fewer.
    pub fn of(head: &[u8]) -> Option<Format> {
        match *head.first_chunk::<4>()? {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] => Some(Format::Pcap),
            [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => Some(Format::Pcap),
            [0x0a, 0x0d, 0x0d, 0x0a] => Some(Format::Pcapng),
            _ => Log::of(head).map(Format::Log),
        }
    }

    /// Whether so few bytes are enough to be sure. What comes bit by bit, such as a live capture, is not waited for.
    fn is_certain(head: &[u8]) -> bool {
        Format::of(head).is_some_and(|format| matches!(format, Format::Pcap | Format::Pcapng))
    }

    /// Returns its name in transcripts.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Pcap => "pcap",
            Format::Pcapng => "pcapng",
            Format::Log(log) => log.name(),
        }
    }
}

/// How many bytes a format is told by at most.
pub const HEAD: usize = 4096;

/// An input whose format is known, from its first byte on, decompressed.
pub type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Reads inputs, one after the other, and tells a sink.
#[derive(Debug, Default)]
pub struct Importer {
    report: Report,
}

impl Importer {
    /// Reads one input; `name` stands in errors and in transcripts.
    ///
    /// # Errors
    ///
    /// If it is of no known format, cannot be read, or is damaged. What was read before that has been told.
    pub fn read(&mut self, input: impl Read, name: &Path, sink: &mut dyn Sink) -> Result<(), ReadError> {
        let (format, input) = recognise(input, name)?;
        match format {
            Format::Pcap | Format::Pcapng => self.capture(format, input, name, sink),
            Format::Log(log) => logs::read(log, input, name, sink, &mut self.report),
        }
    }

    /// Ends what the inputs left open, and returns what was counted.
    pub fn finish(self, _sink: &mut dyn Sink) -> Report {
        self.report
    }

    fn capture(
        &mut self,
        _format: Format,
        _input: impl BufRead,
        _name: &Path,
        _sink: &mut dyn Sink,
    ) -> Result<(), ReadError> {
        Ok(())
    }
}

fn recognise<R: Read>(mut input: R, name: &Path) -> Result<(Format, Input<R>), ReadError> {
    let mut head = Vec::new();
    loop {
        let mut chunk = [0; HEAD];
        let count = input.read(&mut chunk[..HEAD - head.len()]).map_err(|error| ReadError::Read {
            name: name.to_owned(),
            offset: head.len() as u64,
            error,
        })?;
        head.extend_from_slice(&chunk[..count]);
        if count == 0 || head.len() == HEAD || Format::is_certain(&head) {
            break;
        }
    }
    match Format::of(&head) {
        Some(format) => Ok((format, BufReader::new(Cursor::new(head).chain(input)))),
        None => Err(ReadError::Format { name: name.to_owned(), start: start(&head) }),
    }
}

/// Returns how an input begins, for people.
fn start(head: &[u8]) -> String {
    match head.get(..16.min(head.len())).unwrap_or_default() {
        [] => "nothing".into(),
        start => format!("\"{}\"", start.escape_ascii()),
    }
}
