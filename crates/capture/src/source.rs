//! What an input is, and who reads it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use msnp_transcript::Reader;
use msnp_transcript::event::{Event, Source};

use crate::compression;
use crate::error::ReadError;
use crate::fragments::Fragments;
use crate::ip::{self, Handled};
use crate::link::{self, Held};
use crate::logs::{self, Log};
use crate::packets::{Fault, FaultKind, Packet, Packets, Pcap, Pcapng};
use crate::report::Report;
use crate::sink::Sink;
use crate::tcp::flows::{Flows, MOST_HELD};
use crate::transcripts::Transcripts;

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
            [0x34, 0xcd, 0xb2, 0xa1] | [0xa1, 0xb2, 0xcd, 0x34] => Some(Format::Pcap),
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

/// Imports whatever `input` is, and checks that it is told in order: each line of a transcript is an event, numbers have no
/// gaps, every session ends, and what waits is bounded. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_input(input: &[u8]) {
    let mut next = HashMap::new();
    let lines = Rc::new(RefCell::new(Vec::new()));
    let listener = Rc::clone(&lines);
    let mut transcripts =
        Transcripts::unwritten(true, Box::new(move |bytes| listener.borrow_mut().extend_from_slice(bytes)));
    let mut importer = Importer::default();
    let result = importer.read(input, Path::new("input"), &mut transcripts);
    assert!(!matches!(result, Err(ReadError::Open { .. })), "nothing was opened");
    // all that waits was in the input, which may be compressed
    assert!(importer.held() <= 2 * MOST_HELD, "more waits than may");
    importer.finish(&mut transcripts);
    let made = transcripts.finish().expect("nothing is written");
    for event in Reader::new(&lines.borrow()[..], Path::new("lines")) {
        let event = event.expect("what is written can be read");
        let stem = event.stem();
        let expected = next.entry(stem.session.clone()).or_insert(Some(0));
        assert_eq!(*expected, Some(stem.seq), "numbers have a gap, or a session goes on behind its end");
        *expected = (!matches!(event, Event::SessionClosed(_))).then_some(stem.seq + 1);
    }
    assert_eq!(made.len(), next.len());
    assert!(next.values().all(Option::is_none), "a session did not end");
}

/// How many bytes a format is told by at most.
pub const HEAD: usize = 4096;

/// An input whose format is known, from its first byte on, decompressed.
pub type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Reads inputs, one after the other, and tells a sink.
///
/// Captures that follow each other in time, such as those that `tcpdump -C` and `-G` write, are one: connections and sessions go
/// on from one to the next. One that begins before the last one ended is another matter.
#[derive(Debug, Default)]
pub struct Importer {
    report: Report,
    flows: Flows,
    fragments: Fragments,
}

impl Importer {
    /// Reads one input; `name` stands in errors and in transcripts.
    ///
    /// # Errors
    ///
    /// If it is of no known format, cannot be read, or is damaged. What was read before that has been told.
    pub fn read(&mut self, input: impl Read, name: &Path, sink: &mut dyn Sink) -> Result<(), ReadError> {
        let input = compression::open(input, name)?;
        let (format, input) = recognise(input, name)?;
        let file = name.file_name().map(|file| file.to_string_lossy().into_owned()).filter(|file| file != "-");
        match format {
            Format::Log(log) => return logs::read(log, input, name, sink, &mut self.report.logs),
            Format::Pcap | Format::Pcapng => {}
        }
        sink.source(&Source { format: format.name().into(), file, lacks: Vec::new() });
        match format {
            Format::Pcap => self.capture(Pcap::new(input), name, sink),
            _ => self.capture(Pcapng::new(input), name, sink),
        }
    }

    /// Ends what the inputs left open, and returns what was counted.
    pub fn finish(mut self, sink: &mut dyn Sink) -> Report {
        self.end_connections(sink);
        self.report.left_out.fragments += self.fragments.lost;
        self.report
    }

    /// Returns what was counted so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Returns how much memory is taken by what waits for something that is missing: segments out of order, fragments,
    /// connections of which it is not clear yet what they carry.
    pub fn held(&self) -> usize {
        self.flows.held() + self.fragments.held()
    }

    fn end_connections(&mut self, sink: &mut dyn Sink) {
        self.flows.finish("the capture ends here", sink, &mut self.report);
    }

    fn capture(&mut self, mut packets: impl Packets, name: &Path, sink: &mut dyn Sink) -> Result<(), ReadError> {
        let mut count = 0;
        let result = loop {
            match packets.next(&mut || sink.idle()) {
                Ok(Some(packet)) => {
                    if count == 0 && packet.time < self.flows.now() {
                        self.end_connections(sink);
                    }
                    count += 1;
                    self.packet(&packet, sink);
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        self.report.packets += count;
        self.report.left_out.blocks += packets.skipped();
        result.or_else(|Fault { offset, kind }| {
            let name = name.to_owned();
            match kind {
                FaultKind::Stopped => Ok(()),
                FaultKind::Read(error) => Err(ReadError::Read { name, offset, error }),
                FaultKind::CutOff => Err(ReadError::CutOff { name, offset, packets: count }),
                FaultKind::Damaged(what) => Err(ReadError::Damaged { name, offset, packets: count, what }),
            }
        })
    }

    #[inline]
    fn packet(&mut self, packet: &Packet<'_>, sink: &mut dyn Sink) {
        let left_out = &mut self.report.left_out;
        let bytes = match link::ip(packet.link, packet.bytes) {
            Held::Ip(bytes) => bytes,
            Held::Other => {
                left_out.not_tcp += 1;
                return;
            }
            Held::Unknown => {
                *left_out.link_types.entry(packet.link).or_default() += 1;
                return;
            }
        };
        let (flows, report) = (&mut self.flows, &mut self.report);
        let handled = ip::segment(bytes, packet.time, &mut self.fragments, &mut |segment| {
            flows.segment(&segment, packet.comments, packet.time, sink, report);
        });
        let left_out = &mut self.report.left_out;
        match handled {
            Handled::Tcp | Handled::Fragment => {}
            Handled::TcpCutShort => left_out.cut_short += 1,
            Handled::Other => left_out.not_tcp += 1,
            Handled::Nonsense => left_out.malformed += 1,
        }
    }
}

/// Returns the name of a link type that is not read, if it has one here.
pub fn link_type_name(number: u32) -> Option<&'static str> {
    link::name(number)
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
