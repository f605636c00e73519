//! MSNP inside HTTP: what clients behind a firewall `POST` to `gateway.dll`.
//!
//! One [`Gateways`] sees all connections of an import that [`crate::classify`] found to be such, since an MSNP session
//! there goes over any number of TCP connections. It tells the [`Sink`] of the MSNP connections inside.

use std::time::SystemTime;

use msnp::Direction;

use crate::report::Report;
use crate::sink::{Closer, Peers, Sink};

/// The number of a TCP connection within an import.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TcpKey(pub u64);

/// The gateways of an import.
#[derive(Debug, Default)]
pub struct Gateways {}

impl Gateways {
    /// A TCP connection speaks HTTP to a gateway.
    pub fn opened(&mut self, _tcp: TcpKey, _peers: &Peers, _time: SystemTime, report: &mut Report) {
        report.gateway_connections += 1;
    }

    /// The next bytes of it.
    pub fn data(
        &mut self,
        _tcp: TcpKey,
        _direction: Direction,
        _time: SystemTime,
        _bytes: &[u8],
        _sink: &mut dyn Sink,
    ) {
    }

    /// Bytes are missing here.
    pub fn gap(
        &mut self,
        _tcp: TcpKey,
        _direction: Direction,
        _time: SystemTime,
        _length: Option<u64>,
        _sink: &mut dyn Sink,
    ) {
    }

    /// The TCP connection ends. What it carried may go on in another one.
    pub fn closed(&mut self, _tcp: TcpKey, _time: SystemTime, _by: Closer, _sink: &mut dyn Sink) {}

    /// No TCP connection is left: closes what is open.
    pub fn finish(&mut self, _time: SystemTime, _sink: &mut dyn Sink) {}
}
