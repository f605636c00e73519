#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| msnp_transcript::redact::check_any_redaction(input));
