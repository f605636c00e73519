//! The cookies that a session's servers handed out.

use std::collections::VecDeque;

use msnp::flow::{Redirect, RedirectKind};

use super::said::Said;

/// What the client may show at switchboards.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    given: VecDeque<(Vec<u8>, Option<Vec<u8>>)>,
    /// Whether a login was seen whose redirects are all known.
    is_complete: bool,
    is_lost: bool,
}

/// What is known of a cookie that a client shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// Nothing can be said: the server that gives cookies was not seen, or they are masked.
    Unjudged,
    Given,
    /// The cookie belongs to another session id.
    OtherSession,
    NotGiven,
}

impl Cookies {
    /// Notices what the client heard. `is_whole` says whether all of the connection was seen.
    pub(super) fn heard(&mut self, heard: &Said<'_>, is_whole: bool) {
        if heard.is_from_client() {
            return;
        }
        self.is_complete |= heard.verb() == b"VER" && is_whole;
        let Some(redirect) = Redirect::of(heard.command) else { return };
        let (cookie, session) = match redirect.kind {
            RedirectKind::Switchboard { cookie } => (cookie, None),
            RedirectKind::Invitation { cookie, session } => (cookie, Some(session)),
            RedirectKind::Notification { .. } => return,
        };
        let index = if session.is_some() { 3 } else { 4 };
        let is_short = cookie.len() <= LONGEST && session.as_ref().is_none_or(|session| session.len() <= LONGEST);
        self.is_lost |= heard.is_masked(&format!("args[{index}]")) || !is_short || self.given.len() >= MOST;
        if !self.is_lost {
            self.given.push_back((cookie, session));
        }
    }

    /// Is told that something was not seen.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    pub(super) fn know(&self, cookie: &[u8], session: Option<&[u8]>) -> Known {
        if self.is_lost || !self.is_complete {
            return Known::Unjudged;
        }
        let mut with_cookie = self.given.iter().filter(|given| given.0 == cookie).peekable();
        if with_cookie.peek().is_none() {
            return Known::NotGiven;
        }
        match with_cookie.any(|given| given.1.as_deref() == session) {
            true => Known::Given,
            false if session.is_none() => Known::NotGiven,
            false => Known::OtherSession,
        }
    }
}

/// More cookies are not remembered; then none is judged.
const MOST: usize = 4096;
/// Nor longer ones.
const LONGEST: usize = 512;
