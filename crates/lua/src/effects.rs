//! [`Effects`]: what a script does besides editing, while it handles a command.

use std::time::Duration;

use mitmsn_proxy::hook::Hold;
use mitmsn_proxy::{Injection, Verdict};
use msnp::{Direction, TransactionId};

use crate::host::refuse;

/// What a call for one command collects for its verdict.
#[derive(Debug)]
pub(crate) struct Effects {
    direction: Direction,
    /// The id of the command at hand.
    pub(crate) id: Option<TransactionId>,
    /// The call has ended: what still refers to it comes too late.
    pub(crate) is_over: bool,
    before: Vec<Injection>,
    after: Vec<Injection>,
    replies: Vec<Injection>,
    delay: Duration,
    hold: Option<Hold>,
    pub(crate) is_closed: bool,
    pub(crate) tags: Vec<String>,
}

impl Effects {
    pub(crate) fn new(direction: Direction, id: Option<TransactionId>) -> Effects {
        Effects {
            direction,
            id,
            is_over: false,
            before: Vec::new(),
            after: Vec::new(),
            replies: Vec::new(),
            delay: Duration::ZERO,
            hold: None,
            is_closed: false,
            tags: Vec::new(),
        }
    }

    /// Puts a command beside the one at hand: before or behind it in its direction, or back to its sender.
    pub(crate) fn inject(&mut self, injection: Injection, is_before: bool) {
        match injection.direction() == self.direction {
            true if is_before => self.before.push(injection),
            true => self.after.push(injection),
            false => self.replies.push(injection),
        }
    }

    /// Returns the way back to the sender of the command at hand.
    pub(crate) fn back(&self) -> Direction {
        self.direction.opposite()
    }

    pub(crate) fn delay(&mut self, delay: Duration) {
        self.delay += delay;
    }

    pub(crate) fn hold(&mut self, timeout: Option<Duration>) {
        let default = Hold::default();
        self.hold = Some(Hold { timeout: timeout.unwrap_or(default.timeout), ..default });
    }

    pub(crate) fn tag(&mut self, tag: String) -> mlua::Result<()> {
        if self.tags.len() >= MOST_TAGS {
            return Err(refuse(&format!("a command may have {MOST_TAGS} tags of one script")));
        }
        self.tags.push(tag);
        Ok(())
    }

    /// Ends the call. What comes later comes too late.
    pub(crate) fn end(&mut self) -> Verdict {
        self.is_over = true;
        let mut verdict = Verdict::forward();
        verdict.before = std::mem::take(&mut self.before);
        verdict.after = std::mem::take(&mut self.after);
        verdict.replies = std::mem::take(&mut self.replies);
        verdict.delay = (!self.delay.is_zero()).then_some(self.delay);
        verdict.hold = self.hold;
        verdict.close = self.is_closed;
        verdict
    }
}

/// Tags that one call may put on a command.
const MOST_TAGS: usize = 16;
