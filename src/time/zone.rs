//! Local time: what clocks in a household show, from rules that the shell reads as bytes.
//!
//! A quota day begins when the wall clock first shows the reset time. [`Zone::first_at`] is that rule: a time
//! that daylight saving skips happens at the first valid moment after it, one that it repeats happens once, the
//! first time.

use std::fmt;

use super::posix_tz::Rules;
use super::{LocalDay, TimeOfDay, WallTime};

/// Most transitions read from a zone file; the largest in tzdata have about 250.
const MAX_TRANSITIONS: usize = 2_048;

/// The rules of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Offset before the first transition.
    first_offset_s: i32,
    /// (UTC seconds, offset from then on), in order.
    transitions: Vec<(i64, i32)>,
    /// What holds after the last transition.
    rules: Option<Rules>,
}

/// What local clocks show at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// The date.
    pub day: LocalDay,
    /// Seconds since 00:00 on the dial.
    pub second: u32,
}

/// Why a zone could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadZone {
    /// Not a POSIX TZ string.
    PosixTz,
    /// Not a zone file, or one that is cut short.
    ZoneFile {
        /// Where reading stopped, in bytes.
        offset: usize,
    },
}

impl fmt::Display for BadZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PosixTz => f.write_str("not a POSIX time zone (CET-1CEST,M3.5.0,M10.5.0/3)"),
            Self::ZoneFile { offset } => write!(f, "not a time zone file (at byte {offset})"),
        }
    }
}

impl std::error::Error for BadZone {}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self { first_offset_s: 0, transitions: Vec::new(), rules: Some(Rules::UTC) }
    }
}

impl Zone {
    /// Reads a POSIX TZ string, as in OpenWrt's `/etc/TZ`; white space around it is no part of it.
    ///
    /// # Errors
    /// If the text is no such string.
    pub fn from_posix(text: &str) -> Result<Self, BadZone> {
        let rules = Rules::parse(text.trim()).ok_or(BadZone::PosixTz)?;
        let first_offset_s = 0;
        Ok(Self { first_offset_s, transitions: Vec::new(), rules: Some(rules) })
    }

    /// Reads a compiled zone file (RFC 8536), as in `/etc/localtime`.
    ///
    /// # Errors
    /// If the bytes are no such file.
    pub fn from_tzfile(bytes: &[u8]) -> Result<Self, BadZone> {
        let mut reader = Reader { bytes, at: 0 };
        reader.zone().ok_or(BadZone::ZoneFile { offset: reader.at })
    }

    /// Seconds east of UTC at a moment.
    pub fn offset_at(&self, wall: WallTime) -> i32 {
        self.offset_s(wall.as_secs())
    }

    fn offset_s(&self, utc_s: i64) -> i32 {
        let passed = self.transitions.partition_point(|(at, _)| *at <= utc_s);
        match (&self.rules, passed.checked_sub(1)) {
            // Rules from a file hold after its transitions; alone they hold always.
            (Some(rules), _) if passed == self.transitions.len() => rules.offset_at(utc_s),
            (_, Some(last)) => self.transitions[last].1,
            (_, None) => self.first_offset_s,
        }
    }

    fn next_change(&self, after_s: i64) -> Option<(i64, i32)> {
        let next = self.transitions.partition_point(|(at, _)| *at <= after_s);
        let listed = self.transitions.get(next).copied();
        listed.or_else(|| self.rules.as_ref().and_then(|rules| rules.next_change(after_s)))
    }

    /// What local clocks show at a moment.
    pub fn local(&self, wall: WallTime) -> LocalTime {
        let local_s = wall.as_secs() + i64::from(self.offset_at(wall));
        LocalTime {
            day: LocalDay::from_days(local_s.div_euclid(86_400) as i32),
            second: local_s.rem_euclid(86_400) as u32,
        }
    }

    /// The first moment at which local clocks show this time of this date, or later.
    pub fn first_at(&self, day: LocalDay, time: TimeOfDay) -> WallTime {
        let local_s = i64::from(day.as_days()) * 86_400 + i64::from(time.minutes()) * 60;
        // No zone is further than 26 hours from UTC, so here the dial shows less in any of them.
        let mut since_s = local_s - 26 * 3_600;
        let mut offset_s = self.offset_s(since_s);
        loop {
            let shown_s = since_s.max(local_s - i64::from(offset_s));
            match self.next_change(since_s) {
                Some((at, offset)) if at <= shown_s => (since_s, offset_s) = (at, offset),
                _ => return WallTime::from_secs(shown_s),
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The counts of a TZif header, in its order.
struct Counts {
    utc: usize,
    std: usize,
    leap: usize,
    time: usize,
    kind: usize,
    chars: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    fn count(&mut self, max: usize) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok().filter(|count| *count <= max)
    }

    fn header(&mut self) -> Option<(u8, Counts)> {
        if self.take(4)? != b"TZif" {
            return None;
        }
        let version = *self.take(16)?.first()?;
        let counts = Counts {
            utc: self.count(256)?,
            std: self.count(256)?,
            leap: self.count(1_024)?,
            time: self.count(MAX_TRANSITIONS)?,
            kind: self.count(256)?,
            chars: self.count(4_096)?,
        };
        Some((version, counts))
    }

    fn zone(&mut self) -> Option<Zone> {
        let (version, counts) = self.header()?;
        if version < b'2' {
            return self.block(&counts, 4);
        }
        self.take(
            counts.time * 5 + counts.kind * 6 + counts.chars + counts.leap * 8 + counts.std + counts.utc,
        )?;
        let (_, counts) = self.header()?;
        let mut zone = self.block(&counts, 8)?;
        let footer = self.bytes.get(self.at..)?.strip_prefix(b"\n")?;
        let end = footer.iter().position(|b| *b == b'\n')?;
        let text = std::str::from_utf8(footer.get(..end)?).ok()?;
        if !text.is_empty() {
            zone.rules = Some(Rules::parse(text)?);
        }
        Some(zone)
    }

    /// A data block with times of `width` bytes.
    fn block(&mut self, counts: &Counts, width: usize) -> Option<Zone> {
        let times = self.take(counts.time * width)?;
        let indices = self.take(counts.time)?;
        let kinds = self.take(counts.kind * 6)?;
        self.take(counts.chars + counts.leap * (width + 4) + counts.std + counts.utc)?;
        let offset = |index: usize| {
            let bytes = kinds.get(index * 6..index * 6 + 4)?.try_into().ok()?;
            Some(i32::from_be_bytes(bytes)).filter(|offset_s| offset_s.unsigned_abs() <= 26 * 3_600)
        };
        let mut transitions = Vec::with_capacity(counts.time);
        for (time, index) in times.chunks_exact(width).zip(indices) {
            let at = match width {
                4 => i64::from(i32::from_be_bytes(time.try_into().ok()?)),
                _ => i64::from_be_bytes(time.try_into().ok()?),
            };
            if transitions.last().is_some_and(|(last, _)| *last >= at) {
                return None;
            }
            transitions.push((at, offset(usize::from(*index))?));
        }
        Some(Zone { first_offset_s: offset(0)?, transitions, rules: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

    fn first_at(zone: &str, date: (i32, u8, u8), time: &str) -> String {
        let zone = Zone::from_posix(zone).unwrap();
        zone.first_at(LocalDay::from_ymd(date.0, date.1, date.2), time.parse().unwrap()).to_string()
    }

    #[test]
    fn a_skipped_time_happens_at_the_next_valid_moment() {
        // Clocks go from 02:00 to 03:00.
        assert_eq!(first_at(BERLIN, (2026, 3, 29), "02:30"), "2026-03-29T01:00:00Z");
        assert_eq!(first_at(NEW_YORK, (2026, 3, 8), "02:30"), "2026-03-08T07:00:00Z");
        // And by half an hour, from 02:00 to 02:30.
        assert_eq!(first_at(LORD_HOWE, (2026, 10, 4), "02:15"), "2026-10-03T15:30:00Z");
        assert_eq!(first_at(LORD_HOWE, (2026, 10, 4), "02:45"), "2026-10-03T15:45:00Z");
    }

    #[test]
    fn a_repeated_time_happens_the_first_time() {
        assert_eq!(first_at(BERLIN, (2026, 10, 25), "02:30"), "2026-10-25T00:30:00Z");
        assert_eq!(first_at(BERLIN, (2026, 10, 25), "03:00"), "2026-10-25T02:00:00Z");
        assert_eq!(first_at(NEW_YORK, (2026, 11, 1), "01:30"), "2026-11-01T05:30:00Z");
        assert_eq!(first_at(LORD_HOWE, (2026, 4, 5), "01:45"), "2026-04-04T14:45:00Z");
    }

    #[test]
    fn local_time_follows_the_rules_on_both_hemispheres() {
        let shown = |zone: &str, text: &str| {
            let zone = Zone::from_posix(zone).unwrap();
            let (month, day) = text.split_once('-').unwrap();
            let day = LocalDay::from_ymd(2026, month.parse().unwrap(), day.parse().unwrap());
            zone.offset_at(WallTime::from_secs(i64::from(day.as_days()) * 86_400))
        };
        assert_eq!([shown(BERLIN, "1-15"), shown(BERLIN, "7-15")], [3_600, 7_200]);
        assert_eq!([shown(NEW_YORK, "1-15"), shown(NEW_YORK, "7-15")], [-18_000, -14_400]);
        assert_eq!([shown(LORD_HOWE, "1-15"), shown(LORD_HOWE, "7-15")], [39_600, 37_800]);
    }

    #[test]
    fn odd_but_valid_strings_are_read() {
        for text in
            ["UTC0", "GMT+3", "EST5EDT", "<-03>3", "IST-1GMT0,M10.5.0,M3.5.0/1", "XXX3YYY,J60/0,300/25:30:01"]
        {
            assert!(Zone::from_posix(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "5",
            "E5",
            "EST",
            "EST25",
            "EST5EDT,M13.1.0,M1.1.0",
            "EST5EDT,M3.2.0",
            "CET-1CEST,M3.5.0,M10.5.0/3x",
        ] {
            assert_eq!(Zone::from_posix(text), Err(BadZone::PosixTz), "{text}");
        }
    }

    #[test]
    fn damaged_zone_files_are_refused_not_believed() {
        let mut file = b"TZif2".to_vec();
        file.extend([0; 15]);
        file.extend([0_u8, 0, 0, 0].repeat(6));
        assert!(Zone::from_tzfile(&file).is_err());
        assert!(Zone::from_tzfile(b"").is_err());
        file.extend([0xff; 64]);
        assert!(Zone::from_tzfile(&file).is_err());
    }

    #[test]
    fn an_offset_of_the_least_integer_is_refused() {
        // Found by fuzzing: its absolute value does not exist.
        let artefact = b"TZif\0\x01X\0\0S\n\0S\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
                         \0\0\0\x01\0\0\0\0\0\0\x13\0\0\x80\0\0\0\0\0\r\r\0";
        assert!(Zone::from_tzfile(artefact).is_err());
    }
}
