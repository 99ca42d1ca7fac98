//! The TZ rules of POSIX (IEEE 1003.1, "Environment Variables", TZ; RFC 8536 §3.3.1 for hours beyond a day), as
//! OpenWrt keeps them in `/etc/TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`.

use super::LocalDay;

/// Offsets and when they change, the same every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    std_offset_s: i32,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summer {
    offset_s: i32,
    begins: YearDay,
    ends: YearDay,
}

/// A day of each year, with the local time at which clocks change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct YearDay {
    date: YearDate,
    time_s: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum YearDate {
    /// `Mm.w.d`: the w-th (5 = last) weekday d (0 = Sunday) of month m.
    Month { month: u8, week: u8, weekday: u8 },
    /// `Jn`: day 1 to 365, February 29 never counted.
    Julian(u16),
    /// `n`: day 0 to 365.
    ZeroBased(u16),
}

impl YearDay {
    /// Local seconds since the epoch.
    fn in_year(self, year: i32) -> i64 {
        let new_year = LocalDay::from_ymd(year, 1, 1);
        let leap = LocalDay::from_ymd(year + 1, 1, 1).as_days() - new_year.as_days() == 366;
        let day = match self.date {
            YearDate::ZeroBased(n) => new_year.plus(i32::from(n)),
            YearDate::Julian(n) => new_year.plus(i32::from(n) - 1 + i32::from(leap && n >= 60)),
            YearDate::Month { month, week, weekday } => {
                let first = LocalDay::from_ymd(year, month, 1);
                // POSIX counts from Sunday, LocalDay from Monday.
                let first_weekday = i32::from((first.weekday() + 1) % 7);
                let mut day =
                    first.plus((i32::from(weekday) + 7 - first_weekday) % 7 + 7 * (i32::from(week) - 1));
                while day.ymd().1 != month {
                    day = day.plus(-7);
                }
                day
            }
        };
        i64::from(day.as_days()) * 86_400 + i64::from(self.time_s)
    }
}

impl Rules {
    pub(super) const UTC: Self = Self { std_offset_s: 0, summer: None };

    /// The changes of a year in order: when (UTC seconds), and the offset from then on.
    fn changes(&self, year: i32) -> impl Iterator<Item = (i64, i32)> {
        let pair = self.summer.map(|summer| {
            let begins = (summer.begins.in_year(year) - i64::from(self.std_offset_s), summer.offset_s);
            let ends = (summer.ends.in_year(year) - i64::from(summer.offset_s), self.std_offset_s);
            if begins.0 < ends.0 { [begins, ends] } else { [ends, begins] }
        });
        pair.into_iter().flatten()
    }

    /// The changes of the years around a moment, in order.
    fn around(&self, utc_s: i64) -> impl Iterator<Item = (i64, i32)> {
        let days = utc_s.div_euclid(86_400).clamp(-30_000_000, 30_000_000) as i32;
        let year = LocalDay::from_days(days).ymd().0;
        (year - 1..=year + 1).flat_map(|year| self.changes(year))
    }

    /// Seconds east of UTC.
    pub(super) fn offset_at(&self, utc_s: i64) -> i32 {
        self.around(utc_s)
            .take_while(|(at, _)| *at <= utc_s)
            .last()
            .map_or(self.std_offset_s, |(_, offset)| offset)
    }

    /// The first change after a moment: when, and the offset from then on.
    pub(super) fn next_change(&self, after_s: i64) -> Option<(i64, i32)> {
        self.around(after_s).find(|(at, _)| *at > after_s)
    }

    /// Reads a TZ string; `None` if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        rest.name()?;
        let std_offset_s = -rest.hms(24)?;
        if rest.0.is_empty() {
            return Some(Self { std_offset_s, summer: None });
        }
        rest.name()?;
        let offset_s = match rest.0.first() {
            None | Some(b',') => std_offset_s + 3_600,
            Some(_) => -rest.hms(24)?,
        };
        let (begins, ends) = if rest.0.is_empty() {
            // POSIX leaves it open; everybody takes the rule of the United States.
            let mut usual = Rest(b",M3.2.0,M11.1.0");
            (usual.year_day()?, usual.year_day()?)
        } else {
            (rest.year_day()?, rest.year_day()?)
        };
        rest.0.is_empty().then_some(Self { std_offset_s, summer: Some(Summer { offset_s, begins, ends }) })
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        self.0 = &self.0[usize::from(there)..];
        there
    }

    /// `CEST` or `<+1030>`.
    fn name(&mut self) -> Option<()> {
        let quoted = self.take(b'<');
        let good = |b: &u8| if quoted { *b != b'>' } else { b.is_ascii_alphabetic() };
        let len = self.0.iter().take_while(|b| good(b)).count();
        self.0 = &self.0[len..];
        ((3..=32).contains(&len) && (!quoted || self.take(b'>'))).then_some(())
    }

    fn number(&mut self, max: i32) -> Option<i32> {
        let len = self.0.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let value: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (value <= max).then_some(value)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn hms(&mut self, max_h: i32) -> Option<i32> {
        let sign = if self.take(b'-') {
            -1
        } else {
            self.take(b'+');
            1
        };
        let mut seconds = self.number(max_h)? * 3_600;
        if self.take(b':') {
            seconds += self.number(59)? * 60;
            if self.take(b':') {
                seconds += self.number(59)?;
            }
        }
        Some(sign * seconds)
    }

    /// `,DATE[/TIME]`.
    fn year_day(&mut self) -> Option<YearDay> {
        if !self.take(b',') {
            return None;
        }
        let date = if self.take(b'M') {
            let month = self.number(12).filter(|m| *m >= 1)?;
            let week = self.take(b'.').then(|| self.number(5))?.filter(|w| *w >= 1)?;
            let weekday = self.take(b'.').then(|| self.number(6))??;
            YearDate::Month { month: month as u8, week: week as u8, weekday: weekday as u8 }
        } else if self.take(b'J') {
            YearDate::Julian(self.number(365).filter(|n| *n >= 1)? as u16)
        } else {
            YearDate::ZeroBased(self.number(365)? as u16)
        };
        let time_s = if self.take(b'/') { self.hms(167)? } else { 2 * 3_600 };
        Some(YearDay { date, time_s })
    }
}
