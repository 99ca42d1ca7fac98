//! From a client's counters to a row.

use super::{N_FEATURES, Row};
use crate::window::{Client, RING, Sums, WINDOW_SECS, WindowNo};

/// A second with at least this many received bytes is active; runs of active seconds are bursts.
pub const BURST_SECOND_BYTES: u32 = 30_000;
/// A window with at least this many received bytes is active.
const ACTIVE_WINDOW_BYTES: u64 = 60_000;
/// A server is big in a window, and in a minute, from here on.
const BIG_SERVER_BYTES: u64 = 10_000;
const BIG_SERVER_60_BYTES: u64 = 50_000;
/// Silent seconds that do not end a burst.
const BURST_HOLE_SECS: u64 = 1;
/// Context of bursts.
const CONTEXT_SECS: u64 = (RING * WINDOW_SECS) as u64;
/// Bursts a context can hold: one active second in three.
const MAX_BURSTS: usize = 41;

/// The row of window `no`, which must be the youngest closed window of the client.
pub fn extract(client: &Client, no: WindowNo) -> Row {
    let mut row = [0; N_FEATURES];
    let (window, context) = row.split_at_mut(24);
    fill_window(window, client, no);
    fill_volumes(&mut context[..13], client, no);
    fill_bursts(&mut context[13..20], client, no);
    fill_shares(&mut context[20..], client, no);
    row
}

fn fill_window(out: &mut [i32], client: &Client, no: WindowNo) {
    let sums = client.sums(no);
    let down = u64::from(sums.down.packets);
    let small = u64::from(sums.small_packets);
    let full = u64::from(sums.full_packets);
    let (mut top, mut big) = (0, 0);
    for server in client.servers() {
        let bytes = server.bytes_in(no, 1);
        top = top.max(bytes);
        big += u64::from(bytes >= BIG_SERVER_BYTES);
    }
    let seconds = Seconds::of_window(client, no);
    let values = [
        sums.down.bytes,
        sums.up.bytes,
        down,
        u64::from(sums.up.packets),
        per_mille(sums.up.bytes, sums.up.bytes + sums.down.bytes),
        mean(sums.down.bytes, down),
        deviation(sums.down.bytes, sums.down.squares, down),
        mean(sums.up.bytes, u64::from(sums.up.packets)),
        deviation(sums.up.bytes, sums.up.squares, u64::from(sums.up.packets)),
        per_mille(full, down),
        per_mille(small, down),
        per_mille(down.saturating_sub(full + small), down),
        per_mille(sums.udp_bytes, sums.down.bytes),
        per_mille(top, sums.down.bytes),
        u64::from(sums.servers()).min(60),
        big,
        seconds.active,
        seconds.max,
        seconds.active_run,
        seconds.idle_run,
        iat_cv(sums),
        sums.max_gap_us / 1_000,
        per_mille(u64::from(sums.up.packets), down.max(1)).min(100_000),
        u64::from(sums.requests).min(200),
    ];
    store(out, &values);
}

fn fill_volumes(out: &mut [i32], client: &Client, no: WindowNo) {
    let down_60 = client.down_bytes(no, 6);
    let down_120 = client.down_bytes(no, 12);
    let active =
        |windows| client.last(no, windows).filter(|s| s.down_bytes >= ACTIVE_WINDOW_BYTES).count() as u64;
    let depth = client.depth(no).clamp(1, 6);
    let window_squares: u128 = client.last(no, depth).map(|s| u128::from(s.down_bytes).pow(2)).sum();
    let window_mean = down_60 / depth as u64;
    let variance = (window_squares / depth as u128).saturating_sub(u128::from(window_mean).pow(2));
    let (mut top_60, mut top_120, mut big_60) = (0, 0, 0);
    for server in client.servers() {
        let bytes_60 = server.bytes_in(no, 6);
        top_60 = top_60.max(bytes_60);
        top_120 = top_120.max(server.bytes_in(no, 12));
        big_60 += u64::from(bytes_60 >= BIG_SERVER_60_BYTES);
    }
    let values = [
        client.down_bytes(no, 3),
        down_60,
        down_120,
        active(6),
        active(12),
        client.last(no, 6).map(|s| s.down_bytes).max().unwrap_or(0),
        (variance.isqrt() * 1_000 / u128::from(window_mean.max(1))).min(100_000) as u64,
        client.last(no, 6).map(|s| s.up_bytes).sum(),
        per_mille(top_60, down_60),
        per_mille(top_120, down_120),
        big_60,
        ewma(client, no, 35),
        ewma(client, no, 8),
    ];
    store(out, &values);
}

fn fill_bursts(out: &mut [i32], client: &Client, no: WindowNo) {
    let end = (no + 1) * WINDOW_SECS as u64;
    let bursts = Bursts::before(end, client);
    let list = bursts.list();
    let Some(last) = list.last() else {
        store(out, &[CONTEXT_SECS, 0, 0, 0, 0]);
        out[5] = -1;
        out[6] = CONTEXT_SECS as i32 * 10;
        return;
    };
    let count_60 = list.iter().filter(|b| b.first + 60 >= end).count() as u64;
    let total: u64 = list.iter().map(|b| b.bytes).sum();
    store(
        out,
        &[end - 1 - last.last, last.bytes, count_60, list.len() as u64, mean(total, list.len() as u64)],
    );
    let (period_cv, period_ds) = periods(list);
    out[5] = period_cv;
    out[6] = period_ds;
}

fn fill_shares(out: &mut [i32], client: &Client, no: WindowNo) {
    let down_60 = client.down_bytes(no, 6);
    let up_60: u64 = client.last(no, 6).map(|s| s.up_bytes).sum();
    let end = (no + 1) * WINDOW_SECS as u64;
    let active_120 = (end.saturating_sub(CONTEXT_SECS)..end)
        .filter(|&second| client.second(second) >= BURST_SECOND_BYTES)
        .count();
    let values = [
        per_mille(client.last(no, 6).map(|s| s.full_bytes).sum(), down_60),
        per_mille(client.last(no, 6).map(|s| s.udp_bytes).sum(), down_60),
        per_mille(up_60, up_60 + down_60),
        active_120 as u64,
    ];
    store(out, &values);
}

/// One-second structure of a single window.
struct Seconds {
    active: u64,
    max: u64,
    active_run: u64,
    idle_run: u64,
}

impl Seconds {
    fn of_window(client: &Client, no: WindowNo) -> Self {
        let mut found = Self { active: 0, max: 0, active_run: 0, idle_run: 0 };
        let (mut active_run, mut idle_run) = (0, 0);
        let start = no * WINDOW_SECS as u64;
        for second in start..start + WINDOW_SECS as u64 {
            let bytes = client.second(second);
            found.max = found.max.max(u64::from(bytes));
            if bytes >= BURST_SECOND_BYTES {
                found.active += 1;
                active_run += 1;
                idle_run = 0;
            } else {
                idle_run += 1;
                active_run = 0;
            }
            found.active_run = found.active_run.max(active_run);
            found.idle_run = found.idle_run.max(idle_run);
        }
        found
    }
}

/// A run of active seconds, holes of one second joined.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    first: u64,
    last: u64,
    bytes: u64,
}

struct Bursts {
    found: [Burst; MAX_BURSTS],
    len: usize,
}

impl Bursts {
    /// The bursts that began in the last two minutes before second `end`; one in progress is cut there.
    fn before(end: u64, client: &Client) -> Self {
        let mut bursts = Self { found: [Burst::default(); MAX_BURSTS], len: 0 };
        for second in end.saturating_sub(CONTEXT_SECS)..end {
            let bytes = client.second(second);
            if bytes < BURST_SECOND_BYTES {
                continue;
            }
            match bursts.found[..bursts.len].last_mut() {
                Some(burst) if second - burst.last <= BURST_HOLE_SECS + 1 => {
                    burst.bytes += u64::from(bytes);
                    burst.last = second;
                }
                _ if bursts.len < MAX_BURSTS => {
                    bursts.found[bursts.len] = Burst { first: second, last: second, bytes: u64::from(bytes) };
                    bursts.len += 1;
                }
                _ => {}
            }
        }
        bursts
    }

    fn list(&self) -> &[Burst] {
        &self.found[..self.len]
    }
}

/// Coefficient of variation (per mille, -1 with fewer than two periods) and mean (tenths of a second, the whole
/// context without a period) of the times between the beginnings of bursts.
fn periods(bursts: &[Burst]) -> (i32, i32) {
    let count = bursts.len().saturating_sub(1) as u64;
    if count == 0 {
        return (-1, CONTEXT_SECS as i32 * 10);
    }
    let gaps = || bursts.windows(2).map(|pair| pair[1].first - pair[0].first);
    let sum: u64 = gaps().sum();
    let squares: u64 = gaps().map(|gap| gap * gap).sum();
    let mean_ds = (sum * 10 / count).min(CONTEXT_SECS * 10) as i32;
    if count == 1 {
        return (-1, mean_ds);
    }
    // sd/mean = sqrt(n·Σx² − (Σx)²) / Σx, in integers.
    let spread = (count * squares).saturating_sub(sum * sum) * 1_000_000;
    ((spread.isqrt() / sum.max(1)).min(100_000) as i32, mean_ds)
}

/// Exponentially weighted mean of the windows' received bytes over the ring, oldest first, starting at zero.
fn ewma(client: &Client, no: WindowNo, weight_pct: u64) -> u64 {
    let oldest_first = client.last(no, client.depth(no)).rev();
    oldest_first.fold(0, |mean, past| (mean * (100 - weight_pct) + past.down_bytes * weight_pct) / 100)
}

fn iat_cv(sums: &Sums) -> u64 {
    let n = u128::from(sums.gaps);
    let sum_us = u128::from(sums.gap_us);
    if n == 0 || sum_us == 0 {
        return 0;
    }
    // gap_squares is in 1000 µs², see `Sums`.
    let spread = (n * u128::from(sums.gap_squares) * 1_000).saturating_sub(sum_us * sum_us);
    ((spread * 1_000_000).isqrt() / sum_us).min(50_000) as u64
}

fn per_mille(part: u64, whole: u64) -> u64 {
    part * 1_000 / whole.max(1)
}

fn mean(sum: u64, count: u64) -> u64 {
    sum / count.max(1)
}

fn deviation(sum: u64, squares: u64, count: u64) -> u64 {
    let n = u128::from(count.max(1));
    let spread = (n * u128::from(squares)).saturating_sub(u128::from(sum).pow(2));
    (spread.isqrt() / n) as u64
}

fn store(out: &mut [i32], values: &[u64]) {
    for (slot, &value) in out.iter_mut().zip(values) {
        *slot = i32::try_from(value).unwrap_or(i32::MAX);
    }
}
