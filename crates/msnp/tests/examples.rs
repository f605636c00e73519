//! The example dialogues: every message frames exactly, however the stream is cut.

mod dialogue;

use std::path::Path;

use dialogue::{Connection, dialogues};
use msnp::payload::chunk::Joiner;
use msnp::payload::datagram::Datagram;
use msnp::payload::p2p::Packet;
use msnp::payload::slp::Slp;
use msnp::types::Direction;
use msnp::{Command, Frame, Limits, codec};

fn each_direction(mut check: impl FnMut(&Connection, Direction, &[Vec<u8>])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/examples");
    for dialogue in dialogues(&folder) {
        for connection in &dialogue.connections {
            for direction in Direction::BOTH {
                check(connection, direction, &connection.messages(direction));
            }
        }
    }
}

#[test]
fn all_messages_frame_exactly_whole_and_in_pieces() {
    let mut count = 0;
    each_direction(|connection, direction, messages| {
        let stream = messages.concat();
        for size in [stream.len().max(1), 1, 2, 7, 64] {
            let frames = codec::frames(direction, Limits::default(), &stream, &[size]);
            let found: Vec<Vec<u8>> = frames
                .iter()
                .map(|frame| match frame {
                    Frame::Command(command) => command.as_bytes().to_vec(),
                    Frame::Opaque(bytes) => panic!("opaque in {}: {:?}", connection.id, codec_text(bytes)),
                })
                .collect();
            assert_eq!(found, messages, "{} {direction} in pieces of {size}", connection.id);
        }
        count += messages.len();
    });
    assert_eq!(count, 315);
}

#[test]
fn every_cut_gives_the_same_frames() {
    each_direction(|_, direction, messages| {
        let stream = messages.concat();
        let whole = codec::frames(direction, Limits::default(), &stream, &[stream.len().max(1)]);
        for cut in 1..stream.len().min(700) {
            assert_eq!(codec::frames(direction, Limits::default(), &stream, &[cut, stream.len()]), whole);
        }
    });
}

#[test]
fn no_prefix_of_a_message_is_a_message() {
    each_direction(|_, direction, messages| {
        for message in messages {
            assert_eq!(Command::parse(direction, message).unwrap().as_bytes(), message);
            for length in 0..message.len() {
                let prefix = &message[..length];
                // a line that ends early may be a shorter command only if it still ends in a line end
                assert!(Command::parse(direction, prefix).is_err(), "{:?}", codec_text(prefix));
            }
        }
    });
}

#[test]
fn every_message_comes_back_from_its_text() {
    each_direction(|_, direction, messages| {
        for message in messages {
            msnp::text::check_any_command(&Command::parse(direction, message).unwrap());
        }
    });
}

#[test]
fn the_payload_views_read_the_samples() {
    let (mut datagrams, mut version_1, mut version_2, mut invitations, mut joined) = (0, 0, 0, 0, 0);
    let mut joiner = Joiner::new(8, 1 << 16);
    each_direction(|_, direction, messages| {
        for message in messages {
            let command = Command::parse(direction, message).unwrap();
            msnp::payload::check_any_payload(command.payload());
            let headers = command.headers();
            if headers.get("Routing").is_some() {
                let datagram = Datagram::parse(command.payload());
                assert!(datagram.routing().get("To").is_some());
                datagrams += 1;
            }
            if headers.is("application/x-msnmsgrp2p") {
                if headers.get("P2P-Src").is_some() {
                    version_2 += usize::from(Packet::parse_v2(headers.body()).is_some());
                } else if let Some(packet) = Packet::parse_v1(headers.body()) {
                    version_1 += 1;
                    invitations += usize::from(Slp::parse(packet.data).is_some());
                }
            }
            joined += usize::from(joiner.push(command.payload()).is_some());
        }
    });
    assert_eq!((datagrams, version_1, version_2, invitations, joined), (10, 5, 2, 1, 1));
}

fn codec_text(bytes: &[u8]) -> String {
    msnp::command::lossy(bytes).into_owned()
}
