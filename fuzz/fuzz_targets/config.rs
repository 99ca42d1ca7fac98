#![no_main]

#[allow(dead_code)]
#[path = "../bodies/quota.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::config(input));
