//! [`Injection`]: a command that no peer sent, and what came back for it.

use std::sync::Arc;
use std::time::Duration;

use msnp::{Command, Direction};
use tokio::sync::mpsc;

/// A command that is put into a connection.
///
/// To the server it travels under a transaction id of its own, and what the server answers comes back here and not to the
/// client. To the client it is sent between two whole commands.
#[derive(Clone, Debug)]
pub struct Injection {
    pub(crate) command: Command,
    pub(crate) numbering: Numbering,
    pub(crate) by: Option<Arc<str>>,
    pub(crate) answers: Option<Answers>,
    pub(crate) patience: Duration,
}

/// Which transaction id an injected command gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbering {
    /// The one it has.
    AsWritten,
    /// Its first argument is replaced: to the server by the next id, to the client by one that the client can accept (0
    /// where the server may speak unasked, else the client's latest).
    Fresh,
}

/// What becomes of an injected command.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// It left, in this form.
    Sent(Command),
    /// The server answered.
    Reply(Command),
    /// That was all.
    Done(Done),
}

/// Why no more answers come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Done {
    /// The grammar of the command says that its answer is complete, or that there is none.
    Complete,
    /// Nothing more came for a while.
    Quiet,
    /// The connection ended first.
    Closed,
    /// Too many injections wait for answers on this connection, or its receiver takes nothing and 8 MiB wait for that: it
    /// was not sent.
    Busy,
    /// The stream cannot be framed, so there is no place between two commands: it was not sent.
    Unframed,
}

impl Done {
    /// Returns it as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Done::Complete => "complete",
            Done::Quiet => "quiet",
            Done::Closed => "closed",
            Done::Busy => "busy",
            Done::Unframed => "unframed",
        }
    }
}

/// Where answers go. One that is not taken in time is lost.
pub type Answers = mpsc::Sender<Answer>;

impl Injection {
    /// Injects `command` as it is.
    pub fn new(command: Command) -> Injection {
        Injection { command, numbering: Numbering::AsWritten, by: None, answers: None, patience: PATIENCE }
    }

    /// Gives it a transaction id of its own, in place of its first argument.
    #[must_use]
    pub fn numbered(mut self) -> Injection {
        self.numbering = Numbering::Fresh;
        self
    }

    /// Names who injects it, for the transcript.
    #[must_use]
    pub fn by(mut self, name: impl Into<Arc<str>>) -> Injection {
        self.by = Some(name.into());
        self
    }

    /// Asks for its answers.
    #[must_use]
    pub fn answers(mut self, answers: Answers) -> Injection {
        self.answers = Some(answers);
        self
    }

    /// Waits so long for the first answer where the grammar of the command does not say what comes.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Injection {
        self.patience = patience;
        self
    }

    /// Returns the command.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// Returns which way it goes.
    pub fn direction(&self) -> Direction {
        self.command.direction()
    }

    pub(crate) fn tell(&self, answer: Answer) {
        if let Some(answers) = &self.answers {
            // whoever does not read has lost interest
            let _ = answers.try_send(answer);
        }
    }
}

impl From<Command> for Injection {
    fn from(command: Command) -> Injection {
        Injection::new(command)
    }
}

/// How long a first answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
