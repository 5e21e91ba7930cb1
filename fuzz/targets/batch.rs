//! libFuzzer's way into [`tidings_fuzz::batch`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::batch::run(data));
