//! One direction of a connection: what was read and is not framed yet, and what is to be written and waits.
//!
//! A lane keeps order whatever happens: bytes that must wait (a delayed command) make all behind them wait, and a reply
//! is put between whole commands only.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use msnp::{Codec, Direction, Limits};
use tokio::net::TcpStream;

use crate::buffers;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) codec: Codec,
    /// What was read and is no whole command yet.
    pub(crate) partial: Vec<u8>,
    /// How much of `partial` was forwarded already.
    pub(crate) streamed: usize,
    /// When the last bytes of `partial` came, if they are held back for hooks and might have to be let go.
    pub(crate) held_since: Option<Instant>,
    /// Bytes received so far.
    pub(crate) received: u64,
    /// The sender has closed its side.
    pub(crate) at_end: bool,
    /// The receiver has been told so: nothing more will be written.
    pub(crate) shut: bool,
    /// The log says already that this stream cannot be framed.
    pub(crate) said_opaque: bool,
    /// Replies that wait for the end of a command that is half forwarded.
    inserts: Vec<u8>,
    /// What waits for its time, in order.
    queue: VecDeque<Entry>,
    queued_bytes: usize,
    queued_commands: usize,
    /// What waits for the socket, from `written` on.
    out: Vec<u8>,
    written: usize,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    bytes: Vec<u8>,
    commands: usize,
}

impl Lane {
    pub(crate) fn new(direction: Direction, limits: Limits) -> Lane {
        Lane {
            codec: Codec::new(direction, limits),
            partial: Vec::new(),
            streamed: 0,
            held_since: None,
            received: 0,
            at_end: false,
            shut: false,
            said_opaque: false,
            inserts: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            queued_commands: 0,
            out: Vec::new(),
            written: 0,
        }
    }

    /// Sends bytes on: at once if nothing waits before them.
    pub(crate) fn forward(&mut self, bytes: &[u8], commands: usize, socket: &TcpStream) -> io::Result<()> {
        if bytes.is_empty() || self.shut {
            return Ok(());
        }
        if !self.queue.is_empty() {
            self.enqueue(bytes, commands, Instant::now());
            return Ok(());
        }
        let written = if self.out.is_empty() { try_write(socket, bytes)? } else { 0 };
        self.append(&bytes[written..]);
        Ok(())
    }

    /// Sends bytes on later, with more to come: they only leave with [`Lane::flush`].
    pub(crate) fn collect(&mut self, bytes: &[u8], commands: usize) {
        if self.shut || bytes.is_empty() {
        } else if self.queue.is_empty() {
            self.append(bytes);
        } else {
            self.enqueue(bytes, commands, Instant::now());
        }
    }

    /// Sends bytes on at `due`, and all that comes behind them after that.
    pub(crate) fn delay(&mut self, bytes: &[u8], due: Instant) {
        if !self.shut {
            self.enqueue(bytes, 1, due);
        }
    }

    /// Puts a whole command between two others.
    pub(crate) fn insert(&mut self, bytes: &[u8]) {
        if self.streamed > 0 {
            self.inserts.extend_from_slice(bytes);
        } else {
            self.collect(bytes, 1);
        }
    }

    pub(crate) fn has_inserts(&self) -> bool {
        !self.inserts.is_empty()
    }

    /// Lets go of replies that waited for the end of a command.
    pub(crate) fn release_inserts(&mut self) {
        if !self.inserts.is_empty() {
            let inserts = std::mem::take(&mut self.inserts);
            self.collect(&inserts, 1);
        }
    }

    /// Moves what is due (all of it if `now` is `None`) towards the socket.
    pub(crate) fn release(&mut self, now: Option<Instant>) {
        while self.queue.front().is_some_and(|entry| now.is_none_or(|now| entry.due <= now)) {
            if let Some(entry) = self.queue.pop_front() {
                self.queued_bytes -= entry.bytes.len();
                self.queued_commands -= entry.commands;
                self.append(&entry.bytes);
            }
        }
    }

    /// Writes what waits for the socket, as much as it takes.
    pub(crate) fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.written < self.out.len() {
            let written = try_write(socket, &self.out[self.written..])?;
            if written == 0 {
                return Ok(());
            }
            self.written += written;
        }
        if self.out.capacity() > 0 {
            buffers::give_back(std::mem::take(&mut self.out));
            self.written = 0;
        }
        Ok(())
    }

    /// Forgets all that waits, because the receiver is gone.
    pub(crate) fn abandon(&mut self) {
        self.shut = true;
        self.queue.clear();
        self.inserts = Vec::new();
        self.out = Vec::new();
        self.written = 0;
    }

    /// Returns when the first of what waits for its time is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.queue.front().map(|entry| entry.due)
    }

    /// Whether something waits for the socket.
    pub(crate) fn has_output(&self) -> bool {
        self.written < self.out.len()
    }

    /// Whether nothing waits at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_output() && self.queue.is_empty() && self.inserts.is_empty()
    }

    /// Whether more may be read for this lane.
    pub(crate) fn has_room(&self, depth: usize) -> bool {
        self.out.len() - self.written < buffers::READ
            && self.queued_commands < depth
            && self.queued_bytes < MOST_QUEUED_BYTES
    }

    fn enqueue(&mut self, bytes: &[u8], commands: usize, due: Instant) {
        self.queued_bytes += bytes.len();
        self.queued_commands += commands;
        match self.queue.back_mut() {
            Some(last) if last.due >= due && last.bytes.len() < buffers::READ => {
                last.bytes.extend_from_slice(bytes);
                last.commands += commands;
            }
            _ => self.queue.push_back(Entry { due, bytes: bytes.to_vec(), commands }),
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.out.capacity() == 0 {
            self.out = buffers::take();
        }
        if self.written >= buffers::READ {
            self.out.drain(..self.written);
            self.written = 0;
        }
        self.out.extend_from_slice(bytes);
    }
}

/// Bytes that may wait for their time in one lane before no more is read.
const MOST_QUEUED_BYTES: usize = 4 << 20;

/// Writes what the socket takes now; 0 if that is nothing.
fn try_write(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.try_write(bytes) {
        Ok(written) => Ok(written),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_always_a_little_behind_fills_no_memory() {
        let mut lane = Lane::new(Direction::ServerToClient, Limits::default());
        lane.collect(&[0; 1000], 1);
        for _ in 0..10_000 {
            lane.collect(&[0; 1000], 1);
            lane.written += 1000;
        }
        assert_eq!(lane.out.len() - lane.written, 1000);
        assert!(lane.out.capacity() <= 4 * buffers::READ, "{}", lane.out.capacity());
    }
}
