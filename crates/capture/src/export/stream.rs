//! One TCP stream: turns bytes into frames of Ethernet, IP and TCP.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};
use msnp::Direction;

use super::peers::Ends;

/// The state of both directions.
#[derive(Debug)]
pub(super) struct Stream {
    ends: Ends,
    /// Next sequence number, by direction.
    next: [u32; 2],
    /// Up to which number the receiver has acknowledged it.
    acknowledged: [u32; 2],
    window: u16,
}

/// What a packet is beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flags {
    Syn,
    Ack,
    Push,
    Fin,
}

impl Stream {
    /// Returns a stream that has sent nothing. `number` makes its first sequence numbers its own.
    pub(super) fn new(ends: Ends, number: u32) -> Stream {
        let first = number.wrapping_mul(0x0001_0000).wrapping_add(1000);
        let next = [first, first.wrapping_add(0x4000_0000)];
        Stream { ends, next, acknowledged: next, window: WINDOW }
    }

    /// Returns the frames of the handshake.
    pub(super) fn open(&mut self) -> Vec<Vec<u8>> {
        let [client, server] = Direction::BOTH;
        vec![
            self.packet(client, Flags::Syn, &[]),
            self.packet(server, Flags::Syn, &[]),
            self.packet(client, Flags::Ack, &[]),
        ]
    }

    /// Returns the frames that carry `bytes`.
    pub(super) fn data(&mut self, direction: Direction, bytes: &[u8]) -> Vec<Vec<u8>> {
        let size = if self.ends.server.is_ipv4() { SEGMENT } else { SEGMENT - 20 };
        let last = bytes.len().div_ceil(size).saturating_sub(1);
        bytes
            .chunks(size)
            .enumerate()
            .map(|(index, chunk)| self.packet(direction, if index == last { Flags::Push } else { Flags::Ack }, chunk))
            .collect()
    }

    /// Leaves out `length` bytes, and returns the frame with which their receiver acknowledges them.
    pub(super) fn skip(&mut self, direction: Direction, length: u64) -> Vec<u8> {
        // more than half of the numbers would be taken for a step back
        let length = length.min(LONGEST_GAP) as u32;
        self.next[direction.index()] = self.next[direction.index()].wrapping_add(length);
        self.packet(direction.opposite(), Flags::Ack, &[])
    }

    /// Returns a frame without bytes, to carry comments.
    pub(super) fn carrier(&mut self) -> Vec<u8> {
        let waiting = Direction::BOTH.into_iter().find(|way| self.next[way.index()] != self.acknowledged[way.index()]);
        let from = match waiting {
            Some(direction) => direction.opposite(),
            None => {
                // nothing to acknowledge: a new window, so that it is not taken for a sign of loss
                self.window ^= 1;
                Direction::ClientToServer
            }
        };
        self.packet(from, Flags::Ack, &[])
    }

    /// Returns the frames of the end, which one side begins.
    pub(super) fn close(&mut self, from: Direction) -> Vec<Vec<u8>> {
        let back = from.opposite();
        vec![self.packet(from, Flags::Fin, &[]), self.packet(back, Flags::Fin, &[]), self.packet(from, Flags::Ack, &[])]
    }

    fn packet(&mut self, direction: Direction, flags: Flags, bytes: &[u8]) -> Vec<u8> {
        let back = direction.opposite().index();
        let (from, to) = match direction {
            Direction::ClientToServer => (self.ends.client, self.ends.server),
            Direction::ServerToClient => (self.ends.server, self.ends.client),
        };
        let sequence = self.next[direction.index()];
        let mut tcp = ip(direction, from, to).tcp(from.port(), to.port(), sequence, self.window);
        let is_first = flags == Flags::Syn && direction == Direction::ClientToServer;
        if !is_first {
            tcp = tcp.ack(self.next[back]);
            self.acknowledged[back] = self.next[back];
        }
        let mut length = bytes.len() as u32;
        match flags {
            Flags::Syn => {
                tcp = with_options(tcp.syn());
                length += 1;
            }
            Flags::Ack => {}
            Flags::Push => tcp = tcp.psh(),
            Flags::Fin => {
                tcp = tcp.fin();
                length += 1;
            }
        }
        self.next[direction.index()] = sequence.wrapping_add(length);
        if is_first {
            self.acknowledged[direction.index()] = sequence;
        }
        let mut frame = Vec::with_capacity(tcp.size(bytes.len()));
        tcp.write_to_vec(&mut frame, bytes).expect("a segment fits a packet");
        frame
    }
}

fn ip(direction: Direction, from: SocketAddr, to: SocketAddr) -> PacketBuilderStep<IpHeaders> {
    let ethernet = PacketBuilder::ethernet2(MACS[direction.index()], MACS[direction.opposite().index()]);
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => ethernet.ipv6(v6(from), v6(to), HOPS),
    }
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The options of a SYN: without a scale, long answers would seem to overrun the window.
fn with_options(tcp: PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader> {
    let options = [
        TcpOptionElement::MaximumSegmentSize(SEGMENT as u16),
        TcpOptionElement::Noop,
        TcpOptionElement::WindowScale(14),
    ];
    tcp.options(&options).expect("eight bytes of options fit")
}

/// Most bytes of a segment.
const SEGMENT: usize = 1460;
const WINDOW: u16 = 0xfffe;
const HOPS: u8 = 64;
/// Longest jump of a sequence number.
const LONGEST_GAP: u64 = 1 << 30;
/// Addresses of local making.
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
