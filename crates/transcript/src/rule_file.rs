//! Files in TOML that say what becomes of commands: read key by key, with file, line and caret for what is wrong.
//!
//! What such a file means is for its reader to say; here is what all of them need.

mod problem;
mod table;

pub use problem::{Problem, render, render_all};
pub use table::{Reader, Value, did_you_mean};
