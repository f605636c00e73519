//! One rule: when it holds, and what it does then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use msnp::types::{Direction, ServerKind, Verb};
use msnp::{Command, LengthPolicy};
use msnp_transcript::Expression;
use msnp_transcript::expression::Subject;
use tracing::warn;

use super::action::Action;
use crate::hook::{Context, Interest, Verdict};

/// One rule.
#[derive(Debug)]
pub struct Rule {
    pub(super) name: Arc<str>,
    pub(super) direction: Option<Direction>,
    /// All, if there is none.
    pub(super) verbs: Vec<Verb>,
    /// All, if there is none.
    pub(super) servers: Vec<ServerKind>,
    pub(super) when: Option<Expression>,
    pub(super) probability: Option<f64>,
    pub(super) first: Option<u64>,
    pub(super) every: Option<u64>,
    pub(super) seed: Option<u64>,
    pub(super) length: LengthPolicy,
    pub(super) actions: Vec<Action>,
    pub(super) counts: Arc<Counts>,
    pub(super) has_complained: AtomicBool,
    pub(super) is_enabled: AtomicBool,
}

/// What a rule has done so far. It goes on counting when its file is loaded again.
#[derive(Debug, Default)]
pub(super) struct Counts {
    matches: AtomicU64,
    hits: AtomicU64,
}

impl Counts {
    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

/// What the rules together do to one command, besides editing it.
#[derive(Debug)]
pub(super) struct Effect<'a> {
    pub(super) verdict: &'a mut Verdict,
    pub(super) copies: u64,
    pub(super) is_dropped: bool,
}

impl Rule {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many commands the rule has changed, answered, delayed, dropped or tagged.
    pub fn hits(&self) -> u64 {
        self.counts.hits()
    }

    /// Whether the rule is asked.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    pub(super) fn interest(&self) -> Interest {
        if !self.is_enabled() {
            return Interest::nothing();
        }
        let directions =
            Direction::BOTH.into_iter().filter(|direction| self.direction.is_none_or(|own| own == *direction));
        directions.fold(Interest::nothing(), |all, direction| match &self.verbs[..] {
            [] => all.and_all(direction),
            verbs => verbs.iter().fold(all, |all, &verb| all.and(direction, verb)),
        })
    }

    /// Does what the rule says, if it holds for the command.
    pub(super) fn apply(&self, command: &mut Command, context: &mut Context<'_>, effect: &mut Effect<'_>) {
        if !self.holds(command, context) || !self.is_its_turn(command, context) {
            return;
        }
        let mut has_effect = false;
        for action in &self.actions {
            match action.perform(command, context, self.length, effect) {
                Ok(done) => has_effect |= done,
                Err(error) => {
                    if !self.has_complained.swap(true, Ordering::Relaxed) {
                        warn!(rule = %self.name, verb = %command.verb(), %error, "a rule cannot do what it says");
                    }
                }
            }
        }
        if has_effect {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
            context.credit(&self.name);
        }
    }

    /// The cheap questions first.
    fn holds(&self, command: &Command, context: &Context<'_>) -> bool {
        self.is_enabled()
            && self.direction.is_none_or(|direction| direction == command.direction())
            && (self.verbs.is_empty() || self.verbs.contains(&command.verb()))
            && (self.servers.is_empty() || context.scope.server.is_some_and(|server| self.servers.contains(&server)))
            && self.when.as_ref().is_none_or(|when| {
                when.matches(&Subject {
                    command,
                    scope: context.scope,
                    account: context.account,
                    session: context.session.map_or("", |session| session.id()),
                    connection: context.connection.number,
                    origin: "peer",
                })
            })
    }

    /// Counts a match, and tells whether it is one of those that the rule is for.
    fn is_its_turn(&self, command: &Command, context: &Context<'_>) -> bool {
        if self.first.is_none() && self.every.is_none() && self.probability.is_none() {
            return true;
        }
        let number = self.counts.matches.fetch_add(1, Ordering::Relaxed) + 1;
        self.first.is_none_or(|first| number <= first)
            && self.every.is_none_or(|every| number.is_multiple_of(every))
            && self.probability.is_none_or(|probability| {
                context.connection.chances(self.seed, command.direction()).f64() < probability
            })
    }
}

impl Effect<'_> {
    pub(super) fn on(verdict: &mut Verdict) -> Effect<'_> {
        Effect { verdict, copies: 1, is_dropped: false }
    }

    /// Puts copies of the edited command, or none, in its place.
    pub(super) fn conclude(self, command: &Command) {
        if self.is_dropped || self.copies != 1 {
            let copies = if self.is_dropped { 0 } else { usize::try_from(self.copies).unwrap_or(usize::MAX) };
            self.verdict.replacement = Some(vec![command.clone(); copies]);
        }
    }
}
