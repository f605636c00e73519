//! What the recorded server says to a live client, decided without sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use msnp::flow::{Opening, Redirect, RedirectKind};
use msnp::{Command, Direction, LengthPolicy};
use msnp_transcript::event::JoinedBy;

use super::{Matching, Options};
use crate::adapt;
use crate::compare::{self, Difference};
use crate::report::{Place, Report, drawn};
use crate::script::{Cause, Closer, Script, Step};
use stage::{ANSWER_TIME, Stage, State};

mod stage;

/// The replay of a server, over all its connections.
#[derive(Debug)]
pub(super) struct Play {
    script: Script,
    options: Options,
    stages: Vec<Stage>,
    /// The cookies handed out, and the dialogue that each opens, if the recording has it.
    cookies: HashMap<Vec<u8>, Option<usize>>,
    /// Who logs in, which need not be who did in the recording.
    account: Option<String>,
    report: Report,
    /// A moment on both clocks.
    began: (Instant, SystemTime),
}

/// A live connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Its number.
    pub(super) number: u64,
    /// The client's address.
    pub(super) peer: SocketAddr,
    /// The address on which the client came in: redirects name it.
    pub(super) reached: SocketAddr,
}

/// What is to be done on a connection now, and when to ask again.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) commands: Vec<Command>,
    pub(super) close: bool,
    pub(super) next: Option<Instant>,
}

impl Play {
    pub(super) fn new(script: Script, options: Options, began: (Instant, SystemTime)) -> Play {
        let mut report = Report::new();
        script.notes.iter().for_each(|note| report.note(note.clone()));
        let stages = script.dialogues.iter().map(Stage::new).collect();
        Play { script, options, stages, cookies: HashMap::new(), account: None, report, began }
    }

    /// Finds the dialogue that a client's first command opens. What it says is still to be [received](Play::receive).
    ///
    /// # Errors
    ///
    /// If there is none: then the client gets the command, if there is one, and the connection is closed.
    pub(super) fn open(&mut self, first: &Command, ends: Ends, now: Instant) -> Result<usize, Option<Command>> {
        let opening = Opening::of(first);
        let found = match &opening {
            Opening::Caller { cookie, .. } | Opening::Callee { cookie, .. } => self.cookies.remove(cookie).flatten(),
            _ => self.script.dialogues.iter().zip(&self.stages).position(|(dialogue, stage)| {
                let is_alike = std::mem::discriminant(&dialogue.opening()) == std::mem::discriminant(&opening);
                stage.state == State::Waiting && is_alike
            }),
        };
        if let Some(place) = found {
            self.stages[place].open(ends, now);
            return Ok(place);
        }
        let (why, answer) = match opening {
            Opening::Login { .. } => ("one login more than the recording has", None),
            Opening::Other => ("no such connection in the recording", None),
            _ => ("not a cookie of a recorded connection, or used before", Some(error(911, first))),
        };
        self.report.unexpected(Place::default(), format!("{} ({why})", drawn(first)));
        Err(answer.flatten())
    }

    /// Notes that a client said what is no command.
    pub(super) fn broken_off(&mut self, place: Option<usize>, what: &str) {
        let place = place.map_or_else(Place::default, |place| {
            Place::of(self.account.as_deref(), &self.script.dialogues[place], None)
        });
        self.report.unexpected(place, what.to_owned());
    }

    /// Takes a client's command. Ask what is [due](Play::due) then.
    pub(super) fn receive(&mut self, place: usize, command: &Command, now: Instant) {
        if self.stages[place].facts.learn(command) {
            self.account = self.stages[place].facts.account.clone().or(self.account.take());
        }
        match command.verb().as_bytes() {
            b"PNG" => {
                self.stages[place].pings += 1;
                let pong = self.pong(place);
                self.stages[place].replies.extend(pong);
            }
            b"OUT" => self.stages[place].leave(),
            _ => self.look_up(place, command, now),
        }
    }

    /// Returns what goes to the client now. Time has to go forward from call to call.
    pub(super) fn due(&mut self, place: usize, now: Instant) -> Outgoing {
        let mut out = Outgoing { commands: std::mem::take(&mut self.stages[place].replies), ..Outgoing::default() };
        if self.stages[place].state != State::Playing {
            return out;
        }
        let last_answer = self.stages[place].last_answer(&self.script.dialogues[place]);
        for step in 0..self.script.dialogues[place].steps.len() {
            let Some(since) = self.stages[place].released_at(&self.script.dialogues[place], step) else { continue };
            let at = match last_answer {
                Some((request, last)) if step <= last && (request < step || self.goes_along(place, step)) => now,
                _ => {
                    let at = self.when(place, step, since);
                    let waits = at <= now && !self.others_are_there(place, step);
                    if waits { at + PATIENCE } else { at }
                }
            };
            if at > now {
                out.next = Some(out.next.map_or(at, |next: Instant| next.min(at)));
                // what nobody asked for keeps its order, but an answer does not wait for it
                if last_answer.is_some_and(|(_, last)| step < last) {
                    continue;
                }
                return self.closed_if_left(place, out);
            }
            self.stages[place].sent[step] = true;
            out.commands.extend(self.adapted(place, step, now));
        }
        self.end_if_recorded(place, now, &mut out);
        self.closed_if_left(place, out)
    }

    /// The connection has ended.
    pub(super) fn ended(&mut self, place: usize) {
        self.stages[place].state = State::Over;
    }

    /// Whether every recorded connection was played and has ended.
    pub(super) fn is_over(&self) -> bool {
        self.stages.iter().all(|stage| stage.state == State::Over)
    }

    /// Returns the live connection that sent the client to this one, and how.
    pub(super) fn came_from(&self, place: usize) -> Option<(u64, JoinedBy)> {
        let cause = self.script.dialogues[place].cause?;
        let by = match self.script.dialogues[place].opening() {
            Opening::Login { .. } => JoinedBy::Redirect,
            Opening::Callee { .. } => JoinedBy::Invitation,
            _ => JoinedBy::Cookie,
        };
        let from = &self.stages[cause.dialogue];
        (from.state != State::Waiting).then_some((from.ends().number, by))
    }

    /// Returns the script.
    pub(super) fn script(&self) -> &Script {
        &self.script
    }

    /// Returns what was found.
    pub(super) fn report(&self) -> Report {
        let mut report = self.report.clone();
        let mut unreached = 0;
        for (dialogue, stage) in self.script.dialogues.iter().zip(&self.stages) {
            if stage.state == State::Waiting {
                let first = dialogue.requests().next().map(|(_, step)| drawn(&step.command)).unwrap_or_default();
                report.missing(Place::of(None, dialogue, None), format!("connection, opened with {first}"));
                continue;
            }
            for (index, step) in dialogue.requests().filter(|(_, step)| step.matters()) {
                if stage.ids[index].is_none() {
                    report.missing(Place::of(None, dialogue, Some(step.seq)), drawn(&step.command));
                }
            }
            unreached += stage.unsent(dialogue);
        }
        if unreached > 0 {
            report.note(format!(
                "{unreached} commands of the recorded server were not sent: the client did not come so far"
            ));
        }
        report
    }

    fn look_up(&mut self, place: usize, command: &Command, now: Instant) {
        let mut normal = command.clone();
        if let (Some(recorded), Some(live)) = (&self.script.account, &self.account) {
            adapt::rename(&mut normal, live, recorded);
        }
        match self.find(place, &normal) {
            Some((index, differences)) => self.matched(place, index, command, differences, now),
            None => {
                let somewhere = Place::of(None, &self.script.dialogues[place], None);
                self.report.unexpected(somewhere, drawn(command));
            }
        }
    }

    /// Finds the recorded command that a live one stands for, and in what they differ.
    fn find(&self, place: usize, command: &Command) -> Option<(usize, Vec<Difference>)> {
        let (dialogue, stage) = (&self.script.dialogues[place], &self.stages[place]);
        let mut open = dialogue.requests().filter(|(index, step)| step.matters() && stage.ids[*index].is_none());
        let compare = |(index, step): (usize, &Step)| {
            let is_alike = step.command.verb() == command.verb();
            is_alike.then(|| (index, compare::compare(&step.command, command, dialogue.scope())))
        };
        match self.options.matching {
            Matching::Loose => open
                .filter_map(compare)
                .min_by_key(|(index, differences)| (compare::distance(differences), *index))
                .filter(|(_, differences)| compare::distance(differences) < compare::FOREIGN),
            // the answer to a challenge comes beside all else
            Matching::Strict => open
                .find(|(_, step)| is_answer(&step.command) == is_answer(command))
                .and_then(compare)
                .filter(|(_, differences)| differences.is_empty() || command.verb().as_bytes() == b"VER"),
        }
    }

    fn matched(
        &mut self,
        place: usize,
        index: usize,
        command: &Command,
        mut differences: Vec<Difference>,
        now: Instant,
    ) {
        let dialogue = &self.script.dialogues[place];
        let seq = dialogue.steps[index].seq;
        let stage = &mut self.stages[place];
        let mut is_refused = false;
        match command.verb().as_bytes() {
            b"VER" => {
                // more versions or fewer make no difference as long as the recorded choice is among them
                let chosen = dialogue.version.map(|version| version.to_string());
                let is_offered =
                    chosen.is_some_and(|chosen| command.arguments().any(|other| other == chosen.as_bytes()));
                differences.retain(|difference| !is_offered && difference.name == "dialect");
            }
            b"QRY" => differences.extend(stage.check_challenge(dialogue, command)),
            b"USR" => {
                let wrong =
                    self.options.password.as_deref().and_then(|password| stage.check_password(command, password));
                is_refused = wrong.is_some();
                differences.extend(wrong);
            }
            _ => {}
        }
        if is_refused {
            stage.replies.extend(error(911, command));
            stage.leave();
        } else {
            stage.matched(index, command, now);
        }
        let where_it_was = Place::of(None, dialogue, Some(seq));
        self.report.compared(where_it_was, command.verb().to_string(), differences);
    }

    /// Whether a command belongs to what was answered before it: the next answer does not overtake it.
    fn goes_along(&self, place: usize, step: usize) -> bool {
        self.distance(place, step) <= ANSWER_TIME && self.others_are_there(place, step)
    }

    /// Returns how long after what it follows a command came in the recording.
    fn distance(&self, place: usize, step: usize) -> Duration {
        let dialogue = &self.script.dialogues[place];
        let said = &dialogue.steps[step];
        let after = said.reply_to.or(said.gate).map_or(dialogue.opened, |request| dialogue.steps[request].at);
        said.at.saturating_sub(after)
    }

    /// Returns when a command that nobody asked for is due, if what it follows came at `since`.
    fn when(&self, place: usize, step: usize, since: Instant) -> Instant {
        since + self.options.pace.scale(self.distance(place, step))
    }

    /// Whether the client has said on its other connections what it had said before this command in the recording.
    fn others_are_there(&self, place: usize, step: usize) -> bool {
        let at = self.script.dialogues[place].steps[step].at;
        let mut others =
            self.script.dialogues.iter().zip(&self.stages).enumerate().filter(|(other, _)| *other != place);
        others.all(|(_, (_, stage))| stage.state == State::Over || stage.has_come_to(at))
    }

    /// Returns a recorded command as it goes to the live client.
    fn adapted(&mut self, place: usize, step: usize, now: Instant) -> Option<Command> {
        let said = &self.script.dialogues[place].steps[step];
        if !said.matters() && said.command.verb().as_bytes() == b"QNG" {
            // pings are answered when they come
            return None;
        }
        let mut command = adapt::fill(&said.command, &said.masked);
        let stage = &mut self.stages[place];
        if let Some(id) = said.reply_to.and_then(|request| stage.ids[request].as_ref()) {
            adapt::set_id(&mut command, id);
        }
        if let (Some(recorded), Some(live)) = (&self.script.account, &self.account) {
            adapt::rename(&mut command, recorded, live);
        }
        stage.remember(&command);
        if command.headers().is("text/x-msmsgsprofile") {
            let time = self.began.1 + now.saturating_duration_since(self.began.0);
            make_current(&mut command, stage.ends(), time);
        }
        if let Some(redirect) = Redirect::of(&command) {
            adapt::set_address(&mut command, &redirect, stage.ends().reached);
            self.hand_out_cookie(&mut command, &redirect, Cause { dialogue: place, step });
        }
        Some(command)
    }

    /// Makes a cookie up and remembers where it leads.
    fn hand_out_cookie(&mut self, command: &mut Command, redirect: &Redirect, cause: Cause) {
        let index = match redirect.kind {
            RedirectKind::Switchboard { .. } => 4,
            RedirectKind::Invitation { .. } => 3,
            RedirectKind::Notification { .. } => return,
        };
        let cookie = format!("{}.{}.{}", fastrand::u32(1..), fastrand::u32(1..), fastrand::u32(1..));
        // digits and dots
        let _ = command.set_argument(index, cookie.as_bytes());
        let target = self.script.dialogues.iter().position(|dialogue| dialogue.cause == Some(cause));
        self.cookies.insert(cookie.into_bytes(), target);
    }

    /// Closes the connection as the recorded server did by itself, once the client has said all and all was said to it.
    fn end_if_recorded(&mut self, place: usize, now: Instant, out: &mut Outgoing) {
        let dialogue = &self.script.dialogues[place];
        let stage = &self.stages[place];
        let leaves = dialogue.requests().any(|(_, step)| step.command.verb().as_bytes() == b"OUT");
        let Some(end) = dialogue.end.filter(|end| end.by == Closer::Server && !leaves) else { return };
        if stage.unsent(dialogue) > 0 {
            return;
        }
        let last = dialogue.requests().filter(|(_, step)| step.matters()).last();
        let Some((last, since)) = last.and_then(|(last, _)| Some((last, stage.passed(Some(last))?))) else { return };
        let pings = dialogue.requests().filter(|(_, step)| step.command.verb().as_bytes() == b"PNG").count();
        let mut at = since + self.options.pace.scale(end.at.saturating_sub(dialogue.steps[last].at));
        if stage.pings < pings {
            at += PATIENCE;
        }
        match at <= now {
            true => out.close = true,
            false => out.next = Some(at),
        }
    }

    /// A client that said `OUT` expects the server to close the connection.
    fn closed_if_left(&self, place: usize, mut out: Outgoing) -> Outgoing {
        out.close |= self.stages[place].has_left;
        out
    }

    /// Returns the answer to a ping: what the recorded server said, if it was ever pinged.
    fn pong(&self, place: usize) -> Option<Command> {
        let recorded = self.script.dialogues.iter().flat_map(|dialogue| &dialogue.steps);
        let mut pongs = recorded.filter(|step| step.command.verb().as_bytes() == b"QNG");
        if let Some(step) = pongs.next() {
            return Some(step.command.clone());
        }
        let counts = self.script.dialogues[place].version.is_none_or(|version| version.0 >= 9);
        Command::new(Direction::ServerToClient, if counts { b"QNG 50" } else { b"QNG" }, None).ok()
    }
}

/// Returns an error in answer to a command.
fn error(code: u16, command: &Command) -> Option<Command> {
    let id = command.transaction_id()?;
    Command::new(Direction::ServerToClient, format!("{code} {id}").as_bytes(), None).ok()
}

/// Whether a client says this in answer to a server.
fn is_answer(command: &Command) -> bool {
    command.verb().as_bytes() == b"QRY"
}

/// Puts time and address of the client into its profile.
fn make_current(command: &mut Command, ends: Ends, time: SystemTime) {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    for (name, value) in [
        ("LoginTime", seconds.to_string()),
        ("ClientIP", ends.peer.ip().to_string()),
        // servers send the bytes of the port in network order, as a number of the other order
        ("ClientPort", ends.peer.port().swap_bytes().to_string()),
    ] {
        if command.headers().get(name).is_some() {
            // a message has a payload, and these values break no line
            let _ = command.set_header(name, value.as_bytes(), LengthPolicy::Repair);
        }
    }
}

/// How much longer than recorded a command that nobody asked for waits for what the client said before it on its other
/// connections, and the end for a last ping.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
