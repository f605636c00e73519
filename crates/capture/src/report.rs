//! [`Report`]: what an import came across, and what it left out.

use std::collections::BTreeMap;

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
    /// Those of them that were inside HTTP.
    pub inside_http: u64,
    /// Gaps in these: bytes that were sent, but not captured.
    pub gaps: u64,
    /// How many bytes that are.
    pub missing_bytes: u64,
    /// Bytes of these that came again.
    pub repeated_bytes: u64,
    /// Those of them that were others than at first.
    pub different_bytes: u64,
    /// Segments of these that came out of order.
    pub out_of_order: u64,
    /// What was left out, and why.
    pub left_out: LeftOut,
    /// What was read of logs.
    pub logs: Logs,
}

/// Packets that were left out, by reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// They hold no TCP over IP.
    pub not_tcp: u64,
    /// They make no sense.
    pub malformed: u64,
    /// Their end was not captured; the rest was taken.
    pub cut_short: u64,
    /// Fragments of IP packets that never became whole.
    pub fragments: u64,
    /// Blocks of the capture that make no sense.
    pub blocks: u64,
    /// They are of a link type that is not read: how many, by its number.
    pub link_types: BTreeMap<u32, u64>,
}

/// What was read of logs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Logs {
    /// Commands read.
    pub commands: u64,
    /// Commands whose payload the log leaves out.
    pub missing_payloads: u64,
    /// Lines that are nothing of MSNP.
    pub other_lines: u64,
    /// What could not be read, each with its place: the first [`MOST_PROBLEMS`].
    pub problems: Vec<String>,
    /// How many more there were.
    pub more_problems: u64,
}

impl Logs {
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
