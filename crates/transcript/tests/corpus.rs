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
fn any_transcript_can_be_redacted_and_bent_ones_too() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut random = fastrand::Rng::with_seed(7);
    let mut count = 0;
    for folder in ["redact", "transcript"] {
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let mut input = fs::read(entry.unwrap().path()).unwrap();
            msnp_transcript::redact::check_any_redaction(&input);
            count += 1;
            for _ in 0..4 {
                for _ in 0..8 {
                    let at = random.usize(..input.len().max(1)).min(input.len().saturating_sub(1));
                    let bent = random.choice(*b"@<>=&%;:{}\\ \"0aZ/+").unwrap_or(b'x');
                    if let Some(byte) = input.get_mut(at).filter(|byte| **byte != b'\n' && **byte != b'"') {
                        *byte = bent;
                    }
                }
                msnp_transcript::redact::check_any_redaction(&input);
            }
        }
    }
    assert!(count > 40, "the corpora are incomplete");
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
