//! The inputs of the fuzz targets, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn each(name: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}

#[test]
fn any_transcript_can_be_read_and_drawn() {
    each("transcript", msnp_transcript::reader::check_any_transcript);
}

#[test]
fn any_transcript_can_be_judged_and_counted() {
    each("transcript", msnp_transcript::lint::check_any_transcript);
    each("lint", msnp_transcript::lint::check_any_transcript);
}
