//! What a command carries: P2P packets, texts, handwriting, emoticons, offers of files.

use msnp::Command;
use msnp::argument::decode;
use msnp::command::lossy;
use msnp::flow::account_of;
use msnp::payload::chunk::Chunk;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::types::Direction;

use super::chunks::Joined;
use super::packet::{self, Peers};
use super::transfers::{Mark, Message};
use super::{
    Carrier, Content, Extractor, Finding, Found, Kind, ObjectDescription, REDACTED, Shortcut, TextMessage, context,
};

/// Who sends a message, and what kind of command carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sender {
    peers: Peers,
}

/// Longest text that people type for an emoticon; the protocol allows 7 characters.
const LONGEST_SHORTCUT: usize = 64;
/// Most emoticons of one message.
const MOST_EMOTICONS: usize = 64;

impl Extractor {
    /// Takes what a command carries; `account` is whose connection it is.
    pub(super) fn look(&mut self, command: &Command, account: &str, mark: &Mark) {
        let is_client = command.direction() == Direction::ClientToServer;
        let argument = |index: usize| command.argument(index).map(account_of).unwrap_or_default();
        let mine = || account.to_owned();
        let peers = match (command.verb().as_bytes(), is_client) {
            (b"MSG", true) => Peers { from: mine(), to: String::new() },
            (b"MSG", false) => Peers { from: argument(0), to: String::new() },
            (b"UUM", true) => Peers { from: mine(), to: argument(1) },
            (b"UBM", false) => Peers { from: argument(0), to: mine() },
            (b"SDG", _) => return self.datagram(&Datagram::parse(command.payload()), mark),
            (b"CHG" | b"ILN" | b"NLN", _) => return self.presence(command),
            _ => return,
        };
        self.payload(command.payload(), Sender { peers }, mark);
    }

    fn payload(&mut self, payload: &[u8], sender: Sender, mark: &Mark) {
        if Chunk::of(payload).is_some() {
            let from = sender.peers.from.clone();
            if let Some(joined) = self.chunks.push(mark.connection, &from, payload, (mark.clone(), sender)) {
                self.joined(joined);
            }
            return;
        }
        self.whole(payload, &sender.peers, mark, None);
    }

    /// Takes a message that came in chunks.
    pub(super) fn joined(&mut self, joined: Joined<(Mark, Sender)>) {
        let (mark, sender) = joined.origin;
        let missing: Vec<u64> = joined.missing.iter().map(|&index| index as u64).collect();
        let chunks = Some((joined.total as u64, missing));
        match joined.has_head {
            true => self.whole(&joined.payload, &sender.peers, &mark, chunks),
            false => self.text(&joined.payload, &sender.peers, &mark, chunks),
        }
    }

    fn whole(&mut self, payload: &[u8], peers: &Peers, mark: &Mark, chunks: Option<(u64, Vec<u64>)>) {
        let headers = Headers::parse(payload);
        let kind = headers.content_type().unwrap_or_default().to_ascii_lowercase();
        match &kind[..] {
            b"application/x-msnmsgrp2p" => {
                let peers = packet::peers_of_message(&headers, &peers.from);
                if let Some(packet) = packet::in_message(&headers) {
                    self.packet(&packet, &peers, mark);
                }
            }
            b"text/plain" => self.text(headers.body(), peers, mark, chunks),
            b"application/x-ms-ink" => self.handwriting(headers.body(), peers, mark, chunks),
            kind if kind.starts_with(b"image/") => self.handwriting(headers.body(), peers, mark, chunks),
            b"text/x-mms-emoticon" | b"text/x-mms-animemoticon" => self.emoticons(headers.body(), peers, mark),
            b"text/x-msnmsgr-datacast" => {
                if let Some(object) = headers.second_level().and_then(|second| second.get("Data")) {
                    self.spoken_of(object);
                }
            }
            b"text/x-msmsgsinvite" => self.legacy.learn(headers.body(), peers, mark),
            _ => {}
        }
    }

    fn datagram(&mut self, datagram: &Datagram<'_>, mark: &Mark) {
        let peers = packet::peers_of_datagram(datagram);
        let content = datagram.content();
        if content.is("application/x-msnmsgrp2p") {
            for packet in packet::in_datagram(datagram) {
                self.packet(&packet, &peers, mark);
            }
            return;
        }
        match &content.get("Message-Type").unwrap_or_default().to_ascii_lowercase()[..] {
            b"text" => self.text(datagram.body(), &peers, mark, None),
            b"customemoticon" => self.emoticons(datagram.body(), &peers, mark),
            b"wink" => self.spoken_of(datagram.body()),
            b"signal/p2p" => self.talk(datagram.body(), &peers, Carrier::P2p2, (mark, mark)),
            _ => {}
        }
    }

    /// Remembers the objects that presence tells of.
    fn presence(&mut self, command: &Command) {
        for argument in command.arguments() {
            if argument.starts_with(b"%3C") || argument.starts_with(b"%3c") || argument.starts_with(b"<") {
                self.spoken_of(argument);
            }
        }
    }

    fn spoken_of(&mut self, object: &[u8]) {
        if let Some(object) = ObjectDescription::parse(object) {
            self.remember(&object);
        }
    }

    fn text(&mut self, text: &[u8], peers: &Peers, mark: &Mark, chunks: Option<(u64, Vec<u64>)>) {
        let (chunks, missing_chunks) = chunks.map(|(total, missing)| (Some(total), missing)).unwrap_or_default();
        self.found.push(Found(Finding::Text(TextMessage {
            time: mark.time.clone(),
            transcript: self.origin.transcript.clone(),
            session: self.origin.session.clone(),
            connection: mark.connection,
            seq: mark.seq,
            from: peers.from.clone(),
            to: peers.to.clone(),
            text: lossy(text).into_owned(),
            chunks,
            missing_chunks,
        })));
    }

    /// `(y)\t<msnobj .../>\t(n)\t<msnobj .../>\t`
    fn emoticons(&mut self, body: &[u8], peers: &Peers, mark: &Mark) {
        let mut fields = body.split(|&byte| byte == b'\t');
        for _ in 0..MOST_EMOTICONS {
            let (Some(shortcut), Some(object)) = (fields.next(), fields.next()) else { return };
            let Some(object) = ObjectDescription::parse(object) else { return };
            self.remember(&object);
            let shortcut = lossy(&decode(shortcut.get(..LONGEST_SHORTCUT).unwrap_or(shortcut))).into_owned();
            self.found.push(Found(Finding::Shortcut(Shortcut {
                shortcut,
                from: peers.from.clone(),
                object,
                file: None,
                transcript: self.origin.transcript.clone(),
                seq: mark.seq,
            })));
        }
    }

    /// `base64:R0lGODlh...`, or the bytes themselves.
    fn handwriting(&mut self, body: &[u8], peers: &Peers, mark: &Mark, chunks: Option<(u64, Vec<u64>)>) {
        let data = body.strip_prefix(b"base64:").map(context::decode);
        let missing = chunks.map(|(_, missing)| missing.len()).unwrap_or_default();
        let sighting = self.sighting(peers, (mark, mark), Carrier::Message, None);
        let (bytes, reason) = match data {
            _ if self.origin.redacted => (None, Some(REDACTED.to_owned())),
            _ if missing > 0 => (None, Some(format!("{missing} of its chunks are missing"))),
            Some(None) => (None, Some("its base64 is broken".to_owned())),
            Some(bytes) => (bytes, None),
            None => (Some(body.to_vec()), None),
        };
        let mut content = Content::without_data(Kind::Ink, None, None, reason, sighting);
        if let Some(bytes) = bytes {
            content.parts.insert(0, &bytes);
            content.total = Some(bytes.len() as u64);
        }
        self.content(content);
    }

    /// Handwriting that P2P carries: a message as in `MSG`, in UTF-16. Returns whether it is one.
    pub(super) fn ink(&mut self, message: &Message) -> bool {
        let text = context::utf16(&message.parts.to_bytes());
        let headers = Headers::parse(text.as_bytes());
        let is_ink = headers.is("application/x-ms-ink") || headers.is("image/gif");
        if is_ink {
            self.handwriting(headers.body(), &message.peers, &message.first, None);
        }
        is_ink
    }
}
