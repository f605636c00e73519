//! [`Outbox`]: how a connection is written to from outside its own task.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most writes that wait for one connection. A client that reads so slowly that they fill up is disconnected.
pub(crate) const DEPTH: usize = 256;

/// The sending end of a connection's queue. Clones write to the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Bytes>,
    closing: CancellationToken,
}

impl Outbox {
    /// Returns a new queue's two ends, and what is cancelled when the connection shall end.
    pub(crate) fn new() -> (Outbox, mpsc::Receiver<Bytes>, CancellationToken) {
        let (queue, receiver) = mpsc::channel(DEPTH);
        let closing = CancellationToken::new();
        (Outbox { queue, closing: closing.clone() }, receiver, closing)
    }

    /// Queues bytes; never waits.
    pub(crate) fn push(&self, bytes: Bytes) {
        if self.queue.try_send(bytes).is_err() {
            self.closing.cancel();
        }
    }

    /// Queues last words, and ends the connection when they are written.
    pub(crate) fn finish(&self, bytes: Bytes) {
        self.push(bytes);
        self.closing.cancel();
    }

    /// Waits until at least one more write fits, so that a client that does not read is not read from either.
    pub(crate) async fn reserve(&self) -> Option<mpsc::Permit<'_, Bytes>> {
        self.queue.reserve().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_ends_the_connection() {
        let (outbox, _queue, closing) = Outbox::new();
        for _ in 0..DEPTH {
            outbox.push(Bytes::from_static(b"QNG\r\n"));
        }
        assert!(!closing.is_cancelled());
        outbox.push(Bytes::from_static(b"QNG\r\n"));
        assert!(closing.is_cancelled());
    }
}
