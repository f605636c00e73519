//! The life of a connection once it is known where it leads: bytes in, frames, hooks, bytes out, events.
//!
//! One task and one loop for both directions. Whatever no hook wants is forwarded as the slice that was read, before
//! anybody is told of it; a command is only taken apart if a hook asks for its verb.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use msnp::Direction;
use msnp::flow::Facts;
use msnp::types::Version;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tracing::warn;

use crate::buffers;
use crate::connection::{Connection, Order};
use crate::engine::Shared;
use crate::hook::Present;
use crate::lane::Lane;
use crate::transactions::Transactions;
use orders::Start;

mod consult;
mod faults;
mod orders;
mod process;
mod report;

pub(crate) use report::Reporter;

/// One connection at work.
pub(crate) struct Relay {
    pub(crate) engine: Arc<Shared>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) lanes: [Lane; 2],
    pub(crate) facts: Facts,
    pub(crate) reporter: Reporter,
    transactions: Transactions,
    /// What the client offered in `VER`.
    offered: Vec<Version>,
    hooks: Present,
    /// Who ended the connection first, and why.
    ending: Option<(&'static str, Option<String>)>,
    /// A hook closed the connection: nothing behind that command is forwarded.
    is_closing: bool,
    last_activity: Instant,
}

/// What woke the task up.
#[derive(Default)]
struct Woken {
    read: [Option<(Vec<u8>, io::Result<usize>)>; 2],
    order: Option<Order>,
}

impl Relay {
    pub(crate) fn new(engine: Arc<Shared>, connection: Arc<Connection>, reporter: Reporter) -> Relay {
        let limits = msnp::Limits { line: engine.settings.limits.line, payload: engine.settings.limits.payload };
        Relay {
            lanes: Direction::BOTH.map(|direction| Lane::new(direction, limits)),
            facts: Facts::default(),
            transactions: Transactions::default(),
            offered: Vec::new(),
            ending: None,
            is_closing: false,
            last_activity: Instant::now(),
            hooks: engine.hooks.present(),
            engine,
            connection,
            reporter,
        }
    }

    /// Relays until both directions have ended. `sockets` are the client's and the server's.
    pub(crate) async fn run(&mut self, sockets: &mut [TcpStream; 2]) {
        let mut sleep: Option<(Instant, Pin<Box<Sleep>>)> = None;
        self.begin_faults();
        // what came before the server was there
        self.take_in(Direction::ClientToServer, sockets, Vec::new());
        loop {
            self.write(sockets);
            if self.is_over() {
                break;
            }
            self.engine.observers.relax().await;
            let deadline = self.deadline();
            let (_, timer) = match &mut sleep {
                // an idle deadline only moves on: the timer catches up when it fires
                Some(armed) if armed.0 <= deadline => armed,
                sleep => sleep.insert((deadline, Box::pin(tokio::time::sleep_until(deadline.into())))),
            };
            let woken = std::future::poll_fn(|cx| self.poll(cx, sockets, timer.as_mut())).await;
            let Some(woken) = woken else {
                sleep = None;
                self.on_time(sockets);
                continue;
            };
            self.last_activity = Instant::now();
            for (direction, read) in Direction::BOTH.into_iter().zip(woken.read) {
                if let Some((buffer, result)) = read {
                    self.on_read(direction, sockets, buffer, result);
                }
            }
            match woken.order {
                Some(Order::Close { reason }) => {
                    self.drain(sockets);
                    self.end("proxy", Some(reason.to_owned()));
                }
                Some(Order::Abandon) => self.abandon_all("given up"),
                Some(Order::Inject(injection)) => self.inject_from_outside(*injection),
                Some(Order::Release(releasing)) => self.let_go(*releasing),
                None => {}
            }
        }
        self.abandon_all("the connection ended");
        self.transactions.close();
    }

    fn abandon_all(&mut self, why: &'static str) {
        for direction in Direction::BOTH {
            self.abandon(direction, why);
        }
    }

    /// Returns who ended the connection and why.
    pub(crate) fn verdict(&mut self) -> (&'static str, Option<String>) {
        self.ending.take().unwrap_or(("client", None))
    }

    /// Ends the connection once all that was read is delivered; the first reason counts.
    pub(crate) fn end(&mut self, by: &'static str, reason: Option<String>) {
        self.ending.get_or_insert((by, reason));
        for lane in &mut self.lanes {
            lane.at_end = true;
        }
    }

    fn is_over(&self) -> bool {
        self.lanes.iter().all(|lane| lane.shut)
    }

    /// Waits for bytes, for room to write, for an order. `None`: the timer.
    fn poll(
        &mut self,
        cx: &mut task::Context<'_>,
        sockets: &mut [TcpStream; 2],
        timer: Pin<&mut Sleep>,
    ) -> Poll<Option<Woken>> {
        let mut woken = Woken::default();
        let mut is_ready = false;
        for direction in Direction::BOTH {
            let from = direction.index();
            if self.wants_read(direction) && sockets[from].poll_read_ready(cx).is_ready() {
                let mut buffer = self.room(direction);
                match tokio_util::io::poll_read_buf(Pin::new(&mut sockets[from]), cx, &mut buffer) {
                    Poll::Ready(result) => {
                        woken.read[from] = Some((buffer, result));
                        is_ready = true;
                    }
                    Poll::Pending => self.keep(direction, buffer, 0),
                }
            }
            if self.lanes[from].has_output() && sockets[1 - from].poll_write_ready(cx).is_ready() {
                is_ready = true;
            }
        }
        if let Poll::Ready(order) = self.connection.inbox().poll(cx) {
            woken.order = Some(order);
            is_ready = true;
        }
        if is_ready {
            return Poll::Ready(Some(woken));
        }
        timer.poll(cx).map(|()| None)
    }

    fn wants_read(&self, direction: Direction) -> bool {
        let lane = &self.lanes[direction.index()];
        let depth = self.engine.settings.limits.lane_depth;
        let other = &self.lanes[1 - direction.index()];
        // replies go the other way: a receiver that reads nothing must not fill that lane either
        !lane.at_end && (lane.shut || lane.has_room(depth)) && (other.shut || other.takes_replies())
    }

    /// Returns a buffer that holds what is not whole yet and has room behind it.
    fn room(&mut self, direction: Direction) -> Vec<u8> {
        let partial = std::mem::take(&mut self.lanes[direction.index()].partial);
        if partial.len() < buffers::READ / 4 {
            let mut buffer = buffers::take();
            buffer.extend_from_slice(&partial);
            buffer
        } else {
            let mut buffer = partial;
            buffer.reserve(buffers::READ);
            buffer
        }
    }

    /// Keeps what is behind `from` for later.
    fn keep(&mut self, direction: Direction, mut buffer: Vec<u8>, from: usize) {
        let partial = &mut self.lanes[direction.index()].partial;
        let rest = buffer.len() - from;
        if rest < buffers::READ / 4 {
            *partial = buffer[from..].to_vec();
            buffers::give_back(buffer);
        } else {
            buffer.drain(..from);
            *partial = buffer;
        }
    }

    fn on_read(&mut self, direction: Direction, sockets: &[TcpStream; 2], buffer: Vec<u8>, result: io::Result<usize>) {
        match result {
            Ok(0) => {
                self.lanes[direction.index()].at_end = true;
                self.ending.get_or_insert((direction.sender(), None));
                self.connection.note_left(direction);
                self.let_all_go("its peer left");
            }
            Ok(count) => self.lanes[direction.index()].received += count as u64,
            Err(error) => self.end(direction.sender(), Some(error.to_string())),
        }
        self.take_in(direction, sockets, buffer);
        if direction == Direction::ServerToClient && self.lanes[direction.index()].at_end {
            // nothing will answer any more, though the client may stay
            self.transactions.close();
        }
    }

    /// Frames and forwards what is in hand: `buffer`, or the lane's partial bytes if it is empty.
    fn take_in(&mut self, direction: Direction, sockets: &[TcpStream; 2], mut buffer: Vec<u8>) {
        if buffer.is_empty() {
            buffer = std::mem::take(&mut self.lanes[direction.index()].partial);
        }
        let consumed = self.process(direction, &buffer, &sockets[1 - direction.index()]);
        self.keep(direction, buffer, consumed);
    }

    /// Writes what waits, and passes the end of a stream on once all before it is written.
    fn write(&mut self, sockets: &[TcpStream; 2]) {
        let now = Instant::now();
        for direction in Direction::BOTH {
            let receiver = &sockets[1 - direction.index()];
            self.release_due(direction, Some(now));
            let lane = &mut self.lanes[direction.index()];
            if let Err(error) = lane.flush(receiver) {
                self.lost(direction, &error);
            }
        }
        self.suffer_faults(sockets, now);
        for direction in Direction::BOTH {
            let receiver = &sockets[1 - direction.index()];
            let lane = &mut self.lanes[direction.index()];
            if lane.at_end && !lane.shut && lane.is_empty() && lane.may_close(now) {
                lane.shut = true;
                // a receiver that is gone already needs no telling
                let _ = SockRef::from(receiver).shutdown(Shutdown::Write);
            }
        }
    }

    /// The receiver of this direction is gone: what it was to get is lost, what it sent before still arrives.
    fn lost(&mut self, direction: Direction, error: &io::Error) {
        let receiver = direction.opposite().sender();
        self.ending.get_or_insert((receiver, Some(error.to_string())));
        self.lanes[direction.index()].at_end = true;
        self.abandon(direction, "its receiver left");
    }

    /// Returns when something happens if nothing else does.
    fn deadline(&self) -> Instant {
        let limits = &self.engine.settings.limits;
        let idle = self.last_activity + limits.idle_timeout;
        let lanes = self.lanes.iter();
        lanes
            .flat_map(|lane| [lane.due(), lane.held_since.map(|since| since + limits.unfinished_line)])
            .chain([self.transactions.deadline()])
            .flatten()
            .fold(idle, Instant::min)
    }

    fn on_time(&mut self, sockets: &[TcpStream; 2]) {
        let now = Instant::now();
        let limits = &self.engine.settings.limits;
        if now >= self.last_activity + limits.idle_timeout {
            self.end("proxy", Some("idle for too long".to_owned()));
            self.abandon_all("idle for too long");
            return;
        }
        self.transactions.expire(now);
        let patience = limits.unfinished_line;
        for direction in Direction::BOTH {
            let lane = &self.lanes[direction.index()];
            if lane.held_since.is_none_or(|since| now < since + patience) {
                continue;
            }
            let start = match self.start_of(direction) {
                Start::AsItCame => None,
                Start::Renumbered(start) => Some(start),
                Start::Later => {
                    self.lanes[direction.index()].held_since = None;
                    continue;
                }
            };
            let lane = &mut self.lanes[direction.index()];
            let (connection, from, bytes) = (self.connection.number, direction.sender(), lane.partial.len());
            if lane.partial.contains(&b'\n') {
                let hint = "it may or may not have a payload";
                warn!(connection, from, bytes, hint, "an unknown verb: forwarded as it came, hooks do not see it");
            } else {
                warn!(connection, from, bytes, "a line without an end: forwarded as it came, hooks do not see it");
            }
            lane.held_since = None;
            let partial = std::mem::take(&mut lane.partial);
            let rest = start.as_deref().unwrap_or(&partial[lane.streamed..]);
            let result = lane.forward(rest, 0, &sockets[1 - direction.index()]);
            lane.streamed = partial.len();
            lane.partial = partial;
            if let Err(error) = result {
                self.lost(direction, &error);
            }
        }
    }

    /// Takes in what the sockets hold already, so that a shutdown loses no command in flight.
    fn drain(&mut self, sockets: &[TcpStream; 2]) {
        for direction in Direction::BOTH {
            let mut left = MOST_DRAINED;
            while left > 0 && !self.lanes[direction.index()].at_end {
                let mut buffer = self.room(direction);
                let read = sockets[direction.index()].try_read_buf(&mut buffer);
                match read {
                    Ok(count) if count > 0 => {
                        left = left.saturating_sub(count);
                        self.on_read(direction, sockets, buffer, Ok(count));
                    }
                    _ => {
                        self.keep(direction, buffer, 0);
                        break;
                    }
                }
            }
            // an unfinished command leaves as far as it came
            self.lanes[direction.index()].at_end = true;
            self.take_in(direction, sockets, Vec::new());
            self.release_due(direction, None);
        }
    }
}

/// Most bytes that are still taken from one socket during a shutdown.
const MOST_DRAINED: usize = 4 << 20;
