//! MSNP inside HTTP: what clients behind a firewall `POST` to `gateway.dll`.
//!
//! One [`Gateways`] sees all connections of an import that [`crate::classify`] found to be such, since an MSNP session
//! there goes over any number of TCP connections. It tells the [`Sink`] of the MSNP connections inside.
//!
//! ```text
//! POST http://HOST/gateway/gateway.dll?Action=open&Server=NS|SB&IP=WANTED     a new session; the body is MSNP
//! POST http://HOST/gateway/gateway.dll?[Action=poll&]SessionID=ID             more of it, or a question whether there is any
//! X-MSN-Messenger: SessionID=ID; GW-IP=HOST[; Session=close]                  in each answer; the next request uses this id
//! ```

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use msnp::Direction;

use crate::report::Report;
use crate::sink::{Closer, ConnectionKey, Peers, Sink};
use tunnel::Tunnel;

mod http;
mod target;
#[cfg(test)]
mod tests;
mod tunnel;

/// The number of a TCP connection within an import.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TcpKey(pub u64);

/// The gateways of an import.
#[derive(Debug, Default)]
pub struct Gateways {
    tunnels: HashMap<TcpKey, Tunnel>,
    sessions: Sessions,
}

/// The MSNP connections inside.
#[derive(Debug, Default)]
struct Sessions {
    by_number: HashMap<u64, Session>,
    /// By the part of the id before its dot, which stays the same.
    by_id: HashMap<Vec<u8>, u64>,
    next: u64,
    found: u64,
    next_sweep: Option<SystemTime>,
}

#[derive(Debug)]
struct Session {
    key: ConnectionKey,
    id: Option<Vec<u8>>,
    /// Where the gateway wants the next request.
    gateway: Vec<u8>,
    last: SystemTime,
}

impl Gateways {
    /// A TCP connection speaks HTTP to a gateway.
    pub fn opened(&mut self, tcp: TcpKey, peers: &Peers, _time: SystemTime, report: &mut Report) {
        report.gateway_connections += 1;
        self.tunnels.insert(tcp, Tunnel::new(peers.clone()));
    }

    /// The next bytes of it.
    pub fn data(&mut self, tcp: TcpKey, direction: Direction, time: SystemTime, bytes: &[u8], sink: &mut dyn Sink) {
        self.sessions.sweep(time, sink);
        if let Some(tunnel) = self.tunnels.get_mut(&tcp) {
            tunnel.data(direction, time, bytes, &mut self.sessions, sink);
        }
    }

    /// Bytes are missing here.
    pub fn gap(
        &mut self,
        tcp: TcpKey,
        direction: Direction,
        time: SystemTime,
        length: Option<u64>,
        sink: &mut dyn Sink,
    ) {
        if let Some(tunnel) = self.tunnels.get_mut(&tcp) {
            tunnel.gap(direction, time, length, &mut self.sessions, sink);
        }
    }

    /// The TCP connection ends. What it carried may go on in another one.
    pub fn closed(&mut self, tcp: TcpKey, time: SystemTime, _by: Closer, sink: &mut dyn Sink) {
        if let Some(mut tunnel) = self.tunnels.remove(&tcp) {
            tunnel.closed(time, &mut self.sessions, sink);
        }
    }

    /// No TCP connection is left: closes what is open.
    pub fn finish(&mut self, time: SystemTime, sink: &mut dyn Sink) {
        self.tunnels.clear();
        self.sessions.close(time, |_| true, "the source ends here", sink);
        self.sessions.next_sweep = None;
    }

    /// Returns how many MSNP connections were found since it was asked last.
    pub fn take_found(&mut self) -> u64 {
        std::mem::take(&mut self.sessions.found)
    }
}

impl Sessions {
    /// Opens an MSNP connection. Its id comes with the answer, unless it had begun before.
    fn open(&mut self, id: Option<&[u8]>, peers: &Peers, time: SystemTime, sink: &mut dyn Sink) -> u64 {
        if self.by_number.len() >= MOST_SESSIONS {
            let oldest = self.by_number.values().map(|session| session.last).min();
            self.close(time, |session| Some(session.last) == oldest, "there are too many gateway sessions", sink);
        }
        let number = self.next;
        self.next += 1;
        self.found += 1;
        let key = sink.opened(peers, time);
        self.by_number.insert(number, Session { key, id: None, gateway: Vec::new(), last: time });
        if let Some(id) = id {
            self.name(number, id);
        }
        number
    }

    fn get(&mut self, number: u64, time: SystemTime) -> Option<&mut Session> {
        let session = self.by_number.get_mut(&number)?;
        session.last = session.last.max(time);
        Some(session)
    }

    fn find(&self, id: &[u8]) -> Option<u64> {
        self.by_id.get(stable(id)).copied()
    }

    /// Whether the gateway has not named the session yet.
    fn is_nameless(&self, number: u64) -> bool {
        self.by_number.get(&number).is_some_and(|session| session.id.is_none())
    }

    /// Gives a session the id that the gateway calls it by.
    fn name(&mut self, number: u64, id: &[u8]) {
        let id = stable(id);
        let Some(session) = self.by_number.get_mut(&number) else { return };
        if session.id.as_deref() == Some(id) {
            return;
        }
        if let Some(old) = session.id.replace(id.to_vec()) {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id.to_vec(), number);
    }

    fn end(&mut self, number: u64, time: SystemTime, by: Closer, reason: Option<&str>, sink: &mut dyn Sink) {
        let Some(session) = self.by_number.remove(&number) else { return };
        if let Some(id) = session.id.filter(|id| self.by_id.get(id) == Some(&number)) {
            self.by_id.remove(&id);
        }
        sink.closed(session.key, time, by, reason);
    }

    /// Ends what nobody has asked for since long: a client that goes away stops asking.
    fn sweep(&mut self, now: SystemTime, sink: &mut dyn Sink) {
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        self.next_sweep = Some(now + SWEEP);
        let is_over = |session: &Session| now.duration_since(session.last).is_ok_and(|idle| idle > IDLE);
        self.close(now, is_over, "no request was seen for long", sink);
    }

    fn close(&mut self, time: SystemTime, which: impl Fn(&Session) -> bool, reason: &str, sink: &mut dyn Sink) {
        let mut over: Vec<u64> =
            self.by_number.iter().filter(|(_, session)| which(session)).map(|(number, _)| *number).collect();
        over.sort_unstable();
        for number in over {
            self.end(number, time, Closer::Source, Some(reason), sink);
        }
    }
}

/// Returns the part of a session id that stays the same: what is before the dot.
fn stable(id: &[u8]) -> &[u8] {
    id.split(|&byte| byte == b'.').next().unwrap_or(id)
}

/// How many gateway sessions may be open.
const MOST_SESSIONS: usize = 1 << 16;
/// After how long without a request a session is over. Clients ask every few seconds, and gateways forget after a minute.
const IDLE: Duration = Duration::from_secs(300);
const SWEEP: Duration = Duration::from_secs(30);
