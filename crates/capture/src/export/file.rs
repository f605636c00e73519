//! The file: section, interfaces, names, and the packets of every step.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use msnp::Direction;
use msnp_transcript::Transcript;
use msnp_transcript::event::EventError;
use msnp_transcript::export::Options;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::name_resolution::{Ipv4Record, NameResolutionBlock, Record};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};

use super::peers::{Ends, Peers};
use super::plan::{Action, Bytes, Step};
use super::remarks::short;
use super::stream::Stream;
use super::{ExportError, Side, Written};

pub(super) fn write(
    transcripts: &[Transcript],
    steps: &[Step<'_>],
    options: &Options,
    software: &str,
    out: impl Write,
    written: &mut Written,
) -> Result<(), ExportError> {
    let addresses = Addresses::of(steps, transcripts.len());
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![SectionHeaderOption::UserApplication(Cow::Borrowed(software))],
        ..SectionHeaderBlock::default()
    };
    let mut file = PcapNgWriter::with_section_header(out, section)?;
    for (transcript, remarks) in transcripts.iter().zip(&addresses.remarks) {
        file.write_pcapng_block(interface(transcript, options, remarks))?;
    }
    let names = addresses.peers.names();
    if !names.is_empty() {
        let record = |(ip_addr, name)| Record::Ipv4(Ipv4Record { ip_addr, names: vec![Cow::Borrowed(name)] });
        file.write_pcapng_block(NameResolutionBlock {
            records: names.into_iter().map(record).collect(),
            options: Vec::new(),
        })?;
    }
    let mut packets = Packets {
        file,
        ends: addresses.ends.into_iter(),
        streams: HashMap::new(),
        waiting: HashMap::new(),
        room: MOST_MASKED,
        written,
    };
    for step in steps {
        packets.step(transcripts, step)?;
    }
    packets.finish()
}

/// The addresses of all streams, which the interfaces tell of before the first packet.
struct Addresses {
    peers: Peers,
    /// In the order in which the streams begin.
    ends: Vec<Ends>,
    /// What stands for what, by transcript.
    remarks: Vec<Vec<String>>,
}

impl Addresses {
    fn of(steps: &[Step<'_>], transcripts: usize) -> Addresses {
        let mut addresses =
            Addresses { peers: Peers::default(), ends: Vec::new(), remarks: vec![Vec::new(); transcripts] };
        let mut open = HashMap::new();
        for step in steps {
            let Some(connection) = step.connection else { continue };
            let key = (step.transcript, connection);
            let opened = match step.action {
                Action::Open(opened) => Some(opened),
                Action::Data(..) | Action::Gap(_) if !open.get(&key).copied().unwrap_or(false) => None,
                Action::Close(_) => {
                    open.insert(key, false);
                    continue;
                }
                _ => continue,
            };
            open.insert(key, true);
            let ends = addresses.peers.assign(opened, &mut addresses.remarks[step.transcript]);
            addresses.ends.push(ends);
        }
        addresses
    }
}

fn interface(transcript: &Transcript, options: &Options, remarks: &[String]) -> InterfaceDescriptionBlock<'static> {
    let what = match options.side {
        Side::Received => "what arrived from the peers",
        Side::Sent => "what left towards the peers",
    };
    let mut description = format!("session {}: {what}", transcript.id());
    if let Some(account) = transcript.account() {
        description += &format!(", account {account}");
    }
    let made_by = transcript.header().map(|header| header.software.as_str()).unwrap_or_default();
    if !made_by.is_empty() {
        description += &format!(", recorded by {made_by}");
    }
    if options.redacted {
        description += ", redacted";
    }
    if !remarks.is_empty() {
        description += &format!("; stand for others: {}", remarks.join(", "));
    }
    let name = transcript.name.file_name().map(|name| name.to_string_lossy().into_owned());
    InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName(short(&name.unwrap_or_else(|| transcript.id().into())).into()),
            InterfaceDescriptionOption::IfDescription(short(&description).into()),
            InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::MICRO),
        ],
    }
}

struct Packets<'a, W: Write> {
    file: PcapNgWriter<W>,
    ends: std::vec::IntoIter<Ends>,
    streams: HashMap<(usize, u64), Open>,
    /// Comments that wait for the next packet of a session.
    waiting: HashMap<usize, Vec<String>>,
    /// How many masked bytes may still be filled in.
    room: u64,
    written: &'a mut Written,
}

struct Open {
    stream: Stream,
    is_closed: bool,
    /// The time of its latest packet.
    time: u64,
    /// Comments that wait for its next packet.
    waiting: Vec<String>,
}

impl<W: Write> Packets<'_, W> {
    fn step(&mut self, transcripts: &[Transcript], step: &Step<'_>) -> Result<(), ExportError> {
        let mut comments = step.comments.clone();
        let Some(connection) = step.connection else {
            self.waiting.entry(step.transcript).or_default().append(&mut comments);
            return Ok(());
        };
        let key = (step.transcript, connection);
        match step.action {
            Action::Open(_) => self.open(key, step.time, comments),
            Action::Prelude => {
                match self.streams.get_mut(&key) {
                    Some(open) => open.waiting.append(&mut comments),
                    None => self.waiting.entry(step.transcript).or_default().append(&mut comments),
                }
                Ok(())
            }
            Action::Remark => {
                let Some(open) = self.streams.get_mut(&key) else {
                    self.waiting.entry(step.transcript).or_default().append(&mut comments);
                    return Ok(());
                };
                let frame = open.stream.carrier();
                self.write(key, step.time, vec![frame], comments)
            }
            Action::Data(direction, bytes) => {
                self.ensure(key, step.time)?;
                let bytes = match self.bytes(bytes) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        let name = transcripts[step.transcript].name.display();
                        self.written.problems.push(format!("{name}: connection {connection}: {error}: left out"));
                        return Ok(());
                    }
                };
                let Some(open) = self.streams.get_mut(&key) else { return Ok(()) };
                let frames = open.stream.data(direction, &bytes);
                self.write(key, step.time, frames, comments)
            }
            Action::Gap(gap) => {
                self.ensure(key, step.time)?;
                let Some(open) = self.streams.get_mut(&key) else { return Ok(()) };
                let frame = open.stream.skip(gap.direction.into(), gap.length.unwrap_or(1));
                self.write(key, step.time, vec![frame], comments)
            }
            Action::Close(closed) => {
                let Some(open) = self.streams.get_mut(&key) else {
                    self.waiting.entry(step.transcript).or_default().append(&mut comments);
                    return Ok(());
                };
                open.is_closed = true;
                let frames = match &closed.by[..] {
                    "client" => open.stream.close(Direction::ClientToServer),
                    "server" | "proxy" => open.stream.close(Direction::ServerToClient),
                    // nobody saw it end
                    _ => vec![open.stream.carrier()],
                };
                self.write(key, step.time, frames, comments)
            }
        }
    }

    /// Opens a stream that no event opened: a part of a transcript is a transcript too.
    fn ensure(&mut self, key: (usize, u64), time: u64) -> Result<(), ExportError> {
        match self.streams.get(&key) {
            Some(open) if !open.is_closed => Ok(()),
            _ => self.open(key, time, vec![format!("connection {}: nobody told of its beginning", key.1)]),
        }
    }

    fn open(&mut self, key: (usize, u64), time: u64, comments: Vec<String>) -> Result<(), ExportError> {
        let ends = self.ends.next().expect("addresses were assigned by the same steps");
        let mut stream = Stream::new(ends, self.written.connections as u32);
        self.written.connections += 1;
        let frames = stream.open();
        self.streams.insert(key, Open { stream, is_closed: false, time, waiting: Vec::new() });
        self.write(key, time, frames, comments)
    }

    fn bytes<'e>(&mut self, bytes: Bytes<'e>) -> Result<Cow<'e, [u8]>, EventError> {
        match bytes {
            Bytes::Command(event) => Ok(event.command()?.as_bytes().to_vec().into()),
            Bytes::Sent(sent) => Ok(sent.command()?.as_bytes().to_vec().into()),
            Bytes::Opaque(Some(payload), _) => payload.bytes(),
            Bytes::Opaque(None, length) => {
                let limit = self.room;
                self.room = limit.checked_sub(length).ok_or(EventError::Length { length, limit })?;
                Ok(vec![b'*'; length as usize].into())
            }
        }
    }

    /// Writes frames; the first carries the comments, and those that waited for it.
    fn write(
        &mut self,
        key: (usize, u64),
        time: u64,
        frames: Vec<Vec<u8>>,
        comments: Vec<String>,
    ) -> Result<(), ExportError> {
        let mut all = self.waiting.remove(&key.0).unwrap_or_default();
        if let Some(open) = self.streams.get_mut(&key) {
            open.time = time;
            all.append(&mut open.waiting);
        }
        all.extend(comments);
        for frame in frames {
            let options = std::mem::take(&mut all).into_iter().map(comment).collect();
            self.file.write_pcapng_block(EnhancedPacketBlock {
                interface_id: key.0 as u32,
                timestamp: Duration::from_micros(time),
                original_len: frame.len() as u32,
                data: frame.into(),
                options,
            })?;
            self.written.packets += 1;
        }
        Ok(())
    }

    /// Writes the comments that still wait, and what is buffered.
    fn finish(mut self) -> Result<(), ExportError> {
        let mut keys: Vec<_> = self.streams.iter().map(|(key, open)| (open.time, *key)).collect();
        keys.sort_unstable();
        // the latest stream of a session carries what is about the session
        for (time, key) in keys.into_iter().rev() {
            let Some(open) = self.streams.get_mut(&key) else { continue };
            if open.waiting.is_empty() && !self.waiting.contains_key(&key.0) {
                continue;
            }
            let frame = open.stream.carrier();
            self.write(key, time, vec![frame], Vec::new())?;
        }
        for remark in self.waiting.into_values().flatten() {
            self.written.problems.push(format!("no packet to carry this: {remark}"));
        }
        self.file.into_inner().flush()?;
        Ok(())
    }
}

fn comment(text: String) -> EnhancedPacketOption<'static> {
    EnhancedPacketOption::Common(CommonOption::Comment(text.into()))
}

/// How many masked bytes outside of commands are filled in: a line of a hundred bytes may speak of any number.
const MOST_MASKED: u64 = 16 << 20;
