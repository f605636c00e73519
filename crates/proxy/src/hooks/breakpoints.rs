//! Breakpoints: conditions under which commands are held, set while the proxy runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use msnp::{Command, Direction};
use msnp_transcript::Expression;
use msnp_transcript::expression::Subject;

use crate::hook::{Context, Hold, Hook, Interest, Verdict};

/// The hook. It costs nothing while there is no breakpoint.
#[derive(Debug, Default)]
pub struct Breakpoints {
    list: Mutex<Vec<Breakpoint>>,
    last: AtomicU64,
    generation: AtomicU64,
}

/// A condition under which commands are held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Breakpoint {
    /// Its number, from 1.
    pub number: u64,
    /// What has to hold for a command.
    pub when: Arc<Expression>,
    /// Only commands that go this way.
    pub direction: Option<Direction>,
    /// How many more commands are held; `None`: all.
    pub left: Option<u64>,
    /// How they are held.
    pub hold: Hold,
    /// How many were.
    pub hits: u64,
}

impl Breakpoints {
    /// Sets a breakpoint, for the first so many commands if that is given, and returns its number.
    pub fn set(&self, when: Expression, direction: Option<Direction>, first: Option<u64>, hold: Hold) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock().push(Breakpoint { number, when: Arc::new(when), direction, left: first, hold, hits: 0 });
        self.generation.fetch_add(1, Ordering::Release);
        number
    }

    /// Removes a breakpoint. What it holds stays held. Returns whether there was one.
    pub fn remove(&self, number: u64) -> bool {
        let mut list = self.lock();
        let before = list.len();
        list.retain(|breakpoint| breakpoint.number != number);
        let is_found = list.len() < before;
        drop(list);
        self.generation.fetch_add(1, Ordering::Release);
        is_found
    }

    /// Returns the breakpoints, oldest first.
    pub fn list(&self) -> Vec<Breakpoint> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Breakpoint>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook for Breakpoints {
    fn name(&self) -> &str {
        "breakpoint"
    }

    fn interest(&self) -> Interest {
        self.lock().iter().filter(|breakpoint| breakpoint.left != Some(0)).fold(
            Interest::nothing(),
            |all, breakpoint| {
                let both = Direction::BOTH.into_iter().filter(|way| breakpoint.direction.is_none_or(|own| own == *way));
                both.fold(all, Interest::and_all)
            },
        )
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict {
        let subject = Subject {
            command,
            scope: context.scope,
            account: context.account,
            session: context.session.map_or("", |session| session.id()),
            connection: context.connection.number,
            origin: "peer",
        };
        let mut list = self.lock();
        let hit = list.iter_mut().find(|breakpoint| {
            let is_way = breakpoint.direction.is_none_or(|direction| direction == command.direction());
            is_way && breakpoint.left != Some(0) && breakpoint.when.matches(&subject)
        });
        let Some(breakpoint) = hit else { return Verdict::forward() };
        breakpoint.hits += 1;
        if let Some(left) = &mut breakpoint.left {
            *left -= 1;
            if *left == 0 {
                self.generation.fetch_add(1, Ordering::Release);
            }
        }
        let name: Arc<str> = format!("breakpoint {}", breakpoint.number).into();
        let hold = breakpoint.hold;
        drop(list);
        context.credit(&name);
        Verdict::hold(hold)
    }
}
