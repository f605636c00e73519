//! Engine events as transcript events: for the screen and the control interface, and for all but the plain commands of the
//! recorder.

use msnp::Command;
use msnp::argument::Scope;
use msnp_transcript::event::{
    CommandEvent, ConnectionClosed, ConnectionOpened, Event as Line, FORMAT, NoteEvent, OpaqueEvent, Origin, Payload,
    ReleasedEvent, Sent, SessionClosed, SessionEvent, SessionJoined, Stem, TagEvent, Text, VERSION,
};
use msnp_transcript::mask;

use crate::observer::{About, Changed, Event};

/// Where a command was seen.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The connection's number.
    pub connection: u64,
    /// Kind of server and version, as far as they are known.
    pub scope: Scope,
}

impl Place {
    /// Returns the place of an event.
    pub fn of(about: &About<'_>) -> Place {
        Place { connection: about.connection.map_or(0, |connection| connection.number), scope: about.scope }
    }
}

/// Returns an event that is not about commands; `None` for one that is.
pub fn plain(event: &Event<'_>, about: &About<'_>, stem: Stem, keep_secrets: bool) -> Option<Line> {
    let connection = about.connection.map_or(0, |connection| connection.number);
    Some(match event {
        Event::SessionStarted => Line::Session(SessionEvent {
            stem,
            format: FORMAT.into(),
            version: VERSION,
            software: concat!("mitmsn ", env!("CARGO_PKG_VERSION")).into(),
            source: None,
            redacted: None,
        }),
        Event::Opened => {
            let opened = about.connection?;
            Line::ConnectionOpened(ConnectionOpened {
                stem,
                connection,
                client: opened.client.to_string(),
                listener: opened.reached.to_string(),
                upstream: opened.upstream().to_owned(),
                server: about.scope.server.map(Into::into),
                account: about.session.account().map(str::to_owned),
                version: about.session.version().map(|version| version.to_string()),
            })
        }
        Event::Joined { from, by } => Line::SessionJoined(SessionJoined { stem, connection, from: *from, by: *by }),
        Event::Opaque { direction, bytes, sent } => Line::Opaque(OpaqueEvent {
            stem,
            connection,
            server: about.scope.server.map(Into::into),
            direction: (*direction).into(),
            length: bytes.len() as u64,
            payload: keep_secrets.then(|| Payload::of(bytes)),
            sent: sent.as_deref().filter(|_| keep_secrets).map(Payload::of),
            masked: if keep_secrets { Vec::new() } else { vec!["payload".into()] },
        }),
        Event::Note(text) => Line::Note(NoteEvent {
            stem,
            connection: about.connection.map(|connection| connection.number),
            text: text.to_string(),
        }),
        Event::Closed { by, reason, bytes } => Line::ConnectionClosed(ConnectionClosed {
            stem,
            connection,
            by: (*by).to_owned(),
            reason: reason.clone(),
            client_bytes: bytes[0],
            server_bytes: bytes[1],
        }),
        Event::SessionEnded => Line::SessionClosed(SessionClosed { stem, connections: about.session.connections() }),
        Event::Released { number, direction, sent, by, after } => {
            let mut masked = Vec::new();
            let sent = sent.as_ref().map(|sent| hide_sent(sent, keep_secrets, &mut masked));
            Line::Released(ReleasedEvent {
                stem,
                connection,
                held: *number,
                direction: (*direction).into(),
                sent,
                by: by.to_string(),
                after: after.as_secs_f64(),
                masked,
            })
        }
        Event::Commands(_) | Event::Changed(_) | Event::Injected { .. } => return None,
    })
}

/// Returns a command as an event, its secrets hidden unless they are to be kept.
pub fn command(received: &Command, changed: Option<&Changed>, place: Place, stem: Stem, keep_secrets: bool) -> Line {
    let mut masked = Vec::new();
    let arrived = hide(received, "", keep_secrets, &mut masked);
    let sent = changed.and_then(|changed| changed.sent.as_ref());
    let sent = sent.map(|sent| hide_sent(sent, keep_secrets, &mut masked));
    let Sent { direction, verb, args, payload, eol } = Sent::of(&arrived);
    let trid = msnp::command::transaction_id(received.direction(), received.line(), place.scope).map(|id| id.0);
    Line::Command(CommandEvent {
        stem,
        connection: place.connection,
        server: place.scope.server.map(Into::into),
        direction,
        verb,
        trid,
        args: args.into_iter().collect::<Vec<Text>>(),
        payload,
        eol,
        origin: Origin::Peer,
        sent,
        by: changed.map(|changed| changed.by.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        delay: changed.and_then(|changed| changed.delay).map(|delay| delay.as_secs_f64()),
        held: changed.and_then(|changed| changed.held),
        masked,
    })
}

/// Returns a command that no peer sent as an event.
pub fn injected(command: &Command, by: &str, place: Place, stem: Stem, keep_secrets: bool) -> Line {
    match self::command(command, None, place, stem, keep_secrets) {
        Line::Command(event) => {
            Line::Command(CommandEvent { origin: Origin::Injected, by: vec![by.to_owned()], ..event })
        }
        other => other,
    }
}

/// Hides the secrets of a command, and names their places behind `prefix`.
fn hide(command: &Command, prefix: &str, keep_secrets: bool, masked: &mut Vec<String>) -> Command {
    match mask::mask_command(command) {
        Some(hidden) if !keep_secrets => {
            masked.extend(hidden.places.iter().map(|place| format!("{prefix}{place}")));
            hidden.command
        }
        _ => command.clone(),
    }
}

fn hide_sent(sent: &[Command], keep_secrets: bool, masked: &mut Vec<String>) -> Vec<Sent> {
    let sent = sent.iter().enumerate();
    sent.map(|(index, command)| Sent::of(&hide(command, &format!("sent[{index}]."), keep_secrets, masked))).collect()
}

/// Returns the tags of a command as events.
pub fn tag(place: Place, stem: Stem, command: u64, tag: &str) -> Line {
    Line::Tag(TagEvent { stem, connection: place.connection, command, tag: tag.to_owned() })
}
