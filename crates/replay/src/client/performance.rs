//! What the recorded client says to a live server, decided without sockets.
//!
//! All that was seen in the recordings is put in order of time, over all connections and all recordings. The client says
//! something once everything that it, or another recorded client, had heard by then has come.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use msnp::Command;
use msnp::flow::{Address, Opening};
use msnp_transcript::event::JoinedBy;

use super::secrets::Secrets;
use crate::error::Error;
use crate::report::{Place, Report, drawn};
use crate::script::{Closer, Dialogue, Script};
use cues::{Cue, What};
use part::{Part, State};

mod cues;
mod hearing;
mod part;
mod saying;

/// The replay of one or several clients.
#[derive(Debug)]
pub(super) struct Performance {
    scripts: Vec<Script>,
    to: Address,
    secrets: Secrets,
    cues: Vec<Cue>,
    done: Vec<bool>,
    /// Before it every cue is done.
    next: usize,
    /// How often it went back.
    rewinds: u64,
    parts: Vec<Part>,
    pending: VecDeque<Action>,
    /// Live GUIDs of what had other ones in the recording.
    guids: HashMap<Vec<u8>, Vec<u8>>,
    report: Report,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Connect a part, then say whether that worked.
    Connect { part: usize, address: Address },
    /// Say something.
    Say { part: usize, command: Command },
    /// Wait until something comes, or give this cue up when it took too long.
    Wait { cue: usize },
    /// Close the connection.
    Close { part: usize },
    /// All is said and done.
    Over,
}

impl Performance {
    /// Prepares to play the clients of these recordings to a server.
    ///
    /// # Errors
    ///
    /// If a secret is missing.
    pub(super) fn new(scripts: Vec<Script>, to: Address, secrets: Secrets) -> Result<Performance, Error> {
        let mut report = Report::new();
        for script in &scripts {
            secrets.check(script)?;
            script.notes.iter().for_each(|note| report.note(note.clone()));
        }
        let parts = cues::parts(&scripts);
        let cues = cues::of(&scripts, &parts);
        Ok(Performance {
            done: vec![false; cues.len()],
            next: 0,
            rewinds: 0,
            pending: VecDeque::new(),
            guids: HashMap::new(),
            scripts,
            to,
            secrets,
            cues,
            parts,
            report,
        })
    }

    /// Returns what is to be done next.
    pub(super) fn next(&mut self) -> Action {
        loop {
            if let Some(action) = self.pending.pop_front() {
                return action;
            }
            while self.done.get(self.next).is_some_and(|done| *done) {
                self.next += 1;
            }
            let Some(cue) = self.cues.get(self.next).copied() else { return Action::Over };
            let rewinds = self.rewinds;
            match self.cue(cue) {
                Some(action @ Action::Wait { .. }) => return action,
                // what begins anew is not done
                _ if self.rewinds > rewinds => {}
                action => {
                    self.done[self.next] = true;
                    self.pending.extend(action);
                }
            }
        }
    }

    /// The connection is there.
    pub(super) fn connected(&mut self, part: usize) {
        self.parts[part].state = State::Open;
    }

    /// The connection could not be made.
    pub(super) fn failed(&mut self, part: usize, problem: &str) {
        self.skip(part, problem);
    }

    /// The server has said something.
    pub(super) fn heard(&mut self, part: usize, command: Command) {
        self.parts[part].facts.learn(&command);
        match command.verb().as_bytes() {
            b"CHL" if !self.expects(part, "CHL") => return self.answer_challenge(part, &command),
            b"QRY" if self.parts[part].swallow(&command) => return,
            _ => {}
        }
        let late = self.parts[part].missing.iter().position(|&step| self.fit(part, step, &command).is_some());
        if let Some(late) = late {
            let step = self.parts[part].missing.remove(late);
            self.report.note(format!("{} {} came late", self.place(part, None), drawn(&command)));
            self.matched(part, step, &command);
        } else if !self.parts[part].keep(command) {
            self.report.note(format!(
                "{}: the server said more than is kept; the rest is not compared",
                self.place(part, None)
            ));
        }
    }

    /// The server has closed the connection.
    pub(super) fn ended(&mut self, part: usize) {
        if self.parts[part].state == State::Open {
            self.parts[part].state = State::Ended;
        }
    }

    /// What is waited for has not come for a while. The end of a connection is recorded when both sides have ended it, which
    /// may be after what came of it on others: if a client closed one about then, it does so now. Returns whether one did.
    pub(super) fn stalled(&mut self) -> bool {
        let Some(until) = self.cues.get(self.next).map(|cue| cue.at.saturating_add(LATE_END)) else { return false };
        let open = |index: &usize| !self.done[*index];
        let ending =
            (self.next..self.cues.len()).filter(open).take_while(|index| self.cues[*index].at <= until).find(|index| {
                let cue = self.cues[*index];
                let is_last = !(self.next..*index).filter(open).any(|other| self.cues[other].part == cue.part);
                let is_clients = self.dialogue(cue.part).end.is_some_and(|end| end.by == Closer::Client);
                cue.what == What::Close && is_clients && is_last
            });
        if let Some(index) = ending {
            self.done[index] = true;
            self.close(self.cues[index].part);
        }
        ending.is_some()
    }

    /// What is waited for did not come in time.
    pub(super) fn gave_up(&mut self) {
        let Some(cue) = self.cues.get(self.next).copied() else { return };
        match cue.what {
            What::Hear(step) => self.parts[cue.part].missing.push(step),
            What::Close => {
                let place = self.place(cue.part, None);
                self.report.missing(place, "the server closed the connection; it did not now".to_owned());
                self.close(cue.part);
            }
            What::Open | What::Say(_) => {}
        }
        self.done[self.next] = true;
    }

    /// Returns what was found.
    pub(super) fn report(&self) -> Report {
        let mut report = self.report.clone();
        for (index, part) in self.parts.iter().enumerate() {
            let mut missing = part.missing.clone();
            missing.sort_unstable();
            for step in missing {
                let said = &self.dialogue(index).steps[step];
                report.missing(self.place(index, Some(said.seq)), drawn(&said.command));
            }
            for command in &part.arrivals {
                report.unexpected(self.place(index, None), drawn(command));
            }
        }
        report
    }

    /// Returns the scripts.
    pub(super) fn scripts(&self) -> &[Script] {
        &self.scripts
    }

    /// Returns which script a part belongs to, and its dialogue.
    pub(super) fn origin(&self, part: usize) -> (usize, &Dialogue) {
        (self.parts[part].script, self.dialogue(part))
    }

    /// Returns the part that sent the client to this one, and how.
    pub(super) fn came_from(&self, part: usize) -> Option<(usize, JoinedBy)> {
        let dialogue = self.dialogue(part);
        let by = match dialogue.opening() {
            Opening::Login { .. } => JoinedBy::Redirect,
            Opening::Callee { .. } => JoinedBy::Invitation,
            _ => JoinedBy::Cookie,
        };
        Some((self.cause(part)?.0, by))
    }

    /// Returns what a cue asks for; nothing if there is nothing to do.
    fn cue(&mut self, cue: Cue) -> Option<Action> {
        let part = cue.part;
        match cue.what {
            What::Open => match self.address(part) {
                Some(address) => {
                    self.parts[part].address = Some(address.clone());
                    Some(Action::Connect { part, address })
                }
                None => {
                    self.skip(part, "the server did not say where it is");
                    None
                }
            },
            What::Say(_) if self.parts[part].state != State::Open => {
                self.cut_off(cue);
                None
            }
            What::Say(step) => self.prepared(part, step).map(|command| Action::Say { part, command }),
            What::Hear(step) => self.hear(cue, step),
            What::Close => match (self.dialogue(part).end.map(|end| end.by), self.parts[part].state) {
                (Some(Closer::Server), State::Open) => Some(Action::Wait { cue: self.next }),
                _ => {
                    self.close(part);
                    None
                }
            },
        }
    }

    /// The connection ended before the recorded one did.
    fn cut_off(&mut self, cue: Cue) {
        let part = &mut self.parts[cue.part];
        if part.state != State::Ended || std::mem::replace(&mut part.is_cut_off, true) {
            return;
        }
        let (What::Say(step) | What::Hear(step)) = cue.what else { return };
        let said = &self.dialogue(cue.part).steps[step];
        let text = format!("{} and what follows: the server closed the connection before", drawn(&said.command));
        let place = self.place(cue.part, Some(said.seq));
        self.report.missing(place, text);
    }

    fn skip(&mut self, part: usize, why: &str) {
        self.parts[part].state = State::Over;
        let first = self.dialogue(part).requests().next().map(|(_, step)| drawn(&step.command)).unwrap_or_default();
        let place = self.place(part, None);
        self.report.missing(place, format!("connection, opened with {first}: {why}"));
    }

    fn close(&mut self, part: usize) {
        if std::mem::replace(&mut self.parts[part].state, State::Over) == State::Open {
            self.pending.push_back(Action::Close { part });
        }
    }

    fn dialogue(&self, part: usize) -> &Dialogue {
        let Part { script, dialogue, .. } = &self.parts[part];
        &self.scripts[*script].dialogues[*dialogue]
    }

    /// Returns the part and step of the redirect that led to a part.
    fn cause(&self, part: usize) -> Option<(usize, usize)> {
        let cause = self.dialogue(part).cause?;
        let script = self.parts[part].script;
        let from = self.parts.iter().position(|other| other.script == script && other.dialogue == cause.dialogue)?;
        Some((from, cause.step))
    }

    /// Returns who logged in and who does now, if they differ.
    fn accounts(&self, part: usize) -> Option<(String, String)> {
        let recorded = self.scripts[self.parts[part].script].account.as_ref()?;
        Some((recorded.clone(), self.secrets.account(recorded)?.to_owned()))
    }

    fn place(&self, part: usize, seq: Option<u64>) -> Place {
        let account = self.scripts[self.parts[part].script].account.as_deref();
        Place::of(account.filter(|_| self.scripts.len() > 1), self.dialogue(part), seq)
    }
}

/// How long after its effect the end of a connection may be recorded.
const LATE_END: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
