use std::collections::BTreeMap;
use std::io::Cursor;
use std::process::Command;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use msnp_transcript::reader::Side as Stream;
use pcap_file::pcapng::{Block, PcapNgReader};
use proptest::prelude::*;
use serde_json::json;

use crate::testing::{Draft, WAYS, any_transcript, connections, sent, stream};

use super::*;

fn export(transcripts: &[Transcript], side: Side) -> Vec<u8> {
    let mut out = Vec::new();
    let written = pcapng(transcripts, &self::side(side), "mitmsn 0.1.0", &mut out).unwrap();
    assert_eq!(written.problems, Vec::<String>::new());
    out
}

pub(super) fn side(side: Side) -> Options {
    Options { side, ..Options::default() }
}

/// A stream as the file has it.
#[derive(Default)]
struct Found {
    /// The bytes of both directions, in the order of packets.
    bytes: [Vec<u8>; 2],
    next: [Option<u32>; 2],
    /// How many bytes were jumped over.
    missing: u32,
}

/// Reads a file back with the libraries that others wrote, and checks every sum and number.
fn streams(file: &[u8]) -> Vec<(u64, Found)> {
    let mut reader = PcapNgReader::new(Cursor::new(file)).unwrap();
    let mut found: Vec<(u64, Found)> = Vec::new();
    let mut by_ends: BTreeMap<_, usize> = BTreeMap::new();
    while let Some(block) = reader.next_block() {
        let (block, _) = block.unwrap();
        let Block::EnhancedPacket(packet) = block else { continue };
        let slices = SlicedPacket::from_ethernet(&packet.data).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = slices.transport else { panic!("no TCP") };
        let (from, to, sum) = match slices.net.unwrap() {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
                let sum = tcp.calc_checksum_ipv4(header.source(), header.destination()).unwrap();
                (header.source_addr().to_string(), header.destination_addr().to_string(), sum)
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                let sum = tcp.to_header().calc_checksum_ipv6_raw(header.source(), header.destination(), tcp.payload());
                (header.source_addr().to_string(), header.destination_addr().to_string(), sum.unwrap())
            }
            NetSlice::Arp(_) => panic!("no IP"),
        };
        assert_eq!(tcp.checksum(), sum);
        assert!(tcp.payload().len() <= 1460);
        let (from, to) = ((from, tcp.source_port()), (to, tcp.destination_port()));
        let is_client = to.1 == 1863;
        let ends = if is_client { (from, to) } else { (to, from) };
        if tcp.syn() && is_client {
            let comment = format!("{:?}", packet.options);
            let number = comment.split("connection ").nth(1).unwrap().split([' ', ':']).next().unwrap();
            found.push((number.parse().unwrap(), Found::default()));
            by_ends.insert(ends.clone(), found.len() - 1);
        }
        let (_, stream) = &mut found[by_ends[&ends]];
        let way = usize::from(!is_client);
        let sequence = tcp.sequence_number();
        if let Some(next) = stream.next[way] {
            stream.missing += sequence.wrapping_sub(next);
        }
        stream.bytes[way].extend_from_slice(tcp.payload());
        let length = tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        stream.next[way] = Some(sequence.wrapping_add(length));
    }
    found
}

fn same_bytes(transcript: &Transcript, side: Side) {
    let found = streams(&export(std::slice::from_ref(transcript), side));
    for connection in connections(&transcript.events) {
        for way in WAYS {
            let wanted = match side {
                Side::Received => stream(transcript, connection, Stream::Received(way)),
                Side::Sent => stream(transcript, connection, Stream::Sent(way)),
            };
            // a number may be used again: then its streams follow one another
            let streams = found.iter().filter(|(number, _)| *number == connection);
            let bytes: Vec<u8> = streams.flat_map(|(_, found)| found.bytes[way.index()].clone()).collect();
            assert_eq!(bytes, wanted, "{connection} {way:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_bytes_are_those_of_the_transcript(transcript in any_transcript("01jd")) {
        same_bytes(&transcript, Side::Received);
        same_bytes(&transcript, Side::Sent);
    }
}

#[test]
fn a_gap_is_a_jump_of_the_sequence_number() {
    let mut draft = Draft::new("01jd");
    draft.opened(1, "10.0.0.5:40001", "10.0.0.9:1863");
    draft.command(1, "<<< QNG 50");
    draft.event(10, json!({"type": "gap", "connection": 1, "direction": "s2c", "length": 120}));
    draft.command(1, "<<< QNG 49");
    draft.event(10, json!({"type": "gap", "connection": 1, "direction": "c2s"}));
    draft.closed(1, "server");
    let found = streams(&export(&[draft.transcript()], Side::Received));
    assert_eq!(found[0].1.missing, 121);
    assert_eq!(found[0].1.bytes[1], b"QNG 50\r\nQNG 49\r\n");
}

#[test]
fn an_output_that_takes_no_more_is_an_error() {
    let transcript = Draft::new("01jd").transcript();
    let mut small = [0u8; 16];
    let error = pcapng(&[transcript], &side(Side::Received), "mitmsn", &mut small[..]).unwrap_err();
    assert!(matches!(error, ExportError::Output(_)), "{error}");
}

#[test]
fn what_cannot_be_written_is_told_and_the_rest_is_kept() {
    let mut draft = Draft::new("01jd");
    draft.opened(1, "10.0.0.5:40001", "10.0.0.9:1863");
    draft.event(
        0,
        json!({"type": "opaque", "connection": 1, "direction": "s2c", "length": u64::MAX, "masked": ["payload"]}),
    );
    draft.command(1, "<<< QNG 50");
    let mut transcript = draft.transcript();
    transcript.events.last_mut().unwrap().stem_mut().time = "noon".into();
    let mut out = Vec::new();
    let written = pcapng(&[transcript], &side(Side::Received), "mitmsn", &mut out).unwrap();
    assert_eq!(
        written.problems,
        [
            "session.jsonl: event 3 has no time (\"noon\"): that of the one before is taken",
            "session.jsonl: connection 1: 18446744073709551615 masked bytes where at most 16777216 may be left: left out",
        ]
    );
    assert_eq!(streams(&out)[0].1.bytes[1], b"QNG 50\r\n");
}

/// Two sessions with everything in them that a comment tells.
fn rich() -> [Transcript; 2] {
    let mut first = Draft::new("01jd");
    first.event(0, json!({"type": "note", "text": "the recorder lost 3 events"}));
    first.opened(1, "10.0.0.5:40001", "ns.example:1863");
    first.command(1, ">>> VER 1 MSNP8 CVR0");
    let more = json!({"sent": [sent(">>> CVR 2 7.5")], "by": ["Say we are MSN 7.5"], "masked": ["args[1]"]});
    first.command_with(1, ">>> CVR 2 ***", more);
    first.command_with(1, "<<< QNG 50", json!({"origin": "injected", "by": ["me"]}));
    let held = first.command_with(1, "<<< NLN NLN bob@example.com Bob", json!({"held": 7}));
    first.event(0, json!({"type": "tag", "connection": 1, "command": held, "tag": "odd"}));
    first.event(
        500_000,
        json!({"type": "released", "connection": 1, "held": 7, "direction": "s2c", "by": "web", "after": 0.5}),
    );
    first.command(1, &format!("<<< NOT 4000\r\n{}", "n".repeat(4000)));
    first.event(0, json!({"type": "note", "connection": 1, "text": "slow"}));
    first.command_with(1, ">>> PNG", json!({"sent": [], "by": ["quiet"]}));
    first.closed(1, "client");
    let mut second = Draft::new("01je");
    second.opened(4, "[2001:db8::5]:40001", "10.0.0.9:1864");
    second.event(0, json!({"type": "session-joined", "connection": 4, "from": 1, "by": "cookie"}));
    second.command(4, ">>> OUT");
    second.opened(5, "10.0.0.5:40001", "ns.example:1863");
    second.command(5, &format!(">>> MSG 5 N 3000\r\n{}", "m".repeat(3000)));
    [first.transcript(), second.transcript()]
}

/// Runs tshark on a file; `None`, and a remark, if it is not installed.
fn tshark(file: &[u8], arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcapng");
    std::fs::write(&path, file).unwrap();
    match Command::new("tshark").arg("-r").arg(path).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            eprintln!("not judged by Wireshark: cannot run tshark: {error}");
            None
        }
    }
}

#[test]
fn wireshark_shows_msnp_on_every_stream_and_finds_no_fault() {
    let file = export(&rich(), Side::Received);
    let fields = ["-Y", "tcp.len > 0", "-T", "fields", "-e", "tcp.stream", "-e", "_ws.col.Protocol"];
    let Some(text) = tshark(&file, &fields) else { return };
    let mut streams: Vec<&str> = text.lines().collect();
    streams.sort_unstable();
    streams.dedup();
    assert_eq!(streams, ["0\tMSNMS", "1\tMSNMS", "2\tMSNMS"]);
    let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-q", "-z", "expert,warn"];
    assert_eq!(tshark(&file, &checks).unwrap().trim(), "");
    let sent = export(&rich(), Side::Sent);
    assert_eq!(tshark(&sent, &checks).unwrap().trim(), "");
}

#[test]
fn wireshark_follows_streams_to_the_same_bytes() {
    let transcripts = rich();
    let connections = [(0, &transcripts[0], 1), (1, &transcripts[1], 4), (2, &transcripts[1], 5)];
    for side in [Side::Received, Side::Sent] {
        let file = export(&transcripts, side);
        for (index, transcript, connection) in connections {
            let Some(text) = tshark(&file, &["-q", "-z", &format!("follow,tcp,raw,{index}")]) else { return };
            let mut bytes = [Vec::new(), Vec::new()];
            for line in text.lines().filter(|line| line.trim().bytes().all(|byte| byte.is_ascii_hexdigit())) {
                // the second node's lines are set in by a tab
                let hex: Vec<char> = line.trim().chars().collect();
                let pairs = hex.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap());
                bytes[usize::from(line.starts_with('\t'))].extend(pairs);
            }
            for way in WAYS {
                let wanted = match side {
                    Side::Received => stream(transcript, connection, Stream::Received(way)),
                    Side::Sent => stream(transcript, connection, Stream::Sent(way)),
                };
                assert_eq!(bytes[way.index()], wanted, "{side:?} {connection} {way:?}");
            }
        }
    }
}

#[test]
fn wireshark_shows_what_the_transcript_tells_as_comments() {
    let transcripts = rich();
    let comments = |side| {
        let fields = ["-Y", "frame.comment", "-T", "fields", "-E", "aggregator=|", "-e", "frame.comment"];
        tshark(&export(&transcripts, side), &fields)
    };
    let Some(text) = comments(Side::Received) else { return };
    let wanted = [
        "the recorder lost 3 events|connection 1 of session 01jd: 10.0.0.5:40001 -> 127.0.0.1:1863 -> ns.example:1863",
        "connection 4 of session 01je: [2001:db8::5]:40001 -> 127.0.0.1:1863 -> 10.0.0.9:1864",
        "belongs to the session of connection 1, by cookie",
        "left as: >>> CVR 2 7.5 by Say we are MSN 7.5|masked: args[1]",
        "connection 5 of session 01je: 10.0.0.5:40001 -> 127.0.0.1:1863 -> ns.example:1863",
        "injected by me: <<< QNG 50",
        "held as 7|tagged \"odd\"",
        "7 released after 0.5 s by web",
        "slow",
        "dropped by quiet",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    let text = comments(Side::Sent).unwrap();
    assert!(text.contains("changed by Say we are MSN 7.5; arrived as: >>> CVR 2 ***|masked: args[1]"), "{text}");
    assert!(text.contains("dropped by quiet: >>> PNG"), "{text}");
    let fields = ["-N", "n", "-c", "1", "-T", "fields", "-e", "ip.dst_host", "-e", "frame.interface_description"];
    let text = tshark(&export(&transcripts, Side::Received), &fields).unwrap();
    assert_eq!(
        text.trim_end(),
        "ns.example\tsession 01jd: what arrived from the peers, recorded by mitmsn 0.1.0; \
         stand for others: #1 server 198.51.100.2:1863 for ns.example:1863"
    );
}
