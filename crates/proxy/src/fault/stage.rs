//! The faults of one direction of one connection, one behind the other: how many of the waiting bytes may leave now.
//!
//! The stage holds no bytes. It is asked before every write and told after it; all that it keeps waiting waits where the
//! lane keeps what the socket does not take, and counts there. It reads no clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use msnp::Direction;

use super::gate::{Gate, Moment};
use super::{Fault, Kind, StreamFault, chances};
use crate::connection::Connection;

/// The faults of one lane.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// What is about the whole stream, in its order.
    of_stream: Vec<Gate>,
    /// What began with a command, behind that.
    of_commands: Vec<Gate>,
    /// What begins with commands that wait, in their order.
    coming: VecDeque<Gate>,
    /// Bytes that left for the socket.
    left: u64,
    /// How far bytes may leave.
    open: u64,
    /// Nothing is waited for any more.
    hurries: bool,
    has_struck: bool,
    news: Vec<News>,
}

/// Something to be told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct News {
    /// Who is to blame.
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// What it comes to; `None`: it begins.
    pub(crate) strike: Option<Strike>,
}

/// How a fault ends a stream. Nothing leaves any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strike {
    /// What waits is lost, and the end of the stream is passed on.
    Cut,
    /// That, and the connection is closed.
    Close,
    /// Both sides are reset.
    Reset,
}

impl Stage {
    /// Returns the faults of the configuration that affect one direction of a connection, if there are any.
    pub(crate) fn of(faults: &[StreamFault], connection: &Connection, direction: Direction) -> Option<Box<Stage>> {
        let mut stage = Stage::default();
        for fault in faults {
            let is_meant = fault.stream == direction && fault.listen.is_none_or(|own| own == connection.listener());
            if !is_meant {
                continue;
            }
            // faults with one seed do not all affect the same connections
            let name = fault.name.bytes().fold(0, |hash: u64, byte| hash.rotate_left(8) ^ u64::from(byte));
            let mut chances = chances(fault.seed, &[connection.number, name]);
            if chances.f64() < fault.toxicity {
                let begins = Fault { name: Arc::clone(&fault.name), kind: fault.kind, seed: Some(chances.u64(..)) };
                stage.tell(&begins, None);
                stage.of_stream.push(Gate::of_stream(begins));
            }
        }
        (!stage.of_stream.is_empty()).then(|| Box::new(stage))
    }

    /// Begins faults with the command that comes behind the `waiting` bytes and has so many itself.
    pub(crate) fn begin(&mut self, faults: Vec<Fault>, waiting: usize, length: usize) {
        let start = self.left + waiting as u64;
        for fault in faults {
            if self.has_struck || !fault.kind.concerns(length) {
                continue;
            }
            if fault.kind.outlasts_command() {
                let mut known = self.of_commands.iter().chain(&self.coming);
                if known.any(|gate| gate.fault.name == fault.name && gate.fault.kind == fault.kind) {
                    continue;
                }
                self.tell(&fault, None);
            }
            self.coming.push_back(Gate::of_command(fault, start..start + length as u64));
        }
    }

    /// Returns how many of the `waiting` bytes may leave now.
    pub(crate) fn permit(&mut self, waiting: usize, now: Instant) -> usize {
        let (left, moment) = (self.left, self.moment(now));
        while let Some(gate) = self.coming.pop_front_if(|gate| gate.start() <= left) {
            self.of_commands.push(gate);
        }
        let pass = |came, gate: &mut Gate| gate.advance(came, left, moment);
        let came = self.of_stream.iter_mut().fold(left + waiting as u64, pass);
        // a fault that begins with a command waits until all before that has left
        let came = self.coming.front().map_or(came, |gate| came.min(gate.start()));
        self.open = self.of_commands.iter_mut().fold(came, pass).max(left);
        if self.has_struck {
            self.open = left;
        }
        usize::try_from(self.open - left).unwrap_or(waiting)
    }

    /// Takes note that so many bytes left.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.left += count as u64;
        let left = self.left;
        self.of_commands.retain(|gate| !gate.is_over(left));
    }

    /// Returns what ends the stream, if something does now: once. `at_end`: the sender has closed its side.
    pub(crate) fn strike(&mut self, waiting: usize, at_end: bool, now: Instant) -> Option<Strike> {
        self.permit(waiting, now);
        let (left, moment) = (self.left, self.moment(now));
        let struck = self.gates().find_map(|gate| Some((gate.strike(left, at_end, moment)?, gate.fault.clone())));
        let (strike, fault) = struck?;
        self.has_struck = true;
        self.open = left;
        self.coming.clear();
        for gates in [&mut self.of_stream, &mut self.of_commands] {
            gates.retain(|gate| matches!(gate.fault.kind, Kind::SlowClose { .. }));
        }
        self.tell(&fault, Some(strike));
        Some(strike)
    }

    /// Waits for nothing any more: what a fault only delays leaves, and what ends the stream does so.
    pub(crate) fn hurry(&mut self) {
        self.hurries = true;
    }

    /// Whether the end of the stream may be passed on, now that all before it has been.
    pub(crate) fn may_close(&mut self, now: Instant) -> bool {
        let moment = self.moment(now);
        let mut may_close = true;
        for gate in self.of_stream.iter_mut().chain(&mut self.of_commands) {
            may_close &= gate.may_close(moment);
        }
        may_close
    }

    /// Returns what is to be told since it was asked last.
    pub(crate) fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Returns when to ask again if nothing else happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.gates().filter_map(Gate::due).min().filter(|_| !self.hurries)
    }

    /// Whether bytes may leave that have not.
    pub(crate) fn is_open(&self) -> bool {
        self.open > self.left
    }

    /// Whether a fault has ended the stream.
    pub(crate) fn has_struck(&self) -> bool {
        self.has_struck
    }

    /// Whether no fault is left, and nothing to tell.
    pub(crate) fn is_over(&self) -> bool {
        self.gates().next().is_none() && self.coming.is_empty() && self.news.is_empty() && !self.has_struck
    }

    /// Whether bytes only pass later: then more of them may wait.
    pub(crate) fn is_late(&self) -> bool {
        self.gates().any(|gate| matches!(gate.fault.kind, Kind::Latency { .. }))
    }

    /// Returns the faults at work.
    fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.of_stream.iter().chain(&self.of_commands)
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment { now, is_last: self.hurries }
    }

    fn tell(&mut self, fault: &Fault, strike: Option<Strike>) {
        self.news.push(News { name: Arc::clone(&fault.name), kind: fault.kind, strike });
    }
}

#[cfg(test)]
mod tests;
