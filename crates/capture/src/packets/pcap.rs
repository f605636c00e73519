//! The older format: a header, then records of a header and a packet each.
//!
//! ```text
//! file   = magic:4 version:2+2 zone:4 accuracy:4 snaplen:4 link:4 { record }
//! record = seconds:4 fraction:4 captured:4 length:4 [ 8 more if modified ] packet
//! ```
//!
//! The magic number tells byte order, unit of the fraction (micro- or nanoseconds), and whether the records have the eight
//! more bytes of a patch to libpcap from 1998. <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>

use std::io::Read;
use std::ops::ControlFlow;

use super::{Comments, Fault, FaultKind, MOST_BLOCK, Packet, Packets, Window, u16_at, u32_at};

/// Reads that format.
#[derive(Debug)]
pub(crate) struct Pcap<R> {
    window: Window<R>,
    /// Absent until the header is read.
    header: Option<Header>,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    is_big_endian: bool,
    nanoseconds_per_unit: u64,
    record: usize,
    link: u32,
}

impl<R: Read> Pcap<R> {
    pub(crate) fn new(input: R) -> Pcap<R> {
        Pcap { window: Window::new(input), header: None }
    }

    fn header(&mut self, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<Header, Fault> {
        if let Some(header) = self.header {
            return Ok(header);
        }
        if !self.window.require(HEADER, idle)? {
            return Err(self.window.fault(FaultKind::CutOff));
        }
        let bytes = self.window.bytes();
        let (is_big_endian, nanoseconds_per_unit, record) = match bytes {
            [0xd4, 0xc3, 0xb2, 0xa1, ..] => (false, 1000, RECORD),
            [0xa1, 0xb2, 0xc3, 0xd4, ..] => (true, 1000, RECORD),
            [0x4d, 0x3c, 0xb2, 0xa1, ..] => (false, 1, RECORD),
            [0xa1, 0xb2, 0x3c, 0x4d, ..] => (true, 1, RECORD),
            [0x34, 0xcd, 0xb2, 0xa1, ..] => (false, 1000, RECORD + 8),
            [0xa1, 0xb2, 0xcd, 0x34, ..] => (true, 1000, RECORD + 8),
            _ => return Err(self.window.damaged("no pcap file begins so")),
        };
        let version = u16_at(bytes, 4, is_big_endian).unwrap_or_default();
        if version != 2 {
            return Err(self.window.damaged(format!("version {version} of the format; 2 is known")));
        }
        // above are flags about checksums behind the frames, which the lengths in the packets take care of
        let link = u32_at(bytes, 20, is_big_endian).unwrap_or_default() & 0xffff;
        let header = Header { is_big_endian, nanoseconds_per_unit, record, link };
        self.window.consume(HEADER);
        self.header = Some(header);
        Ok(header)
    }
}

impl<R: Read> Packets for Pcap<R> {
    #[inline]
    fn next(&mut self, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<Option<Packet<'_>>, Fault> {
        let Header { is_big_endian, nanoseconds_per_unit, record, link } = self.header(idle)?;
        if !self.window.require(record, idle)? {
            return match self.window.bytes() {
                [] => Ok(None),
                _ => Err(self.window.fault(FaultKind::CutOff)),
            };
        }
        let [seconds, fraction, captured, length] = [0, 4, 8, 12].map(|at| {
            let value = u32_at(self.window.bytes(), at, is_big_endian);
            value.expect("a record is longer than its four numbers")
        });
        if captured as usize > MOST_BLOCK - record {
            let what = format!("a packet of {captured} bytes, where {} are the most", MOST_BLOCK - record);
            return Err(self.window.damaged(what));
        }
        if (seconds, fraction, captured, length) == (0, 0, 0, 0) {
            return Err(self.window.damaged("zeros where a packet should begin"));
        }
        let captured = captured as usize;
        if !self.window.require(record + captured, idle)? {
            return Err(self.window.fault(FaultKind::CutOff));
        }
        self.window.consume(record + captured);
        Ok(Some(Packet {
            time: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * nanoseconds_per_unit,
            link,
            bytes: self.window.consumed(captured),
            comments: Comments::default(),
        }))
    }
}

const HEADER: usize = 24;
const RECORD: usize = 16;
