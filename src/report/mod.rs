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
mod line;
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
    let micros = seconds * 1e6;
    let whole = micros as i64;
    // Beyond, a double has no fraction. Not `round`, which is a call on processors that we must reckon with.
    if whole.unsigned_abs() >= 1 << 52 {
        return micros / 1e6;
    }
    let fraction = micros - whole as f64;
    let nearest = whole + i64::from(fraction >= 0.5) - i64::from(fraction <= -0.5);
    (nearest as f64).copysign(micros) / 1e6
}
