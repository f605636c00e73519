#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_capture::source::check_any_input(input));
