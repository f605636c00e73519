//! One fault at work: how far it lets the bytes of a stream pass, and when it lets more.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Fault, Kind, Strike, chances, later, vary};

/// A fault in its place behind others. Positions count the bytes that left for the socket since the stage was there.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) fault: Fault,
    chances: Rng,
    /// The first byte that it is about, and the one behind the last.
    start: u64,
    end: u64,
    /// It begins when so many bytes have come to it.
    threshold: u64,
    begun: Option<Instant>,
    /// How far bytes have come to it.
    came: u64,
    /// How far it let them pass.
    passed: u64,
    /// When it lets more pass, or strikes, if nothing else happens.
    due: Option<Instant>,
    state: State,
}

/// What a kind has to remember.
#[derive(Debug)]
enum State {
    Nothing,
    /// How far bytes pass at which moment, in order.
    Latency(VecDeque<(u64, Instant)>),
    /// How far the bytes reach that are on the narrow line, and when they are through.
    Bandwidth(Option<(u64, Instant)>),
    /// Where the piece ends, and when it may leave.
    Slicer(u64, Option<Instant>),
    /// Since when the stream would have been closed.
    SlowClose(Option<Instant>),
}

/// A moment, and whether it is the last: then nothing is waited for any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) is_last: bool,
}

impl Moment {
    fn is_past(&self, due: Instant) -> bool {
        self.is_last || due <= self.now
    }
}

impl Gate {
    /// A fault of the whole stream. Those that end it wait for its first byte.
    pub(super) fn of_stream(fault: Fault) -> Gate {
        let waits = matches!(fault.kind, Kind::ResetPeer { .. } | Kind::LimitData { .. });
        Gate::new(fault, 0..u64::MAX, u64::from(waits))
    }

    /// A fault that begins with the command that has these bytes, when all before them has left.
    pub(super) fn of_command(fault: Fault, command: Range<u64>) -> Gate {
        let Range { start, end } = command;
        let end = if fault.kind.outlasts_command() { u64::MAX } else { end };
        Gate::new(fault, start..end, start)
    }

    fn new(fault: Fault, Range { start, end }: Range<u64>, threshold: u64) -> Gate {
        let state = match fault.kind {
            Kind::Latency { .. } => State::Latency(VecDeque::new()),
            Kind::Bandwidth { .. } => State::Bandwidth(None),
            Kind::Slicer { .. } => State::Slicer(start, None),
            Kind::SlowClose { .. } => State::SlowClose(None),
            Kind::Timeout { .. } | Kind::ResetPeer { .. } | Kind::LimitData { .. } => State::Nothing,
        };
        let chances = chances(fault.seed, &[]);
        Gate { fault, chances, start, end, threshold, begun: None, came: start, passed: start, due: None, state }
    }

    /// Takes note of how far bytes came and how far they left, and returns how far they may pass.
    pub(super) fn advance(&mut self, came: u64, left: u64, moment: Moment) -> u64 {
        self.came = came;
        self.due = None;
        if came >= self.threshold {
            self.begun.get_or_insert(moment.now);
        }
        match self.fault.kind {
            Kind::Latency { latency, jitter } => self.pass_late(latency, jitter, moment),
            Kind::Bandwidth { rate } => self.pass_slowly(rate, moment),
            Kind::SlowClose { .. } => self.passed = came,
            Kind::Timeout { timeout } | Kind::ResetPeer { timeout } => {
                let is_endless = timeout.is_zero() && matches!(self.fault.kind, Kind::Timeout { .. });
                self.due = self.begun.filter(|_| !is_endless).map(|begun| later(begun, timeout));
            }
            Kind::Slicer { average_size, size_variation, delay } => {
                self.pass_in_pieces((average_size, size_variation), delay, left, moment);
            }
            Kind::LimitData { bytes } => self.passed = came.min(self.start.saturating_add(bytes)),
        }
        self.passed
    }

    /// Returns what becomes of the connection, if that is now. `at_end`: the sender has closed its side.
    pub(super) fn strike(&self, left: u64, at_end: bool, moment: Moment) -> Option<Strike> {
        let begun = self.begun?;
        match self.fault.kind {
            Kind::Timeout { .. } if at_end && left >= self.start => Some(Strike::Cut),
            Kind::Timeout { timeout } if timeout.is_zero() => None,
            Kind::Timeout { timeout } => moment.is_past(later(begun, timeout)).then_some(Strike::Close),
            Kind::ResetPeer { timeout } => moment.is_past(later(begun, timeout)).then_some(Strike::Reset),
            Kind::LimitData { bytes } => (left >= self.start.saturating_add(bytes)).then_some(Strike::Close),
            _ => None,
        }
    }

    /// Whether the end of the stream may be passed on, now that all before it has been.
    pub(super) fn may_close(&mut self, moment: Moment) -> bool {
        match (&mut self.state, self.fault.kind) {
            (State::SlowClose(since), Kind::SlowClose { delay }) if self.begun.is_some() => {
                let due = later(*since.get_or_insert(moment.now), delay);
                self.due = Some(due);
                moment.is_past(due)
            }
            (_, Kind::ResetPeer { .. }) => self.begun.is_none(),
            _ => true,
        }
    }

    /// Returns where the first byte lies that it is about.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether all bytes that it is about have left.
    pub(super) fn is_over(&self, left: u64) -> bool {
        left >= self.end
    }

    fn pass_late(&mut self, latency: Duration, jitter: Duration, moment: Moment) {
        let State::Latency(marks) = &mut self.state else { return };
        let (known, last) = marks.back().map_or((self.passed, moment.now), |mark| *mark);
        if self.came > known {
            let due = later(moment.now, vary(latency, jitter, &mut self.chances)).max(last);
            let is_full = marks.len() >= MOST_MARKS;
            match marks.back_mut() {
                Some(mark) if mark.1 == due || is_full => mark.0 = self.came,
                _ => marks.push_back((self.came, due)),
            }
        }
        while let Some(&(end, due)) = marks.front() {
            if !moment.is_past(due) {
                self.due = Some(due);
                return;
            }
            self.passed = end;
            marks.pop_front();
        }
    }

    fn pass_slowly(&mut self, rate: u64, moment: Moment) {
        let State::Bandwidth(piece) = &mut self.state else { return };
        let mut start = moment.now;
        while self.passed < self.came {
            let (end, due) = *piece.get_or_insert_with(|| {
                let length = (self.came - self.passed).min(rate.saturating_mul(PIECE.as_millis() as u64));
                // a rate in thousands a second is one of bytes in a millisecond
                let time = Duration::from_micros(length.saturating_mul(1000) / rate.max(1));
                (self.passed + length, later(start, time))
            });
            if !moment.is_past(due) {
                self.due = Some(due);
                return;
            }
            self.passed = end;
            *piece = None;
            // what waited behind it went on the line at once
            start = due;
        }
    }

    fn pass_in_pieces(&mut self, (average, variation): (u64, u64), delay: Duration, left: u64, moment: Moment) {
        let State::Slicer(boundary, next) = &mut self.state else { return };
        if left < self.passed || self.passed == self.came {
            // a piece leaves by itself: the next must not catch up with it in the buffer
            return;
        }
        if self.passed >= self.end {
            self.passed = self.came;
            return;
        }
        if let Some(next) = next.filter(|next| !moment.is_past(*next)) {
            self.due = Some(next);
            return;
        }
        if *boundary <= self.passed {
            let size = (average - variation.min(average)).max(1)..=average.saturating_add(variation).max(1);
            *boundary = self.passed.saturating_add(self.chances.u64(size)).min(self.end);
        }
        self.passed = self.came.min(*boundary);
        *next = (self.passed == *boundary).then(|| later(moment.now, delay));
    }
}

/// Different moments for which bytes may wait because of one latency.
pub(super) const MOST_MARKS: usize = 4096;
/// Bytes that pass a narrow line at once: those of so much time.
const PIECE: Duration = Duration::from_millis(100);
