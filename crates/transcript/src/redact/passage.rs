//! [`Passage`]: what is remembered while the events of one transcript pass by.

use std::collections::HashMap;

use msnp::Direction;

use crate::event::Event;
use crate::screen::Tracker;

/// The place in a transcript: what is known of its connections, and how numbers of packets have shifted.
///
/// One passage goes with one walk over one transcript, first event first.
#[derive(Debug, Default)]
pub struct Passage {
    pub(super) tracker: Tracker,
    /// Whether the transcript is the result of a redaction.
    pub(super) is_native: bool,
    /// Old and new size of MSNSLP messages, by connection and message id: acknowledgements repeat them.
    totals: HashMap<(u64, u32), (u64, u64)>,
    /// By how much what a connection received in each direction has grown.
    growth: HashMap<(u64, Direction), i64>,
    /// Where the sequence numbers of a sender shift, and by how much.
    shifts: HashMap<(u64, Vec<u8>), Vec<Shift>>,
}

#[derive(Debug)]
struct Shift {
    from: u32,
    by: i64,
}

impl Passage {
    /// Starts at the beginning of a transcript.
    pub fn new() -> Passage {
        Passage::default()
    }

    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::Session(session) = event {
            self.is_native = session.redacted.is_some();
        }
        self.tracker.learn(event);
    }

    pub(super) fn forget(&mut self, event: &Event) {
        self.tracker.forget(event);
        if let Event::ConnectionClosed(closed) = event {
            self.growth.retain(|(connection, _), _| *connection != closed.connection);
            self.totals.retain(|(connection, _), _| *connection != closed.connection);
            self.shifts.retain(|(connection, _), _| *connection != closed.connection);
        }
    }

    pub(super) fn grow(&mut self, connection: u64, direction: Direction, by: i64) {
        *self.growth.entry((connection, direction)).or_default() += by;
    }

    /// Returns how many bytes a connection has received, after what became of them.
    pub(super) fn grown(&self, connection: u64, direction: Direction, bytes: u64) -> u64 {
        bytes.saturating_add_signed(self.growth.get(&(connection, direction)).copied().unwrap_or_default())
    }

    pub(super) fn set_total(&mut self, connection: u64, message: u32, old: u64, new: u64) {
        if old != new && self.totals.len() < MOST_REMEMBERED {
            self.totals.insert((connection, message), (old, new));
        }
    }

    pub(super) fn total(&self, connection: u64, message: u32, size: u64) -> u64 {
        match self.totals.get(&(connection, message)) {
            Some((old, new)) if *old == size => *new,
            _ => size,
        }
    }

    /// Puts down that what a sender sends from the sequence number `from` on stands `by` bytes later.
    pub(super) fn shift(&mut self, connection: u64, sender: &[u8], from: u32, by: i64) {
        if self.shifts.len() >= MOST_REMEMBERED {
            return;
        }
        let shifts = self.shifts.entry((connection, sender.to_vec())).or_default();
        // a packet that is sent again shifts nothing again
        if by != 0 && shifts.len() < MOST_REMEMBERED && shifts.iter().all(|shift| shift.from != from) {
            shifts.push(Shift { from, by });
        }
    }

    pub(super) fn shifted(&self, connection: u64, sender: &[u8], number: u32) -> u32 {
        let shifts = self.shifts.get(&(connection, sender.to_vec()));
        let by: i64 = shifts.into_iter().flatten().filter(|shift| shift.from <= number).map(|shift| shift.by).sum();
        number.wrapping_add(by as u32)
    }
}

/// Messages and shifts that are remembered for one transcript: far more than a session has, and no more than fits.
const MOST_REMEMBERED: usize = 1 << 14;
