//! The fuzz body of files of seconds, on mutated seeds: a smoke test that needs no fuzzer. `STREAMGUARD_FUZZ_ROUNDS` makes it
//! longer.
#![expect(clippy::disallowed_methods, reason = "the number of rounds is an environment variable")]

#[path = "../fuzz/bodies/seconds.rs"]
#[allow(unreachable_pub, reason = "cargo-fuzz includes it from a binary")]
mod bodies;
#[path = "support/mutations.rs"]
mod mutations;

/// Every kind of line, a leap of the clock, and the largest numbers.
const LINES: &[u8] = include_bytes!("fixtures/seconds.csv");
/// Bytes that mean something in what is read.
const TELLING: &[u8] = b"0199,,.\nabs:";

#[test]
fn no_file_of_seconds_panics() {
    mutations::mutated(&[LINES.to_vec()], 2_000, TELLING, bodies::seconds);
}
