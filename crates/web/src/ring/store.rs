//! The commands of the ring, one behind the other in memory that goes round. Nothing is allocated for a single one: many small
//! pieces that live long, made and freed by different threads, would keep much more memory than they hold.

use std::collections::VecDeque;
use std::sync::Arc;

use msnp::codec::CommandSpan;
use msnp::{Command, Direction};

/// Commands and the names of who changed them, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Store {
    bytes: VecDeque<u8>,
    spans: VecDeque<(Direction, CommandSpan)>,
    names: VecDeque<Arc<str>>,
    /// What was there and is gone.
    gone: Mark,
}

/// A place in a store, counted from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    bytes: u64,
    commands: u64,
    names: u64,
}

/// A copy of some commands and names.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    bytes: Vec<u8>,
    spans: Vec<(Direction, CommandSpan)>,
    pub(super) names: Vec<Arc<str>>,
}

impl Store {
    /// Returns where the next command will be.
    pub(super) fn end(&self) -> Mark {
        Mark {
            bytes: self.gone.bytes + self.bytes.len() as u64,
            commands: self.gone.commands + self.spans.len() as u64,
            names: self.gone.names + self.names.len() as u64,
        }
    }

    /// Adds commands of one direction that lie behind one another.
    pub(super) fn add_run(&mut self, direction: Direction, bytes: &[u8], spans: &[CommandSpan]) {
        self.bytes.extend(bytes);
        self.spans.extend(spans.iter().map(|span| (direction, *span)));
    }

    /// Adds one command.
    pub(super) fn add(&mut self, command: &Command) {
        self.add_run(command.direction(), command.as_bytes(), &[command.span()]);
    }

    /// Adds a name, which is often that of the one before.
    pub(super) fn add_name(&mut self, name: &Arc<str>) {
        let known = self.names.back().filter(|known| *known == name);
        self.names.push_back(Arc::clone(known.unwrap_or(name)));
    }

    /// Copies what is between two places, without the first `skip` commands, `most` commands at most.
    pub(super) fn part(&self, from: Mark, to: Mark, skip: usize, most: usize) -> Part {
        let offset = |at: u64, gone: u64| at.saturating_sub(gone) as usize;
        let gone = self.gone;
        let first = offset(from.commands, gone.commands);
        let count = offset(to.commands, from.commands);
        let start = first + skip.min(count);
        let end = (first + count).min(start.saturating_add(most));
        let length = |from, to| self.spans.range(from..to).map(|(_, span)| span.len as usize).sum::<usize>();
        let at = offset(from.bytes, gone.bytes) + length(first, start);
        let names = offset(from.names, gone.names)..offset(to.names, gone.names);
        Part {
            bytes: self.bytes.range(at..at + length(start, end)).copied().collect(),
            spans: self.spans.range(start..end).copied().collect(),
            names: self.names.range(names).cloned().collect(),
        }
    }

    /// Forgets what is before a place.
    pub(super) fn forget(&mut self, before: Mark) {
        self.bytes.drain(..(before.bytes - self.gone.bytes) as usize);
        self.spans.drain(..(before.commands - self.gone.commands) as usize);
        self.names.drain(..(before.names - self.gone.names) as usize);
        self.gone = before;
    }
}

impl Mark {
    /// Returns how many commands lie between.
    pub(super) fn commands_to(self, end: Mark) -> u64 {
        end.commands - self.commands
    }

    /// Returns how much memory is taken between.
    pub(super) fn size_to(self, end: Mark) -> usize {
        (end.bytes - self.bytes) as usize
            + (end.commands - self.commands) as usize * size_of::<(Direction, CommandSpan)>()
            + (end.names - self.names) as usize * size_of::<Arc<str>>()
    }
}

impl Part {
    /// Returns how many commands it has.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns each command.
    pub(super) fn commands(&self) -> impl Iterator<Item = Command> {
        let mut rest = &self.bytes[..];
        self.spans.iter().map(move |(direction, span)| {
            let (command, behind) = rest.split_at(span.len as usize);
            rest = behind;
            Command::from_span(*direction, command, *span)
        })
    }
}
