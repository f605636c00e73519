//! What the live server says, and which recorded command it stands for.

use std::collections::HashMap;

use msnp::command::transaction_id;
use msnp::flow::{Address, Redirect, RedirectKind};
use msnp::{Command, TransactionId};

use super::cues::Cue;
use super::part::{Heard, State};
use super::{Action, Performance};
use crate::adapt;
use crate::compare::{self, Difference};
use crate::script::Step;

impl Performance {
    /// Looks for a recorded command of the server among what has come; returns what to do if it is not there yet.
    pub(super) fn hear(&mut self, cue: Cue, step: usize) -> Option<Action> {
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
    pub(super) fn fit(&self, part: usize, step: usize, live: &Command) -> Option<u32> {
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
            let id = transaction_id(live.direction(), live.line(), scope)?;
            (Some(id) == TransactionId::from_token(asked)).then_some(())?;
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
    pub(super) fn matched(&mut self, part: usize, step: usize, live: &Command) {
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

    /// Whether the recording has a command of this verb that is still to come.
    pub(super) fn expects(&self, part: usize, verb: &str) -> bool {
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
/// How many redirects that were not recorded are followed on one connection.
const MOST_REDIRECTS: u32 = 5;
const MOST_GUIDS: usize = 100_000;
