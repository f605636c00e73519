//! What a server answers to a command of a client: when the answer is complete.

use std::time::Duration;

use msnp::Command;
use msnp::argument::{self, Scope};

/// What is still to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Grammar {
    /// One command.
    One,
    /// Any number, until one of the verb that was sent.
    Until(&'static [u8; 3]),
    /// Commands that say which of how many they are.
    Counted,
    /// `SYN`, then the lists: this many contacts and groups, once that is known, which come without an id.
    Lists(Option<Lists>),
    /// Any number of commands, and nothing says which is the last.
    Several,
    /// Nothing but an error, if at all.
    Nothing,
    /// `QNG`, which has no id.
    Pong,
    /// The end of the connection.
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lists {
    contacts: u32,
    groups: u32,
}

/// What an answer means for the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It was the last.
    Done,
    /// There is more to come.
    More,
    /// There may be more.
    Perhaps,
}

/// How long after an answer more of it may come.
pub(super) const QUIET: Duration = Duration::from_millis(500);
/// How long an error may take where nothing else is to be expected.
const SILENCE: Duration = Duration::from_secs(1);

impl Grammar {
    /// Returns what follows a command of a client.
    pub(super) fn of(command: &Command) -> Grammar {
        match command.verb().as_bytes() {
            b"PNG" => Grammar::Pong,
            b"OUT" => Grammar::Close,
            b"SYN" => Grammar::Lists(None),
            b"ANS" => Grammar::Until(b"ANS"),
            b"LST" | b"FND" => Grammar::Counted,
            // initial presence comes under the id of the first status
            b"CHG" | b"FQY" => Grammar::Several,
            b"MSG" if matches!(command.argument(1), Some(b"A" | b"D")) => Grammar::One,
            b"MSG" | b"PAG" | b"PGD" | b"SDG" | b"VAS" => Grammar::Nothing,
            _ if msnp::table::is_known(command.verb()) => Grammar::One,
            _ => Grammar::Several,
        }
    }

    /// Returns how long to wait for a first answer, if that is not the injector's choice.
    pub(super) fn quiet_before(&self) -> Option<Duration> {
        (*self == Grammar::Nothing).then_some(SILENCE)
    }

    /// Whether silence is all that was to be expected.
    pub(super) fn is_complete(&self) -> bool {
        *self == Grammar::Nothing
    }

    /// Whether a command without an id belongs to the answer.
    pub(super) fn takes_unnumbered(&self, command: &Command) -> bool {
        self.takes_lists() && matches!(command.verb().as_bytes(), b"GTC" | b"BLP" | b"PRP" | b"LSG" | b"LST" | b"BPR")
    }

    /// Whether the lists of a `SYN` are coming.
    pub(super) fn takes_lists(&self) -> bool {
        matches!(self, Grammar::Lists(Some(_)))
    }

    /// Takes one answer in.
    pub(super) fn step(&mut self, command: &Command) -> Step {
        if command.verb().is_error() {
            return Step::Done;
        }
        match self {
            Grammar::One | Grammar::Pong | Grammar::Close | Grammar::Nothing => Step::Done,
            Grammar::Several => Step::Perhaps,
            Grammar::Until(verb) if command.verb().as_bytes() == *verb => Step::Done,
            Grammar::Until(_) => Step::More,
            Grammar::Counted => match (named(command, "index"), named(command, "total")) {
                (Some(index), Some(total)) if index >= total => Step::Done,
                (Some(_), Some(_)) => Step::More,
                _ => Step::Perhaps,
            },
            Grammar::Lists(lists) => match lists {
                None => {
                    let counts = (named(command, "contacts"), named(command, "groups"));
                    let (Some(contacts), Some(groups)) = counts else {
                        // nothing changed, or an old server that numbers every line
                        return Step::Perhaps;
                    };
                    *lists = Some(Lists { contacts, groups });
                    if contacts == 0 && groups == 0 { Step::Perhaps } else { Step::More }
                }
                Some(lists) => {
                    match command.verb().as_bytes() {
                        b"LST" => lists.contacts = lists.contacts.saturating_sub(1),
                        b"LSG" => lists.groups = lists.groups.saturating_sub(1),
                        _ => {}
                    }
                    // the phone numbers of the last contact may follow
                    if lists.contacts == 0 && lists.groups == 0 { Step::Perhaps } else { Step::More }
                }
            },
        }
    }
}

fn named(command: &Command, name: &str) -> Option<u32> {
    let arguments: Vec<&[u8]> = command.arguments().collect();
    let place = argument::find(command.verb(), command.direction(), &arguments, Scope::default(), name)?;
    std::str::from_utf8(arguments.get(place.index)?).ok()?.parse().ok()
}
