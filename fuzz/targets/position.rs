//! libFuzzer's way into [`tidings_fuzz::position`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::position::run(data));
