//! libFuzzer's way into [`tidings_fuzz::log_damage`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::log_damage::run(data));
