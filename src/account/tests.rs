//! Laws of the books, on frames of an invented network.

use super::conversations::Room;
use super::*;
use crate::dissect::{IpVersion, LinkType, dissect};
use crate::time::Moment;

/// A small generator (xorshift64*), so that every run sees the same traffic.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// One packet of the invented network.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at_us: u64,
    from: u8,
    to: u8,
    ports: (u16, u16),
    protocol: u8,
    tcp: (u8, u32, u32),
    extra: usize,
}

const SYN: u8 = 2;
const ACK: u8 = 16;

impl Sent {
    fn udp(at_us: u64, (from, sport): (u8, u16), (to, dport): (u8, u16)) -> Self {
        Self { at_us, from, to, ports: (sport, dport), protocol: 17, tcp: (0, 0, 0), extra: 20 }
    }

    fn tcp(at_us: u64, from: (u8, u16), to: (u8, u16), tcp: (u8, u32, u32)) -> Self {
        Self { protocol: 6, tcp, ..Self::udp(at_us, from, to) }
    }

    /// Ethernet, IPv4 and a transport, or bare IP.
    fn frame(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, self.to, 2, 0, 0, 0, 0, self.from, 8, 0];
        bytes.extend(self.packet());
        bytes
    }

    fn packet(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(self.ports.0.to_be_bytes());
        body.extend(self.ports.1.to_be_bytes());
        match self.protocol {
            6 => {
                let (flags, seq, ack) = self.tcp;
                body.extend(seq.to_be_bytes());
                body.extend(ack.to_be_bytes());
                body.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
            }
            17 => {
                body.extend((self.extra as u16 + 8).to_be_bytes());
                body.extend([0, 0]);
            }
            _ => body.clear(),
        }
        body.resize(body.len() + self.extra, 0);
        ipv4(self.from, self.to, self.protocol, &body)
    }
}

fn ipv4(from: u8, to: u8, protocol: u8, body: &[u8]) -> Vec<u8> {
    let len = (20 + body.len()) as u16;
    let [high, low] = len.to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to];
    packet.extend(body);
    packet
}

fn show(account: &mut Account, at_us: u64, bytes: &[u8]) {
    let frame = Frame {
        at: Moment::from_nanos(at_us * 1_000),
        link: LinkType::Ethernet,
        wire_len: bytes.len() as u32,
        data: bytes,
    };
    account.observe(&frame, &dissect(&frame));
}

fn books() -> Account {
    Account::new(Wanted { interval: Some(Duration::from_secs(1)), conversations: Some(Seed(7)) })
}

fn booked(sent: &[Sent]) -> Account {
    let mut account = books();
    sent.iter().for_each(|sent| show(&mut account, sent.at_us, &sent.frame()));
    account
}

/// Both directions together.
fn both(conversation: &Conversation) -> Count {
    let mut sum = conversation.ab;
    sum += conversation.ba;
    sum
}

fn eth(all: &Conversations) -> impl Iterator<Item = Conversation> {
    (0..all.eth_len()).filter_map(|no| all.eth_at(no))
}

fn ports(all: &Conversations, wanted: Transport) -> impl Iterator<Item = Conversation> {
    (0..all.ports_len()).filter_map(move |no| all.ports_at(wanted, no))
}

fn pairs4(all: &Conversations) -> impl Iterator<Item = Conversation> {
    let pairs = all.pairs();
    pairs.places(IpVersion::V4).filter_map(move |place| pairs.get(place))
}

fn sum(counts: impl Iterator<Item = Count>) -> Count {
    let mut total = Count::default();
    counts.for_each(|count| total += count);
    total
}

fn random_traffic(frames: usize) -> Vec<Sent> {
    let mut dice = Dice(42);
    let mut at_us = 1_000_000;
    (0..frames)
        .map(|_| {
            at_us += dice.roll(300_000);
            let from = (dice.roll(12) as u8, 1000 + dice.roll(40) as u16);
            let to = (dice.roll(12) as u8, dice.roll(3) as u16);
            let back = dice.roll(10_000).min(at_us);
            let flags = if dice.roll(4) == 0 { SYN } else { ACK };
            let tcp = (flags, dice.roll(6) as u32, 1);
            let mut sent = match dice.roll(3) {
                0 => Sent::udp(at_us - back, from, to),
                1 => Sent::tcp(at_us - back, from, to, tcp),
                _ => Sent { protocol: 50, ..Sent::udp(at_us - back, from, to) },
            };
            sent.extra = dice.roll(900) as usize;
            sent
        })
        .collect()
}

#[test]
fn children_never_exceed_their_parent_and_roots_sum_to_the_total() {
    let account = booked(&random_traffic(4_000));
    let nodes = account.hierarchy().nodes();
    for parent in &nodes {
        let children = nodes.iter().filter(|node| node.path.parent() == parent.path);
        let children = sum(children.map(|node| node.count));
        assert!(children.frames <= parent.count.frames && children.bytes <= parent.count.bytes, "{parent:?}");
    }
    let roots = nodes.iter().filter(|node| node.path.len() == 1).map(|node| node.count);
    assert_eq!(sum(roots), account.hierarchy().total());
    assert_eq!(account.hierarchy().total().frames, 4_000);
}

#[test]
fn intervals_sum_to_the_total_in_order_and_none_is_empty() {
    let account = booked(&random_traffic(4_000));
    let list = account.intervals().unwrap().list();
    assert_eq!(sum(list.iter().map(|interval| interval.count)), account.hierarchy().total());
    assert!(list.windows(2).all(|pair| pair[0].no < pair[1].no));
    assert!(list.iter().all(|interval| interval.count.frames > 0));
}

#[test]
fn conversations_of_every_kind_sum_to_what_the_hierarchy_counts() {
    let account = booked(&random_traffic(4_000));
    let all = account.conversations().unwrap();
    let node = |path: &str| {
        account.hierarchy().nodes().iter().find(|node| node.path.to_string() == path).unwrap().count
    };
    assert_eq!(sum(eth(all).map(|c| both(&c))), node("eth"));
    assert_eq!(sum(pairs4(all).map(|c| both(&c))), node("eth:ip"));
    assert_eq!(sum(ports(all, Transport::Tcp).map(|c| both(&c))), node("eth:ip:tcp"));
    assert_eq!(sum(ports(all, Transport::Udp).map(|c| both(&c))), node("eth:ip:udp"));
    assert_eq!(sum(all.pairs().hosts().iter().map(|host| host.sent)), node("eth:ip"));
}

#[test]
fn a_full_table_keeps_totals_and_the_pairs_it_knows() {
    let mut small = Conversations::with_room(Room { rows: 50, reserve: 8 }, Seed(1));
    let (mut tcp, mut udp, mut ip) = (Count::default(), Count::default(), Count::default());
    for sent in random_traffic(4_000) {
        let bytes = sent.frame();
        let frame = Frame {
            at: Moment::from_nanos(sent.at_us * 1_000),
            link: LinkType::Ethernet,
            wire_len: bytes.len() as u32,
            data: &bytes,
        };
        let packet = dissect(&frame);
        let shape = Hierarchy::new().observe(packet.path, packet.wire_len);
        small.observe(&frame, &packet, shape);
        ip.add(packet.wire_len);
        match sent.protocol {
            6 => tcp.add(packet.wire_len),
            17 => udp.add(packet.wire_len),
            _ => {}
        }
    }
    let with_rest = |listed: Count, rest: Rest| sum([listed, rest].into_iter());
    let listed = |wanted| sum(ports(&small, wanted).map(|c| both(&c)));
    assert_eq!(with_rest(listed(Transport::Tcp), small.ports_rest(Transport::Tcp)), tcp);
    assert_eq!(with_rest(listed(Transport::Udp), small.ports_rest(Transport::Udp)), udp);
    let rest = small.pairs().rest();
    assert_eq!(with_rest(sum(pairs4(&small).map(|c| both(&c))), rest), ip);
    assert!(small.v4.len() <= 58);
    assert!(!rest.is_zero(), "the test must fill the table");
}

#[test]
fn a_syn_with_another_number_on_the_same_ports_is_another_conversation() {
    let (client, server) = ((1, 4000), (2, 80));
    let account = booked(&[
        Sent::tcp(0, client, server, (SYN, 100, 0)),
        Sent::tcp(1, server, client, (SYN | ACK, 900, 101)),
        Sent::tcp(2, client, server, (SYN, 100, 0)), // the same one, sent again
        Sent::tcp(3, client, server, (ACK, 101, 901)),
        Sent::tcp(4, client, server, (SYN, 7_000, 0)), // another
        Sent::tcp(5, server, client, (SYN | ACK, 1, 7_001)),
        Sent::tcp(6, server, client, (SYN | ACK, 5, 7_001)), // only a SYN from the caller begins anew
    ]);
    let all = account.conversations().unwrap();
    let frames: Vec<_> = ports(all, Transport::Tcp).map(|c| (c.ab.frames, c.ba.frames)).collect();
    assert_eq!(frames, [(3, 1), (1, 2)]);
    assert_eq!(pairs4(all).count(), 1, "it is the same pair of addresses");
}

#[test]
fn a_connection_joined_in_the_middle_ends_where_its_ports_are_reused() {
    let (client, server) = ((1, 4000), (2, 80));
    let account = booked(&[
        Sent::tcp(0, client, server, (ACK, 501, 11)),
        Sent::tcp(1, client, server, (SYN, 500, 0)), // 501 - 1: taken for the beginning of the same
        Sent::tcp(2, client, server, (SYN, 499, 0)),
        Sent::tcp(3, server, client, (SYN, 9, 0)), // the other end's number is known from no acknowledgement
    ]);
    let all = account.conversations().unwrap();
    let frames: Vec<_> = ports(all, Transport::Tcp).map(|c| (c.ab.frames, c.ba.frames)).collect();
    assert_eq!(frames, [(2, 0), (1, 1)]);
}

#[test]
fn a_tunnel_counts_for_both_of_its_pairs() {
    let inner = Sent::udp(0, (7, 53), (8, 5353));
    let mut account = books();
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    bytes.extend(ipv4(1, 2, 4, &inner.packet()));
    show(&mut account, 0, &bytes);
    let all = account.conversations().unwrap();
    let pairs: Vec<_> = pairs4(all).map(|c| (c.ends, c.ab)).collect();
    let addr = |last| crate::net::Addr::from_v4([10, 0, 0, last]);
    let whole = Count { frames: 1, bytes: bytes.len() as u64 };
    assert_eq!(
        pairs,
        [
            (Ends::Ip(IpVersion::V4, addr(1), addr(2)), whole),
            (Ends::Ip(IpVersion::V4, addr(7), addr(8)), whole)
        ]
    );
    assert_eq!(ports(all, Transport::Udp).count(), 1);
}

#[test]
fn who_talks_to_himself_only_sends() {
    let account = booked(&[Sent::udp(0, (1, 9), (1, 10)), Sent::udp(1, (1, 10), (1, 9))]);
    let frames: Vec<_> =
        pairs4(account.conversations().unwrap()).map(|c| (c.ab.frames, c.ba.frames)).collect();
    assert_eq!(frames, [(2, 0)]);
}

#[test]
fn a_frame_older_than_the_open_interval_counts_there() {
    let at = |at_us| Sent::udp(at_us, (1, 9), (2, 9));
    let account =
        booked(&[at(5_000_000), at(4_000_000), at(7_999_999), at(5_500_000), at(1_000_000_000_000_000)]);
    let list = account.intervals().unwrap().list();
    let counted: Vec<_> = list.iter().map(|interval| (interval.no, interval.count.frames)).collect();
    assert_eq!(counted, [(0, 2), (2, 2), (999_999_995, 1)]);
}

#[test]
fn more_paths_than_there_is_room_for_count_as_their_parents() {
    let mut hierarchy = Hierarchy::new();
    let protos = crate::dissect::Proto::ALL;
    let mut frames = 0;
    for a in protos.iter().take(60) {
        for b in protos.iter().take(60) {
            hierarchy.observe(crate::dissect::Path::EMPTY.push(*a).push(*b), 100);
            frames += 1;
        }
    }
    assert_eq!(hierarchy.total(), Count { frames, bytes: frames * 100 });
    assert!(hierarchy.nodes().len() <= MAX_PATHS + 60);
}

#[test]
fn the_first_message_of_snmp_stands_alone() {
    let (manager, agent) = ((1, 40_000), (2, 161));
    let account = booked(&[
        Sent::udp(0, manager, agent),
        Sent::udp(1, agent, manager),
        Sent::udp(2, manager, agent),
        Sent::udp(3, manager, (3, 53)),
    ]);
    let all = account.conversations().unwrap();
    let frames: Vec<_> = ports(all, Transport::Udp).map(|c| (c.ab.frames, c.ba.frames)).collect();
    assert_eq!(frames, [(1, 0), (1, 1), (1, 0)]);
}
