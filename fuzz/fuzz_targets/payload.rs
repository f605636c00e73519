#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp::payload::check_any_payload(input));
