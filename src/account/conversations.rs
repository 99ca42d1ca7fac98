//! Who talks to whom: Ethernet, IP, TCP and UDP conversations from one look-up per packet.
//!
//! A row is one pair of addresses with its ports. The IP conversations are sums of rows, made when they are asked
//! for, so they cost a packet nothing. Which packets count follows Wireshark's taps:
//!
//! * each header of a frame counts the whole frame, inside tunnels too, but not those quoted in ICMP errors;
//! * the first packet decides which end is *a*;
//! * a TCP conversation ends where a SYN with another sequence number reuses its ports;
//! * headers that cannot be believed (a length below the minimum, options cut off) do not count.
//!
//! A full table goes on for [`PAIR_RESERVE`] rows that sum up all further ports of a pair of addresses; only what
//! finds no room there either is [`Rest`].

use crate::dissect::{
    Fragment, Frame, Header, IpVersion, Packet, Tcp, Transport as Carried, headers, tcp_flags,
};
use crate::net::{Addr, Endpoint, MacAddr};
use crate::time::Moment;

use super::hierarchy::{Depth, Link, Shape};
use super::keys::{IpKey, MacPair, Octets};
use super::pairs::Pairs;
use super::row::{Entry, Exchange};
use super::table::{Key, Table};
use super::{Count, Rest, Seed};

/// Rows of IPv4; 25 MB if a flood fills them. IPv6 has as many.
pub const MAX_CONVERSATIONS: usize = 1 << 19;
/// Rows for the pairs of a full table.
const PAIR_RESERVE: usize = 1 << 16;
/// Pairs of Ethernet addresses.
pub const MAX_ETH_PAIRS: usize = 1 << 16;

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Transport {
    /// A TCP conversation.
    Tcp,
    /// A UDP conversation.
    Udp,
    /// IP packets with neither: other protocols, and fragments after the first.
    Other,
    /// All that came after the table was full, whatever it was.
    Further,
    /// TCP whose IP header was counted already.
    TcpOnly,
    /// UDP whose IP header was counted already or does not count.
    UdpOnly,
}

impl Transport {
    /// Whether such a row counts for the pair of IP addresses.
    pub(super) const fn counts_ip(self) -> bool {
        match self {
            Self::Tcp | Self::Udp | Self::Other | Self::Further => true,
            Self::TcpOnly | Self::UdpOnly => false,
        }
    }
}

/// The two ends of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Ethernet addresses.
    Eth(MacAddr, MacAddr),
    /// IP addresses.
    Ip(IpVersion, Addr, Addr),
    /// With ports.
    Ports(Transport, Endpoint, Endpoint),
}

/// One conversation. `a` sent the first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Between whom.
    pub ends: Ends,
    /// What `a` sent.
    pub ab: Count,
    /// What `b` sent.
    pub ba: Count,
    /// Earliest frame.
    pub first: Moment,
    /// Latest frame.
    pub last: Moment,
}

/// One header pair to count.
#[derive(Clone, Copy)]
struct Talk<'a> {
    src: (Addr, u16),
    dst: (Addr, u16),
    transport: Transport,
    at: Moment,
    wire_len: u32,
    /// The TCP header, if its length is known: fragments do not tell theirs.
    tcp: Option<&'a Tcp>,
}

/// The rows of one address family.
#[derive(Debug)]
pub(super) struct Family<A> {
    table: Table<IpKey<A>>,
    /// Rows with the reserve.
    limit: usize,
    /// By transport, what found no room.
    rests: [Rest; 3],
}

/// Bits of a row's state: the initial sequence number of this end is known.
const SEQ_KNOWN: [u8; 2] = [1, 2];

/// The same of UDP: the row holds the first message of SNMP, or the later ones.
const STANDS_ALONE: u8 = 1;
const GOES_ON: u8 = 2;

/// Whether Wireshark hands a datagram to its dissector of SNMP.
#[inline]
fn is_snmp(talk: &Talk<'_>) -> bool {
    talk.transport == Transport::Udp && matches!(talk.src.1.min(talk.dst.1), 161 | 162)
}

impl<A: Octets> Family<A> {
    fn new(room: Room, seed: Seed) -> Self {
        let limit = room.rows + room.reserve;
        Self { table: Table::new(room.rows, seed), limit, rests: [Rest::default(); 3] }
    }

    #[inline]
    fn count(&mut self, talk: &Talk<'_>) {
        let key = IpKey::new(talk.src, talk.dst, talk.transport);
        let Some(mut entry) = self.table.entry(&key, talk.at) else {
            return self.count_further(talk);
        };
        let Some(tcp) = talk.tcp else {
            if is_snmp(talk) && entry.row.state != GOES_ON {
                return self.count_snmp(&key, talk);
            }
            return entry.add(talk.at, talk.wire_len);
        };
        // (RFC 9293 §3.4) The same ports again, for another connection.
        let opens = tcp.flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN;
        let side = entry.sender as usize;
        if opens && entry.row.state & SEQ_KNOWN[side] != 0 && entry.row.numbers[side] != tcp.seq {
            match self.table.supersede(&key, talk.at) {
                Some(entry) => open(entry, talk, tcp),
                None => self.count_further(talk),
            }
            return;
        }
        open(entry, talk, tcp);
    }

    /// The first message of SNMP stands alone and the others follow in a conversation of their own, because
    /// Wireshark's dissector opens a second one when it has read the first message.
    #[cold]
    fn count_snmp(&mut self, key: &IpKey<A>, talk: &Talk<'_>) {
        let Some(mut entry) = self.table.entry(key, talk.at) else { return };
        if entry.row.state == 0 {
            entry.row.state = STANDS_ALONE;
            return entry.add(talk.at, talk.wire_len);
        }
        match self.table.supersede(key, talk.at) {
            Some(mut entry) => {
                entry.row.state = GOES_ON;
                entry.add(talk.at, talk.wire_len);
            }
            None => self.count_further(talk),
        }
    }

    /// The table is full: the pair of addresses may have a row, or get one of the reserve.
    #[cold]
    fn count_further(&mut self, talk: &Talk<'_>) {
        self.table.extend_limit(self.limit);
        match talk.transport {
            Transport::Tcp | Transport::TcpOnly => self.rests[0].add(talk.wire_len),
            Transport::Udp | Transport::UdpOnly => self.rests[1].add(talk.wire_len),
            Transport::Other | Transport::Further => self.rests[2].add(talk.wire_len),
        }
        if matches!(talk.transport, Transport::TcpOnly | Transport::UdpOnly) {
            return;
        }
        let key = IpKey::new((talk.src.0, 0), (talk.dst.0, 0), Transport::Further);
        match self.table.entry(&key, talk.at) {
            Some(mut entry) => entry.add(talk.at, talk.wire_len),
            None => self.table.miss(talk.wire_len),
        }
    }
}

/// Counts a segment and learns the initial sequence numbers that later SYNs are compared with.
#[inline]
fn open<K: Key>(mut entry: Entry<'_, K>, talk: &Talk<'_>, tcp: &Tcp) {
    let (side, other) = (entry.sender as usize, entry.sender.other() as usize);
    let row = &mut *entry.row;
    let known = SEQ_KNOWN[side] | SEQ_KNOWN[other];
    if row.state & known != known || tcp.flags & tcp_flags::SYN != 0 {
        let acks = tcp.flags & tcp_flags::ACK != 0;
        let syn = tcp.flags & tcp_flags::SYN != 0;
        if row.state & SEQ_KNOWN[side] == 0 {
            row.numbers[side] = if syn { tcp.seq } else { tcp.seq.wrapping_sub(1) };
        } else if syn && acks {
            row.numbers[side] = tcp.seq;
        }
        row.state |= SEQ_KNOWN[side];
        if acks && row.state & SEQ_KNOWN[other] == 0 {
            row.numbers[other] = tcp.ack.wrapping_sub(1);
            row.state |= SEQ_KNOWN[other];
        }
    }
    entry.add(talk.at, talk.wire_len);
}

/// All conversations.
#[derive(Debug)]
pub struct Conversations {
    eth: Table<MacPair>,
    pub(super) v4: Family<[u8; 4]>,
    pub(super) v6: Family<[u8; 16]>,
}

/// How many rows a family may have.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) rows: usize,
    /// More, for pairs of addresses only, once the others are used up.
    pub(super) reserve: usize,
}

impl Conversations {
    pub(super) fn new(seed: Seed) -> Self {
        Self::with_room(Room { rows: MAX_CONVERSATIONS, reserve: PAIR_RESERVE }, seed)
    }

    pub(super) fn with_room(room: Room, seed: Seed) -> Self {
        Self {
            eth: Table::new(MAX_ETH_PAIRS.min(room.rows), seed),
            v4: Family::new(room, seed),
            v6: Family::new(room, seed),
        }
    }

    #[inline]
    pub(super) fn observe(&mut self, frame: &Frame<'_>, packet: &Packet<'_>, shape: Shape) {
        if shape.depth == Depth::Nested || packet.malformed.is_some() {
            return self.observe_headers(frame);
        }
        if let (Link::Ethernet, Some(ether)) = (shape.link, packet.ether) {
            self.count_eth(MacPair { a: ether.src, b: ether.dst }, packet.at, packet.wire_len);
        }
        let (Some(version), Some(ip)) = (shape.ip, packet.ip()) else { return };
        let (transport, tcp) = match &packet.transport {
            Carried::Tcp(tcp) => (Transport::Tcp, (ip.fragment == Fragment::Whole).then_some(tcp)),
            Carried::Udp { .. } => (Transport::Udp, None),
            Carried::Icmp { .. } | Carried::Other(_) | Carried::None => (Transport::Other, None),
        };
        // A later fragment of IPv6 has no header that anybody could answer to.
        if version == IpVersion::V6 && ip.fragment == Fragment::Later {
            return;
        }
        let (src_port, dst_port) = packet.ports();
        let talk = Talk {
            src: (ip.src, src_port),
            dst: (ip.dst, dst_port),
            transport,
            at: packet.at,
            wire_len: packet.wire_len,
            tcp,
        };
        self.count_ip(version, &talk);
    }

    #[inline]
    fn count_ip(&mut self, version: IpVersion, talk: &Talk<'_>) {
        match version {
            IpVersion::V4 => self.v4.count(talk),
            IpVersion::V6 => self.v6.count(talk),
        }
    }

    fn count_eth(&mut self, pair: MacPair, at: Moment, wire_len: u32) {
        match self.eth.entry(&pair, at) {
            Some(mut entry) => entry.add(at, wire_len),
            None => self.eth.miss(wire_len),
        }
    }

    /// Tunnels and frames that lie: header by header.
    #[inline(never)]
    pub(super) fn observe_headers(&mut self, frame: &Frame<'_>) {
        let listed = headers(frame);
        let (at, wire_len) = (frame.at, frame.wire_len);
        // The IP header that a transport belongs to, and whether it was counted with one.
        let mut ip: Option<(IpVersion, Addr, Addr)> = None;
        let mut pending = false;
        for header in listed.as_slice() {
            let (src_port, dst_port, transport, tcp) = match *header {
                Header::Eth { src, dst } => {
                    self.count_eth(MacPair { a: src, b: dst }, at, wire_len);
                    continue;
                }
                Header::Ip { version, src, dst } => {
                    if let (true, Some(bare)) = (pending, ip) {
                        self.count_bare(bare, at, wire_len);
                    }
                    (ip, pending) = (Some((version, src, dst)), true);
                    continue;
                }
                Header::Tcp(ref tcp) => {
                    let transport = if pending { Transport::Tcp } else { Transport::TcpOnly };
                    (tcp.src_port, tcp.dst_port, transport, Some(tcp))
                }
                Header::Udp { src_port, dst_port } => {
                    (src_port, dst_port, if pending { Transport::Udp } else { Transport::UdpOnly }, None)
                }
            };
            let Some((version, src, dst)) = ip else { continue };
            pending = false;
            let (src, dst) = ((src, src_port), (dst, dst_port));
            self.count_ip(version, &Talk { src, dst, transport, at, wire_len, tcp });
        }
        if let (true, Some(bare)) = (pending, ip) {
            self.count_bare(bare, at, wire_len);
        }
    }

    /// An IP header without ports.
    fn count_bare(&mut self, (version, src, dst): (IpVersion, Addr, Addr), at: Moment, wire_len: u32) {
        let (src, dst) = ((src, 0), (dst, 0));
        self.count_ip(version, &Talk { src, dst, transport: Transport::Other, at, wire_len, tcp: None });
    }

    /// Number of Ethernet conversations.
    pub fn eth_len(&self) -> usize {
        self.eth.len()
    }

    /// An Ethernet conversation, by order of appearance.
    pub fn eth_at(&self, no: usize) -> Option<Conversation> {
        self.eth.exchange(no).map(|pair| conversation(&pair, Ends::Eth(pair.key.a, pair.key.b)))
    }

    /// Number of conversations over IP, whatever the transport, IPv4 before IPv6.
    pub fn ports_len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// A conversation over IP, by order of appearance, if it is of this transport: TCP or UDP.
    pub fn ports_at(&self, wanted: Transport, no: usize) -> Option<Conversation> {
        match no.checked_sub(self.v4.len()) {
            None => self.v4.ports_at(wanted, no),
            Some(no) => self.v6.ports_at(wanted, no),
        }
    }

    /// Pairs of IP addresses.
    pub fn pairs(&self) -> Pairs {
        Pairs::of(self)
    }

    /// What is not among [`Conversations::eth`].
    pub fn eth_rest(&self) -> Rest {
        self.eth.rest()
    }

    /// What is not among the conversations of one transport, IPv4 and IPv6 together.
    pub fn ports_rest(&self, wanted: Transport) -> Rest {
        let index = usize::from(wanted == Transport::Udp);
        let mut rest = self.v4.rests[index];
        rest += self.v6.rests[index];
        rest
    }

    /// What is not among the pairs of addresses of one version.
    pub fn ip_rest(&self, version: IpVersion) -> Rest {
        match version {
            IpVersion::V4 => self.v4.table.rest(),
            IpVersion::V6 => self.v6.table.rest(),
        }
    }
}

impl<A: Octets> Family<A> {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = Exchange<IpKey<A>>> {
        self.table.exchanges()
    }

    fn ports_at(&self, wanted: Transport, no: usize) -> Option<Conversation> {
        let alone = match wanted {
            Transport::Udp => Transport::UdpOnly,
            _ => Transport::TcpOnly,
        };
        let key = self.table.key(no)?;
        if ![wanted, alone].contains(&key.transport()) {
            return None;
        }
        let (a, b) = key.ends();
        self.table.exchange(no).map(|exchange| conversation(&exchange, Ends::Ports(wanted, a, b)))
    }
}

/// An exchange as reports see it.
pub(super) fn conversation<K>(exchange: &Exchange<K>, ends: Ends) -> Conversation {
    let Exchange { sent: [ab, ba], first, last, .. } = *exchange;
    Conversation { ends, ab, ba, first, last }
}
