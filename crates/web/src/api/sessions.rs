//! Sessions, their connections, their state, their events.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use msnp::Command;
use msnp_transcript::Expression;
use msnp_transcript::event::Event;
use msnp_transcript::expression::Subject;
use msnp_transcript::reader::{ReadError, Reader};
use msnp_transcript::screen::Tracker;

use super::{Query, Shared, expression};
use crate::error::{Answer, ApiError};
use crate::live::Tracked;
use crate::server::Control;
use crate::types::{EventsQuery, Session};

pub(super) async fn list(State(control): Shared) -> Json<Vec<Session>> {
    let sessions = control.live.sessions();
    Json(sessions.iter().map(|session| session.describe(transcript(&control, session.id()), false)).collect())
}

pub(super) async fn one(State(control): Shared, Path(id): Path<String>) -> Answer<Session> {
    let session = find(&control, &id)?;
    Ok(Json(session.describe(transcript(&control, session.id()), true)))
}

/// Events of one session: from its transcript, or from memory if nothing is recorded.
pub(super) async fn events(
    State(control): Shared,
    Path(id): Path<String>,
    Query(query): Query<EventsQuery>,
) -> Answer<Vec<Event>> {
    let session = find(&control, &id)?;
    let filter = query.filter.as_deref().map(expression).transpose()?;
    let limit = query.limit.unwrap_or(FEW).min(MANY);
    let path = control.recording.as_ref().and_then(|recording| recording.path(session.id()));
    let Some(path) = path else { return Ok(Json(from_memory(&control, &session, query.from, limit, filter.as_ref()))) };
    let read = tokio::task::spawn_blocking(move || from_transcript(&path, query.from, limit, filter.as_ref()));
    match read.await {
        Ok(Ok(events)) => Ok(Json(events)),
        Ok(Err(error)) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Err(_) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "reading the transcript failed")),
    }
}

/// Whether an event passes a filter: a command for which it holds.
pub(super) fn passes(filter: Option<&Expression>, event: &Event, account: &str, tracker: &Tracker) -> bool {
    let Some(filter) = filter else { return true };
    let Event::Command(event) = event else { return false };
    let Ok(command) = event.command() else { return false };
    filter.matches(&Subject {
        command: &command as &Command,
        scope: tracker.scope(event.connection),
        account,
        session: &event.stem.session,
        connection: event.connection,
        origin: event.origin.as_str(),
    })
}

fn from_transcript(
    path: &FilePath,
    from: u64,
    limit: usize,
    filter: Option<&Expression>,
) -> Result<Vec<Event>, ReadError> {
    let mut tracker = Tracker::default();
    let mut found = Vec::new();
    for event in Reader::open(path)? {
        let event = event?;
        tracker.learn(&event);
        let account = match &event {
            Event::Command(command) => tracker.account(&command.stem.session, command.connection).to_owned(),
            _ => String::new(),
        };
        if event.stem().seq >= from && passes(filter, &event, &account, &tracker) {
            found.push(event);
            if found.len() == limit {
                break;
            }
        }
    }
    Ok(found)
}

fn from_memory(
    control: &Control,
    session: &Arc<Tracked>,
    from: u64,
    limit: usize,
    filter: Option<&Expression>,
) -> Vec<Event> {
    let account = session.account();
    let mut found = Vec::new();
    let mut next = from;
    let mut tracker = Tracker::default();
    loop {
        let read = control.live.ring.read(next, MANY, control.live.keep_secrets);
        if read.next == next && read.items.is_empty() {
            return found;
        }
        next = read.next;
        for item in read.items {
            if item.event.stem().session != session.id() {
                continue;
            }
            tracker.learn(&item.event);
            if passes(filter, &item.event, &account, &tracker) {
                found.push(item.event);
                if found.len() == limit {
                    return found;
                }
            }
        }
    }
}

fn find(control: &Control, id: &str) -> Result<Arc<Tracked>, ApiError> {
    control.live.session(id).ok_or_else(|| {
        let all = control.live.sessions();
        let list = |start: &str| -> Vec<String> {
            let fits = all.iter().filter(|session| session.id().starts_with(start));
            fits.map(|session| format!("{}  {}", session.id(), session.account())).collect()
        };
        match list(id) {
            none if none.is_empty() => ApiError::missing(format!("there is no session {id:?}")).candidates(list("")),
            some => {
                let message = format!("several sessions start with {id:?}");
                ApiError::new(StatusCode::CONFLICT, message).candidates(some)
            }
        }
    })
}

fn transcript(control: &Control, id: &str) -> Option<String> {
    Some(control.recording.as_ref()?.path(id)?.display().to_string())
}

/// Events of one answer, unless more are asked for.
const FEW: usize = 100;
/// Most events of one answer.
const MANY: usize = 1000;
