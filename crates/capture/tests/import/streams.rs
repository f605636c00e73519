use msnp_capture::Closer;
use msnp_capture::tcp::stream::{Piece, Stream};
use proptest::prelude::*;

use super::support::{
    CLIENT, Connection, Flags, SERVER, check_dialogue, dialogue, ethernet, import, import_one, simple_pcap,
};

const ENDS: (&str, &str) = ("192.0.2.1:40000", "198.51.100.1:1863");

fn frames(segments: &[super::support::Segment]) -> Vec<Vec<u8>> {
    segments.iter().map(|segment| ethernet(&segment.ip())).collect()
}

#[test]
fn sequence_numbers_wrap_around() {
    let mut connection = Connection::starting(ENDS.0, ENDS.1, [u32::MAX - 30, u32::MAX - 5]);
    connection.handshake();
    for (client, server) in CLIENT.iter().zip(SERVER) {
        connection.client(client).server(server);
    }
    connection.close();
    check_dialogue(&import_one(&simple_pcap(&connection.frames())));
}

#[test]
fn a_connection_on_any_port_is_found_by_what_it_says() {
    check_dialogue(&import_one(&simple_pcap(&dialogue("192.0.2.1:1863", "198.51.100.1:443").frames())));
    let mut other = Connection::new("192.0.2.1:40001", "198.51.100.1:1863");
    other.handshake().client("SSH-2.0-OpenSSH_9.2\r\n").server("SSH-2.0-OpenSSH_9.2\r\n").close();
    let mut mail = Connection::new("192.0.2.1:40002", "198.51.100.1:25");
    mail.handshake().server("220 mail.example ESMTP\r\n").client("EHLO a\r\n").server("250 OK\r\n");
    mail.client("QUIT\r\n").server("221 bye\r\n").close();
    let (seen, report, _) = import(&simple_pcap(&[other.frames(), mail.frames()].concat()));
    assert_eq!((seen.connections.len(), report.tcp_connections), (0, 2));
}

#[test]
fn a_connection_that_had_begun_is_found_by_a_run_of_commands() {
    for server in ["198.51.100.1:1863", "198.51.100.1:40500"] {
        let mut connection = Connection::new("192.0.2.1:40400", server);
        // the end of a payload comes first
        connection.server("the rest of it\r\nMSG bob@example.com Bob 5\r\nhello");
        connection.client("PNG\r\n").server("QNG 50\r\n").client("CHG 9 NLN 0\r\n").server("CHG 9 NLN 0\r\n");
        let seen = import_one(&simple_pcap(&connection.frames()));
        assert_eq!(seen.peers.server, server);
        assert_eq!(seen.bytes[0], b"PNG\r\nCHG 9 NLN 0\r\n");
        assert!(seen.bytes[1].starts_with(b"the rest"));
        assert_eq!(seen.notes, ["the capture begins within this connection"]);
        assert_eq!(seen.closed, Some((Closer::Source, Some("the capture ends here".into()))));
    }
}

#[test]
fn of_two_contents_for_one_place_the_first_counts_and_that_is_said() {
    let mut connection = Connection::new(ENDS.0, ENDS.1);
    connection.handshake().client("VER 1 MSNP8 CVR0\r\n");
    let mut again = connection.segments[3].clone();
    again.bytes = b"VER 1 MSNP9 CVR0\r\nPNG\r\n".to_vec();
    connection.segments.push(again);
    connection.next[0] += 5;
    connection.client("OUT\r\n").close();
    let (seen, report, _) = import(&simple_pcap(&connection.frames()));
    assert_eq!(seen.connections[0].bytes[0], b"VER 1 MSNP8 CVR0\r\nPNG\r\nOUT\r\n");
    assert_eq!(seen.connections[0].notes, ["1 byte of the client came again and was another: the first one is kept"]);
    assert_eq!((report.repeated_bytes, report.different_bytes), (18, 1));
}

#[test]
fn what_was_received_but_not_captured_is_a_gap() {
    let mut connection = dialogue(ENDS.0, ENDS.1);
    let index = connection.segments.iter().position(|segment| segment.bytes.starts_with(b"CVR 2 0x")).unwrap();
    let lost = connection.segments.remove(index).bytes.len() as u64;
    let seen = import_one(&simple_pcap(&connection.frames()));
    assert_eq!(seen.gaps, [vec![(CLIENT[0].len(), lost)], vec![]]);
    assert_eq!(seen.bytes[0], [&CLIENT[..1], &CLIENT[2..]].concat().concat());
    assert_eq!(seen.bytes[1], SERVER.concat());
}

#[test]
fn a_direction_that_was_not_captured_is_gaps_of_known_length() {
    for side in 0..2 {
        let connection = dialogue(ENDS.0, ENDS.1);
        let only: Vec<_> =
            connection.segments.iter().filter(|segment| segment.from == connection.ends[side]).cloned().collect();
        let seen = import_one(&simple_pcap(&frames(&only)));
        assert_eq!(seen.peers.client, ENDS.0, "side {side}");
        let all = [CLIENT.concat(), SERVER.concat()];
        assert_eq!(seen.bytes[side], all[side]);
        assert_eq!(seen.bytes[1 - side], b"");
        let missing: u64 = seen.gaps[1 - side].iter().map(|(_, length)| length).sum();
        assert_eq!(missing, all[1 - side].len() as u64);
        let who = ["server", "client"][side];
        assert!(seen.notes.contains(&format!("nothing that the {who} sent was captured")), "{:?}", seen.notes);
    }
}

#[test]
fn a_reset_and_ports_used_again_make_two_connections() {
    let mut first = Connection::new(ENDS.0, ENDS.1);
    first.handshake().client("VER 1 MSNP8 CVR0\r\n").server("VER 1 MSNP8\r\n").reset(1);
    let mut second = Connection::starting(ENDS.0, ENDS.1, [77_000, 99_000]);
    second.handshake().client("VER 1 MSNP9 CVR0\r\n").close();
    let mut third = Connection::starting(ENDS.0, ENDS.1, [7_000, 9_000]);
    third.handshake().client("VER 1 MSNP10 CVR0\r\n");
    let mut fourth = Connection::starting(ENDS.0, ENDS.1, [17_000, 19_000]);
    fourth.handshake().client("VER 1 MSNP11 CVR0\r\n");
    let all = [first.frames(), second.frames(), third.frames(), fourth.frames()].concat();
    let (seen, report, _) = import(&simple_pcap(&all));
    assert_eq!(report.tcp_connections, 4);
    let closed: Vec<_> = seen.connections.iter().map(|connection| connection.closed.clone().unwrap()).collect();
    let replaced = "another connection between the same ports took its place";
    assert_eq!(
        closed,
        [
            (Closer::Server, Some("connection reset".into())),
            (Closer::Client, None),
            (Closer::Source, Some(replaced.into())),
            (Closer::Source, Some("the capture ends here".into())),
        ]
    );
}

#[test]
fn memory_is_taken_by_what_is_out_of_order_and_no_more_than_the_limit() {
    let most = 1 << 16;
    let mut stream = Stream::new(0);
    let (mut out, mut gaps, mut highest) = (0u64, 0u64, 0);
    // the first byte never comes
    for number in 0..10_000u32 {
        stream.segment(1 + number * 1000, &[7; 1000], most, &mut |piece| match piece {
            Piece::Data(bytes) => out += bytes.len() as u64,
            Piece::Gap(length) => gaps += length,
        });
        highest = highest.max(stream.held());
    }
    assert!(highest <= most + 2000, "{highest}");
    assert_eq!((out, gaps), (10_000_000, 1));
    // every other byte never comes, and each of the others takes more than a byte
    for number in 0..100_000u32 {
        stream.segment(10_000_002 + number * 2, &[7], most, &mut |_| {});
        assert!(stream.held() <= most + 2000);
    }
}

#[test]
fn a_long_capture_takes_no_more_memory_than_a_short_one() {
    let mut connection = Connection::new(ENDS.0, ENDS.1);
    connection.handshake().client("VER 1 MSNP8 CVR0\r\n");
    let head = simple_pcap(&connection.frames());
    let mut seen = Held::default();
    let mut importer = msnp_capture::Importer::default();
    let start = connection.segments.len();
    importer.read(&head[..], "a".as_ref(), &mut seen).unwrap();
    for _ in 0..200 {
        for _ in 0..100 {
            connection.client(format!("MSG 4 N 1000\r\n{}", "x".repeat(1000)));
        }
        let segments: Vec<_> = connection.segments.drain(start.min(connection.segments.len())..).collect();
        // each second one comes before the first
        let swapped: Vec<_> = segments.chunks(2).flat_map(|pair| pair.iter().rev().cloned()).collect();
        importer.read(&simple_pcap(&frames(&swapped))[..], "a".as_ref(), &mut seen).unwrap();
        assert!(importer.held() < 8192, "{} bytes", importer.held());
    }
    assert_eq!(seen.bytes, 18 + 200 * 100 * 1014);
    importer.finish(&mut seen);
}

/// Counts bytes and keeps none.
#[derive(Default)]
struct Held {
    bytes: usize,
}

impl msnp_capture::Sink for Held {
    fn source(&mut self, _: &msnp_transcript::event::Source) {}
    fn opened(&mut self, _: &msnp_capture::Peers, _: std::time::SystemTime) -> msnp_capture::ConnectionKey {
        msnp_capture::ConnectionKey(0)
    }
    fn data(&mut self, _: msnp_capture::ConnectionKey, _: msnp::Direction, _: std::time::SystemTime, bytes: &[u8]) {
        self.bytes += bytes.len();
    }
    fn gap(
        &mut self,
        _: msnp_capture::ConnectionKey,
        _: msnp::Direction,
        _: std::time::SystemTime,
        length: Option<u64>,
    ) {
        panic!("a gap of {length:?}");
    }
    fn note(&mut self, _: msnp_capture::ConnectionKey, _: std::time::SystemTime, _: &str) {}
    fn closed(&mut self, _: msnp_capture::ConnectionKey, _: std::time::SystemTime, _: Closer, _: Option<&str>) {}
}

/// What may happen to the segments of a connection on their way.
#[derive(Clone, Debug)]
struct Weather {
    start: [u32; 2],
    most: usize,
    /// For each segment, how many places later it comes.
    late: Vec<usize>,
    /// Which come again, and how much later.
    again: Vec<(usize, usize)>,
    /// Which come again together with the one behind.
    joined: Vec<usize>,
}

fn weather() -> impl Strategy<Value = Weather> {
    (
        any::<[u32; 2]>(),
        1usize..80,
        prop::collection::vec(0usize..7, 1..60),
        prop::collection::vec((any::<usize>(), 0usize..7), 0..10),
        prop::collection::vec(any::<usize>(), 0..10),
    )
        .prop_map(|(start, most, late, again, joined)| Weather { start, most, late, again, joined })
}

impl Weather {
    fn apply(&self, segments: &[super::support::Segment]) -> Vec<super::support::Segment> {
        let late = |index: usize| self.late[index % self.late.len()];
        let mut placed: Vec<(usize, usize, _)> =
            segments.iter().enumerate().map(|(index, segment)| (index + late(index), index, segment.clone())).collect();
        for &(which, later) in &self.again {
            let index = which % segments.len();
            placed.push((index + later, segments.len(), segments[index].clone()));
        }
        for which in &self.joined {
            let index = which % segments.len();
            let mut segment = segments[index].clone();
            let end = segment.sequence.wrapping_add(segment.bytes.len() as u32);
            let next = segments[index..].iter().find(|next| next.from == segment.from && next.sequence == end);
            if let Some(next) = next.filter(|next| next.flags == Flags::default() && segment.flags == Flags::default())
            {
                segment.bytes.extend_from_slice(&next.bytes);
                placed.push((index + 3, segments.len(), segment));
            }
        }
        placed.sort_by_key(|(place, index, _)| (*place, *index));
        placed.into_iter().map(|(.., segment)| segment).collect()
    }
}

fn long_dialogue(weather: &Weather) -> Connection {
    let mut connection = Connection::starting(ENDS.0, ENDS.1, weather.start);
    connection.most = weather.most;
    connection.handshake();
    for (client, server) in CLIENT.iter().zip(SERVER) {
        connection.client(client).server(server);
    }
    connection.close();
    connection
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn order_repetition_and_overlap_do_not_matter(weather in weather()) {
        let connection = long_dialogue(&weather);
        let capture = simple_pcap(&frames(&weather.apply(&connection.segments)));
        let seen = import_one(&capture);
        prop_assert_eq!(seen.bytes, [CLIENT.concat(), SERVER.concat()]);
        prop_assert_eq!(seen.gaps, [Vec::new(), Vec::new()]);
        prop_assert_eq!(seen.notes, Vec::<String>::new());
    }

    #[test]
    fn what_is_dropped_is_a_gap_of_its_length_in_its_place(weather in weather(), dropped in 0usize..1000) {
        let connection = long_dialogue(&weather);
        let with_payload: Vec<usize> =
            (0..connection.segments.len()).filter(|&index| !connection.segments[index].bytes.is_empty()).collect();
        // without the first one nobody could tell what it is
        let lost = with_payload[1 + dropped % (with_payload.len() - 1)];
        let side = usize::from(connection.segments[lost].from != connection.ends[0]);
        let start = connection.segments[lost].sequence.wrapping_sub(weather.start[side]).wrapping_sub(1) as usize;
        let mut segments = connection.segments.clone();
        let length = segments.remove(lost).bytes.len();
        let calm = Weather { again: Vec::new(), joined: Vec::new(), ..weather };
        let seen = import_one(&simple_pcap(&frames(&calm.apply(&segments))));
        let mut expected = [CLIENT.concat(), SERVER.concat()];
        expected[side].drain(start..start + length);
        prop_assert_eq!(&seen.bytes, &expected);
        // one byte at the end cannot be told from the end itself
        let is_at_end = length == 1 && start == expected[side].len();
        let mut gaps = [Vec::new(), Vec::new()];
        if !is_at_end || !seen.gaps[side].is_empty() {
            gaps[side].push((start, length as u64));
        }
        prop_assert_eq!(seen.gaps, gaps);
    }

    #[test]
    fn any_segments_give_bytes_in_order(
        segments in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..50), any::<u32>()), 0..60),
        near in any::<bool>(),
    ) {
        let mut stream = Stream::new(100);
        let mut at = 0u64;
        let mut out = |piece: Piece<'_>| at += match piece {
            Piece::Data(bytes) => { assert!(!bytes.is_empty()); bytes.len() as u64 }
            Piece::Gap(length) => { assert!(length > 0); length }
        };
        for (sequence, bytes, acknowledged) in segments {
            let range = if near { 200 } else { u32::MAX };
            stream.segment(sequence % range, &bytes, 500, &mut out);
            stream.acknowledge(acknowledged % range);
        }
        stream.give_up(&mut out);
        prop_assert_eq!(stream.held(), 0);
        prop_assert_eq!(100u32.wrapping_add(at as u32), stream.sequence());
    }
}
