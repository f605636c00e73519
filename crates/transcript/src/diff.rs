//! Compares two sessions: two servers, two versions of a client, a session and its replay.
//!
//! [`Diff::of`] pairs the connections by what they are for and who is there, aligns their commands by request and answer
//! (`streams`), and compares what belongs together field by field (`fields`, `changes`). What two runs never share is known by
//! name ([`volatile`]): some of it is not compared, and identifiers are compared by what they stand for. [`Ignore`] rules say
//! what else does not matter. [`report`] has the result for programs, [`text`] and [`html`] for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Lack;
use crate::{Expression, Transcript};

mod accounts;
mod align;
mod atoms;
mod changes;
mod fields;
pub mod html;
mod identities;
mod ignore;
pub mod report;
mod roles;
mod side;
mod streams;
pub mod text;
pub mod volatile;

pub use accounts::MapError;
pub use changes::Change;
pub use fields::Part;
pub use ignore::{Ignore, parse as parse_ignores};
pub use side::{Connection, Content, Item, Role, Side};

/// How to compare.
#[derive(Debug, Default)]
pub struct Options {
    /// Which accounts stand for others.
    pub accounts: Accounts,
    /// Accounts of A with those of B that stand for them.
    pub map: Vec<(String, String)>,
    /// What is compared of commands that a proxy changed.
    pub what: What,
    /// Whether pings that only one side has are differences; when a client pings is a matter of time.
    pub pings: bool,
    /// Only commands for which it holds, on either side, are looked at.
    pub filter: Option<Expression>,
    /// What does not matter.
    pub ignores: Vec<Ignore>,
}

/// Which accounts stand for others, beside those that are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Accounts {
    /// None.
    Exact,
    /// Whom the sessions belong to.
    #[default]
    Owner,
    /// Also all others, in order of appearance, but for those that both sessions have.
    Any,
}

/// What is compared of commands that a proxy changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum What {
    /// What arrived: what the peers said.
    #[default]
    Arrived,
    /// What left: what the peers were told.
    Left,
}

/// What became of one command or of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Both sides have it, without a difference that matters.
    Same,
    /// Both sides have it, with differences.
    Changed,
    /// Only A has it.
    Missing,
    /// Only B has it.
    Extra,
    /// All its differences are ignored.
    Ignored,
}

/// Two sessions compared.
#[derive(Debug)]
#[non_exhaustive]
pub struct Diff {
    /// The first session.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Accounts of A that have another name in B.
    pub accounts: BTreeMap<String, String>,
    /// The connections, paired.
    pub connections: Vec<Pair>,
    /// How many there are of each.
    pub summary: Summary,
    /// The rules, each with how often it held.
    pub ignores: Vec<(Ignore, u64)>,
    /// What was not compared, and why.
    pub not_compared: Vec<String>,
}

/// Two connections that belong together, or one that is alone.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pair {
    /// Which of A's connections.
    pub a: Option<usize>,
    /// Which of B's.
    pub b: Option<usize>,
    /// What became of it as a whole.
    pub state: State,
    /// What was said, in order.
    pub entries: Vec<Entry>,
}

impl Pair {
    /// Returns how many of its commands are what.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.entries.iter().for_each(|entry| tally.add(entry.state));
        tally
    }
}

/// A command that both have, or one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// What became of it.
    pub state: State,
    /// Which of the items of A's connection.
    pub a: Option<usize>,
    /// Which of B's.
    pub b: Option<usize>,
    /// The differences that matter.
    pub changes: Vec<Change>,
}

/// How many there are of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Summary {
    /// Connections.
    pub connections: Tally,
    /// Commands; a pair counts once.
    pub commands: Tally,
}

/// How many there are of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Tally {
    /// On both sides, without a difference that matters. For connections: paired, and nothing within differs.
    pub same: u64,
    /// On both sides, with differences.
    pub changed: u64,
    /// Only in A.
    pub missing: u64,
    /// Only in B.
    pub extra: u64,
    /// With differences that are all ignored.
    pub ignored: u64,
}

impl Tally {
    fn add(&mut self, state: State) {
        let count = match state {
            State::Same => &mut self.same,
            State::Changed => &mut self.changed,
            State::Missing => &mut self.missing,
            State::Extra => &mut self.extra,
            State::Ignored => &mut self.ignored,
        };
        *count += 1;
    }

    /// Whether there is no difference.
    pub fn is_same(&self) -> bool {
        self.changed + self.missing + self.extra == 0
    }
}

impl Diff {
    /// Compares two sessions.
    ///
    /// # Errors
    ///
    /// If the accounts given do not stand for one another one to one.
    pub fn of(a: &Transcript, b: &Transcript, mut options: Options) -> Result<Diff, MapError> {
        let (a, b) = (Side::of(a, &options), Side::of(b, &options));
        let accounts = accounts::AccountMap::of(&a, &b, &options)?;
        let ignores = std::mem::take(&mut options.ignores).into_iter().map(|rule| (rule, 0)).collect();
        let mut diff = Diff {
            accounts: accounts.renamed(),
            connections: Vec::new(),
            summary: Summary::default(),
            ignores,
            not_compared: not_compared(&a, &b, &options),
            a,
            b,
        };
        diff.align(&accounts);
        diff.compare(&accounts);
        diff.judge(&options);
        Ok(diff)
    }

    /// Whether there is no difference that matters.
    pub fn is_same(&self) -> bool {
        self.summary.commands.is_same() && self.summary.connections.missing + self.summary.connections.extra == 0
    }

    /// Returns the connection and the item of an entry on each side.
    pub fn items(&self, pair: &Pair, entry: &Entry) -> [Option<(&Connection, &Item)>; 2] {
        [(&self.a, pair.a, entry.a), (&self.b, pair.b, entry.b)].map(|(side, connection, item)| {
            let connection = side.connections.get(connection?)?;
            Some((connection, connection.items.get(item?)?))
        })
    }

    /// Finds what belongs together.
    fn align(&mut self, accounts: &accounts::AccountMap) {
        let (a, b) = (&self.a, &self.b);
        let pairs = roles::pair(a, b, accounts).into_iter().map(|(our, their)| {
            let (ours, theirs) = (our.map(|our| &a.connections[our]), their.map(|their| &b.connections[their]));
            let entry = |state, a, b, changes| Entry { state, a, b, changes };
            let entries = match (ours, theirs) {
                (Some(ours), Some(theirs)) => streams::align_connections(ours, theirs, accounts)
                    .into_iter()
                    .map(|found| match (found.a, found.b) {
                        (Some(_), None) => entry(State::Missing, found.a, None, Vec::new()),
                        (None, _) => entry(State::Extra, None, found.b, Vec::new()),
                        (Some(our), Some(their)) => {
                            let order = found.is_moved.then(|| place(our, their));
                            entry(State::Same, found.a, found.b, order.into_iter().collect())
                        }
                    })
                    .collect(),
                (Some(ours), None) => {
                    (0..ours.items.len()).map(|index| entry(State::Missing, Some(index), None, Vec::new())).collect()
                }
                (None, theirs) => {
                    let count = theirs.map_or(0, |theirs| theirs.items.len());
                    (0..count).map(|index| entry(State::Extra, None, Some(index), Vec::new())).collect()
                }
            };
            Pair { a: our, b: their, state: State::Same, entries }
        });
        self.connections = pairs.collect();
    }

    /// Compares what belongs together, in the order in which both sessions have it, so that identifiers are learned where
    /// they are handed out.
    fn compare(&mut self, accounts: &accounts::AccountMap) {
        let has_bytes = ![&self.a, &self.b].iter().any(|side| side.lacks.contains(&Lack::Bytes));
        let mut comparer = changes::Comparer::new(accounts, has_bytes);
        let mut order = Vec::new();
        for (number, pair) in self.connections.iter().enumerate() {
            for (index, entry) in pair.entries.iter().enumerate() {
                if let [Some((_, ours)), Some((_, theirs))] = self.items(pair, entry) {
                    let (first, last) = (ours.seq.min(theirs.seq), ours.seq.max(theirs.seq));
                    order.push((ours.seq.saturating_add(theirs.seq), first, last, number, index));
                }
            }
        }
        order.sort_unstable();
        for (.., number, index) in order {
            let pair = &self.connections[number];
            let [Some((_, ours)), Some((_, theirs))] = self.items(pair, &pair.entries[index]) else { continue };
            let mut changes = comparer.compare(ours, theirs);
            let entry = &mut self.connections[number].entries[index];
            entry.changes.append(&mut changes);
        }
        for number in 0..self.connections.len() {
            self.compare_ids(number);
        }
    }

    /// Compares to which commands the server says to answer.
    fn compare_ids(&mut self, number: usize) {
        let pair = &self.connections[number];
        let (Some(ours), Some(theirs)) = (pair.a, pair.b) else { return };
        let (ours, theirs) = (&self.a.connections[ours].items, &self.b.connections[theirs].items);
        let mut partner: Vec<Option<usize>> = vec![None; ours.len()];
        let mut is_taken = vec![false; theirs.len()];
        for entry in &pair.entries {
            if let (Some(our), Some(their)) = (entry.a, entry.b) {
                (partner[our], is_taken[their]) = (Some(their), true);
            }
        }
        let mut found = Vec::new();
        for (index, entry) in pair.entries.iter().enumerate() {
            let (Some(our), Some(their)) = (entry.a, entry.b) else { continue };
            let (our, their) = (&ours[our], &theirs[their]);
            let (Some(a), Some(b)) = (our.id, their.id) else { continue };
            let is_right = match (our.request, their.request) {
                (Some(our), Some(their)) => partner[our] == Some(their) || partner[our].is_none() || !is_taken[their],
                (Some(our), None) => partner[our].is_none(),
                (None, Some(their)) => !is_taken[their],
                // what was asked before the recording began may have any number but 0
                (None, None) => (a == 0) == (b == 0),
            };
            if !is_right && our.direction() == msnp::Direction::ServerToClient {
                found.push((index, a.to_string(), b.to_string()));
            }
        }
        for (index, a, b) in found {
            let change = Change::new(Part::Argument, "trid", Some(a.as_bytes()), Some(b.as_bytes()));
            self.connections[number].entries[index].changes.insert(0, change);
        }
    }

    /// Decides what matters, and counts.
    fn judge(&mut self, options: &Options) {
        let mut connections = std::mem::take(&mut self.connections);
        let mut ignores = std::mem::take(&mut self.ignores);
        for pair in &mut connections {
            let (a, b) = (pair.a, pair.b);
            let mut entries = std::mem::take(&mut pair.entries);
            if let Some(filter) = &options.filter {
                entries.retain(|entry| self.holds(pair, entry, filter));
            }
            for entry in &mut entries {
                self.judge_entry(pair, entry, options, &mut ignores);
                self.summary.commands.add(entry.state);
            }
            let is_empty = entries.is_empty() && options.filter.is_some();
            let differs = entries.iter().any(|entry| !matches!(entry.state, State::Same | State::Ignored));
            pair.entries = entries;
            // what is ignored or filtered out as a whole is no difference
            let state = match (a, b) {
                _ if is_empty => continue,
                (Some(_), Some(_)) if differs => State::Changed,
                (Some(_), Some(_)) => State::Same,
                _ if !differs => State::Ignored,
                (Some(_), None) => State::Missing,
                (None, _) => State::Extra,
            };
            pair.state = state;
            self.summary.connections.add(state);
        }
        connections.retain(|pair| !pair.entries.is_empty() || options.filter.is_none());
        (self.connections, self.ignores) = (connections, ignores);
    }

    fn judge_entry(&self, pair: &Pair, entry: &mut Entry, options: &Options, ignores: &mut [(Ignore, u64)]) {
        let items = self.items(pair, entry);
        let sides = [&self.a, &self.b];
        let holds = |rule: &Ignore, state: State| {
            rule.selects(
                state,
                items.iter().zip(sides).filter_map(|(item, side)| item.map(|(c, item)| (side, c, item))),
            )
        };
        let is_alone = matches!(entry.state, State::Missing | State::Extra);
        if is_alone {
            let is_ping = items.iter().flatten().any(|(_, item)| matches!(item.verb(), "PNG" | "QNG"));
            let rule = ignores.iter_mut().find(|(rule, _)| rule.is_whole() && holds(rule, entry.state));
            if let Some((_, count)) = rule {
                *count += 1;
                entry.state = State::Ignored;
            } else if is_ping && !options.pings && pair.a.is_some() && pair.b.is_some() {
                entry.state = State::Ignored;
            }
            return;
        }
        if entry.changes.is_empty() {
            return;
        }
        entry.changes.retain(|change| {
            let rule = ignores.iter_mut().find(|(rule, _)| rule.covers(change) && holds(rule, State::Changed));
            rule.is_none_or(|(_, count)| {
                *count += 1;
                false
            })
        });
        entry.state = if entry.changes.is_empty() { State::Ignored } else { State::Changed };
    }

    fn holds(&self, pair: &Pair, entry: &Entry, expression: &Expression) -> bool {
        let items = self.items(pair, entry);
        items
            .iter()
            .zip([&self.a, &self.b])
            .any(|(item, side)| item.is_some_and(|(connection, item)| item.passes(expression, side, connection)))
    }
}

/// Says that a command stands elsewhere among its like.
fn place(our: usize, their: usize) -> Change {
    let shown = |index: usize| format!("command {} of the connection", index + 1);
    Change::new(Part::Order, "order", Some(shown(our).as_bytes()), Some(shown(their).as_bytes()))
}

/// Says what of these two sessions cannot be compared.
fn not_compared(a: &Side, b: &Side, options: &Options) -> Vec<String> {
    let mut found = Vec::new();
    for (name, side) in [("A", a), ("B", b)] {
        for lack in &side.lacks {
            let text = match lack {
                Lack::Bytes => "the exact bytes: line ends and spaces at the end of lines are not compared",
                Lack::Times => "times: its commands are in the order of the log",
                Lack::Addresses => "addresses: connections are told apart by what was said on them",
            };
            found.push(format!("{name} lacks {text}"));
        }
        match side.gaps {
            (_, 0) => {}
            (bytes, places) => found.push(format!("{name} lacks {bytes} bytes or more in {places} place(s)")),
        }
        if side.passed_over > 0 {
            let why = match options.what {
                What::Arrived => "were injected, so that no peer sent them",
                What::Left => "were dropped, so that no peer was told them",
            };
            found.push(format!("{} command(s) of {name} {why}", side.passed_over));
        }
    }
    found
}

#[cfg(test)]
mod tests;
