//! Bytes and packets by protocol, interval and conversation: what moved, as analysers count it.
//!
//! An [`Account`] is shown every frame once and keeps three kinds of tables, each of which can be left out: the
//! protocol hierarchy, the intervals of time, and the conversations. They count what tshark counts
//! (`io,phs`, `io,stat`, `conv`), to the byte; everything else that reports show (pairs, hosts) is derived from
//! them when the report is written, so that a packet costs one look-up, not six.
//!
//! Every table has a named capacity. What does not fit is counted in a [`Rest`]: totals stay true, only the
//! breakdown ends. Nothing here forgets by itself; periods and their roll-ups are the business of `history`.

mod books;
mod conversations;
mod hierarchy;
mod intervals;
mod keys;
mod pairs;
mod row;
mod services;
mod table;
mod tracked;

pub use books::{Books, Entry, Holder, MAX_EXCHANGES, Moved, Peer, Source};
pub use conversations::{Conversation, Conversations, Ends, MAX_CONVERSATIONS, MAX_ETH_PAIRS, Transport};
pub use hierarchy::{Hierarchy, MAX_PATHS, Node};
pub use intervals::{Interval, Intervals, MAX_INTERVALS};
pub use pairs::{Host, Hosts, Pairs};
pub use services::{MAX_SERVICES, ServiceCount, Services};
pub use tracked::{Carried, Connection, MAX_CONNECTIONS, Tracked};

use std::ops::AddAssign;

use crate::dissect::{Frame, Malformed, Packet, Reason};
use crate::time::Duration;

#[cfg(test)]
mod tests;

/// Frames and their wire bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Frames.
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Count {
    /// One frame.
    #[inline]
    pub fn add(&mut self, wire_len: u32) {
        self.frames += 1;
        self.bytes += u64::from(wire_len);
    }

    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        self.frames == 0
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// What a full table could not list.
pub type Rest = Count;

/// Which tables to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Width of the intervals; `None` for none.
    pub interval: Option<Duration>,
    /// Conversations, pairs and hosts.
    pub conversations: Option<Seed>,
}

/// Secret or constant that the hash tables start from: secret where strangers choose addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u64);

/// The books of one capture.
#[derive(Debug)]
pub struct Account {
    hierarchy: Hierarchy,
    intervals: Option<Intervals>,
    conversations: Option<Conversations>,
    cut_quotes: Rest,
}

impl Account {
    /// Empty books.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            hierarchy: Hierarchy::new(),
            intervals: wanted.interval.map(Intervals::new),
            conversations: wanted.conversations.map(Conversations::new),
            cut_quotes: Rest::default(),
        }
    }

    /// Counts a frame, which was dissected as `packet`.
    #[inline]
    pub fn observe(&mut self, frame: &Frame<'_>, packet: &Packet<'_>) {
        if let Some(Malformed { reason: Reason::QuoteTruncated, .. }) = packet.malformed {
            return self.observe_cut_quote(frame, packet);
        }
        let shape = self.hierarchy.observe(packet.application_path(), packet.wire_len);
        if let Some(intervals) = &mut self.intervals {
            intervals.observe(packet.at, packet.wire_len);
        }
        if let Some(conversations) = &mut self.conversations {
            conversations.observe(frame, packet, shape);
        }
    }

    /// An ICMP error whose quoted packet is cut off: as tshark does, it is left out of the hierarchy and the
    /// intervals, and its addresses count.
    #[cold]
    fn observe_cut_quote(&mut self, frame: &Frame<'_>, packet: &Packet<'_>) {
        self.cut_quotes.add(packet.wire_len);
        if let Some(intervals) = &mut self.intervals {
            intervals.begin(packet.at);
        }
        if let Some(conversations) = &mut self.conversations {
            conversations.observe_headers(frame);
        }
    }

    /// ICMP errors that are neither in the hierarchy nor in the intervals, because what they quote is cut off.
    pub fn cut_quotes(&self) -> Rest {
        self.cut_quotes
    }

    /// Frames by protocol.
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// Frames by time, if they were kept.
    pub fn intervals(&self) -> Option<&Intervals> {
        self.intervals.as_ref()
    }

    /// Takes the conversations out, if they were kept: they weigh more than all the rest.
    pub fn into_conversations(self) -> Option<Conversations> {
        self.conversations
    }

    /// Frames by who talks to whom, if they were kept.
    pub fn conversations(&self) -> Option<&Conversations> {
        self.conversations.as_ref()
    }
}
