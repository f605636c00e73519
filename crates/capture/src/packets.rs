//! Packets of a capture, one after the other, without a copy.
//!
//! The readers are our own and not those of a library, since they have to say where a damaged file is damaged, to tell when they
//! are about to wait for more of a live capture, and to go on behind a block that only makes no sense in itself.

use std::io;
use std::ops::ControlFlow;

mod pcap;
mod pcapng;
mod window;

pub(crate) use pcap::Pcap;
pub(crate) use pcapng::Pcapng;
pub(crate) use window::Window;

/// Reads packets from a capture.
pub(crate) trait Packets {
    /// Returns the next packet, or `None` at the end. `idle` is asked before each read whether to go on.
    fn next(&mut self, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<Option<Packet<'_>>, Fault>;
    /// Returns how many blocks or records were passed over because they make no sense in themselves.
    fn skipped(&self) -> u64 {
        0
    }
}

/// A packet as it was captured.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    /// When, in nanoseconds since 1970.
    pub(crate) time: u64,
    /// What it begins with, as a number of <https://www.tcpdump.org/linktypes.html>.
    pub(crate) link: u32,
    /// What was captured of it.
    pub(crate) bytes: &'a [u8],
    /// The comments on it, as options of a pcapng block.
    pub(crate) comments: Comments<'a>,
}

/// The comments on a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Comments<'a> {
    /// The options of the block; empty if there are none.
    pub(crate) options: &'a [u8],
    pub(crate) is_big_endian: bool,
}

impl<'a> Iterator for Comments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (code, value, rest) = pcapng::option(self.options, self.is_big_endian)?;
            self.options = rest;
            if code == pcapng::COMMENT {
                return Some(value);
            }
        }
    }
}

/// Why there are no more packets.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where in the capture, in bytes.
    pub(crate) offset: u64,
    pub(crate) kind: FaultKind,
}

/// What is wrong.
#[derive(Debug)]
pub(crate) enum FaultKind {
    /// Reading failed.
    Read(io::Error),
    /// The capture ends within a packet.
    CutOff,
    /// What stands there makes no sense.
    Damaged(String),
    /// Nobody wants more.
    Stopped,
}

/// Longest packet or block, in bytes. Captures have packets of 256 KiB at most; whatever claims to be larger than this is
/// damaged.
pub(crate) const MOST_BLOCK: usize = 16 << 20;

/// Reads an integer of a capture that was written on a machine of this byte order.
pub(crate) fn u16_at(bytes: &[u8], at: usize, is_big_endian: bool) -> Option<u16> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

/// Reads an integer of a capture that was written on a machine of this byte order.
pub(crate) fn u32_at(bytes: &[u8], at: usize, is_big_endian: bool) -> Option<u32> {
    let bytes = *bytes.get(at..)?.first_chunk()?;
    Some(if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}
