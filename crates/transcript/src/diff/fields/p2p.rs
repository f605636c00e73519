//! P2P packets by field, and the MSNSLP in them by header.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::payload::mime::Headers;
use msnp::payload::msnobject::MsnObject;
use msnp::payload::p2p::{HeaderV1, HeaderV2, Packet};
use msnp::payload::slp::Slp;

use super::{Fields, Part, Value};
use crate::diff::volatile::Kind;

impl<'a> Fields<'a> {
    /// Adds a packet; returns whether it is one.
    pub(super) fn p2p(&mut self, headers: &Headers<'a>, body: &'a [u8]) -> bool {
        let (data, footer) = match headers.get("P2P-Src").is_some() {
            true => {
                let Some(packet) = Packet::parse_v2(body) else { return false };
                self.version_2(&packet.header);
                (packet.data, packet.footer)
            }
            false => {
                let Some(packet) = Packet::parse_v1(body) else { return false };
                self.version_1(&packet.header);
                (packet.data, packet.footer)
            }
        };
        if let Some(footer) = footer {
            self.number("p2p.application", footer);
        }
        if data.is_empty() {
            return true;
        }
        match Slp::parse(data) {
            Some(slp) => self.slp(&slp),
            None if data.iter().all(|byte| *byte == b'*') => self.push(Part::P2p, "p2p.data", Value::Masked),
            None => self.push(Part::P2p, "p2p.data", Value::Bytes(Cow::Borrowed(data))),
        }
        true
    }

    fn version_1(&mut self, header: &HeaderV1) {
        self.id("p2p.session", Kind::P2pSession, header.session_id);
        self.id("p2p.message", Kind::P2pMessage, header.message_id);
        self.number("p2p.flags", format!("{:#x}", header.flags));
        let is_acknowledgement = header.flags & ACKNOWLEDGEMENT != 0;
        match is_acknowledgement {
            true => {
                self.id("p2p.ack", Kind::P2pMessage, header.ack_id);
                self.id("p2p.ack_unique", Kind::P2pUnique, header.ack_unique_id);
            }
            false => self.id("p2p.ack", Kind::P2pUnique, header.ack_id),
        }
        // sizes of MSNSLP follow from its text, which holds accounts
        let is_slp = header.session_id == 0;
        for (name, size) in [
            ("p2p.offset", header.offset),
            ("p2p.length", u64::from(header.length)),
            ("p2p.total", header.total),
            ("p2p.ack_size", header.ack_size),
        ] {
            self.size(name, size, is_slp);
        }
    }

    fn version_2(&mut self, header: &HeaderV2) {
        self.number("p2p.opcode", header.opcode);
        self.id("p2p.base", Kind::P2pMessage, header.base_id);
        let is_slp = header.data.as_ref().is_none_or(|data| data.session_id == 0);
        self.size("p2p.length", u64::from(header.message_length), is_slp);
        if let Some(data) = &header.data {
            self.number("p2p.type", data.kind);
            self.id("p2p.session", Kind::P2pSession, data.session_id);
        }
    }

    fn slp(&mut self, slp: &Slp<'a>) {
        let start = slp.start_line();
        let verb = slp.method().unwrap_or(start).to_vec();
        self.push(Part::P2p, "slp", Value::Plain(Cow::Owned(verb)));
        self.push(Part::P2p, "slp.start", Value::Plain(Cow::Borrowed(start)));
        self.headers("slp", &slp.headers());
        let body = slp.body();
        self.headers("slp.body", &body);
        if let Some(object) = body.get("Context").and_then(context)
            && let Some(found) = MsnObject::parse(&object)
        {
            self.list.retain(|field| field.name != "slp.body.Context");
            self.object("slp.body.Context", &found);
        }
    }

    fn id(&mut self, name: &'static str, kind: Kind, value: u32) {
        let text = Cow::Owned(value.to_string().into_bytes());
        // 0 is none, on both sides
        self.push(Part::P2p, name, if value == 0 { Value::Plain(text) } else { Value::Id(kind, text) });
    }

    fn size(&mut self, name: &'static str, value: u64, follows: bool) {
        let text = Cow::Owned(value.to_string().into_bytes());
        self.push(Part::P2p, name, if follows { Value::Free(text) } else { Value::Plain(text) });
    }

    fn number(&mut self, name: &'static str, value: impl ToString) {
        self.push(Part::P2p, name, Value::Plain(Cow::Owned(value.to_string().into_bytes())));
    }
}

/// Returns the object that an invitation names.
fn context(value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).ok().filter(|bytes| bytes.first() == Some(&b'<'))
}

/// The flag of acknowledgements.
const ACKNOWLEDGEMENT: u32 = 0x2;
