//! Payloads by what they hold: MIME, datagrams, XML, text, bytes.

use std::borrow::Cow;

use msnp::Command;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::tree::Element;

use super::{Fields, Part, Value};

impl<'a> Fields<'a> {
    /// Adds the payload.
    pub(super) fn payload(&mut self, command: &'a Command) {
        let payload = command.payload();
        if payload.is_empty() {
            return;
        }
        if self.item.is_masked("payload") {
            self.push(Part::Payload, "payload", Value::Masked);
            return;
        }
        let headers = command.headers();
        match command.verb().as_bytes() {
            // what it should be is computed from the challenge
            b"QRY" => self.push(Part::Payload, "payload", Value::Free(Cow::Borrowed(payload))),
            b"SDG" | b"PUT" | b"NFY" | b"DEL" if headers.get("Routing").is_some() => {
                let datagram = Datagram::parse(payload);
                for (block, headers) in [
                    ("routing", datagram.routing()),
                    ("reliability", datagram.reliability()),
                    ("content", datagram.content()),
                ] {
                    self.headers(block, &headers);
                }
                self.body(&datagram.content(), datagram.body());
            }
            _ if !headers.is_empty() => {
                self.headers("", &headers);
                match headers.second_level() {
                    Some(second) if !second.is_empty() => {
                        self.headers("", &second);
                        self.body(&second, second.body());
                    }
                    _ => self.body(&headers, headers.body()),
                }
            }
            _ => self.content("payload", payload),
        }
    }

    fn body(&mut self, headers: &Headers<'a>, body: &'a [u8]) {
        if body.is_empty() {
            return;
        }
        if headers.is("application/x-msnmsgrp2p") && self.p2p(headers, body) {
            return;
        }
        self.content("text", body);
    }

    /// Adds bytes as what they look like.
    pub(super) fn content(&mut self, name: &'static str, bytes: &'a [u8]) {
        if is_stars(bytes) {
            self.push(Part::Payload, name, Value::Masked);
        } else if let Some(root) = Element::parse(bytes) {
            self.xml(root);
        } else if is_text(bytes) {
            self.push(Part::Text, name, Value::Text(Cow::Borrowed(bytes)));
        } else {
            self.push(Part::Payload, if name == "text" { "body" } else { name }, Value::Bytes(Cow::Borrowed(bytes)));
        }
    }
}

fn is_stars(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == b'*')
}

/// Whether bytes are text for people; a closing NUL is allowed.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t' | '\u{b}')))
}
