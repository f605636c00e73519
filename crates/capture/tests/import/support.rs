//! Writes captures, and keeps what an import tells of them.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, TcpHeader};
use msnp::Direction;
use msnp_capture::{Closer, ConnectionKey, Importer, Peers, ReadError, Report, Sink};
use msnp_transcript::event::Source;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::{DataLink, Endianness};

/// A segment of a TCP connection.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) acknowledged: Option<u32>,
    pub(crate) flags: Flags,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
}

impl Segment {
    fn tcp(&self) -> TcpHeader {
        let mut header = TcpHeader::new(self.from.port(), self.to.port(), self.sequence, 65535);
        header.ack = self.acknowledged.is_some();
        header.acknowledgment_number = self.acknowledged.unwrap_or_default();
        header.syn = self.flags.syn;
        header.fin = self.flags.fin;
        header.rst = self.flags.rst;
        header.psh = !self.bytes.is_empty();
        header
    }

    /// Returns header and payload, with a checksum.
    fn transport(&self) -> Vec<u8> {
        let mut header = self.tcp();
        header.checksum = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &self.bytes).unwrap()
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &self.bytes).unwrap()
            }
            _ => panic!("two families"),
        };
        [&header.to_bytes()[..], &self.bytes].concat()
    }

    /// Returns the IP packet.
    pub(crate) fn ip(&self) -> Vec<u8> {
        self.fragments(usize::MAX).remove(0)
    }

    /// Returns the IP packet in fragments of at most so many bytes.
    pub(crate) fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let transport = self.transport();
        let pieces: Vec<&[u8]> = transport.chunks(size).collect();
        let last = pieces.len() - 1;
        let identification = self.sequence;
        let pieces = pieces.into_iter().enumerate();
        pieces
            .map(|(index, piece)| match (self.from.ip(), self.to.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    let length = piece.len() as u16;
                    let mut header = Ipv4Header::new(length, 64, IpNumber::TCP, from.octets(), to.octets()).unwrap();
                    header.dont_fragment = last == 0;
                    header.more_fragments = index < last;
                    header.identification = identification as u16;
                    header.fragment_offset = IpFragOffset::try_new((index * size / 8) as u16).unwrap();
                    header.header_checksum = header.calc_header_checksum();
                    [&header.to_bytes()[..], piece].concat()
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    let mut fragment = Vec::new();
                    if last > 0 {
                        let offset = IpFragOffset::try_new((index * size / 8) as u16).unwrap();
                        let header = Ipv6FragmentHeader::new(IpNumber::TCP, offset, index < last, identification);
                        header.write(&mut fragment).unwrap();
                    }
                    let header = Ipv6Header {
                        payload_length: (fragment.len() + piece.len()) as u16,
                        next_header: if last > 0 { IpNumber::IPV6_FRAGMENTATION_HEADER } else { IpNumber::TCP },
                        hop_limit: 64,
                        source: from.octets(),
                        destination: to.octets(),
                        ..Ipv6Header::default()
                    };
                    [&header.to_bytes()[..], &fragment, piece].concat()
                }
                _ => panic!("two families"),
            })
            .collect()
    }
}

/// A TCP connection that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) next: [u32; 2],
    pub(crate) segments: Vec<Segment>,
    /// Longest payload of a segment.
    pub(crate) most: usize,
}

impl Connection {
    pub(crate) fn new(client: &str, server: &str) -> Connection {
        Connection::starting(client, server, [1000, 5000])
    }

    pub(crate) fn starting(client: &str, server: &str, next: [u32; 2]) -> Connection {
        let ends = [client.parse().unwrap(), server.parse().unwrap()];
        Connection { ends, next, segments: Vec::new(), most: 1460 }
    }

    pub(crate) fn handshake(&mut self) -> &mut Connection {
        let syn = Flags { syn: true, ..Flags::default() };
        self.push(0, None, syn, b"");
        self.push(1, Some(self.next[0]), syn, b"");
        self.push(0, Some(self.next[1]), Flags::default(), b"")
    }

    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) -> &mut Connection {
        self.say(0, bytes.as_ref())
    }

    pub(crate) fn server(&mut self, bytes: impl AsRef<[u8]>) -> &mut Connection {
        self.say(1, bytes.as_ref())
    }

    pub(crate) fn say(&mut self, side: usize, bytes: &[u8]) -> &mut Connection {
        for piece in bytes.chunks(self.most) {
            self.push(side, Some(self.next[1 - side]), Flags::default(), piece);
            self.acknowledge(1 - side);
        }
        self
    }

    pub(crate) fn acknowledge(&mut self, side: usize) -> &mut Connection {
        self.push(side, Some(self.next[1 - side]), Flags::default(), b"")
    }

    pub(crate) fn close(&mut self) -> &mut Connection {
        let fin = Flags { fin: true, ..Flags::default() };
        self.push(0, Some(self.next[1]), fin, b"");
        self.push(1, Some(self.next[0]), fin, b"");
        self.acknowledge(0)
    }

    pub(crate) fn reset(&mut self, side: usize) -> &mut Connection {
        self.push(side, Some(self.next[1 - side]), Flags { rst: true, ..Flags::default() }, b"")
    }

    pub(crate) fn push(
        &mut self,
        side: usize,
        acknowledged: Option<u32>,
        flags: Flags,
        bytes: &[u8],
    ) -> &mut Connection {
        self.segments.push(Segment {
            from: self.ends[side],
            to: self.ends[1 - side],
            sequence: self.next[side],
            acknowledged,
            flags,
            bytes: bytes.to_vec(),
        });
        let length = bytes.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        self.next[side] = self.next[side].wrapping_add(length);
        self
    }

    /// Returns the packets in frames of Ethernet.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        self.segments.iter().map(|segment| ethernet(&segment.ip())).collect()
    }
}

/// Puts an IP packet into a frame of Ethernet.
pub(crate) fn ethernet(packet: &[u8]) -> Vec<u8> {
    let kind: [u8; 2] = if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let mut frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind, packet].concat();
    // short frames are padded, and that is no payload
    frame.resize(frame.len().max(60), 0);
    frame
}

/// When the first packet is captured.
pub(crate) const START: Duration = Duration::from_secs(1_100_000_000);
/// How much later each next one is.
pub(crate) const STEP: Duration = Duration::from_millis(10);

/// Writes packets as the older format.
pub(crate) fn pcap(link: u32, packets: &[Vec<u8>], endianness: Endianness, ts_resolution: PcapTsResolution) -> Vec<u8> {
    let header = PcapHeader {
        datalink: DataLink::from(link),
        endianness,
        ts_resolution,
        snaplen: 262_144,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        let time = START + STEP * index as u32;
        writer.write_packet(&PcapPacket::new(time, packet.len() as u32, &packet[..]).unwrap()).unwrap();
    }
    writer.into_inner()
}

/// Writes packets of Ethernet as the older format.
pub(crate) fn simple_pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    pcap(1, packets, Endianness::Little, PcapTsResolution::MicroSecond)
}

/// Writes packets as the newer format, each with a comment if there is one.
pub(crate) fn pcapng(
    link: u32,
    packets: &[Vec<u8>],
    endianness: Endianness,
    resolution: u8,
    comments: &[&str],
) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).unwrap();
    let mut interface = InterfaceDescriptionBlock::new(DataLink::from(link), 0);
    let resolution = InterfaceTsResolution::from_u8(resolution).unwrap();
    interface.options.push(InterfaceDescriptionOption::IfTsResol(resolution));
    writer.write_pcapng_block(interface).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        let comment = comments.get(index).filter(|comment| !comment.is_empty());
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: START + STEP * index as u32,
            original_len: packet.len() as u32,
            data: packet.into(),
            options: comment
                .map(|&comment| EnhancedPacketOption::Common(comment_option(comment)))
                .into_iter()
                .collect(),
        };
        writer.write_pcapng_block(block).unwrap();
    }
    writer.into_inner()
}

fn comment_option(text: &str) -> pcap_file::pcapng::blocks::opt_common::CommonOption<'_> {
    pcap_file::pcapng::blocks::opt_common::CommonOption::Comment(text.into())
}

/// What an import told.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sources: Vec<Source>,
    pub(crate) connections: Vec<SeenConnection>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SeenConnection {
    pub(crate) peers: Peers,
    pub(crate) opened: SystemTime,
    /// What the client and the server sent.
    pub(crate) bytes: [Vec<u8>; 2],
    /// Behind how many bytes so many are missing.
    pub(crate) gaps: [Vec<(usize, u64)>; 2],
    pub(crate) notes: Vec<String>,
    pub(crate) times: Vec<SystemTime>,
    pub(crate) closed: Option<(Closer, Option<String>)>,
}

impl Sink for Seen {
    fn source(&mut self, source: &Source) {
        self.sources.push(source.clone());
    }

    fn opened(&mut self, peers: &Peers, time: SystemTime) -> ConnectionKey {
        self.connections.push(SeenConnection {
            peers: peers.clone(),
            opened: time,
            bytes: Default::default(),
            gaps: Default::default(),
            notes: Vec::new(),
            times: Vec::new(),
            closed: None,
        });
        ConnectionKey(self.connections.len() as u64 - 1)
    }

    fn data(&mut self, connection: ConnectionKey, direction: Direction, time: SystemTime, bytes: &[u8]) {
        let connection = &mut self.connections[connection.0 as usize];
        assert!(connection.closed.is_none(), "told after it was closed");
        connection.bytes[direction.index()].extend_from_slice(bytes);
        connection.times.push(time);
    }

    fn gap(&mut self, connection: ConnectionKey, direction: Direction, _: SystemTime, length: Option<u64>) {
        let connection = &mut self.connections[connection.0 as usize];
        let at = connection.bytes[direction.index()].len();
        connection.gaps[direction.index()].push((at, length.unwrap()));
    }

    fn note(&mut self, connection: ConnectionKey, _: SystemTime, text: &str) {
        self.connections[connection.0 as usize].notes.push(text.to_owned());
    }

    fn closed(&mut self, connection: ConnectionKey, _: SystemTime, by: Closer, reason: Option<&str>) {
        let connection = &mut self.connections[connection.0 as usize];
        assert!(connection.closed.is_none(), "closed twice");
        connection.closed = Some((by, reason.map(str::to_owned)));
    }

    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Imports one capture.
pub(crate) fn import(capture: &[u8]) -> (Seen, Report, Result<(), ReadError>) {
    let mut seen = Seen::default();
    let mut importer = Importer::default();
    let result = importer.read(capture, Path::new("folder/t.pcap"), &mut seen);
    let report = importer.finish(&mut seen);
    assert!(seen.connections.iter().all(|connection| connection.closed.is_some()), "all are closed in the end");
    (seen, report, result)
}

/// Imports one capture that holds one MSNP connection.
pub(crate) fn import_one(capture: &[u8]) -> SeenConnection {
    let (seen, _, result) = import(capture);
    result.unwrap();
    assert_eq!(seen.connections.len(), 1, "{seen:?}");
    seen.connections.into_iter().next().unwrap()
}

/// A login and a message, in both directions; the payload is binary.
pub(crate) const CLIENT: &[&[u8]] = &[
    b"VER 1 MSNP8 CVR0\r\n",
    b"CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0.0544 MSMSGS alice@example.com\r\n",
    b"USR 3 TWN I alice@example.com\r\n",
    b"MSG 4 D 12\r\n\0\x01\xff\xfe\r\nVER \0\0",
    b"PNG\r\n",
];
pub(crate) const SERVER: &[&[u8]] = &[
    b"VER 1 MSNP8\r\n",
    b"CVR 2 6.0.0602 5.0.0527 1.0.0000 http://download.example http://example\r\n",
    b"USR 3 TWN S lc=1033,id=507\r\n",
    b"ACK 4\r\n",
    b"QNG\r\n",
];

/// Returns a connection with that dialogue.
pub(crate) fn dialogue(client: &str, server: &str) -> Connection {
    let mut connection = Connection::new(client, server);
    connection.handshake();
    for (client, server) in CLIENT.iter().zip(SERVER) {
        connection.client(client).server(server);
    }
    connection.close();
    connection
}

/// Checks that an import told that dialogue and nothing else.
pub(crate) fn check_dialogue(seen: &SeenConnection) {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    assert_eq!(text(&seen.bytes[0]), text(&CLIENT.concat()));
    assert_eq!(text(&seen.bytes[1]), text(&SERVER.concat()));
    assert_eq!(seen.gaps, [Vec::new(), Vec::new()]);
    assert_eq!(seen.notes, Vec::<String>::new());
    assert_eq!(seen.closed, Some((Closer::Client, None)));
}
