//! The inputs of the fuzz target, without a fuzzer.

use std::fs;
use std::path::Path;

#[test]
fn any_rule_file_is_loaded_or_refused_with_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rules");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        mitmsn_proxy::rules::check_any_rules(&fs::read_to_string(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus is empty");
}
