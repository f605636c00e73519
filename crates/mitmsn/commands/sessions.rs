//! `mitmsn sessions` and `mitmsn close`.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use mitmsn_web::types::{Close, Session};
use msnp_transcript::state::SessionState;

use super::control::Remote;
use super::output::{print, print_json};
use crate::cli::Reach;

/// Lists sessions, or describes one.
pub(super) fn run(session: Option<&str>, reach: &Reach) -> Result<ExitCode> {
    let remote = Remote::find(reach)?;
    let Some(session) = session else {
        let sessions: Vec<Session> = remote.get("/api/sessions")?;
        if reach.json {
            return print_json(&sessions);
        }
        if sessions.is_empty() {
            anstream::eprintln!("no sessions yet");
        }
        return print(&sessions.iter().map(summary).collect::<Vec<_>>().concat());
    };
    let id = find(&remote, session)?;
    let session: Session = remote.get(&format!("/api/sessions/{id}"))?;
    if reach.json {
        return print_json(&session);
    }
    let state = session.state.as_ref().map(describe).unwrap_or_default();
    print(&format!("{}{state}", summary(&session)))
}

/// Closes a connection.
pub(super) fn close(target: &str, reach: &Reach) -> Result<ExitCode> {
    let closed: serde_json::Value = Remote::find(reach)?.post("/api/close", &Close { target: target.to_owned() })?;
    if reach.json {
        return print_json(&closed);
    }
    print(&format!("closing connection {}\n", closed["connection"]))
}

/// Returns the id of a session that is given by its id or account.
pub(super) fn find(remote: &Remote, name: &str) -> Result<String> {
    let sessions: Vec<Session> = remote.get("/api/sessions")?;
    let is_meant = |session: &&Session| {
        let account = session.account.as_deref().unwrap_or_default();
        let local = account.split('@').next().unwrap_or_default();
        !name.is_empty()
            && (session.id.starts_with(name) || account.eq_ignore_ascii_case(name) || local.eq_ignore_ascii_case(name))
    };
    let open: Vec<&Session> = sessions.iter().filter(is_meant).filter(|session| session.ended.is_none()).collect();
    let all: Vec<&Session> = sessions.iter().filter(is_meant).collect();
    match (&open[..], &all[..]) {
        ([one], _) | ([], [one]) => Ok(one.id.clone()),
        ([], []) => Err(anyhow!("no session of {name:?}; `mitmsn sessions` lists them")),
        _ => {
            let which: Vec<String> = all.iter().map(|session| summary(session)).collect();
            Err(anyhow!("several sessions of {name:?}: name one by its id\n{}", which.concat().trim_end()))
        }
    }
}

fn summary(session: &Session) -> String {
    let account = session.account.as_deref().unwrap_or("-");
    let version = session.version.as_deref().unwrap_or("-");
    let started = session.started.get(..19).unwrap_or(&session.started);
    let ended = session.ended.as_deref().map(|ended| format!(" to {}", ended.get(11..19).unwrap_or(ended)));
    let mut out = format!(
        "{}  {account}  {version}  {started}{}  {} >>> {} <<<{}\n",
        session.id,
        ended.unwrap_or_default(),
        session.client_commands,
        session.server_commands,
        if session.errors == 0 { String::new() } else { format!("  {} errors", session.errors) },
    );
    for connection in session.connections.iter().filter(|connection| connection.closed.is_none()) {
        out += &format!(
            "  {:<4} #{}  {} -> {}\n",
            connection.name, connection.number, connection.client, connection.upstream
        );
    }
    out
}

fn describe(state: &SessionState) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out += &format!("  {name}: {value}\n");
        }
    };
    line("logged in", Some(if state.logged_in { "yes".into() } else { "no".into() }));
    line("name", state.friendly_name.clone());
    line("status", state.presence.status.clone());
    line("personal message", state.presence.personal_message.clone());
    line("privacy", state.privacy.clone());
    for (address, contact) in &state.contacts {
        let status = contact.presence.status.as_deref().unwrap_or("offline");
        let lists: Vec<String> = contact.lists.iter().map(|list| list.as_str().to_owned()).collect();
        let name = contact.name.as_deref().unwrap_or_default();
        out += &format!("  contact {address}  {status}  {}  {name}\n", lists.join(","));
    }
    for board in &state.switchboards {
        let who: Vec<&str> = board.participants.keys().map(String::as_str).collect();
        let id = board.session_id.as_deref().map(|id| format!(" session {id}")).unwrap_or_default();
        out += &format!("  switchboard #{}{id}: {}\n", board.connection, who.join(", "));
    }
    for connection in &state.connections {
        for transaction in &connection.in_flight {
            out += &format!("  waiting on #{}: {} {}\n", connection.number, transaction.verb, transaction.id);
        }
    }
    out
}
