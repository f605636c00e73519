//! Views of payloads. A view borrows or keeps every byte it was made of; looking never changes what is forwarded.

pub mod chunk;
pub mod datagram;
pub mod membership;
pub mod mime;
pub mod msnobject;
pub mod p2p;
pub mod slp;
pub mod text;
pub mod tree;
pub mod xml;

/// Looks at `payload` with every view and checks what must hold for any input: no view panics, and what can be written
/// back is the same. The body of a fuzz target.
///
/// # Panics
///
/// If it does not hold.
pub fn check_any_payload(payload: &[u8]) {
    let headers = mime::Headers::parse(payload);
    let rebuilt: Vec<u8> = headers.lines().flat_map(|line| line.raw().to_vec()).collect();
    assert_eq!([&rebuilt[..], &payload[rebuilt.len()..]].concat(), payload);
    let _ = (headers.second_level(), text::TextFormat::of(&headers));
    let _ = chunk::Chunk::of(payload);
    let datagram = datagram::Datagram::parse(payload);
    let _ = (datagram.body(), datagram.reliability().get("Flags"));
    let _ = (xml::pretty(payload), tree::Element::parse(payload));
    let _ = (msnobject::MsnObject::parse(payload), membership::members(payload));
    if let Some((header, rest)) = p2p::HeaderV1::parse(payload) {
        assert_eq!([&header.to_bytes()[..], rest].concat(), payload);
    }
    if let Some((header, rest)) = p2p::HeaderV2::parse(payload) {
        assert_eq!([&header.to_bytes()[..], rest].concat(), payload);
    }
    let _ = (p2p::Packet::parse_v1(payload), p2p::Packet::parse_v2(payload), slp::Slp::parse(payload));
    let mut joiner = chunk::Joiner::new(4, 1 << 16);
    let _ = joiner.push(payload);
}
