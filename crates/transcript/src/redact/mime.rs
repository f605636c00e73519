//! Payloads of headers and bodies: `MSG`, `UUM`, `UBM`, and the datagrams of `PUT`, `DEL`, `NFY` and `SDG`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::Direction;
use msnp::payload::chunk::Chunk;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;

use super::classes::{blank, class, class_bytes};
use super::kind::{Kind, Policy, TextPolicy};
use super::passage::Passage;
use super::pen::Pen;
use super::table::{self, PUBLIC_HEADERS, Row};
use super::{p2p, xml};
use crate::mask;

/// Redacts a payload of header lines and a body.
pub(super) fn message(pen: &mut Pen<'_>, passage: &mut Passage, from: Sender, payload: &[u8]) -> Vec<u8> {
    let headers = Headers::parse(payload);
    if headers.is_empty() {
        return pen.text_bytes(payload);
    }
    let content = content(&headers);
    let chunk = Chunk::of(payload);
    let body = match (&content[..], chunk) {
        // the parts that follow do not say what they are parts of; what lies across them is not seen whole
        ("", Some(_)) => class_or_blank(pen, headers.body()),
        ("text/plain", Some(_)) => class_or_blank(pen, headers.body()),
        _ => body(pen, passage, &from, &content, &headers),
    };
    joined(&block(pen, &content, &headers, lookup_header, change(&headers, &body)), &headers, &body)
}

/// Redacts a datagram: routing, reliability, content, body.
pub(super) fn datagram(pen: &mut Pen<'_>, passage: &mut Passage, mut from: Sender, payload: &[u8]) -> Vec<u8> {
    let datagram = Datagram::parse(payload);
    let (routing, reliability, content) = (datagram.routing(), datagram.reliability(), datagram.content());
    if routing.is_empty() {
        return blank(payload);
    }
    from.source = routing.get("From").map(<[u8]>::to_ascii_lowercase);
    from.destination = routing.get("To").map(<[u8]>::to_ascii_lowercase);
    let kind = self::content(&content);
    let is_relayed = content.get("Message-Type").is_some_and(|kind| kind.eq_ignore_ascii_case(b"Signal/Turn"));
    let (body, starts) = match &kind[..] {
        _ if is_relayed => (blank(content.body()), Vec::new()),
        "application/x-msnmsgrp2p" => p2p::packets(pen, passage, &from, content.body()),
        _ if content.is_empty() => (content.body().to_vec(), Vec::new()),
        _ => (body(pen, passage, &from, &kind, &content), Vec::new()),
    };
    if is_relayed && !content.body().is_empty() {
        pen.names.drop_value(Kind::Secret, &String::from_utf8_lossy(content.body()));
    }
    let mut out = block(pen, &kind, &routing, lookup_header, 0);
    out.extend_from_slice(routing.gap());
    out.extend_from_slice(&block(pen, &kind, &reliability, lookup_header, 0));
    out.extend_from_slice(reliability.gap());
    let lines = block(pen, &kind, &content, lookup_header, change(&content, &body));
    let lines = if starts.len() > 1 { offsets(&lines, &starts) } else { lines };
    out.extend_from_slice(&joined(&lines, &content, &body));
    out
}

/// Who sends a packet to whom, where numbers of packets depend on it.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// The connection.
    pub(super) connection: u64,
    /// Which way the packet goes.
    pub(super) direction: Direction,
    /// The account and endpoint it comes from, if it says so.
    pub(super) source: Option<Vec<u8>>,
    /// The account and endpoint it goes to.
    pub(super) destination: Option<Vec<u8>>,
    /// Whether it is a changed copy of a packet that is looked at by itself.
    pub(super) is_copy: bool,
}

/// Redacts what follows the headers of a content type.
fn body(pen: &mut Pen<'_>, passage: &mut Passage, from: &Sender, content: &str, headers: &Headers<'_>) -> Vec<u8> {
    let bytes = headers.body();
    if let Some(inner) = headers.second_level() {
        let mut out = block(pen, content, &inner, lookup_header, 0);
        out.extend_from_slice(inner.gap());
        out.extend_from_slice(&class_or_blank(pen, inner.body()));
        return out;
    }
    let Some(row) = table::body(content) else { return blank(bytes) };
    let is_encoded = headers.get("Content-Transfer-Encoding").is_some_and(|how| !is_plain_encoding(how));
    match (row.kind, row.policy) {
        (Kind::Text, Policy::Text) if is_encoded => class_or_blank(pen, bytes),
        (Kind::Text, Policy::Text) => pen.text_bytes(bytes),
        (Kind::Text, _) => class_or_blank(pen, bytes),
        (Kind::Object, _) => objects(pen, bytes),
        (Kind::Mixed, _) => {
            let mut from = from.clone();
            from.source = headers.get("P2P-Src").map(<[u8]>::to_ascii_lowercase);
            from.destination = headers.get("P2P-Dest").map(<[u8]>::to_ascii_lowercase);
            p2p::packet(pen, passage, &from, bytes)
        }
        _ => blank(bytes),
    }
}

/// Objects and documents, with tabs between them and what stands for them.
fn objects(pen: &mut Pen<'_>, bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return blank(bytes) };
    let parts = text.split('\t').map(|part| xml::redact(pen, part).unwrap_or_else(|| class(part)));
    parts.collect::<Vec<_>>().join("\t").into_bytes()
}

/// Which row is meant by a header of a block.
pub(super) type Lookup = fn(content: &str, name: &str) -> Option<&'static Row>;

pub(super) fn lookup_header(content: &str, name: &str) -> Option<&'static Row> {
    table::header(content, name)
}

pub(super) fn lookup_slp(_: &str, name: &str) -> Option<&'static Row> {
    table::slp(name)
}

/// Redacts the lines of a block; its `Content-Length` changes by as much as the body does, right or wrong.
pub(super) fn block(pen: &mut Pen<'_>, content: &str, headers: &Headers<'_>, lookup: Lookup, change: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for line in headers.lines() {
        let raw = line.raw();
        let value = line.value();
        let name = String::from_utf8_lossy(line.name()).into_owned();
        let text = String::from_utf8_lossy(value).into_owned();
        let new = match name.eq_ignore_ascii_case("Content-Length") {
            true => text.parse::<i64>().ok().map(|length| (length + change).max(0).to_string()),
            false => None,
        };
        let new = new.unwrap_or_else(|| header(pen, content, &name, &text, lookup));
        // what is not UTF-8 and stays is not written anew
        let new = if new == text { value.to_vec() } else { new.into_bytes() };
        let start = value.as_ptr() as usize - raw.as_ptr() as usize;
        let known = pen.keep(&name);
        match known == name {
            true => out.extend_from_slice(&raw[..start]),
            false => out.extend_from_slice(format!("{known}: ").as_bytes()),
        }
        out.extend_from_slice(&new);
        out.extend_from_slice(&raw[start + value.len()..]);
    }
    out
}

fn header(pen: &mut Pen<'_>, content: &str, name: &str, value: &str, lookup: Lookup) -> String {
    let is_public = PUBLIC_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let is_secret = [mask::PROFILE, mask::INVITATION, mask::CONNECTION]
        .concat()
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    match lookup(content, name) {
        Some(row) if row.kind == Kind::Mixed && name.eq_ignore_ascii_case("Context") => p2p::context(pen, value),
        Some(row) if row.kind == Kind::Mixed && row.policy == Policy::Map => mailbox(pen, value),
        Some(row) if row.kind == Kind::Name && value.contains("=?") => encoded_word(pen, value),
        Some(row)
            if matches!(row.kind, Kind::Ip | Kind::Port) && name.as_bytes().ends_with(b"4vPI")
                || name.ends_with("6vPI") =>
        {
            // some clients write name and value backwards
            let policy = lookup(content, name).map_or(Policy::Class, |row| row.policy);
            let kind = lookup(content, name).map_or(Kind::Ip, |row| row.kind);
            backwards(&pen.value(kind, policy, &backwards(value)))
        }
        Some(row) => {
            let new = pen.value(row.kind, row.policy, value);
            if row.policy == Policy::Drop && new != value {
                pen.masked.push(format!("payload.{name}"));
            }
            new
        }
        None if is_secret => pen.value(Kind::Secret, Policy::Drop, value),
        None if is_public => pen.keep(value),
        None => pen.undocumented(value),
    }
}

/// `"Bob" <bob@example.org>`, `<msnmsgr:bob@example.org;{guid}>`, `1:bob@example.org`.
fn mailbox(pen: &mut Pen<'_>, value: &str) -> String {
    let Some((name, rest)) = value.split_once('<') else {
        return match value.contains("=?") {
            true => encoded_word(pen, value),
            false => pen.value(Kind::Address, Policy::Map, value),
        };
    };
    let (address, after) = rest.split_once('>').unwrap_or((rest, ""));
    let scheme = ["msnmsgr:", "mailto:"]
        .into_iter()
        .find(|scheme| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let (scheme, address) = address.split_at(scheme.map_or(0, str::len));
    let address = pen.value(Kind::Address, Policy::Map, address);
    let plain = name.trim().trim_matches('"');
    let mapped = match plain.contains("=?") {
        true => encoded_word(pen, plain),
        false => pen.value(Kind::Name, Policy::Map, plain),
    };
    let name = if plain.is_empty() { name.to_owned() } else { name.replacen(plain, &mapped, 1) };
    let end = if rest.contains('>') { ">" } else { "" };
    format!("{name}<{scheme}{address}{end}{}", class(after))
}

/// `=?utf-8?B?Qm9i?=`: a name, whose pseudonym needs no encoding.
pub(super) fn encoded_word(pen: &mut Pen<'_>, value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some((_, word)) = rest.split_once("=?") {
        let mut parts = word.splitn(3, '?');
        let (_, how, text) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (text, after) = text.split_once("?=").unwrap_or((text, ""));
        match how {
            "B" | "b" => bytes.extend(STANDARD.decode(text).unwrap_or_default()),
            _ => bytes.extend_from_slice(&msnp::argument::decode(text.replace('=', "%").replace('_', " ").as_bytes())),
        }
        rest = after;
    }
    match std::str::from_utf8(&bytes) {
        Ok(name) if !name.trim().is_empty() => {
            let mapped = pen.value(Kind::Name, Policy::Map, name.trim());
            if mapped == name.trim() { value.to_owned() } else { mapped }
        }
        // what cannot be read is no encoded word any more either
        _ => class(&value.replace(['=', '?'], "x")),
    }
}

/// Writes the places of the packets of a datagram anew.
fn offsets(lines: &[u8], starts: &[usize]) -> Vec<u8> {
    let headers = Headers::parse(lines);
    let Some(range) = headers.range("Bridging-Offsets") else { return lines.to_vec() };
    let text: Vec<String> = starts.iter().map(usize::to_string).collect();
    [&lines[..range.start], text.join(",").as_bytes(), &lines[range.end..]].concat()
}

fn class_or_blank(pen: &Pen<'_>, bytes: &[u8]) -> Vec<u8> {
    // what is no text at all is a picture or a sound
    let is_text = |byte: &u8| *byte >= b' ' || matches!(byte, b'\r' | b'\n' | b'\t');
    match pen.text {
        TextPolicy::Drop => blank(bytes),
        _ if !bytes.iter().all(is_text) || std::str::from_utf8(bytes).is_err() => blank(bytes),
        _ => class_bytes(bytes),
    }
}

fn is_plain_encoding(how: &[u8]) -> bool {
    [&b"7bit"[..], b"8bit", b"binary"].iter().any(|plain| plain.eq_ignore_ascii_case(how))
}

fn content(headers: &Headers<'_>) -> String {
    String::from_utf8_lossy(headers.content_type().unwrap_or_default()).to_ascii_lowercase()
}

fn change(headers: &Headers<'_>, body: &[u8]) -> i64 {
    body.len() as i64 - headers.body().len() as i64
}

fn joined(lines: &[u8], headers: &Headers<'_>, body: &[u8]) -> Vec<u8> {
    [lines, headers.gap(), body].concat()
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}
