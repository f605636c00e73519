//! What was seen: the transcript of a session.
//!
//! [`event`] has the shapes, [`log`] writes them as JSON Lines, [`reader`] reads them back, [`transcript`] holds a whole one, [`mask`] hides credentials,
//! [`screen`] draws a dialogue for people, [`expression`] selects commands, [`state`] knows what the two ends have been
//! told, [`answer`] asks what came back for a command, [`lint`] finds what is wrong, [`coverage`] and [`stats`] count, [`extract`] takes
//! out pictures, files and texts, [`export`] writes forms that others read, [`sheet`] draws tables. No network here; only [`log`] and
//! [`reader`] touch files.

pub mod answer;
pub mod coverage;
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
