//! What the benches run on: buffers as a relay has them after a read.

use std::path::Path;

use msnp::codec::{Codec, CommandSpan, Limits, Span};
use msnp::payload::p2p::HeaderV1;
use msnp::types::Direction::{self, ClientToServer, ServerToClient};

#[path = "../../crates/msnp/tests/dialogue/mod.rs"]
mod dialogue;

/// A stream of whole commands.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) direction: Direction,
    pub(crate) stream: Vec<u8>,
    pub(crate) spans: Vec<CommandSpan>,
}

/// Returns 64 KiB of each kind of traffic.
pub(crate) fn samples() -> Vec<Sample> {
    let mixed = |direction| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/msnp/tests/data/examples");
        let connections = dialogue::dialogues(&folder).into_iter().flat_map(|dialogue| dialogue.connections);
        connections.flat_map(|connection| connection.messages(direction)).collect::<Vec<_>>()
    };
    vec![
        Sample::new("msg-100", ClientToServer, &[message()]),
        Sample::new("p2p", ServerToClient, &[p2p()]),
        Sample::new("mixed-c2s", ClientToServer, &mixed(ClientToServer)),
        Sample::new("mixed-s2c", ServerToClient, &mixed(ServerToClient)),
    ]
}

/// Returns a text message of 100 bytes.
fn message() -> Vec<u8> {
    let message = b"MSG 12345 N 84\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nHello, how are you?!\r\n";
    assert_eq!(message.len(), 100);
    message.to_vec()
}

/// Returns a full packet of a file transfer.
fn p2p() -> Vec<u8> {
    let header = HeaderV1 { session_id: 216_498, total: 1 << 20, length: 1202, flags: 0x20, ..HeaderV1::default() };
    let data: Vec<u8> = (0..1202u32).map(|i| ((i * 167) >> 3) as u8).collect();
    let mime = b"MIME-Version: 1.0\r\nContent-Type: application/x-msnmsgrp2p\r\nP2P-Dest: alice@example.com\r\n\r\n";
    let payload = [&mime[..], &header.to_bytes(), &data, b"\x00\x00\x00\x01"].concat();
    [format!("MSG bob@example.com Bob {}\r\n", payload.len()).as_bytes(), &payload].concat()
}

impl Sample {
    fn new(name: &'static str, direction: Direction, commands: &[Vec<u8>]) -> Sample {
        let mut stream = Vec::new();
        for command in commands.iter().cycle() {
            stream.extend_from_slice(command);
            if stream.len() >= 64 * 1024 {
                break;
            }
        }
        let mut codec = Codec::new(direction, Limits::default());
        let mut spans = Vec::new();
        let mut rest = &stream[..];
        while let Some(Span::Command(span)) = codec.finish(rest) {
            spans.push(span);
            rest = &rest[span.len as usize..];
        }
        assert!(rest.is_empty(), "{name} is not whole commands");
        Sample { name, direction, stream, spans }
    }
}
