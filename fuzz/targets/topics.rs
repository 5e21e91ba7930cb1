//! libFuzzer's way into [`tidings_fuzz::topics`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::topics::run(data));
