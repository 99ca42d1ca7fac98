//! Time spent as a union: an hour watched on two screens of one budget is an hour.
//!
//! Windows arrive nearly in order, from several devices, and up to three windows late when a session is credited
//! back. So only the recent past is kept as spans; what is older than [`MAX_SPANS`] separate spans is a number.
//! With windows of ten seconds that past is never shorter than five minutes.

use crate::time::{Duration, Moment};

/// Most separate spans kept.
const MAX_SPANS: usize = 16;

/// Seconds spent, each counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    settled: Duration,
    /// Nothing before this moment is counted any more.
    settled_to: Moment,
    /// Disjoint, in order.
    spans: Vec<(Moment, Moment)>,
}

impl Spent {
    /// From a number, when the spans are no longer known.
    pub(super) fn from_secs(secs: u32) -> Self {
        Self { settled: Duration::from_secs(secs.into()), ..Self::default() }
    }

    /// Whole seconds.
    pub(super) fn secs(&self) -> u32 {
        let recent: Duration = self.spans.iter().map(|(start, end)| end.since(*start)).sum();
        u32::try_from((self.settled + recent).as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_zero() && self.spans.is_empty()
    }

    /// Counts from `start` to `end`, without what is counted already.
    pub(super) fn add(&mut self, start: Moment, end: Moment) {
        let (mut start, mut end) = (start.max(self.settled_to), end);
        if start >= end {
            return;
        }
        let first = self.spans.partition_point(|(_, e)| *e < start);
        let last = self.spans.partition_point(|(s, _)| *s <= end);
        for (s, e) in self.spans.drain(first..last.max(first)) {
            start = start.min(s);
            end = end.max(e);
        }
        self.spans.insert(first, (start, end));
        if self.spans.len() > MAX_SPANS {
            let (start, end) = self.spans.remove(0);
            self.settled += end.since(start);
            self.settled_to = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::from_secs(secs)
    }

    #[test]
    fn overlapping_windows_count_once_in_any_order() {
        let mut spent = Spent::default();
        for (start, end) in [(100, 110), (120, 130), (105, 115), (110, 120), (100, 130), (90, 95)] {
            spent.add(at(start), at(end));
        }
        assert_eq!(spent.secs(), 35);
        assert_eq!(spent.spans.len(), 2);
    }

    #[test]
    fn a_union_equals_the_set_of_its_seconds() {
        let mut seed = 3_u64;
        for _ in 0..200 {
            let (mut spent, mut seconds) = (Spent::default(), std::collections::BTreeSet::new());
            for _ in 0..12 {
                seed = crate::net::mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
                let (start, len) = (seed % 200, seed >> 32 & 31);
                spent.add(at(start), at(start + len));
                seconds.extend(start..start + len);
            }
            assert_eq!(spent.secs() as usize, seconds.len());
        }
    }

    #[test]
    fn a_day_of_interrupted_watching_is_counted_in_full_and_stays_small() {
        let mut spent = Spent::default();
        for n in 0..4_320_u64 {
            spent.add(at(n * 20), at(n * 20 + 10));
            // The same window from a second device, and a late credit.
            spent.add(at(n * 20), at(n * 20 + 10));
            spent.add(at((n * 20).saturating_sub(40)), at((n * 20).saturating_sub(40) + 10));
        }
        assert_eq!(spent.secs(), 43_200);
        assert!(spent.spans.len() <= MAX_SPANS);
    }
}
