//! libFuzzer's way into [`tidings_fuzz::log_index`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::log_index::run(data));
