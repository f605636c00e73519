//! What of a command can be searched for.

use msnp::Command;
use msnp::argument::decode;
use msnp::command::lossy;
use msnp::payload::datagram::Datagram;
use msnp::payload::membership::members;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::{HeaderV1, Packet};
use msnp::payload::xml;

/// The words of a command, by where they stand. SQLite cuts them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Words {
    /// Arguments, decoded.
    pub(crate) line: String,
    /// The body: text, XML, what MSNSLP says.
    pub(crate) text: String,
    /// The values of MIME headers, decoded.
    pub(crate) headers: String,
}

/// Most bytes of one body that are indexed.
const MOST: usize = 256 << 10;

impl Words {
    /// Adds what a command says.
    pub(crate) fn add(&mut self, command: &Command) {
        for argument in command.arguments() {
            push(&mut self.line, argument);
        }
        let payload = command.payload();
        if payload.is_empty() {
            return;
        }
        let headers = command.headers();
        if headers.is_empty() {
            return self.body(payload, command);
        }
        if headers.get("Routing").is_some() {
            let datagram = Datagram::parse(payload);
            for block in [datagram.routing(), datagram.reliability(), datagram.content()] {
                self.values(&block);
            }
            return self.body(datagram.body(), command);
        }
        self.values(&headers);
        match headers.is("application/x-msnmsgrp2p") {
            true => self.invitation(&headers),
            false => self.body(headers.body(), command),
        }
    }

    fn values(&mut self, headers: &Headers<'_>) {
        for line in headers.lines().filter(|line| !line.name().eq_ignore_ascii_case(b"MIME-Version")) {
            push(&mut self.headers, line.value());
        }
    }

    fn body(&mut self, body: &[u8], command: &Command) {
        let body = &body[..body.len().min(MOST)];
        if body.contains(&0) && std::str::from_utf8(body).is_err() {
            return;
        }
        let text = lossy(body);
        let text = if text.trim_start().starts_with('<') { xml::unescape(&text) } else { text.as_ref().into() };
        self.text.push_str(&text);
        self.text.push('\n');
        // an address is in two elements there, and nobody would find it
        if matches!(command.verb().as_bytes(), b"ADL" | b"RML" | b"FQY") {
            for member in members(body) {
                self.text.push_str(&member.address);
                self.text.push('\n');
            }
        }
    }

    /// What MSNSLP says; parts of pictures and files have no words.
    fn invitation(&mut self, headers: &Headers<'_>) {
        let body = headers.body();
        let text = match headers.get("P2P-Src") {
            Some(_) => Packet::parse_v2(body)
                .filter(|packet| packet.header.data.as_ref().is_some_and(|data| data.session_id == 0))
                .map(|packet| packet.data),
            None => HeaderV1::parse(body).filter(|(header, _)| header.session_id == 0).map(|(_, rest)| rest),
        };
        for line in text.unwrap_or_default().split(|&byte| byte == b'\n') {
            // a context is base64 without end
            if line.is_ascii() && !line.starts_with(b"Context:") {
                push(&mut self.text, line);
            }
        }
    }
}

fn push(to: &mut String, value: &[u8]) {
    to.push_str(&lossy(&decode(value)));
    to.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use msnp::types::Direction::{ClientToServer, ServerToClient};

    fn words(command: Command) -> Words {
        let mut words = Words::default();
        words.add(&command);
        words
    }

    #[test]
    fn names_are_decoded_and_headers_kept_apart() {
        let payload = b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nX-MMS-IM-Format: FN=MS%20Sans\r\n\r\nhi Bob";
        let message = words(Command::new(ServerToClient, b"MSG a@b Caf%C3%A9%20A", Some(payload)).unwrap());
        assert_eq!(message.line, "a@b Caf\u{e9} A 84 ");
        assert_eq!(message.headers, "text/plain FN=MS Sans ");
        assert_eq!(message.text, "hi Bob\n");
    }

    #[test]
    fn addresses_in_lists_are_whole() {
        let list = br#"<ml><d n="example.com"><c n="bob" l="3"/></d></ml>"#;
        let words = words(Command::new(ClientToServer, b"ADL 5", Some(list)).unwrap());
        assert!(words.text.ends_with("\nbob@example.com\n"), "{}", words.text);
    }

    #[test]
    fn pictures_have_no_words_but_invitations_do() {
        let packet = |session_id: u32, data: &[u8]| {
            let header = HeaderV1 { session_id, length: data.len() as u32, ..HeaderV1::default() }.to_bytes();
            let payload = [b"Content-Type: application/x-msnmsgrp2p\r\n\r\n", &header[..], data, &[0; 4]].concat();
            words(Command::new(ClientToServer, b"MSG 4 D", Some(&payload)).unwrap()).text
        };
        assert_eq!(packet(7, b"raw text").trim(), "");
        assert!(packet(0, b"INVITE MSNMSGR:bob\r\nContext: AAA\r\nAppID: 2\r\n").contains("AppID: 2"));
    }
}
