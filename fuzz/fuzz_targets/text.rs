#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp::text::check_any_text_bytes(input));
