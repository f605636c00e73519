//! [`Connection`]: one proxied pair of sockets, as hooks and observers see it, and the inbox through which others
//! reach its task.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use msnp::Direction;
use tokio::sync::oneshot;

use crate::fault;
use crate::holds::Release;
use crate::injection::{Answer, Done, Injection};

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
    /// The address of `listen` that it came by: not `reached` if the system chose the port, or the client meant to go
    /// elsewhere.
    listener: SocketAddr,
    /// The port at which its client comes back: not that of `reached` if that was open for one redirect only.
    home: u16,
    upstream: OnceLock<String>,
    /// How often chance has decided about commands of each direction.
    draws: [AtomicU64; 2],
    /// Which peers have closed their side: the senders of each direction.
    left: [AtomicBool; 2],
    inbox: Inbox,
}

impl Connection {
    /// Returns a connection that leads nowhere yet.
    pub fn new(number: u64, client: SocketAddr, reached: SocketAddr) -> Arc<Connection> {
        Connection::by(reached, reached.port(), number, client, reached)
    }

    /// Returns a connection that came by this address of `listen`, and whose client comes back to this port.
    pub(crate) fn by(
        listener: SocketAddr,
        home: u16,
        number: u64,
        client: SocketAddr,
        reached: SocketAddr,
    ) -> Arc<Connection> {
        let (upstream, draws, left, inbox) = Default::default();
        Arc::new(Connection { number, client, reached, listener, home, upstream, draws, left, inbox })
    }

    /// Returns the address of `listen` that it came by.
    pub(crate) fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Returns the port at which its client comes back.
    pub(crate) fn home(&self) -> u16 {
        self.home
    }

    /// Returns what decides by chance about a command of this direction. With a seed it depends on that, the connection's
    /// number, and how often this was asked before, so that a run can be repeated.
    pub(crate) fn chances(&self, seed: Option<u64>, direction: Direction) -> Rng {
        let draw = self.draws[direction.index()].fetch_add(1, Ordering::Relaxed);
        fault::chances(seed, &[self.number, direction.index() as u64, draw])
    }

    /// Returns where it leads, `host:port`; empty until that is decided.
    pub fn upstream(&self) -> &str {
        self.upstream.get().map_or("", String::as_str)
    }

    /// Whether the sender of this direction has closed its side, though the other may be there still.
    pub fn has_left(&self, direction: Direction) -> bool {
        self.left[direction.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn note_left(&self, direction: Direction) {
        self.left[direction.index()].store(true, Ordering::Relaxed);
    }

    /// Puts a command into the connection, behind what waits in its direction. Returns whether it was taken; if not, the
    /// injection's answer says why.
    pub fn inject(&self, injection: Injection) -> bool {
        self.inbox.send(Order::Inject(Box::new(injection)))
    }

    /// Lets go of a held command. Returns whether the connection was told.
    pub(crate) fn release(&self, number: u64, release: Release, by: Arc<str>, done: oneshot::Sender<bool>) -> bool {
        self.inbox.send(Order::Release(Box::new(Releasing { number, release, by, done })))
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
    pub(crate) fn example() -> Arc<Connection> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1863));
        Connection::new(1, address, address)
    }
}

/// What others ask of a connection's task.
#[derive(Debug)]
pub(crate) enum Order {
    /// Deliver what was read, then close.
    Close { reason: &'static str },
    /// Give up what waits to be delivered.
    Abandon,
    /// Put a command into a lane.
    Inject(Box<Injection>),
    /// Let go of a held command.
    Release(Box<Releasing>),
}

/// The release of a held command.
#[derive(Debug)]
pub(crate) struct Releasing {
    pub(crate) number: u64,
    pub(crate) release: Release,
    pub(crate) by: Arc<str>,
    /// Told whether it was held still.
    pub(crate) done: oneshot::Sender<bool>,
}

/// How somebody ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ending(pub(crate) &'static str);

/// A queue of orders with one reader. Much smaller than a channel, which matters when ten thousand connections idle.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Orders>);

#[derive(Debug, Default)]
struct Orders {
    queue: VecDeque<Order>,
    waker: Option<Waker>,
    /// Nobody reads any more.
    is_closed: bool,
}

impl Inbox {
    /// Adds an order. Injections are refused where the connection has ended or too many wait.
    pub(crate) fn send(&self, order: Order) -> bool {
        let waker = {
            let mut inbox = self.lock();
            if let Order::Inject(injection) = &order {
                let is_full = inbox.queue.len() >= MOST_ORDERS;
                if inbox.is_closed || is_full {
                    injection.tell(Answer::Done(if is_full { Done::Busy } else { Done::Closed }));
                    return false;
                }
            }
            if inbox.is_closed {
                return false;
            }
            inbox.queue.push_back(order);
            inbox.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Order> {
        let mut inbox = self.lock();
        match inbox.queue.pop_front() {
            Some(order) => Poll::Ready(order),
            None => {
                inbox.wake_later(cx);
                Poll::Pending
            }
        }
    }

    /// Waits for an order that ends the connection; others stay for later.
    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<Ending> {
        let mut inbox = self.lock();
        let ending = inbox.queue.iter().find_map(|order| match order {
            Order::Close { reason } => Some(Ending(reason)),
            Order::Abandon => Some(Ending("given up")),
            _ => None,
        });
        match ending {
            Some(ending) => Poll::Ready(ending),
            None => {
                inbox.wake_later(cx);
                Poll::Pending
            }
        }
    }

    /// Refuses all that waits and all that comes.
    pub(crate) fn close(&self) {
        let queue = {
            let mut inbox = self.lock();
            inbox.is_closed = true;
            std::mem::take(&mut inbox.queue)
        };
        for order in queue {
            if let Order::Inject(injection) = order {
                injection.tell(Answer::Done(Done::Closed));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    fn wake_later(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }
}

/// Orders that may wait before injections are refused.
const MOST_ORDERS: usize = 1024;
