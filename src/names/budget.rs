//! How much work strangers may cause: a token bucket that is one number.

use crate::time::{Duration, Moment};

/// Allows a burst, then a steady rate (the "virtual scheduling" form of the generic cell rate algorithm, ITU-T
/// I.371): each grant moves `due` one interval on, and `due` may run ahead of now by at most the burst.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    due: Moment,
    interval: Duration,
    burst: Duration,
}

impl Budget {
    pub(super) const fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_nanos(1_000_000_000 / per_second as u64);
        Self { due: Moment::ZERO, interval, burst: interval.saturating_mul(burst) }
    }

    /// Whether one more may be done now.
    pub(super) fn spend(&mut self, now: Moment) -> bool {
        let ahead = self.due.since(now);
        // Further ahead than it can run by itself: the clock was set back.
        if ahead > self.burst + self.interval {
            self.due = now;
        } else if ahead >= self.burst {
            return false;
        }
        self.due = self.due.max(now) + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(budget: &mut Budget, at: Moment, asked: u32) -> usize {
        (0..asked).filter(|_| budget.spend(at)).count()
    }

    #[test]
    fn after_a_burst_the_rate_holds() {
        let mut budget = Budget::new(100, 200);
        let start = Moment::from_secs(1_700_000_000);
        assert_eq!(granted(&mut budget, start, 1_000), 200);
        assert_eq!(granted(&mut budget, start + Duration::from_millis(500), 1_000), 50);
        assert_eq!(granted(&mut budget, start + Duration::from_secs(60), 1_000), 200);
    }

    #[test]
    fn a_clock_set_back_does_not_close_the_budget() {
        let mut budget = Budget::new(100, 200);
        granted(&mut budget, Moment::from_secs(1_700_000_000), 10);
        assert_eq!(granted(&mut budget, Moment::from_secs(5), 1_000), 200);
    }
}
