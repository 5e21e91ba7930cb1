//! libFuzzer's way into [`tidings_fuzz::log_segment`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::log_segment::run(data));
