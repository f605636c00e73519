//! [`Report`]: what an import came across, and what it left out.

use serde::Serialize;

/// What was read, counted over all inputs of an import.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Packets read.
    pub packets: u64,
    /// TCP connections seen.
    pub tcp_connections: u64,
    /// Those of them that speak HTTP to an MSNP gateway.
    pub gateway_connections: u64,
    /// MSNP connections told to the sink.
    pub msnp_connections: u64,
    /// Commands read from logs.
    pub commands: u64,
    /// Commands of logs whose payload the log leaves out.
    pub missing_payloads: u64,
    /// Lines of logs that are nothing of MSNP.
    pub other_lines: u64,
    /// What could not be read, each with its place: the first [`MOST_PROBLEMS`].
    pub problems: Vec<String>,
    /// How many more there were.
    pub more_problems: u64,
}

impl Report {
    /// Adds what could not be read.
    pub fn problem(&mut self, text: String) {
        match self.problems.len() < MOST_PROBLEMS {
            true => self.problems.push(text),
            false => self.more_problems += 1,
        }
    }
}

/// How many problems are told one by one.
pub const MOST_PROBLEMS: usize = 100;
