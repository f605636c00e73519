#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_transcript::diff::check_any_sessions(input));
