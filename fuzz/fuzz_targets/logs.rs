#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_capture::check::check_any_log(input));
