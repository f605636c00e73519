//! The sequence diagram of a session.
//!
//! Lanes: the client, each server, other people. An arrow is a command, or a run of like commands; it leads to its line. What
//! people do behind a server is drawn dashed, from what the server tells of it.

use std::collections::VecDeque;

use msnp::argument::Scope;
use msnp::command::lossy;
use msnp::{Command, Direction};

use super::plan::Plan;
use crate::event::{CommandEvent, Event};
use crate::export::fate::{Fate, fates, foremost};
use crate::export::summary::clock;
use crate::export::text::remark;
use crate::export::walk::{What, walk};

/// A diagram, ready to be drawn.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    /// The connections that have a lane of their own.
    pub(super) connections: Vec<u64>,
    /// Whether there are more, which share one.
    pub(super) has_others: bool,
    /// People that have a lane.
    pub(super) people: Vec<String>,
    /// The first rows,
    pub(super) head: Vec<Row>,
    /// and the last.
    pub(super) tail: VecDeque<Row>,
    /// How many rows stand between them, which are not drawn, and how many commands those are.
    pub(super) left_out: (u64, u64),
}

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    /// The event.
    pub(super) index: usize,
    pub(super) time: String,
    pub(super) connection: u64,
    pub(super) what: Drawn,
}

/// What is drawn.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Drawn {
    /// An arrow.
    Arrow {
        direction: Direction,
        label: String,
        /// How many commands it stands for.
        count: u64,
        /// `injected`, `changed`, `dropped` and others; the first that happened to it.
        fate: Option<&'static str>,
        sign: &'static str,
        is_error: bool,
        /// Who is behind it.
        person: Option<String>,
    },
    Opened,
    Closed,
    /// A remark on a connection, such as a gap.
    Remark(String),
}

impl Diagram {
    /// Draws up a session.
    pub(super) fn of(plan: &Plan<'_>) -> Diagram {
        let mut diagram = Diagram::default();
        let mut last: Option<Row> = None;
        let own = plan.summary.account.as_deref().map(str::to_lowercase);
        let walked = walk(plan.transcript, plan.options, |step| {
            let Some(connection) = step.event.connection().filter(|&number| number != 0) else { return Ok(()) };
            diagram.know(connection);
            let mut what = match (&step.what, step.event) {
                (What::Command(event, command), _) => arrow(event, command, step.scope),
                (_, Event::ConnectionOpened(_)) => Drawn::Opened,
                (_, Event::ConnectionClosed(_)) => Drawn::Closed,
                (_, Event::Gap(_) | Event::Opaque(_) | Event::Note(_)) => {
                    Drawn::Remark(short(&remark(step.event).unwrap_or_default()))
                }
                _ => return Ok(()),
            };
            if let Drawn::Arrow { person, .. } = &mut what {
                // servers tell the client of itself too
                person.take_if(|person| own.as_ref() == Some(person));
                person.iter().for_each(|person| diagram.meet(person));
            }
            let row = Row { index: step.index, time: clock(&step.event.stem().time).to_owned(), connection, what };
            match last.as_mut().filter(|last| last.takes(&row)) {
                Some(last) => last.add(),
                None => {
                    if let Some(whole) = last.replace(row) {
                        diagram.push(whole);
                    }
                }
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match walked {
            Ok(()) => {}
        }
        if let Some(whole) = last {
            diagram.push(whole);
        }
        diagram
    }

    /// Returns how many rows are drawn.
    pub(super) fn rows(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    fn know(&mut self, connection: u64) {
        if self.connections.contains(&connection) {
            return;
        }
        match self.connections.len() < MOST_CONNECTIONS {
            true => self.connections.push(connection),
            false => self.has_others = true,
        }
    }

    fn meet(&mut self, person: &str) {
        if self.people.len() < MOST_PEOPLE && !self.people.iter().any(|known| known == person) {
            self.people.push(person.to_owned());
        }
    }

    fn push(&mut self, row: Row) {
        if self.head.len() < FIRST_ROWS {
            self.head.push(row);
            return;
        }
        self.tail.push_back(row);
        if self.tail.len() > LAST_ROWS
            && let Some(row) = self.tail.pop_front()
        {
            self.left_out.0 += 1;
            self.left_out.1 += if let Drawn::Arrow { count, .. } = row.what { count } else { 0 };
        }
    }
}

impl Row {
    /// Whether another row is one more of the same.
    fn takes(&self, other: &Row) -> bool {
        match (&self.what, &other.what) {
            (
                Drawn::Arrow { direction, label, fate: None, is_error: false, .. },
                Drawn::Arrow { direction: way, label: text, fate: None, is_error: false, .. },
            ) => {
                self.connection == other.connection
                    && direction == way
                    && label.get(..3) == text.get(..3)
                    && !label.starts_with("MSG")
            }
            _ => false,
        }
    }

    fn add(&mut self) {
        if let Drawn::Arrow { count, person, .. } = &mut self.what {
            *count += 1;
            // it stands for several people now
            *person = None;
        }
    }
}

fn arrow(event: &CommandEvent, command: &Command, scope: Scope) -> Drawn {
    let fates = fates(event, command);
    let mut label = short(&lossy(command.line()));
    let text = command.text();
    if command.headers().is("text/plain") && !text.is_empty() {
        label = format!("MSG \u{201c}{}\u{201d}", short(&lossy(text).replace(['\r', '\n'], " ")));
    }
    Drawn::Arrow {
        direction: command.direction(),
        label,
        count: 1,
        fate: foremost(&fates).map(Fate::word),
        sign: foremost(&fates).map_or("", Fate::sign),
        is_error: command.verb().is_error(),
        person: person(command, scope),
    }
}

/// Returns who is behind a command: who wrote, came, left, invites or is called.
fn person(command: &Command, scope: Scope) -> Option<String> {
    let name = match (command.direction(), command.verb().as_bytes()) {
        (Direction::ServerToClient, b"RNG") => "inviter_email",
        (Direction::ServerToClient, b"MSG" | b"JOI" | b"IRO" | b"BYE" | b"UBM" | b"UBN" | b"NLN" | b"FLN" | b"UBX") => {
            "email"
        }
        (Direction::ClientToServer, b"CAL" | b"UUM" | b"UUN") => "email",
        _ => return None,
    };
    let token = lossy(command.argument_named(name, scope)?).to_lowercase();
    let address = token.split(';').next()?;
    let address = address.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(':');
    let address = if address.contains('@') { address } else { token.as_str() };
    (address.contains('@') && address.len() <= LONGEST_ADDRESS).then(|| address.to_owned())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST_LABEL) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

/// So many rows are drawn from the start,
const FIRST_ROWS: usize = 300;
/// and so many from the end.
const LAST_ROWS: usize = 100;
/// So many connections have a lane of their own,
const MOST_CONNECTIONS: usize = 8;
/// and so many people.
const MOST_PEOPLE: usize = 6;
/// Labels are cut after so many characters.
const LONGEST_LABEL: usize = 52;
const LONGEST_ADDRESS: usize = 254;
