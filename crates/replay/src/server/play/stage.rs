//! [`Stage`]: how far one recorded connection has been played.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use msnp::flow::Facts;
use msnp::{Command, challenge};

use super::Ends;
use crate::compare::Difference;
use crate::script::Dialogue;

/// One recorded connection, as far as it was played.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) state: State,
    ends: Ends,
    opened: Option<Instant>,
    /// For each step that the live client has said: its transaction id there.
    pub(super) ids: Vec<Option<Vec<u8>>>,
    /// For each step of the server: whether it was said.
    pub(super) sent: Vec<bool>,
    /// The furthest step that the client has said, each time it came further, and when.
    progress: Vec<(usize, Instant)>,
    /// When each of the client's commands that matter was recorded, in order, with its step.
    recorded: Vec<(Duration, usize)>,
    /// What the recording does not have and the client gets all the same.
    pub(super) replies: Vec<Command>,
    pub(super) facts: Facts,
    /// How often the client has pinged.
    pub(super) pings: usize,
    /// Whether the client has said `OUT`.
    pub(super) has_left: bool,
    challenge: Option<Vec<u8>>,
    salt: Option<Vec<u8>>,
}

/// Whether a recorded connection is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Not yet.
    Waiting,
    /// It is.
    Playing,
    /// It has ended.
    Over,
}

impl Stage {
    pub(super) fn new(dialogue: &Dialogue) -> Stage {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let matters = dialogue.requests().filter(|(_, step)| step.matters());
        Stage {
            state: State::Waiting,
            ends: Ends { number: 0, peer: nowhere, reached: nowhere },
            opened: None,
            ids: vec![None; dialogue.steps.len()],
            sent: vec![false; dialogue.steps.len()],
            progress: Vec::new(),
            recorded: matters.map(|(index, step)| (step.at, index)).collect(),
            replies: Vec::new(),
            facts: Facts { version: dialogue.version, ..Facts::default() },
            pings: 0,
            has_left: false,
            challenge: None,
            salt: None,
        }
    }

    pub(super) fn open(&mut self, ends: Ends, now: Instant) {
        self.state = State::Playing;
        self.ends = ends;
        self.opened = Some(now);
    }

    /// The live client has said a recorded command.
    pub(super) fn matched(&mut self, index: usize, command: &Command, now: Instant) {
        self.ids[index] = Some(command.argument(0).unwrap_or_default().to_vec());
        if self.progress.last().is_none_or(|(furthest, _)| *furthest < index) {
            self.progress.push((index, now));
        }
    }

    /// The client goes.
    pub(super) fn leave(&mut self) {
        self.has_left = true;
    }

    /// Keeps what the client has to compute with.
    pub(super) fn remember(&mut self, command: &Command) {
        match command.verb().as_bytes() {
            b"CHL" => self.challenge = command.argument(1).map(<[u8]>::to_vec),
            b"USR" if command.argument(1) == Some(b"MD5") => self.salt = command.argument(3).map(<[u8]>::to_vec),
            _ => {}
        }
    }

    pub(super) fn ends(&self) -> Ends {
        self.ends
    }

    /// Returns when the client came to a step or beyond it; with no step, when it connected.
    pub(super) fn passed(&self, step: Option<usize>) -> Option<Instant> {
        let Some(step) = step else { return self.opened };
        let place = self.progress.partition_point(|(furthest, _)| *furthest < step);
        self.progress.get(place).map(|(_, at)| *at)
    }

    /// Whether the client has said what matters and was recorded before a moment.
    pub(super) fn has_come_to(&self, at: Duration) -> bool {
        let before = self.recorded.partition_point(|(recorded, _)| *recorded < at);
        let last = before.checked_sub(1).and_then(|last| self.recorded.get(last));
        last.is_none_or(|(_, step)| self.passed(Some(*step)).is_some())
    }

    /// Returns since when a command of the server may be said; `None` if it may not, or was said already.
    pub(super) fn released_at(&self, dialogue: &Dialogue, step: usize) -> Option<Instant> {
        let said = dialogue.steps.get(step).filter(|said| !said.is_request() && !self.sent[step])?;
        match said.reply_to {
            Some(request) if dialogue.steps[request].matters() => {
                self.ids[request].as_ref()?;
                self.passed(Some(request))
            }
            Some(_) => self.opened,
            None => self.passed(said.gate),
        }
    }

    /// Returns the range of steps that go out with the last answer that is due: after the request, up to its answer.
    pub(super) fn last_answer(&self, dialogue: &Dialogue) -> Option<(usize, usize)> {
        let answers = dialogue.steps.iter().enumerate().rev();
        let mut due = answers.filter_map(|(index, step)| {
            let request = step.reply_to.filter(|&request| self.ids[request].is_some() && !self.sent[index])?;
            let took = step.at.saturating_sub(dialogue.steps[request].at);
            (took <= ANSWER_TIME).then_some((request, index))
        });
        due.next()
    }

    /// Returns how many commands of the server that matter were not said.
    pub(super) fn unsent(&self, dialogue: &Dialogue) -> usize {
        let said = dialogue.steps.iter().zip(&self.sent);
        said.filter(|(step, sent)| !step.is_request() && step.matters() && !**sent).count()
    }

    /// Returns what is wrong with the answer to the last challenge.
    pub(super) fn check_challenge(&self, dialogue: &Dialogue, command: &Command) -> Option<Difference> {
        let challenge = self.challenge.as_ref()?;
        let id = command.argument(1).unwrap_or_default();
        let Some(product) = challenge::product(id) else {
            return Some(Difference::new("product_id", b"a known product", id));
        };
        let version = self.facts.version.or(dialogue.version)?;
        let right = challenge::answer(challenge, product, version);
        (right.as_bytes() != command.payload()).then(|| Difference::new("payload", right.as_bytes(), command.payload()))
    }

    /// Returns what is wrong with a login by password; nothing if it is no such login.
    pub(super) fn check_password(&self, command: &Command, password: &str) -> Option<Difference> {
        let is_answer = command.argument(2) == Some(b"S");
        let (name, right) = match command.argument(1).filter(|_| is_answer)? {
            b"MD5" => ("md5_response", challenge::md5_login(self.salt.as_ref()?, password.as_bytes())),
            b"CTP" => ("password", password.to_owned()),
            _ => return None,
        };
        let is_right = command.argument(3) == Some(right.as_bytes());
        // neither is shown: both are as good as the password
        (!is_right).then(|| Difference::new(name, b"the right one", b"a wrong one"))
    }
}

/// Answers that took no longer in the recording come at once; later ones come when they came.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(2);
