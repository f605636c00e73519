//! The inputs of the fuzz targets, without a fuzzer.

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
