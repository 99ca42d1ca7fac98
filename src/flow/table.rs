//! The bounded table of flows.

use std::hint::black_box;

use super::facts::{Arrival, Ends, Flow, Side};
use crate::dissect::{Packet, Transport};
use crate::net::{Addr, Endpoint, FiveTuple, mix};
use crate::time::Moment;

/// Places a flow may live in.
pub const WAYS: usize = 4;
/// Sets of the usual table: 16,384 flows, about 3.3 MiB.
pub const SETS: usize = 1 << 12;

/// A place in the table, for facts that others keep beside a flow. It belongs to another flow after an
/// [`Ended`] was reported for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Why a flow left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Silence, or a new connection on the same ports.
    Idle,
    /// A newcomer needed the place.
    Evicted,
    /// The end of the capture.
    Drained,
}

/// A flow that left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The flow.
    pub flow: Flow,
    /// Its former place.
    pub slot: Slot,
    /// Why it left.
    pub by: EndedBy,
}

/// What one packet did to the table.
#[derive(Debug)]
pub struct Seen<'t> {
    /// The packet's flow, this packet included.
    pub flow: &'t Flow,
    /// Where it lives.
    pub slot: Slot,
    /// Who sent the packet.
    pub side: Side,
    /// How it fits the sequence numbers before it.
    pub arrival: Arrival,
    /// Packets on the wire that this one stands for.
    pub wire_packets: u32,
    /// The flow that had to leave for this one.
    pub ended: Option<&'t Ended>,
}

impl Seen<'_> {
    /// Whether this packet began the flow.
    pub fn is_first(&self) -> bool {
        self.flow.orig.packets.saturating_add(self.flow.resp.packets) == 1
    }
}

/// One set: what its places hold, and in which order they were used.
#[derive(Clone, Copy)]
struct Set {
    /// Part of the hash, never 0 where a flow lives.
    tags: [u32; WAYS],
    /// Places, most recently used first.
    order: [u8; WAYS],
}

/// A fixed number of flows in fixed memory.
pub struct FlowTable {
    sets: Box<[Set]>,
    flows: Box<[Flow]>,
    seed: u64,
    ended: Ended,
    live: usize,
    evicted: u64,
}

/// Holds nothing.
const VACANT: Flow = Flow::VACANT;

impl FlowTable {
    /// A table of the usual size. The seed is secret where strangers choose addresses, constant where results
    /// must repeat.
    pub fn new(seed: u64) -> Self {
        Self::with_sets(SETS, seed)
    }

    /// A table of `sets` (rounded up to a power of two) × [`WAYS`] flows.
    pub fn with_sets(sets: usize, seed: u64) -> Self {
        let sets = sets.max(1).next_power_of_two();
        let set = Set { tags: [0; WAYS], order: [0, 1, 2, 3] };
        Self {
            sets: vec![set; sets].into_boxed_slice(),
            flows: vec![VACANT; sets * WAYS].into_boxed_slice(),
            seed,
            ended: Ended { flow: VACANT, slot: Slot(0), by: EndedBy::Drained },
            live: 0,
            evicted: 0,
        }
    }

    /// Counts a packet with its flow, which it may begin; `None` if it has no IP header.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn observe(&mut self, packet: &Packet<'_>) -> Option<Seen<'_>> {
        let (ends, ip_bytes) = Ends::of(packet)?;
        let hash = self.hash(&ends);
        let index = hash as usize & (self.sets.len() - 1);
        let tag = (hash >> 32) as u32 | 1;
        let (way, side, ended) = match self.find(index, tag, &ends) {
            Some((rank, way, side)) => {
                self.sets[index].order[..=rank].rotate_right(1);
                let flow = &self.flows[index * WAYS + way];
                if flow.is_over(packet.at) || flow.is_reopened_by(packet) {
                    let side = self.replace(index, way, &ends, packet);
                    self.ended.by = EndedBy::Idle;
                    (way, side, true)
                } else {
                    (way, side, false)
                }
            }
            None => self.admit(index, tag, &ends, packet),
        };
        let slot = index * WAYS + way;
        let flow = &mut self.flows[slot];
        let arrival = flow.count(side, packet, ip_bytes);
        let wire_packets = flow.wire_packets(side, packet);
        let ended = ended.then_some(&self.ended);
        Some(Seen { flow: &*flow, slot: Slot(slot as u32), side, arrival, wire_packets, ended })
    }

    /// Reads a little of all that these packets' flows consist of, and says where they live: a processor that has to
    /// wait for memory waits for all of it at once, for nothing here depends on what was read just before. Requests
    /// for connections are left out: they have no flow yet.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn foresee<const N: usize>(&self, packets: &[Packet<'_>; N]) -> [Option<Slot>; N] {
        let hashes = packets.each_ref().map(|packet| match &packet.transport {
            Transport::Tcp(tcp) if tcp.is_request() => None,
            _ => Ends::of(packet).map(|(ends, _)| self.hash(&ends)),
        });
        let set = |hash: u64| hash as usize & (self.sets.len() - 1);
        black_box(hashes.iter().flatten().fold(0, |read, &hash| read ^ self.sets[set(hash)].tags[0]));
        let slots = hashes.map(|hash| {
            let hash = hash?;
            let way = self.sets[set(hash)].tags.iter().position(|&tag| tag == (hash >> 32) as u32 | 1)?;
            Some(Slot((set(hash) * WAYS + way) as u32))
        });
        black_box(slots.iter().flatten().fold(0, |read, slot| read ^ self.flows[slot.0 as usize].touch()));
        slots
    }

    /// The flow between these ends, whoever of them began it.
    pub fn get(&self, tuple: &FiveTuple) -> Option<&Flow> {
        self.flows.get(self.slot_of(tuple)?.0 as usize)
    }

    /// The place of the flow between these ends.
    pub fn slot_of(&self, tuple: &FiveTuple) -> Option<Slot> {
        let ends = Ends { src: tuple.orig, dst: tuple.resp, proto: tuple.proto };
        let hash = self.hash(&ends);
        let index = hash as usize & (self.sets.len() - 1);
        let (_, way, _) = self.find(index, (hash >> 32) as u32 | 1, &ends)?;
        Some(Slot((index * WAYS + way) as u32))
    }

    /// Rank in the set's order, place, and the sending side.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn find(&self, index: usize, tag: u32, ends: &Ends) -> Option<(usize, usize, Side)> {
        let set = &self.sets[index];
        for (rank, &way) in set.order.iter().enumerate() {
            let way = usize::from(way) & (WAYS - 1);
            if set.tags[way] == tag
                && let Some(side) = self.flows[index * WAYS + way].side_of(ends)
            {
                return Some((rank, way, side));
            }
        }
        None
    }

    /// Gives a newcomer the place used longest ago.
    #[inline(never)]
    #[cfg_attr(router, optimize(speed))]
    fn admit(&mut self, index: usize, tag: u32, ends: &Ends, packet: &Packet<'_>) -> (usize, Side, bool) {
        let set = &mut self.sets[index];
        set.order.rotate_right(1);
        let way = usize::from(set.order[0]) & (WAYS - 1);
        let taken = set.tags[way] != 0;
        set.tags[way] = tag;
        let over = taken && self.flows[index * WAYS + way].is_over(packet.at);
        let side = if taken {
            self.replace(index, way, ends, packet)
        } else {
            self.settle(index, way, ends, packet)
        };
        if taken {
            self.ended.by = if over { EndedBy::Idle } else { EndedBy::Evicted };
            self.evicted += u64::from(!over);
        } else {
            self.live += 1;
        }
        (way, side, taken)
    }

    /// Puts a new flow in a place and the old one aside.
    #[cfg_attr(router, optimize(speed))]
    fn replace(&mut self, index: usize, way: usize, ends: &Ends, packet: &Packet<'_>) -> Side {
        let slot = index * WAYS + way;
        // Copied, not swapped: a flow is three cache lines.
        self.ended.flow = self.flows[slot];
        self.ended.slot = Slot(slot as u32);
        self.settle(index, way, ends, packet)
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn settle(&mut self, index: usize, way: usize, ends: &Ends, packet: &Packet<'_>) -> Side {
        let flow = &mut self.flows[index * WAYS + way];
        *flow = Flow::begin(*ends, packet);
        if flow.tuple.orig == ends.src { Side::Orig } else { Side::Resp }
    }

    /// The same for both directions.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn hash(&self, ends: &Ends) -> u64 {
        let end = |end: &Endpoint| mix(self.seed ^ words(&end.addr) ^ u64::from(end.port) << 40);
        mix(end(&ends.src).wrapping_add(end(&ends.dst)).wrapping_add(u64::from(ends.proto)))
    }

    /// Removes the flows that are over at `now` in `count` sets from set `from` on, and hands them out: the next
    /// set to sweep. A little with each tick reaches all.
    pub fn sweep(&mut self, from: usize, count: usize, now: Moment, mut out: impl FnMut(&Ended)) -> usize {
        for step in 0..count.min(self.sets.len()) {
            let index = (from + step) & (self.sets.len() - 1);
            self.clear_set(index, EndedBy::Idle, |flow| flow.is_over(now), &mut out);
        }
        (from + count) & (self.sets.len() - 1)
    }

    /// Hands out all flows and empties the table.
    pub fn drain(&mut self, mut out: impl FnMut(&Ended)) {
        for index in 0..self.sets.len() {
            self.clear_set(index, EndedBy::Drained, |_| true, &mut out);
        }
    }

    fn clear_set(
        &mut self,
        index: usize,
        by: EndedBy,
        leaves: impl Fn(&Flow) -> bool,
        out: &mut impl FnMut(&Ended),
    ) {
        let set = &mut self.sets[index];
        for way in 0..WAYS {
            let slot = index * WAYS + way;
            if set.tags[way] == 0 || !leaves(&self.flows[slot]) {
                continue;
            }
            set.tags[way] = 0;
            self.live -= 1;
            out(&Ended { flow: self.flows[slot], slot: Slot(slot as u32), by });
            // A vacant place is taken first.
            if let Some(rank) = set.order.iter().position(|&w| usize::from(w) == way) {
                set.order[rank..].rotate_left(1);
            }
        }
    }

    /// The flows in the table, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Flow)> {
        let tags = self.sets.iter().flat_map(|set| set.tags);
        let flows = self.flows.iter().enumerate().map(|(slot, flow)| (Slot(slot as u32), flow));
        tags.zip(flows).filter(|(tag, _)| *tag != 0).map(|(_, flow)| flow)
    }

    /// The flow in a place.
    pub fn flow(&self, slot: Slot) -> Option<&Flow> {
        let slot = slot.0 as usize;
        let set = self.sets.get(slot / WAYS)?;
        (set.tags[slot % WAYS] != 0).then(|| &self.flows[slot])
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Flows it can hold.
    pub fn capacity(&self) -> usize {
        self.flows.len()
    }

    /// Flows that had to leave before their time.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

/// Both halves of an address in one word.
#[inline]
fn words(addr: &Addr) -> u64 {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = *addr.octets();
    let high = u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
    let low = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    low ^ high.rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
