//! [`Tally`]: what one socket sent or received, without keeping it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts and hashes a stream, block by block, so that a difference can be placed.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    len: u64,
    hash: u64,
    /// The hash at the end of each whole block.
    blocks: Vec<u64>,
    /// The latest bytes, if they are kept: not all that was sent on a connection that was cut has arrived.
    tail: Option<Vec<u8>>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { len: 0, hash: START, blocks: Vec::new(), tail: keeps_all().then(Vec::new) }
    }
}

/// Keeps all bytes from now on, to write them down where they differ: for short runs.
pub(crate) fn keep_all() {
    KEEPS.store(true, Ordering::Relaxed);
}

fn keeps_all() -> bool {
    KEEPS.load(Ordering::Relaxed)
}

static KEEPS: AtomicBool = AtomicBool::new(false);

impl Tally {
    /// One that keeps the latest bytes too.
    pub(crate) fn with_tail() -> Tally {
        Tally { tail: Some(Vec::new()), ..Tally::default() }
    }

    pub(crate) fn of(bytes: &[u8]) -> Tally {
        let mut tally = Tally::default();
        tally.add(bytes);
        tally
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
            self.len += 1;
            if self.len.is_multiple_of(BLOCK) {
                self.blocks.push(self.hash);
            }
        }
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(bytes);
            if tail.len() > 2 * TAIL && !keeps_all() {
                tail.drain(..tail.len() - TAIL);
            }
        }
    }

    /// Keeps few of the latest bytes: the connection ended as it should.
    pub(crate) fn shrink(&mut self) {
        if let Some(tail) = self.tail.as_mut().filter(|_| !keeps_all()) {
            *tail = tail[tail.len().saturating_sub(2 * BLOCK as usize)..].to_vec();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Writes down what was kept, beside what a transcript says.
    pub(crate) fn write(&self, recorded: &[u8], folder: &Path, name: &str) -> std::io::Result<()> {
        if keeps_all() {
            std::fs::write(folder.join(format!("{name}.socket")), self.tail.as_deref().unwrap_or_default())?;
            std::fs::write(folder.join(format!("{name}.transcript")), recorded)?;
        }
        Ok(())
    }

    /// Compares what was counted with what a transcript says. A stream that was cut may be shorter there.
    pub(crate) fn compare(&self, recorded: &[u8], was_cut: bool) -> Result<(), String> {
        let found = Tally::of(recorded);
        if found.len == self.len && found.hash == self.hash {
            return Ok(());
        }
        let (len, other) = (self.len, found.len);
        let lengths = format!("{len} bytes on the socket, {other} in the transcript");
        let same = self.blocks.iter().zip(&found.blocks).take_while(|(a, b)| a == b).count();
        if same < self.blocks.len().min(found.blocks.len()) || !was_cut || other > len {
            let near = &recorded[usize::try_from(same as u64 * BLOCK).unwrap_or(0).min(recorded.len())..];
            let near = String::from_utf8_lossy(&near[..near.len().min(400)]).into_owned();
            return Err(format!("{lengths}; they differ behind byte {}: {near:?}", same as u64 * BLOCK));
        }
        // the last block is not whole: compare its bytes
        let tail = self.tail.as_deref().unwrap_or_default();
        let start = same as u64 * BLOCK;
        let Some(skip) = start.checked_sub(len - tail.len() as u64) else {
            return Err(format!("{lengths}: more was lost than was on its way"));
        };
        let (skip, start) = (usize::try_from(skip).unwrap_or(0), usize::try_from(start).unwrap_or(0));
        match tail[skip..].starts_with(&recorded[start..]) {
            true => Ok(()),
            false => Err(format!("{lengths}; they differ in the last block")),
        }
    }
}

const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;
const BLOCK: u64 = 4096;
/// More than can be on its way.
const TAIL: usize = 96 << 10;
