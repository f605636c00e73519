#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_transcript::reader::check_any_transcript(input));
