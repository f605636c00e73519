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
}
