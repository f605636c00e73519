//! What a rule does to a command. To add an action: a variant and an arm here, and its key in `load.rs`.

use std::borrow::Cow;
use std::time::Duration;

use memchr::memchr;
use memchr::memmem::Finder;
use msnp::argument;
use msnp::command::CommandError;
use msnp::{Command, Direction, LengthPolicy};
use regex::bytes::Regex;

use super::rule::Effect;
use super::template::Template;
use crate::fault::Fault;
use crate::hook::{Context, Hold};
use crate::injection::Injection;

/// One action of a rule. Those of one rule are done in the order of the variants.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// `set.NAME = "value"`
    Set { part: Part, value: Template },
    /// `replace = { in = "text", regex = "colou?r", with = "hue" }`
    Replace { part: Part, regex: Regex, word: Option<Box<Finder<'static>>>, with: Vec<u8> },
    /// `tag = "name"`
    Tag(String),
    /// `inject = { before = "PNG" }`
    Inject { place: Place, line: Template, payload: Option<Template> },
    /// `reply = "QNG 50"`
    Reply { line: Template, payload: Option<Template> },
    /// `duplicate = 2`
    Duplicate(u64),
    /// `drop = true`
    Drop,
    /// `delay = "500ms"`
    Delay(Duration),
    /// `hold = true`
    Hold(Hold),
    /// `fault = { type = "slicer", average_size = 10 }`
    Fault { fault: Fault, toxicity: f64 },
    /// `close = true`
    Close,
}

/// A part of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Index(usize),
    Argument(String),
    Header(String),
    Text,
    Payload,
}

/// Where an injected command goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Before,
    After,
    /// In the other direction: to the sender of the command at hand.
    Other,
}

/// Why an action could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActionError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("{verb} has no argument `{name}` here")]
    NoSuchArgument { verb: msnp::Verb, name: String },
    #[error("the length on the line would be wrong; `length = \"keep\"` allows that")]
    Length,
    #[error("a line announces a payload and has none; write {{ line = ..., payload = ... }}, or `length = \"keep\"`")]
    PayloadMissing,
}

impl Action {
    /// Does it. Returns whether anything came of it.
    pub(super) fn perform(
        &self,
        command: &mut Command,
        context: &mut Context<'_>,
        length: LengthPolicy,
        effect: &mut Effect<'_>,
    ) -> Result<bool, ActionError> {
        match self {
            Action::Set { part, value } => {
                let value = value.fill(command, context);
                set(command, part, &value, length, context)?;
            }
            Action::Replace { part, regex, word, with } => {
                return replace(command, part, (regex, word.as_deref()), with, length, context);
            }
            Action::Tag(tag) => context.tag(tag.as_str()),
            Action::Inject { place, line, payload } => {
                let direction = match place {
                    Place::Before | Place::After => command.direction(),
                    Place::Other => command.direction().opposite(),
                };
                let injected = make(direction, line, payload.as_ref(), command, context, length)?;
                match place {
                    Place::Before => effect.verdict.before.push(injected),
                    Place::After => effect.verdict.after.push(injected),
                    Place::Other => effect.verdict.replies.push(injected),
                }
            }
            Action::Reply { line, payload } => {
                let back = command.direction().opposite();
                effect.verdict.replies.push(make(back, line, payload.as_ref(), command, context, length)?);
            }
            Action::Duplicate(copies) => effect.copies += copies - 1,
            Action::Drop => effect.is_dropped = true,
            Action::Delay(delay) => {
                let before = effect.verdict.delay.unwrap_or_default();
                effect.verdict.delay = Some(before.saturating_add(*delay)).filter(|delay| !delay.is_zero());
            }
            Action::Hold(hold) => effect.verdict.hold = Some(*hold),
            Action::Fault { fault, toxicity } => {
                let mut chances = context.connection.chances(fault.seed, command.direction());
                if chances.f64() >= *toxicity || !fault.kind.concerns(command.as_bytes().len()) {
                    return Ok(false);
                }
                effect.verdict.faults.push(fault.clone().seeded(chances.u64(..)));
            }
            Action::Close => effect.verdict.close = true,
        }
        Ok(true)
    }
}

/// Makes a new command about the one at hand. To the server, `{trid}` at its place is an id of its own.
fn make(
    direction: Direction,
    line: &Template,
    payload: Option<&Template>,
    command: &Command,
    context: &Context<'_>,
    length: LengthPolicy,
) -> Result<Injection, ActionError> {
    let is_numbered = direction == Direction::ClientToServer && line.is_numbered();
    let line = line.fill(command, context);
    let payload = payload.map(|payload| payload.fill(command, context));
    let made = Command::new(direction, &line, payload.as_deref())?;
    if length == LengthPolicy::Repair && payload.is_none() && !made.is_framed() {
        return Err(ActionError::PayloadMissing);
    }
    let made = Injection::new(made);
    Ok(if is_numbered { made.numbered() } else { made })
}

fn set(
    command: &mut Command,
    part: &Part,
    value: &[u8],
    length: LengthPolicy,
    context: &Context<'_>,
) -> Result<(), ActionError> {
    match part {
        Part::Index(index) => set_argument(command, *index, &argument::protect(value), length)?,
        Part::Argument(name) => {
            let place = find(command, name, context)?;
            let value = [place.prefix.as_bytes(), &argument::protect(value)].concat();
            set_argument(command, place.index, &value, length)?;
        }
        Part::Header(name) => command.set_header(name, value, length)?,
        Part::Text => command.set_text(value, length)?,
        Part::Payload => command.set_payload(value, length)?,
    }
    Ok(())
}

/// Sets an argument, but not so that the receiver would look for the command's end elsewhere.
fn set_argument(command: &mut Command, index: usize, value: &[u8], length: LengthPolicy) -> Result<(), ActionError> {
    let before = command.clone();
    command.set_argument(index, value)?;
    if length == LengthPolicy::Repair && before.is_framed() && !command.is_framed() {
        *command = before;
        return Err(ActionError::Length);
    }
    Ok(())
}

fn replace(
    command: &mut Command,
    part: &Part,
    (regex, word): (&Regex, Option<&Finder<'static>>),
    with: &[u8],
    length: LengthPolicy,
    context: &Context<'_>,
) -> Result<bool, ActionError> {
    let payload = command.payload();
    let in_payload = match part {
        Part::Text => Some(command.text_range()),
        Part::Payload => Some(0..payload.len()),
        Part::Header(name) => command.headers().range(name),
        Part::Index(_) | Part::Argument(_) => None,
    };
    let subject = match (part, &in_payload) {
        (_, Some(range)) => payload.get(range.clone()),
        (Part::Index(index), None) => command.argument(*index),
        (Part::Argument(name), None) => find(command, name, context)
            .ok()
            .and_then(|place| command.argument(place.index)?.strip_prefix(place.prefix.as_bytes())),
        _ => None,
    };
    // what is not there does not match
    let Some(subject) = subject else { return Ok(false) };
    let (found, is_only) = match word {
        Some(word) => {
            let mut places = word.find_iter(subject);
            let Some(at) = places.next() else { return Ok(false) };
            (at..at + word.needle().len(), places.next().is_none())
        }
        None => {
            let mut places = regex.find_iter(subject);
            let Some(found) = places.next() else { return Ok(false) };
            (found.range(), places.next().is_none())
        }
    };
    if let Some(range) = &in_payload
        && is_only
        && memchr(b'$', with).is_none()
    {
        // one word for another, the usual case: no copy of all of it
        command.replace_in_payload(range.start + found.start..range.start + found.end, with, length)?;
        return Ok(true);
    }
    let Cow::Owned(replaced) = regex.replace_all(subject, with) else { return Ok(false) };
    match (in_payload, part) {
        (Some(range), Part::Text | Part::Payload) => command.replace_in_payload(range, &replaced, length)?,
        _ => set(command, part, &replaced, length, context)?,
    }
    Ok(true)
}

fn find(command: &Command, name: &str, context: &Context<'_>) -> Result<argument::Place, ActionError> {
    let arguments: Vec<&[u8]> = command.arguments().collect();
    argument::find(command.verb(), command.direction(), &arguments, context.scope, name)
        .ok_or_else(|| ActionError::NoSuchArgument { verb: command.verb(), name: name.to_owned() })
}
