//! Takes out of transcripts what people sent each other: pictures, emoticons, winks, files, voice clips, handwriting, texts.
//!
//! An [`Extractor`] reads the events of one transcript and puts together what P2P messages of both versions carry, in
//! switchboards and in datagrams. A [`Collection`] takes what several extractors find, recognises what it has already,
//! gives names to files, and ends as a [`Manifest`]. Neither touches a file.
//!
//! What went over a connection between two clients is not in a transcript; the manifest says so.

mod chunks;
mod collection;
mod content_type;
mod context;
mod legacy;
mod manifest;
mod message;
mod names;
mod packet;
mod parts;
mod slp;
mod transfers;

use std::collections::HashMap;

use msnp::payload::slp::Slp;
use sha1::{Digest, Sha1};

use self::chunks::Chunks;
use self::context::FileDescription;
use self::legacy::Legacy;
use self::message::Sender;
use self::packet::Peers;
use self::parts::Parts;
use self::slp::{Invitation, Invitations, Subject};
use self::transfers::{END, Mark, Message, Transfers};
use crate::event::{CommandEvent, Event};
use crate::screen::Tracker;

pub use self::collection::{Collection, NewFile};
pub use self::context::ObjectDescription;
pub use self::manifest::{
    Carrier, Entry, FORMAT, HashCheck, Kind, Manifest, Missing, Origin, Shortcut, Sighting, Status, TextMessage,
    VERSION, schema,
};

/// How much is kept in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest file, in bytes; of a larger one the first so many are kept.
    pub file: u64,
    /// All files of a transcript that are not complete yet, in bytes. Parts that are too much are left out.
    pub in_flight: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { file: 64 << 20, in_flight: 256 << 20 }
    }
}

/// Something that was found; for a [`Collection`].
#[derive(Clone, Debug)]
pub struct Found(Finding);

#[derive(Clone, Debug)]
enum Finding {
    Content(Box<Content>),
    Text(TextMessage),
    Shortcut(Shortcut),
}

/// A file, or what there is of it.
#[derive(Clone, Debug)]
struct Content {
    kind: Kind,
    parts: Parts,
    /// Its size; absent where its beginning is missing and nobody told.
    total: Option<u64>,
    /// Its size as it was announced.
    announced: Option<u64>,
    name: Option<String>,
    object: Option<ObjectDescription>,
    reason: Option<String>,
    sighting: Sighting,
    /// Where other transcripts saw parts of it.
    also: Vec<Sighting>,
}

/// Reads the events of one transcript.
#[derive(Debug)]
pub struct Extractor {
    limits: Limits,
    origin: Origin,
    tracker: Tracker,
    transfers: Transfers,
    invitations: Invitations,
    legacy: Legacy,
    chunks: Chunks<(Mark, Sender)>,
    /// The objects that were spoken of, by `SHA1D`.
    objects: HashMap<String, ObjectDescription>,
    found: Vec<Found>,
}

/// Why there is no data, and none to be looked for.
const REDACTED: &str = "it was redacted";
/// Most objects that are remembered.
const MOST_OBJECTS: usize = 1 << 16;
/// The session in which clients send handwriting without asking.
const INK: u32 = 64;

impl Extractor {
    /// Returns one that has seen nothing; `transcript` is the name that stands in the manifest.
    pub fn new(transcript: &str, limits: Limits) -> Extractor {
        Extractor {
            limits,
            origin: Origin { transcript: transcript.to_owned(), ..Origin::default() },
            tracker: Tracker::default(),
            transfers: Transfers::new(limits),
            invitations: Invitations::default(),
            legacy: Legacy::default(),
            chunks: Chunks::default(),
            objects: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Takes the next event, and returns what became complete with it.
    pub fn push(&mut self, event: &Event) -> Vec<Found> {
        self.tracker.learn(event);
        match event {
            Event::Session(session) => {
                self.origin.session.clone_from(&session.stem.session);
                self.origin.redacted = session.redacted.is_some();
            }
            Event::Command(command) => self.command(command),
            Event::Gap(_) | Event::Opaque(_) => self.origin.gaps += 1,
            _ => {}
        }
        self.tracker.forget(event);
        std::mem::take(&mut self.found)
    }

    /// Returns what is left: what is incomplete, what was announced and never came, and what is known of the transcript.
    pub fn finish(mut self) -> (Vec<Found>, Origin) {
        let transfers = std::mem::replace(&mut self.transfers, Transfers::new(self.limits));
        let (talk, data): (Vec<Message>, Vec<Message>) =
            transfers.finish().into_iter().partition(|message| message.session == 0);
        talk.into_iter().chain(data).for_each(|message| self.message(message));
        for joined in std::mem::take(&mut self.chunks).finish() {
            self.joined(joined);
        }
        for invitation in std::mem::take(&mut self.invitations).into_all() {
            self.unserved(invitation);
        }
        for offer in std::mem::take(&mut self.legacy).into_all() {
            let sighting = self.sighting(&offer.peers, (&offer.mark, &offer.last), Carrier::Direct, None);
            let reason = Some(offer.reason());
            let content = Content::without_data(Kind::File, Some(offer.name), offer.size, reason, sighting);
            self.found.push(Found(Finding::Content(Box::new(content))));
        }
        (self.found, self.origin)
    }

    fn command(&mut self, event: &CommandEvent) {
        let Ok(command) = event.command() else { return };
        let account = self.tracker.account(&event.stem.session, event.connection).to_owned();
        if self.origin.account.is_none() && !account.is_empty() {
            self.origin.account = Some(account.clone());
        }
        if event.masked.iter().any(|place| place == "payload" || place.starts_with("payload.Context")) {
            self.origin.masked += 1;
        }
        self.look(&command, &account, &Mark::of(event));
    }

    /// Takes a packet apart that belongs to a message, and what the message makes.
    fn packet(&mut self, packet: &packet::Packet<'_>, peers: &Peers, mark: &Mark) {
        for message in self.transfers.push(packet, peers, mark.clone()) {
            self.message(message);
        }
    }

    /// Sees what a P2P message is, be it whole or not.
    fn message(&mut self, message: Message) {
        if message.session == 0 {
            let text = message.parts.to_bytes();
            return self.talk(&text, &message.peers, message.carrier, (&message.first, &message.last));
        }
        if message.parts.len() == 0 {
            return;
        }
        let subject = self.invitations.find(message.session, &message.peers).map(|known| known.subject.clone());
        let is_empty = message.total == Some(4) && message.parts.to_bytes() == [0; 4];
        let expects_more = subject.as_ref().and_then(Subject::size).is_some_and(|size| size != 4);
        if is_empty && (expects_more || !message.carries_data) {
            // it says that data will follow
            return;
        }
        match subject {
            None if message.session == INK && self.ink(&message) => {}
            None if !message.carries_data => self.origin.other += 1,
            Some(Subject::Other) => self.origin.other += 1,
            subject => {
                if let Some(invitation) = self.invitations.find(message.session, &message.peers) {
                    invitation.is_served = true;
                }
                self.data(message, subject);
            }
        }
    }

    /// Learns from MSNSLP.
    fn talk(&mut self, text: &[u8], peers: &Peers, carrier: Carrier, (first, last): (&Mark, &Mark)) {
        let Some(slp) = Slp::parse(text) else { return };
        let learned = self.invitations.learn(&slp, peers, carrier, first);
        if let Some(forgotten) = learned.forgotten {
            self.unserved(forgotten);
        }
        let Some(invitation) = learned.proposed else { return };
        match &invitation.subject {
            Subject::Object(_, Some(object)) => self.remember(object),
            Subject::File(Some(FileDescription { name, preview, .. })) if preview.iter().any(|&byte| byte != 0) => {
                let sighting = self.sighting(&invitation.peers, (first, last), carrier, Some(invitation.session));
                let mut parts = Parts::default();
                parts.insert(0, preview);
                let total = Some(parts.len());
                let (name, kind) = (Some(name.clone()), Kind::Preview);
                self.content(Content { parts, total, ..Content::without_data(kind, name, None, None, sighting) });
            }
            _ => {}
        }
    }

    /// Makes a file of what a session carried.
    fn data(&mut self, message: Message, subject: Option<Subject>) {
        let span = (&message.first, &message.last);
        let sighting = self.sighting(&message.peers, span, message.carrier, Some(message.session));
        let announced = subject.as_ref().and_then(Subject::size);
        let (kind, object, file) = match subject {
            Some(Subject::Object(kind, object)) => (kind, object, None),
            Some(Subject::File(file)) => (Kind::File, None, file),
            Some(Subject::Other) | None => (Kind::Unknown, None, None),
        };
        let (mut parts, mut total) = (message.parts, message.total);
        if total.is_none() {
            // its last byte is at a known place, its first is not
            let start = announced.and_then(|size| END.checked_sub(size)).filter(|&start| parts.start() >= Some(start));
            parts = parts.clone().moved_down(start.or(parts.start()).unwrap_or_default());
            total = start.and(announced);
        }
        if self.origin.redacted && parts.pieces().all(|(_, piece)| piece.iter().all(|&byte| byte == 0)) {
            // redaction leaves as many zeros
            self.origin.masked += 1;
            let (name, reason) = (file.map(|file| file.name), Some(REDACTED.to_owned()));
            return self.content(Content { object, ..Content::without_data(kind, name, announced, reason, sighting) });
        }
        let reason = message.is_cut.then(|| {
            format!(
                "larger than the limits of {} bytes for a file and {} for all that are incomplete",
                self.limits.file, self.limits.in_flight
            )
        });
        let mut content = Content {
            parts,
            total,
            object,
            ..Content::without_data(kind, file.map(|file| file.name), announced, reason, sighting)
        };
        if content.kind == Kind::Unknown && content.is_complete() {
            self.recognise(&mut content);
        }
        self.content(content);
    }

    /// Looks whether data that nobody announced is an object that somebody spoke of.
    fn recognise(&self, content: &mut Content) {
        let hash = context::encode(&content.sha1());
        if let Some(object) = self.objects.get(&hash) {
            content.kind = object.kind();
            content.announced = object.size;
            content.object = Some(object.clone());
        }
    }

    /// Tells of a session for which no data was seen.
    fn unserved(&mut self, invitation: Invitation) {
        if invitation.is_served {
            return;
        }
        let Peers { from, to } = invitation.peers.clone();
        let (kind, name, size, object, peers) = match invitation.subject.clone() {
            Subject::Object(kind, object) => {
                let size = object.as_ref().and_then(|object| object.size);
                (kind, None, size, object, Peers { from: to, to: from })
            }
            Subject::File(file) => {
                let (name, size) = file.map(|file| (file.name, file.size)).unzip();
                (Kind::File, name, size, None, Peers { from, to })
            }
            Subject::Other => return,
        };
        let reason = match invitation.answer {
            _ if invitation.is_direct => legacy::ELSEWHERE.to_owned(),
            Some(603) => "it was declined".to_owned(),
            Some(200) => "it was accepted, but no data was seen".to_owned(),
            Some(code) => format!("it was answered with {code}"),
            None => "it was not answered".to_owned(),
        };
        let span = (&invitation.mark, &invitation.last);
        let sighting = self.sighting(&peers, span, invitation.carrier, Some(invitation.session));
        self.content(Content { object, ..Content::without_data(kind, name, size, Some(reason), sighting) });
    }

    fn remember(&mut self, object: &ObjectDescription) {
        if !object.sha1d.is_empty() && self.objects.len() < MOST_OBJECTS {
            self.objects.entry(object.sha1d.clone()).or_insert_with(|| object.clone());
        }
    }

    fn content(&mut self, content: Content) {
        self.found.push(Found(Finding::Content(Box::new(content))));
    }

    fn sighting(
        &self,
        peers: &Peers,
        (first, last): (&Mark, &Mark),
        carrier: Carrier,
        p2p_session: Option<u32>,
    ) -> Sighting {
        Sighting {
            transcript: self.origin.transcript.clone(),
            session: self.origin.session.clone(),
            connection: first.connection,
            server: first.server,
            from: peers.from.clone(),
            to: peers.to.clone(),
            first_seq: first.seq,
            last_seq: last.seq,
            first_time: first.time.clone(),
            last_time: last.time.clone(),
            carrier,
            p2p_session,
        }
    }
}

impl Content {
    fn without_data(
        kind: Kind,
        name: Option<String>,
        announced: Option<u64>,
        reason: Option<String>,
        sighting: Sighting,
    ) -> Content {
        let (parts, also) = (Parts::default(), Vec::new());
        Content { kind, parts, total: None, announced, name, object: None, reason, sighting, also }
    }

    fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| total > 0 && self.parts.len() >= total && self.parts.gaps(0..total).is_empty())
    }

    fn sha1(&self) -> Vec<u8> {
        let mut hash = Sha1::new();
        self.parts.pieces().for_each(|(_, piece)| hash.update(piece));
        hash.finalize().to_vec()
    }
}

/// Reads anything as a transcript and extracts what it holds, and checks what must hold for any input: no panic, no more
/// memory than the limits, names that lead nowhere. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_extraction(text: &[u8]) {
    let limits = Limits { file: 1 << 16, in_flight: 1 << 18 };
    let mut collection = Collection::default();
    let mut extractor = Extractor::new("input", limits);
    let mut names = Vec::new();
    let mut take = |collection: &mut Collection, found: Vec<Found>| {
        names.extend(found.into_iter().filter_map(|found| collection.add(found).0).map(|file| file.name));
    };
    for event in crate::Reader::new(text, std::path::Path::new("input")).filter_map(Result::ok) {
        let found = extractor.push(&event);
        take(&mut collection, found);
    }
    let (found, origin) = extractor.finish();
    take(&mut collection, found);
    collection.end(origin);
    let (files, manifest) = collection.finish();
    names.extend(files.into_iter().map(|file| file.name));
    assert_eq!(names.len(), manifest.files.iter().filter(|entry| entry.file.is_some()).count());
    for name in &names {
        assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'), "{name}");
    }
    names.sort_by_key(|name| name.to_lowercase());
    names.dedup_by_key(|name| name.to_lowercase());
    assert_eq!(names.len(), manifest.files.iter().filter(|entry| entry.file.is_some()).count());
}

#[cfg(test)]
mod tests;
