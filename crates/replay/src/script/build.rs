//! Builds a script from the events of a transcript, one after the other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use msnp::command::transaction_id;
use msnp::flow::Facts;
use msnp::{Command, Direction, ServerKind, Version};
use msnp_transcript::Event;
use msnp_transcript::event::{CommandEvent, EventError, Origin, ReleasedEvent, Sent, SessionJoined};
use msnp_transcript::reader::ReadError;

use super::{Closer, Dialogue, End, Script, Step, link};
use crate::error::Error;

/// What was learned so far.
pub(super) struct Builder<'a> {
    name: &'a Path,
    line: u64,
    account: Option<String>,
    version: Option<Version>,
    drafts: Vec<Draft>,
    places: HashMap<u64, usize>,
    joined: Vec<SessionJoined>,
    notes: Vec<String>,
    /// Commands that no peer sent, and answers to them.
    left_out: u64,
    /// Bytes outside of commands.
    opaque: u64,
}

/// A dialogue, and what is needed to go on with it.
struct Draft {
    dialogue: Dialogue,
    facts: Facts,
    /// The client's commands by the id that the server knows them by.
    requests: HashMap<u32, usize>,
    pings: VecDeque<usize>,
    /// The client's commands that are held, by the number of the hold.
    held: HashMap<u64, usize>,
    /// Ids of commands that no peer sent.
    injected: HashSet<u32>,
    injected_pings: u64,
}

impl<'a> Builder<'a> {
    pub(super) fn new(name: &'a Path) -> Builder<'a> {
        Builder {
            name,
            line: 0,
            account: None,
            version: None,
            drafts: Vec::new(),
            places: HashMap::new(),
            joined: Vec::new(),
            notes: Vec::new(),
            left_out: 0,
            opaque: 0,
        }
    }

    pub(super) fn add(&mut self, event: Result<Event, ReadError>) -> Result<(), Error> {
        self.line += 1;
        let event = match event {
            Ok(event) if self.line > 1 || matches!(event, Event::Session(_)) => event,
            Err(error) if !matches!(error, ReadError::Line { .. }) || self.line > 1 => return Err(error.into()),
            _ => return Err(self.no_transcript()),
        };
        let at = self.time(&event.stem().time)?;
        match event {
            Event::ConnectionOpened(opened) => {
                self.account = self.account.take().or(opened.account);
                let draft = self.draft(opened.connection, at);
                draft.dialogue.upstream = opened.upstream;
            }
            Event::SessionJoined(joined) => self.joined.push(joined),
            Event::Command(command) => self.command(&command, at)?,
            Event::Released(released) => self.released(&released, at)?,
            Event::Opaque(opaque) => self.opaque += opaque.length,
            Event::ConnectionClosed(closed) => {
                let by = match closed.by.as_str() {
                    "client" => Closer::Client,
                    "server" => Closer::Server,
                    _ => Closer::Recorder,
                };
                self.draft(closed.connection, at).dialogue.end = Some(End { at, by });
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(super) fn finish(mut self) -> Result<Script, Error> {
        if self.line == 0 {
            return Err(self.no_transcript());
        }
        if self.left_out > 0 {
            self.note(format!("{} commands that no peer sent, or that answer such, are left out", self.left_out));
        }
        if self.opaque > 0 {
            self.note(format!("{} bytes outside of commands are left out", self.opaque));
        }
        let mut dialogues: Vec<Dialogue> = self.drafts.into_iter().map(|draft| draft.finish(self.version)).collect();
        let all = dialogues.len();
        dialogues.retain(|dialogue| dialogue.requests().next().is_some());
        let name = self.name.to_owned();
        if dialogues.is_empty() {
            return Err(Error::Empty { name });
        }
        if dialogues.len() < all {
            self.notes
                .push(format!("{} connections without a command of the client are left out", all - dialogues.len()));
        }
        dialogues.sort_by_key(|dialogue| dialogue.opened);
        link::find_causes(&mut dialogues, &self.joined);
        Ok(Script { name, account: self.account, dialogues, notes: self.notes })
    }

    fn command(&mut self, event: &CommandEvent, at: Duration) -> Result<(), Error> {
        let command = event.command().map_err(|problem| self.bad(problem))?;
        let sent = event.sent().map_err(|problem| self.bad(problem))?;
        let draft = self.draft(event.connection, at);
        let is_theirs = match command.direction() {
            Direction::ClientToServer => draft.request(event, &command, &sent, at),
            Direction::ServerToClient => draft.answer(event, &command, at),
        };
        if is_theirs {
            draft.facts.learn(&command);
            let facts = draft.facts.clone();
            self.account = facts.account.or(self.account.take());
            self.version = facts.version.or(self.version);
        } else {
            self.left_out += 1;
        }
        Ok(())
    }

    /// A held command left only now, perhaps under another id.
    fn released(&mut self, event: &ReleasedEvent, at: Duration) -> Result<(), Error> {
        let sent: Result<Vec<Command>, EventError> = event.sent.iter().flatten().map(Sent::command).collect();
        let sent = sent.map_err(|problem| self.bad(problem))?;
        let draft = self.draft(event.connection, at);
        if let Some(index) = draft.held.remove(&event.held) {
            let command = draft.dialogue.steps[index].command.clone();
            draft.forwarded(index, &command, &sent);
        }
        Ok(())
    }

    fn draft(&mut self, connection: u64, opened: Duration) -> &mut Draft {
        let place = *self.places.entry(connection).or_insert_with(|| {
            self.drafts.push(Draft::new(connection, opened));
            self.drafts.len() - 1
        });
        &mut self.drafts[place]
    }

    fn time(&self, text: &str) -> Result<Duration, Error> {
        let time = text.parse::<Timestamp>().ok();
        let micros = time.and_then(|time| u64::try_from(time.as_microsecond()).ok());
        let (name, line) = (self.name.to_owned(), self.line);
        micros.map(Duration::from_micros).ok_or_else(|| Error::Time { name, line, time: text.to_owned() })
    }

    fn bad(&self, problem: EventError) -> Error {
        Error::Event { name: self.name.to_owned(), line: self.line, problem }
    }

    fn no_transcript(&self) -> Error {
        ReadError::Format { name: self.name.to_owned(), line: 1 }.into()
    }
}

impl Draft {
    fn new(connection: u64, opened: Duration) -> Draft {
        Draft {
            dialogue: Dialogue {
                connection,
                server: ServerKind::Notification,
                version: None,
                upstream: String::new(),
                opened,
                cause: None,
                steps: Vec::new(),
                end: None,
            },
            facts: Facts::default(),
            requests: HashMap::new(),
            pings: VecDeque::new(),
            held: HashMap::new(),
            injected: HashSet::new(),
            injected_pings: 0,
        }
    }

    /// Takes a client's command; returns whether the client sent it.
    fn request(&mut self, event: &CommandEvent, command: &Command, sent: &[Command], at: Duration) -> bool {
        if event.origin == Origin::Injected {
            self.injected.extend(id_of(command));
            self.injected_pings += u64::from(event.verb == "PNG");
            return false;
        }
        let index = self.dialogue.steps.len();
        self.push(event, command, None, at);
        match event.held {
            Some(number) => drop(self.held.insert(number, index)),
            None => self.forwarded(index, command, sent),
        }
        true
    }

    /// A client's command has left; the server answers to the id that reached it.
    fn forwarded(&mut self, index: usize, command: &Command, sent: &[Command]) {
        let same = |other: &&Command| other.direction() == command.direction() && other.verb() == command.verb();
        if let Some(id) = id_of(sent.iter().find(same).unwrap_or(command)) {
            self.injected.remove(&id);
            self.requests.insert(id, index);
        }
        if command.verb().as_bytes() == b"PNG" {
            self.pings.push_back(index);
        }
    }

    /// Takes a server's command; returns whether the server sent it, and not in answer to somebody else.
    fn answer(&mut self, event: &CommandEvent, command: &Command, at: Duration) -> bool {
        let scope = msnp::argument::Scope { server: self.facts.server, version: self.facts.version };
        let id = transaction_id(command.direction(), command.line(), scope).map(|id| id.0);
        if event.origin == Origin::Injected || id.is_some_and(|id| id > 0 && self.injected.contains(&id)) {
            return false;
        }
        let reply_to = match id {
            None if event.verb == "QNG" && self.pings.is_empty() && self.injected_pings > 0 => {
                self.injected_pings -= 1;
                return false;
            }
            None if event.verb == "QNG" => self.pings.pop_front(),
            None => None,
            // clients may count from 0, and 0 is also the id of what comes unasked
            Some(0) => self.requests.get(&0).copied().filter(|&request| {
                command.verb().is_error() || self.dialogue.steps[request].command.verb() == command.verb()
            }),
            Some(id) => self.requests.get(&id).copied(),
        };
        self.push(event, command, reply_to, at);
        true
    }

    fn push(&mut self, event: &CommandEvent, command: &Command, reply_to: Option<usize>, at: Duration) {
        self.dialogue.server = event.server.map_or(self.dialogue.server, Into::into);
        let masked = event.masked.iter().filter(|place| !place.starts_with("sent[")).cloned().collect();
        let command = command.clone();
        self.dialogue.steps.push(Step { seq: event.stem.seq, at, command, masked, reply_to, gate: None });
    }

    fn finish(mut self, version: Option<Version>) -> Dialogue {
        self.dialogue.server = self.facts.server.unwrap_or(self.dialogue.server);
        self.dialogue.version = self.facts.version.or(version);
        find_gates(&mut self.dialogue.steps);
        self.dialogue
    }
}

fn id_of(command: &Command) -> Option<u32> {
    command.transaction_id().map(|id| id.0)
}

/// Tells of every command that came unasked after which client's command it came: the last one that was answered by then,
/// or that was never answered. One that is still to be answered did not cause it.
fn find_gates(steps: &mut [Step]) {
    let mut is_answered = vec![false; steps.len()];
    for request in steps.iter().filter_map(|step| step.reply_to) {
        is_answered[request] = true;
    }
    let mut settled = None;
    for index in 0..steps.len() {
        let step = &mut steps[index];
        if let Some(request) = step.reply_to {
            if steps[request].matters() {
                settled = settled.max(Some(request));
            }
        } else if !step.is_request() {
            step.gate = settled;
        } else if step.matters() && !is_answered[index] {
            settled = Some(index);
        }
    }
}
