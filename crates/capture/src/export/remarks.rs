//! The comments of packets: what a transcript tells beside the bytes.

use msnp::Direction;
use msnp_transcript::event::{
    CommandEvent, ConnectionClosed, ConnectionOpened, GapEvent, NoteEvent, Origin, ReleasedEvent, Sent, SessionJoined,
    Way,
};
use msnp_transcript::screen::printable;

/// Longest comment, in bytes; an option of pcapng holds no more than 65535.
const LONGEST: usize = 4000;

pub(super) fn opened(opened: &ConnectionOpened) -> String {
    let ConnectionOpened { connection, client, listener, upstream, .. } = opened;
    let session = &opened.stem.session;
    // what was imported has no listener
    let ends = if listener.is_empty() { vec![client, upstream] } else { vec![client, listener, upstream] };
    let ends: Vec<&str> = ends.into_iter().map(|end| if end.is_empty() { "?" } else { end }).collect();
    short(&format!("connection {connection} of session {session}: {}", ends.join(" -> ")))
}

pub(super) fn joined(joined: &SessionJoined) -> String {
    format!("belongs to the session of connection {}, by {:?}", joined.from, joined.by).to_lowercase()
}

/// What became of a command that arrived.
pub(super) fn received(event: &CommandEvent) -> Vec<String> {
    let mut comments = Vec::new();
    let by = by(event);
    if event.origin == Origin::Injected {
        comments
            .push(short(&format!("injected{by}: {}", event.command().map_or_else(|_| String::new(), |c| line(&c)))));
    } else if let Some(sent) = &event.sent {
        comments.push(short(&format!("{}{by}", left(sent))));
    }
    if let Some(delay) = event.delay {
        comments.push(short(&format!("delayed by {delay} s{by}")));
    }
    if let Some(held) = event.held {
        comments.push(format!("held as {held}"));
    }
    if comments.is_empty() && !by.is_empty() {
        comments.push(short(by.trim_start()));
    }
    if event.origin == Origin::Replayed {
        comments.push("replayed".into());
    }
    comments.extend(masked(&event.masked));
    comments
}

/// Where what left comes from.
pub(super) fn sent(event: &CommandEvent, released: Option<&ReleasedEvent>) -> Vec<String> {
    let mut comments = Vec::new();
    let by = by(event);
    let arrived = || event.command().map_or_else(|_| String::new(), |command| line(&command));
    match &event.sent {
        _ if event.origin == Origin::Injected => comments.push(short(&format!("injected{by}"))),
        Some(sent) if sent.is_empty() => comments.push(short(&format!("dropped{by}: {}", arrived()))),
        Some(_) => comments.push(short(&format!("changed{by}; arrived as: {}", arrived()))),
        None if event.delay.is_none() && !by.is_empty() => comments.push(short(by.trim_start())),
        None => {}
    }
    if let Some(delay) = event.delay {
        comments.push(short(&format!("delayed by {delay} s{by}")));
    }
    match (event.held, released) {
        (Some(_), Some(released)) => comments.push(self::released(released)),
        (Some(held), None) => comments.push(format!("held as {held}")),
        _ => {}
    }
    if event.origin == Origin::Replayed {
        comments.push("replayed".into());
    }
    comments.extend(masked(&event.masked));
    comments
}

pub(super) fn released(event: &ReleasedEvent) -> String {
    let ReleasedEvent { held, by, after, .. } = event;
    let what = match &event.sent {
        None => "released".into(),
        Some(sent) if sent.is_empty() => "dropped".into(),
        Some(sent) => format!("released, {}", left(sent)),
    };
    short(&format!("{held} {what} after {after} s by {by}"))
}

pub(super) fn masked(places: &[String]) -> Option<String> {
    (!places.is_empty()).then(|| short(&format!("masked: {}", places.join(", "))))
}

pub(super) fn gap(gap: &GapEvent) -> String {
    let way = Direction::from(gap.direction).arrow();
    match gap.length {
        Some(length) => format!("{way} {length} bytes are missing"),
        None => format!("{way} bytes are missing, how many is unknown"),
    }
}

pub(super) fn note(note: &NoteEvent) -> String {
    short(&note.text)
}

pub(super) fn tag(tag: &str) -> String {
    short(&format!("tagged {tag:?}"))
}

pub(super) fn closed(closed: &ConnectionClosed) -> Option<String> {
    let is_plain = closed.reason.is_none() && matches!(&closed.by[..], "client" | "server");
    let reason = closed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    (!is_plain).then(|| short(&format!("closed by {}{reason}", closed.by)))
}

/// Returns text as one line of a length that a comment may have.
pub(super) fn short(text: &str) -> String {
    let mut text = printable(text.as_bytes());
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn by(event: &CommandEvent) -> String {
    if event.by.is_empty() { String::new() } else { format!(" by {}", event.by.join(", ")) }
}

fn left(sent: &[Sent]) -> String {
    if sent.is_empty() {
        return "dropped".into();
    }
    let lines: Vec<String> = sent
        .iter()
        .map(|sent| sent.command().map_or_else(|_| way(sent.direction).into(), |command| line(&command)))
        .collect();
    format!("left as: {}", lines.join(" | "))
}

fn line(command: &msnp::Command) -> String {
    let line = String::from_utf8_lossy(command.line());
    match command.payload().len() {
        0 => format!("{} {line}", command.direction().arrow()),
        length => format!("{} {line} ({length} bytes)", command.direction().arrow()),
    }
}

fn way(way: Way) -> &'static str {
    Direction::from(way).arrow()
}
