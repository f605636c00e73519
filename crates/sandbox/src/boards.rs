//! Conversations: who is in which switchboard session, and the cookies that let people in.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use msnp::Version;
use tokio::time::Instant;

use crate::expiring::Expiring;
use crate::outbox::Outbox;

/// How long a cookie lets somebody in.
const COOKIE_LIFETIME: Duration = Duration::from_secs(120);
/// Most cookies at once.
const MAX_COOKIES: usize = 4096;

/// The number of a switchboard session. It stays below 2^31: clients read it with `atoi`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BoardId(pub(crate) u32);

/// Every conversation.
#[derive(Debug)]
pub(crate) struct Boards {
    boards: HashMap<BoardId, Vec<Participant>>,
    cookies: Expiring<Pass>,
    last: u32,
}

/// Somebody in a conversation, and how to write to them.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    pub(crate) email: String,
    /// The friendly name in wire form.
    pub(crate) name: String,
    pub(crate) capabilities: String,
    /// The version of the notification connection that the cookie was handed out on; a switchboard has no `VER`.
    pub(crate) version: Version,
    pub(crate) outbox: Outbox,
}

/// What a cookie stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) email: String,
    pub(crate) version: Version,
    /// The session that its holder was invited to; `None` opens a new one.
    pub(crate) board: Option<BoardId>,
}

impl Boards {
    pub(crate) fn new() -> Boards {
        Boards {
            boards: HashMap::new(),
            cookies: Expiring::new(COOKIE_LIFETIME, MAX_COOKIES),
            last: fastrand::u32(11_000_000..12_000_000),
        }
    }

    /// Hands out a cookie. It is valid once.
    pub(crate) fn issue(&mut self, pass: Pass, now: Instant) -> String {
        let cookie = format!("{}.{}.{}", fastrand::u32(..), fastrand::u32(..), fastrand::u32(..));
        self.cookies.insert(cookie.clone(), pass, now);
        cookie
    }

    /// Takes a cookie back.
    pub(crate) fn redeem(&mut self, cookie: &str, now: Instant) -> Option<Pass> {
        self.cookies.take(cookie, now)
    }

    /// Starts a conversation with one participant.
    pub(crate) fn open(&mut self, participant: Participant) -> BoardId {
        self.last = self.last % 0x7fff_ffff + 1;
        let board = BoardId(self.last);
        self.boards.insert(board, vec![participant]);
        board
    }

    /// Adds a participant, and returns the others. `false` if there is no such conversation any more.
    pub(crate) fn join(&mut self, board: BoardId, participant: Participant) -> bool {
        let Some(participants) = self.boards.get_mut(&board) else { return false };
        participants.push(participant);
        true
    }

    /// Removes a participant and tells the others. A conversation without anybody ends, with all its cookies.
    pub(crate) fn leave(&mut self, board: BoardId, email: &str) {
        let Some(participants) = self.boards.get_mut(&board) else { return };
        participants.retain(|participant| participant.email != email);
        for participant in participants.iter() {
            participant.outbox.push(Bytes::from(format!("BYE {email}\r\n")));
        }
        if participants.is_empty() {
            self.boards.remove(&board);
            self.cookies.retain(|pass| pass.board != Some(board));
        }
    }

    /// Whether somebody is in the conversation.
    pub(crate) fn contains(&self, board: BoardId, email: &str) -> bool {
        self.others(board, "").any(|participant| participant.email == email)
    }

    /// Returns everybody in the conversation but one, in the order in which they came.
    pub(crate) fn others(&self, board: BoardId, email: &str) -> impl Iterator<Item = &Participant> {
        let participants = self.boards.get(&board).map(Vec::as_slice).unwrap_or_default();
        participants.iter().filter(move |participant| participant.email != email)
    }
}
