//! Captures and logs of MSNP made into transcripts, and transcripts into captures. No network.

pub mod export;
pub mod sink;

pub use sink::{Closer, ConnectionKey, Peers, Sink};

#[cfg(test)]
mod testing;
