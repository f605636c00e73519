//! [`Member`]: somebody who is logged in, and whether they proved to be a real client.

use std::time::Duration;

use msnp::{Version, challenge};
use tokio::time::Instant;

use crate::code::{self, ErrorCode};
use crate::connection::Turn;
use crate::options::Challenges;
use crate::output::Output;
use crate::world::LoginId;

/// How long a client may think about a challenge.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(50);

/// Somebody who is logged in.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) email: String,
    pub(crate) version: Version,
    pub(crate) login: LoginId,
    challenges: Challenges,
    challenge: Challenge,
}

#[derive(Debug)]
enum Challenge {
    /// None is open; the next is sent then.
    None { next: Option<Instant> },
    /// This text was sent, and must be answered until then.
    Open { text: String, until: Instant },
}

impl Member {
    /// Returns a member who is to be challenged at once, if at all.
    pub(crate) fn new(email: String, version: Version, login: LoginId, challenges: Challenges, now: Instant) -> Member {
        let next = (challenges != Challenges::Never && version >= Version(6)).then_some(now);
        Member { email, version, login, challenges, challenge: Challenge::None { next } }
    }

    /// Returns when [`expire`](Member::expire) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.challenge {
            Challenge::None { next } => *next,
            Challenge::Open { until, .. } => Some(*until),
        }
    }

    /// Sends the challenge that is due, or refuses to wait longer for the answer to the last.
    pub(crate) fn expire(&mut self, now: Instant, output: &mut Output) {
        match &self.challenge {
            Challenge::None { next: Some(next) } if *next <= now => {
                let text: String = (0..20).map(|_| fastrand::digit(10)).collect();
                output.line(format_args!("CHL 0 {text}"));
                self.challenge = Challenge::Open { text, until: now + CHALLENGE_TIMEOUT };
            }
            Challenge::Open { until, .. } if *until <= now => {
                output.fatal(code::CHALLENGE_FAILED, msnp::TransactionId(0));
            }
            _ => {}
        }
    }
}

/// `QRY trid product 32` + answer -> `QRY trid`
pub(super) fn qry(member: &mut Member, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
    let Challenge::Open { text, until } = &member.challenge else { return Err(code::NOT_EXPECTED) };
    let right = challenge::product(turn.request.argument(0).as_bytes()).is_some_and(|product| {
        challenge::answer(text.as_bytes(), product, member.version).as_bytes() == turn.request.payload
    });
    if !right || *until <= turn.now {
        turn.output.fatal(code::CHALLENGE_FAILED, turn.request.id);
        return Ok(());
    }
    let next = match member.challenges {
        Challenges::Every(interval) => Some(turn.now + interval),
        _ => None,
    };
    member.challenge = Challenge::None { next };
    turn.output.line(format_args!("QRY {}", turn.request.id));
    Ok(())
}
