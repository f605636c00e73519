#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp::command::check_any_edit_bytes(input));
