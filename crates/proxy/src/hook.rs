//! The extension point: a [`Hook`] sees a command and decides what becomes of it.
//!
//! Rules and redirects are hooks, and so is anything that a program which embeds the engine adds. A hook runs on the
//! connection's own task: it is synchronous, does not sleep and does no input or output.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use msnp::argument::Scope;
use msnp::table::Slot;
use msnp::{Command, Direction, Verb, Version};

use crate::connection::Connection;
use crate::fault::Fault;
use crate::injection::Injection;
use crate::session::Session;

/// Sees commands and decides what becomes of them.
pub trait Hook: Send + Sync {
    /// Returns the hook's name, which stands in the transcript beside what it changed.
    fn name(&self) -> &str;

    /// Returns the commands that the hook wants to see. All others pass without it, at no cost.
    fn interest(&self) -> Interest {
        Interest::everything()
    }

    /// Returns a number that changes whenever [`Hook::interest`] does.
    fn generation(&self) -> u64 {
        0
    }

    /// Returns what is asked in the hook's place until [`Hook::generation`] changes: for one whose state is replaced as a
    /// whole, and which would otherwise look that state up for each command. `None`: the hook itself.
    fn present(&self) -> Option<Arc<dyn Hook>> {
        None
    }

    /// Sees one command, may edit it in place, and decides. Hooks are asked in the order in which they were added; each
    /// sees what the one before left.
    fn command(&self, command: &mut Command, context: &mut Context<'_>) -> Verdict;
}

/// What becomes of a command: by default it goes on, with the edits that were made.
#[derive(Clone, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct Verdict {
    /// What goes on in its place: nothing, or any number of commands. Towards the server, one of several that is neither
    /// the client's command nor a copy of it, by its transaction id, is an injection: id 0 becomes a free one, and its
    /// answers do not reach the client.
    pub replacement: Option<Vec<Command>>,
    /// What goes before it.
    pub before: Vec<Injection>,
    /// What goes behind it.
    pub after: Vec<Injection>,
    /// What goes back to its sender.
    pub replies: Vec<Injection>,
    /// How long it, and what comes behind it in its direction, waits.
    pub delay: Option<Duration>,
    /// Whether it waits until somebody releases it, and for how long at most.
    pub hold: Option<Hold>,
    /// Faults that begin with what goes on, if anything does.
    pub faults: Vec<Fault>,
    /// Whether the connection is closed afterwards, once all has been delivered.
    pub close: bool,
}

impl Verdict {
    /// The command goes on.
    pub fn forward() -> Verdict {
        Verdict::default()
    }

    /// The command goes nowhere.
    pub fn drop() -> Verdict {
        Verdict::replace(Vec::new())
    }

    /// These commands go on in its place.
    pub fn replace(commands: Vec<Command>) -> Verdict {
        Verdict { replacement: Some(commands), ..Verdict::default() }
    }

    /// The command goes nowhere, and this is the answer.
    pub fn reply(command: Command) -> Verdict {
        Verdict { replies: vec![command.into()], ..Verdict::drop() }
    }

    /// The command goes on after a while.
    pub fn delay(delay: Duration) -> Verdict {
        Verdict { delay: Some(delay), ..Verdict::default() }
    }

    /// The command waits until somebody releases it.
    pub fn hold(hold: Hold) -> Verdict {
        Verdict { hold: Some(hold), ..Verdict::default() }
    }

    /// A fault begins with the command.
    pub fn fault(fault: Fault) -> Verdict {
        Verdict { faults: vec![fault], ..Verdict::default() }
    }

    /// The command goes on, then the connection is closed.
    pub fn close() -> Verdict {
        Verdict { close: true, ..Verdict::default() }
    }

    /// Whether the command just goes on.
    pub fn is_plain(&self) -> bool {
        let is_alone = self.before.is_empty() && self.after.is_empty() && self.replies.is_empty();
        let is_prompt = self.delay.is_none() && self.hold.is_none() && self.faults.is_empty();
        is_alone && is_prompt && self.replacement.is_none() && !self.close
    }
}

/// How a command is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// After this time it goes on by itself.
    pub timeout: Duration,
    /// Whether challenges of the server are answered by the proxy while a command of the server is held.
    pub answer_challenges: bool,
}

impl Default for Hold {
    fn default() -> Hold {
        Hold { timeout: Duration::from_secs(60), answer_challenges: false }
    }
}

/// The commands that a hook wants to see: a set of verbs for each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    slots: [u128; 2],
}

impl Interest {
    /// No command.
    pub const fn nothing() -> Interest {
        Interest { slots: [0; 2] }
    }

    /// Every command.
    pub const fn everything() -> Interest {
        Interest { slots: [u128::MAX; 2] }
    }

    /// Adds a verb in one direction. All unknown verbs count as one, and all error codes.
    pub const fn and(mut self, direction: Direction, verb: Verb) -> Interest {
        self.slots[direction.index()] |= Slot::of(verb).bit();
        self
    }

    /// Takes a verb in one direction out again.
    pub const fn without(mut self, direction: Direction, verb: Verb) -> Interest {
        self.slots[direction.index()] &= !Slot::of(verb).bit();
        self
    }

    /// Adds every verb in one direction.
    pub const fn and_all(mut self, direction: Direction) -> Interest {
        self.slots[direction.index()] = u128::MAX;
        self
    }

    /// Adds what another set holds.
    pub const fn union(mut self, other: Interest) -> Interest {
        self.slots[0] |= other.slots[0];
        self.slots[1] |= other.slots[1];
        self
    }

    /// Whether the set holds the verb of this slot.
    #[inline]
    pub const fn holds(&self, direction: Direction, slot: Slot) -> bool {
        self.slots[direction.index()] & slot.bit() != 0
    }
}

/// What a hook is told about the command's surroundings, and where it leaves remarks.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The connection.
    pub connection: &'a Arc<Connection>,
    /// The session, once it is known to which the connection belongs.
    pub session: Option<&'a Arc<Session>>,
    /// Kind of server and version, as far as they are known.
    pub scope: Scope,
    /// The account that logs in, or the empty string.
    pub account: &'a str,
    /// The versions that the client offered on this connection.
    pub offered: &'a [Version],
    /// When the command arrived.
    pub time: SystemTime,
    /// Who changed the command so far.
    pub by: Vec<Arc<str>>,
    /// Tags for the transcript.
    pub tags: Vec<String>,
    /// Whether anybody is told of it.
    pub(crate) is_observed: bool,
}

impl<'a> Context<'a> {
    /// Returns a context in which nobody has changed anything yet.
    pub fn new(connection: &'a Arc<Connection>, scope: Scope, account: &'a str, time: SystemTime) -> Context<'a> {
        Context {
            connection,
            session: None,
            scope,
            account,
            offered: &[],
            time,
            by: Vec::new(),
            tags: Vec::new(),
            is_observed: true,
        }
    }

    /// Names who changed the command. A hook that changes one and names nobody is named itself.
    pub fn credit(&mut self, name: &Arc<str>) {
        if self.is_observed && !self.by.contains(name) {
            self.by.push(Arc::clone(name));
        }
    }

    /// Puts a tag on the command.
    pub fn tag(&mut self, tag: impl Into<String>) {
        self.tags.push(tag.into());
    }
}

/// The hooks of an engine, in order.
#[derive(Clone)]
pub(crate) struct Hooks {
    list: Arc<[Arc<dyn Hook>]>,
}

/// The hooks as they were when they were looked at last, which a connection asks until their generation changes.
pub(crate) struct Present {
    list: Box<[(Arc<dyn Hook>, Interest)]>,
    /// What they want together.
    interest: Interest,
    generation: u64,
}

/// What hooks together made of a command.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The verb of the command.
    pub(crate) verb: Option<Verb>,
    /// What goes before the command.
    pub(crate) before: Vec<Injection>,
    /// The command, or what takes its place.
    pub(crate) forward: Vec<Command>,
    /// What goes behind it.
    pub(crate) after: Vec<Injection>,
    /// What goes back.
    pub(crate) replies: Vec<Injection>,
    pub(crate) delay: Option<Duration>,
    pub(crate) hold: Option<Hold>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) close: bool,
}

impl Hooks {
    pub(crate) fn new(list: Vec<Arc<dyn Hook>>) -> Hooks {
        Hooks { list: list.into() }
    }

    /// Returns the hooks as they are now.
    pub(crate) fn present(&self) -> Present {
        // what changes meanwhile is noticed next time
        let generation = self.generation();
        let now = |hook: &Arc<dyn Hook>| hook.present().unwrap_or_else(|| Arc::clone(hook));
        let list: Box<[_]> = self.list.iter().map(now).map(|hook| (Arc::clone(&hook), hook.interest())).collect();
        let interest = list.iter().fold(Interest::nothing(), |all, (_, interest)| all.union(*interest));
        Present { list, interest, generation }
    }

    fn generation(&self) -> u64 {
        self.list.iter().fold(0u64, |sum, hook| sum.wrapping_add(hook.generation()))
    }
}

impl Present {
    /// Looks at the hooks again if they changed.
    pub(crate) fn refresh(&mut self, hooks: &Hooks) {
        if hooks.generation() != self.generation {
            *self = hooks.present();
        }
    }

    /// Returns what the hooks want together.
    pub(crate) fn interest(&self) -> Interest {
        self.interest
    }

    /// Asks the hooks that want it about `command`. Returns `None` if it goes on, edited in place or not, and nothing
    /// else happens.
    pub(crate) fn consult(&self, command: &mut Command, context: &mut Context<'_>) -> Option<Box<Outcome>> {
        let mut outcome: Option<Box<Outcome>> = None;
        for (hook, interest) in &self.list {
            match &mut outcome {
                None => {
                    if !interest.holds(command.direction(), command.slot()) {
                        continue;
                    }
                    let verdict = ask(hook.as_ref(), command, context);
                    if !verdict.is_plain() {
                        let mut first = Outcome { verb: Some(command.verb()), ..Outcome::default() };
                        first.add(verdict, command.clone());
                        outcome = Some(Box::new(first));
                    }
                }
                Some(outcome) => {
                    for mut command in std::mem::take(&mut outcome.forward) {
                        let is_wanted = interest.holds(command.direction(), command.slot());
                        let verdict =
                            if is_wanted { ask(hook.as_ref(), &mut command, context) } else { Verdict::forward() };
                        outcome.add(verdict, command);
                    }
                }
            }
        }
        outcome
    }
}

#[inline(always)]
fn ask(hook: &dyn Hook, command: &mut Command, context: &mut Context<'_>) -> Verdict {
    let (credited, edits) = (context.by.len(), command.edits());
    let verdict = hook.command(command, context);
    let changed = !verdict.is_plain() || command.edits() != edits;
    if changed && context.is_observed && context.by.len() == credited {
        context.credit(&hook.name().into());
    }
    verdict
}

impl Outcome {
    /// Whether it was a ping of the client, and the server does not get it.
    pub(crate) fn is_dropped_ping(&self) -> bool {
        self.forward.is_empty() && self.verb.is_some_and(|verb| verb.as_bytes() == b"PNG")
    }

    fn add(&mut self, verdict: Verdict, command: Command) {
        match verdict.replacement {
            Some(commands) => self.forward.extend(commands),
            None => self.forward.push(command),
        }
        self.before.extend(verdict.before);
        self.after.extend(verdict.after);
        self.replies.extend(verdict.replies);
        self.hold = self.hold.or(verdict.hold);
        self.delay = match (self.delay, verdict.delay) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.faults.extend(verdict.faults);
        self.close |= verdict.close;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Append(&'static str);

    impl Hook for Append {
        fn name(&self) -> &str {
            self.0
        }

        fn interest(&self) -> Interest {
            Interest::nothing().and(Direction::ClientToServer, "CHG".parse().unwrap())
        }

        fn command(&self, command: &mut Command, _: &mut Context<'_>) -> Verdict {
            let next = command.arguments().count();
            command.set_argument(next, self.0.as_bytes()).unwrap();
            Verdict::forward()
        }
    }

    struct Twice;

    impl Hook for Twice {
        fn name(&self) -> &str {
            "twice"
        }

        fn command(&self, command: &mut Command, _: &mut Context<'_>) -> Verdict {
            Verdict::replace(vec![command.clone(), command.clone()])
        }
    }

    fn consult(hooks: Vec<Arc<dyn Hook>>, line: &[u8]) -> (Command, Option<Box<Outcome>>, Vec<Arc<str>>) {
        let connection = Connection::example();
        let mut context = Context::new(&connection, Scope::default(), "", SystemTime::UNIX_EPOCH);
        let mut command = Command::new(Direction::ClientToServer, line, None).unwrap();
        let hooks = Hooks::new(hooks);
        let outcome = hooks.present().consult(&mut command, &mut context);
        (command, outcome, context.by)
    }

    #[test]
    fn each_hook_sees_what_the_one_before_left() {
        let (command, outcome, by) = consult(vec![Arc::new(Append("a")), Arc::new(Append("b"))], b"CHG 1 NLN");
        assert_eq!((command.line(), outcome.is_none()), (&b"CHG 1 NLN a b"[..], true));
        assert_eq!(by, ["a".into(), "b".into()]);
        let (_, outcome, _) = consult(vec![Arc::new(Twice), Arc::new(Append("b"))], b"CHG 1 NLN");
        let lines: Vec<Vec<u8>> = outcome.unwrap().forward.iter().map(|command| command.line().to_vec()).collect();
        assert_eq!(lines, [b"CHG 1 NLN b", b"CHG 1 NLN b"]);
    }

    #[test]
    fn a_hook_is_not_asked_about_what_it_does_not_want() {
        let (command, _, by) = consult(vec![Arc::new(Append("a"))], b"PNG");
        assert_eq!((command.line(), by.len()), (&b"PNG"[..], 0));
    }
}
