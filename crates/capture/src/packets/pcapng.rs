//! The newer format: blocks, each with its type and, at both ends, its length.
//!
//! ```text
//! block     = type:4 length:4 body length:4
//! section   = 0x0a0d0d0a: magic:4 version:2+2 length:8 options
//! interface = 1: link:2 0:2 snaplen:4 options
//! packet    = 6: interface:4 time:4+4 captured:4 length:4 packet, to a multiple of 4, options
//! option    = code:2 length:2 value, to a multiple of 4
//! ```
//!
//! Read are these, and the simple (3) and the obsolete (2) packet block; every other block is passed over.
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>

use std::io::Read;
use std::ops::ControlFlow;

use super::{Comments, Fault, FaultKind, MOST_BLOCK, Packet, Packets, Window, u16_at, u32_at};

/// Reads that format.
#[derive(Debug)]
pub(crate) struct Pcapng<R> {
    window: Window<R>,
    is_big_endian: bool,
    interfaces: Vec<Interface>,
    /// The time of the packet before: simple packet blocks have none.
    time: u64,
    skipped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    snaplen: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

/// The unit of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Resolution {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// So many in a second.
    PerSecond(u128),
}

/// What a block holds.
enum Body<'a> {
    Packet(Packet<'a>),
    /// Nothing that matters here.
    Other,
    /// What makes no sense, though the next block can be found.
    Nonsense,
}

impl<R: Read> Pcapng<R> {
    pub(crate) fn new(input: R) -> Pcapng<R> {
        Pcapng { window: Window::new(input), is_big_endian: false, interfaces: Vec::new(), time: 0, skipped: 0 }
    }

    /// Brings the next block into memory; returns its type and length, or `None` at the end.
    fn block(&mut self, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<Option<(u32, usize)>, Fault> {
        if !self.window.require(FRAME, idle)? {
            return match self.window.bytes() {
                [] => Ok(None),
                _ => Err(self.window.fault(FaultKind::CutOff)),
            };
        }
        let bytes = self.window.bytes();
        if bytes.starts_with(&SECTION.to_be_bytes()) {
            self.is_big_endian = match bytes[8..12] {
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                _ => return Err(self.window.damaged("a section without its byte order")),
            };
        }
        let number = |at| u32_at(bytes, at, self.is_big_endian).expect("the frame of a block is in memory");
        let (kind, length) = (number(0), number(4) as usize);
        if !(FRAME..=MOST_BLOCK).contains(&length) || !length.is_multiple_of(4) {
            return Err(self.window.damaged(format!("a block of {length} bytes")));
        }
        if !self.window.require(length, idle)? {
            return Err(self.window.fault(FaultKind::CutOff));
        }
        let end = u32_at(self.window.bytes(), length - 4, self.is_big_endian).unwrap_or_default();
        if end as usize != length {
            return Err(self.window.damaged(format!("a block of {length} bytes that ends with the length {end}")));
        }
        Ok(Some((kind, length)))
    }

    fn section(&mut self, length: usize) -> Result<(), Fault> {
        let version = u16_at(self.window.bytes(), 12, self.is_big_endian).filter(|_| length >= 28);
        match version {
            Some(1) => {
                self.interfaces.clear();
                Ok(())
            }
            Some(version) => Err(self.window.damaged(format!("version {version} of the format; 1 is known"))),
            None => Err(self.window.damaged("a section that is too short")),
        }
    }

    fn interface(&mut self, length: usize) -> Result<(), Fault> {
        let body = &self.window.bytes()[8..length - 4];
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(self.window.damaged(format!("more than {MOST_INTERFACES} interfaces")));
        }
        let Some(interface) = Interface::read(body, self.is_big_endian) else {
            return Err(self.window.damaged("an interface that is too short"));
        };
        self.interfaces.push(interface);
        Ok(())
    }
}

impl<R: Read> Packets for Pcapng<R> {
    fn next(&mut self, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<Option<Packet<'_>>, Fault> {
        let length = loop {
            let Some((kind, length)) = self.block(idle)? else { return Ok(None) };
            match kind {
                SECTION => self.section(length)?,
                INTERFACE => self.interface(length)?,
                PACKET | SIMPLE_PACKET | OBSOLETE_PACKET => {
                    let block = &self.window.bytes()[..length];
                    match body(block, kind, self.is_big_endian, &self.interfaces, self.time) {
                        Body::Packet(packet) => {
                            self.time = packet.time;
                            break length;
                        }
                        Body::Other => {}
                        Body::Nonsense => self.skipped += 1,
                    }
                }
                _ => {}
            }
            self.window.consume(length);
        };
        self.window.consume(length);
        let block = self.window.consumed(length);
        let kind = u32_at(block, 0, self.is_big_endian).unwrap_or_default();
        match body(block, kind, self.is_big_endian, &self.interfaces, self.time) {
            Body::Packet(packet) => Ok(Some(packet)),
            _ => unreachable!("it was a packet when it was looked at first"),
        }
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Reads a block that holds a packet. `time` is that of the packet before.
fn body<'a>(block: &'a [u8], kind: u32, is_big_endian: bool, interfaces: &[Interface], time: u64) -> Body<'a> {
    let packet = match kind {
        SIMPLE_PACKET => simple(block, is_big_endian, interfaces, time),
        _ => enhanced(block, kind, is_big_endian, interfaces),
    };
    match packet {
        Some(packet) if packet.bytes.is_empty() => Body::Other,
        Some(packet) => Body::Packet(packet),
        None => Body::Nonsense,
    }
}

fn enhanced<'a>(block: &'a [u8], kind: u32, is_big_endian: bool, interfaces: &[Interface]) -> Option<Packet<'a>> {
    let number = |at| u32_at(block, at, is_big_endian);
    let interface = match kind {
        // the other half counts packets that were dropped
        OBSOLETE_PACKET => u32::from(u16_at(block, 8, is_big_endian)?),
        _ => number(8)?,
    };
    let interface = interfaces.get(interface as usize)?;
    let units = u64::from(number(12)?) << 32 | u64::from(number(16)?);
    let captured = number(20)? as usize;
    let body = block.get(28..block.len() - 4)?;
    let bytes = body.get(..captured)?;
    let options = body.get(captured.next_multiple_of(4)..).unwrap_or_default();
    Some(Packet {
        time: interface.nanoseconds(units),
        link: interface.link,
        bytes,
        comments: Comments { options, is_big_endian },
    })
}

fn simple<'a>(block: &'a [u8], is_big_endian: bool, interfaces: &[Interface], time: u64) -> Option<Packet<'a>> {
    let interface = interfaces.first()?;
    let length = u32_at(block, 8, is_big_endian)? as usize;
    let body = block.get(12..block.len() - 4)?;
    let most = if interface.snaplen == 0 { usize::MAX } else { interface.snaplen as usize };
    let bytes = body.get(..length.min(most).min(body.len()))?;
    Some(Packet { time, link: interface.link, bytes, comments: Comments::default() })
}

impl Interface {
    fn read(body: &[u8], is_big_endian: bool) -> Option<Interface> {
        let mut interface = Interface {
            link: u32::from(u16_at(body, 0, is_big_endian)?),
            snaplen: u32_at(body, 4, is_big_endian)?,
            resolution: Resolution::Nanoseconds(1000),
            offset_seconds: 0,
        };
        let mut options = body.get(8..).unwrap_or_default();
        while let Some((code, value, rest)) = option(options, is_big_endian) {
            options = rest;
            match (code, value) {
                (TIME_RESOLUTION, &[resolution, ..]) => interface.resolution = Resolution::read(resolution),
                (TIME_OFFSET, value) => {
                    if let Some(&bytes) = value.first_chunk::<8>() {
                        interface.offset_seconds =
                            if is_big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                    }
                }
                _ => {}
            }
        }
        Some(interface)
    }

    fn nanoseconds(&self, units: u64) -> u64 {
        let nanoseconds = match self.resolution {
            Resolution::Nanoseconds(each) => units.saturating_mul(each),
            Resolution::PerSecond(each) => {
                let nanoseconds = u128::from(units) * 1_000_000_000 / each;
                u64::try_from(nanoseconds).unwrap_or(u64::MAX)
            }
        };
        match self.offset_seconds {
            0 => nanoseconds,
            offset => nanoseconds.saturating_add_signed(offset.saturating_mul(1_000_000_000)),
        }
    }
}

impl Resolution {
    /// Reads `if_tsresol`: a negative power of ten, or of two if the highest bit is set.
    fn read(byte: u8) -> Resolution {
        let exponent = u32::from(byte & 0x7f);
        match byte & 0x80 {
            0 if exponent <= 9 => Resolution::Nanoseconds(10_u64.pow(9 - exponent)),
            0 => Resolution::PerSecond(10_u128.checked_pow(exponent).unwrap_or(u128::MAX)),
            _ => Resolution::PerSecond(1_u128.checked_shl(exponent).filter(|&units| units > 0).unwrap_or(u128::MAX)),
        }
    }
}

/// Takes the first of some options; `None` at their end.
pub(super) fn option(options: &[u8], is_big_endian: bool) -> Option<(u16, &[u8], &[u8])> {
    let code = u16_at(options, 0, is_big_endian).filter(|&code| code != END_OF_OPTIONS)?;
    let length = usize::from(u16_at(options, 2, is_big_endian)?);
    let value = options.get(4..4 + length)?;
    Some((code, value, options.get(4 + length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Code of the option that is a comment.
pub(super) const COMMENT: u16 = 1;
const END_OF_OPTIONS: u16 = 0;
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
/// The shortest block: type and twice its length.
const FRAME: usize = 12;
/// Most interfaces of a section.
const MOST_INTERFACES: usize = 65_536;
