//! The fuzz bodies of configuration, state and zones, on mutated seeds: a smoke test that needs no fuzzer.
//! `STREAMGUARD_FUZZ_ROUNDS` makes it longer.
#![expect(
    clippy::disallowed_methods,
    reason = "seeds are files, the number of rounds is an environment variable"
)]

#[path = "../fuzz/bodies/quota.rs"]
#[allow(unreachable_pub, reason = "cargo-fuzz includes it from a binary")]
mod bodies;

use streamguard::net::mix;

const ROUNDS: u64 = 400;

fn mutated(seeds: &[Vec<u8>], body: fn(&[u8])) {
    let rounds =
        std::env::var("STREAMGUARD_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut random = 0x5eed;
    let mut draw = |most: usize| {
        random = mix(random + 0x9e37_79b9);
        (random % most.max(1) as u64) as usize
    };
    for round in 0..rounds {
        let mut data = seeds[round as usize % seeds.len()].clone();
        for _ in 0..=draw(6) {
            let (at, other) = (draw(data.len()), draw(data.len()));
            match draw(6) {
                0 if !data.is_empty() => data[at] ^= 1 << draw(8),
                1 if !data.is_empty() => data[at] = [0, 0xff, b'\'', b'"', b'\\', b'\n', b'9', b'-'][draw(8)],
                2 => data.truncate(at),
                3 => data.insert(at, draw(256) as u8),
                4 => data.extend_from_within(at.min(other)..at.max(other)),
                _ => drop(data.drain(at.min(other)..at.max(other).min(at.min(other) + 16))),
            }
        }
        body(&data);
    }
}

#[test]
fn no_configuration_panics() {
    let shipped = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/files/etc/config/streamguard"));
    let family = b"config profile 'kids'\n\tlist quota_day 'sat 60'\n\tlist allow 'mon-fri 15:00-20:00'\nconfig client\n\
        \toption name 'TV'\n\tlist mac 'aa:bb:cc:dd:ee:01'\n\tlist address 'fe80::1'\n\toption profile 'kids'\n\
        config plan 'p'\n\toption who 'TV'\n\tlist network '10.0.0.0/8'\n\toption limit '5G'\n\toption reset_day '31'\n";
    mutated(&[family.to_vec(), shipped.expect("the shipped configuration")], bodies::config);
}

#[test]
fn no_state_panics() {
    let state = streamguard::quota::State::default().encode().into_bytes();
    mutated(&[state, b"streamguard-state 1 0\n{}\n".to_vec()], bodies::state);
}

#[test]
fn no_zone_panics() {
    let mut seeds =
        vec![b"CET-1CEST,M3.5.0,M10.5.0/3".to_vec(), b"<+1030>-10:30<+11>-11,J60/25,300/-167:59:59".to_vec()];
    seeds.extend(std::fs::read("/usr/share/zoneinfo/Europe/Berlin"));
    mutated(&seeds, bodies::zone);
}
