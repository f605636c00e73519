//! Hides credentials: every value that alone lets somebody in is replaced by as many `*`.
//!
//! What is hidden: passwords, hashes, tickets, proofs and nonces in `USR`; cookies in `XFR SB`, `RNG`, `USR` and `ANS`;
//! web tickets in the profile; secrets of direct connections in invitations and MSNSLP; relay credentials in `UBN`, `UUN`
//! and `SDG`; values in the query of a `URL`. Identities and texts stay: that is redaction, not masking.

use std::ops::Range;

use msnp::codec::CommandSpan;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::{HeaderV1, HeaderV2};
use msnp::table::Slot;
use msnp::types::{Direction, Verb};
use msnp::{Command, command};

/// A command whose secrets are hidden; as long as the original.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Masked {
    /// The bytes with `*` in place of secrets.
    pub command: Command,
    /// The places hidden: `args[3]`, `payload.MSPAuth`, `payload`.
    pub places: Vec<String>,
}

/// Hides the secrets of the command that `bytes` start with; `None` if it has none, which is quick to tell.
pub fn mask(direction: Direction, bytes: &[u8], span: CommandSpan) -> Option<Masked> {
    if span.slot.bit() & SUSPECTS == 0 {
        return None;
    }
    let payload = bytes.get(span.line as usize + span.eol as usize..span.len as usize)?;
    if span.slot.bit() & MSG != 0 && !mentions_x_ms(payload) {
        return None;
    }
    let command = Command::from_span(direction, bytes, span);
    mask_command(&command)
}

/// Hides the secrets of a command; `None` if it has none.
pub fn mask_command(command: &Command) -> Option<Masked> {
    let mut found = Found { places: Vec::new(), ranges: Vec::new() };
    found.search(command);
    if found.ranges.is_empty() {
        return None;
    }
    let mut bytes = command.as_bytes().to_vec();
    for range in found.ranges {
        bytes[range].fill(b'*');
    }
    let span = CommandSpan {
        line: command.line().len() as u32,
        eol: command.eol().len() as u8,
        slot: command.slot(),
        len: bytes.len() as u32,
    };
    Some(Masked { command: Command::from_span(command.direction(), &bytes, span), places: found.places })
}

struct Found {
    places: Vec<String>,
    ranges: Vec<Range<usize>>,
}

impl Found {
    fn search(&mut self, command: &Command) {
        let arguments: Vec<&[u8]> = command.arguments().collect();
        let is_client = command.direction() == Direction::ClientToServer;
        let argument = |index: usize| arguments.get(index).copied().unwrap_or_default();
        match command.verb().as_bytes() {
            b"USR" if is_client => match argument(1) {
                b"CTP" | b"MD5" | b"TWN" | b"SSO" | b"SHA" if argument(2) == b"I" => {}
                b"CTP" | b"MD5" | b"TWN" | b"SSO" | b"SHA" => self.arguments(command, 3..arguments.len()),
                _ => self.arguments(command, 2..arguments.len()),
            },
            b"USR" => match (argument(1), argument(2)) {
                (b"TWN", b"S") => self.parameters(command, 3),
                (b"MD5", b"S") => self.arguments(command, 3..arguments.len()),
                (b"SSO", b"S") => self.arguments(command, 4..arguments.len()),
                _ => {}
            },
            b"XFR" if !is_client && argument(1) == b"SB" => self.arguments(command, 4..5),
            b"RNG" if !is_client => self.arguments(command, 3..4),
            b"ANS" if is_client => self.arguments(command, 2..3),
            b"URL" if !is_client => (1..3).for_each(|index| self.query(command, index)),
            b"UUN" if is_client && matches!(argument(2), b"3" | b"10") => self.payload(command, None),
            b"UBN" if !is_client && matches!(argument(1), b"3" | b"10") => self.payload(command, None),
            b"SDG" => {
                let content = Datagram::parse(command.payload()).content();
                if content.get("Message-Type").is_some_and(|kind| kind.eq_ignore_ascii_case(b"Signal/Turn")) {
                    self.payload(command, Some(command.payload().len() - content.body().len()));
                } else {
                    self.connection_secrets(command);
                }
            }
            b"MSG" => self.message(command),
            _ => {}
        }
    }

    fn message(&mut self, command: &Command) {
        let headers = command.headers();
        if headers.is("text/x-msmsgsprofile") {
            for name in PROFILE {
                self.header(command, 0, &headers, name);
            }
        } else if headers.is("text/x-msmsgsinvite") {
            let body = Headers::parse(headers.body());
            for name in INVITATION {
                self.header(command, headers.body_start(), &body, name);
            }
        } else if headers.is("application/x-msnmsgrp2p") && !carries_data(&headers) {
            self.connection_secrets(command);
        }
    }

    /// MSNSLP lies between binary headers and may be split over packets, so its lines are looked for everywhere.
    fn connection_secrets(&mut self, command: &Command) {
        let mut at = 0;
        let payload = command.payload();
        for end in memchr::memchr_iter(b'\n', payload).map(|end| end + 1).chain([payload.len()]) {
            let line = &payload[at..end];
            for name in CONNECTION {
                let is_name = line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
                if is_name && line.get(name.len()) == Some(&b':') {
                    let value = &line[name.len() + 1..];
                    let start = at + line.len() - value.trim_ascii_start().len();
                    self.in_payload(command, start..start + value.trim_ascii().len(), format!("payload.{name}"));
                }
            }
            at = end;
        }
    }

    fn header(&mut self, command: &Command, offset: usize, headers: &Headers<'_>, name: &str) {
        if let Some(range) = headers.range(name) {
            self.in_payload(command, range.start + offset..range.end + offset, format!("payload.{name}"));
        }
    }

    fn payload(&mut self, command: &Command, from: Option<usize>) {
        self.in_payload(command, from.unwrap_or(0)..command.payload().len(), "payload".into());
    }

    fn in_payload(&mut self, command: &Command, range: Range<usize>, place: String) {
        let start = command.line().len() + command.eol().len();
        self.add(range.start + start..range.end + start, place);
    }

    fn arguments(&mut self, command: &Command, indices: Range<usize>) {
        for index in indices {
            if let Some(range) = argument_range(command.line(), index) {
                self.add(range, format!("args[{index}]"));
            }
        }
    }

    /// `lc=1033,id=507,ct=1062764229,...`: all values but language and site.
    fn parameters(&mut self, command: &Command, index: usize) {
        self.values(command, index, 0, b',', |key| matches!(key, b"lc" | b"id"));
    }

    /// `/path?lc=1033&auth=...`: all values of the query.
    fn query(&mut self, command: &Command, index: usize) {
        let argument = command.argument(index).unwrap_or_default();
        if let Some(mark) = memchr::memchr(b'?', argument) {
            self.values(command, index, mark + 1, b'&', |_| false);
        }
    }

    fn values(&mut self, command: &Command, index: usize, from: usize, separator: u8, keep: impl Fn(&[u8]) -> bool) {
        let Some(range) = argument_range(command.line(), index) else { return };
        let mut at = range.start + from;
        let before = self.ranges.len();
        for part in command.line()[at..range.end].split(|&byte| byte == separator) {
            let value = memchr::memchr(b'=', part).map_or(0, |equals| equals + 1);
            let is_public = value > 0 && keep(&part[..value - 1]);
            if !is_public && value < part.len() {
                self.ranges.push(at + value..at + part.len());
            }
            at += part.len() + 1;
        }
        if self.ranges.len() > before {
            self.places.push(format!("args[{index}]"));
        }
    }

    fn add(&mut self, range: Range<usize>, place: String) {
        if !range.is_empty() {
            self.ranges.push(range);
            self.places.push(place);
        }
    }
}

/// Whether a P2P packet is a part of a picture or file: MSNSLP has session 0.
fn carries_data(headers: &Headers<'_>) -> bool {
    if headers.get("P2P-Src").is_some() {
        HeaderV2::parse(headers.body()).and_then(|(header, _)| header.data).is_some_and(|data| data.session_id != 0)
    } else {
        HeaderV1::parse(headers.body()).is_some_and(|(header, _)| header.session_id != 0)
    }
}

fn argument_range(line: &[u8], index: usize) -> Option<Range<usize>> {
    let start = 4 + command::arguments(line).take(index).map(|argument| argument.len() + 1).sum::<usize>();
    let argument = command::arguments(line).nth(index)?;
    Some(start..start + argument.len())
}

/// Whether the head of a payload holds `x-ms` in any case, as every content type with secrets does.
fn mentions_x_ms(payload: &[u8]) -> bool {
    let head = &payload[..payload.len().min(1024)];
    memchr::memchr2_iter(b'x', b'X', head)
        .any(|at| head.get(at + 1..at + 4).is_some_and(|rest| rest.eq_ignore_ascii_case(b"-ms")))
}

/// The headers of a profile that let somebody in.
pub(crate) const PROFILE: &[&str] = &["MSPAuth", "sid", "kv"];
/// Those of an invitation to a file transfer.
pub(crate) const INVITATION: &[&str] = &["AuthCookie", "Invitation-Cookie", "Session-ID"];
/// Those of an invitation to a direct connection, in MSNSLP.
pub(crate) const CONNECTION: &[&str] = &["Nonce", "Hashed-Nonce", "NetID", "Conn-ID", "ConnID"];

const MSG: u128 = bit(b"MSG");
/// The verbs that can hold a secret.
const SUSPECTS: u128 =
    MSG | bit(b"USR") | bit(b"XFR") | bit(b"RNG") | bit(b"ANS") | bit(b"URL") | bit(b"UUN") | bit(b"UBN") | bit(b"SDG");

const fn bit(verb: &[u8; 3]) -> u128 {
    Slot::of(Verb::new(*verb).expect("three capitals")).bit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};

    fn masked(direction: Direction, bytes: &[u8]) -> (String, Vec<String>) {
        let command = Command::parse(direction, bytes).unwrap();
        match mask_command(&command) {
            Some(masked) => {
                assert_eq!(masked.command.as_bytes().len(), bytes.len());
                (String::from_utf8_lossy(masked.command.as_bytes()).into_owned(), masked.places)
            }
            None => (String::from_utf8_lossy(bytes).into_owned(), Vec::new()),
        }
    }

    #[test]
    fn every_credential_on_a_line_is_hidden() {
        let cases = [
            (ClientToServer, "USR 3 CTP S pass", "USR 3 CTP S ****", "args[3]"),
            (ClientToServer, "USR 3 MD5 S 7f91", "USR 3 MD5 S ****", "args[3]"),
            (ClientToServer, "USR 3 TWN S t=a&p=b", "USR 3 TWN S *******", "args[3]"),
            (ClientToServer, "USR 3 SSO S t=a HAAA {1f2e}", "USR 3 SSO S *** **** ******", "args[3] args[4] args[5]"),
            (ClientToServer, "USR 3 SHA A PD94", "USR 3 SHA A ****", "args[3]"),
            (ClientToServer, "USR 1 a@example.com 1.2.3", "USR 1 a@example.com *****", "args[2]"),
            (ClientToServer, "ANS 1 a@example.com 1.2.3 11", "ANS 1 a@example.com ***** 11", "args[2]"),
            (ServerToClient, "USR 3 MD5 S 1.2", "USR 3 MD5 S ***", "args[3]"),
            (
                ServerToClient,
                "USR 3 TWN S lc=1033,id=507,ct=12,tpf=ff",
                "USR 3 TWN S lc=1033,id=507,ct=**,tpf=**",
                "args[3]",
            ),
            (ServerToClient, "USR 3 SSO S MBI_KEY_OLD AAA=", "USR 3 SSO S MBI_KEY_OLD ****", "args[4]"),
            (ServerToClient, "XFR 20 SB h:1 CKI 1.2 U d 1", "XFR 20 SB h:1 CKI *** U d 1", "args[4]"),
            (ServerToClient, "RNG 11 h:1 CKI 1.2 a@b A", "RNG 11 h:1 CKI *** a@b A", "args[3]"),
            (ServerToClient, "URL 3 /x https://l/?a=12&b=3 2", "URL 3 /x https://l/?a=**&b=* 2", "args[2]"),
        ];
        for (direction, line, expected, places) in cases {
            let (text, found) = masked(direction, format!("{line}\r\n").as_bytes());
            assert_eq!((text.trim_end(), found.join(" ").as_str()), (expected, places));
        }
    }

    #[test]
    fn what_is_no_credential_stays() {
        for (direction, line) in [
            (ClientToServer, "USR 3 TWN I alice@example.com"),
            (ServerToClient, "USR 4 OK alice@example.com Alice 1 0"),
            (ServerToClient, "XFR 3 NS 192.0.2.10:1863 0 192.0.2.1:1863"),
            (ServerToClient, "URL 3 /cgi-bin/HoTMaiL https://login.example/ 2"),
            (ClientToServer, "CVR 2 0x0409 win 4.10 i386 MSNMSGR 5.0 MSMSGS alice@example.com"),
        ] {
            assert_eq!(masked(direction, format!("{line}\r\n").as_bytes()).1, Vec::<String>::new());
        }
    }

    #[test]
    fn secrets_in_payloads_are_hidden() {
        let profile = "MIME-Version: 1.0\r\nContent-Type: text/x-msmsgsprofile; charset=UTF-8\r\nsid: 507\r\nkv: 5\r\nMSPAuth: AbC\r\nClientIP: 198.51.100.7\r\n\r\n";
        let message = format!("MSG Hotmail Hotmail {}\r\n{profile}", profile.len());
        let (text, places) = masked(ServerToClient, message.as_bytes());
        assert!(text.contains("sid: ***\r\nkv: *\r\nMSPAuth: ***\r\nClientIP: 198.51.100.7"), "{text}");
        assert_eq!(places, ["payload.MSPAuth", "payload.sid", "payload.kv"]);
        let slp = "Content-Type: application/x-msnmsgrp2p\r\n\r\n\0\0\0\0INVITE MSNMSGR:b MSNSLP/1.0\r\n\r\nNetID: -12\r\nNonce: {ab}\r\n\0";
        let message = format!("MSG 3 D {}\r\n{slp}", slp.len());
        let (text, places) = masked(ClientToServer, message.as_bytes());
        assert!(text.contains("NetID: ***\r\nNonce: ****\r\n"), "{text}");
        assert_eq!(places, ["payload.NetID", "payload.Nonce"]);
        let (text, places) = masked(ClientToServer, b"UUN 1 b@c 3 6\r\nsecret");
        assert_eq!((text.as_str(), places.join("").as_str()), ("UUN 1 b@c 3 6\r\n******", "payload"));
    }

    #[test]
    fn the_quick_look_misses_nothing() {
        let invite = "content-type: TEXT/X-MSMSGSINVITE\r\n\r\nAuthCookie: 98\r\n";
        let bytes = format!("MSG 3 N {}\r\n{invite}", invite.len());
        let mut codec = msnp::Codec::new(ClientToServer, msnp::Limits::default());
        let Some(msnp::codec::Span::Command(span)) = codec.next_span(bytes.as_bytes()) else { panic!() };
        assert_eq!(mask(ClientToServer, bytes.as_bytes(), span).unwrap().places, ["payload.AuthCookie"]);
        let plain = b"MSG 3 N 32\r\nContent-Type: text/plain\r\n\r\nhello";
        let Some(msnp::codec::Span::Command(span)) = codec.next_span(plain) else { panic!() };
        assert_eq!(mask(ClientToServer, plain, span), None);
    }
}
