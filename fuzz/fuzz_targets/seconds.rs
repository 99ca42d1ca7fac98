#![no_main]

#[path = "../bodies/seconds.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::seconds(input));
