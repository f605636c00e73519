//! Faults in files: `[[fault]]` of the configuration and `fault` of a rule, which have the same keys for what a fault
//! does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use msnp::Direction;
use msnp_transcript::rule_file::{Problem, Reader, Value, did_you_mean};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Kind;
use crate::settings::in_words;

/// A fault of the configuration: of every connection, of those of one listener, or of some of them by chance.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(try_from = "Table", into = "Table")]
#[non_exhaustive]
pub struct StreamFault {
    /// Its name, by default `<type>_<stream>`.
    pub name: Arc<str>,
    /// What it does.
    pub kind: Kind,
    /// Which way the bytes go that it is about: `downstream`, towards the client, or `upstream`.
    pub stream: Direction,
    /// Only connections that came in on this address of `listen`; by default all.
    pub listen: Option<SocketAddr>,
    /// The share of connections that it affects, from 0 to 1.
    pub toxicity: f64,
    /// The same seed affects the same connections, counted from the start, in the same way. By default that differs each
    /// time.
    pub seed: Option<u64>,
}

/// The keys of a fault.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a fault: {type = \"latency\", latency = \"250ms\"}")]
struct Table {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toxicity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_variation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Time(#[serde(with = "in_words")] Duration);

/// A value that does not fit.
#[derive(PartialEq, Debug, thiserror::Error)]
#[error("{message}")]
struct Wrong {
    key: &'static str,
    message: String,
    help: Option<String>,
}

/// A type of fault: its name, the keys that say what it does, and an example.
type Row = (&'static str, &'static [&'static str], &'static str);

const KINDS: &[Row] = &[
    ("latency", &["latency", "jitter"], r#"type = "latency", latency = "250ms""#),
    ("bandwidth", &["rate"], r#"type = "bandwidth", rate = 10"#),
    ("slow_close", &["delay"], r#"type = "slow_close", delay = "2s""#),
    ("timeout", &["timeout"], r#"type = "timeout", timeout = "30s""#),
    ("reset_peer", &["timeout"], r#"type = "reset_peer", timeout = "1s""#),
    ("slicer", &["average_size", "size_variation", "delay"], r#"type = "slicer", average_size = 10, delay = "1ms""#),
    ("limit_data", &["bytes"], r#"type = "limit_data", bytes = 1000"#),
];

/// What else a fault of the configuration has.
const OF_STREAM: &[&str] = &["name", "stream", "listen", "toxicity", "seed"];
/// What else a fault of a rule has.
pub(crate) const OF_RULE: &[&str] = &["toxicity"];

/// Returns what is wrong with the faults of a configuration file.
pub fn check(file: &Path, source: &str) -> Vec<Problem> {
    let mut reader = Reader::new(file, source);
    let (table, _) = DeTable::parse_recoverable(source);
    if let Some(list) = table.get_ref().get("fault") {
        match list.get_ref() {
            DeValue::Array(list) => list.iter().for_each(|fault| {
                read(&mut reader, fault, OF_STREAM);
            }),
            _ => reader.problem(list.span(), "`fault` must be a list of tables", Some("write [[fault]]".to_owned())),
        }
    }
    reader.problems
}

/// Reads a fault that may have the keys `more`; `None` if it has a problem.
pub(crate) fn read(reader: &mut Reader<'_>, value: &Value<'_>, more: &[&str]) -> Option<StreamFault> {
    let table = reader.table(value, "`fault`")?;
    let Some(kind) = table.get("type") else {
        let help = format!("write for instance {}", KINDS[0].2);
        reader.problem(value.span(), "`fault` lacks `type`", Some(help));
        return None;
    };
    let name = reader.string(kind, "`type`")?;
    let Some((_, keys, _)) = row(name) else {
        let wrong = unknown(name);
        reader.problem(kind.span(), wrong.message, wrong.help);
        return None;
    };
    let known = reader.problems.len();
    reader.check_keys(table, &format!("a fault of type {name}"), &[&["type"], *keys, more].concat());
    if reader.problems.len() > known {
        return None;
    }
    let read = match Table::deserialize(ValueDeserializer::from(value.clone())) {
        Ok(read) => read,
        Err(error) => {
            reader.problems.push(Problem::of_toml(reader.file, reader.source, &error));
            return None;
        }
    };
    StreamFault::try_from(read)
        .map_err(|wrong| {
            let place = table.get(wrong.key).map_or(value.span(), Value::span);
            reader.problem(place, wrong.message, wrong.help);
        })
        .ok()
}

fn row(name: &str) -> Option<&'static Row> {
    KINDS.iter().find(|(known, ..)| *known == name)
}

fn unknown(name: &str) -> Wrong {
    let names = KINDS.iter().map(|(known, ..)| *known);
    let help = did_you_mean(name, names.clone())
        .unwrap_or_else(|| format!("faults are {}", names.collect::<Vec<_>>().join(", ")));
    Wrong { key: "type", message: format!("unknown fault {name:?}"), help: Some(help) }
}

impl TryFrom<Table> for StreamFault {
    type Error = Wrong;

    fn try_from(table: Table) -> Result<StreamFault, Wrong> {
        let kind = table.kind()?;
        let toxicity = table.toxicity.unwrap_or(1.0);
        let wrong = |key, message, help| Err(Wrong { key, message, help });
        if !(0.0..=1.0).contains(&toxicity) {
            return wrong("toxicity", format!("`toxicity` must be a number from 0 to 1, found {toxicity}"), None);
        }
        let stream = table.stream.unwrap_or_else(|| STREAMS[1].to_owned());
        let Some(direction) = Direction::BOTH.into_iter().find(|way| STREAMS[way.index()] == stream) else {
            let message = format!("`stream` must be \"upstream\" or \"downstream\", found {stream:?}");
            let help = did_you_mean(&stream, STREAMS);
            return wrong("stream", message, help.or(Some("downstream is towards the client".to_owned())));
        };
        Ok(StreamFault {
            name: table.name.unwrap_or_else(|| format!("{}_{stream}", kind.name())).into(),
            kind,
            stream: direction,
            listen: table.listen,
            toxicity,
            seed: table.seed,
        })
    }
}

/// The two streams, by [`Direction::index`].
const STREAMS: [&str; 2] = ["upstream", "downstream"];

impl Table {
    fn kind(&self) -> Result<Kind, Wrong> {
        let Some((name, keys, example)) = row(&self.r#type) else { return Err(unknown(&self.r#type)) };
        let help = || Some(format!("write for instance {example}"));
        let lacks = |key| Wrong { key: "type", message: format!("{name} lacks `{key}`"), help: help() };
        let time = |time: Option<Time>| time.map(|Time(time)| time);
        let rest = |given: Option<Time>| time(given).unwrap_or_default();
        let least_one = |key, number: Option<u64>| match number {
            None => Err(lacks(key)),
            Some(0) => Err(Wrong { key, message: format!("`{key}` must be a whole number from 1"), help: help() }),
            Some(number) => Ok(number),
        };
        let other = self.given().into_iter().find(|key| !keys.contains(key));
        if let Some(key) = other {
            return Err(Wrong { key, message: format!("{name} has no `{key}`"), help: help() });
        }
        Ok(match *name {
            "latency" => {
                let latency = time(self.latency).ok_or_else(|| lacks("latency"))?;
                Kind::Latency { latency, jitter: rest(self.jitter) }
            }
            "bandwidth" => Kind::Bandwidth { rate: least_one("rate", self.rate)? },
            "slow_close" => Kind::SlowClose { delay: time(self.delay).ok_or_else(|| lacks("delay"))? },
            "timeout" => Kind::Timeout { timeout: rest(self.timeout) },
            "reset_peer" => Kind::ResetPeer { timeout: rest(self.timeout) },
            "slicer" => {
                let average_size = least_one("average_size", self.average_size)?;
                let size_variation = self.size_variation.unwrap_or(0);
                if size_variation >= average_size {
                    let message = "`size_variation` must be less than `average_size`".to_owned();
                    return Err(Wrong { key: "size_variation", message, help: help() });
                }
                Kind::Slicer { average_size, size_variation, delay: rest(self.delay) }
            }
            _ => Kind::LimitData { bytes: self.bytes.ok_or_else(|| lacks("bytes"))? },
        })
    }

    /// Returns which of the keys are there that say what a fault does.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("latency", self.latency.is_some()),
            ("jitter", self.jitter.is_some()),
            ("rate", self.rate.is_some()),
            ("delay", self.delay.is_some()),
            ("timeout", self.timeout.is_some()),
            ("average_size", self.average_size.is_some()),
            ("size_variation", self.size_variation.is_some()),
            ("bytes", self.bytes.is_some()),
        ];
        given.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect()
    }
}

impl From<StreamFault> for Table {
    fn from(fault: StreamFault) -> Table {
        let mut table = Table {
            r#type: fault.kind.name().to_owned(),
            name: Some(fault.name.to_string()),
            stream: Some(STREAMS[fault.stream.index()].to_owned()),
            listen: fault.listen,
            toxicity: Some(fault.toxicity),
            seed: fault.seed,
            ..Table::default()
        };
        let time = |time| Some(Time(time));
        match fault.kind {
            Kind::Latency { latency, jitter } => (table.latency, table.jitter) = (time(latency), time(jitter)),
            Kind::Bandwidth { rate } => table.rate = Some(rate),
            Kind::SlowClose { delay } => table.delay = time(delay),
            Kind::Timeout { timeout } | Kind::ResetPeer { timeout } => table.timeout = time(timeout),
            Kind::Slicer { average_size, size_variation, delay } => {
                (table.average_size, table.size_variation) = (Some(average_size), Some(size_variation));
                table.delay = time(delay);
            }
            Kind::LimitData { bytes } => table.bytes = Some(bytes),
        }
        table
    }
}
