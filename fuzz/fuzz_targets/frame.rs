#![no_main]

#[allow(dead_code)]
#[path = "../bodies/wire.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::frame(input));
