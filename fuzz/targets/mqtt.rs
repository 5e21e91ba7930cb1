//! libFuzzer's way into [`tidings_fuzz::mqtt`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::mqtt::run(data));
