use pcap_file::Endianness::Little;
use pcap_file::pcap::PcapTsResolution::MicroSecond;

use super::support::{Connection, check_dialogue, dialogue, ethernet, import, import_one, pcap, simple_pcap};

const V4: (&str, &str) = ("192.0.2.1:40000", "198.51.100.1:1863");
const V6: (&str, &str) = ("[2001:db8::1]:40000", "[2001:db8::2]:1863");

/// Every link type that is read, with what stands before the IP packet.
fn frames(connection: &Connection) -> Vec<(u32, Vec<Vec<u8>>)> {
    let packets: Vec<Vec<u8>> = connection.segments.iter().map(|segment| segment.ip()).collect();
    let is_v4 = connection.ends[0].is_ipv4();
    let ether: [u8; 2] = if is_v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let ppp: u8 = if is_v4 { 0x21 } else { 0x57 };
    let macs = [2u8; 12];
    let behind = |header: &[u8]| packets.iter().map(|packet| [header, packet].concat()).collect::<Vec<_>>();
    let pppoe = |before: &[u8]| {
        let packet = |packet: &Vec<u8>| {
            let length = (packet.len() as u16 + 2).to_be_bytes();
            [before, &[0x11, 0, 0, 7], &length, &[0, ppp], packet, &[0; 5]].concat()
        };
        packets.iter().map(packet).collect::<Vec<_>>()
    };
    let mut all = vec![
        (1, packets.iter().map(|packet| ethernet(packet)).collect()),
        (1, behind(&[&macs[..], &[0x81, 0, 0, 5], &ether].concat())),
        (1, behind(&[&macs[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &ether].concat())),
        (1, behind(&[&macs[..], &[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64]].concat())),
        (1, behind(&[&macs[..], &[0, 99, 0xaa, 0xaa, 3, 0, 0, 0], &ether].concat())),
        (1, pppoe(&[&macs[..], &[0x88, 0x64]].concat())),
        (1, pppoe(&[&macs[..], &[0x81, 0, 0, 5, 0x88, 0x64]].concat())),
        (51, pppoe(&[])),
        (12, behind(&[])),
        (101, behind(&[])),
        (if is_v4 { 228 } else { 229 }, behind(&[])),
        (113, behind(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &ether].concat())),
        (113, behind(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 5][..], &ether].concat())),
        (276, behind(&[&ether[..], &[0; 18]].concat())),
        (9, behind(&[0xff, 0x03, 0, ppp])),
        (9, behind(&[0, ppp])),
        (9, behind(&[ppp])),
        (50, behind(&[0xff, 0x03, 0, ppp])),
        (204, behind(&[1, 0xff, 0x03, 0, ppp])),
        (104, behind(&[&[0x0f, 0][..], &ether].concat())),
    ];
    for family in if is_v4 { &[2u32][..] } else { &[24, 28, 30, 10] } {
        all.push((0, behind(&family.to_le_bytes())));
        all.push((0, behind(&family.to_be_bytes())));
        all.push((108, behind(&family.to_be_bytes())));
    }
    all
}

#[test]
fn every_link_type_gives_the_same_dialogue() {
    for (client, server) in [V4, V6] {
        let connection = dialogue(client, server);
        for (index, (link, frames)) in frames(&connection).into_iter().enumerate() {
            let (seen, report, result) = import(&pcap(link, &frames, Little, MicroSecond));
            result.unwrap();
            assert_eq!(report.left_out, Default::default(), "{index}: link type {link}");
            assert_eq!(seen.connections.len(), 1, "{index}: link type {link}");
            check_dialogue(&seen.connections[0]);
            assert_eq!(
                (seen.connections[0].peers.client.as_str(), seen.connections[0].peers.server.as_str()),
                (client, server)
            );
        }
    }
}

#[test]
fn a_link_type_that_is_not_read_is_counted() {
    let frames = dialogue(V4.0, V4.1).frames();
    let (seen, report, result) = import(&pcap(105, &frames, Little, MicroSecond));
    result.unwrap();
    assert_eq!(seen.connections, []);
    assert_eq!(report.left_out.link_types.into_iter().collect::<Vec<_>>(), [(105, frames.len() as u64)]);
    assert_eq!(msnp_capture::source::link_type_name(105), Some("IEEE 802.11"));
}

#[test]
fn fragments_are_put_together_in_any_order() {
    for (client, server) in [V4, V6] {
        let mut connection = dialogue(client, server);
        connection.most = 5000;
        let mut frames = Vec::new();
        for (index, segment) in connection.segments.iter().enumerate() {
            let mut fragments: Vec<Vec<u8>> = segment.fragments(24).iter().map(|packet| ethernet(packet)).collect();
            if index % 2 == 0 {
                fragments.reverse();
            }
            frames.extend(fragments);
        }
        check_dialogue(&import_one(&simple_pcap(&frames)));
    }
}

#[test]
fn a_fragment_that_is_missing_makes_a_gap() {
    let mut connection = Connection::new(V4.0, V4.1);
    connection.handshake().client("VER 1 MSNP8 CVR0\r\n");
    let lost = connection.segments.len();
    connection.client("USR 2 TWN I alice@example.com\r\n").client("PNG\r\n").close();
    let mut frames = Vec::new();
    for (index, segment) in connection.segments.iter().enumerate() {
        let mut fragments = segment.fragments(24);
        if index == lost {
            fragments.remove(1);
        }
        frames.extend(fragments.iter().map(|packet| ethernet(packet)));
    }
    let seen = import_one(&simple_pcap(&frames));
    assert_eq!(seen.bytes[0], b"VER 1 MSNP8 CVR0\r\nPNG\r\n");
    assert_eq!(seen.gaps[0], [(18, 31)]);
}

#[test]
fn extension_headers_and_tunnels_are_passed_over() {
    let v6 = dialogue(V6.0, V6.1);
    let with_headers = |packet: Vec<u8>| {
        // hop-by-hop options, then destination options, then TCP
        let extensions = [60u8, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
        let mut header = packet[..40].to_vec();
        header[6] = 0;
        let length = (packet.len() - 40 + extensions.len()) as u16;
        header[4..6].copy_from_slice(&length.to_be_bytes());
        ethernet(&[&header[..], &extensions, &packet[40..]].concat())
    };
    let frames: Vec<Vec<u8>> = v6.segments.iter().map(|segment| with_headers(segment.ip())).collect();
    check_dialogue(&import_one(&simple_pcap(&frames)));

    // IPv6 within IPv4
    let within = |packet: Vec<u8>| {
        let header = etherparse::Ipv4Header::new(
            packet.len() as u16,
            64,
            etherparse::IpNumber::IPV6,
            [192, 0, 2, 9],
            [192, 0, 2, 8],
        );
        let mut header = header.unwrap();
        header.header_checksum = header.calc_header_checksum();
        ethernet(&[&header.to_bytes()[..], &packet].concat())
    };
    let frames: Vec<Vec<u8>> = v6.segments.iter().map(|segment| within(segment.ip())).collect();
    check_dialogue(&import_one(&simple_pcap(&frames)));
}

#[test]
fn lengths_that_the_network_card_was_to_fill_in_are_found_out() {
    let connection = dialogue(V4.0, V4.1);
    let packets = connection.segments.iter().map(|segment| {
        let mut packet = segment.ip();
        packet[2..4].fill(0);
        [&[2u8; 12][..], &[0x08, 0x00], &packet].concat()
    });
    check_dialogue(&import_one(&simple_pcap(&packets.collect::<Vec<_>>())));
}
