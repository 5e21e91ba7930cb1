//! libFuzzer's way into [`tidings_fuzz::websocket`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidings_fuzz::websocket::run(data));
