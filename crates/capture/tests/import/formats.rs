use std::io::{Read, Write};
use std::time::SystemTime;

use pcap_file::Endianness::{Big, Little};
use pcap_file::pcap::PcapTsResolution::{MicroSecond, NanoSecond};

use super::support::{START, STEP, check_dialogue, dialogue, import, import_one, pcap, pcapng, simple_pcap};

const CLIENT: &str = "192.0.2.1:40000";
const SERVER: &str = "198.51.100.1:1863";

#[test]
fn both_formats_are_read_in_both_byte_orders_and_all_units_of_time() {
    let frames = dialogue(CLIENT, SERVER).frames();
    let mut captures = Vec::new();
    for endianness in [Big, Little] {
        for resolution in [MicroSecond, NanoSecond] {
            captures.push(pcap(1, &frames, endianness, resolution));
        }
        // micro- and nanoseconds, and 2^-20 s
        for resolution in [6, 9, 0x80 | 20] {
            captures.push(pcapng(1, &frames, endianness, resolution, &[]));
        }
    }
    for capture in captures {
        let seen = import_one(&capture);
        check_dialogue(&seen);
        let off = |time: SystemTime, index: u32| {
            let expected = SystemTime::UNIX_EPOCH + START + STEP * index;
            time.duration_since(expected).unwrap_or_else(|error| error.duration()).as_micros()
        };
        assert!(off(seen.opened, 0) <= 1);
        // what was captured while it was not clear what it is keeps its time
        assert!(off(seen.times[0], 3) <= 1, "{:?}", seen.times[0]);
    }
}

#[test]
fn compressed_captures_are_read() {
    let capture = simple_pcap(&dialogue(CLIENT, SERVER).frames());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&capture).unwrap();
    check_dialogue(&import_one(&gzip.finish().unwrap()));
    check_dialogue(&import_one(&zstd::encode_all(&capture[..], 1).unwrap()));
}

#[test]
fn a_compressed_capture_that_is_cut_off_is_read_as_far_as_it_goes() {
    let frames = dialogue(CLIENT, SERVER).frames();
    let many: Vec<Vec<u8>> = frames.iter().cycle().take(frames.len() * 50).cloned().collect();
    let capture = simple_pcap(&many);
    for compressed in [zstd::encode_all(&capture[..], 1).unwrap(), {
        let mut gzip = flate2::read::GzEncoder::new(&capture[..], flate2::Compression::none());
        let mut bytes = Vec::new();
        gzip.read_to_end(&mut bytes).unwrap();
        bytes
    }] {
        let (_, _, result) = import(&compressed[..compressed.len() - 9]);
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("folder/t.pcap, at byte "), "{error}");
    }
}

#[test]
fn the_source_is_named_without_its_folder() {
    let (seen, ..) = import(&pcapng(1, &[], Little, 6, &[]));
    let source = &seen.sources[0];
    assert_eq!((source.format.as_str(), source.file.as_deref()), ("pcapng", Some("t.pcap")));
}

#[test]
fn comments_on_packets_become_notes_in_their_place() {
    let frames = dialogue(CLIENT, SERVER).frames();
    let mut comments = vec![""; frames.len()];
    comments[3] = "rule cap-version: MSNP18 -> MSNP8";
    comments[12] = "second";
    for endianness in [Big, Little] {
        let seen = import_one(&pcapng(1, &frames, endianness, 9, &comments));
        assert_eq!(seen.notes, ["rule cap-version: MSNP18 -> MSNP8", "second"]);
    }
}

#[test]
fn simple_and_unknown_blocks_and_further_sections_are_read() {
    let frames = dialogue(CLIENT, SERVER).frames();
    let (first, second) = frames.split_at(8);
    let mut capture = pcapng(1, first, Little, 6, &[]);
    // a block of a later version of the format
    capture.extend_from_slice(&[0x77, 0x77, 0, 0, 16, 0, 0, 0, 1, 2, 3, 4, 16, 0, 0, 0]);
    capture.extend_from_slice(&pcapng(1, &second[..3], Big, 6, &[]));
    capture.extend_from_slice(&pcapng(1, &[], Little, 6, &[]));
    for frame in &second[3..] {
        let length = (16 + frame.len().next_multiple_of(4)) as u32;
        capture.extend_from_slice(&[3, 0, 0, 0]);
        capture.extend_from_slice(&length.to_le_bytes());
        capture.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        capture.extend_from_slice(frame);
        capture.resize(capture.len().next_multiple_of(4), 0);
        capture.extend_from_slice(&length.to_le_bytes());
    }
    check_dialogue(&import_one(&capture));
}

/// Gives one byte at a time, as a slow live capture does.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((&first, rest)) = self.0.split_first() else { return Ok(0) };
        buffer[0] = first;
        self.0 = rest;
        Ok(1)
    }
}

#[test]
fn a_capture_may_come_byte_by_byte() {
    let frames = dialogue(CLIENT, SERVER).frames();
    for capture in [simple_pcap(&frames), pcapng(1, &frames, Big, 9, &[])] {
        let mut seen = super::support::Seen::default();
        let mut importer = msnp_capture::Importer::default();
        importer.read(Slow(&capture), "-".as_ref(), &mut seen).unwrap();
        assert_eq!(seen.sources[0].file, None);
        check_dialogue(&seen.connections[0]);
        importer.finish(&mut seen);
    }
}
