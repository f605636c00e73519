//! Captures and logs of MSNP made into transcripts, and transcripts into captures. No network.
//!
//! [`source`] finds out what an input is and reads it: packet captures through [`packets`] and [`tcp`], and each connection of
//! them by what it carries ([`classify`]). Whatever the source, it tells a [`Sink`]; [`Transcripts`] is the one that frames,
//! joins connections into sessions and writes them as a recording proxy would. [`export`] goes the other way.

pub mod classify;
pub mod error;
pub mod export;
pub mod gateway;
pub mod logs;
pub mod report;
pub mod sink;
pub mod source;

pub use error::ReadError;
pub use report::Report;
pub use sink::{Closer, ConnectionKey, Peers, Sink};
pub use source::Importer;

#[cfg(test)]
mod testing;
