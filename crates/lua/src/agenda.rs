//! [`Agenda`]: what is to be done in the background for one script.

use std::sync::{Arc, Mutex, Weak};

use mitmsn_proxy::injection::{Answer, Done};
use msnp::Command;
use msnp::argument::Scope;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;

use crate::host::{Host, lock};

/// What waits for the background thread, and the bell that wakes it.
#[derive(Debug)]
pub(crate) struct Agenda {
    bell: Arc<Notify>,
    /// As many at most as a script may have callbacks.
    gathers: Mutex<Vec<Gather>>,
}

/// Answers that are to be collected for a callback.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) host: Weak<Host>,
    /// The number of the callback.
    pub(crate) number: u64,
    pub(crate) answers: Receiver<Answer>,
    pub(crate) scope: Scope,
}

/// What came back for an injection.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) host: Weak<Host>,
    pub(crate) number: u64,
    pub(crate) scope: Scope,
    pub(crate) replies: Vec<Command>,
    pub(crate) done: Done,
}

impl Agenda {
    pub(crate) fn new(bell: Arc<Notify>) -> Agenda {
        Agenda { bell, gathers: Mutex::default() }
    }

    /// Says that there is something new to wait for.
    pub(crate) fn wake(&self) {
        self.bell.notify_one();
    }

    pub(crate) fn gather(&self, gather: Gather) {
        lock(&self.gathers).push(gather);
        self.wake();
    }

    pub(crate) fn take(&self) -> Vec<Gather> {
        std::mem::take(&mut lock(&self.gathers))
    }
}

impl Gather {
    /// Waits until all answers are there.
    pub(crate) async fn complete(mut self) -> Answered {
        let mut replies = Vec::new();
        let mut bytes = 0;
        let done = loop {
            match self.answers.recv().await {
                Some(Answer::Reply(reply)) => {
                    bytes += reply.as_bytes().len();
                    if replies.len() < MOST_REPLIES && bytes < MOST_REPLY_BYTES {
                        replies.push(reply);
                    }
                }
                Some(Answer::Done(done)) => break done,
                Some(_) => {}
                // it was dropped with what it was to go with
                None => break Done::Closed,
            }
        };
        Answered { host: self.host, number: self.number, scope: self.scope, replies, done }
    }
}

/// Replies that are kept for one callback.
const MOST_REPLIES: usize = 256;
/// Bytes of replies that are kept for one callback.
const MOST_REPLY_BYTES: usize = 4 << 20;
