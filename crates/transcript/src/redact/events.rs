//! Every field of every event.

use std::path::Path;
use std::sync::LazyLock;

use msnp::argument::Scope;
use regex::Regex;

use super::RedactError;
use super::classes::class;
use super::command;
use super::kind::{Kind, Policy, TextPolicy};
use super::mime::Sender;
use super::names::{Mode, Names};
use super::net::Net;
use super::passage::Passage;
use super::pen::Pen;
use super::table;
use crate::event::{CommandEvent, Event, FORMAT, Origin, Payload, Redacted, Sent, SessionEvent, Stem, Text};

/// Redacts an event, or learns from it, or audits it, as the mode of `names` says.
pub(super) fn redact(
    names: &mut Names,
    net: Option<&Net>,
    text: TextPolicy,
    passage: &mut Passage,
    event: &Event,
) -> Result<Event, RedactError> {
    passage.learn(event);
    names.set_native(passage.is_native);
    let account = passage.tracker.account(&event.stem().session, event.connection().unwrap_or_default());
    let owner = (!account.is_empty()).then(|| account.to_owned());
    if let Some(owner) = &owner {
        names.owner(owner);
    }
    let pen = Pen { names, net, text, person: None, owner, masked: Vec::new(), depth: 0 };
    let mut scribe = Scribe { pen };
    let redacted = scribe.event(passage, event);
    passage.forget(event);
    redacted
}

/// Returns the name of a file: accounts are replaced in a name that the recorder gave, any other is numbered.
pub(super) fn file_name(names: &mut Names, net: Option<&Net>, name: &Path, number: u64) -> String {
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let Some(parts) = RECORDED.captures(&name) else { return format!("redacted-{number}.jsonl") };
    let mut pen = Pen { names, net, text: TextPolicy::Class, person: None, owner: None, masked: Vec::new(), depth: 0 };
    match parts.get(2) {
        Some(account) => {
            let account = pen.value(Kind::Address, Policy::Map, account.as_str());
            let is_safe = account.chars().all(|c| c.is_ascii_alphanumeric() || "@.-+_".contains(c));
            let account = if is_safe { account } else { "account".into() };
            format!("{}_{account}_{}.jsonl", &parts[1], &parts[3])
        }
        None => format!("{}_{}.jsonl", &parts[1], &parts[3]),
    }
}

struct Scribe<'a> {
    pen: Pen<'a>,
}

impl Scribe<'_> {
    fn event(&mut self, passage: &mut Passage, event: &Event) -> Result<Event, RedactError> {
        let mut event = event.clone();
        self.stem(event.stem_mut());
        match &mut event {
            Event::Session(session) => self.session(session),
            Event::ConnectionOpened(opened) => {
                opened.client = self.pen.client(&opened.client);
                opened.listener = self.pen.client(&opened.listener);
                opened.upstream = self.pen.server(&opened.upstream);
                opened.account =
                    opened.account.take().map(|account| self.pen.value(Kind::Address, Policy::Map, &account));
                opened.version = opened.version.take().filter(|version| VERSION.is_match(version));
            }
            Event::Command(command) => self.command(passage, command)?,
            Event::Released(released) => {
                let scope = passage.tracker.scope(released.connection);
                self.pen.masked.clear();
                let seq = released.stem.seq;
                let sent = released.sent.take().map(|sent| self.sent(passage, seq, released.connection, scope, sent));
                released.sent = sent.transpose()?;
                released.by = self.label(&released.by);
                self.masked(&mut released.masked, &[]);
            }
            Event::Opaque(opaque) => {
                opaque.sent = None;
                if opaque.payload.take().is_some() || !opaque.masked.is_empty() {
                    opaque.masked = vec!["payload".into()];
                }
            }
            Event::ConnectionClosed(closed) => {
                let [client, server] = msnp::Direction::BOTH;
                closed.client_bytes = passage.grown(closed.connection, client, closed.client_bytes);
                closed.server_bytes = passage.grown(closed.connection, server, closed.server_bytes);
                if !["client", "server", "proxy"].contains(&closed.by.as_str()) {
                    closed.by = self.label(&closed.by);
                }
                closed.reason = closed.reason.take().map(|reason| self.label(&reason));
            }
            Event::Note(note) => note.text = self.label(&note.text),
            Event::Tag(tag) => tag.tag = self.label(&tag.tag),
            Event::SessionJoined(_) | Event::Gap(_) | Event::SessionClosed(_) => {}
        }
        Ok(event)
    }

    fn stem(&mut self, stem: &mut Stem) {
        if !TIME.is_match(&stem.time) {
            stem.time = class(&stem.time);
        }
        if !SESSION.is_match(&stem.session) {
            stem.session = self.pen.value(Kind::Session, Policy::Map, &stem.session);
        }
    }

    fn session(&mut self, session: &mut SessionEvent) {
        session.software = self.label(&session.software);
        if let Some(source) = &mut session.source {
            source.format = self.label(&source.format);
            source.file = source.file.take().map(|file| self.pen.value(Kind::File, Policy::Map, &file));
        }
        session.format = FORMAT.into();
        let software = concat!("mitmsn ", env!("CARGO_PKG_VERSION")).to_owned();
        let before = session.redacted.take().unwrap_or(Redacted { software, text: self.pen.text });
        // what was dropped before does not come back
        let text = before.text.max(self.pen.text);
        session.redacted = Some(Redacted { software: self.label(&before.software), text });
    }

    fn command(&mut self, passage: &mut Passage, event: &mut CommandEvent) -> Result<(), RedactError> {
        let scope = passage.tracker.scope(event.connection);
        let seq = event.stem.seq;
        // copies first: the command itself moves the numbers of the packets that follow
        let mut sent_masked = Vec::new();
        if let Some(sent) = event.sent.take() {
            self.pen.masked.clear();
            event.sent = Some(self.sent(passage, seq, event.connection, scope, sent)?);
            sent_masked = std::mem::take(&mut self.pen.masked);
        }
        let from = self.from(event.connection, event.direction.into(), false);
        match event.command() {
            Ok(command) => {
                self.pen.masked.clear();
                self.pen.person = None;
                let new = command::redact(&mut self.pen, passage, &command, scope, from);
                let new = self.whole(new, seq, &command)?;
                if event.origin != Origin::Injected {
                    let growth = new.as_bytes().len() as i64 - command.as_bytes().len() as i64;
                    passage.grow(event.connection, command.direction(), growth);
                }
                let payload = event.payload.is_some();
                (event.args, event.payload) = parts(&new, payload);
            }
            Err(_) => {
                (event.verb, event.args, event.payload, event.eol) =
                    self.nothing(&event.verb, &event.args, event.payload.as_ref())
            }
        }
        if event.origin == Origin::Injected && event.command().is_err() {
            event.trid = None;
        }
        event.by = event.by.iter().map(|by| self.label(by)).collect();
        let masked = std::mem::take(&mut event.masked);
        event.masked = masked;
        self.masked(&mut event.masked, &sent_masked);
        Ok(())
    }

    fn sent(
        &mut self,
        passage: &mut Passage,
        seq: u64,
        connection: u64,
        scope: Scope,
        sent: Vec<Sent>,
    ) -> Result<Vec<Sent>, RedactError> {
        let mut places = Vec::new();
        let mut out = Vec::with_capacity(sent.len());
        for (index, sent) in sent.into_iter().enumerate() {
            let from = self.from(connection, sent.direction.into(), true);
            out.push(match sent.command() {
                Ok(command) => {
                    self.pen.person = None;
                    self.pen.masked.clear();
                    let new = command::redact(&mut self.pen, passage, &command, scope, from);
                    let new = self.whole(new, seq, &command)?;
                    let (args, payload) = parts(&new, sent.payload.is_some());
                    places.extend(self.pen.masked.drain(..).map(|place| format!("sent[{index}].{place}")));
                    Sent { args, payload, ..sent }
                }
                Err(_) => {
                    let (verb, args, payload, eol) = self.nothing(&sent.verb, &sent.args, sent.payload.as_ref());
                    Sent { direction: sent.direction, verb, args, payload, eol }
                }
            });
        }
        self.pen.masked = places;
        Ok(out)
    }

    /// A walk that only looks does not mind what a command would become.
    fn whole(&self, new: Option<msnp::Command>, seq: u64, old: &msnp::Command) -> Result<msnp::Command, RedactError> {
        match new {
            Some(new) => Ok(new),
            None if self.pen.names.mode() != Mode::Write => Ok(old.clone()),
            None => Err(RedactError::Framing { seq, verb: old.verb().to_string() }),
        }
    }

    /// What is left of an event that describes no command: how much there was.
    fn nothing(
        &mut self,
        verb: &str,
        args: &[Text],
        payload: Option<&Payload>,
    ) -> (String, Vec<Text>, Option<Payload>, Option<String>) {
        let verb = if verb.len() == 3 && verb.bytes().all(|byte| byte.is_ascii_alphanumeric()) { verb } else { "???" };
        let length = |text: &Text| match text {
            Text::Utf8(text) => text.len(),
            Text::Base64 { base64 } => base64.len(),
        };
        let args = args.iter().map(|text| Text::Utf8("x".repeat(length(text)))).collect();
        let payload = payload.map(|payload| match payload {
            Payload::Text(text) | Payload::Base64(text) => Payload::Text("x".repeat(text.len())),
        });
        (verb.to_owned(), args, payload, None)
    }

    fn from(&self, connection: u64, direction: msnp::Direction, is_copy: bool) -> Sender {
        Sender { connection, direction, source: None, destination: None, is_copy }
    }

    /// What the recorder, a rule or its author says: known values, addresses and ids in it are replaced.
    fn label(&mut self, text: &str) -> String {
        self.pen.keep(text)
    }

    /// Keeps the places that are places, and adds those whose secrets were replaced here.
    fn masked(&mut self, masked: &mut Vec<String>, sent: &[String]) {
        masked.retain(|place| is_place(place));
        for place in self.pen.masked.drain(..).chain(sent.iter().cloned()) {
            if !masked.contains(&place) {
                masked.push(place);
            }
        }
    }
}

/// Whether a text names a place of a command, and nobody.
fn is_place(text: &str) -> bool {
    let Some(parts) = PLACE.captures(text) else { return false };
    parts.get(1).is_none_or(|name| table::is_header(name.as_str()))
}

fn parts(command: &msnp::Command, had_payload: bool) -> (Vec<Text>, Option<Payload>) {
    let payload = (had_payload || !command.payload().is_empty()).then(|| Payload::of(command.payload()));
    (command.arguments().map(Text::of).collect(), payload)
}

fn form(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

/// `20261122T120000Z_alice@example.org_01jd....jsonl`
static RECORDED: LazyLock<Regex> =
    LazyLock::new(|| form(r"^(\d{8}T\d{6}Z)(?:_(.+))?_([0-9a-hjkmnp-tv-z]{26})\.jsonl$"));
static TIME: LazyLock<Regex> = LazyLock::new(|| form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$"));
static SESSION: LazyLock<Regex> = LazyLock::new(|| form(r"^[0-9a-hjkmnp-tv-z]{4,26}$"));
static VERSION: LazyLock<Regex> = LazyLock::new(|| form(r"^MSNP\d{1,2}$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| form(r"^(?:sent\[\d+\]\.)?(?:args\[\d+\]|payload(?:\.([\w-]+))?)$"));
