//! What stands before the IP packet: frames of the link layer.

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held<'a> {
    /// An IP packet.
    Ip(&'a [u8]),
    /// Something else, or less than a header.
    Other,
    /// Nobody knows: the link type is not read.
    Unknown,
}

/// Finds the IP packet in a frame of a link type, a number of <https://www.tcpdump.org/linktypes.html>.
#[inline]
pub(crate) fn ip(link: u32, frame: &[u8]) -> Held<'_> {
    let found = match link {
        ETHERNET => ethernet(frame),
        NULL => null(frame),
        LOOP => frame.split_at_checked(4).and_then(|(_, packet)| version(packet)),
        RAW | RAW_BSD | RAW_OPENBSD | IPV4 | IPV6 => version(frame),
        PPP | PPP_HDLC => ppp(frame),
        PPP_WITH_DIRECTION | PPP_PPPD => frame.get(1..).and_then(ppp),
        PPP_ETHER => pppoe(frame),
        C_HDLC => ether_type(frame, 2),
        COOKED => ether_type(frame, 14),
        COOKED_2 => u16_at(frame, 0).and_then(|kind| by_type(kind, frame.get(20..)?)),
        _ => return Held::Unknown,
    };
    found.map_or(Held::Other, Held::Ip)
}

/// Returns the name of a link type, if it has one here.
pub(crate) fn name(link: u32) -> Option<&'static str> {
    Some(match link {
        105 => "IEEE 802.11",
        119 | 127 | 163 => "IEEE 802.11 with radio information",
        147..=162 => "for private use",
        189 | 220 => "USB",
        195 | 215 | 230 => "IEEE 802.15.4",
        201 | 251 => "Bluetooth",
        6 => "token ring",
        10 => "FDDI",
        _ => return None,
    })
}

fn ethernet(frame: &[u8]) -> Option<&[u8]> {
    match u16_at(frame, 12)? {
        // no type but a length: a header of IEEE 802.2 follows, which may hold a type in turn
        0..=1500 => match frame.get(14..20)? {
            [0xaa, 0xaa, 0x03, 0, 0, 0] => ether_type(frame, 20),
            _ => None,
        },
        kind => by_type(kind, frame.get(14..)?),
    }
}

fn ether_type(frame: &[u8], at: usize) -> Option<&[u8]> {
    by_type(u16_at(frame, at)?, frame.get(at + 2..)?)
}

#[inline]
fn by_type(mut kind: u16, mut rest: &[u8]) -> Option<&[u8]> {
    // as many tags as fit into a frame are fine
    loop {
        match kind {
            0x0800 | 0x86dd => return version(rest),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                kind = u16_at(rest, 2)?;
                rest = rest.get(4..)?;
            }
            0x8864 => return pppoe(rest),
            0x8847 | 0x8848 => return mpls(rest),
            _ => return None,
        }
    }
}

/// A header of MPLS: labels, the last of which has a bit set.
fn mpls(mut labels: &[u8]) -> Option<&[u8]> {
    loop {
        let (label, rest) = labels.split_first_chunk::<4>()?;
        labels = rest;
        if label[2] & 1 != 0 {
            return version(labels);
        }
    }
}

fn pppoe(packet: &[u8]) -> Option<&[u8]> {
    // version and type 1, code 0: a packet of a session
    let length = usize::from(u16_at(packet, 4)?);
    let inside = packet.get(6..)?;
    if !packet.starts_with(&[0x11, 0]) {
        return None;
    }
    ppp(inside.get(..length).unwrap_or(inside))
}

/// PPP, with or without address and control, with a protocol of one byte or two.
fn ppp(frame: &[u8]) -> Option<&[u8]> {
    let frame = frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame);
    match *frame {
        [0x00, 0x21 | 0x57, ref packet @ ..] | [0x21 | 0x57, ref packet @ ..] => version(packet),
        _ => None,
    }
}

/// The family of the address, in the byte order of the machine that captured. IPv6 has another number on each system.
fn null(frame: &[u8]) -> Option<&[u8]> {
    let (family, packet) = frame.split_first_chunk::<4>()?;
    match u32::from_le_bytes(*family).min(u32::from_be_bytes(*family)) {
        2 | 10 | 24 | 28 | 30 => version(packet),
        _ => None,
    }
}

/// Returns an IP packet, if it is one.
#[inline]
fn version(packet: &[u8]) -> Option<&[u8]> {
    matches!(packet.first()? >> 4, 4 | 6).then_some(packet)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const PPP: u32 = 9;
const RAW_BSD: u32 = 12;
const RAW_OPENBSD: u32 = 14;
const PPP_HDLC: u32 = 50;
const PPP_ETHER: u32 = 51;
const RAW: u32 = 101;
const C_HDLC: u32 = 104;
const LOOP: u32 = 108;
const COOKED: u32 = 113;
const PPP_PPPD: u32 = 166;
const PPP_WITH_DIRECTION: u32 = 204;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const COOKED_2: u32 = 276;
