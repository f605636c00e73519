//! [`Part`]: how far one recorded connection has been played.

use std::collections::{HashMap, HashSet, VecDeque};

use msnp::argument::Scope;
use msnp::flow::{Address, Facts, Redirect};
use msnp::{Command, LengthPolicy, challenge};

use crate::client::secrets::Questions;
use crate::script::Dialogue;

/// One recorded connection, as far as it was played.
pub(super) struct Part {
    pub(super) script: usize,
    pub(super) dialogue: usize,
    pub(super) state: State,
    /// Where it is connected to.
    pub(super) address: Option<Address>,
    /// Where an unrecorded redirect leads it.
    pub(super) sent_to: Option<Address>,
    pub(super) follows: u32,
    pub(super) facts: Facts,
    /// What came and was not waited for yet.
    pub(super) arrivals: VecDeque<Command>,
    kept_bytes: usize,
    heard: Vec<bool>,
    counted: Vec<bool>,
    /// Steps that did not come in time.
    pub(super) missing: Vec<usize>,
    /// Steps of the client that were left out.
    pub(super) unsaid: Vec<usize>,
    /// Steps of the client that were answered with an error.
    pub(super) refused: HashSet<usize>,
    /// The live redirects that came for recorded ones.
    pub(super) redirects: HashMap<usize, Redirect>,
    /// What the next `XFR` of MSNP21 is to be answered with.
    hops: HashMap<usize, Vec<u8>>,
    replies: Vec<Option<usize>>,
    pub(super) challenge: Option<Vec<u8>>,
    pub(super) questions: Questions,
    pub(super) is_cut_off: bool,
    /// Ids of answers to challenges that the recording does not have.
    own_ids: Vec<u32>,
}

/// How a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Not opened yet.
    Waiting,
    /// Open.
    Open,
    /// The server has closed it.
    Ended,
    /// It was closed, or could not be opened.
    Over,
}

/// Whether a step was heard before, on another connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    First,
    Again,
}

impl Part {
    pub(super) fn new(script: usize, dialogue: usize, recorded: &Dialogue) -> Part {
        let steps = recorded.steps.len();
        Part {
            script,
            dialogue,
            state: State::Waiting,
            address: None,
            sent_to: None,
            follows: 0,
            facts: Facts { server: None, version: recorded.version, account: None },
            arrivals: VecDeque::new(),
            kept_bytes: 0,
            heard: vec![false; steps],
            counted: vec![false; steps],
            missing: Vec::new(),
            unsaid: Vec::new(),
            refused: HashSet::new(),
            redirects: HashMap::new(),
            hops: HashMap::new(),
            replies: recorded.steps.iter().map(|step| step.reply_to).collect(),
            challenge: None,
            questions: Questions::default(),
            is_cut_off: false,
            own_ids: Vec::new(),
        }
    }

    /// Keeps what came until it is waited for. Returns whether there was room.
    pub(super) fn keep(&mut self, command: Command) -> bool {
        self.kept_bytes += command.as_bytes().len();
        let has_room = self.arrivals.len() < MOST_ARRIVALS && self.kept_bytes < MOST_BYTES;
        if has_room {
            self.arrivals.push_back(command);
        }
        has_room
    }

    /// A recorded step has come.
    pub(super) fn hear(&mut self, step: usize, live: &Command, redirect: Option<Redirect>) -> Heard {
        self.kept_bytes = self.kept_bytes.saturating_sub(live.as_bytes().len());
        self.heard[step] = true;
        if let Some(request) = self.replies[step].filter(|_| live.verb().is_error()) {
            self.refused.insert(request);
        }
        if let Some(redirect) = redirect {
            self.hops.extend(live.argument(5).map(|hop| (step, hop.to_vec())));
            self.redirects.insert(step, redirect);
        }
        let argument = |index: usize| live.argument(index).map(<[u8]>::to_vec);
        match (live.verb().as_bytes(), live.argument(1)) {
            (b"CHL", _) => self.challenge = argument(1),
            (b"USR", Some(b"MD5")) => self.questions.salt = argument(3),
            (b"USR", Some(b"SSO")) => self.questions.nonce = argument(4),
            _ => {}
        }
        match std::mem::replace(&mut self.counted[step], true) {
            true => Heard::Again,
            false => Heard::First,
        }
    }

    /// Is played from its beginning, elsewhere.
    pub(super) fn begin_anew(&mut self, address: Address) {
        self.follows += 1;
        self.state = State::Waiting;
        self.sent_to = Some(address);
        self.arrivals.clear();
        self.kept_bytes = 0;
        self.heard.fill(false);
        self.missing.clear();
        self.refused.clear();
        self.is_cut_off = false;
    }

    /// Puts the answer to a challenge into a `QRY`.
    pub(super) fn answer(&self, command: &mut Command, challenge: &[u8]) {
        let Some(version) = self.facts.version else { return };
        let product = command.argument(1).and_then(challenge::product).or_else(|| challenge::product_for(version));
        let Some(product) = product else { return };
        let answer = challenge::answer(challenge, product, version);
        // a product id is one argument, and a `QRY` has a payload
        let _ = command.set_argument(1, product.id.as_bytes());
        let _ = command.set_payload(answer.as_bytes(), LengthPolicy::Repair);
    }

    /// Returns an id that no recorded command has.
    pub(super) fn own_id(&mut self, last: u32) -> u32 {
        let id = last.saturating_add(1000).saturating_add(self.own_ids.len() as u32);
        if self.own_ids.len() < MOST_ARRIVALS {
            self.own_ids.push(id);
        }
        id
    }

    /// Whether a command answers what the recording does not have.
    pub(super) fn swallow(&self, command: &Command) -> bool {
        command.transaction_id().is_some_and(|id| self.own_ids.contains(&id.0))
    }

    /// Whether a step has come.
    pub(super) fn is_heard(&self, step: usize) -> bool {
        self.heard.get(step).is_some_and(|heard| *heard)
    }

    /// Returns what the redirect of a step wants to be told at the next server.
    pub(super) fn hop(&self, step: usize) -> Option<Vec<u8>> {
        self.hops.get(&step).cloned()
    }

    /// Returns what is known of the live connection.
    pub(super) fn scope(&self) -> Scope {
        Scope { server: self.facts.server, version: self.facts.version }
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // salts, nonces and cookies stay inside
        f.debug_struct("Part").field("state", &self.state).field("address", &self.address).finish_non_exhaustive()
    }
}

/// How many commands of a server are kept before they are waited for, and how many bytes.
const MOST_ARRIVALS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;
