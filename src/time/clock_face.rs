//! What a clock on the wall shows: hours and minutes, without a date or a zone.

use std::fmt;
use std::str::FromStr;

/// A time of day to the minute, `00:00` to `24:00`; the last is the end of a day, never its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    /// Minutes in a day without a change of clocks.
    pub const MINUTES_PER_DAY: u16 = 24 * 60;

    /// From hours and minutes; more than `24:00` is cut to `24:00`.
    pub const fn from_hm(hours: u16, minutes: u16) -> Self {
        let all = hours.saturating_mul(60).saturating_add(minutes);
        Self { minutes: if all > Self::MINUTES_PER_DAY { Self::MINUTES_PER_DAY } else { all } }
    }

    /// Minutes since midnight.
    pub const fn minutes(self) -> u16 {
        self.minutes
    }
}

/// Text that is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTimeOfDay;

impl fmt::Display for BadTimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time of day (04:00)")
    }
}

impl std::error::Error for BadTimeOfDay {}

impl FromStr for TimeOfDay {
    type Err = BadTimeOfDay;
    fn from_str(text: &str) -> Result<Self, BadTimeOfDay> {
        let (hours, minutes) = text.split_once(':').ok_or(BadTimeOfDay)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
            return Err(BadTimeOfDay);
        }
        let hours: u16 = hours.parse().map_err(|_| BadTimeOfDay)?;
        let minutes: u16 = minutes.parse().map_err(|_| BadTimeOfDay)?;
        if hours > 24 || minutes > 59 || hours == 24 && minutes > 0 {
            return Err(BadTimeOfDay);
        }
        Ok(Self::from_hm(hours, minutes))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_read_and_print_to_the_minute() {
        for (text, shown) in [("04:00", "04:00"), ("4:00", "04:00"), ("23:59", "23:59"), ("24:00", "24:00")] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), shown);
        }
        for text in ["", "4", "04:60", "24:01", "25:00", "4:0", "-1:00", "+4:00", "04:00:00", "aa:bb"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
