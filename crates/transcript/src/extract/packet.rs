//! Finds P2P packets in commands: in `MSG` of a switchboard and in `SDG`.

use msnp::flow::account_of;
use msnp::payload::datagram::Datagram;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::{HeaderV1, HeaderV2, options};

/// Who sends to whom: accounts, the empty string where nobody says.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Peers {
    pub(super) from: String,
    pub(super) to: String,
}

/// One packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Packet<'a> {
    /// 0 for MSNSLP.
    pub(super) session: u32,
    pub(super) place: Place,
    /// Whether the header says that this is a part of an object or a file.
    pub(super) carries_data: bool,
    pub(super) data: &'a [u8],
}

/// Which part of which message a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Version 1: a message id, and a place in so many bytes.
    V1 { message: u32, offset: u64, total: u64 },
    /// Version 2: a number for the message, whether it starts here, and how many bytes follow after these.
    V2 { package: u16, is_first: bool, rest: u64, base: u32 },
}

/// Flags of version 1 that say what a packet is for, if not data: NAK, acknowledgement, error, closing, TLP error, handshake.
const CONTROL: u32 = 0x01 | 0x02 | 0x08 | 0x40 | 0x80 | 0x100;
/// Flags of version 1 for files (0x10) and objects (0x20).
const DATA: u32 = 0x30;
/// The first packet of a message of version 2.
const FIRST: u8 = 1;
/// What version 2 sets for objects (4) and files (6).
const OBJECT: u8 = 4;
/// The TLV of bytes still to come.
const REST: u8 = 1;
/// Headers of version 2 are at least this long.
const SHORTEST: u8 = 8;

/// Returns the packet in the body of a `MSG`, if its data is not empty.
pub(super) fn in_message<'a>(headers: &Headers<'a>) -> Option<Packet<'a>> {
    let body = headers.body();
    // both versions come with `P2P-Src` from some clients, so the lengths decide first
    let is_new = headers.get("P2P-Src").is_some();
    match (fits_v1(body), fits_v2(body)) {
        (true, false) => v1(body),
        (false, true) => v2(body),
        _ if is_new => v2(body),
        _ => v1(body),
    }
}

/// Returns the packets in an `SDG`: `Bridging-Offsets` says where each starts.
pub(super) fn in_datagram<'a>(datagram: &Datagram<'a>) -> Vec<Packet<'a>> {
    let body = datagram.body();
    let mut starts: Vec<usize> = Vec::new();
    for offset in datagram.content().get("Bridging-Offsets").unwrap_or(b"0").split(|&byte| byte == b',') {
        let offset = std::str::from_utf8(offset).ok().and_then(|offset| offset.trim().parse().ok());
        starts.extend(offset.filter(|&offset| offset < body.len() && starts.last().is_none_or(|&last| last < offset)));
    }
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts.iter().zip(ends).filter_map(|(&start, end)| v2(body.get(start..end)?)).collect()
}

/// Who sends a `MSG` to whom; `sender` is what its line or the session says.
pub(super) fn peers_of_message(headers: &Headers<'_>, sender: &str) -> Peers {
    let from = headers.get("P2P-Src").map(account_of).filter(|_| sender.is_empty());
    Peers {
        from: from.unwrap_or_else(|| sender.to_owned()),
        to: headers.get("P2P-Dest").map(account_of).unwrap_or_default(),
    }
}

/// Who sends an `SDG` to whom.
pub(super) fn peers_of_datagram(datagram: &Datagram<'_>) -> Peers {
    let account = |name| datagram.routing().get(name).map(network_account).unwrap_or_default();
    Peers { from: account("From"), to: account("To") }
}

/// Returns the account in `1:alice@example.com;epid={guid}`.
pub(super) fn network_account(address: &[u8]) -> String {
    let account = account_of(address);
    match account.split_once(':') {
        Some((network, rest)) if network.bytes().all(|byte| byte.is_ascii_digit()) => rest.to_owned(),
        _ => account,
    }
}

fn fits_v1(body: &[u8]) -> bool {
    HeaderV1::parse(body).is_some_and(|(header, rest)| is_all(header.length as usize, rest))
}

fn fits_v2(body: &[u8]) -> bool {
    body.first().is_some_and(|&length| length >= SHORTEST)
        && HeaderV2::parse(body).is_some_and(|(header, rest)| is_all(header.data_length(), rest))
}

/// Whether so many bytes are what there is, but for the footer.
fn is_all(length: usize, rest: &[u8]) -> bool {
    rest.len() == length || rest.len().checked_sub(4) == Some(length)
}

fn v1(body: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = HeaderV1::parse(body)?;
    let data = head(rest, header.length as usize);
    let is_data = header.flags & CONTROL == 0 && !data.is_empty();
    is_data.then_some(Packet {
        session: header.session_id,
        place: Place::V1 { message: header.message_id, offset: header.offset, total: header.total },
        carries_data: header.flags & DATA != 0,
        data,
    })
}

fn v2(body: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = HeaderV2::parse(body)?;
    let data = head(rest, header.data_length());
    let about = header.data.as_ref().filter(|_| !data.is_empty())?;
    let rest = options(&about.options).find(|(kind, _)| *kind == REST);
    let rest = rest.and_then(|(_, value)| value.try_into().ok()).map_or(0, u64::from_be_bytes);
    Some(Packet {
        session: about.session_id,
        place: Place::V2 { package: about.package, is_first: about.kind & FIRST != 0, rest, base: header.base_id },
        carries_data: about.kind & OBJECT != 0,
        data,
    })
}

/// Returns as many bytes as are said to be there, or as are.
fn head(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use msnp::payload::p2p::DataHeader;

    #[test]
    fn the_version_is_told_by_the_lengths() {
        let one = HeaderV1 {
            session_id: 7,
            message_id: 9,
            offset: 2,
            total: 5,
            length: 3,
            flags: 0x20,
            ..HeaderV1::default()
        };
        let about =
            DataHeader { kind: 5, package: 4, session_id: 7, options: b"\x01\x08\0\0\0\0\0\0\0\x02\0\0".to_vec() };
        let two = HeaderV2 { message_length: 23, base_id: 40, data: Some(about), ..HeaderV2::default() };
        for source in ["", "P2P-Src: a@b;{1}\r\n"] {
            let message = |bytes: Vec<u8>| {
                [format!("P2P-Dest: b@c\r\n{source}\r\n").as_bytes(), &bytes, b"abc\0\0\0\x01"].concat()
            };
            let payload = message(one.to_bytes());
            let packet = in_message(&Headers::parse(&payload)).unwrap();
            assert_eq!(packet.place, Place::V1 { message: 9, offset: 2, total: 5 });
            assert_eq!((packet.session, packet.data, packet.carries_data), (7, &b"abc"[..], true));
            let payload = message(two.to_bytes());
            let packet = in_message(&Headers::parse(&payload)).unwrap();
            assert_eq!(packet.place, Place::V2 { package: 4, is_first: true, rest: 2, base: 40 });
            assert_eq!((packet.session, packet.data, packet.carries_data), (7, &b"abc"[..], true));
        }
    }

    #[test]
    fn acknowledgements_and_headers_alone_are_no_data() {
        let header = HeaderV1 { flags: 2, length: 0, total: 99, ..HeaderV1::default() };
        assert_eq!(v1(&header.to_bytes()), None);
        assert_eq!(v2(&HeaderV2::default().to_bytes()), None);
        assert_eq!(v1(b"short"), None);
    }

    #[test]
    fn offsets_that_lead_nowhere_are_left_out() {
        let packet = |text: &[u8]| {
            let about = DataHeader { kind: 1, ..DataHeader::default() };
            let header = HeaderV2 { message_length: 8 + text.len() as u16, data: Some(about), ..HeaderV2::default() };
            [&header.to_bytes()[..], text].concat()
        };
        let (one, two) = (packet(b"one"), packet(b"two"));
        let head = "Routing: 1.0\r\nFrom: 1:a@b;epid={1}\r\nTo: 1:c@d\r\n\r\nReliability: 1.0\r\n\r\nMessaging: 2.0\r\nBridging-Offsets: ";
        let payload = [format!("{head}0,x,{},9,9999\r\n\r\n", one.len()).as_bytes(), &one, &two].concat();
        let datagram = Datagram::parse(&payload);
        let data: Vec<&[u8]> = in_datagram(&datagram).into_iter().map(|packet| packet.data).collect();
        assert_eq!(data, [b"one", b"two"]);
        assert_eq!(peers_of_datagram(&datagram), Peers { from: "a@b".into(), to: "c@d".into() });
    }
}
