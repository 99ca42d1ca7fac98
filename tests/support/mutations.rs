//! Seeds, changed at random, for the fuzz bodies: a smoke test that needs no fuzzer.

use streamguard::net::mix;

/// Shows `body` mutations of `seeds`: bits turned, bytes replaced by one of `telling`, cut, inserted, repeated and
/// removed. `rounds` of them, or as many as `STREAMGUARD_FUZZ_ROUNDS` says; the same ones each time.
pub(crate) fn mutated(seeds: &[Vec<u8>], rounds: u64, telling: &[u8], body: fn(&[u8])) {
    let asked = std::env::var("STREAMGUARD_FUZZ_ROUNDS").ok();
    let rounds = asked.and_then(|text| text.parse().ok()).unwrap_or(rounds);
    let mut random = 0x5eed;
    let mut draw = |most: usize| {
        random = mix(random + 0x9e37_79b9);
        (random % most.max(1) as u64) as usize
    };
    for round in 0..rounds {
        let mut data = seeds[round as usize % seeds.len()].clone();
        for _ in 0..draw(7) {
            let (at, other) = (draw(data.len()), draw(data.len()));
            match draw(6) {
                0 if !data.is_empty() => data[at] ^= 1 << draw(8),
                1 if !data.is_empty() => data[at] = telling[draw(telling.len())],
                2 => data.truncate(at),
                3 => data.insert(at, draw(256) as u8),
                4 => data.extend_from_within(at.min(other)..at.max(other)),
                _ => drop(data.drain(at.min(other)..at.max(other).min(at.min(other) + 16))),
            }
        }
        body(&data);
    }
}
