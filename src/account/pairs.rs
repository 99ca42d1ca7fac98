//! Pairs of addresses and hosts: sums over conversations, made when a report asks for them.

use crate::dissect::IpVersion;
use crate::net::Addr;

use super::conversations::{Conversation, Conversations, Ends, IpKey, Key4, Key6, Transport, conversation};
use super::table::{Key, Row, Sender, Table, fold};
use super::{Count, Rest, Seed};

/// Pairs of IP addresses of one version, in order of appearance.
#[derive(Debug)]
pub struct Pairs {
    inner: Inner,
    rest: Rest,
}

#[derive(Debug)]
enum Inner {
    V4(Table<Key4>),
    V6(Table<Key6>),
}

impl Pairs {
    pub(super) fn of(conversations: &Conversations, version: IpVersion) -> Self {
        let inner = match version {
            IpVersion::V4 => Inner::V4(sums(conversations.v4.rows())),
            IpVersion::V6 => Inner::V6(sums(conversations.v6.rows())),
        };
        Self { inner, rest: conversations.ip_rest(version) }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        match &self.inner {
            Inner::V4(table) => table.rows().len(),
            Inner::V6(table) => table.rows().len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, by order of appearance.
    pub fn get(&self, index: usize) -> Option<Conversation> {
        fn shown<K: IpKey>(version: IpVersion, row: &Row<K>) -> Conversation {
            let (a, b) = row.key.ends();
            conversation(row, Ends::Ip(version, a.addr, b.addr))
        }
        match &self.inner {
            Inner::V4(table) => table.rows().get(index).map(|row| shown(IpVersion::V4, row)),
            Inner::V6(table) => table.rows().get(index).map(|row| shown(IpVersion::V6, row)),
        }
    }

    /// All of them, in order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = Conversation> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// What belongs to none of them.
    pub fn rest(&self) -> Rest {
        self.rest
    }
}

/// One row per pair of addresses.
fn sums<K: IpKey>(rows: &[Row<K>]) -> Table<K> {
    let mut pairs = Table::new(rows.len(), Seed::default());
    for row in rows.iter().filter(|row| row.key.transport().counts_ip()) {
        let (a, b) = row.key.ends();
        let key = K::new((a.addr, 0), (b.addr, 0), Transport::Other);
        let (mut ab, mut ba) = (row.sent(Sender::A), row.sent(Sender::B));
        if a.addr == b.addr {
            // A host that talks to itself does not answer itself.
            ab += std::mem::take(&mut ba);
        }
        pairs.merge(&key, [ab, ba], [row.first, row.last]);
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
    rest: Rest,
}

impl Hosts {
    pub(super) fn of(conversations: &Conversations) -> Self {
        let (v4, v6) = (conversations.v4.rows(), conversations.v6.rows());
        let mut hosts = Self { table: Table::new(MAX_HOSTS, Seed::default()), rest: Rest::default() };
        hosts.add(IpVersion::V4, v4);
        hosts.add(IpVersion::V6, v6);
        hosts.rest += conversations.ip_rest(IpVersion::V4);
        hosts.rest += conversations.ip_rest(IpVersion::V6);
        hosts
    }

    fn add<K: IpKey>(&mut self, version: IpVersion, rows: &[Row<K>]) {
        for row in rows.iter().filter(|row| row.key.transport().counts_ip()) {
            let (a, b) = row.key.ends();
            let (ab, ba, span) = (row.sent(Sender::A), row.sent(Sender::B), [row.first, row.last]);
            self.table.merge(&HostKey { version, addr: a.addr }, [ab, ba], span);
            self.table.merge(&HostKey { version, addr: b.addr }, [ba, ab], span);
        }
    }

    /// Number of hosts.
    pub fn len(&self) -> usize {
        self.table.rows().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, by order of appearance.
    pub fn get(&self, index: usize) -> Option<Host> {
        self.table.rows().get(index).map(|row| Host {
            addr: row.key.addr,
            sent: row.sent(Sender::A),
            received: row.sent(Sender::B),
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Host> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Frames of hosts that are not listed.
    pub fn rest(&self) -> Rest {
        self.rest
    }
}
