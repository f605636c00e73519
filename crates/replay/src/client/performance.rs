//! What the recorded client says to a live server, decided without sockets.
//!
//! All that was seen in the recordings is put in order of time, over all connections and all recordings. The client says
//! something once everything that it, or another recorded client, had heard by then has come.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use msnp::flow::{Address, Opening, Redirect, RedirectKind};
use msnp::{Command, Direction, challenge};
use msnp_transcript::event::JoinedBy;

use super::secrets::Secrets;
use crate::adapt;
use crate::compare::{self, Difference};
use crate::error::Error;
use crate::report::{Place, Report, drawn};
use crate::script::{Closer, Dialogue, Script, Step};
use cues::{Cue, What};
use part::{Heard, Part, State};

mod cues;
mod part;

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

    fn hear(&mut self, cue: Cue, step: usize) -> Option<Action> {
        let part = cue.part;
        let best = (0..self.parts[part].arrivals.len())
            .filter_map(|at| Some((self.fit(part, step, &self.parts[part].arrivals[at])?, at)))
            .min();
        if let Some((_, at)) = best {
            if let Some(command) = self.parts[part].arrivals.remove(at) {
                self.matched(part, step, &command);
            }
            return None;
        }
        if self.parts[part].state != State::Open {
            self.cut_off(cue);
            return None;
        }
        match self.is_hopeless(part, step) {
            true => {
                self.parts[part].missing.push(step);
                None
            }
            false => Some(Action::Wait { cue: self.next }),
        }
    }

    /// Returns how far a live command is from a recorded one, if it may stand for it at all.
    fn fit(&self, part: usize, step: usize, live: &Command) -> Option<u32> {
        let dialogue = self.dialogue(part);
        let said = &dialogue.steps[step];
        let is_same_verb = said.command.verb() == live.verb();
        let distance = || compare::distance(&self.differences(part, said, live));
        let Some(request) = said.reply_to else {
            return is_same_verb.then(distance).filter(|distance| *distance < compare::OTHER_PERSON);
        };
        if !dialogue.steps[request].command.verb().as_bytes().eq(b"PNG") {
            // what the client said went out with the ids of the recording
            let asked = dialogue.steps[request].command.argument(0)?;
            let scope = self.parts[part].scope();
            let id = msnp::command::transaction_id(live.direction(), live.line(), scope)?;
            (Some(id) == msnp::TransactionId::from_token(asked)).then_some(())?;
            // what comes unasked may have the id 0 too
            (id.0 > 0 || is_same_verb || live.verb().is_error()).then_some(())?;
        }
        if is_same_verb {
            let comes_in_rows = ROWS.contains(&live.verb().as_str());
            return Some(distance()).filter(|distance| !comes_in_rows || *distance < compare::OTHER_PERSON);
        }
        // another kind of answer, unless it is the answer that another step of the recording stands for
        let is_ping = dialogue.steps[request].command.verb().as_bytes() == b"PNG";
        let is_anothers = dialogue.steps.iter().enumerate().any(|(other, step)| {
            step.reply_to == Some(request) && !self.parts[part].is_heard(other) && step.command.verb() == live.verb()
        });
        (!is_ping && !is_anothers).then_some(compare::FOREIGN)
    }

    fn differences(&self, part: usize, said: &Step, live: &Command) -> Vec<Difference> {
        let mut normal = live.clone();
        if let Some((recorded, live)) = self.accounts(part) {
            adapt::rename(&mut normal, &live, &recorded);
        }
        if said.command.verb() != live.verb() {
            let verb = |command: &Command| command.verb().to_string().into_bytes();
            return vec![Difference::new("verb", &verb(&said.command), &verb(live))];
        }
        compare::compare(&said.command, &normal, self.dialogue(part).scope())
    }

    /// A recorded command of the server has come.
    fn matched(&mut self, part: usize, step: usize, live: &Command) {
        let said = self.dialogue(part).steps[step].clone();
        let redirect = Redirect::of(live);
        if let Some(Redirect { kind: RedirectKind::Notification { .. }, address, .. }) = &redirect
            && Redirect::of(&said.command).is_none()
            && self.follow(part, address)
        {
            return;
        }
        let differences = self.differences(part, &said, live);
        if self.parts[part].hear(step, live, redirect) == Heard::First {
            let place = self.place(part, Some(said.seq));
            self.report.compared(place, said.command.verb().to_string(), differences);
        }
        learn_guids(&said.command, live, &mut self.guids);
    }

    /// Begins a dialogue anew at another address, where the recorded client was not sent.
    fn follow(&mut self, part: usize, address: &Address) -> bool {
        if self.parts[part].follows >= MOST_REDIRECTS {
            return false;
        }
        let note =
            format!("{}: followed a redirect to {address} that the recording does not have", self.place(part, None));
        self.report.note(note);
        self.close(part);
        self.parts[part].begin_anew(address.clone());
        for (cue, done) in self.cues.iter().zip(&mut self.done) {
            *done &= cue.part != part;
        }
        self.next = 0;
        self.rewinds += 1;
        true
    }

    /// Returns a recorded command as it goes to the live server; `None` if there is nothing to say.
    fn prepared(&mut self, part: usize, step: usize) -> Option<Command> {
        let said = self.dialogue(part).steps[step].clone();
        let mut command = adapt::fill(&said.command, &said.masked);
        if let Some((recorded, live)) = self.accounts(part) {
            adapt::rename(&mut command, &recorded, &live);
        }
        adapt::replace_guids(&mut command, &self.guids);
        match command.verb().as_bytes() {
            b"QRY" => {
                let Some(challenge) = self.parts[part].challenge.take() else {
                    let text = format!(
                        "{} {} is left out: the server did not challenge",
                        self.place(part, None),
                        drawn(&said.command)
                    );
                    self.report.note(text);
                    self.parts[part].unsaid.push(step);
                    return None;
                };
                self.parts[part].answer(&mut command, &challenge);
            }
            b"CVR" => {
                let hop = self.cause(part).and_then(|(from, step)| self.parts[from].hop(step));
                let index = said.command.argument(9).and(hop);
                if let Some(hop) = index {
                    // it was one argument of the server's
                    let _ = command.set_argument(9, &hop);
                }
            }
            _ => {}
        }
        self.show_cookie(part, step, &mut command);
        let account = self.scripts[self.parts[part].script].account.clone().unwrap_or_default();
        // what is missing was named before anything was said
        let _ = self.secrets.complete(&mut command, &said, &account, Some(&self.parts[part].questions));
        self.parts[part].facts.learn(&command);
        Some(command)
    }

    /// Puts the live cookie and session id into the first command on a switchboard.
    fn show_cookie(&self, part: usize, step: usize, command: &mut Command) {
        let is_first = self.dialogue(part).requests().next().is_some_and(|(first, _)| first == step);
        let Some((from, at)) = self.cause(part).filter(|_| is_first) else { return };
        let (cookie, session) = match self.parts[from].redirects.get(&at).map(|redirect| &redirect.kind) {
            Some(RedirectKind::Switchboard { cookie }) => (cookie, None),
            Some(RedirectKind::Invitation { cookie, session }) => (cookie, Some(session)),
            _ => return,
        };
        // each was one argument of the server's
        let _ = command.set_argument(2, cookie);
        if let Some(session) = session {
            let _ = command.set_argument(3, session);
        }
    }

    /// Returns where a part connects to.
    fn address(&self, part: usize) -> Option<Address> {
        if let Some(address) = &self.parts[part].sent_to {
            return Some(address.clone());
        }
        let cause = self.cause(part);
        let live = cause.and_then(|(from, step)| self.parts[from].redirects.get(&step));
        if let Some(redirect) = live {
            return Some(redirect.address.clone());
        }
        // a server that does not send its clients on takes their login itself
        let from = cause.and_then(|(from, _)| self.parts[from].address.clone());
        let is_login = matches!(self.dialogue(part).opening(), Opening::Login { .. } | Opening::Other);
        is_login.then(|| from.unwrap_or_else(|| self.to.clone()))
    }

    /// A challenge that the recording does not have has to be answered too, or the server ends the connection.
    fn answer_challenge(&mut self, part: usize, command: &Command) {
        self.report.note(format!("{}: answered a challenge that the recording does not have", self.place(part, None)));
        let version = self.parts[part].facts.version.or(self.dialogue(part).version);
        let Some(product) = version.and_then(challenge::product_for) else { return };
        let last = self.dialogue(part).requests().filter_map(|(_, step)| step.command.transaction_id()).max();
        let id = self.parts[part].own_id(last.map_or(0, |id| id.0));
        let line = format!("QRY {id} {}", product.id);
        let Ok(mut answer) = Command::new(Direction::ClientToServer, line.as_bytes(), Some(b"")) else { return };
        let challenge = command.argument(1).unwrap_or_default().to_vec();
        self.parts[part].answer(&mut answer, &challenge);
        self.pending.push_back(Action::Say { part, command: answer });
    }

    /// Whether the recording has a command of this verb that is still to come.
    fn expects(&self, part: usize, verb: &str) -> bool {
        let mut steps = self.dialogue(part).steps.iter().enumerate();
        steps.any(|(index, step)| {
            !step.is_request() && step.command.verb().as_str() == verb && !self.parts[part].is_heard(index)
        })
    }

    /// Whether an answer cannot come any more: its command was not said, or answered with an error.
    fn is_hopeless(&self, part: usize, step: usize) -> bool {
        let request = self.dialogue(part).steps[step].reply_to;
        let part = &self.parts[part];
        request.is_some_and(|request| part.unsaid.contains(&request) || part.refused.contains(&request))
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

/// Learns which live GUID stands for which recorded one.
fn learn_guids(recorded: &Command, live: &Command, guids: &mut HashMap<Vec<u8>, Vec<u8>>) {
    for (ours, theirs) in recorded.arguments().zip(live.arguments()) {
        if let (Some(ours), Some(theirs)) = (adapt::guid_of(ours), adapt::guid_of(theirs))
            && ours != theirs
            && guids.len() < MOST_GUIDS
        {
            guids.insert(ours.to_vec(), theirs.to_vec());
        }
    }
}

/// Answers that come in rows: one of them does not stand for another.
const ROWS: &[&str] = &["ILN", "IRO", "LST", "LSG"];
/// How long after its effect the end of a connection may be recorded.
const LATE_END: Duration = Duration::from_secs(2);
/// How many redirects that were not recorded are followed on one connection.
const MOST_REDIRECTS: u32 = 5;
const MOST_GUIDS: usize = 100_000;

#[cfg(test)]
mod tests;
