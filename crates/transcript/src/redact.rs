//! Redaction: a transcript that can be shown to anybody, and still be read.
//!
//! [`table`] says what becomes of every place. A [`Redactor`] first learns who and what there is from all transcripts that
//! go together, then redacts each, and checks the result: once place by place, and once as if it knew nothing of places,
//! in every encoding.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use msnp_transcript::redact::{Options, Redactor};
//! # let transcripts: Vec<msnp_transcript::Transcript> = Vec::new();
//! let mut redactor = Redactor::new(Options::default());
//! transcripts.iter().for_each(|transcript| redactor.learn(transcript));
//! for transcript in &transcripts {
//!     let redacted = redactor.redact(transcript)?;
//!     assert!(redactor.check(&redacted).is_empty());
//! }
//! # Ok(())
//! # }
//! ```

mod check;
mod classes;
mod command;
mod events;
mod fuzz;
mod kind;
mod line;
mod map;
mod mime;
mod names;
mod net;
mod p2p;
mod passage;
mod pen;
mod pseudonym;
pub mod table;
mod xml;

use std::path::{Path, PathBuf};

pub use check::Leftover;
pub use fuzz::check_any_redaction;
pub use kind::{Kind, Policy, TextPolicy};
pub use map::{Map, MapError, MapValue};
pub use passage::Passage;

use names::{Mode, Names};
use net::Net;

use crate::event::Event;
use crate::transcript::Transcript;

/// How to redact.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// What becomes of the text of messages.
    pub text: TextPolicy,
    /// Accounts that may stay, such as `echo@example.org`; `*@example.org` is all of a domain. Their names do not stay.
    pub keep: Vec<String>,
    /// What an earlier call found out, so that the same people get the same names.
    pub map: Option<Map>,
}

/// Redacts transcripts that go together: the same person is the same pseudonym in all of them.
///
/// Transcripts are walked over event by event, each with a [`Passage`] of its own for each walk, or as a whole. All of them
/// are learned before the first is redacted: a pseudonym is no value that any of them has. What is redacted without having
/// been learned gets its pseudonyms on the way. It keeps what it has learned, which grows with the number of identities
/// and not with that of events.
#[derive(Debug)]
pub struct Redactor {
    names: Names,
    net: Net,
    text: TextPolicy,
    /// How many transcripts were learned.
    files: u64,
}

/// Why a transcript cannot be redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// A command would not be one command any more. Nobody knows of one.
    #[error("event {seq}: {verb} would not be one command any more")]
    Framing {
        /// The number of the event.
        seq: u64,
        /// The command's verb.
        verb: String,
    },
}

impl Redactor {
    /// Knows nobody yet, or those of [`Options::map`].
    pub fn new(options: Options) -> Redactor {
        let mut names = Names::new(&options.keep);
        if let Some(map) = &options.map {
            map.restore(&mut names);
        }
        let net = Net::new(&names);
        Redactor { names, net, text: options.text, files: 0 }
    }

    /// Puts down every value of a transcript.
    pub fn learn(&mut self, transcript: &Transcript) {
        let mut passage = Passage::new();
        transcript.events.iter().for_each(|event| self.learn_event(&mut passage, event));
        self.learn_name(&passage, &transcript.name);
    }

    /// Puts down every value of an event.
    pub fn learn_event(&mut self, passage: &mut Passage, event: &Event) {
        self.names.set_mode(Mode::Learn, passage.is_native);
        // what an event would become does not matter here
        let _ = events::redact(&mut self.names, None, self.text, passage, event);
    }

    /// Returns a copy of a transcript without anything of people in it, with a name that says nothing either.
    ///
    /// # Errors
    ///
    /// If a command cannot be redacted and stay one.
    pub fn redact(&mut self, transcript: &Transcript) -> Result<Transcript, RedactError> {
        let mut passage = Passage::new();
        let events = transcript.events.iter().map(|event| self.redact_event(&mut passage, event));
        let events = events.collect::<Result<_, _>>()?;
        Ok(Transcript { name: self.file_name(&transcript.name), events, problems: Vec::new() })
    }

    /// Returns a copy of an event without anything of people in it.
    ///
    /// # Errors
    ///
    /// If a command cannot be redacted and stay one.
    pub fn redact_event(&mut self, passage: &mut Passage, event: &Event) -> Result<Event, RedactError> {
        self.names.set_mode(Mode::Write, passage.is_native);
        self.renew();
        let redacted = events::redact(&mut self.names, Some(&self.net), self.text, passage, event)?;
        Ok(redacted)
    }

    /// Returns what is left in a redacted transcript of the values that were learned: nothing, if all is well.
    pub fn check(&mut self, redacted: &Transcript) -> Vec<Leftover> {
        let mut passage = Passage::new();
        let mut found: Vec<Leftover> =
            redacted.events.iter().flat_map(|event| self.check_event(&mut passage, event)).collect();
        found.extend(
            self.check_text(&redacted.name.to_string_lossy())
                .into_iter()
                .map(|leftover| Leftover { place: "name of the file".into(), ..leftover }),
        );
        found
    }

    /// Returns what is left in an event.
    pub fn check_event(&mut self, passage: &mut Passage, event: &Event) -> Vec<Leftover> {
        self.names.set_mode(Mode::Audit, passage.is_native);
        self.renew();
        let mut found = check::audit(&mut self.names, self.text, passage, event);
        found.extend(serde_json::to_value(event).map(|value| check::value(&self.net, &value)).unwrap_or_default());
        check::tidy(found)
    }

    /// Returns what is left in a line of any file: an event, any other JSON, or text.
    pub fn check_line(&mut self, line: &[u8]) -> Vec<Leftover> {
        self.names.settle();
        self.renew();
        check::tidy(check::line(&self.net, line))
    }

    /// Returns what is left in a text.
    pub fn check_text(&mut self, text: &str) -> Vec<Leftover> {
        self.check_line(text.as_bytes())
    }

    /// Puts down what the name of a file tells, at the end of the passage through it.
    pub fn learn_name(&mut self, passage: &Passage, name: &Path) {
        self.names.set_mode(Mode::Learn, passage.is_native);
        let _ = events::file_name(&mut self.names, None, name, 0);
    }

    /// Returns the name of a redacted file, without its folder: accounts are replaced in a name that the recorder gave;
    /// any other becomes `redacted-1.jsonl`.
    pub fn file_name(&mut self, name: &Path) -> PathBuf {
        self.files += 1;
        self.names.set_mode(Mode::Write, false);
        self.renew();
        events::file_name(&mut self.names, Some(&self.net), name, self.files).into()
    }

    /// Returns who is who: for the owner of the transcripts alone.
    pub fn map(&mut self) -> Map {
        self.names.settle();
        Map::of(&self.names)
    }

    fn renew(&mut self) {
        if self.net.is_old(&self.names) {
            self.net = Net::new(&self.names);
        }
    }
}
