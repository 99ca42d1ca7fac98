//! Packets of one 5-tuple become a flow: who began, how much went each way, how the connection fared.
//!
//! [`FlowTable`] holds a fixed number of flows in fixed memory. It is set-associative: a flow may live in one of
//! [`WAYS`] places, and a newcomer to a full set displaces the one seen longest ago, which is handed
//! to the caller. A flood of random sources therefore costs the accuracy of other flows' start, never memory, and
//! never more than one set per packet. Nothing runs in the background: a flow that has been silent too long ends
//! when its place is touched again or when the caller sweeps.

mod facts;
pub mod meter;
mod table;

pub use facts::{Arrival, CLOSED_IDLE, Flow, Half, Side, TCP_IDLE, UDP_IDLE};
pub use table::{Ended, EndedBy, FlowTable, SETS, Seen, Slot, WAYS};

#[cfg(test)]
mod tests;
