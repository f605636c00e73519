//! The routes. `docs/api.md` has an example of each.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::de::DeserializeOwned;

use crate::error::{Answer, ApiError};
use crate::guard::guard;
use crate::server::Control;
use crate::types::{Call, Called, Close, Rule, RuleName, Status};

mod events;
mod holds;
mod send;
mod sessions;

/// Returns the routes.
pub(crate) fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/api/status", get(status))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{id}", get(sessions::one))
        .route("/api/sessions/{id}/events", get(sessions::events))
        .route("/api/events", get(events::stream))
        .route("/api/send", post(send::send))
        .route("/api/close", post(close))
        .route("/api/breakpoints", get(holds::breakpoints).post(holds::set))
        .route("/api/breakpoints/{number}", axum::routing::delete(holds::remove))
        .route("/api/held", get(holds::held))
        .route("/api/held/{number}", get(holds::one))
        .route("/api/held/{number}/release", post(holds::release))
        .route("/api/held/{number}/drop", post(holds::discard))
        .route("/api/rules", get(rules))
        .route("/api/rules/enable", post(enable))
        .route("/api/rules/disable", post(disable))
        .route("/api/rules/reload", post(reload))
        .route("/api/calls", get(calls))
        .route("/api/call", post(call))
        .fallback(|| async { ApiError::missing("no such route: docs/api.md lists them") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes another method")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&control), guard))
        .with_state(control)
}

/// Largest body of a request: a command with the largest payload fits, written in any way.
const LARGEST_BODY: usize = 8 << 20;

/// The state of every handler.
type Shared = State<Arc<Control>>;

async fn status(State(control): Shared) -> Json<Status> {
    Json(Status {
        software: concat!("mitmsn ", env!("CARGO_PKG_VERSION")).into(),
        listen: control.engine.addresses().iter().map(ToString::to_string).collect(),
        upstream: control.upstream.clone(),
        recording: control.recording.as_ref().map(|recording| recording.folder().display().to_string()),
        sessions: control.live.open_sessions(),
        connections: control.engine.connections().len(),
        held: control.engine.held().len(),
    })
}

async fn close(State(control): Shared, Body(close): Body<Close>) -> Answer<serde_json::Value> {
    let (candidate, connection) = control.find(&close.target)?;
    connection.close("closed by hand");
    Ok(Json(serde_json::json!({ "connection": candidate.number })))
}

async fn rules(State(control): Shared) -> Json<Vec<Rule>> {
    let list = control.rules.as_ref().map(|rules| rules.list()).unwrap_or_default();
    let rule = |rule: &mitmsn_proxy::rules::Rule| Rule {
        name: rule.name().to_owned(),
        enabled: rule.is_enabled(),
        hits: rule.hits(),
    };
    Json(list.iter().map(|one| rule(one)).collect())
}

async fn enable(State(control): Shared, Body(rule): Body<RuleName>) -> Answer<Vec<Rule>> {
    switch(control, &rule.name, true).await
}

async fn disable(State(control): Shared, Body(rule): Body<RuleName>) -> Answer<Vec<Rule>> {
    switch(control, &rule.name, false).await
}

async fn switch(control: Arc<Control>, name: &str, is_enabled: bool) -> Answer<Vec<Rule>> {
    let found = control.rules.as_ref().map_or(0, |rules| rules.enable(name, is_enabled));
    let Json(all) = rules(State(control)).await;
    if found == 0 {
        let names = all.into_iter().map(|rule| rule.name).collect();
        return Err(ApiError::missing(format!("there is no rule {name:?}")).candidates(names));
    }
    Ok(Json(all))
}

async fn reload(State(control): Shared) -> Answer<Vec<Rule>> {
    let reloaded = control.rules.clone().map(|rules| tokio::task::spawn_blocking(move || rules.reload()));
    let outcome = match reloaded {
        Some(task) => task.await.map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the reload failed"))?,
        None => Ok(0),
    };
    match outcome {
        Ok(_) => Ok(rules(State(control)).await),
        Err(problems) => {
            let picture = mitmsn_proxy::rules::render_all(&problems, false);
            Err(ApiError::bad(format!("a rule file is broken: the rules stay as they were\n{picture}")))
        }
    }
}

async fn calls(State(control): Shared) -> Json<Vec<String>> {
    Json(control.scripts.as_ref().map(|scripts| scripts.commands()).unwrap_or_default())
}

async fn call(State(control): Shared, Body(call): Body<Call>) -> Answer<Called> {
    let known = control.scripts.as_ref().map(|scripts| scripts.commands()).unwrap_or_default();
    // the name of the script may stand before that of the command
    let command = call.name.rsplit('/').next().unwrap_or_default();
    let Some(scripts) = control.scripts.clone().filter(|_| known.iter().any(|own| own == command)) else {
        return Err(ApiError::missing(format!("no script has a command {:?}", call.name)).candidates(known));
    };
    let task = tokio::task::spawn_blocking(move || scripts.call(&call.name, &call.arguments));
    let called = task.await.map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the script was lost"))?;
    match called {
        Ok(result) => Ok(Json(Called { result })),
        Err(error) => Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error)),
    }
}

/// The body of a request, as JSON whatever its type says.
#[derive(Debug)]
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Control>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Body<T>, ApiError> {
        let read = axum::body::Bytes::from_request(request, control).await;
        let bytes = read.map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        match Json::<T>::from_bytes(bytes) {
            Ok(Json(body)) => Ok(Body(body)),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(ApiError::bad(error.body_text())),
            Err(error) => Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())),
        }
    }
}

/// The query of a request.
#[derive(Debug)]
struct Query<T>(T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Control>> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        control: &Arc<Control>,
    ) -> Result<Query<T>, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, control).await;
        let query = query.map_err(|rejection: QueryRejection| ApiError::bad(rejection.body_text()))?;
        Ok(Query(query.0))
    }
}

/// A number of a path.
fn number(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::bad(format!("{text:?} is not a number")))
}

/// Compiles a condition.
fn expression(source: &str) -> Result<msnp_transcript::Expression, ApiError> {
    msnp_transcript::Expression::compile(source).map_err(|error| {
        let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let column = source.get(..error.range.start).map_or(0, |before| before.chars().count()) + 1;
        ApiError::bad(format!("{error}, at column {column} of {source:?}{help}"))
    })
}
