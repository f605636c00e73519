//! [`Sink`]: what every source of old traffic tells, be it a capture or a log.

use std::ops::ControlFlow;
use std::time::SystemTime;

use msnp::Direction;
use msnp_transcript::event::Source;

/// Takes what a source holds: connections, and the bytes of both of their directions as they came.
///
/// A source tells of the events of all connections in the order of their time, and closes what it has opened.
pub trait Sink {
    /// What is told from here on comes from this source. Told once for each input, before anything else of it.
    fn source(&mut self, source: &Source);
    /// A connection begins; returns the key by which the source calls it.
    fn opened(&mut self, peers: &Peers, time: SystemTime) -> ConnectionKey;
    /// Bytes that follow on those before, in this direction.
    fn data(&mut self, connection: ConnectionKey, direction: Direction, time: SystemTime, bytes: &[u8]);
    /// Bytes are missing here, so many if that is known.
    fn gap(&mut self, connection: ConnectionKey, direction: Direction, time: SystemTime, length: Option<u64>);
    /// A remark about the connection.
    fn note(&mut self, connection: ConnectionKey, time: SystemTime, text: &str);
    /// The connection ends.
    fn closed(&mut self, connection: ConnectionKey, time: SystemTime, by: Closer, reason: Option<&str>);
    /// Everything at hand has been told, and the source is about to wait for more. The answer is whether it shall go on.
    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The two ends of a connection, `ip:port`; empty where the source does not say.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Peers {
    /// The client.
    pub client: String,
    /// The server.
    pub server: String,
}

/// A connection of a source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionKey(pub u64);

/// Who closed a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closer {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Nobody that the source shows: it ends before the connection does.
    Source,
}
