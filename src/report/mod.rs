//! Pure writers of text, JSON and CSV.
//!
//! A report is a value that serialises by itself; the same value prints as text. Names that came off the wire are
//! hostile until [`crate::dissect`] has made them harmless, and are escaped again here, at the exit.

use serde::Serialize;

pub mod clients;

pub use clients::{CaptureReport, ClientReport, Collector};

/// Version of the JSON document that `analyze --json` writes.
pub const SCHEMA: u32 = 1;

/// Everything `analyze` can say, in one document (docs/design.md §6.2). Only what was asked for is present.
#[derive(Debug, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The capture as a whole.
    pub capture: CaptureReport,
    /// Clients with their sessions and windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<ClientReport>>,
}

/// Seconds with microseconds, as JSON numbers are shown.
pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
