//! [`Collection`]: what several transcripts hold, each thing once.

use std::collections::HashMap;
use std::io::{self, Seek, Write};

use sha2::{Digest, Sha256};

use super::content_type;
use super::context::{encode, is_hash};
use super::manifest::{
    Carrier, Entry, FORMAT, HashCheck, Kind, Manifest, Missing, Origin, Shortcut, Sighting, Status, TextMessage,
    VERSION,
};
use super::names::Names;
use super::parts::Parts;
use super::{Content, Finding, Found};

/// What was found in transcripts.
#[derive(Debug)]
pub struct Collection {
    names: Names,
    manifest: Manifest,
    /// Complete files, by content, kind and name.
    known: HashMap<([u8; 32], Kind, Option<String>), usize>,
    /// What is not complete yet; another transcript may have the rest.
    waiting: Vec<Content>,
    shortcuts: HashMap<(String, String, String), usize>,
    waiting_bytes: u64,
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its name: safe on any system, and no other file has it.
    pub name: String,
    parts: Parts,
}

/// The names of what stands beside the files.
const TAKEN: &[&str] = &["manifest.json", "messages.jsonl"];
/// Most bytes of incomplete files that are kept; of later ones only the description is.
const MOST_WAITING: u64 = 512 << 20;
/// How many hits of what is incomplete are compared with one another.
const MOST_SIGHTINGS: usize = 1000;

impl Default for Collection {
    fn default() -> Collection {
        Collection {
            names: Names::without(TAKEN),
            manifest: Manifest {
                format: FORMAT.to_owned(),
                version: VERSION,
                software: concat!("mitmsn ", env!("CARGO_PKG_VERSION")).to_owned(),
                transcripts: Vec::new(),
                files: Vec::new(),
                emoticons: Vec::new(),
                messages: 0,
                notes: Vec::new(),
            },
            known: HashMap::new(),
            waiting: Vec::new(),
            shortcuts: HashMap::new(),
            waiting_bytes: 0,
        }
    }
}

impl Collection {
    /// Takes what was found. Returns a file to be written now, and a text.
    pub fn add(&mut self, found: Found) -> (Option<NewFile>, Option<TextMessage>) {
        match found.0 {
            Finding::Text(text) => {
                self.manifest.messages += 1;
                (None, Some(text))
            }
            Finding::Shortcut(shortcut) => {
                self.shortcut(shortcut);
                (None, None)
            }
            Finding::Content(content) if content.is_complete() => (self.complete(*content), None),
            Finding::Content(mut content) => {
                if self.waiting_bytes + content.parts.cost() > MOST_WAITING {
                    content.parts = Parts::default();
                    content.reason = Some("too many incomplete files to keep this one".to_owned());
                }
                self.waiting_bytes += content.parts.cost();
                self.waiting.push(*content);
                (None, None)
            }
        }
    }

    /// Takes what is known of a transcript that was read to its end.
    pub fn end(&mut self, origin: Origin) {
        self.manifest.transcripts.push(origin);
    }

    /// Returns the files that stay incomplete, and the manifest.
    pub fn finish(mut self) -> (Vec<NewFile>, Manifest) {
        let mut files = Vec::new();
        let mut left: Vec<Content> = Vec::new();
        for content in std::mem::take(&mut self.waiting) {
            if !self.joins_complete(&content) && !joins_waiting(&mut left, &content) {
                left.push(content);
            }
        }
        for content in left {
            match content.is_complete() {
                true => files.extend(self.complete(content)),
                false => files.extend(self.incomplete(content)),
            }
        }
        for shortcut in &mut self.manifest.emoticons {
            let hash = &shortcut.object.sha1d;
            let is_same = |entry: &&Entry| entry.object.as_ref().is_some_and(|object| object.sha1d == *hash);
            let entry = self.manifest.files.iter().find(is_same);
            shortcut.file = entry.filter(|_| !hash.is_empty()).and_then(|entry| entry.file.clone());
        }
        let origins = &self.manifest.transcripts;
        let masked: u64 = origins.iter().map(|origin| origin.masked).sum();
        let redacted = origins.iter().filter(|origin| origin.redacted).count();
        let mut notes = Vec::new();
        if redacted > 0 {
            notes.push(format!(
                "{redacted} transcripts are redacted: data is missing, and accounts, names and texts are not those of people"
            ));
        }
        if masked > 0 {
            notes.push(format!("{masked} payloads or files were taken out of the transcripts before"));
        }
        self.manifest.notes = notes;
        (files, self.manifest)
    }

    fn complete(&mut self, content: Content) -> Option<NewFile> {
        let mut hash = Sha256::new();
        content.parts.pieces().for_each(|(_, piece)| hash.update(piece));
        let hash: [u8; 32] = hash.finalize().into();
        let named = content.name.clone().filter(|_| matches!(content.kind, Kind::File | Kind::SharedFile));
        let key = (hash, content.kind, named);
        if let Some(&index) = self.known.get(&key) {
            let entry = &mut self.manifest.files[index];
            for sighting in std::iter::once(content.sighting).chain(content.also) {
                if !entry.seen.contains(&sighting) {
                    entry.seen.push(sighting);
                }
            }
            return None;
        }
        self.known.insert(key, self.manifest.files.len());
        let sha256: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = self.names.give(&wanted(&content, &sha256[..8]), &sha256[..8]);
        let mut entry = entry(&content, Status::Complete);
        entry.file = Some(name.clone());
        entry.sha256 = Some(sha256);
        let sha1 = content.sha1();
        if let Some(check) = &mut entry.sha1d {
            check.actual = Some(encode(&sha1));
            check.ok = Some(is_hash(&sha1, &check.expected));
        }
        self.manifest.files.push(entry);
        Some(NewFile { name, parts: content.parts })
    }

    fn incomplete(&mut self, content: Content) -> Option<NewFile> {
        if content.parts.len() == 0 {
            self.manifest.files.push(entry(&content, Status::Missing));
            return None;
        }
        let mark =
            content.sighting.p2p_session.map_or_else(|| "partial".to_owned(), |session| format!("{session:08x}"));
        let name = self.names.give(&wanted(&content, &mark), &mark) + ".partial";
        let mut entry = entry(&content, Status::Partial);
        entry.file = Some(name.clone());
        let end = content.total.unwrap_or_default();
        entry.missing =
            content.parts.gaps(0..end).iter().map(|gap| Missing { from: gap.start, to: Some(gap.end) }).collect();
        if content.total.is_none() {
            entry.reason = Some("its beginning is missing, and how much that is is not known".to_owned());
        }
        entry.reason.get_or_insert_with(|| "packets are missing".to_owned());
        self.manifest.files.push(entry);
        Some(NewFile { name, parts: content.parts })
    }

    /// Whether it is a part, or the announcement, of what was complete in another place.
    fn joins_complete(&mut self, content: &Content) -> bool {
        let is_same = |entry: &Entry| {
            let is_hash = match (&entry.object, &content.object) {
                (Some(one), Some(other)) => !one.sha1d.is_empty() && one.sha1d == other.sha1d,
                _ => false,
            };
            let size = content.total.or(content.announced);
            let is_transfer = entry.kind == content.kind
                && size.is_none_or(|size| size == entry.bytes)
                && entry.seen.iter().take(MOST_SIGHTINGS).any(|seen| is_same_transfer(seen, &content.sighting));
            entry.status == Status::Complete && (is_hash || is_transfer)
        };
        let Some(entry) = self.manifest.files.iter_mut().find(|entry| is_same(entry)) else { return false };
        entry.seen.push(content.sighting.clone());
        true
    }

    fn shortcut(&mut self, shortcut: Shortcut) {
        let key = (shortcut.shortcut.clone(), shortcut.from.clone(), shortcut.object.sha1d.clone());
        let next = self.manifest.emoticons.len();
        if *self.shortcuts.entry(key).or_insert(next) == next {
            self.manifest.emoticons.push(shortcut);
        }
    }
}

/// Whether it has parts that others of the same transfer do not, which are added to them.
fn joins_waiting(left: &mut [Content], content: &Content) -> bool {
    let is_same = |other: &&mut Content| {
        other.kind == content.kind
            && other.total == content.total
            && (other.total.is_some() || other.parts.len() == 0)
            && other.name == content.name
            && is_same_transfer(&other.sighting, &content.sighting)
            && content.parts.pieces().all(|(at, piece)| other.parts.agrees(at, piece))
    };
    let Some(other) = left.iter_mut().take(MOST_SIGHTINGS).find(is_same) else { return false };
    content.parts.pieces().for_each(|(at, piece)| other.parts.insert(at, piece));
    other.also.push(content.sighting.clone());
    true
}

/// Whether two transcripts saw the same transfer: the same two people, the same number, at the same time.
fn is_same_transfer(one: &Sighting, other: &Sighting) -> bool {
    (one.p2p_session.is_some() || one.carrier == Carrier::Direct)
        && one.p2p_session == other.p2p_session
        && one.carrier == other.carrier
        && one.from == other.from
        && one.to == other.to
        && one.first_time <= other.last_time
        && other.first_time <= one.last_time
}

fn entry(content: &Content, status: Status) -> Entry {
    let bytes = content.parts.len();
    let expected = content.announced.or(content.total);
    let mime = match status {
        Status::Missing => None,
        _ if content.total.is_none() => None,
        _ => Some(content_type::of(content.parts.head(4096)).mime.to_owned()),
    };
    let sha1d = content.object.as_ref().map(|object| object.sha1d.clone()).filter(|hash| !hash.is_empty());
    Entry {
        file: None,
        status,
        kind: content.kind,
        mime,
        bytes,
        expected_bytes: expected.filter(|&expected| expected != bytes),
        sha256: None,
        missing: Vec::new(),
        sha1d: sha1d.map(|expected| HashCheck { expected, actual: None, ok: None }),
        name: content.name.clone(),
        object: content.object.clone(),
        reason: content.reason.clone(),
        seen: std::iter::once(&content.sighting).chain(&content.also).cloned().collect(),
    }
}

/// Returns the name that a file would have if it were alone.
fn wanted(content: &Content, mark: &str) -> String {
    let extension = content_type::of(content.parts.head(4096)).extension;
    match (&content.name, content.kind) {
        (Some(name), Kind::Preview) => format!("preview-of-{}.{extension}", super::names::safe(name)),
        (Some(name), _) if !name.is_empty() => name.clone(),
        (_, kind) => {
            let creator = content.object.as_ref().map(|object| object.creator.as_str()).filter(|name| !name.is_empty());
            let person = creator.unwrap_or(&content.sighting.from).replace(['/', '\\'], "_");
            let person: String = person.chars().take(64).collect();
            [kind.as_str(), "-", &person, if person.is_empty() { "" } else { "-" }, mark, ".", extension].concat()
        }
    }
}

impl NewFile {
    /// Writes the file's bytes. Where some are missing, the place is left out.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        self.parts.write(out)
    }
}
