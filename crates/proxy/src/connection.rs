//! [`Connection`]: one proxied pair of sockets, as hooks and observers see it, and the inbox through which others
//! reach its task.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

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
    upstream: OnceLock<String>,
    inbox: Inbox,
}

impl Connection {
    /// Returns a connection that leads nowhere yet.
    pub fn new(number: u64, client: SocketAddr, reached: SocketAddr) -> Connection {
        Connection { number, client, reached, upstream: OnceLock::new(), inbox: Inbox::default() }
    }

    /// Returns where it leads, `host:port`; empty until that is decided.
    pub fn upstream(&self) -> &str {
        self.upstream.get().map_or("", String::as_str)
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
