//! [`Connection`]: one proxied pair of sockets, as hooks and observers see it, and the inbox through which others
//! reach its task.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use msnp::Direction;

use crate::fault;

/// One proxied pair of sockets.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connection {
    /// Its number, from 1, unique in the process.
    pub number: u64,
    /// Where the client connects from.
    pub client: SocketAddr,
    /// On which address the client reached the proxy.
    pub reached: SocketAddr,
    /// The address that was to be listened on: what `reached` is not for a port that the system chose.
    listener: SocketAddr,
    upstream: OnceLock<String>,
    /// How often chance has decided about commands of each direction.
    draws: [AtomicU64; 2],
    inbox: Inbox,
}

impl Connection {
    /// Returns a connection that leads nowhere yet.
    pub fn new(number: u64, client: SocketAddr, reached: SocketAddr) -> Connection {
        Connection {
            number,
            client,
            reached,
            listener: reached,
            upstream: OnceLock::new(),
            draws: Default::default(),
            inbox: Inbox::default(),
        }
    }

    /// Names the address of `listen` that it came by.
    pub(crate) fn by(mut self, listener: SocketAddr) -> Connection {
        self.listener = listener;
        self
    }

    /// Returns where it leads, `host:port`; empty until that is decided.
    pub fn upstream(&self) -> &str {
        self.upstream.get().map_or("", String::as_str)
    }

    /// Returns the address of `listen` that it came by.
    pub(crate) fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Returns what decides by chance about a command of this direction. With a seed it depends on that, the connection's
    /// number, and how often this was asked before, so that a run can be repeated.
    pub(crate) fn chances(&self, seed: Option<u64>, direction: Direction) -> Rng {
        let draw = self.draws[direction.index()].fetch_add(1, Ordering::Relaxed);
        fault::chances(seed, &[self.number, direction.index() as u64, draw])
    }

    /// Closes the connection as soon as what it has read is delivered.
    pub fn close(&self, reason: &'static str) {
        self.inbox.send(Order::Close { reason });
    }

    /// Ends the connection though not all is delivered.
    pub(crate) fn abandon(&self) {
        self.inbox.send(Order::Abandon);
    }

    pub(crate) fn set_upstream(&self, upstream: String) {
        // a connection is routed once
        let _ = self.upstream.set(upstream);
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    #[cfg(test)]
    pub(crate) fn example() -> Connection {
        let address = SocketAddr::from(([127, 0, 0, 1], 1863));
        Connection::new(1, address, address)
    }
}

/// What others ask of a connection's task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Deliver what was read, then close.
    Close { reason: &'static str },
    /// Give up what waits to be delivered.
    Abandon,
}

impl Order {
    /// Returns why the connection ends, for the transcript.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Order::Close { reason } => reason,
            Order::Abandon => "given up",
        }
    }
}

/// A queue of orders with one reader. Much smaller than a channel, which matters when ten thousand connections idle.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<(VecDeque<Order>, Option<Waker>)>);

impl Inbox {
    pub(crate) fn send(&self, order: Order) {
        let waker = {
            let mut inbox = self.lock();
            inbox.0.push_back(order);
            inbox.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Order> {
        let mut inbox = self.lock();
        match inbox.0.pop_front() {
            Some(order) => Poll::Ready(order),
            None => {
                if !inbox.1.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    inbox.1 = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<Order>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
