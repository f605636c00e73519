//! The inputs of the fuzz targets, without a fuzzer.

use std::fs;
use std::path::Path;

#[test]
fn any_transcript_can_be_read_and_drawn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/transcript");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        msnp_transcript::reader::check_any_transcript(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}

#[test]
fn any_two_sessions_can_be_compared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/diff");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        msnp_transcript::diff::check_any_sessions(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}
