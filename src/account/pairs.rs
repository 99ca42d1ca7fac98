//! Pairs of addresses and hosts: sums over conversations, made when a report asks for them.

use std::ops::Range;

use crate::dissect::IpVersion;
use crate::net::Addr;

use super::conversations::{Conversation, Conversations, Ends, Family, conversation};
use super::keys::{IpKey, Octets};
use super::row::{Exchange, Sender};
use super::table::{Key, Table, fold};
use super::{Count, Rest, Seed};

/// Pairs of IP addresses, in order of appearance, those of IPv6 after those of IPv4.
#[derive(Debug)]
pub struct Pairs {
    v4: Table<IpKey<[u8; 4]>>,
    v6: Table<IpKey<[u8; 16]>>,
    rest: Rest,
}

impl Pairs {
    pub(super) fn of(conversations: &Conversations) -> Self {
        let mut rest = conversations.ip_rest(IpVersion::V4);
        rest += conversations.ip_rest(IpVersion::V6);
        Self { v4: sums(&conversations.v4), v6: sums(&conversations.v6), rest }
    }

    /// What belongs to none of them.
    pub fn rest(&self) -> Rest {
        self.rest
    }

    /// One of them, by order of appearance.
    pub fn get(&self, no: usize) -> Option<Conversation> {
        match no.checked_sub(self.v4.len()) {
            None => self.v4.exchange(no).map(|pair| shown(IpVersion::V4, &pair)),
            Some(no) => self.v6.exchange(no).map(|pair| shown(IpVersion::V6, &pair)),
        }
    }

    /// The places of those of one version.
    pub fn places(&self, version: IpVersion) -> Range<usize> {
        match version {
            IpVersion::V4 => 0..self.v4.len(),
            IpVersion::V6 => self.v4.len()..self.v4.len() + self.v6.len(),
        }
    }

    /// Bytes of each, both ways.
    pub fn bytes(&self) -> impl Iterator<Item = u64> {
        self.v4.exchanges().map(|pair| bytes(&pair)).chain(self.v6.exchanges().map(|pair| bytes(&pair)))
    }

    /// The addresses of all pairs.
    pub fn hosts(&self) -> Hosts {
        Hosts::of(self)
    }
}

fn shown<A: Octets>(version: IpVersion, pair: &Exchange<IpKey<A>>) -> Conversation {
    let (a, b) = pair.key.ends();
    conversation(pair, Ends::Ip(version, a.addr, b.addr))
}

fn bytes<K>(exchange: &Exchange<K>) -> u64 {
    let [a, b] = exchange.sent;
    a.bytes + b.bytes
}

/// One row per pair of addresses.
fn sums<A: Octets>(family: &Family<A>) -> Table<IpKey<A>> {
    let mut pairs = Table::new(family.len(), Seed::default());
    for row in family.exchanges().filter(|row| row.key.transport().counts_ip()) {
        let [mut ab, mut ba] = row.sent;
        if row.key.is_alone() {
            // A host that talks to itself does not answer itself.
            ab += std::mem::take(&mut ba);
        }
        pairs.merge(&row.key.pair(), [ab, ba], [row.first, row.last]);
    }
    pairs
}

/// One address and what it moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Who.
    pub addr: Addr,
    /// Frames from it.
    pub sent: Count,
    /// Frames to it.
    pub received: Count,
}

#[derive(Clone, Copy, Debug)]
struct HostKey {
    version: IpVersion,
    addr: Addr,
}

impl Key for HostKey {
    fn sender(&self, other: &Self) -> Option<Sender> {
        (self.addr == other.addr && self.version == other.version).then_some(Sender::A)
    }

    fn hash(&self, seed: Seed) -> u64 {
        fold(self.addr.fingerprint() ^ seed.0, 0x9e37_79b9_7f4a_7c15)
    }
}

/// Hosts listed: as many as a table can hold, which is more than its pairs can name.
const MAX_HOSTS: usize = (1 << 20) - 2;

/// Addresses, in order of appearance.
#[derive(Debug)]
pub struct Hosts {
    table: Table<HostKey>,
}

impl Hosts {
    fn of(pairs: &Pairs) -> Self {
        let mut hosts = Self { table: Table::new(MAX_HOSTS, Seed::default()) };
        hosts.add(IpVersion::V4, &pairs.v4);
        hosts.add(IpVersion::V6, &pairs.v6);
        hosts
    }

    fn add<A: Octets>(&mut self, version: IpVersion, pairs: &Table<IpKey<A>>) {
        for pair in pairs.exchanges() {
            let (a, b) = pair.key.ends();
            let ([ab, ba], span) = (pair.sent, [pair.first, pair.last]);
            self.table.merge(&HostKey { version, addr: a.addr }, [ab, ba], span);
            self.table.merge(&HostKey { version, addr: b.addr }, [ba, ab], span);
        }
    }

    /// One of them, by order of appearance.
    pub fn get(&self, no: usize) -> Option<Host> {
        let Exchange { key, sent: [sent, received], .. } = self.table.exchange(no)?;
        Some(Host { addr: key.addr, sent, received })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Host> {
        (0..self.table.len()).filter_map(|no| self.get(no))
    }
}
