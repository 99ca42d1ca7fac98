#![no_main]

#[path = "../bodies/model.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::artifact(input));
