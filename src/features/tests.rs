use super::*;
use crate::net::{Addr, Direction};
use crate::time::{Duration, Moment};
use crate::window::{Datagram, Progress, Sample, Sizes, Windows};

fn value(row: &Row, name: &str) -> i32 {
    row[index_of(name).unwrap()]
}

/// Rows of a client that receives `bytes(second)` in each second, as packets of 1,400 bytes.
fn rows(seconds: u64, bytes: impl Fn(u64) -> u32) -> Vec<Row> {
    let mut lan = crate::lan::Lan::new(crate::lan::Vantage::Guess, crate::lan::Identify::Ip);
    let addr = Addr::from_v4([10, 0, 0, 2]);
    let client = lan.clients_mut().enter(crate::net::ClientId::Addr(addr), None, addr);
    let mut windows = Windows::new();
    let mut rows = Vec::new();
    let mut step = |windows: &mut Windows, at| {
        while let Progress::Close(no) = windows.advance(at) {
            for (_, client) in windows.clients_mut() {
                client.close(no);
                rows.push(extract(client, no));
            }
        }
    };
    for second in 0..seconds {
        for packet in 0..bytes(second) / 1_400 {
            let at = Moment::from_secs(second) + Duration::from_micros(u64::from(packet) * 100);
            step(&mut windows, at);
            let sizes = Sizes::one(1_400);
            let server = Addr::from_v4([203, 0, 113, 9]);
            windows.observe(
                client,
                &Sample { at, direction: Direction::Down, server, sizes, datagram: Datagram::Yes },
            );
        }
    }
    step(&mut windows, Moment::from_secs(seconds + 1));
    rows
}

#[test]
fn bursts_every_twenty_seconds_are_counted_with_their_period() {
    let rows = rows(200, |s| if s % 20 == 3 { 700_000 } else { 0 });
    let row = rows.last().unwrap();
    assert_eq!(value(row, "bursts_120"), 6);
    assert_eq!(value(row, "bursts_60"), 3);
    assert_eq!(value(row, "burst_period"), 200);
    assert_eq!(value(row, "burst_period_cv"), 0);
    assert_eq!(value(row, "last_burst"), 700_000);
    assert_eq!(value(row, "since_burst"), 16);
    assert_eq!(value(row, "down_120"), 6 * 700_000);
    assert_eq!(value(row, "udp_share_60"), 1_000);
    assert_eq!(value(row, "full_share_60"), 1_000);
    assert_eq!(value(row, "top_server_share_120"), 1_000);
}

#[test]
fn silence_has_no_bursts_and_no_division_by_zero() {
    let rows = rows(60, |s| if s == 0 { 1_400 } else { 0 });
    let row = rows.last().unwrap();
    assert_eq!(value(row, "since_burst"), 120);
    assert_eq!(value(row, "burst_period_cv"), -1);
    assert_eq!(value(row, "burst_period"), 1_200);
    assert_eq!(value(row, "idle_run"), 10);
    assert_eq!(value(row, "down_bytes"), 0);
}

#[test]
fn the_context_forgets_after_two_minutes() {
    let rows = rows(300, |s| if s < 10 { 1_400_000 } else { 1_400 });
    assert_eq!(value(&rows[0], "down_120"), 14_000_000);
    assert_eq!(value(rows.last().unwrap(), "down_120"), 120 * 1_400);
}

#[test]
fn the_schema_names_are_unique_and_its_hash_is_pinned() {
    for (i, feature) in FEATURES.iter().enumerate() {
        assert_eq!(index_of(feature.name), Some(i));
    }
    let named =
        [DOWN_BYTES, DOWN_PACKETS, BURSTS_120, BURST_PERIOD_CV, BURST_PERIOD].map(|at| FEATURES[at].name);
    assert_eq!(named, ["down_bytes", "down_packets", "bursts_120", "burst_period_cv", "burst_period"]);
    // A changed schema makes every trained artefact unusable: change it on purpose, then train again.
    assert_eq!(format!("{:016x}", schema_hash()), "46b256fba86e4f59");
}
