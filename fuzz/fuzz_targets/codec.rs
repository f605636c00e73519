#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp::codec::check_any_stream_bytes(input));
