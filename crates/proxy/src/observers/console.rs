//! Draws the dialogue as it happens.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use msnp::Command;
use msnp_transcript::Expression;
use msnp_transcript::event::{Event as Line, Stem};
use msnp_transcript::expression::Subject;
use msnp_transcript::id::Stamp;
use msnp_transcript::screen::{Options, Screen};

use crate::observer::{About, Changed, Event, Observer};
use crate::observers::Outlet;
use crate::observers::convert::{self, Place};

/// The observer that draws.
pub struct Console {
    screen: Mutex<Screen>,
    out: Outlet,
    filter: Option<Expression>,
    keep_secrets: bool,
}

impl Console {
    /// Draws to `out`: only commands for which `filter` holds, if there is one.
    pub fn new(out: Outlet, options: Options, filter: Option<Expression>, keep_secrets: bool) -> Console {
        Console { screen: Mutex::new(Screen::new(options)), out, filter, keep_secrets }
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
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (line, passes) in lines {
            if passes {
                text += &screen.draw(&line);
            } else {
                screen.learn(&line);
            }
        }
        // with the screen in hand: what was drawn first is said first
        self.out.say(&text);
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("filter", &self.filter).finish_non_exhaustive()
    }
}
