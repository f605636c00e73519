//! The stream of events, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use msnp_transcript::Expression;
use msnp_transcript::expression::Subject;

use super::{Query, Shared, expression};
use crate::error::ApiError;
use crate::ring::Item;
use crate::server::Control;
use crate::types::{Lagged, StreamQuery};

/// Follows what happens. A reader that comes back names the last event that it saw.
pub(super) async fn stream(
    State(control): Shared,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response, ApiError> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = match last {
        Some(text) => {
            let number = text.trim().parse().map_err(|_| ApiError::bad(format!("Last-Event-ID {text:?} is no number")));
            Some(number?)
        }
        None => query.after,
    };
    let filter = query.filter.as_deref().map(expression).transpose()?;
    let session = match &query.session {
        Some(id) => {
            let found = control.live.session(id).ok_or_else(|| ApiError::missing(format!("no session {id:?}")))?;
            Some(found.id().to_owned())
        }
        None => None,
    };
    let next = last.map_or_else(|| control.live.ring.next(), |last: u64| last.saturating_add(1));
    let openings = control.live.openings().into_iter();
    let openings = openings.filter(|event| session.as_ref().is_none_or(|session| event.stem().session == *session));
    let first = openings.map(|event| Ok(Sse::default().event("opening").data(json(&event)))).collect();
    let follower = Follower { control, next, filter, session, first: Some(first) };
    let batches = stream::unfold(follower, |mut follower| async move {
        let batch = follower.next().await?;
        Some((stream::iter(batch), follower))
    });
    let events = futures_util::StreamExt::flatten(batches);
    let sse = axum::response::sse::Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(sse.into_response())
}

type Batch = Vec<Result<Sse, Infallible>>;

/// A reader of the stream.
struct Follower {
    control: Arc<Control>,
    next: u64,
    filter: Option<Expression>,
    session: Option<String>,
    /// What comes before the first event: the connections that are open.
    first: Option<Batch>,
}

impl Follower {
    /// Returns the next events; `None` when the server stops.
    async fn next(&mut self) -> Option<Batch> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let live = Arc::clone(&self.control.live);
        loop {
            let stopped = self.control.stopped();
            tokio::select! {
                () = stopped.cancelled() => return None,
                () = live.ring.wait_for(self.next) => {}
            }
            // many events of a busy proxy in one go
            tokio::time::sleep(GATHER).await;
            let read = live.ring.read(self.next, MOST_AT_ONCE, live.keep_secrets);
            let mut batch: Batch = Vec::new();
            if read.missed > 0 {
                let data = json(&Lagged { missed: read.missed });
                batch.push(Ok(Sse::default().event("lagged").id((read.next.saturating_sub(1)).to_string()).data(data)));
            }
            self.next = read.next;
            for item in read.items {
                if self.passes(&item) {
                    batch.push(Ok(Sse::default().id(item.number.to_string()).data(json(&item.event))));
                }
            }
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    fn passes(&self, item: &Item) -> bool {
        let session = &item.event.stem().session;
        if self.session.as_ref().is_some_and(|own| own != session) {
            return false;
        }
        let Some(filter) = &self.filter else { return true };
        let Some((command, place)) = &item.command else { return false };
        let account = self.control.live.session(session).map(|session| session.account()).unwrap_or_default();
        let origin = match &item.event {
            msnp_transcript::event::Event::Command(event) => event.origin.as_str(),
            _ => "peer",
        };
        filter.matches(&Subject {
            command,
            scope: place.scope,
            account: &account,
            session,
            connection: place.connection,
            origin,
        })
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    // these types always serialise
    serde_json::to_string(value).unwrap_or_default()
}

/// How long events are gathered before they are sent together.
const GATHER: Duration = Duration::from_millis(20);
/// Most events that are sent together; with the pause before, the most that one reader gets in a second.
const MOST_AT_ONCE: usize = 500;
/// How often a stream without events says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
