//! Draws the dialogue as it happens.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use msnp::Command;
use msnp_transcript::Expression;
use msnp_transcript::event::{Event as Line, Stem};
use msnp_transcript::expression::Subject;
use msnp_transcript::id::Stamp;
use msnp_transcript::screen::{Options, Screen};

use crate::observer::{About, Changed, Event, Observer};
use crate::observers::convert::{self, Place};

/// The observer that draws.
pub struct Console {
    state: Mutex<State>,
    filter: Option<Expression>,
    keep_secrets: bool,
}

struct State {
    screen: Screen,
    out: Box<dyn Write + Send>,
    is_broken: bool,
}

impl Console {
    /// Draws to `out`: only commands for which `filter` holds, if there is one.
    pub fn new(
        out: Box<dyn Write + Send>,
        options: Options,
        filter: Option<Expression>,
        keep_secrets: bool,
    ) -> Console {
        let state = State { screen: Screen::new(options), out, is_broken: false };
        Console { state: Mutex::new(state), filter, keep_secrets }
    }

    fn passes(&self, command: &Command, about: &About<'_>, origin: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            filter.matches(&Subject {
                command,
                scope: about.scope,
                account: about.session.account().unwrap_or_default(),
                session: about.session.id(),
                connection: about.connection.map_or(0, |connection| connection.number),
                origin,
            })
        })
    }

    fn command(&self, command: &Command, changed: Option<&Changed>, about: &About<'_>, stem: &Stem) -> (Line, bool) {
        let line = convert::command(command, changed, Place::of(about), stem.clone(), self.keep_secrets);
        (line, self.passes(command, about, "peer"))
    }
}

impl Observer for Console {
    fn observe(&self, event: &Event<'_>, about: &About<'_>) {
        let time = Stamp::of(about.time).to_string();
        let stem = Stem { seq: 0, time, session: about.session.id().to_owned() };
        let lines: Vec<(Line, bool)> = match event {
            Event::Commands(run) => run.commands().map(|command| self.command(&command, None, about, &stem)).collect(),
            Event::Changed(changed) => {
                let mut lines = vec![self.command(&changed.received, Some(changed), about, &stem)];
                let passes = lines[0].1;
                lines.extend(
                    changed.tags.iter().map(|tag| (convert::tag(Place::of(about), stem.clone(), 0, tag), passes)),
                );
                lines
            }
            Event::Injected { command, by } => {
                let line = convert::injected(command, by, Place::of(about), stem.clone(), self.keep_secrets);
                vec![(line, self.passes(command, about, "injected"))]
            }
            other => {
                let line = convert::plain(other, about, stem, self.keep_secrets);
                line.into_iter().map(|line| (line, self.filter.is_none())).collect()
            }
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (line, passes) in lines {
            if passes {
                text += &state.screen.draw(&line);
            } else {
                state.screen.learn(&line);
            }
        }
        // a reader that went away is no reason to end the proxy
        if !text.is_empty() && !state.is_broken {
            let written = state.out.write_all(text.as_bytes()).and_then(|()| state.out.flush());
            state.is_broken = written.is_err();
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("filter", &self.filter).finish_non_exhaustive()
    }
}
