//! The fuzz bodies of configuration, state and zones, on mutated seeds: a smoke test that needs no fuzzer.
//! `STREAMGUARD_FUZZ_ROUNDS` makes it longer.
#![expect(
    clippy::disallowed_methods,
    reason = "seeds are files, the number of rounds is an environment variable"
)]

#[path = "../fuzz/bodies/quota.rs"]
#[allow(unreachable_pub, reason = "cargo-fuzz includes it from a binary")]
mod bodies;
#[path = "support/mutations.rs"]
mod mutations;

use mutations::mutated;

const ROUNDS: u64 = 400;
/// Bytes that mean something in what is read.
const TELLING: &[u8] = &[0, 0xff, b'\'', b'"', b'\\', b'\n', b'9', b'-'];

#[test]
fn no_configuration_panics() {
    let shipped = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/files/etc/config/streamguard"));
    let family = b"config profile 'kids'\n\tlist quota_day 'sat 60'\n\tlist allow 'mon-fri 15:00-20:00'\nconfig client\n\
        \toption name 'TV'\n\tlist mac 'aa:bb:cc:dd:ee:01'\n\tlist address 'fe80::1'\n\toption profile 'kids'\n\
        config plan 'p'\n\toption who 'TV'\n\tlist network '10.0.0.0/8'\n\toption limit '5G'\n\toption reset_day '31'\n";
    mutated(&[family.to_vec(), shipped.expect("the shipped configuration")], ROUNDS, TELLING, bodies::config);
}

#[test]
fn no_state_panics() {
    let state = streamguard::quota::State::default().encode().into_bytes();
    mutated(&[state, b"streamguard-state 1 0\n{}\n".to_vec()], ROUNDS, TELLING, bodies::state);
}

#[test]
fn no_zone_panics() {
    let mut seeds =
        vec![b"CET-1CEST,M3.5.0,M10.5.0/3".to_vec(), b"<+1030>-10:30<+11>-11,J60/25,300/-167:59:59".to_vec()];
    seeds.extend(std::fs::read("/usr/share/zoneinfo/Europe/Berlin"));
    mutated(&seeds, ROUNDS, TELLING, bodies::zone);
}
