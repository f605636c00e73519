//! Replays a recorded session: the server's side to a live client, or the client's side to a live server.
//!
//! [`script::Script`] is a transcript as dialogues. What has to be decided is decided without sockets.

pub mod error;
pub mod script;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod testing;

pub use error::Error;
pub use script::Script;
