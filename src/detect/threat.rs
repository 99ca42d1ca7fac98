//! A learned second opinion on what a detector found.
//!
//! The detectors count one thing each and say what they counted. A person who doubts an alert looks at everything else
//! the accused did in those minutes, and so does this: [`row`] writes down some fifty numbers about one initiator from
//! the tables that the detectors keep. Nothing is counted for it and nothing runs per packet.

mod row;
mod schema;

pub use row::Subject;
pub use schema::{N_THREAT_FEATURES, THREAT_FEATURES, ThreatRow, threat_schema_hash, threat_schema_text};

pub(super) use row::Tables;

use super::count::{SLICE, Slice};
use crate::time::Moment;

/// What one initiator did until the end of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreatSample {
    /// Beginning of the slice.
    pub start: Moment,
    /// Whose.
    pub subject: Subject,
    /// The numbers.
    pub row: ThreatRow,
}

/// The rows of all who moved in the slice that ends.
pub(super) fn samples(tables: &mut Tables<'_>, slice: Slice) -> Vec<ThreatSample> {
    let start = Moment::from_secs(u64::from(slice) * SLICE.as_secs());
    let moved = tables.moved();
    moved.into_iter().map(|subject| ThreatSample { start, subject, row: tables.row(&subject) }).collect()
}
