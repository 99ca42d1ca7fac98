//! Time as an argument.
//!
//! A household lives on two clocks. *Moments* never step: they drive windows, timeouts and sessions. *Wall time*
//! is what a parent reads and what quotas and schedules are about; on a router it may be 1970 at boot, jump when
//! NTP arrives, and be absent altogether. The shell hands both to the core as one [`Now`]; nothing in the core
//! asks for either. In a capture file the packet stamps serve as both.

use std::fmt;
use std::ops::{Add, Sub};
pub use std::time::Duration;

use serde::{Deserialize, Serialize};

mod clock_face;
mod posix_tz;
mod zone;

pub use clock_face::{BadTimeOfDay, TimeOfDay};
pub use zone::{BadZone, LocalTime, Zone};

/// Nanoseconds in one second.
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point on the monotonic time line, in nanoseconds since an arbitrary origin (the Unix epoch when time comes
/// from a capture file).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// The origin of the time line.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds since the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the origin.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the origin.
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// The time from `earlier` to here, zero if `earlier` is later: packet stamps do go backwards.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The same in nanoseconds: asked for every packet, where taking a [`Duration`] apart again would show.
    #[inline]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `other` to here as a signed number, for reports.
    pub fn signed_secs_since(self, other: Self) -> f64 {
        if self.0 >= other.0 { (self.0 - other.0) as f64 / 1e9 } else { -((other.0 - self.0) as f64 / 1e9) }
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A point of civil time: nanoseconds since the Unix epoch, UTC, no leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(i64);

impl WallTime {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC as i64))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SEC as i64)
    }
}

impl WallTime {
    /// The time from `earlier` to here, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(if nanos > 0 { nanos as u64 } else { 0 })
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC with whole seconds, for logs and exports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.as_secs();
        let (year, month, day) = LocalDay::from_days(secs.div_euclid(86_400) as i32).ymd();
        let of_day = secs.rem_euclid(86_400);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        )
    }
}

/// What the shell knows about time when something happens: the monotonic moment always, wall time only while the
/// system clock can be believed (synchronised, not before the build).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic.
    pub mono: Moment,
    /// Civil time, or `None` while the clock is not to be trusted.
    pub wall: Option<WallTime>,
}

/// A calendar day by number: days since 1970-01-01. The name of a quota day (docs/design.md §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalDay(i32);

impl LocalDay {
    /// From days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn as_days(self) -> i32 {
        self.0
    }

    /// The day so many days later, or earlier when negative.
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Day of the week, Monday = 0.
    pub const fn weekday(self) -> u8 {
        (self.0 as i64 + 3).rem_euclid(7) as u8
    }

    /// Year, month (1–12), day (1–31) in the proleptic Gregorian calendar.
    /// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    pub fn ymd(self) -> (i32, u8, u8) {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u8;
        let year = yoe + era * 400 + i64::from(month <= 2);
        (year as i32, month, day)
    }

    /// The inverse of [`LocalDay::ymd`]; out-of-range months or days are not checked.
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Self {
        let y = i64::from(year) - i64::from(month <= 2);
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let mp = (i64::from(month) + 9) % 12;
        let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        Self((era * 146_097 + doe - 719_468) as i32)
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_never_run_backwards() {
        let early = Moment::from_secs(5);
        assert_eq!(early.since(Moment::from_secs(9)), Duration::ZERO);
        assert_eq!(early.signed_secs_since(Moment::from_secs(9)), -4.0);
        assert_eq!(Moment::from_secs(u64::MAX) + Duration::from_secs(1), Moment::from_nanos(u64::MAX));
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in -800_000..800_000 {
            let day = LocalDay::from_days(days);
            let (y, m, d) = day.ymd();
            assert_eq!(LocalDay::from_ymd(y, m, d), day);
        }
        assert_eq!(LocalDay::from_ymd(2026, 11, 20).weekday(), 4);
    }

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        assert_eq!(WallTime::from_secs(1_700_000_000).to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(WallTime::from_secs(-1).to_string(), "1969-12-31T23:59:59Z");
    }
}
