//! Exfiltration: a device sends far more than it ever did.
//!
//! How much is much depends on the device, so each is its own measure: a [`Baseline`] keeps what it sent on each
//! of its last days, and a day counts as unusual when it exceeds [`Thresholds::exfiltration_mb`] and five times
//! the largest of at least [`LEAST_DAYS`] earlier ones. Fewer days say nothing and stay silent, and so do
//! captures: only an engine that is told to judge ([`super::Baselines::Judge`]) raises alerts, which is a router
//! that has known its devices for a week. A baseline is a plain value: who restarts saves it before and
//! hands it back after. Known evasions: a week of patience, and less than the threshold.

use serde::{Deserialize, Serialize};

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::settings::Thresholds;
use crate::net::{Addr, ClientId};
use crate::time::{Duration, Moment};

/// Devices with a baseline; later ones have none.
pub const MAX_BASELINES: usize = 256;
/// Earlier days that a baseline holds.
pub const MAX_DAYS: usize = 14;
/// Earlier days needed before any day is called unusual.
pub const LEAST_DAYS: usize = 7;
/// Times the largest earlier day.
const FACTOR: u64 = 5;
const DAY: Duration = Duration::from_secs(86_400);

/// What one device sends to the outside in a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Wire bytes of each earlier day, the latest last; at most [`MAX_DAYS`].
    pub days_bytes: Vec<u64>,
    /// Wire bytes of the present day so far.
    pub today_bytes: u64,
    /// How much of the present day is over, in seconds.
    pub today_s: u64,
}

impl Baseline {
    /// The largest earlier day, once there are enough of them.
    pub fn largest_bytes(&self) -> Option<u64> {
        (self.days_bytes.len() >= LEAST_DAYS).then(|| self.days_bytes.iter().copied().max().unwrap_or(0))
    }

    /// Whether the present day is far above every earlier one.
    pub fn is_exceeded(&self, threshold_mb: u32) -> bool {
        self.largest_bytes().is_some_and(|largest| {
            self.today_bytes >= u64::from(threshold_mb).saturating_mul(1_000_000)
                && self.today_bytes > largest.saturating_mul(FACTOR)
        })
    }

    /// Takes in what was sent, and how much later it is.
    pub fn advance(&mut self, bytes: u64, seconds: u64) {
        self.today_s = self.today_s.saturating_add(seconds);
        let whole = (self.today_s / DAY.as_secs()).min(MAX_DAYS as u64 + 1);
        self.today_s %= DAY.as_secs();
        for _ in 0..whole {
            if self.days_bytes.len() >= MAX_DAYS {
                self.days_bytes.remove(0);
            }
            self.days_bytes.push(std::mem::take(&mut self.today_bytes));
        }
        self.today_bytes = self.today_bytes.saturating_add(bytes);
    }
}

#[derive(Debug)]
struct Sender {
    client: ClientId,
    /// Where it sent from last.
    addr: Addr,
    /// Total at the last look.
    total_bytes: u64,
    looked: Moment,
    baseline: Baseline,
    is_fresh: bool,
}

/// The baselines of all devices.
#[derive(Debug, Default)]
pub(super) struct Uploads(Vec<Sender>);

impl Uploads {
    /// What a client has sent in all, at the end of a window.
    pub(super) fn observe(&mut self, (client, addr): (ClientId, Addr), total_bytes: u64, at: Moment) {
        if let Some(sender) = self.0.iter_mut().find(|sender| sender.client == client) {
            let seconds = at.since(sender.looked).as_secs();
            sender.baseline.advance(total_bytes.saturating_sub(sender.total_bytes), seconds);
            (sender.total_bytes, sender.addr) = (total_bytes, addr);
            sender.looked = sender.looked + Duration::from_secs(seconds);
            sender.is_fresh = true;
        } else if self.0.len() < MAX_BASELINES {
            let baseline = Baseline { today_bytes: total_bytes, ..Baseline::default() };
            self.0.push(Sender { client, addr, total_bytes, looked: at, baseline, is_fresh: false });
        }
    }

    /// Puts back what was known before a restart; the device has sent nothing since.
    pub(super) fn restore(&mut self, client: ClientId, baseline: Baseline, at: Moment) {
        self.0.retain(|sender| sender.client != client);
        if self.0.len() < MAX_BASELINES {
            let addr = Addr::UNSPECIFIED;
            self.0.push(Sender { client, addr, total_bytes: 0, looked: at, baseline, is_fresh: false });
        }
    }

    pub(super) fn baselines(&self) -> impl Iterator<Item = (ClientId, &Baseline)> {
        self.0.iter().map(|sender| (sender.client, &sender.baseline))
    }

    pub(super) fn poll(&mut self, thresholds: &Thresholds, found: &mut Vec<Finding>) {
        for sender in &mut self.0 {
            let is_fresh = std::mem::take(&mut sender.is_fresh);
            let baseline = &sender.baseline;
            let Some(largest) = baseline.largest_bytes() else { continue };
            if !is_fresh || !baseline.is_exceeded(thresholds.exfiltration_mb) {
                continue;
            }
            found.push(Finding {
                kind: Kind::Exfiltration,
                severity: Severity::Medium
                    .grown(baseline.today_bytes / 1_000_000, thresholds.exfiltration_mb),
                source: Party::Addr(sender.addr),
                target: None,
                first: sender.looked - Duration::from_secs(baseline.today_s),
                evidence: Evidence::new(&[
                    ("today_bytes", baseline.today_bytes),
                    ("largest_earlier_day_bytes", largest),
                    ("days_known", baseline.days_bytes.len() as u64),
                ]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MacAddr;

    const NAS: ClientId = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 7]));
    const ADDR: Addr = Addr::from_v4([192, 168, 1, 7]);
    const MB: u64 = 1_000_000;

    fn known(days: usize, day_mb: u64) -> Baseline {
        Baseline { days_bytes: vec![day_mb * MB; days], ..Baseline::default() }
    }

    #[test]
    fn a_day_is_judged_by_seven_earlier_ones_and_not_by_fewer() {
        for (days, today_mb, expected) in
            [(6, 100_000, false), (7, 499, false), (7, 500, false), (7, 501, true), (14, 501, true)]
        {
            let mut baseline = known(days, 100);
            baseline.advance(today_mb * MB, 60);
            assert_eq!(baseline.is_exceeded(500), expected, "{days} days, {today_mb} MB");
        }
        let mut quiet = known(7, 1);
        quiet.advance(499 * MB, 60);
        assert!(!quiet.is_exceeded(500), "little is never much");
    }

    #[test]
    fn days_pass_and_the_oldest_is_forgotten() {
        let mut baseline = Baseline::default();
        for day in 1..=20 {
            baseline.advance(day * MB, 86_400);
        }
        assert_eq!(baseline.days_bytes.len(), MAX_DAYS);
        assert_eq!(baseline.days_bytes.last(), Some(&(19 * MB)));
        assert_eq!(baseline.today_bytes, 20 * MB);
        baseline.advance(0, 100 * 86_400);
        assert_eq!(baseline.largest_bytes(), Some(0), "absence is days without uploads");
    }

    #[test]
    fn what_was_saved_judges_after_a_restart() {
        let text = serde_json::to_string(&known(8, 100)).unwrap();
        let baseline: Baseline = serde_json::from_str(&text).unwrap();
        let mut uploads = Uploads::default();
        let start = Moment::from_nanos(1_000_000_000_000);
        uploads.restore(NAS, baseline, start);
        let mut found = Vec::new();
        uploads.observe((NAS, ADDR), 400 * MB, start + Duration::from_secs(10));
        uploads.poll(&Thresholds::default(), &mut found);
        assert!(found.is_empty());
        uploads.observe((NAS, ADDR), 700 * MB, start + Duration::from_secs(20));
        uploads.poll(&Thresholds::default(), &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].source, Party::Addr(ADDR));
        assert_eq!(found[0].evidence.numbers()[0], ("today_bytes", 700 * MB));
    }
}
