//! Breakpoints and held commands.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mitmsn_proxy::hook::Hold;
use mitmsn_proxy::{holds, hooks};
use msnp::{Command, Direction, text};
use msnp_transcript::id::Stamp;

use super::send::{command, policy, seconds};
use super::{Body, Shared, expression, number};
use crate::error::{Answer, ApiError};
use crate::server::Control;
use crate::types::{Breakpoint, Held, NewBreakpoint, Release, Sender};

pub(super) async fn breakpoints(State(control): Shared) -> Json<Vec<Breakpoint>> {
    Json(control.breakpoints.list().iter().map(describe).collect())
}

pub(super) async fn set(State(control): Shared, Body(new): Body<NewBreakpoint>) -> Answer<Breakpoint> {
    let when = expression(&new.when)?;
    let hold = Hold { timeout: seconds(new.timeout, "timeout")?, answer_challenges: new.answer_challenges };
    if hold.timeout.is_zero() {
        return Err(ApiError::bad("timeout must be more than 0: nothing would be held"));
    }
    if new.first == Some(0) {
        return Err(ApiError::bad("first must be at least 1"));
    }
    let direction = new.from.map(|sender| match sender {
        Sender::Client => Direction::ClientToServer,
        Sender::Server => Direction::ServerToClient,
    });
    let number = control.breakpoints.set(when, direction, new.first, hold);
    Ok(Json(Breakpoint { number, set: new, hits: 0 }))
}

pub(super) async fn remove(State(control): Shared, Path(text): Path<String>) -> Answer<serde_json::Value> {
    let number = number(&text)?;
    if !control.breakpoints.remove(number) {
        let known = control.breakpoints.list().iter().map(|breakpoint| breakpoint.number.to_string()).collect();
        return Err(ApiError::missing(format!("there is no breakpoint {number}")).candidates(known));
    }
    Ok(Json(serde_json::json!({ "removed": number })))
}

pub(super) async fn held(State(control): Shared) -> Json<Vec<Held>> {
    Json(control.engine.held().iter().map(|held| show(held)).collect())
}

pub(super) async fn one(State(control): Shared, Path(text): Path<String>) -> Answer<Held> {
    Ok(Json(show(&*find(&control, number(&text)?)?)))
}

pub(super) async fn release(
    State(control): Shared,
    Path(path): Path<String>,
    Body(release): Body<Release>,
) -> Answer<serde_json::Value> {
    let held = find(&control, number(&path)?)?;
    let replacement = match &release.text {
        None => holds::Release::AsItIs,
        Some(text) => {
            let candidate = control.find(&held.connection.number.to_string())?.0;
            let own = held.commands.first().and_then(Command::transaction_id);
            let mut commands = Vec::new();
            for mut draft in text::parse(text).map_err(|error| ApiError::bad(error.to_string()))? {
                let made = command(&control, &candidate, &mut draft, held.direction, policy(release.length))?;
                let (mut command, is_numbered) = made;
                // towards the server the engine finds one
                if is_numbered && held.direction == Direction::ServerToClient {
                    let id = own.map_or(0, |id| id.0).to_string();
                    command.set_argument(0, id.as_bytes()).map_err(|error| ApiError::bad(error.to_string()))?;
                }
                commands.push(command);
            }
            if commands.iter().any(|command| command.direction() != held.direction) {
                return Err(ApiError::bad("a held command goes on in its own direction: use send for the other"));
            }
            holds::Release::Replace(commands)
        }
    };
    let_go(&control, held.number, replacement, release.by.as_deref(), "released").await
}

pub(super) async fn discard(
    State(control): Shared,
    Path(text): Path<String>,
    Body(release): Body<Release>,
) -> Answer<serde_json::Value> {
    let held = find(&control, number(&text)?)?;
    let_go(&control, held.number, holds::Release::Replace(Vec::new()), release.by.as_deref(), "dropped").await
}

async fn let_go(
    control: &Control,
    number: u64,
    release: holds::Release,
    by: Option<&str>,
    done: &str,
) -> Answer<serde_json::Value> {
    if control.engine.release(number, release, by.unwrap_or("control")).await {
        Ok(Json(serde_json::json!({ done: number })))
    } else {
        Err(ApiError::new(StatusCode::CONFLICT, format!("{number} has just gone on by itself")))
    }
}

fn find(control: &Control, number: u64) -> Result<Arc<holds::Held>, ApiError> {
    let all = control.engine.held();
    let known = all.iter().map(|held| held.number.to_string()).collect();
    let found = all.into_iter().find(|held| held.number == number);
    found.ok_or_else(|| ApiError::missing(format!("nothing is held as {number}")).candidates(known))
}

fn show(held: &holds::Held) -> Held {
    let waited = SystemTime::now().duration_since(held.since).unwrap_or(Duration::ZERO);
    Held {
        number: held.number,
        connection: held.connection.number,
        session: held.session.clone(),
        account: (!held.account.is_empty()).then(|| held.account.clone()),
        server: held.scope.server.map(Into::into),
        direction: held.direction.into(),
        text: held.commands.iter().map(text::write).collect::<Vec<_>>().concat(),
        by: held.by.iter().map(ToString::to_string).collect(),
        since: Stamp::of(held.since).to_string(),
        left: held.timeout.saturating_sub(waited).as_secs_f64(),
    }
}

fn describe(breakpoint: &hooks::Breakpoint) -> Breakpoint {
    Breakpoint {
        number: breakpoint.number,
        set: NewBreakpoint {
            when: breakpoint.when.source().to_owned(),
            from: breakpoint.direction.map(|direction| match direction {
                Direction::ClientToServer => Sender::Client,
                Direction::ServerToClient => Sender::Server,
            }),
            first: breakpoint.left,
            timeout: breakpoint.hold.timeout.as_secs_f64(),
            answer_challenges: breakpoint.hold.answer_challenges,
        },
        hits: breakpoint.hits,
    }
}
