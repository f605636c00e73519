//! Sends commands into a connection and collects what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use mitmsn_proxy::Connection;
use mitmsn_proxy::injection::{Answer as Back, Done, Injection};
use msnp::text::{self, Draft};
use msnp::{Command, Direction, LengthPolicy};
use msnp_transcript::event::{Event, Origin, Sent};
use tokio::sync::mpsc;

use super::{Body, Shared};
use crate::error::{Answer, ApiError};
use crate::live::Candidate;
use crate::server::Control;
use crate::types::{Length, Outcome, Receiver, Reply, Send, Shown};

/// Sends every command of the text, one after the other, each when the one before has its answer.
pub(super) async fn send(State(control): Shared, Body(send): Body<Send>) -> Answer<Vec<Outcome>> {
    let wait = match (send.wait, send.to) {
        (Some(wait), _) => seconds(wait, "wait")?,
        (None, Receiver::Server) => USUAL_WAIT,
        (None, Receiver::Client) => Duration::ZERO,
    };
    let (candidate, connection) = control.find(&send.target)?;
    let direction = match send.to {
        Receiver::Server => Direction::ClientToServer,
        Receiver::Client => Direction::ServerToClient,
    };
    let mut commands = Vec::new();
    for mut draft in text::parse(&send.text).map_err(|error| ApiError::bad(error.to_string()))? {
        commands.push(command(&control, &candidate, &mut draft, direction, policy(send.length))?);
    }
    if commands.is_empty() {
        return Err(ApiError::bad("there is no command in the text"));
    }
    let by: Arc<str> = send.by.as_deref().unwrap_or("send").into();
    let mut outcomes = Vec::new();
    for (command, is_numbered) in commands {
        let (to, back) = mpsc::channel(MOST_REPLIES);
        let injection = Injection::new(command).by(Arc::clone(&by)).answers(to).patience(wait.max(SHORTEST_WAIT));
        let injection = if is_numbered { injection.numbered() } else { injection };
        let next = control.live.ring.next();
        connection.inject(injection);
        let mut outcome = collect(candidate.number, back, wait).await;
        if send.to == Receiver::Client && outcome.sent.is_some() && !wait.is_zero() {
            listen(&control, &connection, &mut outcome, next, wait).await;
        }
        let is_over = outcome.disconnected || outcome.sent.is_none();
        outcomes.push(outcome);
        if is_over {
            break;
        }
    }
    for outcome in &mut outcomes {
        let is_open = control.engine.connections().iter().any(|open| open.number == outcome.connection);
        outcome.disconnected |= !is_open || connection.has_left(direction.opposite());
    }
    Ok(Json(outcomes))
}

/// Makes the command of a draft. Tells too whether it gets a transaction id of its own; until then that is 0.
pub(super) fn command(
    control: &Control,
    candidate: &Candidate,
    draft: &mut Draft,
    direction: Direction,
    length: LengthPolicy,
) -> Result<(Command, bool), ApiError> {
    let is_numbered = draft.is_numbered();
    let session = control.live.session(&candidate.session);
    let asked = |name: &str| {
        let session = session.as_ref()?;
        session.with_state(|state| match name {
            "version" => state.version.map(|version| version.to_string()),
            "name" => state.friendly_name.as_deref().map(encoded),
            _ => None,
        })
    };
    draft.fill(|name| {
        Some(match name {
            "trid" if is_numbered => b"0".to_vec(),
            "account" => candidate.account.clone().into_bytes(),
            "session" => candidate.session.clone().into_bytes(),
            "connection" => candidate.number.to_string().into_bytes(),
            other => asked(other)?.into_bytes(),
        })
    });
    if let Some(name) = draft.placeholders().next() {
        let error = match name {
            "trid" => "{trid} has to be the first argument".to_owned(),
            "name" | "version" => format!("{{{name}}} is not known on this connection"),
            _ => format!("unknown placeholder {{{name}}}: there are {PLACEHOLDERS}; write {{{{ for a brace"),
        };
        return Err(ApiError::bad(format!("line {}: {error}", draft.line_number())));
    }
    let command = draft.command(Some(direction), length).map_err(|error| ApiError::bad(error.to_string()))?;
    Ok((command, is_numbered))
}

/// The placeholders of a text that is sent.
const PLACEHOLDERS: &str = "{trid}, {len}, {account}, {name}, {version}, {session}, {connection}";

async fn collect(connection: u64, mut back: mpsc::Receiver<Back>, wait: Duration) -> Outcome {
    let start = Instant::now();
    let mut outcome =
        Outcome { connection, sent: None, replies: Vec::new(), done: String::new(), disconnected: false, after: 0.0 };
    // before it leaves it may have to wait for the end of another command, or for one that is held
    let deadline = tokio::time::Instant::now() + wait.max(SHORTEST_WAIT);
    loop {
        if outcome.sent.is_some() && wait.is_zero() {
            // to the client nothing more is due
            if let Ok(Back::Done(done)) = back.try_recv() {
                done.as_str().clone_into(&mut outcome.done);
            }
            break;
        }
        let Ok(Some(answer)) = tokio::time::timeout_at(deadline, back.recv()).await else { break };
        match answer {
            Back::Sent(command) => outcome.sent = Some(shown(&command)),
            Back::Reply(command) => {
                outcome.replies.push(Reply { after: start.elapsed().as_secs_f64(), shown: shown(&command) });
            }
            Back::Done(done) => {
                outcome.done = done.as_str().to_owned();
                outcome.disconnected = done == Done::Closed;
                break;
            }
            _ => {}
        }
    }
    if outcome.done.is_empty() {
        outcome.done = "waiting".to_owned();
    }
    outcome.after = start.elapsed().as_secs_f64();
    outcome
}

/// Collects what the client says on its connection, until time is up or the connection ends.
async fn listen(control: &Control, connection: &Connection, outcome: &mut Outcome, mut next: u64, wait: Duration) {
    let start = Instant::now();
    let deadline = tokio::time::Instant::now() + wait;
    let ring = &control.live.ring;
    loop {
        let read = ring.read(next, MOST_REPLIES, true);
        next = read.next;
        for item in read.items {
            let is_closed = match &item.event {
                Event::ConnectionClosed(closed) => closed.connection == outcome.connection,
                _ => false,
            };
            let said = item.command.filter(|(command, place)| {
                let is_own = matches!(&item.event, Event::Command(event) if event.origin == Origin::Peer);
                is_own && place.connection == outcome.connection && command.direction() == Direction::ClientToServer
            });
            if let Some((command, _)) = said
                && outcome.replies.len() < MOST_REPLIES
            {
                outcome.replies.push(Reply { after: start.elapsed().as_secs_f64(), shown: shown(&command) });
            }
            if is_closed {
                outcome.disconnected = true;
                outcome.done = Done::Closed.as_str().to_owned();
                outcome.after = start.elapsed().as_secs_f64();
                return;
            }
        }
        // a client that leaves is no event until the server has left too
        let soon = deadline.min(tokio::time::Instant::now() + GLANCE);
        if tokio::time::timeout_at(soon, ring.wait_for(next)).await.is_ok() {
            continue;
        }
        if connection.has_left(Direction::ClientToServer) {
            outcome.disconnected = true;
            outcome.done = Done::Closed.as_str().to_owned();
            outcome.after = start.elapsed().as_secs_f64();
            return;
        }
        if soon == deadline {
            outcome.done = Done::Quiet.as_str().to_owned();
            outcome.after = start.elapsed().as_secs_f64();
            return;
        }
    }
}

pub(super) fn shown(command: &Command) -> Shown {
    Shown { text: text::write(command), command: Sent::of(command) }
}

pub(super) fn policy(length: Length) -> LengthPolicy {
    match length {
        Length::Repair => LengthPolicy::Repair,
        Length::Keep => LengthPolicy::Keep,
    }
}

/// Reads a number of seconds.
pub(super) fn seconds(value: f64, name: &str) -> Result<Duration, ApiError> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| ApiError::bad(format!("{name} must be seconds from 0 to {}", LONGEST.as_secs())))
}

fn encoded(name: &str) -> String {
    String::from_utf8_lossy(&msnp::argument::encode(name.as_bytes())).into_owned()
}

/// How often it is looked whether the client is still there.
const GLANCE: Duration = Duration::from_millis(20);
/// Answers that are kept while nobody takes them.
const MOST_REPLIES: usize = 4096;
/// How long a command may take to leave, though nobody waits for its answer.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// How long an answer of the server is waited for if nobody says.
const USUAL_WAIT: Duration = Duration::from_secs(5);
/// Longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(86_400);
