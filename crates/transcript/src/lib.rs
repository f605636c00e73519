//! What was seen: the transcript of a session.
//!
//! [`event`] has the shapes, [`log`] writes them as JSON Lines, [`reader`] reads them back, [`transcript`] holds a whole one, [`mask`] hides credentials,
//! [`screen`] draws a dialogue for people, [`expression`] selects commands, [`state`] knows what the two ends have been
//! told, [`answer`] asks what came back for a command, [`extract`] takes out pictures, files and texts. No network here; only [`log`] and [`reader`] touch files.

pub mod answer;
pub mod event;
pub mod expression;
pub mod extract;
pub mod id;
pub mod json;
pub mod log;
pub mod mask;
pub mod reader;
pub mod screen;
pub mod state;
pub mod transcript;

pub use event::{CommandEvent, Event};
pub use expression::Expression;
pub use reader::Reader;
pub use state::{SessionState, StateExpression};
pub use transcript::Transcript;
