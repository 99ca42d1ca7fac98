//! A window and its two minutes of context as numbers.
//!
//! The classifier must not learn *where* or *when* a capture was made, only how the traffic moves: no addresses,
//! ports, TTLs, sequence numbers or absolute times, and nothing but integers, so that a router without an FPU and
//! a PC compute the same row. Formulas stand in docs/features.md; [`schema`] is the one list of names, units and
//! order, and its hash travels in every trained artefact.

mod extract;
mod schema;

pub use extract::{BURST_SECOND_BYTES, extract};
pub use schema::{
    BURST_PERIOD, BURST_PERIOD_CV, BURSTS_120, DOWN_BYTES, DOWN_PACKETS, FEATURES, Feature, N_FEATURES, Row,
    index_of, schema_hash, schema_text,
};
pub(crate) use schema::{feature, hash_of, text_of};

#[cfg(test)]
mod tests;
