//! One direction of a connection: what was read and is not framed yet, and what is to be written and waits.
//!
//! A lane keeps order whatever happens: bytes that must wait (a delayed or held command) make all behind them wait, and
//! what is injected is put between whole commands only.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use msnp::{Codec, Command, Direction, Limits};
use tokio::net::TcpStream;

use crate::buffers;
use crate::fault::{Fault, Stage};
use crate::injection::{Answer, Done, Injection};
use crate::transactions::MOST_PENDING;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) codec: Codec,
    /// What was read and is no whole command yet.
    pub(crate) partial: Vec<u8>,
    /// How much of `partial` was forwarded already.
    pub(crate) streamed: usize,
    /// The id under which that left, if it came under another.
    pub(crate) streamed_as: Option<u32>,
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
    /// Injections that wait for the end of a command that is half forwarded.
    inserts: Vec<Injection>,
    /// How many entries of the queue are held.
    held: usize,
    /// What waits for its time, in order.
    queue: VecDeque<Entry>,
    queued_bytes: usize,
    queued_commands: usize,
    /// At most so many of the waiting bytes are replies to what came the other way.
    replies: usize,
    /// What waits for the socket, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// What keeps that waiting besides the socket.
    pub(crate) faults: Option<Box<Stage>>,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    bytes: Vec<u8>,
    commands: usize,
    /// It waits for somebody, `due` being the time when that is over.
    held: Option<Waiting>,
    /// What begins with it.
    faults: Vec<Fault>,
}

/// A held command in its lane.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The number of the held command.
    pub(crate) number: u64,
    /// Since when.
    pub(crate) since: Instant,
    /// How long it is delayed after its release.
    pub(crate) delay: Option<Duration>,
    /// The client's id of it, and the one towards the server.
    pub(crate) ids: Option<(u32, u32)>,
    /// What leaves if nobody changes it, if that differs from what arrived.
    pub(crate) leaves: Option<Vec<Command>>,
    /// Whether challenges are answered meanwhile.
    pub(crate) answers_challenges: bool,
    /// What begins with it.
    pub(crate) faults: Vec<Fault>,
}

impl Lane {
    pub(crate) fn new(direction: Direction, limits: Limits) -> Lane {
        Lane {
            codec: Codec::new(direction, limits),
            partial: Vec::new(),
            streamed: 0,
            streamed_as: None,
            held_since: None,
            received: 0,
            at_end: false,
            shut: false,
            said_opaque: false,
            inserts: Vec::new(),
            held: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            queued_commands: 0,
            replies: 0,
            out: Vec::new(),
            written: 0,
            faults: None,
        }
    }

    /// Sends bytes on: at once if nothing waits before them.
    pub(crate) fn forward(&mut self, bytes: &[u8], commands: usize, socket: &TcpStream) -> io::Result<()> {
        if bytes.is_empty() || self.shut {
            return Ok(());
        }
        if !self.queue.is_empty() {
            self.enqueue(bytes, commands, Instant::now(), None, Vec::new());
            return Ok(());
        }
        if self.faults.is_some() {
            self.append(bytes);
            return self.flush(socket);
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
            self.enqueue(bytes, commands, Instant::now(), None, Vec::new());
        }
    }

    /// Sends a command on at `due`, and all that comes behind it after that; the faults begin with it.
    pub(crate) fn delay(&mut self, bytes: &[u8], due: Instant, faults: Vec<Fault>) {
        if !self.shut {
            self.enqueue(bytes, 1, due, None, faults);
        }
    }

    /// Sends bytes on when they are released, at the latest at `due`, and all that comes behind them after that.
    pub(crate) fn hold(&mut self, bytes: &[u8], commands: usize, due: Instant, mut waiting: Waiting) {
        self.held += 1;
        let faults = std::mem::take(&mut waiting.faults);
        self.enqueue(bytes, commands, due, Some(waiting), faults);
    }

    /// Returns the ids of a held command, if they differ.
    pub(crate) fn ids_of(&self, number: u64) -> Option<(u32, u32)> {
        let mut held = self.queue.iter().filter_map(|entry| entry.held.as_ref());
        held.find(|waiting| waiting.number == number)?.ids
    }

    /// Lets go of a held command, with other bytes if they are given. `None`: it is not held any more.
    pub(crate) fn let_go(&mut self, number: u64, bytes: Option<Vec<u8>>) -> Option<Waiting> {
        let is_it = |entry: &&mut Entry| entry.held.as_ref().is_some_and(|waiting| waiting.number == number);
        let entry = self.queue.iter_mut().find(is_it)?;
        let waiting = entry.held.take()?;
        entry.due = Instant::now() + waiting.delay.unwrap_or_default();
        if let Some(bytes) = bytes {
            self.queued_bytes = self.queued_bytes - entry.bytes.len() + bytes.len();
            entry.bytes = bytes;
        }
        self.held -= 1;
        Some(waiting)
    }

    /// Puts an injection aside until the command that is half forwarded is whole. Gives it back if there is none, or too
    /// many wait already.
    pub(crate) fn insert(&mut self, injection: Injection) -> Option<Injection> {
        if self.streamed == 0 || self.inserts.len() >= MOST_PENDING {
            return Some(injection);
        }
        self.inserts.push(injection);
        None
    }

    /// Returns why nothing can be injected, if nothing can.
    pub(crate) fn refusal(&self) -> Option<Done> {
        match self.shut {
            true => Some(Done::Closed),
            false if self.load() >= 2 * MOST_QUEUED_BYTES => Some(Done::Busy),
            false => self.codec.is_opaque().then_some(Done::Unframed),
        }
    }

    /// Takes the injections that waited for the end of a command.
    pub(crate) fn take_inserts(&mut self) -> Vec<Injection> {
        std::mem::take(&mut self.inserts)
    }

    /// Moves what is due (all of it if `now` is `None`) towards the socket. Returns the held commands whose time is over.
    pub(crate) fn release(&mut self, now: Option<Instant>) -> Vec<Waiting> {
        if let (None, Some(stage)) = (now, &mut self.faults) {
            stage.hurry();
        }
        let mut released = Vec::new();
        while let Some(entry) = self.queue.front_mut().filter(|entry| now.is_none_or(|now| entry.due <= now)) {
            if let Some(waiting) = entry.held.take() {
                self.held -= 1;
                let delay = waiting.delay;
                released.push(waiting);
                if let (Some(delay), Some(now)) = (delay, now) {
                    entry.due = now + delay;
                    break;
                }
            }
            if let Some(entry) = self.queue.pop_front() {
                self.queued_bytes -= entry.bytes.len();
                self.queued_commands -= entry.commands;
                if !entry.faults.is_empty() && !entry.bytes.is_empty() {
                    let waiting = self.waiting();
                    self.faults.get_or_insert_default().begin(entry.faults, waiting, entry.bytes.len());
                }
                self.append(&entry.bytes);
            }
        }
        released
    }

    /// Lets go of everything that is held.
    pub(crate) fn let_all_go(&mut self) -> Vec<Waiting> {
        let held = self.queue.iter_mut().filter_map(|entry| {
            let waiting = entry.held.take()?;
            entry.due = Instant::now() + waiting.delay.unwrap_or_default();
            Some(waiting)
        });
        self.held = 0;
        held.collect()
    }

    /// Whether a command is held.
    pub(crate) fn is_held(&self) -> bool {
        self.held > 0
    }

    /// Whether a held command wants challenges answered.
    pub(crate) fn answers_challenges(&self) -> bool {
        self.held > 0
            && self.queue.iter().any(|entry| entry.held.as_ref().is_some_and(|waiting| waiting.answers_challenges))
    }

    /// Writes what waits for the socket, as much as it takes.
    pub(crate) fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.written < self.out.len() {
            let end = match &mut self.faults {
                Some(stage) => self.written + stage.permit(self.out.len() - self.written, Instant::now()),
                None => self.out.len(),
            };
            let written = if end > self.written { try_write(socket, &self.out[self.written..end])? } else { 0 };
            if written == 0 {
                self.replies = self.replies.min(self.load());
                return Ok(());
            }
            self.written += written;
            if let Some(stage) = &mut self.faults {
                stage.wrote(written);
            }
        }
        self.faults.take_if(|stage| stage.is_over());
        if self.out.capacity() > 0 {
            buffers::give_back(std::mem::take(&mut self.out));
            self.written = 0;
        }
        self.replies = self.replies.min(self.load());
        Ok(())
    }

    /// Forgets all that waits, because the receiver is gone. Returns the commands that were held.
    pub(crate) fn abandon(&mut self) -> Vec<Waiting> {
        self.shut = true;
        self.faults = None;
        self.forget()
    }

    /// Lets a fault end the stream, if one does now. Returns how many waiting bytes are lost thereby.
    pub(crate) fn strike(&mut self, now: Instant) -> Option<usize> {
        let waiting = self.waiting();
        self.faults.as_mut()?.strike(waiting, self.at_end, now)?;
        Some(waiting + self.queued_bytes)
    }

    /// Whether the end of the stream may be passed on, now that nothing waits.
    pub(crate) fn may_close(&mut self, now: Instant) -> bool {
        self.faults.as_mut().is_none_or(|stage| stage.may_close(now))
    }

    /// Forgets all that waits. Returns the commands that were held.
    pub(crate) fn forget(&mut self) -> Vec<Waiting> {
        self.held = 0;
        for injection in self.inserts.drain(..) {
            injection.tell(Answer::Done(Done::Closed));
        }
        self.out = Vec::new();
        self.written = 0;
        self.queued_bytes = 0;
        self.queued_commands = 0;
        self.queue.drain(..).filter_map(|entry| entry.held).collect()
    }

    /// Returns when the first of what waits for its time is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let faults = self.faults.as_ref().filter(|_| !self.shut).and_then(|stage| stage.due());
        self.queue.front().map(|entry| entry.due).into_iter().chain(faults).min()
    }

    /// Whether something waits for the socket, and for nothing else.
    pub(crate) fn has_output(&self) -> bool {
        match &self.faults {
            Some(stage) => stage.is_open(),
            None => self.waiting() > 0,
        }
    }

    /// Whether nothing waits at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.queue.is_empty() && self.inserts.is_empty()
    }

    /// Whether more may be read for this lane.
    pub(crate) fn has_room(&self, depth: usize) -> bool {
        let is_late = self.faults.as_ref().is_some_and(|stage| stage.is_late());
        let most = if is_late { MOST_QUEUED_BYTES } else { buffers::READ };
        self.waiting() < most && self.queued_commands < depth && self.queued_bytes < MOST_QUEUED_BYTES
    }

    /// Whether more may be read that replies may come of. What this lane brings itself does not count: a peer may read
    /// nothing for as long as it is not read.
    pub(crate) fn takes_replies(&self) -> bool {
        self.replies < if self.queue.is_empty() { buffers::READ } else { MOST_QUEUED_BYTES }
    }

    /// Notes that the lane had so much in hand before replies were put into it.
    pub(crate) fn note_replies(&mut self, before: usize) {
        self.replies += self.load().saturating_sub(before);
    }

    /// Returns how many bytes wait, for whatever it is.
    pub(crate) fn load(&self) -> usize {
        self.waiting() + self.queued_bytes
    }

    /// Returns how many bytes wait for the socket.
    fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    fn enqueue(&mut self, bytes: &[u8], commands: usize, due: Instant, held: Option<Waiting>, faults: Vec<Fault>) {
        self.queued_bytes += bytes.len();
        self.queued_commands += commands;
        match self.queue.back_mut() {
            Some(last)
                if held.is_none()
                    && last.held.is_none()
                    && faults.is_empty()
                    && last.faults.is_empty()
                    && last.due >= due
                    && last.bytes.len() < buffers::READ =>
            {
                last.bytes.extend_from_slice(bytes);
                last.commands += commands;
            }
            _ => self.queue.push_back(Entry { due, bytes: bytes.to_vec(), commands, held, faults }),
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.faults.as_ref().is_some_and(|stage| stage.has_struck()) {
            return;
        }
        if self.out.capacity() == 0 {
            self.out = buffers::take();
        }
        if self.written >= buffers::READ.max(self.waiting()) {
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
