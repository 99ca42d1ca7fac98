//! Pure writers of text, JSON and CSV.
//!
//! A report is a value that serialises by itself; the same value prints as text. Names that came off the wire are
//! hostile until [`crate::dissect`] has made them harmless, and are escaped again here, at the exit.

pub mod alerts;
pub mod clients;
pub mod csv;
pub mod export;
pub mod flows;
pub mod ipfix;
pub mod json;
pub mod legacy;
pub mod metrics;
pub mod pcapng;
pub mod row;
pub mod tables;
pub mod text;

pub use alerts::{AlertLog, AlertReport, Eve, EventReport};
pub use clients::{CaptureReport, ClientReport, Collector};

/// Version of the JSON document that `analyze --json` writes.
pub const SCHEMA: u32 = 1;

/// Seconds with microseconds, as JSON numbers are shown.
pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
