//! The inputs of the fuzz targets, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn each_input(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}

#[test]
fn any_stream_is_framed_the_same_however_it_is_cut() {
    each_input("codec", msnp::codec::check_any_stream_bytes);
}

#[test]
fn any_edit_leaves_one_command() {
    each_input("command", msnp::command::check_any_edit_bytes);
}

#[test]
fn any_payload_can_be_viewed() {
    each_input("payload", msnp::payload::check_any_payload);
}

#[test]
fn any_command_comes_back_from_its_text() {
    each_input("text", msnp::text::check_any_text_bytes);
}
