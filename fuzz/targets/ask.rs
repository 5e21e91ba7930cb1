//! libFuzzer's way into [`tidings_fuzz::ask`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::ask::run(data));
