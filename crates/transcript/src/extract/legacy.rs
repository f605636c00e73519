//! File transfers of before P2P: `text/x-msmsgsinvite`. Only the offer and its answer pass through a switchboard.

use msnp::command::lossy;
use msnp::payload::mime::Headers;

use super::packet::Peers;
use super::transfers::Mark;

/// Why there is no data.
pub(super) const ELSEWHERE: &str = "it went over a connection between the two, which MSNP only announces";
/// Most offers that are remembered.
const MOST: usize = 4096;

/// The files that were offered.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    offers: Vec<Offer>,
}

/// A file that was offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) peers: Peers,
    pub(super) name: String,
    pub(super) size: Option<u64>,
    pub(super) mark: Mark,
    pub(super) last: Mark,
    cookie: Vec<u8>,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Open,
    Accepted,
    Cancelled(String),
}

impl Legacy {
    /// Learns from the body of an invitation, which is a block of headers.
    pub(super) fn learn(&mut self, body: &[u8], peers: &Peers, mark: &Mark) {
        let body = Headers::parse(body);
        let get = |name| body.get(name).map(|value| lossy(value).into_owned());
        let cookie = body.get("Invitation-Cookie").unwrap_or_default();
        let command = body.get("Invitation-Command").unwrap_or_default().to_ascii_uppercase();
        if command == b"INVITE" {
            if let (Some(name), true) = (get("Application-File"), self.offers.len() < MOST) {
                let size = get("Application-FileSize").and_then(|size| size.parse().ok());
                let (peers, cookie) = (peers.clone(), cookie.to_vec());
                let (mark, last) = (mark.clone(), mark.clone());
                self.offers.push(Offer { peers, name, size, mark, last, cookie, outcome: Outcome::Open });
            }
            return;
        }
        // a masked cookie still has its length, so the latest is the likeliest
        let offer = self.offers.iter_mut().rev().find(|offer| {
            let is_open = offer.outcome != Outcome::Accepted || command == b"CANCEL";
            is_open && offer.cookie == cookie && offer.mark.connection == mark.connection
        });
        let Some(offer) = offer else { return };
        offer.last = mark.clone();
        match &command[..] {
            b"ACCEPT" => offer.outcome = Outcome::Accepted,
            b"CANCEL" => offer.outcome = Outcome::Cancelled(get("Cancel-Code").unwrap_or_default()),
            _ => {}
        }
    }

    /// Returns the offers in order.
    pub(super) fn into_all(self) -> impl Iterator<Item = Offer> {
        self.offers.into_iter()
    }
}

impl Offer {
    /// Returns why there is no data.
    pub(super) fn reason(&self) -> String {
        match &self.outcome {
            Outcome::Open => "it was not answered".to_owned(),
            Outcome::Accepted => ELSEWHERE.to_owned(),
            Outcome::Cancelled(code) if code.is_empty() => "it was cancelled".to_owned(),
            Outcome::Cancelled(code) => format!("it was cancelled: {code}"),
        }
    }
}
