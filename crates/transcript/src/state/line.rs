//! A command with what is known of its connection, and the addresses in it.

use msnp::argument::Scope;
use msnp::command::lossy;
use msnp::{Command, ServerKind};

use super::text;

/// A command to learn from.
pub(super) struct Line<'a> {
    pub(super) connection: u64,
    pub(super) command: &'a Command,
    pub(super) scope: Scope,
}

impl Line<'_> {
    /// Returns the argument with this documented name.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.command.argument_named(name, self.scope)
    }

    /// Returns the name or message that it is.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(text::decoded)
    }

    /// Returns the id that it is.
    pub(super) fn token(&self, name: &str) -> Option<String> {
        self.get(name).map(text::token)
    }

    /// Returns the number that it is.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.get(name)?).ok()?.parse().ok()
    }

    /// Returns the address in the argument `email`, with the network that stands beside it in MSNP12 to MSNP17.
    pub(super) fn address(&self) -> Option<Address> {
        let mut address = Address::parse(self.get("email")?)?;
        address.network_id = address.network_id.or_else(|| self.number("network_id"));
        Some(address)
    }

    /// Whether the other end is a switchboard. Where nobody said, a verb that only switchboards know tells.
    pub(super) fn is_on_switchboard(&self) -> bool {
        match self.scope.server {
            Some(server) => server == ServerKind::Switchboard,
            None => {
                matches!(self.command.verb().as_bytes(), b"IRO" | b"JOI" | b"BYE" | b"CAL" | b"ANS" | b"ACK" | b"NAK")
            }
        }
    }
}

/// An address as commands name it.
///
/// ```text
/// bob@example.com                                  MSNP2 on
/// bob@example.com;{9a8b7c6d-...}                   one endpoint, MSNP16 on
/// 1:bob@example.com                                with the network, MSNP18
/// 1:bob@example.com;via=9:0000...@live.com         as member of a circle
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Address {
    /// In lower case.
    pub(super) address: String,
    pub(super) network_id: Option<u32>,
    pub(super) endpoint: Option<String>,
    pub(super) is_via_circle: bool,
}

impl Address {
    /// Reads an address; `None` for what is none or too long to be one.
    pub(super) fn parse(token: &[u8]) -> Option<Address> {
        if token.len() > LONGEST_ADDRESS {
            return None;
        }
        let lower = lossy(token).to_lowercase();
        let mut parts = lower.split(';');
        let address = parts.next()?;
        let (network_id, address) = match address.split_once(':') {
            Some((network, rest)) if network.bytes().all(|byte| byte.is_ascii_digit()) => {
                (Some(network.parse().ok()?), rest)
            }
            _ => (None, address),
        };
        let mut found = Address { address: address.to_owned(), network_id, ..Address::default() };
        for part in parts {
            found.is_via_circle |= part.starts_with("via=");
            if part.starts_with('{') || part.starts_with("epid=") {
                found.endpoint = Some(text::token(part.trim_start_matches("epid=").as_bytes()));
            }
        }
        is_address(&found.address).then_some(found)
    }
}

/// Whether a text can be an address: of mail or of a telephone, not longer than those are.
pub(super) fn is_address(text: &str) -> bool {
    text.len() <= LONGEST_ADDRESS && (text.contains('@') || text.starts_with("tel:"))
}

/// 254 bytes of an address, a network, an endpoint, a circle.
const LONGEST_ADDRESS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_network_endpoint_and_circle() {
        let bob = Address { address: "bob@example.com".into(), ..Address::default() };
        assert_eq!(Address::parse(b"Bob@example.com"), Some(bob.clone()));
        let live = Address { network_id: Some(1), ..bob.clone() };
        assert_eq!(Address::parse(b"1:bob@example.com"), Some(live.clone()));
        let endpoint = Some("{9a8b}".to_owned());
        assert_eq!(Address::parse(b"bob@example.com;{9A8B}"), Some(Address { endpoint: endpoint.clone(), ..bob }));
        assert_eq!(Address::parse(b"1:bob@example.com;epid={9a8b}"), Some(Address { endpoint, ..live.clone() }));
        let via = Address { is_via_circle: true, ..live };
        assert_eq!(Address::parse(b"1:bob@example.com;via=9:0-0@live.com"), Some(via));
        assert_eq!(Address::parse(b"tel:+15550100").unwrap().address, "tel:+15550100");
        for bad in [&b""[..], b"bob", b"99999999999:bob@example.com", &[b'@'; 513]] {
            assert_eq!(Address::parse(bad), None);
        }
    }
}
