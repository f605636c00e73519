//! P2P packets: invitations are redacted, their sizes and the numbers that depend on them follow; data becomes zeros.
//!
//! An invitation that is spread over several packets is dropped like data: its values lie across the cuts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msnp::Direction;
use msnp::payload::p2p::{HeaderV1, HeaderV2, Packet};
use msnp::payload::slp::Slp;

use super::classes::class;
use super::kind::{Kind, Policy};
use super::mime::{self, Sender};
use super::passage::Passage;
use super::pen::Pen;
use super::xml;

/// Redacts the packet of a `MSG`.
pub(super) fn packet(pen: &mut Pen<'_>, passage: &mut Passage, from: &Sender, body: &[u8]) -> Vec<u8> {
    let packet = match from.source {
        Some(_) => version_2(pen, passage, from, body).map(|(packet, rest)| (packet, rest.to_vec())),
        None => version_1(pen, passage, from, body),
    };
    match packet {
        Some((mut packet, footer)) => {
            // the application's number, or bytes that nobody knows
            packet.extend(if footer.len() == 4 { footer } else { vec![0; footer.len()] });
            packet
        }
        None => vec![0; body.len()],
    }
}

/// Redacts the packets of a datagram, and returns where each starts.
pub(super) fn packets(pen: &mut Pen<'_>, passage: &mut Passage, from: &Sender, body: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut out = Vec::with_capacity(body.len());
    let mut starts = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        match version_2(pen, passage, from, rest) {
            Some((packet, after)) if after.len() < rest.len() => {
                starts.push(out.len());
                out.extend_from_slice(&packet);
                rest = after;
            }
            _ => {
                out.resize(out.len() + rest.len(), 0);
                break;
            }
        }
    }
    (out, starts)
}

fn version_1(pen: &mut Pen<'_>, passage: &mut Passage, from: &Sender, body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut header, rest) = HeaderV1::parse(body)?;
    let data = Packet::parse_v1(body)?.data;
    let footer = rest.get(data.len()..).unwrap_or_default().to_vec();
    let is_whole = header.session_id == 0 && header.offset == 0 && header.total == data.len() as u64;
    let invitation = if is_whole { invitation(pen, data) } else { None };
    if let Some(text) = &invitation {
        if !from.is_copy {
            passage.set_total(from.connection, header.message_id, header.total, text.len() as u64);
        }
        header.length = text.len() as u32;
        header.total = text.len() as u64;
    }
    header.session_id = session(pen, header.session_id);
    header.ack_size = passage.total(from.connection, header.ack_id, header.ack_size);
    if header.flags & DIRECT_HANDSHAKE != 0 {
        // the nonce of a direct connection lies over the fields of acknowledgements
        (header.ack_id, header.ack_unique_id, header.ack_size) = (0, 0, 0);
    }
    let mut packet = header.to_bytes();
    packet.extend(invitation.unwrap_or_else(|| vec![0; data.len()]));
    Some((packet, footer))
}

fn version_2<'a>(
    pen: &mut Pen<'_>,
    passage: &mut Passage,
    from: &Sender,
    body: &'a [u8],
) -> Option<(Vec<u8>, &'a [u8])> {
    let (mut header, rest) = HeaderV2::parse(body)?;
    let (data, rest) = rest.split_at_checked(header.data_length())?;
    let sender = from.name(&from.source, from.direction);
    let receiver = from.name(&from.destination, from.direction.opposite());
    let end = header.base_id.wrapping_add(u32::from(header.message_length));
    let old = header.message_length;
    let mut text = None;
    if let Some(info) = &mut header.data {
        let is_part = known(&info.options, &[1]).iter().any(|(_, value)| value.iter().any(|&byte| byte != 0));
        if info.session_id == 0 && !is_part {
            text = invitation(pen, data);
        }
        info.session_id = session(pen, info.session_id);
        info.options = options(&info.options, &[1], |_, _| None);
    }
    if let Some(text) = &text {
        let length = usize::from(old) + text.len() - data.len();
        match u16::try_from(length) {
            Ok(length) => header.message_length = length,
            Err(_) => return None,
        }
    }
    header.base_id = passage.shifted(from.connection, &sender, header.base_id);
    header.options = options(&header.options, &[1, 2, 3], |kind, value| {
        let number = u32::from_be_bytes(value.try_into().ok().filter(|_| kind != 1)?);
        Some(passage.shifted(from.connection, &receiver, number).to_be_bytes().to_vec())
    });
    if !from.is_copy {
        passage.shift(from.connection, &sender, end, i64::from(header.message_length) - i64::from(old));
    }
    let mut packet = header.to_bytes();
    packet.extend(text.unwrap_or_else(|| vec![0; data.len()]));
    Some((packet, rest))
}

/// Redacts an invitation, or the answer to one; `None` for anything else.
fn invitation(pen: &mut Pen<'_>, data: &[u8]) -> Option<Vec<u8>> {
    let slp = Slp::parse(data)?;
    let (headers, body) = (slp.headers(), slp.body());
    let mut inner = mime::block(pen, "", &body, mime::lookup_slp, 0);
    inner.extend_from_slice(body.gap());
    inner.extend(body.body().iter().map(|&byte| if matches!(byte, 0 | b'\r' | b'\n') { byte } else { b'x' }));
    let change = inner.len() as i64 - headers.body().len() as i64;
    let start = start_line(pen, &String::from_utf8_lossy(slp.start_line()));
    let end = &data[slp.start_line().len()..];
    let end = &end[..end.iter().position(|&byte| byte == b'\n')? + 1];
    let mut out = start.into_bytes();
    out.extend_from_slice(end);
    out.extend(mime::block(pen, "", &headers, mime::lookup_slp, change));
    out.extend_from_slice(headers.gap());
    out.extend(inner);
    Some(out)
}

/// `INVITE MSNMSGR:bob@example.org;{guid} MSNSLP/1.0`, or a status.
fn start_line(pen: &mut Pen<'_>, line: &str) -> String {
    let words: Vec<String> = line
        .split(' ')
        .map(|word| match word.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("msnmsgr:")) {
            Some(scheme) => format!("{scheme}{}", pen.value(Kind::Address, Policy::Map, &word[8..])),
            None => pen.keep(word),
        })
        .collect();
    words.join(" ")
}

/// The context of an invitation, in base64: an object, or a file with name, size and preview.
pub(super) fn context(pen: &mut Pen<'_>, value: &str) -> String {
    let Ok(bytes) = STANDARD.decode(value) else { return class(value) };
    let text = std::str::from_utf8(&bytes).ok();
    if let Some(object) = text.and_then(|text| xml::redact(pen, text)) {
        return STANDARD.encode(object);
    }
    if let Some(name) = bytes.get(FILE_NAME..) {
        let units = name.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|&unit| unit != 0);
        let name = String::from_utf16_lossy(&units.collect::<Vec<_>>());
        pen.names.drop_value(Kind::Personal, &name);
    }
    let mut zeros = vec![0; bytes.len()];
    // length and version of the structure say nothing of the file
    let shown = bytes.len().min(8);
    if bytes.len() > FILE_NAME {
        zeros[..shown].copy_from_slice(&bytes[..shown]);
    }
    STANDARD.encode(zeros)
}

fn session(pen: &mut Pen<'_>, id: u32) -> u32 {
    match id {
        0 => 0,
        id => pen.value(Kind::Number, Policy::Map, &id.to_string()).parse().unwrap_or(0),
    }
}

/// Returns the options of these types.
fn known<'a>(bytes: &'a [u8], types: &[u8]) -> Vec<(u8, &'a [u8])> {
    msnp::payload::p2p::options(bytes).filter(|(kind, _)| types.contains(kind)).collect()
}

/// Writes options anew, each in its place: of known types as `change` says, or as they are; of others as zeros.
fn options(bytes: &[u8], types: &[u8], change: impl Fn(u8, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    let mut at = 0;
    while let Some(&kind) = bytes.get(at) {
        if kind == 0 {
            at += 1;
            continue;
        }
        let Some(&length) = bytes.get(at + 1) else { break };
        let range = at + 2..at + 2 + usize::from(length);
        let Some(value) = bytes.get(range.clone()) else { break };
        out[at] = kind;
        out[at + 1] = length;
        if types.contains(&kind) {
            let new = change(kind, value).filter(|new| new.len() == value.len());
            out[range.clone()].copy_from_slice(new.as_deref().unwrap_or(value));
        }
        at = range.end;
    }
    out
}

impl Sender {
    fn name(&self, account: &Option<Vec<u8>>, direction: Direction) -> Vec<u8> {
        account.clone().unwrap_or_else(|| direction.to_string().into_bytes())
    }
}

/// Where the name of a file stands in its context.
const FILE_NAME: usize = 20;
const DIRECT_HANDSHAKE: u32 = 0x100;
