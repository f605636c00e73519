//! Runs an experiment on a live session, through the control interface.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mitmsn_web::types::{Length, Outcome, Receiver, Send, Session};
use msnp_transcript::answer::Answer;
use msnp_transcript::event::Server;
use serde::Serialize;

use super::file::{Expect, Experiment, On, Step, To, filled};
use crate::commands::control::Remote;

/// What one run of one variant brought.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Row {
    /// The experiment.
    pub(super) experiment: String,
    /// Names and values of the variant.
    pub(super) variant: Vec<(String, String)>,
    /// The command as it left, in text form; empty if it did not.
    pub(super) sent: String,
    /// The lines that came back.
    pub(super) got: Vec<String>,
    /// Seconds until the first of them, or until nothing more was waited for.
    pub(super) after: f64,
    /// Whether the connection was closed.
    pub(super) disconnected: bool,
    /// Whether what was expected came; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passed: Option<bool>,
}

/// Runs every variant of every step. `progress` is told of each row.
pub(super) fn run(remote: &Remote, experiment: &Experiment, mut progress: impl FnMut(&Row)) -> Result<()> {
    // connections that one side has left already: the other may be slow to follow
    let mut left = Vec::new();
    for step in &experiment.steps {
        for variant in &step.variants {
            // after a variant that ended the connection the client has to come back first
            let (session, connection) = find(remote, experiment, step.on, &left)?;
            let row = one(remote, experiment, step, variant, (&session, connection))?;
            let is_over = row.disconnected;
            progress(&row);
            match is_over {
                true => left.push(connection),
                false => reset(remote, step, connection)?,
            }
        }
    }
    Ok(())
}

/// Waits for a session in the right state, and returns its id and the number of the connection that is meant.
fn find(remote: &Remote, experiment: &Experiment, on: On, left: &[u64]) -> Result<(String, u64)> {
    let deadline = Instant::now() + experiment.patience;
    loop {
        let sessions: Vec<Session> = remote.get("/api/sessions")?;
        for session in sessions.iter().rev().filter(|session| session.ended.is_none()) {
            let account = session.account.as_deref().unwrap_or_default();
            let local = account.split('@').next().unwrap_or_default();
            let wanted = experiment.account.as_str();
            if !(wanted.is_empty() || account.eq_ignore_ascii_case(wanted) || local.eq_ignore_ascii_case(wanted)) {
                continue;
            }
            let session: Session = remote.get(&format!("/api/sessions/{}", session.id))?;
            let Some(state) = session.state.as_ref().filter(|state| experiment.when.matches(state)) else { continue };
            let connection = match on {
                On::Ns => state.notification.or_else(|| before_login(&session)),
                On::Sb => state.switchboards.iter().filter(|board| board.joined).map(|board| board.connection).max(),
            };
            if let Some(connection) = connection.filter(|connection| !left.contains(connection)) {
                return Ok((session.id, connection));
            }
        }
        if Instant::now() >= deadline {
            let who = if experiment.account.is_empty() { "any account" } else { &experiment.account };
            bail!(
                "no session of {who} in {:?} for which `{}` holds{}",
                experiment.patience,
                experiment.when.source(),
                if on == On::Sb { ", with a switchboard" } else { "" }
            );
        }
        std::thread::sleep(POLL);
    }
}

/// Returns the connection on which a client is about to log in.
fn before_login(session: &Session) -> Option<u64> {
    let open = session.connections.iter().filter(|one| one.closed.is_none() && one.server != Some(Server::Sb));
    open.map(|one| one.number).max()
}

fn one(
    remote: &Remote,
    experiment: &Experiment,
    step: &Step,
    variant: &[(String, String)],
    (session, connection): (&str, u64),
) -> Result<Row> {
    let text = filled(&step.send, variant);
    let outcomes = send(remote, connection, &text, step.to, step.keep_length, step.within)?;
    // what a peer thinks of it may show a little later
    std::thread::sleep(step.settle);
    let session: Session = remote.get(&format!("/api/sessions/{session}"))?;
    let is_open = session.connections.iter().any(|one| one.number == connection && one.closed.is_none());
    let mut answer = Answer::default();
    answer.disconnected = !is_open || outcomes.iter().any(|outcome| outcome.disconnected);
    answer.after = outcomes.iter().map(|outcome| outcome.after).sum();
    answer.done = outcomes.last().map(|outcome| outcome.done.clone()).unwrap_or_default();
    let replies = outcomes.iter().flat_map(|outcome| &outcome.replies);
    for reply in replies.clone() {
        let arguments = reply.shown.command.args.iter();
        let arguments = arguments.filter_map(|text| text.bytes().ok());
        let arguments = arguments.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        answer.replies.push((reply.shown.command.verb.clone(), arguments));
    }
    if let Some(first) = replies.clone().next() {
        answer.after = first.after;
    }
    let sent = outcomes.iter().filter_map(|outcome| Some(outcome.sent.as_ref()?.text.as_str())).collect();
    Ok(Row {
        experiment: experiment.name.clone(),
        variant: variant.to_vec(),
        sent,
        got: answer.lines(),
        after: answer.after,
        disconnected: answer.disconnected,
        passed: passed(&step.expect, &answer),
    })
}

fn passed(expect: &Expect, answer: &Answer) -> Option<bool> {
    match expect {
        Expect::Anything => None,
        Expect::Reply => Some(!answer.replies.is_empty() && !answer.disconnected),
        Expect::Nothing => Some(answer.replies.is_empty() && !answer.disconnected),
        Expect::Close => Some(answer.disconnected),
        Expect::Expression(expression) => Some(expression.matches(answer)),
    }
}

fn reset(remote: &Remote, step: &Step, connection: u64) -> Result<()> {
    for (text, to) in &step.reset {
        send(remote, connection, text, *to, false, step.within)?;
    }
    Ok(())
}

fn send(
    remote: &Remote,
    connection: u64,
    text: &str,
    to: To,
    keep_length: bool,
    within: Duration,
) -> Result<Vec<Outcome>> {
    let request = Send {
        target: connection.to_string(),
        text: text.to_owned(),
        to: match to {
            To::Server => Receiver::Server,
            To::Client => Receiver::Client,
        },
        length: if keep_length { Length::Keep } else { Length::Repair },
        wait: Some(within.as_secs_f64()),
        by: Some("experiment".to_owned()),
    };
    remote.post("/api/send", &request)
}

/// How often a session is looked for.
const POLL: Duration = Duration::from_millis(100);
