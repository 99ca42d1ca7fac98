//! Rows to keep and how they roll up; the SQL itself lives in `os`.

mod incidents;
mod rows;

pub use incidents::{Ack, Incidents, MAX_INCIDENTS};
pub use rows::{AlertRow, Range, SessionRow, Stretch, TrafficRow, UsageRow};
