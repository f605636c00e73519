//! A command as a row: what `json` and `csv` write.

use std::collections::BTreeMap;

use msnp::Command;
use msnp::argument;
use msnp::command::lossy;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fate::fates;
use super::summary::between;
use super::walk::Step;
use crate::event::{CommandEvent, Payload, Sent, Server, Text, Way};

/// One command. Absent fields do not apply.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    /// The session's id.
    pub(super) session: &'a str,
    /// `seq` of the event: with the session it names the command.
    pub(super) seq: u64,
    /// RFC 3339, UTC, microseconds.
    pub(super) time: &'a str,
    /// Seconds since the session's first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) account: &'a str,
    /// The version, `MSNP12`, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) connection: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<Server>,
    pub(super) direction: Way,
    pub(super) verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trid: Option<u32>,
    pub(super) args: &'a [Text],
    /// The arguments that have a documented name; percent-encoding is resolved.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) named: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<&'a Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    /// Bytes of the whole command.
    pub(super) size: usize,
    pub(super) origin: &'static str,
    /// `changed`, `added`, `dropped`, `delayed`, `held`, `injected`, `replayed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fate: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<&'a [Sent]>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delay: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<u64>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    pub(super) tags: &'a [&'a str],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) masked: &'a [String],
    /// Name of an error, if the verb is a known code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    /// What the command means, from the table of verbs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meaning: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// Describes a command; `start` is the time of the session's first event.
    pub(super) fn of(
        step: &'a Step<'a>,
        event: &'a CommandEvent,
        command: &Command,
        tags: &'a [&'a str],
        start: &str,
    ) -> Row<'a> {
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let described = argument::describe(command.verb(), command.direction(), &arguments, step.scope);
        let error = command.verb().error_code().and_then(msnp::errors::lookup);
        let trid = msnp::command::transaction_id(command.direction(), command.line(), step.scope);
        let mut fate: Vec<&'static str> = fates(event, command).iter().map(super::fate::Fate::word).collect();
        fate.dedup();
        Row {
            session: &event.stem.session,
            seq: event.stem.seq,
            time: &event.stem.time,
            seconds: between(start, &event.stem.time).map(|since| since.as_secs_f64()),
            account: &step.account,
            version: step.scope.version.map(|version| version.to_string()),
            connection: event.connection,
            server: step.scope.server.map(Into::into),
            direction: event.direction,
            verb: &event.verb,
            trid: trid.map(|id| id.0),
            args: &event.args,
            named: named(described.as_ref().map_or(&[], |(_, names)| names), &arguments),
            payload: event.payload.as_ref(),
            content_type: content_type(command),
            size: command.as_bytes().len(),
            origin: event.origin.as_str(),
            fate,
            sent: event.sent.as_deref(),
            by: &event.by,
            delay: event.delay,
            held: event.held,
            tags,
            masked: &event.masked,
            error: error.map(|error| error.name),
            meaning: error.map(|error| error.meaning).or(described.map(|(row, _)| row.meaning)),
        }
    }
}

/// Names that repeat, such as `dialect`, have a list of values.
fn named(names: &[Option<&'static str>], arguments: &[&[u8]]) -> Map<String, Value> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for (name, value) in names.iter().zip(arguments) {
        let Some(name) = name else { continue };
        if !found.contains_key(name) {
            order.push(*name);
        }
        found.entry(name).or_default().push(lossy(&argument::decode(value)).into_owned());
    }
    let values = order.into_iter().filter_map(|name| {
        let mut values = found.remove(name)?;
        let value = if values.len() == 1 { Value::from(values.remove(0)) } else { Value::from(values) };
        Some((name.to_owned(), value))
    });
    values.collect()
}

/// Returns the content type of a payload without its parameters, in lower case.
fn content_type(command: &Command) -> Option<String> {
    let headers = command.headers();
    let full = lossy(headers.content_type()?).to_lowercase();
    Some(full.split(';').next().unwrap_or_default().trim().to_owned())
}
