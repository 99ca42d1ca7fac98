//! Rows to keep, and how they roll up; the SQL itself lives in `os`.
//!
//! Every byte is in exactly one row: of the minute in memory, of the hour while that is young, of the day from
//! then on. A roll-up moves rows, it does not copy them, so there is nothing that two roll-ups could disagree
//! about, and the sum of a day is the sum of its packets for as long as the day is kept at all.

mod calendar;
mod incidents;
mod minutes;
mod rows;

pub use calendar::{Calendar, MAX_BUCKETS, Per};
pub use incidents::{Ack, Incidents, MAX_INCIDENTS, epoch_s};
pub use minutes::{LAN, MAX_MINUTE_PEERS, MAX_MINUTE_ROWS, Minute, Minutes, OTHERS, OVERFLOW, PeerRow, fold};
pub use rows::{AlertRow, Range, SessionRow, Stretch, TrafficRow, UsageRow};
