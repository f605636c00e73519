//! A command with what the checks ask of it.

use jiff::Timestamp;
use msnp::argument::{self, Scope};
use msnp::table::{self, Row};
use msnp::{Command, Direction, ServerKind, Version};

/// A command that was said, or heard.
pub(super) struct Said<'a> {
    pub(super) command: &'a Command,
    pub(super) scope: Scope,
    pub(super) time: Option<Timestamp>,
    masked: &'a [String],
    /// What stands before its places in `masked`.
    prefix: String,
    pub(super) arguments: Vec<&'a [u8]>,
    /// The row of the table that describes it, and the names of its arguments.
    pub(super) form: Option<(&'static Row, Vec<Option<&'static str>>)>,
}

impl<'a> Said<'a> {
    pub(super) fn new(
        command: &'a Command,
        scope: Scope,
        time: Option<Timestamp>,
        masked: &'a [String],
        prefix: String,
    ) -> Said<'a> {
        let arguments: Vec<&[u8]> = command.arguments().collect();
        // a dispatch server speaks the language of a notification server, and nobody knows it for one before it redirects
        let server = scope.server.map(|server| match server {
            ServerKind::Dispatch => ServerKind::Notification,
            server => server,
        });
        let scope = Scope { server, ..scope };
        let form = argument::describe(command.verb(), command.direction(), &arguments, scope);
        Said { command, scope, time, masked, prefix, arguments, form }
    }

    pub(super) fn verb(&self) -> &'a [u8; 3] {
        // the bytes of the command outlive this view of it
        let bytes = self.command.as_bytes().first_chunk::<3>();
        bytes.expect("a command starts with its verb")
    }

    pub(super) fn is_from_client(&self) -> bool {
        self.command.direction() == Direction::ClientToServer
    }

    pub(super) fn is_on_switchboard(&self) -> bool {
        self.scope.server == Some(ServerKind::Switchboard)
    }

    /// Returns the kind of server by which forms are chosen.
    pub(super) fn form_server(&self) -> Option<ServerKind> {
        self.scope.server
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.scope.version
    }

    pub(super) fn argument(&self, index: usize) -> Option<&'a [u8]> {
        self.arguments.get(index).copied()
    }

    /// Whether every form of the verb has a transaction id.
    pub(super) fn has_id(&self) -> bool {
        table::transaction_id_rule(self.command.verb(), self.command.direction()) == Some(true)
            && table::is_known(self.command.verb())
    }

    /// Returns the values of the arguments with one of these documented names, unless they are masked.
    pub(super) fn named(&self, names: &[&str]) -> impl Iterator<Item = (&'static str, &'a [u8])> {
        let found = self.form.iter().flat_map(|(_, forms)| forms.iter().zip(&self.arguments).enumerate());
        let found = found.filter_map(|(index, (name, value))| Some((index, (*name)?, *value)));
        let found: Vec<_> = found
            .filter(|(index, name, _)| names.contains(name) && !self.is_masked(&format!("args[{index}]")))
            .map(|(_, name, value)| (name, prefixless(value)))
            .collect();
        found.into_iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.named(&[name]).next().map(|(_, value)| value)
    }

    /// Whether the value at a place was masked.
    pub(super) fn is_masked(&self, place: &str) -> bool {
        self.masked.iter().any(|masked| masked.strip_prefix(&self.prefix) == Some(place))
    }

    /// Whether something within the payload was masked.
    pub(super) fn has_masked_payload(&self) -> bool {
        self.masked
            .iter()
            .any(|masked| masked.strip_prefix(&self.prefix).is_some_and(|place| place.starts_with("payload")))
    }

    /// Returns the seconds since `before`, where times are known.
    pub(super) fn since(&self, before: Option<Timestamp>) -> Option<f64> {
        seconds(before, self.time)
    }
}

/// Returns the seconds between two times.
pub(super) fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_secs_f64())
}

/// `N=bob@example.com`, as MSNP10 writes arguments.
fn prefixless(value: &[u8]) -> &[u8] {
    match value {
        [b'N' | b'F' | b'C', b'=', rest @ ..] => rest,
        value => value,
    }
}
