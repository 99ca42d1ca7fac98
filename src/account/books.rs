//! The running household's books: who moved how much with whom, in the minute that is going on.
//!
//! A packet costs one addition in an array beside the flow table. When a flow leaves its place, and when the
//! minute is over, what it moved is added to its exchange: a client, a server's address, a protocol. So names are
//! looked up once a minute per exchange, not per packet, and a name that is learnt after the first segments still
//! covers them.
//!
//! Where the kernel counts in our stead ([`Source::Kernel`]), packets of connections still tell their protocol but
//! weigh nothing, and [`Books::add`] brings what the kernel counted.
//!
//! Everything is counted: what has no client (between LAN ends, multicast, not IP) by protocol, and what finds no
//! room among the exchanges under its client as *others*. The sum of a minute is the sum of its frames, always.

use std::collections::HashMap;
use std::hint::black_box;

use crate::dissect::{Net, Packet, Proto};
use crate::flow::{Flow, FlowTable, Seen, Side, Slot};
use crate::lan::{ClientIdx, Placement};
use crate::net::{Addr, Direction};

/// Exchanges of one minute; when full, the smaller half joins the others.
pub const MAX_EXCHANGES: usize = 4_096;
/// Packets of a flow that are asked for its protocol.
const MAX_ASKED: u8 = 16;
/// IP protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Bytes that may gather beside a flow.
const LARGE: u32 = 1 << 30;

/// Bytes in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Moved {
    /// From the client.
    #[serde(rename = "up_bytes")]
    pub up: u64,
    /// To the client.
    #[serde(rename = "down_bytes")]
    pub down: u64,
}

impl Moved {
    /// Bytes that went one way.
    fn one_way(direction: Direction, bytes: u32) -> Self {
        match direction {
            Direction::Up => Self { up: bytes.into(), down: 0 },
            Direction::Down => Self { up: 0, down: bytes.into() },
        }
    }

    /// Both directions together.
    pub fn total(&self) -> u64 {
        self.up.saturating_add(self.down)
    }

    /// Whether nothing moved.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.up = self.up.saturating_add(other.up);
        self.down = self.down.saturating_add(other.down);
    }
}

/// Who counts the bytes of clients' connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// We do: all frames are heard.
    #[default]
    Capture,
    /// The kernel's connection tracking does: most frames pass us by.
    Kernel,
}

impl Source {
    /// What of a client's packet counts, in bytes. Connection tracking knows TCP and UDP by their ends.
    #[inline]
    pub fn weigh(self, packet: &Packet<'_>) -> u32 {
        match (self, packet.net) {
            (Self::Kernel, Net::Ip(ip)) if matches!(ip.protocol, TCP | UDP) => 0,
            (Self::Kernel | Self::Capture, _) => packet.wire_len,
        }
    }

    /// The word that JSON has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Kernel => "conntrack",
        }
    }
}

/// With whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// The server at an address.
    Server(Addr),
    /// Servers that found no room.
    Others,
}

/// Whose bytes these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A client's, with the outside.
    Client(ClientIdx, Peer),
    /// Nobody's: they stay in the LAN, or are not IP.
    Lan,
}

/// One line of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Whose.
    pub holder: Holder,
    /// By which protocol: the application where it is known.
    pub protocol: Proto,
    /// How much; all of the LAN's own is `up`.
    pub moved: Moved,
}

/// What a flow moved since it was last settled.
#[derive(Clone, Copy, Debug)]
struct Open {
    client: ClientIdx,
    protocol: Proto,
    /// Packets that were asked for the protocol; [`MAX_ASKED`] once it is known.
    asked: u8,
    /// Which end of the flow is the client.
    end: Side,
    up: u32,
    down: u32,
}

impl Open {
    const NONE: Self = Self {
        client: ClientIdx::OVERFLOW,
        protocol: Proto::Data,
        asked: 0,
        end: Side::Orig,
        up: 0,
        down: 0,
    };

    fn is_empty(&self) -> bool {
        self.up == 0 && self.down == 0
    }
}

/// The books of the present minute.
#[derive(Debug)]
pub struct Books {
    /// Beside each place of the flow table.
    open: Box<[Open]>,
    exchanges: HashMap<(ClientIdx, Peer, Proto), Moved>,
    /// What has no client, by protocol.
    lan: Box<[u64]>,
    source: Source,
}

impl Books {
    /// Empty books beside a table of so many flows.
    pub fn new(flows: usize) -> Self {
        Self {
            open: vec![Open::NONE; flows].into_boxed_slice(),
            exchanges: HashMap::new(),
            lan: vec![0; Proto::ALL.len()].into_boxed_slice(),
            source: Source::Capture,
        }
    }

    /// From now on counts what this source tells.
    pub fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    /// Who counts.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Reads a little of what packets of these flows are about to need, so that it is near when they come.
    #[inline]
    pub fn foresee(&self, flows: &[Option<Slot>]) {
        let open = flows.iter().flatten().filter_map(|slot| self.open.get(slot.0 as usize));
        black_box(open.fold(0, |read, open| read ^ open.up));
    }

    /// Counts a packet with its flow.
    #[inline]
    pub fn observe(&mut self, packet: &Packet<'_>, placement: Placement, seen: Option<&Seen<'_>>) {
        if let Some(ended) = seen.and_then(|seen| seen.ended) {
            self.settle(ended.slot, &ended.flow);
            if let Some(open) = self.open.get_mut(ended.slot.0 as usize) {
                *open = Open::NONE;
            }
        }
        let leaf = packet.path.leaf().unwrap_or(Proto::Data);
        let Placement::Client(side) = placement else {
            self.lan[leaf as usize] += u64::from(packet.wire_len);
            return;
        };
        let Some(seen) = seen else {
            let moved = Moved::one_way(side.direction, self.source.weigh(packet));
            self.enter((side.client, Peer::Others, Proto::Data), moved);
            return;
        };
        let end = match side.direction {
            Direction::Up => seen.side,
            Direction::Down => seen.side.other(),
        };
        let slot = seen.slot.0 as usize;
        if self.open.get(slot).is_some_and(|open| open.client != side.client || open.end != end) {
            // The client's number changed, or the place is new.
            self.settle(seen.slot, seen.flow);
            self.open[slot] = Open { client: side.client, end, protocol: leaf, ..Open::NONE };
        }
        let Some(open) = self.open.get_mut(slot) else { return };
        if open.asked < MAX_ASKED {
            open.ask(packet, leaf);
        }
        let weight = self.source.weigh(packet).min(LARGE);
        match side.direction {
            Direction::Up => open.up += weight,
            Direction::Down => open.down += weight,
        }
        if open.up >= LARGE || open.down >= LARGE {
            self.settle(seen.slot, seen.flow);
        }
    }

    /// Moves what a flow moved to its exchange.
    #[inline(never)]
    fn settle(&mut self, slot: Slot, flow: &Flow) {
        let Some(open) = self.open.get_mut(slot.0 as usize).filter(|open| !open.is_empty()) else { return };
        let moved = Moved { up: open.up.into(), down: open.down.into() };
        (open.up, open.down) = (0, 0);
        let server = match open.end {
            Side::Orig => flow.tuple.resp.addr,
            Side::Resp => flow.tuple.orig.addr,
        };
        let key = (open.client, Peer::Server(server), open.protocol);
        self.enter(key, moved);
    }

    /// Counts what the kernel says that a client moved with a server. `flow` is where we know the flow, if we do: its
    /// first packets told the application.
    pub fn add(&mut self, client: ClientIdx, server: Addr, (proto, flow): (u8, Option<Slot>), moved: Moved) {
        let open = flow.and_then(|slot| self.open.get(slot.0 as usize));
        let protocol = match (open.filter(|open| open.asked > 0), proto) {
            (Some(open), _) => open.protocol,
            (None, TCP) => Proto::Tcp,
            (None, UDP) => Proto::Udp,
            (None, _) => Proto::Data,
        };
        self.enter((client, Peer::Server(server), protocol), moved);
    }

    fn enter(&mut self, key: (ClientIdx, Peer, Proto), moved: Moved) {
        if self.exchanges.len() >= MAX_EXCHANGES && !self.exchanges.contains_key(&key) {
            self.condense();
        }
        *self.exchanges.entry(key).or_default() += moved;
    }

    /// The smaller half of the exchanges joins the others of their clients.
    #[cold]
    fn condense(&mut self) {
        let mut all: Vec<_> = self.exchanges.drain().collect();
        all.sort_unstable_by_key(|(key, moved)| (std::cmp::Reverse(moved.total()), *key));
        for (rank, ((client, peer, protocol), moved)) in all.into_iter().enumerate() {
            let key = match rank < MAX_EXCHANGES / 2 {
                true => (client, peer, protocol),
                // One line for all the others of a client, or a thousand clients fill the table again.
                false => (client, Peer::Others, Proto::Data),
            };
            *self.exchanges.entry(key).or_default() += moved;
        }
    }

    /// The minute is over: its entries, in order. The next one begins.
    pub fn close(&mut self, flows: &FlowTable) -> Vec<Entry> {
        for (slot, flow) in flows.iter() {
            self.settle(slot, flow);
        }
        let exchanges = self.exchanges.drain().map(|((client, peer, protocol), moved)| Entry {
            holder: Holder::Client(client, peer),
            protocol,
            moved,
        });
        let mut entries: Vec<Entry> = exchanges.collect();
        for (bytes, &protocol) in self.lan.iter_mut().zip(Proto::ALL) {
            let moved = Moved { up: std::mem::take(bytes), down: 0 };
            if !moved.is_zero() {
                entries.push(Entry { holder: Holder::Lan, protocol, moved });
            }
        }
        entries.sort_unstable();
        entries
    }
}

impl Open {
    /// Asks a packet for its application; the transport stands until one knows.
    fn ask(&mut self, packet: &Packet<'_>, leaf: Proto) {
        self.asked += 1;
        match packet.application() {
            Some(application) => {
                self.protocol = application;
                self.asked = MAX_ASKED;
            }
            None if self.asked == 1 => self.protocol = leaf,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::{Frame, LinkType, dissect};
    use crate::lan::{Identify, Lan, Vantage};
    use crate::time::Moment;

    /// A router's view of a LAN, with books.
    struct Desk {
        lan: Lan,
        flows: FlowTable,
        books: Books,
        sent: u64,
    }

    impl Desk {
        fn new() -> Self {
            let flows = FlowTable::with_sets(16, 7);
            let books = Books::new(flows.capacity());
            Self { lan: Lan::new(Vantage::Guess, Identify::Mac), flows, books, sent: 0 }
        }

        /// A datagram between two IPv4 ends, `len` bytes on the wire.
        fn datagram(&mut self, src: [u8; 4], dst: [u8; 4], ports: (u16, u16), len: u32) {
            let mac = |addr: [u8; 4]| [2, 0, addr[0], addr[1], addr[2], addr[3]];
            let mut data = [mac(dst), mac(src)].concat();
            data.extend([8, 0, 0x45, 0]);
            data.extend(u16::try_from(len - 14).unwrap().to_be_bytes());
            data.extend([0, 0, 0, 0, 64, 17, 0, 0]);
            data.extend([src, dst].concat());
            data.extend(ports.0.to_be_bytes());
            data.extend(ports.1.to_be_bytes());
            data.extend(u16::try_from(len - 34).unwrap().to_be_bytes());
            data.extend([0; 2]);
            let at = Moment::from_secs(1_000);
            let frame = Frame { at, link: LinkType::Ethernet, wire_len: len, data: &data };
            let packet = dissect(&frame);
            let placement = self.lan.place(&packet);
            let seen = self.flows.observe(&packet);
            self.books.observe(&packet, placement, seen.as_ref());
            self.sent += u64::from(len);
        }

        fn close(&mut self) -> Vec<Entry> {
            let entries = self.books.close(&self.flows);
            let counted: u64 = entries.iter().map(|entry| entry.moved.total()).sum();
            assert_eq!(counted, std::mem::take(&mut self.sent), "no byte is lost, none counted twice");
            entries
        }
    }

    const PHONE: [u8; 4] = [192, 168, 1, 20];
    const SERVER: [u8; 4] = [203, 0, 113, 7];

    #[test]
    fn a_minute_lists_exchanges_by_direction_and_the_next_begins_at_zero() {
        let mut desk = Desk::new();
        desk.datagram(PHONE, SERVER, (50_000, 443), 200);
        desk.datagram(SERVER, PHONE, (443, 50_000), 1_200);
        desk.datagram(PHONE, [192, 168, 1, 30], (137, 137), 92);
        desk.datagram(PHONE, [192, 168, 1, 255], (137, 137), 92);
        let client = desk.lan.clients().owner_of(Addr::from_v4(PHONE)).unwrap();
        let video = Holder::Client(client, Peer::Server(Addr::from_v4(SERVER)));
        let local = desk.close();
        let entry = |holder, protocol, up, down| Entry { holder, protocol, moved: Moved { up, down } };
        assert_eq!(local, [entry(video, Proto::Quic, 200, 1_200), entry(Holder::Lan, Proto::Udp, 184, 0)]);
        desk.datagram(SERVER, PHONE, (443, 50_000), 500);
        assert_eq!(desk.close(), [entry(video, Proto::Quic, 0, 500)]);
        assert_eq!(desk.close(), []);
    }

    #[test]
    fn a_flood_of_servers_is_counted_to_the_byte_in_bounded_memory() {
        let mut desk = Desk::new();
        desk.datagram(PHONE, SERVER, (50_000, 443), 1_400);
        for n in 0..20_000_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            desk.datagram(PHONE, [11, b, c, d], (50_000, 9), 60);
            assert!(desk.books.exchanges.len() <= MAX_EXCHANGES);
        }
        let entries = desk.close();
        assert!(entries.len() <= MAX_EXCHANGES + 1);
        let others = entries.iter().find(|entry| matches!(entry.holder, Holder::Client(_, Peer::Others)));
        assert!(others.unwrap().moved.up >= 60 * 15_000, "{others:?}");
        let server = Peer::Server(Addr::from_v4(SERVER));
        let kept =
            entries.iter().find(|entry| matches!(entry.holder, Holder::Client(_, peer) if peer == server));
        assert_eq!(kept.unwrap().moved.up, 1_400, "the largest stays listed");
    }

    #[test]
    fn a_place_that_changes_hands_mixes_nothing() {
        let mut desk = Desk::new();
        for round in 0..3 {
            for port in 40_001..40_200_u16 {
                desk.datagram(PHONE, SERVER, (port, 443), 100);
                desk.datagram([192, 168, 1, 21], [203, 0, 113, 8], (port, 53), 70 + round);
            }
        }
        let entries = desk.close();
        let sums: Vec<_> = entries.iter().map(|entry| (entry.protocol, entry.moved.up)).collect();
        assert_eq!(sums, [(Proto::Quic, 59_700), (Proto::Dns, 199 * (70 + 71 + 72))]);
    }
}
