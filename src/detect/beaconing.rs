//! Beaconing: one device that reports to one server, hour after hour, always the same few bytes.
//!
//! Regularity alone proves nothing, for half of a household does things by the clock. What is left after the
//! innocent reasons are taken away is told, as a low alert: connection after connection (not one kept open), to a
//! server outside that no other device speaks with and that never gives or gets more than a few kilobytes, on no
//! port that is asked by the clock (names, time, mail, push), evenly spaced and equally large, at least
//! [`Thresholds::beacons`] times and for five minutes. Known evasions: one lasting connection, datagrams, intervals
//! that vary by more than a quarter or exceed an hour, sizes that vary by more than a tenth, a server that a
//! second device uses, too.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::settings::Thresholds;
use super::shared::{AddrKey, Shared};
use super::table::Table;
use crate::flow::Flow;
use crate::net::Addr;
use crate::time::{Duration, Moment};

/// Series of connections watched at a time.
pub(super) const MAX_SERIES: usize = 256;
/// Servers whose visitors are remembered.
pub(super) const MAX_SERVERS: usize = 1024;
/// Slices after which a series without a beat is forgotten: four hours.
const KEPT_SERIES: super::count::Slice = 2_880;
/// A day.
const KEPT_SERVERS: super::count::Slice = 17_280;

/// Beats that are compared.
const RING: usize = 16;
/// Shorter or longer pauses are no beat.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3_600));
/// Least time from the first to the last beat.
const LEAST_LENGTH: Duration = Duration::from_secs(300);
/// Payload of one report, each way, at most.
const SMALL_BYTES: u64 = 12_000;
/// Pauses may be off the median by so much, sizes likewise.
const PAUSE_OFF_PCT: u32 = 25;
const SIZE_OFF_PCT: u32 = 10;
/// Of those in the ring, so many must be near the median.
const NEAR: usize = 13;
/// Ports that are asked by the clock: names, time, mail, push.
const CLOCKWORK: [u16; 18] =
    [25, 37, 53, 110, 123, 143, 465, 587, 853, 993, 995, 1883, 3478, 5222, 5223, 5228, 5349, 8883];

/// Connections of one client to one service, evenly spaced or not.
#[derive(Clone, Copy, Debug, Default)]
struct Series {
    first: Moment,
    last: Moment,
    beats: u32,
    pauses_ms: [u32; RING],
    up_bytes: [u32; RING],
    down_bytes: [u32; RING],
}

impl Series {
    fn beat(&mut self, at: Moment, (up, down): (u64, u64)) {
        let pause = at.since(self.last);
        let is_new = self.last == Moment::ZERO || pause > PAUSES.1;
        if is_new || up > SMALL_BYTES || down > SMALL_BYTES {
            *self = Self { first: at, last: at, ..Self::default() };
            return;
        }
        if pause < PAUSES.0 {
            // Two at once are one errand.
            return;
        }
        let place = self.beats as usize % RING;
        self.pauses_ms[place] = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
        (self.up_bytes[place], self.down_bytes[place]) = (up as u32, down as u32);
        (self.beats, self.last) = (self.beats.saturating_add(1), at);
        if self.beats as usize >= RING && near(&self.pauses_ms, PAUSE_OFF_PCT).1 < RING / 2 {
            // Not by the clock: what was counted is no evidence.
            *self = Self { first: at, last: at, ..Self::default() };
        }
    }

    /// Of the last pauses, those near their median.
    fn even(&self) -> usize {
        if self.beats < RING as u32 { 0 } else { near(&self.pauses_ms, PAUSE_OFF_PCT).1 }
    }

    /// Median pause, if this is a beacon.
    fn pulse(&self, least: u32) -> Option<u32> {
        if self.beats < least || self.last.since(self.first) < LEAST_LENGTH {
            return None;
        }
        let (pause, even) = near(&self.pauses_ms, PAUSE_OFF_PCT);
        let alike = [&self.up_bytes, &self.down_bytes].map(|sizes| near(sizes, SIZE_OFF_PCT).1);
        (even >= NEAR && alike.iter().all(|&near| near >= NEAR)).then_some(pause)
    }
}

/// The median, and how many are near it.
fn near(values: &[u32; RING], off_pct: u32) -> (u32, usize) {
    let mut sorted = *values;
    sorted.sort_unstable();
    let median = sorted[RING / 2];
    let room = u64::from(median) * u64::from(off_pct) / 100;
    (median, values.iter().filter(|&&value| u64::from(value.abs_diff(median)) <= room).count())
}

/// Who visits a server.
#[derive(Clone, Copy, Debug, Default)]
struct Visitors {
    first: Option<Addr>,
    are_several: bool,
}

/// All series, and who else knows their servers.
#[derive(Debug)]
pub(super) struct Beacons {
    series: Table<(AddrKey, AddrKey, u16), Series>,
    servers: Table<AddrKey, Visitors>,
}

impl Beacons {
    pub(super) fn new() -> Self {
        Self { series: Table::new(MAX_SERIES, KEPT_SERIES), servers: Table::new(MAX_SERVERS, KEPT_SERVERS) }
    }

    /// A connection was completed.
    pub(super) fn visit(&mut self, shared: &Shared, flow: &Flow) {
        let (client, server) = (flow.tuple.orig.addr, flow.tuple.resp.addr);
        if server.is_private() {
            return;
        }
        let Some(visitors) = self.servers.enter(shared.hash(&server), &AddrKey(server), shared.slice) else {
            return;
        };
        let first = *visitors.first.get_or_insert(client);
        visitors.are_several |= first != client;
    }

    /// A connection is over; `bytes` is the payload up and down.
    pub(super) fn report(&mut self, shared: &Shared, flow: &Flow, bytes: (u64, u64)) {
        let (client, server) = (flow.tuple.orig.addr, flow.tuple.resp);
        if server.addr.is_private() || CLOCKWORK.contains(&server.port) || bytes.0 == 0 {
            return;
        }
        let hash = shared.pair_hash(&client, &server.addr, u64::from(server.port) << 24 | 3);
        let key = (AddrKey(client), AddrKey(server.addr), server.port);
        if let Some(series) = self.series.enter(hash, &key, shared.slice) {
            series.beat(flow.first, bytes);
        }
    }

    pub(super) fn poll(&mut self, shared: &Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
        let Self { series, servers } = self;
        series.touched(shared.slice, |(client, server, port), series| {
            let Some(pause_ms) = series.pulse(thresholds.beacons) else { return };
            let visitors = servers.entry(shared.hash(&server.0), server);
            if visitors.is_none_or(|visitors| visitors.are_several) {
                return;
            }
            found.push(Finding {
                kind: Kind::Beaconing,
                severity: Severity::Low,
                source: Party::Addr(client.0),
                target: Some(Party::Addr(server.0)),
                first: series.first,
                evidence: Evidence::new(&[
                    ("connections", u64::from(series.beats)),
                    ("median_pause_ms", u64::from(pause_ms)),
                    ("median_up_bytes", u64::from(near(&series.up_bytes, 0).0)),
                    ("median_down_bytes", u64::from(near(&series.down_bytes, 0).0)),
                    ("port", u64::from(*port)),
                ]),
            });
        });
    }

    /// The longest series of a client: its beats, and how many of the last sixteen pauses are even.
    pub(super) fn longest(&mut self, client: &Addr) -> (u32, u32) {
        let mut longest = (0, 0);
        self.series.all(|key, series| {
            if key.0.0 == *client {
                longest = longest.max((series.beats, series.even() as u32));
            }
        });
        longest
    }

    pub(super) fn forget(&mut self) {
        self.series.clear();
        self.servers.clear();
    }
}
