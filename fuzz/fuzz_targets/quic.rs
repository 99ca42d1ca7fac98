#![no_main]

#[allow(dead_code)]
#[path = "../bodies/names.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::quic(input));
