//! The addresses of streams: those of the transcript where packets can have them, else made-up ones.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use msnp::flow::Address;
use msnp_transcript::event::ConnectionOpened;

/// The addresses that are in use in one file.
#[derive(Debug, Default)]
pub(super) struct Peers {
    used: HashSet<Ends>,
    names: HashMap<String, Ipv4Addr>,
    made_up: u32,
}

/// Client and server of a stream; both IPv4 or both IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Peers {
    /// Returns the ends of a new stream, and says in `remarks` what stands for what.
    pub(super) fn assign(&mut self, opened: Option<&ConnectionOpened>, remarks: &mut Vec<String>) -> Ends {
        let number = opened.map_or(0, |opened| opened.connection);
        let client = opened.map_or("", |opened| &opened.client);
        let upstream = opened.map_or("", |opened| &opened.upstream);
        let mut ends = Ends { client: self.client(client), server: self.server(upstream) };
        ends = ends.of_one_family();
        while !self.used.insert(ends) {
            ends = Ends { client: self.next_client(), server: ends.server }.of_one_family();
        }
        for (side, is, was) in [("client", ends.client, client), ("server", ends.server, upstream)] {
            if was.parse() != Ok(is) {
                let was = if was.is_empty() { "no address" } else { was };
                remarks.push(format!("#{number} {side} {is} for {was}"));
            }
        }
        ends
    }

    /// Returns the names that addresses stand for.
    pub(super) fn names(&self) -> Vec<(Ipv4Addr, &str)> {
        let mut names: Vec<_> = self.names.iter().map(|(name, address)| (*address, name.as_str())).collect();
        names.sort_unstable();
        names
    }

    fn client(&mut self, text: &str) -> SocketAddr {
        match text.parse::<SocketAddr>() {
            // the lower port is asked for a dissector first
            Ok(address) if address.port() > Address::DEFAULT_PORT => address,
            Ok(address) => SocketAddr::new(address.ip(), self.next_client().port()),
            Err(_) => self.next_client(),
        }
    }

    fn server(&mut self, text: &str) -> SocketAddr {
        let host = Address::parse(text).map(|address| address.host).unwrap_or_default();
        let ip = match host.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) => IpAddr::V4(self.named(&host)),
        };
        SocketAddr::new(ip, Address::DEFAULT_PORT)
    }

    fn named(&mut self, host: &str) -> Ipv4Addr {
        if host.is_empty() {
            return SERVERS;
        }
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX).saturating_add(1);
        let ip = match next {
            1..=253 => Ipv4Addr::from_bits(SERVERS.to_bits() + next),
            // the networks of documentation are small; that of benchmarks is next to the last of them
            _ => Ipv4Addr::from_bits(MORE_SERVERS.to_bits().saturating_add(next)),
        };
        *self.names.entry(host.to_ascii_lowercase()).or_insert(ip)
    }

    fn next_client(&mut self) -> SocketAddr {
        let number = self.made_up;
        self.made_up = self.made_up.wrapping_add(1);
        let ip = Ipv4Addr::from_bits(CLIENTS.to_bits().wrapping_add(number / PORTS % 254));
        SocketAddr::new(ip.into(), FIRST_PORT + (number % PORTS) as u16)
    }
}

impl Ends {
    /// Returns the same ends, an IPv4 address beside an IPv6 one mapped into it.
    fn of_one_family(self) -> Ends {
        match (self.client.ip(), self.server.ip()) {
            (IpAddr::V4(client), IpAddr::V6(_)) => {
                let client = SocketAddr::new(client.to_ipv6_mapped().into(), self.client.port());
                Ends { client, ..self }
            }
            (IpAddr::V6(_), IpAddr::V4(server)) => {
                let server = SocketAddr::new(server.to_ipv6_mapped().into(), self.server.port());
                Ends { server, ..self }
            }
            _ => self,
        }
    }
}

const CLIENTS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVERS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const MORE_SERVERS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// The first of the ports that are nobody's.
const FIRST_PORT: u16 = 49152;
const PORTS: u32 = 65536 - FIRST_PORT as u32;
