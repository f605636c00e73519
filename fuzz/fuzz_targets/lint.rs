#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_transcript::lint::check_any_transcript(input));
