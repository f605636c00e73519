//! Goes through a transcript with all that is known at each event.

use std::collections::HashMap;

use msnp::Command;
use msnp::argument::Scope;

use super::Options;
use crate::Transcript;
use crate::event::{CommandEvent, Event};
use crate::expression::Subject;
use crate::screen::Tracker;

/// An event on the way.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// Index in [`Transcript::events`].
    pub(super) index: usize,
    pub(super) event: &'a Event,
    /// What is known of the connection.
    pub(super) scope: Scope,
    /// The account, or the empty string.
    pub(super) account: String,
    pub(super) what: What<'a>,
}

/// What an event is to an export.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// A command that is wanted.
    Command(&'a CommandEvent, Command),
    /// A command that the filter leaves out.
    LeftOut,
    /// An event that says it is a command, but is none.
    Broken,
    /// Any other event.
    Other,
}

/// Calls `visit` with every event.
pub(super) fn walk<'a, E>(
    transcript: &'a Transcript,
    options: &Options,
    mut visit: impl FnMut(Step<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut tracker = Tracker::default();
    for (index, event) in transcript.events.iter().enumerate() {
        tracker.learn(event);
        let connection = event.connection().unwrap_or_default();
        let scope = tracker.scope(connection);
        let account = tracker.account(&event.stem().session, connection).to_owned();
        let what = match event {
            Event::Command(event) => match event.command() {
                Ok(command) if passes(options, event, &command, scope, &account) => What::Command(event, command),
                Ok(_) => What::LeftOut,
                Err(_) => What::Broken,
            },
            _ => What::Other,
        };
        visit(Step { index, event, scope, account, what })?;
        tracker.forget(event);
    }
    Ok(())
}

/// Calls `visit` with every command that is wanted, and returns a remark for each that is none.
pub(super) fn commands<'a, E>(
    transcript: &'a Transcript,
    options: &Options,
    mut visit: impl FnMut(&Step<'a>, &'a CommandEvent, &Command) -> Result<(), E>,
) -> Result<Vec<String>, E> {
    let mut remarks = Vec::new();
    walk(transcript, options, |step| {
        match &step.what {
            What::Command(event, command) => visit(&step, event, command)?,
            What::Broken => remarks.push(broken(transcript, step.event)),
            What::LeftOut | What::Other => {}
        }
        Ok(())
    })?;
    Ok(remarks)
}

/// Says that an event is no command.
pub(super) fn broken(transcript: &Transcript, event: &Event) -> String {
    format!("{}: event {} describes no command and is left out", transcript.name.display(), event.stem().seq)
}

fn passes(options: &Options, event: &CommandEvent, command: &Command, scope: Scope, account: &str) -> bool {
    options.filter.as_ref().is_none_or(|filter| {
        filter.matches(&Subject {
            command,
            scope,
            account,
            session: &event.stem.session,
            connection: event.connection,
            origin: event.origin.as_str(),
        })
    })
}

/// The tags of a transcript, by the `seq` of the command.
pub(super) fn tags(transcript: &Transcript) -> HashMap<u64, Vec<&str>> {
    let mut tags: HashMap<u64, Vec<&str>> = HashMap::new();
    for event in &transcript.events {
        if let Event::Tag(event) = event {
            tags.entry(event.command).or_default().push(&event.tag);
        }
    }
    tags
}
