//! Replays a recorded session: the server's side to a live client, or the client's side to a live server.
//!
//! [`Script`] is a transcript as dialogues. [`server`] plays the recorded server, [`client`] the recorded client; both end
//! with a [`Report`] of what the live peer did differently. What has to be decided is decided without sockets; the network
//! is a thin layer around that.

mod adapt;
pub mod client;
mod compare;
pub mod error;
pub mod record;
pub mod report;
pub mod script;
pub mod server;
#[cfg(test)]
mod testing;

pub use compare::Difference;
pub use error::Error;
pub use record::Recording;
pub use report::{Outcome, Report};
pub use script::Script;
