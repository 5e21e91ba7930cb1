//! libFuzzer's way into [`tidings_fuzz::v1`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::v1::run(data));
