//! libFuzzer's way into [`tidings_fuzz::log_marks`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::log_marks::run(data));
