//! Flow records for a collector: what each flow moved since it was last told of.
//!
//! A record is a delta of both directions (a biflow, RFC 5103). It is made when a flow ends, and every
//! [`ACTIVE_TIMEOUT`] while it goes on, so that a film is not one number at midnight. Records wait in a bounded
//! queue; what finds no room is counted and never sent.

use std::collections::VecDeque;

use super::facts::{Flow, Half};
use super::table::{Ended, EndedBy, FlowTable, Slot};
use crate::net::FiveTuple;
use crate::time::{Duration, Moment};

/// How often a flow that goes on is told of.
pub const ACTIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// Records that wait to be taken.
pub const MAX_RECORDS: usize = 4_096;

/// Why a record was made, by the numbers of IPFIX (flowEndReason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The flow was silent for too long.
    Idle = 1,
    /// It goes on.
    Active = 2,
    /// Both ends said goodbye.
    Ended = 3,
    /// We end.
    Forced = 4,
    /// Another flow needed its place.
    LackOfResources = 5,
}

/// What one side sent since the last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
    /// TCP flags, of the whole flow.
    pub flags: u8,
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Both ends.
    pub tuple: FiveTuple,
    /// First packet, or the record before.
    pub start: Moment,
    /// Latest packet.
    pub end: Moment,
    /// What the originator sent.
    pub orig: Sent,
    /// What the responder sent.
    pub resp: Sent,
    /// Why now.
    pub reason: Reason,
}

/// What was told of a flow.
#[derive(Clone, Copy, Debug)]
struct Told {
    packets: [u32; 2],
    bytes: [u64; 2],
    at: Moment,
}

const NOTHING: Told = Told { packets: [0; 2], bytes: [0; 2], at: Moment::ZERO };

/// Makes the records.
#[derive(Debug)]
pub struct Meter {
    told: Box<[Told]>,
    records: VecDeque<FlowRecord>,
    next_turn: Moment,
    not_sent: u64,
}

impl Meter {
    /// A meter beside a table of so many flows.
    pub fn new(flows: usize) -> Self {
        let told = vec![NOTHING; flows].into_boxed_slice();
        Self { told, records: VecDeque::new(), next_turn: Moment::ZERO, not_sent: 0 }
    }

    /// A flow left the table.
    #[cold]
    pub fn end(&mut self, ended: &Ended) {
        let reason = match ended.by {
            _ if ended.flow.is_closed() => Reason::Ended,
            EndedBy::Idle => Reason::Idle,
            EndedBy::Evicted => Reason::LackOfResources,
            EndedBy::Drained => Reason::Forced,
        };
        self.tell(ended.slot, &ended.flow, reason);
        if let Some(told) = self.told.get_mut(ended.slot.0 as usize) {
            *told = NOTHING;
        }
    }

    /// Tells of all flows that moved something, if it is time.
    pub fn turn(&mut self, flows: &FlowTable, now: Moment) {
        if now < self.next_turn {
            return;
        }
        self.next_turn = now + ACTIVE_TIMEOUT;
        for (slot, flow) in flows.iter() {
            let reason = match (flow.is_closed(), flow.is_over(now)) {
                (true, _) => Reason::Ended,
                (false, true) => Reason::Idle,
                (false, false) => Reason::Active,
            };
            self.tell(slot, flow, reason);
        }
    }

    /// Tells of all flows as they stand: we end.
    pub fn finish(&mut self, flows: &FlowTable) {
        for (slot, flow) in flows.iter() {
            self.tell(slot, flow, Reason::Forced);
        }
    }

    fn tell(&mut self, slot: Slot, flow: &Flow, reason: Reason) {
        let Some(told) = self.told.get_mut(slot.0 as usize) else { return };
        let delta = |side: usize, half: &Half| Sent {
            packets: u64::from(half.packets.wrapping_sub(told.packets[side])),
            bytes: half.ip_bytes.saturating_sub(told.bytes[side]),
            flags: half.flags,
        };
        let (orig, resp) = (delta(0, &flow.orig), delta(1, &flow.resp));
        if orig.packets == 0 && resp.packets == 0 {
            return;
        }
        let start = if told.at == Moment::ZERO { flow.first } else { told.at };
        let (packets, bytes) =
            ([flow.orig.packets, flow.resp.packets], [flow.orig.ip_bytes, flow.resp.ip_bytes]);
        *told = Told { packets, bytes, at: flow.last };
        if self.records.len() >= MAX_RECORDS {
            self.not_sent += 1;
            return;
        }
        let (tuple, end) = (flow.tuple, flow.last);
        self.records.push_back(FlowRecord { tuple, start, end, orig, resp, reason });
    }

    /// Records that wait, the oldest first.
    pub fn records(&mut self) -> &mut VecDeque<FlowRecord> {
        &mut self.records
    }

    /// Records that found no room.
    pub fn not_sent(&self) -> u64 {
        self.not_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::{Frame, LinkType, dissect};

    /// A datagram of 100 bytes of IP.
    fn datagram(flows: &mut FlowTable, meter: &mut Meter, (from, to): (u16, u16), at_s: u64) {
        let mut data = vec![0; 114];
        data[12..14].copy_from_slice(&[8, 0]);
        data[14] = 0x45;
        data[16..18].copy_from_slice(&100_u16.to_be_bytes());
        data[23] = 17;
        let side = u8::from(from == 443);
        data[26..34].copy_from_slice(&[10, 0, 0, 1 + side, 10, 0, 0, 2 - side]);
        data[34..36].copy_from_slice(&from.to_be_bytes());
        data[36..38].copy_from_slice(&to.to_be_bytes());
        data[38..40].copy_from_slice(&80_u16.to_be_bytes());
        let at = Moment::from_secs(at_s);
        let frame = Frame { at, link: LinkType::Ethernet, wire_len: 114, data: &data };
        if let Some(ended) = flows.observe(&dissect(&frame)).and_then(|seen| seen.ended) {
            meter.end(ended);
        }
    }

    #[test]
    fn records_are_deltas_that_add_up_to_what_moved() {
        let mut flows = FlowTable::with_sets(4, 1);
        let mut meter = Meter::new(flows.capacity());
        let mut sent = 0;
        for second in 100..1_000 {
            meter.turn(&flows, Moment::from_secs(second));
            for port in [1_000, 1_000 + u16::try_from(second).unwrap()] {
                datagram(&mut flows, &mut meter, (port, 443), second);
                datagram(&mut flows, &mut meter, (443, port), second);
                sent += 2;
            }
        }
        meter.finish(&flows);
        let records: Vec<_> = meter.records().drain(..).collect();
        let sum = |of: fn(&FlowRecord) -> u64| records.iter().map(of).sum::<u64>();
        assert_eq!(sum(|record| record.orig.packets + record.resp.packets), sent);
        assert_eq!(sum(|record| record.orig.bytes + record.resp.bytes), 100 * sent);
        let long: Vec<_> = records.iter().filter(|record| record.tuple.orig.port == 1_000).collect();
        assert!(long.len() >= 14, "the long flow is told of every minute: {}", long.len());
        assert!(long.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(meter.not_sent(), 0);
    }
}
