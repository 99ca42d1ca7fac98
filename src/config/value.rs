//! One word of UCI text to one value, or the reason why not.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::net::{Addr, MacAddr, Prefix};
use crate::quota::hours::BadHours;
use crate::time::{Duration, TimeOfDay};
use crate::units::Bytes;

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadValue {
    /// Not a whole number, or outside of the range.
    Number {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Not `0` or `1`.
    Switch,
    /// None of the words allowed.
    Choice(&'static [&'static str]),
    /// Not a duration, or outside of the range.
    Duration,
    /// Not a size, or outside of the range.
    Size,
    /// Not a time of day.
    TimeOfDay,
    /// Not weekdays, hours or minutes by weekday.
    Hours(BadHours),
    /// Not a MAC address of one device.
    Mac,
    /// Not an IP address of one device.
    Address,
    /// Not an address or prefix.
    Prefix,
    /// Not `ADDRESS:PORT`.
    Listen,
    /// Not the `ADDRESS:PORT` of somebody else.
    Collector,
    /// Not an absolute path without `..`.
    Path,
    /// Not an http or https URL.
    Url,
    /// Not a service or domain name.
    Service,
    /// Not a name of an interface or network.
    Interface,
    /// Empty, too long or with control characters.
    Text,
    /// A list where one value belongs.
    OneValue,
    /// Names no detector.
    Detector,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number { min, max } => return write!(f, "not a whole number from {min} to {max}"),
            Self::Choice(words) => return write!(f, "not one of: {}", words.join(", ")),
            Self::Hours(why) => return why.fmt(f),
            Self::Switch => "not 0 or 1",
            Self::Duration => "not a duration from 1s to 7d (90s, 15m, 24h)",
            Self::Size => "not a size in bytes (500k, 2M, 50G; KiB, MiB, GiB for binary)",
            Self::TimeOfDay => "not a time of day before 24:00 (04:00)",
            Self::Mac => "not a device's MAC address (aa:bb:cc:dd:ee:ff)",
            Self::Address => "not a device's IP address",
            Self::Prefix => "not an address or prefix (192.168.1.0/24, fd00::/8)",
            Self::Listen => "not an address and port (127.0.0.1:8990, [::1]:8990)",
            Self::Collector => {
                "not an address and port (192.0.2.10:4739, [fd00::5]:4739); names are not asked for"
            }
            Self::Path => "not an absolute path without '..'",
            Self::Url => "not an http:// or https:// address",
            Self::Service => "not a service or domain name (khanacademy.org)",
            Self::Interface => "not the name of an interface or network (lan, br-lan)",
            Self::Text => "longer than 64 characters, or not printable",
            Self::OneValue => "a list where one value belongs",
            Self::Detector => "no such detector",
        })
    }
}

impl std::error::Error for BadValue {}

/// What reading one word gives.
pub(super) type Read<T> = Result<T, BadValue>;

pub(super) fn number<T: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>) -> Read<T> {
    let bad = BadValue::Number { min: *range.start(), max: *range.end() };
    let value: u64 = text.parse().map_err(|_| bad.clone())?;
    if !range.contains(&value) {
        return Err(bad);
    }
    T::try_from(value).map_err(|_| bad)
}

/// Minutes of a day, 0 to 1440.
pub(super) fn day_minutes(text: &str) -> Read<u16> {
    number(text, 0..=TimeOfDay::MINUTES_PER_DAY.into())
}

/// Rates from 8 kbit/s, below which TCP no longer works, to 1 Gbit/s.
pub(super) fn rate_kbps(text: &str) -> Read<u32> {
    number(text, 8..=1_000_000)
}

pub(super) fn switch(text: &str) -> Read<bool> {
    // The words OpenWrt's `config_get_bool` takes.
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Ok(true),
        "0" | "off" | "false" | "no" | "disabled" => Ok(false),
        _ => Err(BadValue::Switch),
    }
}

/// A switch that stands for one of two values.
pub(super) fn either<T>(text: &str, off: T, on: T) -> Read<T> {
    Ok(if switch(text)? { on } else { off })
}

/// One of the words; `values` in the same order.
pub(super) fn choice<T: Copy>(text: &str, words: &'static [&'static str], values: &[T]) -> Read<T> {
    let index = words.iter().position(|word| *word == text);
    index.and_then(|index| values.get(index).copied()).ok_or(BadValue::Choice(words))
}

/// `90s`, `15m`, `24h`, `7d`, or seconds without a unit.
pub(super) fn duration(text: &str) -> Read<Duration> {
    const MAX_S: u64 = 7 * 86_400;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(BadValue::Duration),
    };
    let number: u64 = digits.parse().map_err(|_| BadValue::Duration)?;
    let secs = number.checked_mul(factor).filter(|secs| (1..=MAX_S).contains(secs));
    secs.map(Duration::from_secs).ok_or(BadValue::Duration)
}

/// `1M` and `1MB` are 1,000,000 bytes, `1MiB` is 1,048,576.
pub(super) fn size(text: &str) -> Read<Bytes> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let base: u64 = if unit.contains('i') { 1_024 } else { 1_000 };
    let factor = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => base,
        "m" => base.pow(2),
        "g" => base.pow(3),
        "t" => base.pow(4),
        _ => return Err(BadValue::Size),
    };
    let number: u64 = digits.parse().map_err(|_| BadValue::Size)?;
    number.checked_mul(factor).map(Bytes).ok_or(BadValue::Size)
}

/// A size of something that lies in memory or flash, with its range.
pub(super) fn size_within(text: &str, range: RangeInclusive<u64>) -> Read<Bytes> {
    size(text).and_then(|bytes| if range.contains(&bytes.as_u64()) { Ok(bytes) } else { Err(BadValue::Size) })
}

pub(super) fn time_of_day(text: &str) -> Read<TimeOfDay> {
    let time: TimeOfDay = text.parse().map_err(|_| BadValue::TimeOfDay)?;
    if time.minutes() < TimeOfDay::MINUTES_PER_DAY { Ok(time) } else { Err(BadValue::TimeOfDay) }
}

pub(super) fn mac(text: &str) -> Read<MacAddr> {
    let mac: MacAddr = text.parse().map_err(|_| BadValue::Mac)?;
    if mac == MacAddr::NONE || mac.is_group() { Err(BadValue::Mac) } else { Ok(mac) }
}

pub(super) fn address(text: &str) -> Read<Addr> {
    let addr: Addr = text.parse::<IpAddr>().map_err(|_| BadValue::Address)?.into();
    if addr.is_special() { Err(BadValue::Address) } else { Ok(addr) }
}

pub(super) fn prefix(text: &str) -> Read<Prefix> {
    text.parse().map_err(|_| BadValue::Prefix)
}

pub(super) fn listen(text: &str) -> Read<SocketAddr> {
    text.parse().map_err(|_| BadValue::Listen)
}

/// A collector, by address: the daemon waits for no resolver.
pub(super) fn collector(text: &str) -> Read<String> {
    let to: SocketAddr = text.parse().map_err(|_| BadValue::Collector)?;
    if to.port() > 0 { Ok(text.to_owned()) } else { Err(BadValue::Collector) }
}

pub(super) fn path(text: &str) -> Read<String> {
    let plain = text.len() <= 255 && !text.chars().any(char::is_control);
    if plain && text.starts_with('/') && !text.split('/').any(|part| part == "..") {
        Ok(text.to_owned())
    } else {
        Err(BadValue::Path)
    }
}

pub(super) fn url(text: &str) -> Read<String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or_default();
    let plain = text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
    if plain && !host.is_empty() && !host.starts_with('/') { Ok(text.to_owned()) } else { Err(BadValue::Url) }
}

/// A service or domain, lower case, without a leading `*.` or a trailing dot.
pub(super) fn service(text: &str) -> Read<String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let fits = (1..=253).contains(&name.len()) && name.bytes().all(good) && !name.starts_with('.');
    if fits { Ok(name) } else { Err(BadValue::Service) }
}

pub(super) fn interface(text: &str) -> Read<String> {
    // IFNAMSIZ - 1; the kernel forbids only '/', ':' and white space.
    let good = |b: u8| b.is_ascii_graphic() && b != b'/' && b != b':';
    let fits = (1..=15).contains(&text.len()) && text.bytes().all(good) && text != "." && text != "..";
    if fits { Ok(text.to_owned()) } else { Err(BadValue::Interface) }
}

/// A name for people, or a word without further meaning here.
pub(super) fn text(text: &str) -> Read<String> {
    let fits = text.chars().count() <= 64 && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(BadValue::Text) }
}

/// A secret or its hash: printable ASCII, up to 512 characters.
pub(super) fn secret(text: &str) -> Read<String> {
    let fits = text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(BadValue::Text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_carry_units() {
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(size("50G"), Ok(Bytes(50_000_000_000)));
        assert_eq!(size("2MiB"), Ok(Bytes(2_097_152)));
        assert_eq!(size("500kB"), Ok(Bytes(500_000)));
        assert_eq!(size("7"), Ok(Bytes(7)));
        for text in ["", "m", "-1m", "15 m", "1w", "8d", "0s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "M", "1X", "1.5M", "-1", "18446744073709551615T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_and_names_cannot_escape() {
        assert!(path("/etc/streamguard").is_ok() && path("/a..b").is_ok());
        for text in ["", "relative", "/etc/../shadow", "/a\nb"] {
            assert!(path(text).is_err(), "{text}");
        }
        assert_eq!(service("*.KhanAcademy.org."), Ok("khanacademy.org".to_owned()));
        for text in ["", ".", "a b", "x;y", "\u{fc}ber.de"] {
            assert!(service(text).is_err(), "{text}");
        }
        assert!(
            interface("br-lan.10").is_ok()
                && interface("a/b").is_err()
                && interface("0123456789abcdef").is_err()
        );
        assert!(collector("192.0.2.10:4739").is_ok() && collector("[fd00::5]:4739").is_ok());
        assert!(collector("collector.lan:4739").is_err() && collector("192.0.2.10:0").is_err());
        assert!(url("https://hooks.lan/x").is_ok() && url("ftp://x").is_err() && url("http://").is_err());
        assert!(mac("FF:FF:FF:FF:FF:FF").is_err() && mac("AA:bb:cc:dd:EE:01").is_ok());
    }
}
