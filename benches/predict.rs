//! What a window costs: features and prediction, warm and with cold caches (`cargo bench --bench predict`).
//!
//! Prints nanoseconds; `--check` makes it fail if a budget of docs/design.md §9 is missed (medians, so that a
//! noisy machine does not fail it).

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use streamguard::engine::Model;
use streamguard::features::{N_FEATURES, Row, extract};
use streamguard::lan::{Identify, Lan, Vantage};
use streamguard::net::{Addr, ClientId, Direction};
use streamguard::time::{Duration, Moment};
use streamguard::window::{Client, Datagram, Progress, Sample, Sizes, Windows};

/// Larger than the last-level cache of the machines we measure on.
const EVICTION_BYTES: usize = 96 << 20;

fn median_ns(mut runs: Vec<u64>) -> u64 {
    runs.sort_unstable();
    runs[runs.len() / 2]
}

/// Bursty traffic from a few servers, ten minutes of it; returns the last window's state and number.
fn busy_client() -> (Client, u64) {
    let addr = Addr::from_v4([192, 168, 1, 20]);
    let client = Lan::new(Vantage::Guess, Identify::Ip).clients_mut().enter(ClientId::Addr(addr), None, addr);
    let mut windows = Windows::new();
    let mut last = 0;
    for i in 0..600_000u64 {
        let at = Moment::from_nanos(i * 1_000_000 + (i % 7) * 1_000);
        while let Progress::Close(no) = windows.advance(at) {
            windows.clients_mut().for_each(|(_, client)| client.close(no));
            last = no;
        }
        if i / 1_000 % 6 < 2 {
            let server = Addr::from_v4([203, 0, 113, (i % 12) as u8]);
            let direction = if i % 5 == 0 { Direction::Up } else { Direction::Down };
            let sizes = Sizes::one(60 + (i % 1_440) as u32);
            windows.observe(client, &Sample { at, direction, server, sizes, datagram: Datagram::Yes });
        }
    }
    (windows.client(client).expect("was observed").clone(), last)
}

/// Rows that differ, so that branches and caches cannot learn them.
fn rows() -> Vec<Row> {
    let mut seed = 9u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let scale = (seed >> 59) % 24;
        ((seed >> 20) as u32 & ((1 << scale) - 1)) as i32
    };
    (0..4_096).map(|_| std::array::from_fn::<i32, N_FEATURES, _>(|_| next())).collect()
}

fn main() -> ExitCode {
    let model = Model::embedded();
    let rows = rows();
    let warm = median_ns(
        (0..15)
            .map(|_| {
                let begin = Instant::now();
                for row in &rows {
                    black_box(model.forest.predict(black_box(row)));
                }
                elapsed_ns(begin) / rows.len() as u64
            })
            .collect(),
    );
    let mut junk = vec![1u8; EVICTION_BYTES];
    let cold = median_ns(
        rows.iter()
            .take(41)
            .map(|row| {
                junk.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
                black_box(&junk);
                let begin = Instant::now();
                black_box(model.forest.predict(black_box(row)));
                elapsed_ns(begin)
            })
            .collect(),
    );
    let (client, no) = busy_client();
    let whole = median_ns(
        (0..15)
            .map(|_| {
                let begin = Instant::now();
                for _ in 0..2_000 {
                    let row = extract(black_box(&client), no);
                    black_box(model.forest.predict(&row));
                }
                elapsed_ns(begin) / 2_000
            })
            .collect(),
    );
    println!("forest: {} trees, {} nodes", model.forest.n_trees(), model.forest.n_nodes());
    let mut missed = false;
    for (what, measured_ns, budget_ns) in [
        ("predict, warm", warm, 2_000),
        ("predict, cold caches", cold, 40_000),
        ("features and predict", whole, 10_000),
    ] {
        println!("{what:<24} {measured_ns:>7} ns   budget {budget_ns:>6} ns");
        missed |= measured_ns > budget_ns;
    }
    let check = std::env::args().any(|arg| arg == "--check");
    if check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn elapsed_ns(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos().min(Duration::from_secs(100).as_nanos())).unwrap_or(u64::MAX)
}
