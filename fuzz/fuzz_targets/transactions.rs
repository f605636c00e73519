#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mitmsn_proxy::transactions::check_any_interleaving(input));
