//! What became of a command on its way through the proxy.

use msnp::Command;

use crate::event::{CommandEvent, Origin, Sent, Way};

/// One thing that happened to a command.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Fate {
    /// It never arrived: the proxy made it.
    Injected,
    /// It came from a recording.
    Replayed,
    /// Another left in its place.
    Changed(Command),
    /// Another left before or after it, or went back as an answer.
    Added(Command),
    /// Nothing left in its place.
    Dropped,
    /// It left later, in seconds.
    Delayed(f64),
    /// It was held under a number.
    Held(u64),
}

impl Fate {
    /// Returns the sign that stands for it, as on the screen.
    pub(super) fn sign(&self) -> &'static str {
        match self {
            Fate::Injected | Fate::Added(_) => "+",
            Fate::Replayed => "\u{21bb}",
            Fate::Changed(_) | Fate::Delayed(_) => "~",
            Fate::Dropped => "x",
            Fate::Held(_) => "=||",
        }
    }

    /// Returns what it is called.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Fate::Injected => "injected",
            Fate::Replayed => "replayed",
            Fate::Changed(_) => "changed",
            Fate::Added(_) => "added",
            Fate::Dropped => "dropped",
            Fate::Delayed(_) => "delayed",
            Fate::Held(_) => "held",
        }
    }

    /// Returns what it is called, with its number if it has one.
    pub(super) fn words(&self) -> String {
        match self {
            Fate::Delayed(seconds) => format!("delayed by {seconds} s"),
            Fate::Held(number) => format!("held as {number}"),
            _ => self.word().to_owned(),
        }
    }
}

/// Returns the one that matters most: whether anything left at all, then what came first.
pub(super) fn foremost(fates: &[Fate]) -> Option<&Fate> {
    fates.iter().find(|fate| **fate == Fate::Dropped).or(fates.first())
}

/// Returns what became of a command, in the order in which people want to know.
pub(super) fn fates(event: &CommandEvent, command: &Command) -> Vec<Fate> {
    let mut fates = Vec::new();
    match event.origin {
        Origin::Peer => {}
        Origin::Injected => fates.push(Fate::Injected),
        Origin::Replayed => fates.push(Fate::Replayed),
    }
    if let Some(sent) = &event.sent {
        fates.extend(of_sent(command, event.direction, sent));
    }
    fates.extend(event.delay.map(Fate::Delayed));
    fates.extend(event.held.map(Fate::Held));
    fates
}

/// Returns what `sent` says of the command in whose place it left.
pub(super) fn of_sent(command: &Command, way: Way, sent: &[Sent]) -> Vec<Fate> {
    let mut fates = Vec::new();
    let mut replaced = false;
    for new in sent.iter().filter_map(|sent| sent.command().ok()) {
        if new == *command && !replaced {
            replaced = true;
            continue;
        }
        let is_change = !replaced && new.direction() == command.direction() && new.verb() == command.verb();
        replaced |= is_change;
        fates.push(if is_change { Fate::Changed(new) } else { Fate::Added(new) });
    }
    if !sent.iter().any(|sent| sent.direction == way) {
        fates.push(Fate::Dropped);
    }
    fates
}
