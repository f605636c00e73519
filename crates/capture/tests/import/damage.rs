use std::path::Path;

use msnp_capture::{Importer, ReadError};
use pcap_file::Endianness::Little;

use super::support::{Seen, dialogue, import, pcapng, simple_pcap};

fn frames() -> Vec<Vec<u8>> {
    dialogue("192.0.2.1:40000", "198.51.100.1:1863").frames()
}

#[test]
fn every_prefix_of_a_capture_is_read_as_far_as_it_goes() {
    for capture in [simple_pcap(&frames()), pcapng(1, &frames(), Little, 9, &["a comment"])] {
        let (whole, ..) = import(&capture);
        for length in 0..capture.len() {
            let (seen, report, result) = import(&capture[..length]);
            let bytes = |seen: &Seen| seen.connections.first().map_or_else(Vec::new, |seen| seen.bytes.concat());
            assert!(bytes(&seen).len() <= bytes(&whole).len());
            match result {
                Ok(()) => {}
                Err(ReadError::CutOff { offset, packets, .. }) => {
                    assert!(offset <= length as u64);
                    assert_eq!(packets, report.packets);
                }
                Err(ReadError::Format { .. }) => assert!(length < 4, "{length}"),
                Err(error) => panic!("{length}: {error}"),
            }
        }
    }
}

#[test]
fn damage_is_said_with_its_place_and_what_came_before_is_kept() {
    let frames = frames();
    let mut capture = simple_pcap(&frames[..10]);
    let offset = capture.len();
    capture.extend_from_slice(&[0x55; 600]);
    let (seen, report, result) = import(&capture);
    assert_eq!(
        result.unwrap_err().to_string(),
        format!(
            "folder/t.pcap, at byte {offset}: damaged: a packet of 1431655765 bytes, where 16777200 are the most; \
             the 10 packets before were read"
        )
    );
    assert_eq!((report.packets, seen.connections.len()), (10, 1));

    let mut capture = pcapng(1, &frames[..10], Little, 6, &[]);
    let offset = capture.len();
    capture.extend_from_slice(&[
        6, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9,
    ]);
    let (_, _, result) = import(&capture);
    assert_eq!(
        result.unwrap_err().to_string(),
        format!(
            "folder/t.pcap, at byte {offset}: damaged: a block of 32 bytes that ends with the length 151587081; \
             the 10 packets before were read"
        )
    );
}

#[test]
fn a_block_that_makes_no_sense_in_itself_is_passed_over() {
    let frames = frames();
    let mut capture = pcapng(1, &frames[..10], Little, 6, &[]);
    // a packet of an interface that does not exist
    let mut block = vec![6, 0, 0, 0, 32, 0, 0, 0, 9, 0, 0, 0];
    block.resize(28, 0);
    block.extend_from_slice(&[32, 0, 0, 0]);
    capture.extend_from_slice(&block);
    let mut importer = Importer::default();
    let mut seen = Seen::default();
    importer.read(&capture[..], Path::new("a"), &mut seen).unwrap();
    assert_eq!(importer.finish(&mut seen).left_out.blocks, 1);
}

#[test]
fn zeros_are_no_packets() {
    // a file that was made larger, and never written
    let mut capture = simple_pcap(&frames()[..10]);
    let offset = capture.len();
    capture.resize(offset + 10_000, 0);
    let (_, report, result) = import(&capture);
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&format!("at byte {offset}: damaged: zeros where a packet should begin")), "{error}");
    assert_eq!(report.packets, 10);
    let (_, _, result) = import(&[0; 10_000]);
    assert!(matches!(result, Err(ReadError::Format { .. })));
}

#[test]
fn what_is_no_capture_is_refused_with_how_it_begins() {
    let (_, _, result) = import(b"GIF89a\x01\x00");
    let error = result.unwrap_err().to_string();
    assert!(error.ends_with("it begins with \"GIF89a\\x01\\x00\""), "{error}");
    let (_, _, result) = import(b"");
    assert!(result.unwrap_err().to_string().ends_with("it begins with nothing"));
}

#[test]
fn packets_that_were_cut_short_make_gaps() {
    let connection = dialogue("192.0.2.1:40000", "198.51.100.1:1863");
    let mut frames = connection.frames();
    // the second line of the client, of which the last 10 bytes were not captured
    let index = connection.segments.iter().position(|segment| segment.bytes.starts_with(b"CVR 2 0x0409")).unwrap();
    let length = frames[index].len();
    frames[index].truncate(length - 10);
    let (seen, report, result) = import(&simple_pcap(&frames));
    result.unwrap();
    let cvr = super::support::CLIENT[0].len() + super::support::CLIENT[1].len();
    assert_eq!(seen.connections[0].gaps[0], [(cvr - 10, 10)]);
    assert_eq!(report.left_out.cut_short, 1);
    assert_eq!((report.gaps, report.missing_bytes), (1, 10));
}
