//! Frames by time.
//!
//! Interval `n` holds the frames from `n` widths after the first frame on. Time does not go back here: a frame
//! that is older than the one before counts in the interval that is open, as in tshark's `io,stat`, and so the
//! intervals of a capture with a broken clock are as many as were seen, never as many as its clock claims.

use crate::time::{Duration, Moment};

use super::{Count, Rest};

/// Non-empty intervals listed; twelve days of seconds.
pub const MAX_INTERVALS: usize = 1 << 20;

/// One interval with something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// How many widths after the first frame it begins.
    pub no: u64,
    /// What it holds.
    pub count: Count,
}

/// Non-empty intervals, in order.
#[derive(Debug)]
pub struct Intervals {
    width_us: u64,
    first: Option<Moment>,
    list: Vec<Interval>,
    /// Where the open interval ends, in microseconds after the first frame.
    end_us: u64,
    /// Counts once the list is full.
    rest: Option<Rest>,
}

impl Intervals {
    pub(super) fn new(width: Duration) -> Self {
        let width_us = u64::try_from(width.as_micros()).unwrap_or(u64::MAX).max(1);
        Self { width_us, first: None, list: Vec::new(), end_us: 0, rest: None }
    }

    #[inline]
    pub(super) fn observe(&mut self, at: Moment, wire_len: u32) {
        let first = *self.first.get_or_insert(at);
        // To the nearest microsecond, halves up.
        let after_us = (at.as_nanos().saturating_sub(first.as_nanos()) + 500) / 1_000;
        if after_us >= self.end_us {
            self.open(after_us);
        }
        match (&mut self.rest, self.list.last_mut()) {
            (None, Some(interval)) => interval.count.add(wire_len),
            (rest, _) => rest.get_or_insert_default().add(wire_len),
        }
    }

    /// The capture begins no later than here.
    pub(super) fn begin(&mut self, at: Moment) {
        self.first.get_or_insert(at);
    }

    #[cold]
    fn open(&mut self, after_us: u64) {
        if self.list.len() >= MAX_INTERVALS {
            // From here on everything is rest.
            self.end_us = u64::MAX;
            self.rest = Some(Rest::default());
            return;
        }
        let no = after_us / self.width_us;
        self.end_us = (no + 1).saturating_mul(self.width_us);
        self.list.push(Interval { no, count: Count::default() });
    }

    /// Width of each.
    pub fn width(&self) -> Duration {
        Duration::from_micros(self.width_us)
    }

    /// The non-empty ones, in order.
    pub fn list(&self) -> &[Interval] {
        &self.list
    }

    /// What came after the last that could be listed.
    pub fn rest(&self) -> Rest {
        self.rest.unwrap_or_default()
    }
}
