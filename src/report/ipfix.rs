//! Flow records as IPFIX messages (RFC 7011), both directions in one record (RFC 5103), elements of IANA's registry.
//!
//! One template for each IP version, and an options template that says what was sampled (nothing: one in one),
//! dropped by the kernel, and not sent by us. Collectors that know neither biflows nor options skip those.

use std::collections::VecDeque;

use crate::flow::meter::FlowRecord;
use crate::net::Addr;

/// Longest message: a datagram that no home line fragments (RFC 7011 §10.3.3).
pub const MAX_MESSAGE_BYTES: usize = 1_400;
/// Elements of the reverse direction carry this number (RFC 5103 §6.1).
const REVERSE: u32 = 29_305;
/// Template numbers.
const FLOW4: u16 = 256;
const FLOW6: u16 = 257;
const OPTIONS: u16 = 258;

/// An element: number, length in bytes, whether of the reverse direction.
type Element = (u16, u16, Way);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Reverse,
}
use Way::{Forward, Reverse};

/// What follows the addresses in a record of either version.
const COMMON: [Element; 13] = [
    (7, 2, Forward),   // sourceTransportPort
    (11, 2, Forward),  // destinationTransportPort
    (4, 1, Forward),   // protocolIdentifier
    (136, 1, Forward), // flowEndReason
    (152, 8, Forward), // flowStartMilliseconds
    (153, 8, Forward), // flowEndMilliseconds
    (6, 2, Forward),   // tcpControlBits
    (1, 8, Forward),   // octetDeltaCount
    (2, 8, Forward),   // packetDeltaCount
    (6, 2, Reverse),
    (1, 8, Reverse),
    (2, 8, Reverse),
    (148, 8, Forward), // flowId
];
const ADDRESSES4: [Element; 2] = [(8, 4, Forward), (12, 4, Forward)];
const ADDRESSES6: [Element; 2] = [(27, 16, Forward), (28, 16, Forward)];
/// The scope first: observationDomainId.
const COUNTS: [Element; 6] = [
    (149, 4, Forward),
    (34, 4, Forward),  // samplingInterval
    (35, 1, Forward),  // samplingAlgorithm
    (42, 8, Forward),  // exportedFlowRecordTotalCount
    (135, 8, Forward), // droppedPacketTotalCount
    (166, 8, Forward), // notSentFlowTotalCount
];

/// What the options record says of losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Packets the kernel had no room for.
    pub dropped_packets: u64,
    /// Records that were never sent.
    pub not_sent: u64,
}

/// Numbers messages and records of one transport session.
#[derive(Clone, Debug)]
pub struct Encoder {
    domain: u32,
    sequence: u32,
    exported: u64,
}

impl Encoder {
    /// A session of an observation domain, a number that tells routers apart at one collector.
    pub fn new(domain: u32) -> Self {
        Self { domain, sequence: 0, exported: 0 }
    }

    /// A connection was made anew: numbers begin at zero.
    pub fn restart(&mut self) {
        self.sequence = 0;
    }

    /// Flow records sent.
    pub fn exported(&self) -> u64 {
        self.exported
    }

    /// The message that must come first, and now and then again: templates and counts.
    pub fn templates(&mut self, at_s: u32, losses: Losses) -> Vec<u8> {
        let mut sets = Vec::new();
        let mut body = Vec::new();
        for (number, addresses) in [(FLOW4, ADDRESSES4), (FLOW6, ADDRESSES6)] {
            body.extend(number.to_be_bytes());
            body.extend(((addresses.len() + COMMON.len()) as u16).to_be_bytes());
            addresses.iter().chain(&COMMON).for_each(|element| specify(&mut body, *element));
        }
        set(&mut sets, 2, &body);
        body.clear();
        body.extend(OPTIONS.to_be_bytes());
        body.extend((COUNTS.len() as u16).to_be_bytes());
        body.extend(1_u16.to_be_bytes());
        COUNTS.iter().for_each(|element| specify(&mut body, *element));
        set(&mut sets, 3, &body);
        body.clear();
        body.extend(self.domain.to_be_bytes());
        body.extend(1_u32.to_be_bytes());
        body.push(1);
        for count in [self.exported, losses.dropped_packets, losses.not_sent] {
            body.extend(count.to_be_bytes());
        }
        set(&mut sets, OPTIONS, &body);
        self.message(at_s, &sets, 1)
    }

    /// The next message of records, as many as fit; `None` if none waits. `wall_ms` tells when a moment was, in
    /// milliseconds since the epoch.
    pub fn records(
        &mut self,
        at_s: u32,
        waiting: &mut VecDeque<FlowRecord>,
        wall_ms: impl Fn(crate::time::Moment) -> u64,
    ) -> Option<Vec<u8>> {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        let mut count = 0;
        while let Some(record) = waiting.front() {
            let body = if record.tuple.orig.addr.is_v4() { &mut four } else { &mut six };
            let begin = body.len();
            write(body, record, self.exported + u64::from(count), &wall_ms);
            // Sixteen bytes of message header, four of each set's.
            if 24 + four.len() + six.len() > MAX_MESSAGE_BYTES {
                let body = if record.tuple.orig.addr.is_v4() { &mut four } else { &mut six };
                body.truncate(begin);
                break;
            }
            count += 1;
            waiting.pop_front();
        }
        if count == 0 {
            return None;
        }
        let mut sets = Vec::with_capacity(8 + four.len() + six.len());
        for (number, body) in [(FLOW4, four), (FLOW6, six)] {
            if !body.is_empty() {
                set(&mut sets, number, &body);
            }
        }
        self.exported += u64::from(count);
        Some(self.message(at_s, &sets, count))
    }

    /// A whole message with so many data records.
    fn message(&mut self, at_s: u32, sets: &[u8], records: u32) -> Vec<u8> {
        let mut message = Vec::with_capacity(16 + sets.len());
        message.extend(10_u16.to_be_bytes());
        message.extend(((16 + sets.len()) as u16).to_be_bytes());
        message.extend(at_s.to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.domain.to_be_bytes());
        message.extend(sets);
        self.sequence = self.sequence.wrapping_add(records);
        message
    }
}

fn set(to: &mut Vec<u8>, number: u16, body: &[u8]) {
    to.extend(number.to_be_bytes());
    to.extend(((4 + body.len()) as u16).to_be_bytes());
    to.extend(body);
}

fn specify(to: &mut Vec<u8>, (number, len, way): Element) {
    match way {
        Forward => {
            to.extend(number.to_be_bytes());
            to.extend(len.to_be_bytes());
        }
        Reverse => {
            to.extend((number | 0x8000).to_be_bytes());
            to.extend(len.to_be_bytes());
            to.extend(REVERSE.to_be_bytes());
        }
    }
}

fn write(to: &mut Vec<u8>, record: &FlowRecord, id: u64, wall_ms: &impl Fn(crate::time::Moment) -> u64) {
    let (orig, resp) = (record.tuple.orig, record.tuple.resp);
    for addr in [orig.addr, resp.addr] {
        address(to, &addr);
    }
    to.extend(orig.port.to_be_bytes());
    to.extend(resp.port.to_be_bytes());
    to.push(record.tuple.proto);
    to.push(record.reason as u8);
    to.extend(wall_ms(record.start).to_be_bytes());
    to.extend(wall_ms(record.end).to_be_bytes());
    for sent in [record.orig, record.resp] {
        to.extend(u16::from(sent.flags).to_be_bytes());
        to.extend(sent.bytes.to_be_bytes());
        to.extend(sent.packets.to_be_bytes());
    }
    to.extend(id.to_be_bytes());
}

fn address(to: &mut Vec<u8>, addr: &Addr) {
    match addr.v4() {
        Some(octets) => to.extend(octets),
        None => to.extend(addr.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::meter::{Reason, Sent};
    use crate::net::{Endpoint, FiveTuple};
    use crate::time::Moment;

    fn record(last: u8, v6: bool) -> FlowRecord {
        let end = |host: u8, port| match v6 {
            true => Endpoint {
                addr: Addr::from_v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]),
                port,
            },
            false => Endpoint { addr: Addr::from_v4([192, 0, 2, host]), port },
        };
        FlowRecord {
            tuple: FiveTuple { orig: end(last, 50_000), resp: end(200, 443), proto: 6 },
            start: Moment::from_secs(100),
            end: Moment::from_secs(160),
            orig: Sent { packets: 3, bytes: 300, flags: 2 },
            resp: Sent { packets: 4, bytes: 4_000, flags: 18 },
            reason: Reason::Active,
        }
    }

    #[test]
    fn messages_are_bounded_numbered_and_hold_every_record() {
        let mut waiting: VecDeque<_> = (0..100).map(|n| record(n, n % 3 == 0)).collect();
        let mut encoder = Encoder::new(7);
        let first = encoder.templates(1_000, Losses::default());
        let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((&first[..2], word(&first, 8), word(&first, 12)), (&[0, 10][..], 0, 7));
        // One record, of the options.
        let mut sequence = 1;
        while let Some(message) = encoder.records(1_000, &mut waiting, Moment::as_secs) {
            assert!(message.len() <= MAX_MESSAGE_BYTES);
            let len = u16::from_be_bytes([message[2], message[3]]);
            assert_eq!((usize::from(len), word(&message, 8)), (message.len(), sequence));
            let (mut at, mut records) = (16, 0);
            while at < message.len() {
                let number = u16::from_be_bytes([message[at], message[at + 1]]);
                let len = usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
                let size = if number == FLOW4 { 74 } else { 98 };
                assert_eq!((len - 4) % size, 0);
                records += ((len - 4) / size) as u32;
                at += len;
            }
            sequence += records;
        }
        assert_eq!((sequence, encoder.exported()), (101, 100));
    }
}
