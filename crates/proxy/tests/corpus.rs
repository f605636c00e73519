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
fn any_rule_file_is_loaded_or_refused_with_a_reason() {
    each_input("rules", |input| mitmsn_proxy::rules::check_any_rules(str::from_utf8(input).unwrap()));
}

#[test]
fn any_interleaving_of_client_server_and_injectors_is_told_apart() {
    each_input("transactions", mitmsn_proxy::transactions::check_any_interleaving);
}
