//! Captures and logs of MSNP made into transcripts, and transcripts into captures. No network.
//!
//! [`source`] finds out what an input is and reads it: captures packet by packet, through [`tcp`], and each connection by what it
//! carries ([`classify`]). Whatever the source, it tells a [`Sink`]; [`Transcripts`] is the one that frames, joins connections
//! into sessions and writes them as a recording proxy would. [`export`] goes the other way.

pub mod check;
pub mod classify;
mod compression;
pub mod error;
pub mod export;
mod fragments;
pub mod gateway;
mod ip;
mod link;
pub mod logs;
mod packets;
pub mod report;
pub mod sink;
pub mod source;
pub mod tcp;
pub mod transcripts;

pub use error::ReadError;
pub use report::Report;
pub use sink::{Closer, ConnectionKey, Peers, Sink};
pub use source::Importer;
pub use transcripts::Transcripts;

#[cfg(test)]
mod testing;
