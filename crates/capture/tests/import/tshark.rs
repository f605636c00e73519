//! Compares with tshark, whose reassembly nobody here wrote.

use std::process::Command;

use super::support::{Connection, Seen, dialogue, import, simple_pcap};

/// Returns what tshark says that the two ends of a TCP connection sent; `None` if it is not installed.
#[expect(clippy::print_stderr, reason = "says that it could not run")]
fn follow(capture: &std::path::Path, stream: usize) -> Option<[Vec<u8>; 2]> {
    let follow = format!("follow,tcp,raw,{stream}");
    let output = match Command::new("tshark").arg("-r").arg(capture).args(["-q", "-z", &follow]).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("could not compare with tshark: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut sides = [Vec::new(), Vec::new()];
    for line in text.lines().skip_while(|line| !line.starts_with("Node 1:")).skip(1) {
        let (side, digits) = match line.strip_prefix('\t') {
            Some(digits) => (1, digits),
            None => (0, line),
        };
        if digits.starts_with('=') {
            break;
        }
        sides[side].extend((0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()));
    }
    Some(sides)
}

fn compare(name: &str, frames: &[Vec<u8>], streams: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.pcap"));
    let capture = simple_pcap(frames);
    std::fs::write(&file, &capture).unwrap();
    let (seen, _, result): (Seen, _, _) = import(&capture);
    result.unwrap();
    assert_eq!(seen.connections.len(), streams, "{name}");
    for (stream, connection) in seen.connections.iter().enumerate() {
        let Some(sides) = follow(&file, stream) else { return };
        assert_eq!(sides, connection.bytes, "{name}, stream {stream}");
    }
}

#[test]
fn tshark_finds_the_same_bytes() {
    let (client, server) = ("192.0.2.1:40000", "198.51.100.1:1863");
    compare("plain", &dialogue(client, server).frames(), 1);
    compare("v6", &dialogue("[2001:db8::1]:40000", "[2001:db8::2]:1863").frames(), 1);

    let both = [dialogue(client, server).frames(), dialogue("192.0.2.1:40001", server).frames()].concat();
    compare("two", &both, 2);

    let mut small = Connection::starting(client, server, [u32::MAX - 7, 5]);
    small.most = 7;
    small.handshake();
    for _ in 0..40 {
        small
            .client("VER 1 MSNP8 CVR0\r\n")
            .server("MSG a@b A 20\r\n\0\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13");
    }
    small.close();
    compare("wraparound", &small.frames(), 1);

    let mut mixed = small.clone();
    for at in (5..mixed.segments.len() - 6).step_by(6) {
        mixed.segments.swap(at, at + 2);
        let again = mixed.segments[at].clone();
        mixed.segments.insert(at + 3, again);
    }
    compare("reordered", &mixed.frames(), 1);

    let mut overlapping = Connection::new(client, server);
    overlapping.handshake().client("VER 1 MSNP8 CVR0\r\n").client("CVR 2 0x0409 win 4.10\r\n").client("PNG\r\n");
    let index = overlapping.segments.iter().position(|segment| segment.bytes.starts_with(b"CVR")).unwrap();
    // the end of one and the beginning of the next, before either came
    let mut both = overlapping.segments[index].clone();
    both.sequence += 10;
    both.bytes = [&both.bytes[10..], b"PN"].concat();
    overlapping.segments.insert(index, both);
    overlapping.close();
    compare("overlapping", &overlapping.frames(), 1);
}
