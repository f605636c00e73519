#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_transcript::extract::check_any_extraction(input));
