//! What stands at the head of a session.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use msnp::errors;
use msnp::types::Direction;

use super::Options;
use super::fate::fates;
use super::walk::{What, walk};
use crate::Transcript;
use crate::event::{Event, Lack, Server, Source};

/// The facts of a session.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) account: Option<String>,
    /// The last one that a connection agreed on.
    pub(super) version: Option<String>,
    /// RFC 3339, as the first event has it.
    pub(super) start: String,
    pub(super) duration: Option<Duration>,
    pub(super) software: String,
    pub(super) source: Option<Source>,
    pub(super) connections: BTreeMap<u64, Connection>,
    /// Commands that are wanted, and all of them.
    pub(super) commands: u64,
    pub(super) all_commands: u64,
    pub(super) altered: u64,
    /// How often each error was told, by code.
    pub(super) errors: BTreeMap<u16, u64>,
    /// Whether the transcript says that the session is over.
    pub(super) is_closed: bool,
}

/// The facts of a connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) server: Option<Server>,
    pub(super) upstream: String,
    pub(super) client: String,
    /// When it was seen first, and last.
    pub(super) start: String,
    pub(super) end: String,
    pub(super) commands: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) errors: u64,
    /// `by` and reason of its end.
    pub(super) closed: Option<String>,
    /// The connection that led to it, and how.
    pub(super) joined: Option<(u64, &'static str)>,
}

impl Connection {
    /// Returns `ds`, `ns`, `sb`, or `??`.
    pub(super) fn kind(&self) -> &'static str {
        self.server.map_or("??", |server| msnp::ServerKind::from(server).as_str())
    }

    /// Returns what the kind is called.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.server {
            Some(Server::Ds) => "dispatch server",
            Some(Server::Ns) => "notification server",
            Some(Server::Sb) => "switchboard",
            None => "unknown server",
        }
    }
}

impl Summary {
    /// Looks through a transcript.
    pub(super) fn of(transcript: &Transcript, options: &Options) -> Summary {
        let mut summary = Summary {
            id: transcript.id().to_owned(),
            account: transcript.account(),
            start: transcript.events.first().map(|event| event.stem().time.clone()).unwrap_or_default(),
            ..Summary::default()
        };
        if let Some(header) = transcript.header() {
            summary.software.clone_from(&header.software);
            summary.source.clone_from(&header.source);
        }
        let walked = walk(transcript, options, |step| {
            summary.learn(step.event, &step.what);
            if let (Some(version), true) = (step.scope.version, step.event.connection().is_some()) {
                summary.version = Some(version.to_string());
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match walked {
            Ok(()) => {}
        }
        if let Some(end) = transcript.events.last() {
            summary.duration = between(&summary.start, &end.stem().time);
        }
        if summary.lacks(Lack::Times) {
            summary.duration = None;
        }
        summary
    }

    /// Whether the source could not tell something.
    pub(super) fn lacks(&self, lack: Lack) -> bool {
        self.source.as_ref().is_some_and(|source| source.lacks.contains(&lack))
    }

    fn learn(&mut self, event: &Event, what: &What<'_>) {
        if matches!(event, Event::SessionClosed(_)) {
            self.is_closed = true;
        }
        if let Event::Command(_) = event {
            self.all_commands += 1;
        }
        let Some(number) = event.connection().filter(|&number| number != 0) else { return };
        let connection = self.connections.entry(number).or_default();
        let time = &event.stem().time;
        if connection.start.is_empty() {
            connection.start.clone_from(time);
        }
        connection.end.clone_from(time);
        match event {
            Event::ConnectionOpened(opened) => {
                connection.server = opened.server;
                connection.upstream.clone_from(&opened.upstream);
                connection.client.clone_from(&opened.client);
            }
            Event::SessionJoined(joined) => {
                let by = match joined.by {
                    crate::event::JoinedBy::Cookie => "cookie",
                    crate::event::JoinedBy::Invitation => "invitation",
                    crate::event::JoinedBy::Redirect => "redirect",
                };
                connection.joined = Some((joined.from, by));
            }
            Event::ConnectionClosed(closed) => {
                let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                connection.closed = Some(format!("{}{reason}", closed.by));
                connection.bytes = [closed.client_bytes, closed.server_bytes];
            }
            Event::Command(event) => {
                connection.server = event.server.or(connection.server);
                if let What::Command(_, command) = what {
                    self.commands += 1;
                    connection.commands[Direction::from(event.direction).index()] += 1;
                    self.altered += u64::from(!fates(event, command).is_empty());
                    if let (Direction::ServerToClient, Some(code)) = (command.direction(), command.verb().error_code())
                    {
                        *self.errors.entry(code).or_default() += 1;
                        connection.errors += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns the servers that it led to, each once, in order.
    pub(super) fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for connection in self.connections.values() {
            if !connection.upstream.is_empty() && !servers.contains(&connection.upstream.as_str()) {
                servers.push(&connection.upstream);
            }
        }
        servers
    }

    /// Returns names and values for a table that people read.
    pub(super) fn facts(&self, options: &Options) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("Session", self.id.clone()),
            ("Account", self.account.clone().unwrap_or_else(|| "not known".into())),
            ("Version", self.version.clone().unwrap_or_else(|| "not known".into())),
        ];
        if !self.lacks(Lack::Times) {
            facts.push(("Started", readable(&self.start)));
        }
        facts.extend(self.duration.map(|duration| ("Duration", seconds(duration))));
        let servers = self.servers().join(", ");
        let connections = match servers.is_empty() {
            true => self.connections.len().to_string(),
            false => format!("{}, to {servers}", self.connections.len()),
        };
        facts.push(("Connections", connections));
        let mut commands = self.commands.to_string();
        if self.all_commands != self.commands {
            commands += &format!(" of {}", self.all_commands);
        }
        facts.push(("Commands", commands));
        facts.extend(options.filter.as_ref().map(|filter| ("Filter", filter.source().to_owned())));
        if !self.errors.is_empty() {
            facts.push((
                "Errors",
                self.errors.iter().map(|(&code, &count)| error(code, count)).collect::<Vec<_>>().join("; "),
            ));
        }
        if !self.software.is_empty() {
            facts.push(("Recorded by", self.software.clone()));
        }
        if let Some(source) = &self.source {
            facts.push(("Made from", made_from(source)));
        }
        if !self.is_closed {
            facts.push(("End", "the transcript ends before the session does".into()));
        }
        facts.push(("Redacted", redacted(options).into()));
        facts
    }
}

/// Says whether an export is redacted.
pub(super) fn redacted(options: &Options) -> &'static str {
    match options.redacted {
        true => "yes, names, addresses, texts and secrets are replaced",
        false => "no, it shows what the transcript holds",
    }
}

/// Describes what an imported transcript was made from.
pub(super) fn made_from(source: &Source) -> String {
    let mut text = source.format.clone();
    if let Some(file) = &source.file {
        text += &format!(" {file}");
    }
    let lacks: Vec<&str> = source
        .lacks
        .iter()
        .map(|lack| match lack {
            Lack::Bytes => "exact bytes",
            Lack::Times => "times",
            Lack::Addresses => "addresses",
        })
        .collect();
    match lacks.is_empty() {
        true => text,
        false => format!("{text}, which does not tell {}", lacks.join(", ")),
    }
}

fn error(code: u16, count: u64) -> String {
    let name = errors::lookup(code).map(|error| format!(" {}", error.name)).unwrap_or_default();
    match count {
        1 => format!("{code}{name}"),
        _ => format!("{code}{name} ({count} times)"),
    }
}

/// Returns the time between two events, if both have one.
pub(super) fn between(start: &str, end: &str) -> Option<Duration> {
    let (start, end): (Timestamp, Timestamp) = (start.parse().ok()?, end.parse().ok()?);
    Duration::try_from(end.duration_since(start)).ok()
}

/// Returns a duration as people read it: `0.123 s`, `24.2 s`, `3 min 5 s`, `2 h 14 min`.
pub(super) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0 => format!("{:.3} s", duration.as_secs_f64()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Returns `2026-11-22 12:00:01 UTC`, or the text itself if it is no time.
pub(super) fn readable(time: &str) -> String {
    match (time.parse::<Timestamp>(), time.get(..10), time.get(11..19)) {
        (Ok(_), Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => time.to_owned(),
    }
}

/// Returns `12:00:01.234`, or the text itself if it is no time.
pub(super) fn clock(time: &str) -> &str {
    time.get(11..23).unwrap_or(time)
}
