//! What the kernel counted where we cannot: connection tracking's counters, turned into differences.
//!
//! Under hardware offload frames pass us by, but the kernel still learns how much each of its connections carried
//! (`nf_conntrack_acct`). Counters only grow, so what moved is the difference between two readings. The idea to
//! know is the baseline: what the first reading finds is remembered and not counted, because it moved before we
//! relied on it; whatever shows up later has begun since, and all of it counts. A connection that ends between two
//! readings tells its last counters when it goes.
//!
//! At most [`MAX_CONNECTIONS`] are remembered. One that finds no room is left out and counted as such: its bytes are
//! missing, never invented. Counters that shrank were set to zero by somebody else, and what they show is new.

use std::collections::HashMap;
use std::collections::hash_map::{Entry as Place, RandomState};
use std::hash::BuildHasher;

use super::Moved;
use crate::net::FiveTuple;

/// Connections remembered; further ones are not counted while the table is full.
pub const MAX_CONNECTIONS: usize = 16_384;
/// An Ethernet header, which the kernel leaves out and the books do not.
const ETHERNET_LEN: u64 = 14;

/// Packets and bytes in one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets.
    pub packets: u64,
    /// Bytes, IP header included.
    pub bytes: u64,
}

impl Carried {
    /// As bytes on the wire.
    fn wire_bytes(self) -> u64 {
        self.bytes.saturating_add(self.packets.saturating_mul(ETHERNET_LEN))
    }
}

/// One tracked connection and what it has carried so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The kernel's number of it; with its ends, unique among those that live.
    pub id: u32,
    /// As its first packet was addressed, before any translation.
    pub orig: FiveTuple,
    /// As answers are addressed; `orig` of it is who answers.
    pub reply: FiveTuple,
    /// What went the way of the first packet.
    pub forth: Carried,
    /// What came back.
    pub back: Carried,
}

/// What a connection had carried when it was last read.
#[derive(Clone, Copy, Debug)]
struct Last {
    forth: u64,
    back: u64,
    round: u32,
}

/// The last readings.
#[derive(Debug, Default)]
pub struct Tracked {
    last: HashMap<u64, Last>,
    hasher: RandomState,
    /// Whole readings so far; the first is the baseline.
    round: u32,
    left_out: u64,
}

impl Tracked {
    /// What a connection carried since it was last read, `up` being the way of its first packet.
    pub fn difference(&mut self, connection: &Connection) -> Moved {
        let key = self.hasher.hash_one((connection.id, connection.orig));
        let (forth, back) = (connection.forth.wire_bytes(), connection.back.wire_bytes());
        let now = Last { forth, back, round: self.round };
        let room = self.last.len() < MAX_CONNECTIONS;
        match self.last.entry(key) {
            Place::Occupied(mut known) => {
                let last = known.insert(now);
                let since = |now: u64, last: u64| now.checked_sub(last).unwrap_or(now);
                Moved { up: since(forth, last.forth), down: since(back, last.back) }
            }
            Place::Vacant(place) if room => {
                place.insert(now);
                if self.round == 0 { Moved::default() } else { Moved { up: forth, down: back } }
            }
            Place::Vacant(_) => {
                self.left_out += 1;
                Moved::default()
            }
        }
    }

    /// All connections were read: those that were not among them this time nor the time before have ended. One time
    /// is not enough, for the news of an end may arrive after the reading that lacks the connection.
    pub fn end_round(&mut self) {
        let round = self.round;
        self.last.retain(|_, last| last.round.saturating_add(1) >= round);
        self.round += 1;
    }

    /// Connections remembered.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Times a connection was not counted because the table was full.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Addr, Endpoint};

    fn connection(id: u32, forth: u64, back: u64) -> Connection {
        let end = |last, port| Endpoint { addr: Addr::from_v4([192, 0, 2, last]), port };
        let orig = FiveTuple { orig: end(1, 5_000), resp: end(2, 443), proto: 6 };
        let reply = FiveTuple { orig: orig.resp, resp: orig.orig, proto: 6 };
        let carried = |bytes| Carried { packets: 0, bytes };
        Connection { id, orig, reply, forth: carried(forth), back: carried(back) }
    }

    fn moved(up: u64, down: u64) -> Moved {
        Moved { up, down }
    }

    #[test]
    fn what_was_there_before_is_the_baseline_and_what_comes_later_counts_whole() {
        let mut tracked = Tracked::default();
        assert_eq!(tracked.difference(&connection(1, 500, 9_000)), moved(0, 0));
        tracked.end_round();
        assert_eq!(tracked.difference(&connection(1, 520, 9_700)), moved(20, 700));
        assert_eq!(tracked.difference(&connection(2, 30, 40)), moved(30, 40));
        // It ends, and is seen dying by the next reading: nothing more.
        assert_eq!(tracked.difference(&connection(2, 35, 90)), moved(5, 50));
        tracked.end_round();
        assert_eq!(tracked.difference(&connection(2, 35, 90)), moved(0, 0));
    }

    #[test]
    fn an_end_that_is_told_after_the_reading_that_lacks_it_counts_the_rest_only() {
        let mut tracked = Tracked::default();
        tracked.end_round();
        assert_eq!(tracked.difference(&connection(7, 100, 100)), moved(100, 100));
        tracked.end_round();
        tracked.end_round();
        assert_eq!(tracked.difference(&connection(7, 100, 150)), moved(0, 50));
        for _ in 0..3 {
            tracked.end_round();
        }
        assert!(tracked.is_empty());
    }

    #[test]
    fn counters_that_somebody_set_to_zero_begin_anew_and_headers_are_added() {
        let mut tracked = Tracked::default();
        tracked.difference(&connection(1, 500, 500));
        tracked.end_round();
        assert_eq!(tracked.difference(&connection(1, 80, 600)), moved(80, 100));
        let packets = Carried { packets: 3, bytes: 300 };
        let framed = Connection { forth: packets, ..connection(9, 0, 0) };
        assert_eq!(tracked.difference(&framed), moved(342, 0));
    }

    #[test]
    fn a_full_table_leaves_out_and_says_so() {
        let mut tracked = Tracked::default();
        for id in 0..=MAX_CONNECTIONS as u32 {
            tracked.difference(&connection(id, 1, 1));
        }
        assert_eq!((tracked.len(), tracked.left_out()), (MAX_CONNECTIONS, 1));
    }
}
