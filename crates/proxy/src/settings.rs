//! What can be set, with defaults. A key of the configuration file is a field here.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use msnp::flow::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::fault::StreamFault;

/// The settings of an engine.
#[derive(Clone, PartialEq, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Limits on what peers can make the proxy hold or wait for.
    pub limits: Limits,
    /// How clients that a server sends elsewhere come back.
    pub redirect: Redirect,
    /// Faults of whole connections, in the order in which bytes pass them.
    #[serde(rename = "fault")]
    pub faults: Vec<StreamFault>,
}

/// Limits on what peers can make the proxy hold or wait for.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Longest command line in bytes, its end included. A stream with a longer one is relayed unframed from there on.
    #[serde(deserialize_with = "at_least_one")]
    pub line: usize,
    /// Longest payload in bytes. A stream with a longer one is relayed unframed from there on.
    pub payload: usize,
    /// Most commands that may wait in one direction of a connection (delayed ones and those behind them); the proxy
    /// reads no further until there is room.
    #[serde(deserialize_with = "at_least_one")]
    pub lane_depth: usize,
    /// Most client connections at one time; further ones wait to be accepted.
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    /// How long connecting to a server may take, name look-up included.
    #[serde(with = "some_time")]
    pub connect_timeout: Duration,
    /// How long nothing may pass on a connection before it is closed.
    #[serde(with = "some_time")]
    pub idle_timeout: Duration,
    /// How long a client that has not finished its first line, which tells where it wants to go, may be silent before it
    /// is led to the configured server anyway.
    #[serde(with = "in_words")]
    pub opening_timeout: Duration,
    /// How long a line without an end is held back for hooks after its last byte, before it is forwarded unseen.
    #[serde(with = "in_words")]
    pub unfinished_line: Duration,
    /// How long a shutdown waits for commands in flight.
    #[serde(with = "in_words")]
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            line: 64 * 1024,
            payload: 1024 * 1024,
            lane_depth: 1024,
            connections: 10_000,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(2 * 60 * 60),
            opening_timeout: Duration::from_secs(1),
            unfinished_line: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// How clients that a server sends elsewhere come back through the proxy.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Redirect {
    /// The address to put into redirects, `host` or `host:port`, for clients behind NAT or in a virtual machine; by
    /// default the one on which the client reached the proxy.
    #[serde(with = "or_nothing")]
    pub advertise: Option<Address>,
    /// Ports to open when two different servers are pending for one client address; `0` lets the system choose.
    pub ports: Ports,
    /// How long a redirect waits for its client.
    #[serde(with = "some_time")]
    pub lifetime: Duration,
}

impl Default for Redirect {
    fn default() -> Redirect {
        Redirect { advertise: None, ports: Ports::default(), lifetime: Duration::from_secs(120) }
    }
}

/// A range of ports: `0`, `41000` or `41000-41099`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ports(pub RangeInclusive<u16>);

impl Default for Ports {
    fn default() -> Ports {
        Ports(0..=0)
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Ports, String> {
        let port = |text: &str| text.trim().parse::<u16>().ok();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Ports(first..=last)),
            _ => Err(format!("{text:?} is not a port or a range of ports such as 41000-41099")),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ports, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Parses a duration such as `250ms`, `10s` or `2h`.
///
/// # Errors
///
/// If it is none, or negative.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| format!("{text:?} is not a duration such as 250ms, 10s or 2h"))
}

/// Durations as text with a unit, for `#[serde(with)]`.
pub mod in_words {
    use super::*;

    /// Reads a text such as `250ms`.
    ///
    /// # Errors
    ///
    /// If it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

    /// Writes the duration with a unit.
    ///
    /// # Errors
    ///
    /// If the serializer fails.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match duration {
            short if short.subsec_micros() % 1000 != 0 => format!("{}us", short.as_micros()),
            whole if whole.subsec_nanos() != 0 => format!("{}ms", whole.as_millis()),
            hours if hours.as_secs() % 3600 == 0 => format!("{}h", hours.as_secs() / 3600),
            seconds => format!("{}s", seconds.as_secs()),
        };
        serializer.serialize_str(&text)
    }
}

/// Reads a number that makes no sense as 0.
fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        0 => Err(de::Error::custom("0 would let nothing pass; at least 1")),
        number => Ok(number),
    }
}

/// Durations that make no sense as 0, as text with a unit, for `#[serde(with)]`.
pub mod some_time {
    use super::*;

    pub use super::in_words::serialize;

    /// Reads a text such as `250ms`.
    ///
    /// # Errors
    ///
    /// If it is no duration, or 0.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match in_words::deserialize(deserializer)? {
            Duration::ZERO => Err(de::Error::custom("no time at all would end everything at once; a year is 8760h")),
            time => Ok(time),
        }
    }
}

/// An address, or the empty text for none.
mod or_nothing {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        let address = Address::parse(&text);
        address.map(Some).ok_or_else(|| de::Error::custom(format!("{text:?} is not an address such as host:1863")))
    }

    pub(super) fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&address.as_ref().map(ToString::to_string).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("-5s").is_err());
    }

    #[test]
    fn ports_are_one_or_a_range() {
        assert_eq!("41000-41099".parse(), Ok(Ports(41000..=41099)));
        assert_eq!("0".parse::<Ports>().unwrap().to_string(), "0");
        assert!("9-1".parse::<Ports>().is_err());
        assert!("x".parse::<Ports>().is_err());
    }
}
