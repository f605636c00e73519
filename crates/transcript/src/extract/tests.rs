use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use msnp::payload::mime::Headers;
use msnp::payload::p2p::{DataHeader, HeaderV1, HeaderV2};
use msnp::types::Direction;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::event::{Origin as Maker, Payload, Redacted, SessionEvent, Stem, Text, Way};
use crate::redact::TextPolicy;

/// The commands of one switchboard, as Alice's transcript has them.
#[derive(Clone, Default)]
struct Board {
    events: Vec<Event>,
}

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

impl Board {
    fn new() -> Board {
        let mut board = Board::default();
        let stem = board.stem();
        let (format, software) = (crate::event::FORMAT.to_owned(), "test".to_owned());
        board.events.push(Event::Session(SessionEvent {
            stem,
            format,
            version: 1,
            software,
            source: None,
            redacted: None,
        }));
        board.say(Direction::ClientToServer, &format!("USR 1 {ALICE} 1.2.3"), None);
        board
    }

    fn stem(&self) -> Stem {
        let seq = self.events.len() as u64;
        Stem { seq, time: format!("2026-11-22T12:00:00.{seq:06}Z"), session: "01jd".into() }
    }

    fn say(&mut self, direction: Direction, line: &str, payload: Option<&[u8]>) {
        let command = msnp::Command::new(direction, line.as_bytes(), payload).unwrap();
        self.events.push(Event::Command(CommandEvent {
            stem: self.stem(),
            connection: 3,
            server: Some(crate::event::Server::Sb),
            direction: Way::from(direction),
            verb: command.verb().to_string(),
            trid: None,
            args: command.arguments().map(Text::of).collect(),
            payload: payload.map(Payload::of),
            eol: None,
            origin: Maker::Peer,
            sent: None,
            by: Vec::new(),
            delay: None,
            held: None,
            masked: Vec::new(),
        }));
    }

    /// A message of one of the two to the other.
    fn message(&mut self, from: &str, payload: &[u8]) {
        match from == ALICE {
            true => self.say(Direction::ClientToServer, "MSG 4 D", Some(payload)),
            false => self.say(Direction::ServerToClient, &format!("MSG {from} Bob"), Some(payload)),
        }
    }

    fn packets(&mut self, from: &str, packets: &[Vec<u8>]) {
        packets.iter().for_each(|packet| self.message(from, packet));
    }

    fn extract(&self) -> (Vec<(String, Vec<u8>)>, Manifest, Vec<TextMessage>) {
        extract(&[("a.jsonl", self)], Limits::default())
    }
}

fn extract(boards: &[(&str, &Board)], limits: Limits) -> (Vec<(String, Vec<u8>)>, Manifest, Vec<TextMessage>) {
    let mut collection = Collection::default();
    let (mut files, mut texts) = (Vec::new(), Vec::new());
    for (name, board) in boards {
        let mut extractor = Extractor::new(name, limits);
        let mut found: Vec<Found> = board.events.iter().flat_map(|event| extractor.push(event)).collect();
        let (rest, origin) = extractor.finish();
        found.extend(rest);
        for found in found {
            let (file, text) = collection.add(found);
            files.extend(file);
            texts.extend(text);
        }
        collection.end(origin);
    }
    let (rest, manifest) = collection.finish();
    files.extend(rest);
    let files = files.into_iter().map(|file| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        file.write(&mut bytes).unwrap();
        (file.name, bytes.into_inner())
    });
    (files.collect(), manifest, texts)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    One,
    Two,
}

/// How a client of one version sends.
struct Client {
    version: Version,
    from: &'static str,
    message: u32,
    base: u32,
    package: u16,
}

impl Client {
    fn new(version: Version, from: &'static str, start: u32) -> Client {
        Client { version, from, message: start, base: start, package: 0 }
    }

    fn to(&self) -> &'static str {
        if self.from == ALICE { BOB } else { ALICE }
    }

    /// Cuts data into packets of so many bytes, each the payload of a `MSG`.
    fn send(&mut self, session: u32, data: &[u8], size: usize) -> Vec<Vec<u8>> {
        let is_data = session != 0;
        self.message += 1;
        self.package += 1;
        let mut at = 0;
        let mut packets = Vec::new();
        for part in data.chunks(size.max(1)) {
            packets.push(match self.version {
                Version::One => {
                    let header = HeaderV1 {
                        session_id: session,
                        message_id: self.message,
                        offset: at as u64,
                        total: data.len() as u64,
                        length: part.len() as u32,
                        flags: if is_data { 0x20 } else { 0 },
                        ..HeaderV1::default()
                    };
                    self.wrap("", &header.to_bytes(), part)
                }
                Version::Two => {
                    let rest = (data.len() - at - part.len()) as u64;
                    let options = match rest {
                        0 => Vec::new(),
                        _ => [&b"\x01\x08"[..], &rest.to_be_bytes(), &[0; 2]].concat(),
                    };
                    let kind = u8::from(at == 0) | if is_data { 4 } else { 0 };
                    let length = (8 + options.len() + part.len()) as u16;
                    let about = DataHeader { kind, package: self.package, session_id: session, options };
                    let header = HeaderV2 {
                        base_id: self.base,
                        message_length: length,
                        data: Some(about),
                        ..HeaderV2::default()
                    };
                    self.base = self.base.wrapping_add(u32::from(length));
                    self.wrap(&format!("P2P-Src: {};{{1f2e}}\r\n", self.from), &header.to_bytes(), part)
                }
            });
            at += part.len();
        }
        packets
    }

    fn wrap(&self, source: &str, header: &[u8], data: &[u8]) -> Vec<u8> {
        let head = "MIME-Version: 1.0\r\nContent-Type: application/x-msnmsgrp2p\r\n";
        let head = format!("{head}P2P-Dest: {}\r\n{source}\r\n", self.to());
        [head.as_bytes(), header, data, &[0, 0, 0, 1]].concat()
    }

    fn invite(&mut self, session: u32, guid: &str, context: &[u8]) -> Vec<Vec<u8>> {
        let text = format!(
            "INVITE MSNMSGR:{to} MSNSLP/1.0\r\nTo: <msnmsgr:{to}>\r\nFrom: <msnmsgr:{from}>\r\nCall-ID: {{{session}}}\r\n\
             Content-Type: application/x-msnmsgr-sessionreqbody\r\nContent-Length: 9\r\n\r\n\
             EUF-GUID: {{{guid}}}\r\nSessionID: {session}\r\nAppID: 1\r\nContext: {context}\r\n\r\n\0",
            to = self.to(),
            from = self.from,
            context = BASE64.encode(context),
        );
        self.send(0, text.as_bytes(), 400)
    }

    fn answer(&mut self, session: u32, status: &str, body: &str) -> Vec<Vec<u8>> {
        let text = format!("MSNSLP/1.0 {status}\r\nCall-ID: {{{session}}}\r\n{body}\r\n\0");
        self.send(0, text.as_bytes(), 400)
    }
}

const OBJECT: &str = "A4268EEC-FEC5-49E5-95C3-F126696BDBF6";
const FILE: &str = "5D3E02AB-6190-11D3-BBBB-00C04F795683";

fn picture() -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n"[..], &(0..3000u32).flat_map(u32::to_be_bytes).collect::<Vec<u8>>()].concat()
}

fn object(kind: u32, data: &[u8]) -> Vec<u8> {
    let hash = BASE64.encode(Sha1::digest(data));
    let size = data.len();
    format!(
        r#"<msnobj Creator="{BOB}" Size="{size}" Type="{kind}" Location="TFR2.tmp" Friendly="AAA=" SHA1D="{hash}"/>"#
    )
    .into_bytes()
}

fn file_context(name: &str, size: u64, preview: &[u8]) -> Vec<u8> {
    let mut context = [638u32.to_le_bytes(), 3u32.to_le_bytes()].concat();
    context.extend_from_slice(&size.to_le_bytes());
    context.extend_from_slice(&u32::from(preview.is_empty()).to_le_bytes());
    context.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    context.resize(638, 0);
    context.extend_from_slice(preview);
    context
}

/// Alice asks Bob for his picture; returns the board and the packets of the answer, which are not on it yet.
fn asked(version: Version, data: &[u8], size: usize) -> (Board, Vec<Vec<u8>>) {
    let mut board = Board::new();
    let (mut alice, mut bob) = (Client::new(version, ALICE, 1000), Client::new(version, BOB, u32::MAX - 2000));
    board.packets(ALICE, &alice.invite(4242, OBJECT, &object(3, data)));
    board.packets(BOB, &bob.answer(4242, "200 OK", ""));
    board.packets(BOB, &bob.send(4242, &[0; 4], 1200));
    let packets = bob.send(4242, data, size);
    (board, packets)
}

#[test]
fn a_picture_is_put_together_and_checked() {
    for version in [Version::One, Version::Two] {
        let (mut board, mut packets) = asked(version, &picture(), 1202);
        packets.reverse();
        packets.insert(4, packets[1].clone());
        packets.push(packets[0].clone());
        board.packets(BOB, &packets);
        let (files, manifest, _) = board.extract();
        let sha256: String = Sha256::digest(picture()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(files, [(format!("display-picture-{BOB}-{}.png", &sha256[..8]), picture())]);
        let [entry] = &manifest.files[..] else { panic!("{manifest:?}") };
        assert_eq!(
            (entry.status, entry.kind, entry.mime.as_deref()),
            (Status::Complete, Kind::DisplayPicture, Some("image/png"))
        );
        assert_eq!((entry.sha1d.as_ref().unwrap().ok, &entry.sha256), (Some(true), &Some(sha256)));
        let seen = &entry.seen[0];
        assert_eq!((seen.from.as_str(), seen.to.as_str(), seen.p2p_session), (BOB, ALICE, Some(4242)));
        assert_eq!(seen.carrier, if version == Version::One { Carrier::P2p1 } else { Carrier::P2p2 });
        assert_eq!((seen.first_seq, seen.last_seq), (6, 6 + 10), "from the first part to the one that made it whole");
    }
}

#[test]
fn parts_that_are_lost_leave_holes_that_are_told() {
    for version in [Version::One, Version::Two] {
        let (mut board, mut packets) = asked(version, &picture(), 1000);
        packets.remove(2);
        board.packets(BOB, &packets);
        let (files, manifest, _) = board.extract();
        let mut expected = picture();
        expected[2000..3000].fill(0);
        assert_eq!(files, [(format!("display-picture-{BOB}-00001092.png.partial"), expected)]);
        let entry = &manifest.files[0];
        assert_eq!((entry.status, entry.bytes, entry.expected_bytes), (Status::Partial, 11008, Some(12008)));
        assert_eq!(entry.missing, [Missing { from: 2000, to: Some(3000) }]);
        assert_eq!(entry.sha1d.as_ref().unwrap().ok, None);
    }
}

#[test]
fn a_beginning_that_is_lost_is_found_by_the_announced_size() {
    let (mut board, packets) = asked(Version::Two, &picture(), 1000);
    board.packets(BOB, &packets[1..]);
    let (files, manifest, _) = board.extract();
    assert_eq!(files[0].1[1000..], picture()[1000..]);
    assert_eq!(manifest.files[0].missing, [Missing { from: 0, to: Some(1000) }]);
    // and without one it is told that nobody knows
    let mut board = Board::new();
    board.packets(BOB, &packets[1..]);
    let (files, manifest, _) = board.extract();
    assert_eq!(files[0].1, picture()[1000..]);
    assert_eq!(
        manifest.files[0].reason.as_deref(),
        Some("its beginning is missing, and how much that is is not known")
    );
}

#[test]
fn the_same_transfer_in_two_transcripts_is_one_file() {
    let (mut board, packets) = asked(Version::One, &picture(), 1000);
    let (mut one, mut other) = (board.clone(), board.clone());
    board.packets(BOB, &packets);
    let (files, manifest, _) = extract(&[("a.jsonl", &board), ("b.jsonl", &board)], Limits::default());
    assert_eq!((files.len(), manifest.files[0].seen.len()), (1, 2));
    // what one lost, the other has
    one.packets(BOB, &packets[..5]);
    other.packets(BOB, &packets[3..]);
    let (files, manifest, _) = extract(&[("a.jsonl", &one), ("b.jsonl", &other)], Limits::default());
    let entry = &manifest.files[0];
    assert_eq!((files[0].1 == picture(), entry.status, entry.seen.len()), (true, Status::Complete, 2));
    let (files, manifest, _) = extract(&[("a.jsonl", &one), ("b.jsonl", &board)], Limits::default());
    assert_eq!((files.len(), manifest.files.len(), manifest.files[0].seen.len()), (1, 1, 2));
}

#[test]
fn a_file_keeps_its_name_and_preview() {
    for version in [Version::One, Version::Two] {
        let mut board = Board::new();
        let mut alice = Client::new(version, ALICE, 7);
        let preview = b"\x89PNG\r\n\x1a\nsmall";
        board.packets(ALICE, &alice.invite(9, FILE, &file_context("..\\caf\u{e9} notes.txt", 11, preview)));
        board.packets(ALICE, &alice.send(9, b"hello there", 4));
        let (files, manifest, _) = board.extract();
        let expected = [
            ("preview-of-caf\u{e9} notes.txt.png".to_owned(), preview.to_vec()),
            ("caf\u{e9} notes.txt".to_owned(), b"hello there".to_vec()),
        ];
        assert_eq!(files, expected);
        assert_eq!(manifest.files[1].name.as_deref(), Some("..\\caf\u{e9} notes.txt"));
        assert_eq!((manifest.files[1].kind, manifest.files[1].mime.as_deref()), (Kind::File, Some("text/plain")));
    }
}

#[test]
fn what_never_came_is_told_with_the_reason() {
    let mut board = Board::new();
    let (mut alice, mut bob) = (Client::new(Version::One, ALICE, 7), Client::new(Version::One, BOB, 900));
    for session in 1..=4 {
        board.packets(ALICE, &alice.invite(session, FILE, &file_context(&format!("{session}.txt"), 5, b"")));
    }
    board.packets(BOB, &bob.answer(1, "603 Decline", ""));
    board.packets(BOB, &bob.answer(2, "200 OK", ""));
    board.packets(BOB, &bob.answer(3, "200 OK", ""));
    let direct = "Content-Type: application/x-msnmsgr-transrespbody\r\n\r\nBridge: TCPv1\r\nListening: true\r\n";
    board.packets(BOB, &bob.answer(3, "200 OK", direct));
    let old = "Content-Type: text/x-msmsgsinvite; charset=UTF-8\r\n\r\nApplication-Name: File Transfer\r\nInvitation-Command: INVITE\r\nInvitation-Cookie: 8\r\nApplication-File: old.doc\r\nApplication-FileSize: 77\r\n\r\n";
    board.message(BOB, old.as_bytes());
    let accept = "Content-Type: text/x-msmsgsinvite\r\n\r\nInvitation-Command: ACCEPT\r\nInvitation-Cookie: 8\r\nIP-Address: 198.51.100.7\r\nPort: 6891\r\n\r\n";
    board.message(ALICE, accept.as_bytes());
    let (files, manifest, _) = board.extract();
    assert_eq!(files, []);
    let told: Vec<(&str, &str, u64)> = manifest
        .files
        .iter()
        .map(|entry| (entry.name.as_deref().unwrap(), entry.reason.as_deref().unwrap(), entry.expected_bytes.unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("1.txt", "it was declined", 5),
            ("2.txt", "it was accepted, but no data was seen", 5),
            ("3.txt", legacy::ELSEWHERE, 5),
            ("4.txt", "it was not answered", 5),
            ("old.doc", legacy::ELSEWHERE, 77),
        ]
    );
}

#[test]
fn an_object_that_nobody_asked_for_is_recognised_by_its_hash() {
    let mut board = Board::new();
    let wink = b"MSCF\0\0\0\0wink";
    let told = String::from_utf8(object(8, wink)).unwrap();
    board
        .message(BOB, format!("Content-Type: text/x-msnmsgr-datacast\r\n\r\nID: 2\r\nData: {told}\r\n\r\n").as_bytes());
    board.packets(BOB, &Client::new(Version::One, BOB, 5).send(77, wink, 1200));
    let (files, manifest, _) = board.extract();
    assert_eq!((files[0].1 == wink, manifest.files[0].kind), (true, Kind::Wink));
}

#[test]
fn emoticons_ink_and_chunked_texts_are_found() {
    let mut board = Board::new();
    let smile = b"GIF89a smile";
    let told = String::from_utf8(object(2, smile)).unwrap();
    board.message(BOB, format!("Content-Type: text/x-mms-emoticon\r\n\r\n(y)\t{told}\t").as_bytes());
    let (mut alice, mut bob) = (Client::new(Version::Two, ALICE, 7), Client::new(Version::Two, BOB, 900));
    board.packets(ALICE, &alice.invite(9, OBJECT, &object(2, smile)));
    board.packets(BOB, &bob.send(9, smile, 5));
    board.message(BOB, format!("Content-Type: image/gif\r\n\r\nbase64:{}", BASE64.encode(b"GIF89a ink")).as_bytes());
    let ink = format!("Content-Type: application/x-ms-ink\r\n\r\nbase64:{}", BASE64.encode(b"\0\x10ISF"));
    let ink: Vec<u8> = ink.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut packets = Client::new(Version::One, BOB, 5).send(64, &ink, 50);
    // flags of handwriting are 0
    for packet in &mut packets {
        let flags = Headers::parse(packet).body_start() + 28;
        packet[flags] = 0;
    }
    board.packets(BOB, &packets);
    board.message(ALICE, b"Content-Type: text/plain\r\nMessage-ID: {A}\r\nChunks: 2\r\n\r\nhel");
    board.message(ALICE, b"Message-ID: {A}\r\nChunk: 1\r\n\r\nlo");
    board.message(BOB, b"Content-Type: text/plain; charset=UTF-8\r\n\r\nhi\r\nthere");
    board.message(BOB, b"Content-Type: text/plain\r\nMessage-ID: {B}\r\nChunks: 3\r\n\r\nlost");
    let (files, manifest, texts) = board.extract();
    let kinds: Vec<Kind> = manifest.files.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Kind::Emoticon, Kind::Ink, Kind::Ink]);
    assert_eq!(files.iter().map(|file| &file.1[..]).collect::<Vec<_>>(), [&smile[..], b"GIF89a ink", b"\0\x10ISF"]);
    let [shortcut] = &manifest.emoticons[..] else { panic!("{manifest:?}") };
    assert_eq!((shortcut.shortcut.as_str(), shortcut.from.as_str()), ("(y)", BOB));
    assert_eq!(shortcut.file.as_ref(), Some(&files[0].0));
    let texts: Vec<(&str, &str, Option<u64>, &[u64])> = texts
        .iter()
        .map(|text| (text.from.as_str(), text.text.as_str(), text.chunks, &text.missing_chunks[..]))
        .collect();
    assert_eq!(
        texts,
        [(ALICE, "hello", Some(2), &[][..]), (BOB, "hi\r\nthere", None, &[]), (BOB, "lost", Some(3), &[1, 2])]
    );
}

#[test]
fn data_in_datagrams_is_found_by_its_offsets() {
    let mut board = Board::new();
    let mut bob = Client::new(Version::Two, BOB, 900);
    let packets: Vec<Vec<u8>> = [bob.invite(9, FILE, &file_context("a.txt", 6, b"")), bob.send(9, b"abcdef", 2)]
        .concat()
        .iter()
        .map(|payload| Headers::parse(payload).body().to_vec())
        .collect();
    let starts = (0..packets.len()).map(|index| packets[..index].iter().map(Vec::len).sum::<usize>().to_string());
    let offsets: Vec<String> = starts.collect();
    let head = format!(
        "Routing: 1.0\r\nTo: 1:{ALICE};epid={{1}}\r\nFrom: 1:{BOB};epid={{2}}\r\n\r\nReliability: 1.0\r\n\r\nMessaging: 2.0\r\n\
         Message-Type: Data\r\nContent-Type: application/x-msnmsgrp2p\r\nBridging-Offsets: {}\r\n\r\n",
        offsets.join(",")
    );
    board.say(Direction::ServerToClient, "SDG 0", Some(&[head.as_bytes(), &packets.concat()].concat()));
    let (files, manifest, _) = board.extract();
    assert_eq!(files, [("a.txt".to_owned(), b"abcdef".to_vec())]);
    assert_eq!((manifest.files[0].seen[0].from.as_str(), manifest.files[0].seen[0].to.as_str()), (BOB, ALICE));
}

#[test]
fn limits_hold_whatever_is_claimed() {
    let limits = Limits { file: 5000, in_flight: 20_000 };
    for version in [Version::One, Version::Two] {
        let (mut board, packets) = asked(version, &picture(), 1000);
        board.packets(BOB, &packets);
        let (files, manifest, _) = extract(&[("a.jsonl", &board)], limits);
        assert_eq!(files[0].1, picture()[..5000]);
        assert!(manifest.files[0].reason.as_ref().unwrap().starts_with("larger than the limits of 5000 bytes"));
        let mut board = Board::new();
        let mut bob = Client::new(version, BOB, 1);
        for session in 1..50 {
            board.packets(BOB, &bob.send(session, &picture(), 1000)[..1]);
        }
        let (files, _, _) = extract(&[("a.jsonl", &board)], limits);
        assert!((18..=20).contains(&files.len()), "{}", files.len());
    }
    // a place at the end of all numbers
    let header = HeaderV1 {
        session_id: 3,
        offset: u64::MAX - 1,
        total: u64::MAX,
        length: 3,
        flags: 0x20,
        ..HeaderV1::default()
    };
    let mut board = Board::new();
    board.message(BOB, &Client::new(Version::One, BOB, 1).wrap("", &header.to_bytes(), b"abc"));
    assert_eq!(board.extract().0, []);
}

#[test]
fn a_redacted_transcript_tells_what_is_gone() {
    let (mut board, packets) = asked(Version::One, &picture(), 1000);
    let Some(Event::Session(session)) = board.events.first_mut() else { panic!() };
    session.redacted = Some(Redacted { software: "test".into(), text: TextPolicy::Class });
    for mut packet in packets {
        let data = Headers::parse(&packet).body_start() + HeaderV1::LENGTH;
        let end = packet.len() - 4;
        packet[data..end].fill(0);
        board.message(BOB, &packet);
    }
    let (files, manifest, _) = board.extract();
    assert_eq!(files, []);
    let entry = &manifest.files[0];
    assert_eq!((entry.kind, entry.status), (Kind::DisplayPicture, Status::Missing));
    assert_eq!(entry.reason.as_deref(), Some("it was redacted"));
    assert_eq!((manifest.transcripts[0].redacted, manifest.transcripts[0].masked, manifest.notes.len()), (true, 1, 2));
}

#[test]
fn a_number_that_is_used_again_is_another_message() {
    let mut board = Board::new();
    let mut bob = Client::new(Version::Two, BOB, 900);
    let one = bob.send(9, b"GIF89a one", 4);
    bob.package = 0;
    let two = bob.send(9, b"GIF89a two!", 4);
    board.packets(BOB, &one);
    board.packets(BOB, &one);
    board.packets(BOB, &two);
    bob.package = 0;
    board.packets(BOB, &bob.send(9, b"GIF89a torn", 4)[..2]);
    bob.package = 0;
    board.packets(BOB, &bob.send(9, b"GIF89a whole", 4));
    let (files, _, _) = board.extract();
    let data: Vec<&[u8]> = files.iter().map(|file| &file.1[..]).collect();
    assert_eq!(data, [&b"GIF89a one"[..], b"GIF89a two!", b"GIF89a whole", b"GIF89a t"]);
}

proptest! {
    /// Three transfers at once, in any order of their packets and with any of them twice, give the same three files.
    #[test]
    fn any_interleaving_of_parts_gives_the_same_files(
        seed in any::<u64>(),
        sizes in proptest::collection::vec((1usize..900, 1usize..120), 3),
        is_new in any::<bool>(),
    ) {
        let version = if is_new { Version::Two } else { Version::One };
        let mut board = Board::new();
        let (mut alice, mut bob) = (Client::new(version, ALICE, 5), Client::new(version, BOB, 900));
        let mut packets = Vec::new();
        let mut expected = Vec::new();
        for (session, (length, size)) in (1..).zip(&sizes) {
            let data: Vec<u8> = (0..*length).map(|place| (place as u32 * session) as u8).collect();
            let context = file_context(&format!("{session}.bin"), data.len() as u64, b"");
            board.packets(ALICE, &alice.invite(session, FILE, &context));
            packets.extend(alice.send(session, &data, *size).into_iter().map(|packet| (ALICE, packet)));
            board.packets(BOB, &bob.invite(session + 10, OBJECT, &object(3, &[])));
            expected.push((format!("{session}.bin"), data));
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let again: Vec<_> = packets.iter().filter(|_| random.bool()).cloned().collect();
        packets.extend(again);
        random.shuffle(&mut packets);
        packets.iter().for_each(|(from, packet)| board.message(from, packet));
        let (mut files, _, _) = board.extract();
        files.sort();
        prop_assert_eq!(files, expected);
    }
}
