//! The file of the older accounting script: kilobytes (of 1,024 bytes) by pair of IP addresses, and their total.
//!
//! `{"('192.0.2.1', '192.0.2.2')": 12.5, …, "total_k_bytes": 40.25}`. Each run adds to the file before it. Where
//! the script added megabytes as kilobytes, cut IPv6 addresses at their first colon and rounded at every run, this
//! counts bytes: 1,024 is a power of two, so the numbers are exact to the byte. Its keys are read as text, never
//! as a program.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::account::Conversations;
use crate::net::Addr;

use super::tables::pair_rows;

/// Larger files than this were not written by the script.
pub const MAX_LEGACY_BYTES: usize = 16 * 1024 * 1024;
/// Name of the sum.
const TOTAL: &str = "total_k_bytes";

/// Kilobytes by pair.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Legacy {
    pairs: BTreeMap<(String, String), f64>,
    total: f64,
}

/// Why a file is not the script's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyError {
    /// Too large.
    TooLarge,
    /// No JSON object of numbers.
    Json(String),
    /// A key that is no pair of addresses.
    Key(String),
    /// A number below zero, or none at all.
    Value(String),
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "larger than {MAX_LEGACY_BYTES} bytes"),
            Self::Json(cause) => write!(f, "not an object of numbers: {cause}"),
            Self::Key(key) => write!(f, "`{}` is no pair of addresses", key.escape_debug()),
            Self::Value(key) => write!(f, "the number of `{}` is no size", key.escape_debug()),
        }
    }
}

impl std::error::Error for LegacyError {}

impl Legacy {
    /// Reads the script's file.
    ///
    /// # Errors
    /// Anything that is not one.
    pub fn from_json(bytes: &[u8]) -> Result<Self, LegacyError> {
        if bytes.len() > MAX_LEGACY_BYTES {
            return Err(LegacyError::TooLarge);
        }
        let numbers: BTreeMap<String, f64> =
            serde_json::from_slice(bytes).map_err(|error| LegacyError::Json(error.to_string()))?;
        let mut legacy = Self::default();
        for (key, kilobytes) in numbers {
            if !(kilobytes.is_finite() && kilobytes >= 0.0) {
                return Err(LegacyError::Value(key));
            }
            if key == TOTAL {
                legacy.total = kilobytes;
            } else {
                let pair = pair_of(&key).ok_or(LegacyError::Key(key))?;
                *legacy.pairs.entry(pair).or_default() += kilobytes;
            }
        }
        Ok(legacy)
    }

    /// The numbers with those of a capture.
    #[must_use]
    pub fn with(mut self, conversations: Option<&Conversations>, capture_bytes: u64) -> Self {
        let pairs = conversations.map(Conversations::pairs);
        for row in pairs.iter().flat_map(pair_rows) {
            *self.pairs.entry(sorted(&row.a, &row.b)).or_default() += row.bytes as f64 / 1024.0;
        }
        self.total += capture_bytes as f64 / 1024.0;
        self
    }

    /// Writes the script's file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut object = super::json::JsonObject::default();
        for ((a, b), kilobytes) in &self.pairs {
            object.member(out, &format!("('{a}', '{b}')"), kilobytes)?;
        }
        object.member(out, TOTAL, &self.total)?;
        object.end(out)
    }
}

/// As the script sorts them: as text.
fn sorted(a: &Addr, b: &Addr) -> (String, String) {
    let (a, b) = (a.to_string(), b.to_string());
    if a <= b { (a, b) } else { (b, a) }
}

/// `('192.0.2.1', '192.0.2.2')`; the halves of IPv6 addresses that the script wrote are kept as they are.
fn pair_of(key: &str) -> Option<(String, String)> {
    let inside = key.strip_prefix("('")?.strip_suffix("')")?;
    let (a, b) = inside.split_once("', '")?;
    let plausible = |text: &str| {
        text.parse::<IpAddr>().is_ok()
            || !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (plausible(a) && plausible(b)).then(|| (a.to_owned(), b.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_added_to_exactly() {
        let file =
            br#"{"('10.0.0.1', '10.0.0.2')": 39.0009765625, "('2a00', 'fd00')": 1.5, "total_k_bytes": 41}"#;
        let legacy = Legacy::from_json(file).unwrap().with(None, 1);
        let mut written = Vec::new();
        legacy.write(&mut written).unwrap();
        assert_eq!(Legacy::from_json(&written).unwrap(), legacy);
        assert!(String::from_utf8(written).unwrap().contains("\"total_k_bytes\":41.0009765625"));
    }

    #[test]
    fn keys_are_data_and_never_programs() {
        let file = br#"{"__import__('os').system('true')": 1}"#;
        assert!(matches!(Legacy::from_json(file), Err(LegacyError::Key(_))));
        assert!(matches!(Legacy::from_json(b"[1]"), Err(LegacyError::Json(_))));
        let file = br#"{"total_k_bytes": -1}"#;
        assert!(matches!(Legacy::from_json(file), Err(LegacyError::Value(_))));
    }
}
