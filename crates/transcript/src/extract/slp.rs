//! What MSNSLP says of transfers: who offers or asks for what, under which session id, and what became of it.

use std::collections::VecDeque;

use msnp::flow::account_of;
use msnp::payload::mime::Headers;
use msnp::payload::slp::Slp;

use super::context::{FileDescription, ObjectDescription, decode_context};
use super::manifest::{Carrier, Kind};
use super::packet::Peers;
use super::transfers::Mark;

/// A session that was proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Invitation {
    /// Who proposed it to whom.
    pub(super) peers: Peers,
    pub(super) call: Vec<u8>,
    pub(super) session: u32,
    pub(super) subject: Subject,
    pub(super) carrier: Carrier,
    pub(super) mark: Mark,
    pub(super) last: Mark,
    /// The code of the answer.
    pub(super) answer: Option<u16>,
    /// Whether a connection between the two was agreed on.
    pub(super) is_direct: bool,
    /// Whether data of it was seen.
    pub(super) is_served: bool,
}

/// What a session carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// An object that the invited sends.
    Object(Kind, Option<ObjectDescription>),
    /// A file that the inviting sends.
    File(Option<FileDescription>),
    /// A webcam, a game and what else there is.
    Other,
}

/// The sessions that were proposed.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    known: VecDeque<Invitation>,
}

/// Pictures, emoticons, winks.
const OBJECT: &[u8] = b"A4268EEC-FEC5-49E5-95C3-F126696BDBF6";
/// Files.
const FILE: &[u8] = b"5D3E02AB-6190-11D3-BBBB-00C04F795683";
/// Most sessions that are remembered.
const MOST: usize = 4096;

impl Invitations {
    /// Learns from a message of MSNSLP. Returns the session that it proposes, and one that is forgotten for it.
    pub(super) fn learn(&mut self, slp: &Slp<'_>, peers: &Peers, carrier: Carrier, mark: &Mark) -> Learned {
        let call = slp.headers().get("Call-ID").unwrap_or_default().to_vec();
        match slp.method() {
            Some(b"INVITE") if slp.body().get("EUF-GUID").is_some() => self.propose(slp, call, peers, carrier, mark),
            Some(_) => Learned::default(),
            None => {
                self.answer(slp, &call, mark);
                Learned::default()
            }
        }
    }

    fn propose(&mut self, slp: &Slp<'_>, call: Vec<u8>, peers: &Peers, carrier: Carrier, mark: &Mark) -> Learned {
        let body = slp.body();
        let Some(session) = number(&body, "SessionID") else { return Learned::default() };
        let known = |known: &Invitation| known.session == session && known.call == call && known.peers.is_pair(peers);
        if self.known.iter().any(known) {
            return Learned::default();
        }
        let forgotten = if self.known.len() >= MOST { self.known.pop_front() } else { None };
        let peers = Peers {
            from: address(slp, "From").unwrap_or_else(|| peers.from.clone()),
            to: address(slp, "To").unwrap_or_else(|| peers.to.clone()),
        };
        self.known.push_back(Invitation {
            peers,
            call,
            session,
            subject: Subject::of(&body),
            carrier,
            mark: mark.clone(),
            last: mark.clone(),
            answer: None,
            is_direct: false,
            is_served: false,
        });
        Learned { proposed: self.known.back().cloned(), forgotten }
    }

    fn answer(&mut self, slp: &Slp<'_>, call: &[u8], mark: &Mark) {
        let Some(invitation) = self.known.iter_mut().rev().find(|known| known.call == call) else { return };
        invitation.last = mark.clone();
        let is_transport = slp.headers().is("application/x-msnmsgr-transrespbody");
        let says = |name, value: &[u8]| slp.body().get(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
        match slp.status() {
            Some(200) if is_transport => invitation.is_direct |= says("Listening", b"true"),
            Some(code) if !is_transport => invitation.answer = Some(code),
            _ => {}
        }
    }

    /// Returns the session that data belongs to: the latest with this id, of these two if there is one.
    pub(super) fn find(&mut self, session: u32, peers: &Peers) -> Option<&mut Invitation> {
        let with_id = |known: &Invitation| known.session == session;
        let of_pair = self.known.iter().rposition(|known| with_id(known) && known.peers.is_pair(peers));
        let at = of_pair.or_else(|| self.known.iter().rposition(with_id))?;
        self.known.get_mut(at)
    }

    /// Returns the sessions in order.
    pub(super) fn into_all(self) -> impl Iterator<Item = Invitation> {
        self.known.into_iter()
    }
}

/// What came of a message of MSNSLP.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) proposed: Option<Invitation>,
    pub(super) forgotten: Option<Invitation>,
}

impl Peers {
    fn is_pair(&self, other: &Peers) -> bool {
        self == other || (self.from == other.to && self.to == other.from)
    }
}

impl Subject {
    fn of(body: &Headers<'_>) -> Subject {
        let guid = body.get("EUF-GUID").unwrap_or_default();
        let guid = guid.strip_prefix(b"{").unwrap_or(guid);
        let is = |expected: &[u8]| guid.get(..expected.len()).is_some_and(|guid| guid.eq_ignore_ascii_case(expected));
        let context = || body.get("Context").and_then(decode_context);
        match () {
            () if is(OBJECT) => {
                let object = context().and_then(|context| ObjectDescription::parse(&context));
                let kind = match (&object, number(body, "AppID")) {
                    (Some(object), _) => object.kind(),
                    (None, Some(12)) => Kind::DisplayPicture,
                    (None, Some(11)) => Kind::Emoticon,
                    (None, _) => Kind::Object,
                };
                Subject::Object(kind, object)
            }
            () if is(FILE) => Subject::File(context().and_then(|context| FileDescription::parse(&context))),
            () => Subject::Other,
        }
    }
}

impl Subject {
    /// Returns the size that was announced.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Subject::Object(_, object) => object.as_ref().and_then(|object| object.size),
            Subject::File(file) => file.as_ref().map(|file| file.size),
            Subject::Other => None,
        }
    }
}

fn number(body: &Headers<'_>, name: &str) -> Option<u32> {
    std::str::from_utf8(body.get(name)?).ok()?.parse().ok()
}

/// `<msnmsgr:alice@example.com;{guid}>`
fn address(slp: &Slp<'_>, header: &str) -> Option<String> {
    let value = slp.headers().get(header)?;
    let inner = value.strip_prefix(b"<").unwrap_or(value);
    let inner = inner.strip_suffix(b">").unwrap_or(inner);
    let account = inner.split_at_checked(8).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"msnmsgr:"))?.1;
    (!account.is_empty()).then(|| account_of(account))
}
