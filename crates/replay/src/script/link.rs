//! Finds the redirect that led the client to each connection.

use std::collections::HashSet;

use msnp::flow::{Opening, Redirect, RedirectKind};
use msnp_transcript::event::SessionJoined;

use super::{Cause, Dialogue};

/// A redirect of the recording.
struct Offer {
    cause: Cause,
    connection: u64,
    at: std::time::Duration,
    redirect: Redirect,
}

/// Fills in the cause of every dialogue. A redirect leads to one connection. Where a cookie is masked its length must do,
/// and the order: the redirect that came first is followed first.
pub(super) fn find_causes(dialogues: &mut [Dialogue], joined: &[SessionJoined]) {
    let offers = offers(dialogues);
    let mut used = HashSet::new();
    for dialogue in dialogues.iter_mut() {
        let opening = dialogue.opening();
        let first = dialogue.requests().next().map_or(dialogue.opened, |(_, step)| step.at);
        let from = joined.iter().find(|joined| joined.connection == dialogue.connection).map(|joined| joined.from);
        let fits = |offer: &&Offer| {
            offer.at <= first
                && offer.connection != dialogue.connection
                && from.is_none_or(|from| from == offer.connection)
                && !used.contains(&offer.cause)
                && leads_to(&offer.redirect, &opening)
        };
        let mut fitting = offers.iter().filter(fits);
        let found = match opening {
            // who follows a redirect to log in leaves the server that sent it
            Opening::Login { .. } => fitting.next_back(),
            _ => {
                let fitting: Vec<&Offer> = fitting.collect();
                let leads_there = |offer: &&&Offer| offer.redirect.address.to_string() == dialogue.upstream;
                fitting.iter().find(leads_there).or(fitting.first()).copied()
            }
        };
        dialogue.cause = found.map(|offer| offer.cause);
        used.extend(dialogue.cause);
    }
}

fn offers(dialogues: &[Dialogue]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (index, dialogue) in dialogues.iter().enumerate() {
        for (step, said) in dialogue.steps.iter().enumerate() {
            if let Some(redirect) = Redirect::of(&said.command) {
                let cause = Cause { dialogue: index, step };
                offers.push(Offer { cause, connection: dialogue.connection, at: said.at, redirect });
            }
        }
    }
    offers.sort_by_key(|offer| offer.at);
    offers
}

/// Whether a redirect leads to such a connection. Masked cookies are as many `*` as they were long.
fn leads_to(redirect: &Redirect, opening: &Opening) -> bool {
    match (&redirect.kind, opening) {
        (RedirectKind::Notification { .. }, Opening::Login { .. }) => true,
        (RedirectKind::Switchboard { cookie }, Opening::Caller { cookie: shown, .. }) => cookie == shown,
        (RedirectKind::Invitation { cookie, session }, Opening::Callee { cookie: shown, session: joined, .. }) => {
            cookie == shown && session == joined
        }
        _ => false,
    }
}
