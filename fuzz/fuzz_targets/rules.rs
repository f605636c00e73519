#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| mitmsn_proxy::rules::check_any_rules(input));
