//! Handshakes in pieces: joins the segments or datagrams of a ClientHello until its name is there.
//!
//! Most hellos over TCP come in one segment and never touch the pool. The pool has [`POOL_LEN`] places of 4.6
//! KiB; when it is full the oldest gives way, and after [`PATIENCE`] a hello is given up. Opening QUIC Initials
//! costs AES: each flow has [`MAX_TRIES`] attempts, and all together have a budget per second, so that a flood
//! of forged Initials costs labels, not the router.

use std::ops::Range;

use super::budget::Budget;
use crate::dissect::quic::{self, ConnectionId, Initial, InitialKeys};
use crate::dissect::tls::{self, ClientHello, MAX_HELLO, Reading};
use crate::time::{Duration, Moment};

/// Hellos that are being joined at one time.
pub const POOL_LEN: usize = 16;

/// Pieces that are looked at for one hello.
const MAX_TRIES: u8 = 12;

/// How long the pieces of one hello may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// QUIC packets opened per second, all flows together, and at once.
pub const OPENED_PER_SECOND: u32 = 100;
const OPENED_AT_ONCE: u32 = 200;

/// Initials looked at in one datagram: real ones have one, seldom two.
const MAX_COALESCED: usize = 3;

/// QUIC flows remembered as settled, so that the acknowledgements in a client's later Initials cost nothing.
const SETTLED_LEN: usize = 64;

/// Fingerprint of a flow and its direction.
pub(super) type FlowHash = u64;

#[derive(Debug)]
pub(super) struct Hellos {
    pool: Vec<Pending>,
    /// Bit `port % 64` is set while a hello over TCP from that client port is pending: spares all other packets
    /// the search.
    tcp_ports: u64,
    settled: [(FlowHash, Moment); SETTLED_LEN],
    opening: Budget,
    /// Where Initials are opened.
    scratch: Box<[u8; quic::MAX_DATAGRAM]>,
}

struct Pending {
    flow: FlowHash,
    since: Moment,
    tries: u8,
    carrier: Carrier,
    bytes: Pieces,
}

#[derive(Clone, Copy)]
enum Carrier {
    /// Sequence number of the first byte, client port.
    Tcp { first_seq: u32, port: u16 },
    /// Keys, and the connection ID that they came from.
    Quic { keys: InitialKeys, dcid: ConnectionId },
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("flow", &self.flow)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// One segment of a TCP stream.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) flow: FlowHash,
    pub(super) port: u16,
    pub(super) seq: u32,
    pub(super) payload: &'a [u8],
    /// Bytes on the wire; more than `payload` if the capture cut it.
    pub(super) payload_len: u32,
}

impl Hellos {
    pub(super) fn new() -> Self {
        Self {
            pool: Vec::with_capacity(POOL_LEN),
            tcp_ports: 0,
            settled: [(0, Moment::ZERO); SETTLED_LEN],
            opening: Budget::new(OPENED_PER_SECOND, OPENED_AT_ONCE),
            scratch: Box::new([0; quic::MAX_DATAGRAM]),
        }
    }

    /// Whether a segment from this client port may continue a hello.
    pub(super) fn awaits(&self, port: u16) -> bool {
        self.tcp_ports >> (port % 64) & 1 != 0
    }

    /// Takes a segment that begins a hello or may continue one; returns the hello once its name is there.
    pub(super) fn take_segment(&mut self, segment: &Segment<'_>, now: Moment) -> Option<ClientHello> {
        if tls::begins_hello(segment.payload) {
            match tls::read_records(segment.payload) {
                Reading::Hello(hello) => return Some(hello),
                Reading::Other => return None,
                // What the capture cut off will not come.
                Reading::Incomplete if segment.payload.len() < segment.payload_len as usize => return None,
                Reading::Incomplete => {
                    let carrier = Carrier::Tcp { first_seq: segment.seq, port: segment.port };
                    self.open(segment.flow, carrier, now);
                }
            }
        }
        let slot = self.find(segment.flow, now)?;
        let pending = &mut self.pool[slot];
        let Carrier::Tcp { first_seq, .. } = pending.carrier else { return None };
        pending.bytes.put(segment.seq.wrapping_sub(first_seq) as usize, segment.payload);
        let reading = tls::read_records(pending.bytes.prefix());
        self.conclude(slot, reading)
    }

    /// Takes a datagram that begins with a long header; returns the hello once its name is there.
    pub(super) fn take_datagram(
        &mut self,
        flow: FlowHash,
        datagram: &[u8],
        now: Moment,
    ) -> Option<ClientHello> {
        let (settled, at) = self.settled[flow as usize % SETTLED_LEN];
        if settled == flow && now.since(at) < PATIENCE {
            return None;
        }
        for initial in quic::initials(datagram).take(MAX_COALESCED) {
            let slot = self.find(flow, now);
            let Some((carrier, frames)) = self.unlock(slot, &initial, now) else {
                // A flow's first Initial opens or none does: its keys need the client's first connection ID.
                if slot.is_none() {
                    self.settle(flow, now);
                }
                continue;
            };
            let slot = slot.unwrap_or_else(|| self.open(flow, carrier, now));
            let pending = &mut self.pool[slot];
            pending.carrier = carrier;
            for (offset, data) in quic::crypto_frames(&self.scratch[frames]) {
                pending.bytes.put(offset, data);
            }
            let reading = tls::read_handshake(pending.bytes.prefix());
            if reading != Reading::Incomplete {
                self.settle(flow, now);
                return self.conclude(slot, reading);
            }
            self.conclude(slot, reading);
        }
        None
    }

    /// Opens an Initial with the keys known for its flow, or with those of its own connection ID: right for a
    /// flow's first Initial, and for the first after a Retry. A client that took up the server's connection ID
    /// keeps the old keys.
    fn unlock(
        &mut self,
        slot: Option<usize>,
        initial: &Initial<'_>,
        now: Moment,
    ) -> Option<(Carrier, Range<usize>)> {
        if let Some(carrier @ Carrier::Quic { keys, dcid }) = slot.map(|slot| self.pool[slot].carrier) {
            let frames = self.opening.spend(now).then(|| keys.open(initial, &mut self.scratch)).flatten();
            if let Some(frames) = frames {
                return Some((carrier, frames));
            }
            if dcid == initial.dcid {
                return None;
            }
        }
        if !self.opening.spend(now) {
            return None;
        }
        let keys = InitialKeys::of_client(initial.version, &initial.dcid);
        let frames = keys.open(initial, &mut self.scratch)?;
        Some((Carrier::Quic { keys, dcid: initial.dcid }, frames))
    }

    /// The place of a flow's pending hello; forgets those whose time or tries are over.
    fn find(&mut self, flow: FlowHash, now: Moment) -> Option<usize> {
        let before = self.pool.len();
        self.pool.retain(|pending| now.since(pending.since) < PATIENCE && pending.tries < MAX_TRIES);
        if self.pool.len() < before {
            self.mark_ports();
        }
        self.pool.iter().position(|pending| pending.flow == flow)
    }

    /// Begins a hello, in place of the oldest if the pool is full, or of the same flow's.
    fn open(&mut self, flow: FlowHash, carrier: Carrier, now: Moment) -> usize {
        let pending = |bytes| Pending { flow, since: now, tries: 0, carrier, bytes };
        let same = self.pool.iter().position(|pending| pending.flow == flow);
        let slot = match same {
            None if self.pool.len() < POOL_LEN => {
                self.pool.push(pending(Pieces::new()));
                self.pool.len() - 1
            }
            _ => {
                let oldest = (0..self.pool.len()).min_by_key(|&slot| self.pool[slot].since);
                let slot = same.or(oldest).unwrap_or(0);
                self.pool[slot] = pending(Pieces::new());
                slot
            }
        };
        self.mark_ports();
        slot
    }

    /// Ends or continues a pending hello after a piece of it was read.
    fn conclude(&mut self, slot: usize, reading: Reading) -> Option<ClientHello> {
        match reading {
            Reading::Incomplete => {
                self.pool[slot].tries += 1;
                None
            }
            Reading::Hello(_) | Reading::Other => {
                self.pool.swap_remove(slot);
                self.mark_ports();
                if let Reading::Hello(hello) = reading { Some(hello) } else { None }
            }
        }
    }

    fn settle(&mut self, flow: FlowHash, now: Moment) {
        self.settled[flow as usize % SETTLED_LEN] = (flow, now);
    }

    fn mark_ports(&mut self) {
        self.tcp_ports = self.pool.iter().fold(0, |bits, pending| match pending.carrier {
            Carrier::Tcp { port, .. } => bits | 1 << (port % 64),
            Carrier::Quic { .. } => bits,
        });
    }
}

/// The first [`MAX_HELLO`] bytes of a stream whose pieces come in any order, twice or overlapping. The first
/// copy of a byte counts.
struct Pieces {
    bytes: Box<[u8; MAX_HELLO]>,
    /// One bit per byte that is there.
    have: [u64; MAX_HELLO / 64],
}

impl Pieces {
    fn new() -> Self {
        Self { bytes: Box::new([0; MAX_HELLO]), have: [0; MAX_HELLO / 64] }
    }

    fn put(&mut self, offset: usize, data: &[u8]) {
        let room = MAX_HELLO.saturating_sub(offset);
        for (at, &byte) in data.iter().take(room).enumerate().map(|(index, byte)| (offset + index, byte)) {
            let bit = 1 << (at % 64);
            if self.have[at / 64] & bit == 0 {
                self.have[at / 64] |= bit;
                self.bytes[at] = byte;
            }
        }
    }

    /// What is there from the first byte on without a hole.
    fn prefix(&self) -> &[u8] {
        let whole = self.have.iter().take_while(|&&word| word == u64::MAX).count();
        let rest = self.have.get(whole).map_or(0, |word| word.trailing_ones() as usize);
        &self.bytes[..whole * 64 + rest]
    }
}

#[cfg(test)]
mod tests;
