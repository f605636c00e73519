//! The inputs of the fuzz targets, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn corpus(name: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}

#[test]
fn any_capture_can_be_imported() {
    corpus("capture", msnp_capture::source::check_any_input);
}

#[test]
fn any_segments_are_put_in_order() {
    corpus("segments", msnp_capture::tcp::stream::check_any_segments);
}

#[test]
fn any_log_can_be_read() {
    corpus("logs", msnp_capture::check::check_any_log);
}

#[test]
fn any_gateway_can_be_read() {
    corpus("gateway", msnp_capture::check::check_any_gateway);
}

#[test]
fn any_transcript_can_be_written_as_packets() {
    corpus("export", msnp_capture::check::check_any_export);
    corpus("transcript", msnp_capture::check::check_any_export);
}

#[test]
fn any_damage_to_a_capture_is_survived() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/capture");
    let inputs: Vec<Vec<u8>> =
        fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    // a generator of numbers that is the same each time
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % most.max(1)
    };
    for round in 0..ROUNDS {
        for input in &inputs {
            let mut damaged = input.clone();
            for _ in 0..=round % 4 {
                let at = below(damaged.len());
                match below(5) {
                    0 => damaged.truncate(at),
                    1 => damaged.extend_from_slice(&input[at.min(input.len())..]),
                    2 if !damaged.is_empty() => damaged[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
                    3 => drop(damaged.drain(at..(at + below(64)).min(damaged.len()))),
                    _ if !damaged.is_empty() => damaged[at] ^= 1 << below(8),
                    _ => {}
                }
            }
            msnp_capture::source::check_any_input(&damaged);
        }
    }
}

/// How often each input is damaged.
const ROUNDS: usize = 12;
