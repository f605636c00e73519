//! A buffer that slides over an input.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::{Fault, FaultKind, MOST_BLOCK};

/// The part of an input that is in memory.
#[derive(Debug)]
pub(crate) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `start` lies in the input.
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(input: R) -> Window<R> {
        Window { input, buffer: vec![0; SIZE], start: 0, end: 0, offset: 0 }
    }

    /// Makes sure that so many bytes are in memory, and returns whether they are: fewer means that the input has ended.
    #[inline]
    pub(crate) fn require(&mut self, count: usize, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<bool, Fault> {
        if self.end - self.start >= count { Ok(true) } else { self.fill(count, idle) }
    }

    fn fill(&mut self, count: usize, idle: &mut dyn FnMut() -> ControlFlow<()>) -> Result<bool, Fault> {
        debug_assert!(count <= MOST_BLOCK, "callers check what they ask for");
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count.max(self.buffer.len() * 2), 0);
        }
        while self.end < count {
            if idle().is_break() {
                return Err(self.fault(FaultKind::Stopped));
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(FaultKind::Read(error))),
            }
        }
        Ok(true)
    }

    /// Passes over so many bytes that are in memory.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Returns what is in memory.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns so many bytes that were consumed last.
    #[inline]
    pub(crate) fn consumed(&self, count: usize) -> &[u8] {
        &self.buffer[self.start.saturating_sub(count)..self.start]
    }

    /// Returns a fault at this place.
    pub(crate) fn fault(&self, kind: FaultKind) -> Fault {
        Fault { offset: self.offset, kind }
    }

    /// Returns that what stands at this place makes no sense.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> Fault {
        self.fault(FaultKind::Damaged(what.into()))
    }
}

const SIZE: usize = 1 << 20;
