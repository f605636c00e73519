//! What was seen: the transcript of a session.
//!
//! [`event`] has the shapes, [`log`] writes them as JSON Lines, [`reader`] reads them back, [`transcript`] holds a whole
//! one, [`mask`] hides credentials and [`redact`] people, [`screen`] draws a dialogue for people, [`export`] writes forms
//! that others read, [`expression`] selects commands, [`state`] knows what the two ends have been told, [`answer`] asks
//! what came back for a command, [`lint`] finds what is wrong, [`diff`] compares, [`coverage`] and [`stats`] count, [`sheet`]
//! draws tables, [`extract`] takes out pictures, files and texts. No network here; only a few of them touch files.

pub mod answer;
pub mod coverage;
pub mod diff;
pub mod event;
pub mod export;
pub mod expression;
pub mod extract;
pub mod id;
pub mod json;
pub mod lint;
pub mod log;
pub mod mask;
pub mod reader;
pub mod redact;
pub mod rule_file;
mod scopes;
pub mod screen;
pub mod sheet;
pub mod state;
pub mod stats;
pub mod transcript;

pub use event::{CommandEvent, Event};
pub use expression::Expression;
pub use reader::Reader;
pub use state::{SessionState, StateExpression};
pub use transcript::Transcript;
