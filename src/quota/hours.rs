//! Weekdays and hours as a parent writes them: `mon-fri 15:00-20:00`, `sat,sun 10:00-01:00`, `sat 60`.

use std::fmt;
use std::str::FromStr;

use crate::time::{LocalDay, TimeOfDay, WallTime, Zone};

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A set of weekdays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// All seven.
    pub const ALL: Self = Self(0x7f);

    /// Whether the date falls on one of these weekdays.
    pub const fn contains(self, day: LocalDay) -> bool {
        self.0 >> day.weekday() & 1 == 1
    }

    fn name_index(text: &str) -> Option<usize> {
        NAMES.iter().position(|name| name.eq_ignore_ascii_case(text))
    }
}

/// Text that is not an expression of days or hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHours {
    /// Not weekdays.
    Days,
    /// Not a range of times of day.
    Times,
    /// A range that ends when it begins.
    Empty,
    /// Not a number of minutes of a day.
    Minutes,
}

impl fmt::Display for BadHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Days => "not weekdays (mon-fri, or sat,sun)",
            Self::Times => "not a range of hours (15:00-20:00)",
            Self::Empty => "begins and ends at the same time",
            Self::Minutes => "not weekdays and minutes from 0 to 1440 (sat 60)",
        })
    }
}

impl std::error::Error for BadHours {}

impl FromStr for Weekdays {
    type Err = BadHours;
    /// Reads `mon`, `mon-fri`, `sat-mon` (over the end of the week) and lists of these with commas.
    fn from_str(text: &str) -> Result<Self, BadHours> {
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (Self::name_index(first), Self::name_index(last)) else {
                return Err(BadHours::Days);
            };
            for step in 0..=(last + 7 - first) % 7 {
                days |= 1 << ((first + step) % 7);
            }
        }
        Ok(Self(days))
    }
}

impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (_, name) in NAMES.iter().enumerate().filter(|(index, _)| self.0 >> index & 1 == 1) {
            write!(f, "{comma}{name}")?;
            comma = ",";
        }
        Ok(())
    }
}

/// Hours of certain weekdays; when the end is not after the beginning they reach into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// The weekdays on which they begin.
    pub days: Weekdays,
    /// First minute.
    pub from: TimeOfDay,
    /// First minute no longer part of them.
    pub to: TimeOfDay,
}

impl Hours {
    /// How long they last on a clock that does not change.
    pub const fn minutes(&self) -> u16 {
        let (from, to) = (self.from.minutes(), self.to.minutes());
        if to > from { to - from } else { to + TimeOfDay::MINUTES_PER_DAY - from }
    }
}

impl Hours {
    /// When those that begin on a date begin and end. Reaching over a change of clocks they begin and end when
    /// the dial first shows it, like a reset time.
    fn on(&self, day: LocalDay, zone: &Zone) -> Option<(WallTime, WallTime)> {
        let next = i32::from(self.to <= self.from);
        let bounds = (zone.first_at(day, self.from), zone.first_at(day.plus(next), self.to));
        self.days.contains(day).then_some(bounds)
    }
}

/// Whether it is none of the hours, and when the next begin; no hours at all means always.
pub(super) fn closed_until(hours: &[Hours], zone: &Zone, wall: WallTime) -> Option<WallTime> {
    let today = zone.local(wall).day;
    let spans = |days: i32| hours.iter().filter_map(move |hours| hours.on(today.plus(days), zone));
    let open = [-1, 0, 1].into_iter().flat_map(spans).any(|(from, to)| from <= wall && wall < to);
    if open || hours.is_empty() {
        return None;
    }
    // Every set of weekdays has one within a week; a date that the zone skips costs one more.
    let next = (0..=9).find_map(|days| spans(days).map(|(from, _)| from).filter(|from| *from > wall).min());
    next.or(Some(wall + crate::time::Duration::from_secs(86_400)))
}

impl FromStr for Hours {
    type Err = BadHours;
    /// Reads `[DAYS] HH:MM-HH:MM`; without days, every day.
    fn from_str(text: &str) -> Result<Self, BadHours> {
        let mut words = text.split_ascii_whitespace();
        let (days, range) = match (words.next(), words.next(), words.next()) {
            (Some(range), None, None) => (Weekdays::ALL, range),
            (Some(days), Some(range), None) => (days.parse()?, range),
            _ => return Err(BadHours::Times),
        };
        let (from, to) = range.split_once('-').ok_or(BadHours::Times)?;
        let from: TimeOfDay = from.parse().map_err(|_| BadHours::Times)?;
        let to: TimeOfDay = to.parse().map_err(|_| BadHours::Times)?;
        if from.minutes() == TimeOfDay::MINUTES_PER_DAY {
            return Err(BadHours::Times);
        }
        if from == to { Err(BadHours::Empty) } else { Ok(Self { days, from, to }) }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.days, self.from, self.to)
    }
}

/// The quota of certain weekdays, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DayQuota {
    /// The weekdays of the quota day's first date.
    pub days: Weekdays,
    /// Minutes; 0 means no limit on those days.
    pub quota_min: u16,
}

impl FromStr for DayQuota {
    type Err = BadHours;
    /// Reads `DAYS MINUTES`.
    fn from_str(text: &str) -> Result<Self, BadHours> {
        let mut words = text.split_ascii_whitespace();
        let (Some(days), Some(minutes), None) = (words.next(), words.next(), words.next()) else {
            return Err(BadHours::Minutes);
        };
        let quota_min: u16 = minutes.parse().map_err(|_| BadHours::Minutes)?;
        if quota_min > TimeOfDay::MINUTES_PER_DAY {
            return Err(BadHours::Minutes);
        }
        Ok(Self { days: days.parse()?, quota_min })
    }
}

impl fmt::Display for DayQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.days, self.quota_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekday_ranges_wrap_over_the_end_of_the_week() {
        let days: Weekdays = "sat-mon".parse().unwrap();
        assert_eq!(days.to_string(), "mon,sat,sun");
        let days: Weekdays = "Mon-Fri".parse().unwrap();
        assert_eq!(days.to_string(), "mon,tue,wed,thu,fri");
        assert!(days.contains(LocalDay::from_ymd(2026, 11, 20)));
        assert!(!days.contains(LocalDay::from_ymd(2026, 11, 21)));
        for text in ["", "monday", "mon-", "-fri", "mon,,tue", "mon fri"] {
            assert!(text.parse::<Weekdays>().is_err(), "{text}");
        }
    }

    #[test]
    fn hours_may_reach_over_midnight() {
        let evening: Hours = "fri 20:00-01:30".parse().unwrap();
        assert_eq!(evening.minutes(), 330);
        assert_eq!(evening.to_string(), "fri 20:00-01:30");
        assert_eq!("00:00-24:00".parse::<Hours>().unwrap().minutes(), 1440);
        for text in ["", "mon", "mon 15:00", "mon 15:00-15:00", "mon 24:00-08:00", "mon tue 15:00-16:00"] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }

    #[test]
    fn closed_hours_end_when_the_next_begin() {
        let zone = Zone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let hours: Vec<Hours> =
            ["mon-fri 15:00-20:00", "fri,sat 22:00-00:30"].iter().map(|text| text.parse().unwrap()).collect();
        let local =
            |day: u8, time: &str| zone.first_at(LocalDay::from_ymd(2026, 11, day), time.parse().unwrap());
        // 2026-11-20 is a Friday.
        assert_eq!(closed_until(&hours, &zone, local(20, "14:59")), Some(local(20, "15:00")));
        assert_eq!(closed_until(&hours, &zone, local(20, "15:00")), None);
        assert_eq!(closed_until(&hours, &zone, local(20, "20:00")), Some(local(20, "22:00")));
        assert_eq!(closed_until(&hours, &zone, local(21, "00:29")), None);
        assert_eq!(closed_until(&hours, &zone, local(21, "00:30")), Some(local(21, "22:00")));
        assert_eq!(closed_until(&hours, &zone, local(22, "00:30")), Some(local(23, "15:00")));
        assert_eq!(closed_until(&[], &zone, local(22, "00:30")), None);
    }

    #[test]
    fn day_quotas_are_weekdays_and_minutes() {
        assert_eq!("sat 60".parse::<DayQuota>().unwrap().to_string(), "sat 60");
        for text in ["", "sat", "60", "sat 1441", "sat -1", "sat 60 min"] {
            assert!(text.parse::<DayQuota>().is_err(), "{text}");
        }
    }
}
