//! Which quota day it is, on a router whose clock may be wrong.
//!
//! A quota day runs from one reset time to the next and is named by the date on which it begins. The rules for
//! clocks, none of which ever gives a fresh quota in silence:
//!
//! * Not synchronised: the last known day goes on, however long.
//! * Synchronised for the first time: what was counted before belongs to the day it turns out to be.
//! * Forward, by a day or by years: one new day, one reset.
//! * Backward into the day before: the known day goes on until the clock has left it again, so that stepping
//!   forward once more is no second reset. Backward by more: the clock had been far ahead; the day is named
//!   anew, and its usage stays.

use crate::time::{Duration, LocalDay, Moment, Now, TimeOfDay, WallTime, Zone};

use super::Period;

/// A quota day with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuotaDay {
    pub(super) day: LocalDay,
    pub(super) begins: WallTime,
    pub(super) ends: WallTime,
}

/// The quota day in which a moment lies.
pub(super) fn quota_day(zone: &Zone, reset: TimeOfDay, wall: WallTime) -> QuotaDay {
    let today = zone.local(wall).day;
    // A date may be skipped or repeated where the date line moved; two days back is always earlier.
    let begun = |day: &LocalDay| zone.first_at(*day, reset) <= wall;
    let day = [1, 0, -1].map(|days| today.plus(days)).into_iter().find(begun).unwrap_or(today.plus(-2));
    QuotaDay { day, begins: zone.first_at(day, reset), ends: zone.first_at(day.plus(1), reset) }
}

/// What a reading of the clock meant for the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Same,
    /// The day is known for the first time.
    Named(LocalDay),
    /// A new day has begun.
    Began(LocalDay),
    /// The clock went back; the day is named anew without a reset.
    Renamed(LocalDay),
}

/// A span, parted where the day began.
pub(super) struct Split {
    pub(super) before: Option<(Moment, Moment)>,
    pub(super) today: Option<(Moment, Moment)>,
}

/// The day, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DayClock {
    /// The day that usage is filed under.
    pub(super) day: Option<LocalDay>,
    /// When it began, if it began while we watched.
    pub(super) began: Option<Moment>,
    /// The last moment at which the time of day could be believed.
    anchor: Option<(Moment, WallTime)>,
    /// When the filed day ends by the wall clock.
    ends: Option<WallTime>,
}

impl DayClock {
    /// Reads the clock.
    pub(super) fn read(&mut self, now: Now, rules: (&Zone, TimeOfDay)) -> Turn {
        let (zone, reset) = rules;
        let Some(wall) = now.wall else { return Turn::Same };
        self.anchor = Some((now.mono, wall));
        let quota_day = quota_day(zone, reset, wall);
        let turn = match self.day {
            None => Turn::Named(quota_day.day),
            Some(known) if quota_day.day > known => Turn::Began(quota_day.day),
            Some(known) if quota_day.day.plus(1) < known => Turn::Renamed(quota_day.day),
            Some(_) => Turn::Same,
        };
        match turn {
            Turn::Named(day) | Turn::Renamed(day) => self.day = Some(day),
            Turn::Began(day) => {
                self.day = Some(day);
                self.began = Some(now.mono - wall.since(quota_day.begins));
            }
            Turn::Same => {}
        }
        self.ends = self.day.map(|day| zone.first_at(day.plus(1), reset));
        turn
    }

    /// When the day ends: the next reset.
    pub(super) fn ends(&self) -> Option<WallTime> {
        self.ends
    }

    /// The time of day now: read, or reckoned from when it was last known.
    pub(super) fn wall(&self, now: Now) -> Option<WallTime> {
        now.wall.or_else(|| self.anchor.map(|(mono, wall)| wall + now.mono.since(mono)))
    }

    /// When the wall clock will show `wall`, on the line that never steps.
    pub(super) fn moment_of(&self, now: Now, wall: WallTime) -> Option<Moment> {
        self.wall(now).map(|today| now.mono + wall.since(today))
    }

    /// How much of a span lies before the day began, and how much in it.
    pub(super) fn split(&self, start: Moment, len: Duration) -> Split {
        let end = start + len;
        let began = self.began.unwrap_or(Moment::ZERO);
        Split {
            before: (start < began).then(|| (start, end.min(began))),
            today: (end > began).then(|| (start.max(began), end)),
        }
    }
}

/// The date on which a data plan's period began.
pub(super) fn period_start(period: Period, reset_day: u8, day: LocalDay) -> LocalDay {
    match period {
        Period::Day => day,
        Period::Week => {
            let back = (i32::from(day.weekday()) + 7 - (i32::from(reset_day) - 1).rem_euclid(7)) % 7;
            day.plus(-back)
        }
        Period::Month => {
            let (year, month, date) = day.ymd();
            if date >= reset_date(year, month, reset_day) {
                return LocalDay::from_ymd(year, month, reset_date(year, month, reset_day));
            }
            let (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
            LocalDay::from_ymd(year, month, reset_date(year, month, reset_day))
        }
    }
}

/// The date on which the period after the one that began on `start` begins.
pub(super) fn next_period(period: Period, reset_day: u8, start: LocalDay) -> LocalDay {
    match period {
        Period::Day => start.plus(1),
        Period::Week => start.plus(7),
        Period::Month => {
            let (year, month, _) = start.ymd();
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            LocalDay::from_ymd(year, month, reset_date(year, month, reset_day))
        }
    }
}

/// `reset_day`, or the last date of a shorter month.
fn reset_date(year: i32, month: u8, reset_day: u8) -> u8 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let last = LocalDay::from_ymd(next_year, next_month, 1).plus(-1).ymd().2;
    reset_day.clamp(1, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> LocalDay {
        let parts: Vec<i32> = text.split('-').map(|part| part.parse().unwrap()).collect();
        LocalDay::from_ymd(parts[0], parts[1] as u8, parts[2] as u8)
    }

    #[test]
    fn months_begin_on_their_last_date_when_they_are_short() {
        let start = |reset, today: &str| period_start(Period::Month, reset, day(today)).to_string();
        assert_eq!(start(31, "2026-03-30"), "2026-02-28");
        assert_eq!(start(31, "2026-03-31"), "2026-03-31");
        assert_eq!(start(29, "2028-03-01"), "2028-02-29");
        assert_eq!(start(15, "2026-01-14"), "2025-12-15");
        assert_eq!(next_period(Period::Month, 31, day("2026-01-31")).to_string(), "2026-02-28");
        assert_eq!(next_period(Period::Month, 31, day("2026-02-28")).to_string(), "2026-03-31");
    }

    #[test]
    fn weeks_begin_on_their_weekday() {
        // 2026-11-20 is a Friday.
        let start = |reset| period_start(Period::Week, reset, day("2026-11-20")).to_string();
        assert_eq!([start(1), start(5), start(6)], ["2026-11-16", "2026-11-20", "2026-11-14"]);
    }

    #[test]
    fn every_moment_lies_in_exactly_one_quota_day() {
        let zones =
            ["CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"];
        for zone in zones {
            let zone = Zone::from_posix(zone).unwrap();
            for reset in ["00:00", "02:15", "02:30", "04:00", "23:30"] {
                let reset: TimeOfDay = reset.parse().unwrap();
                let mut last = quota_day(&zone, reset, WallTime::from_secs(1_767_225_600));
                for hour in 1..8_900 {
                    let wall = WallTime::from_secs(1_767_225_600 + hour * 3_600);
                    let now = quota_day(&zone, reset, wall);
                    assert!(now.begins <= wall && wall < now.ends, "{wall} {now:?}");
                    assert!(now == last || now.day == last.day.plus(1) && now.begins == last.ends);
                    last = now;
                }
            }
        }
    }
}
