#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_capture::tcp::stream::check_any_segments(input));
