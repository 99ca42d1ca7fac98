//! Quantities that are easily confused get a type of their own; everything else carries its unit in its name.
//!
//! KiB and MiB are binary, MB decimal, rates in bit/s, sizes in bytes (docs/design.md).

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A number of bytes on the wire. Adding saturates: a counter that lies is worse than one that stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// The bare number, for arithmetic that mixes units on purpose.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Bytes {
    /// Decimal units, as shown to people: `512 B`, `1.5 kB`, `13.0 MB`, `2.1 GB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
        if self.0 < 1_000 {
            return write!(f, "{} B", self.0);
        }
        let mut value_tenths = self.0 / 100;
        for unit in UNITS {
            if value_tenths < 10_000 || unit == "TB" {
                return write!(f, "{}.{} {unit}", value_tenths / 10, value_tenths % 10);
            }
            value_tenths /= 1_000;
        }
        Ok(())
    }
}

/// A number as people type it, such as `0.5` or `90`: digits and at most one point, fifteen digits in all, so that
/// the result is the nearest `f64`. The standard library reads more (signs, exponents) at the price of 15 kB of
/// tables and code, which a router's flash has better use for.
pub fn decimal(text: &str) -> Option<f64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + part.len() == 0 || whole.len() + part.len() > 15 {
        return None;
    }
    let number = whole.bytes().chain(part.bytes()).try_fold(0_u64, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
    })?;
    Some(number as f64 / 10_u64.pow(part.len() as u32) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_print_in_decimal_units() {
        let shown: Vec<String> =
            [0, 999, 1_000, 1_550, 13_000_000, 2_147_483_648].iter().map(|&n| Bytes(n).to_string()).collect();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.5 kB", "13.0 MB", "2.1 GB"]);
    }

    #[test]
    fn adding_saturates() {
        assert_eq!(Bytes(u64::MAX) + Bytes(1), Bytes(u64::MAX));
    }

    #[test]
    fn decimals_are_read_as_the_standard_library_reads_them() {
        for text in ["0", "0.1", "90", ".5", "5.", "0.000001", "123456789.012345", "10000"] {
            assert_eq!(decimal(text), text.parse().ok(), "{text}");
        }
        for text in ["", ".", "-1", "1e3", "1.2.3", "inf", "1234567890.123456", "１"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
