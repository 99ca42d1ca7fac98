//! Hours, days, weeks, months and years as a household lives them.
//!
//! A day runs from one `reset_time` to the next and is named by the date on which it begins, for bytes as for
//! minutes of video, so that the two can be held against each other. Hours are those of the dial. Where clocks
//! change, a day has 23 or 25 hours and an hour may have 30 minutes or be there twice; every moment lies in
//! exactly one hour and one day, and every hour in exactly one day, whatever the zone does.

use std::ops::Range;
use std::str::FromStr;

use crate::time::{LocalDay, TimeOfDay, WallTime, Zone};

/// The middle of a day is in it even if the zone or the reset time changed since it was written down.
const HALF_DAY_S: i64 = 43_200;
/// Periods of one answer; a day of minutes, four years of days.
pub const MAX_BUCKETS: usize = 1_500;

/// How long the periods of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// Sixty seconds.
    Minute,
    /// An hour of the dial.
    Hour,
    /// From one reset time to the next.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From the first of January.
    Year,
    /// All of it.
    Total,
}

impl Per {
    /// Every length, with its word.
    const ALL: [(&'static str, Self); 7] = [
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("year", Self::Year),
        ("total", Self::Total),
    ];
}

impl FromStr for Per {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, per)| *per).ok_or(())
    }
}

/// The dial of a household.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    zone: Zone,
    reset: TimeOfDay,
}

impl Calendar {
    /// From the zone, and the time at which days begin.
    pub fn new(zone: Zone, reset: TimeOfDay) -> Self {
        Self { zone, reset }
    }

    /// The zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// When a day begins, in seconds since the epoch.
    pub fn begins(&self, day: LocalDay) -> i64 {
        self.zone.first_at(day, self.reset).as_secs()
    }

    /// A day from its beginning to that of the next.
    pub fn span(&self, day: LocalDay) -> Range<i64> {
        self.begins(day)..self.begins(day.plus(1))
    }

    /// The day in which a second lies.
    pub fn day_of(&self, at_s: i64) -> LocalDay {
        let today = self.zone.local(WallTime::from_secs(at_s)).day;
        // A date may be skipped or repeated where the date line moved; two days back is always earlier.
        let begun = |day: &LocalDay| self.begins(*day) <= at_s;
        [1, 0, -1].map(|days| today.plus(days)).into_iter().find(begun).unwrap_or(today.plus(-2))
    }

    /// The day of which a whole day's row is, by the second at which it began when it was written.
    pub fn day_of_row(&self, start_s: i64) -> LocalDay {
        self.day_of(start_s + HALF_DAY_S)
    }

    /// The seconds at which whole days' rows may begin that belong to a span.
    pub fn row_starts(span: &Range<i64>) -> Range<i64> {
        span.start - HALF_DAY_S..span.end - HALF_DAY_S
    }

    fn offset_s(&self, at_s: i64) -> i64 {
        i64::from(self.zone.offset_at(WallTime::from_secs(at_s)))
    }

    /// When the hour of the dial began in which a second lies: with the hour, with a change of the clocks in it, or
    /// with the day.
    pub fn hour_of(&self, at_s: i64) -> i64 {
        let offset_s = self.offset_s(at_s);
        let mut start_s = at_s - (at_s + offset_s).rem_euclid(3_600);
        if self.offset_s(start_s) != offset_s {
            // The first second with today's offset lies in between.
            let (mut before_s, mut after_s) = (start_s, at_s);
            while after_s - before_s > 1 {
                let middle_s = before_s + (after_s - before_s) / 2;
                let side = if self.offset_s(middle_s) == offset_s { &mut after_s } else { &mut before_s };
                *side = middle_s;
            }
            start_s = after_s;
        }
        start_s.max(self.begins(self.day_of(at_s)))
    }

    /// The period in which a second lies; the whole of time for [`Per::Total`].
    pub fn period(&self, per: Per, at_s: i64) -> Range<i64> {
        let days = |first: LocalDay, after: LocalDay| self.begins(first)..self.begins(after);
        let day = self.day_of(at_s);
        let (year, month, _) = day.ymd();
        match per {
            Per::Minute => {
                let start_s = at_s - at_s.rem_euclid(60);
                start_s..start_s + 60
            }
            Per::Hour => {
                let start_s = self.hour_of(at_s);
                // The first minute that is of another hour; none is longer than two.
                let (mut within_s, mut end_s) = (start_s, start_s + 7_200);
                while end_s - within_s > 60 {
                    let middle_s = within_s + (end_s - within_s) / 120 * 60;
                    let side = if self.hour_of(middle_s) == start_s { &mut within_s } else { &mut end_s };
                    *side = middle_s;
                }
                start_s..self.hour_of(end_s)
            }
            Per::Day => self.span(day),
            Per::Week => {
                let monday = day.plus(-i32::from(day.weekday()));
                days(monday, monday.plus(7))
            }
            Per::Month => {
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days(LocalDay::from_ymd(year, month, 1), LocalDay::from_ymd(next.0, next.1, 1))
            }
            Per::Year => days(LocalDay::from_ymd(year, 1, 1), LocalDay::from_ymd(year + 1, 1, 1)),
            Per::Total => i64::MIN..i64::MAX,
        }
    }

    /// The periods that a range touches, whole, in order; `None` if there are more than [`MAX_BUCKETS`].
    pub fn periods(&self, per: Per, range: &Range<i64>) -> Option<Vec<Range<i64>>> {
        if per == Per::Total {
            return Some(vec![range.clone()]);
        }
        let mut periods = Vec::new();
        let mut at_s = range.start;
        while at_s < range.end {
            let period = self.period(per, at_s);
            at_s = period.end;
            if periods.len() == MAX_BUCKETS {
                return None;
            }
            periods.push(period);
        }
        Some(periods)
    }

    /// What a period is called: its date, with the time of day if it is shorter than a day.
    pub fn name(&self, per: Per, start_s: i64) -> String {
        let day = self.day_of(start_s);
        let (year, month, _) = day.ymd();
        match per {
            Per::Minute | Per::Hour => self.stamp(start_s),
            Per::Day | Per::Week => day.to_string(),
            Per::Month => format!("{year:04}-{month:02}"),
            Per::Year => format!("{year:04}"),
            Per::Total => "total".to_owned(),
        }
    }

    /// A second as the dial shows it, with its distance from UTC (RFC 3339).
    pub fn stamp(&self, at_s: i64) -> String {
        let local = self.zone.local(WallTime::from_secs(at_s));
        let (hour, minute, second) = (local.second / 3_600, local.second / 60 % 60, local.second % 60);
        let offset_min = self.offset_s(at_s) / 60;
        let sign = if offset_min < 0 { '-' } else { '+' };
        let (off_hour, off_minute) = (offset_min.abs() / 60, offset_min.abs() % 60);
        format!("{}T{hour:02}:{minute:02}:{second:02}{sign}{off_hour:02}:{off_minute:02}", local.day)
    }

    /// A point of time as people write it, in seconds since the epoch: seconds, a date (when that day begins), a
    /// month or a year, a date and time of the dial (or with `Z` of UTC), `now`, `today`, `yesterday`, `tomorrow`,
    /// `week`, `month`, `year` (when this one began), and `7d`, `2w` (the beginning of that day), `24h`, `90m` ago.
    pub fn parse(&self, text: &str, now_s: i64) -> Option<i64> {
        let text = text.trim();
        if let Ok(secs) = text.parse::<i64>()
            && (text.len() != 4 || !(1970..=9999).contains(&secs))
        {
            return Some(secs);
        }
        let today = self.day_of(now_s);
        match text {
            "now" => return Some(now_s),
            "today" => return Some(self.begins(today)),
            "yesterday" => return Some(self.begins(today.plus(-1))),
            "tomorrow" => return Some(self.begins(today.plus(1))),
            "week" => return Some(self.period(Per::Week, now_s).start),
            "month" => return Some(self.period(Per::Month, now_s).start),
            "year" => return Some(self.period(Per::Year, now_s).start),
            _ => {}
        }
        self.ago(text, now_s).or_else(|| self.dated(text))
    }

    fn ago(&self, text: &str, now_s: i64) -> Option<i64> {
        let unit = text.chars().last().filter(char::is_ascii_alphabetic)?;
        let count: i32 =
            text.get(..text.len() - 1)?.parse().ok().filter(|count| (0..=100_000).contains(count))?;
        let today = self.day_of(now_s);
        match unit {
            'd' => Some(self.begins(today.plus(-count))),
            'w' => Some(self.begins(today.plus(-count.saturating_mul(7)))),
            'h' => Some(now_s - i64::from(count) * 3_600),
            'm' => Some(now_s - i64::from(count) * 60),
            _ => None,
        }
    }

    fn dated(&self, text: &str) -> Option<i64> {
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4).filter(|year| (1970..=9999).contains(year))?;
        let month = parts.next().map_or(Some(1), |part| digits(part, 2)).filter(|m| (1..=12).contains(m))?;
        let date = parts.next().map_or(Some(1), |part| digits(part, 2)).filter(|d| (1..=31).contains(d))?;
        let day = LocalDay::from_ymd(
            i32::try_from(year).ok()?,
            u8::try_from(month).ok()?,
            u8::try_from(date).ok()?,
        );
        if parts.next().is_some() || u32::from(day.ymd().1) != month {
            return None;
        }
        let Some(time) = time else { return Some(self.begins(day)) };
        let (time, is_utc) = match time.strip_suffix('Z') {
            Some(time) => (time, true),
            None => (time, false),
        };
        let mut parts = time.split(':');
        let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let second = parts.next().map_or(Some(0), |part| digits(part, 2))?;
        if hour > 23 || minute > 59 || second > 60 || parts.next().is_some() {
            return None;
        }
        if is_utc {
            let of_day = i64::from(hour * 3_600 + minute * 60 + second);
            return Some(i64::from(day.as_days()) * 86_400 + of_day);
        }
        let time = TimeOfDay::from_hm(u16::try_from(hour).ok()?, u16::try_from(minute).ok()?);
        Some(self.zone.first_at(day, time).as_secs() + i64::from(second))
    }
}

/// A number of at most so many digits, and nothing else.
fn digits(text: &str, most: usize) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    const KOLKATA: &str = "IST-5:30";

    fn calendar(zone: &str, reset: &str) -> Calendar {
        Calendar::new(Zone::from_posix(zone).unwrap(), reset.parse().unwrap())
    }

    fn utc(text: &str) -> i64 {
        Calendar::default().parse(text, 0).unwrap()
    }

    #[test]
    fn every_minute_of_a_year_lies_in_one_hour_and_every_hour_in_one_day() {
        for zone in [BERLIN, LORD_HOWE, KOLKATA, "EST5EDT,M3.2.0,M11.1.0"] {
            for reset in ["00:00", "02:15", "04:00"] {
                let calendar = calendar(zone, reset);
                let (mut at_s, end_s) = (utc("2026-01-01"), utc("2027-01-01"));
                let mut hour = calendar.period(Per::Hour, at_s);
                let mut day = calendar.span(calendar.day_of(at_s));
                while at_s < end_s {
                    if at_s >= hour.end {
                        let next = calendar.period(Per::Hour, at_s);
                        assert_eq!(next.start, hour.end, "{zone} {reset} {at_s}");
                        assert!(next.end - next.start <= 3_600, "{next:?}");
                        hour = next;
                    }
                    if at_s >= day.end {
                        let next = calendar.span(calendar.day_of(at_s));
                        assert_eq!(next.start, day.end);
                        day = next;
                    }
                    assert!(hour.contains(&at_s) && day.start <= hour.start && hour.end <= day.end, "{at_s}");
                    at_s += 600;
                }
            }
        }
    }

    #[test]
    fn days_on_which_clocks_change_have_23_or_25_hours() {
        let calendar = calendar(BERLIN, "04:00");
        let hours = |date: &str| {
            let span = calendar.span(calendar.day_of(calendar.parse(date, 0).unwrap()));
            (calendar.periods(Per::Hour, &span).unwrap().len(), (span.end - span.start) / 3_600)
        };
        assert_eq!(
            [hours("2026-03-27"), hours("2026-03-28"), hours("2026-10-24")],
            [(24, 24), (23, 23), (25, 25)]
        );
    }

    #[test]
    fn weeks_months_and_years_are_made_of_days() {
        let calendar = calendar(BERLIN, "04:00");
        let at_s = calendar.parse("2026-11-20T16:00", 0).unwrap();
        let shown = |per| {
            let period = calendar.period(per, at_s);
            (calendar.name(per, period.start), calendar.stamp(period.end))
        };
        assert_eq!(
            shown(Per::Hour),
            ("2026-11-20T16:00:00+01:00".into(), "2026-11-20T17:00:00+01:00".into())
        );
        assert_eq!(shown(Per::Day), ("2026-11-20".into(), "2026-11-21T04:00:00+01:00".into()));
        assert_eq!(shown(Per::Week), ("2026-11-16".into(), "2026-11-23T04:00:00+01:00".into()));
        assert_eq!(shown(Per::Month), ("2026-11".into(), "2026-12-01T04:00:00+01:00".into()));
        assert_eq!(shown(Per::Year), ("2026".into(), "2027-01-01T04:00:00+01:00".into()));
        // Before the reset time it is still the day before.
        assert_eq!(calendar.day_of(calendar.parse("2026-11-20T03:59", 0).unwrap()).to_string(), "2026-11-19");
        let year = calendar.period(Per::Year, at_s);
        assert_eq!(calendar.periods(Per::Day, &year).unwrap().len(), 365);
        assert_eq!(calendar.periods(Per::Minute, &year), None);
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let calendar = calendar(BERLIN, "04:00");
        let now_s = utc("2026-11-20T15:30:00Z");
        let read = |text: &str| calendar.parse(text, now_s).map(|at_s| calendar.stamp(at_s));
        for (text, expected) in [
            ("now", "2026-11-20T16:30:00+01:00"),
            ("today", "2026-11-20T04:00:00+01:00"),
            ("yesterday", "2026-11-19T04:00:00+01:00"),
            ("week", "2026-11-16T04:00:00+01:00"),
            ("month", "2026-11-01T04:00:00+01:00"),
            ("7d", "2026-11-13T04:00:00+01:00"),
            ("2w", "2026-11-06T04:00:00+01:00"),
            ("24h", "2026-11-19T16:30:00+01:00"),
            ("90m", "2026-11-20T15:00:00+01:00"),
            ("2026-07-01", "2026-07-01T04:00:00+02:00"),
            ("2026-07", "2026-07-01T04:00:00+02:00"),
            ("2026", "2026-01-01T04:00:00+01:00"),
            ("2026-07-01T12:30", "2026-07-01T12:30:00+02:00"),
            ("2026-07-01 12:30:05", "2026-07-01T12:30:05+02:00"),
            ("2026-07-01T12:30:00Z", "2026-07-01T14:30:00+02:00"),
            ("1795187400", "2026-11-20T16:10:00+01:00"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-30",
            "2026-01-01T25:00",
            "99999-01-01",
            "-5d",
            "9999999999d",
            "1e9",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
