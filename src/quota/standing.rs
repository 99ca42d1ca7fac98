//! Usage judged against the allowance now: the standing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::time::WallTime;

/// How a client stands. `left` is in seconds of watching; `until` is `None` while the router does not know the
/// time, and then means "until it does, or somebody changes it".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing limits it today.
    Unlimited,
    /// Inside of its quota.
    Within {
        /// Seconds until the quota is used up.
        left_s: u32,
    },
    /// Inside, but it was warned.
    Warned {
        /// Seconds until the quota is used up.
        left_s: u32,
    },
    /// The quota is used up; nothing is cut yet.
    Grace {
        /// Seconds until it is.
        left_s: u32,
    },
    /// Used up.
    Exhausted {
        /// The next reset.
        until: Option<WallTime>,
    },
    /// Not the hours for it.
    OutsideHours {
        /// When they begin.
        until: Option<WallTime>,
    },
    /// Somebody pressed pause.
    Paused {
        /// When it ends by itself.
        until: Option<WallTime>,
    },
    /// Never allowed.
    Denied,
    /// A data plan is used up.
    Capped {
        /// Its section's name.
        plan: String,
        /// When it starts anew.
        until: Option<WallTime>,
    },
    /// Never limited.
    Exempt,
}

impl Standing {
    /// The word for it, in logs, events and JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Within { .. } => "within",
            Self::Warned { .. } => "warned",
            Self::Grace { .. } => "grace",
            Self::Exhausted { .. } => "exhausted",
            Self::OutsideHours { .. } => "outside_hours",
            Self::Paused { .. } => "paused",
            Self::Denied => "denied",
            Self::Capped { .. } => "capped",
            Self::Exempt => "exempt",
        }
    }

    /// Whether video is to be cut. A used-up data plan is not about video: see [`super::Verdict::caps`].
    pub const fn restricts_video(&self) -> bool {
        matches!(
            self,
            Self::Exhausted { .. } | Self::OutsideHours { .. } | Self::Paused { .. } | Self::Denied
        )
    }

    /// Whether anything is restricted.
    pub const fn is_restricted(&self) -> bool {
        self.restricts_video() || matches!(self, Self::Capped { .. })
    }

    /// Severity by usage alone, for "monotone in usage".
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Unlimited | Self::Exempt => 0,
            Self::Within { .. } => 1,
            Self::Warned { .. } => 2,
            Self::Grace { .. } => 3,
            Self::Capped { .. } => 4,
            Self::Exhausted { .. } => 5,
            Self::OutsideHours { .. } => 6,
            Self::Paused { .. } => 7,
            Self::Denied => 8,
        }
    }

    /// Whether the two differ in more than the time left.
    pub fn is_other_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Capped { plan: a, .. }, Self::Capped { plan: b, .. }) => a != b,
            _ => self.word() != other.word(),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Within { left_s } | Self::Warned { left_s } | Self::Grace { left_s } => {
                write!(f, ", {}:{:02} left", left_s / 60, left_s % 60)
            }
            Self::Capped { plan, .. } => write!(f, " by {plan}"),
            Self::Exhausted { until: Some(until) }
            | Self::OutsideHours { until: Some(until) }
            | Self::Paused { until: Some(until) } => write!(f, " until {until}"),
            Self::Exhausted { until: None }
            | Self::OutsideHours { until: None }
            | Self::Paused { until: None }
            | Self::Unlimited
            | Self::Denied
            | Self::Exempt => Ok(()),
        }
    }
}

/// What a client is held to at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Quota, exempt or deny.
    pub policy: Policy,
    /// Seconds allowed today, grants included; `None` = no limit.
    pub quota_s: Option<u32>,
    /// Seconds before the end of the quota at which to warn.
    pub warn_s: u32,
    /// Seconds beyond the quota before anything is cut.
    pub grace_s: u32,
    /// Paused, and until when.
    pub paused: Option<Option<WallTime>>,
    /// Outside of its hours, and until when.
    pub outside: Option<Option<WallTime>>,
    /// A used-up data plan, and until when.
    pub capped: Option<(String, Option<WallTime>)>,
    /// The end of the quota day.
    pub day_ends: Option<WallTime>,
}

/// Judges usage against terms. More usage never makes the standing better.
pub fn assess(used_s: u32, terms: &Terms) -> Standing {
    match terms.policy {
        Policy::Exempt => return Standing::Exempt,
        Policy::Deny => return Standing::Denied,
        Policy::Quota => {}
    }
    if let Some(until) = terms.paused {
        return Standing::Paused { until };
    }
    if let Some(until) = terms.outside {
        return Standing::OutsideHours { until };
    }
    let by_usage = by_usage(used_s, terms);
    match &terms.capped {
        Some((plan, until)) if !by_usage.restricts_video() => {
            Standing::Capped { plan: plan.clone(), until: *until }
        }
        _ => by_usage,
    }
}

fn by_usage(used_s: u32, terms: &Terms) -> Standing {
    let Some(quota_s) = terms.quota_s else { return Standing::Unlimited };
    let cut_s = quota_s.saturating_add(terms.grace_s);
    if used_s >= cut_s {
        return Standing::Exhausted { until: terms.day_ends };
    }
    if used_s >= quota_s {
        return Standing::Grace { left_s: cut_s - used_s };
    }
    let left_s = quota_s - used_s;
    // A warning at or before the first second would say nothing.
    match quota_s.checked_sub(terms.warn_s) {
        Some(warn_at_s) if terms.warn_s > 0 && warn_at_s > 0 && used_s >= warn_at_s => {
            Standing::Warned { left_s }
        }
        _ => Standing::Within { left_s },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(quota_min: u32, warn_min: u32, grace_min: u32) -> Terms {
        let (warn_s, grace_s) = (warn_min * 60, grace_min * 60);
        Terms { quota_s: Some(quota_min * 60), warn_s, grace_s, ..Terms::default() }
    }

    #[test]
    fn the_day_of_a_quota_of_thirty_minutes() {
        let terms = terms(30, 5, 2);
        let words = [0, 1_499, 1_500, 1_799, 1_800, 1_919, 1_920, u32::MAX].map(|s| assess(s, &terms).word());
        let day = ["within", "within", "warned", "warned", "grace", "grace", "exhausted", "exhausted"];
        assert_eq!(words, day);
        assert_eq!(assess(1_790, &terms), Standing::Warned { left_s: 10 });
        assert_eq!(assess(1_910, &terms), Standing::Grace { left_s: 10 });
    }

    #[test]
    fn no_warning_at_or_before_the_start() {
        assert_eq!(assess(0, &terms(5, 5, 0)).word(), "within");
        assert_eq!(assess(0, &terms(5, 10, 0)).word(), "within");
        assert_eq!(assess(299, &terms(5, 0, 0)).word(), "within");
        assert_eq!(assess(300, &terms(5, 5, 0)).word(), "exhausted");
    }

    #[test]
    fn standing_is_monotone_in_usage_whatever_the_terms() {
        let mut seed = 7_u64;
        let mut draw = |most: u64| {
            seed = crate::net::mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
            seed % most
        };
        for _ in 0..5_000 {
            let terms = Terms {
                policy: [Policy::Quota, Policy::Quota, Policy::Exempt, Policy::Deny][draw(4) as usize],
                quota_s: (draw(4) > 0).then(|| draw(90_000) as u32),
                warn_s: draw(4_000) as u32,
                grace_s: if draw(2) == 0 { 0 } else { draw(86_400) as u32 },
                paused: (draw(8) == 0).then_some(None),
                outside: (draw(8) == 0).then_some(None),
                capped: (draw(4) == 0).then(|| ("plan".to_owned(), None)),
                day_ends: None,
            };
            let mut used = [draw(100_000) as u32, draw(100_000) as u32];
            used.sort_unstable();
            let ranks = used.map(|used_s| assess(used_s, &terms).rank());
            assert!(ranks[0] <= ranks[1], "{used:?} {terms:?}");
        }
    }
}
