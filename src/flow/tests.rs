use std::time::Duration;

use super::*;
use crate::dissect::tcp_flags::{ACK, FIN, RST, SYN};
use crate::dissect::{Fragment, Ip, Net, Packet, Path, Tcp, Transport};
use crate::net::{Addr, mix};
use crate::time::Moment;

/// A packet of 10.0.0.x:`from` to 10.0.0.y:`to`, where the port says who.
fn packet<'a>(at_us: u64, from: u16, to: u16, transport: Transport) -> Packet<'a> {
    let host = |port: u16| Addr::from_v4([10, 0, (port >> 8) as u8, port as u8]);
    let (protocol, len) = match transport {
        Transport::Tcp(tcp) => (6, 40 + tcp.payload_len),
        Transport::Udp { payload_len, .. } => (17, 28 + payload_len),
        Transport::Icmp { .. } | Transport::Other(_) | Transport::None => (0, 20),
    };
    let ip = Ip { src: host(from), dst: host(to), protocol, len, ttl: 64, fragment: Fragment::Whole };
    Packet {
        at: Moment::from_nanos(at_us * 1_000),
        wire_len: len + 14,
        ether: None,
        net: Net::Ip(ip),
        transport,
        payload: &[],
        path: Path::EMPTY,
        malformed: None,
    }
}

#[derive(Clone, Copy)]
struct Segment {
    at_us: u64,
    from: u16,
    to: u16,
    flags: u8,
    seq: u32,
    len: u32,
}

fn tcp<'a>(segment: Segment) -> Packet<'a> {
    let Segment { at_us, from, to, flags, seq, len } = segment;
    let mss = if flags & SYN != 0 { 1400 } else { 0 };
    let header =
        Tcp { src_port: from, dst_port: to, seq, ack: 0, flags, window: 1000, mss, payload_len: len };
    packet(at_us, from, to, Transport::Tcp(header))
}

fn up<'a>(at_us: u64, flags: u8, seq: u32, len: u32) -> Packet<'a> {
    tcp(Segment { at_us, from: 1000, to: 443, flags, seq, len })
}

fn down<'a>(at_us: u64, flags: u8, seq: u32, len: u32) -> Packet<'a> {
    tcp(Segment { at_us, from: 443, to: 1000, flags, seq, len })
}

fn udp<'a>(at_us: u64, from: u16, to: u16, payload_len: u32) -> Packet<'a> {
    packet(at_us, from, to, Transport::Udp { src_port: from, dst_port: to, payload_len })
}

fn arrivals(packets: &[Packet<'_>]) -> Vec<Arrival> {
    let mut table = FlowTable::with_sets(1, 0);
    packets.iter().map(|packet| table.observe(packet).unwrap().arrival).collect()
}

#[test]
fn handshake_gives_the_round_trip_to_each_side() {
    let mut table = FlowTable::with_sets(1, 0);
    for packet in [up(0, SYN, 100, 0), down(20_000, SYN | ACK, 500, 0), up(23_000, ACK, 101, 0)] {
        table.observe(&packet);
    }
    let (_, flow) = table.iter().next().unwrap();
    assert_eq!(flow.rtt_to_resp(), Some(Duration::from_millis(20)));
    assert_eq!(flow.rtt_to_orig(), Some(Duration::from_millis(3)));
    assert_eq!((flow.orig.packets, flow.resp.packets, flow.mss()), (2, 1, 1400));
}

#[test]
fn a_repeated_syn_gives_no_round_trip() {
    let mut table = FlowTable::with_sets(1, 0);
    for packet in [up(0, SYN, 100, 0), up(1_000_000, SYN, 100, 0), down(1_020_000, SYN | ACK, 500, 0)] {
        table.observe(&packet);
    }
    let (_, flow) = table.iter().next().unwrap();
    assert_eq!((flow.rtt_to_resp(), flow.orig.retransmitted), (None, 1));
}

#[test]
fn a_syn_ack_is_sent_by_the_one_who_was_called() {
    let mut table = FlowTable::with_sets(1, 0);
    let seen = table.observe(&down(0, SYN | ACK, 500, 0)).unwrap();
    assert_eq!((seen.flow.tuple.orig.port, seen.side), (1000, Side::Resp));
}

#[test]
fn sequence_numbers_tell_loss_from_reordering() {
    use Arrival::{AfterGap, InOrder, OutOfOrder, Retransmitted};
    let overtaken = [up(0, ACK, 0, 100), up(10, ACK, 200, 100), up(20, ACK, 100, 100), up(30, ACK, 300, 100)];
    assert_eq!(arrivals(&overtaken), [InOrder, AfterGap, OutOfOrder, InOrder]);
    let lost =
        [up(0, ACK, 0, 100), up(10, ACK, 200, 100), up(40_000, ACK, 100, 100), up(50_000, ACK, 300, 9)];
    assert_eq!(arrivals(&lost), [InOrder, AfterGap, Retransmitted, InOrder]);
    let repeated = [up(0, ACK, u32::MAX - 9, 100), up(1, ACK, 90, 10), up(2, ACK, u32::MAX - 9, 100)];
    assert_eq!(arrivals(&repeated), [InOrder, InOrder, Retransmitted]);
    let keep_alive = [up(0, ACK, 0, 100), up(9, ACK, 99, 1), up(10, ACK, 99, 0)];
    assert_eq!(arrivals(&keep_alive), [InOrder; 3]);
}

#[test]
fn super_packets_count_as_the_packets_they_were() {
    let mut table = FlowTable::with_sets(1, 0);
    let count = |table: &mut FlowTable, packet| table.observe(&packet).unwrap().wire_packets;
    assert_eq!(count(&mut table, up(0, ACK, 0, 14_480)), 10);
    assert_eq!(count(&mut table, up(0, ACK, 14_480, 0)), 1);
    assert_eq!(count(&mut table, udp(0, 1, 2, 13_500)), 10);
    assert_eq!(count(&mut table, udp(0, 1, 2, 1_200)), 1);
    assert_eq!(count(&mut table, udp(0, 1, 2, 12_000)), 10);
    assert_eq!(count(&mut table, udp(0, 1, 2, 100_000_000)), 512);
}

#[test]
fn silence_or_a_new_syn_after_goodbye_begins_a_new_flow() {
    let mut table = FlowTable::with_sets(1, 0);
    table.observe(&udp(0, 1, 2, 10));
    assert!(table.observe(&udp(119_000_000, 1, 2, 10)).unwrap().ended.is_none());
    let seen = table.observe(&udp(300_000_000, 2, 1, 10)).unwrap();
    let ended = *seen.ended.unwrap();
    assert_eq!((ended.by, ended.flow.orig.packets, seen.is_first()), (EndedBy::Idle, 2, true));

    for packet in [up(0, SYN, 0, 0), up(1, FIN | ACK, 1, 0), down(2, FIN | ACK, 1, 0), up(3, ACK, 2, 0)] {
        assert!(table.observe(&packet).unwrap().ended.is_none());
    }
    assert!(table.observe(&up(4, SYN, 9_000, 0)).unwrap().ended.is_some());
    assert!(table.observe(&up(5, RST, 9_001, 0)).unwrap().flow.is_closed());
}

#[test]
fn a_full_set_displaces_the_flow_seen_longest_ago() {
    let mut table = FlowTable::with_sets(1, 0);
    for port in 1..=4 {
        table.observe(&udp(u64::from(port), port, 53, 10));
    }
    table.observe(&udp(10, 53, 1, 10));
    let ended = *table.observe(&udp(11, 5, 53, 10)).unwrap().ended.unwrap();
    assert_eq!((ended.by, ended.flow.tuple.orig.port), (EndedBy::Evicted, 2));
    assert_eq!((table.len(), table.capacity(), table.evicted()), (4, 4, 1));
}

#[test]
fn packets_and_bytes_conserve_and_the_table_stays_in_its_capacity() {
    let mut table = FlowTable::with_sets(16, 7);
    let (mut packets, mut bytes) = (0, 0);
    let mut left = |ended: &Ended| {
        packets += ended.flow.orig.packets + ended.flow.resp.packets;
        bytes += ended.flow.orig.wire_bytes + ended.flow.resp.wire_bytes;
    };
    let mut sent = 0;
    for step in 0..20_000_u64 {
        let random = mix(step + 1);
        let (from, to) = ((random % 40) as u16 + 1, (random >> 8) as u16 % 40 + 1);
        let packet = udp(step * 100_000, from, to, (random >> 32) as u32 % 1400);
        sent += u64::from(packet.wire_len);
        if let Some(ended) = table.observe(&packet).unwrap().ended {
            left(ended);
        }
        if step % 1_000 == 0 {
            table.sweep(step as usize, 5, packet.at, &mut left);
        }
        assert!(table.len() <= table.capacity());
    }
    assert_eq!(table.iter().count(), table.len());
    table.drain(&mut left);
    assert!(table.is_empty());
    assert_eq!((packets, bytes), (20_000, sent));
}

#[test]
fn the_usual_table_fits_in_four_mebibytes() {
    assert!(size_of::<Flow>() <= 208, "{}", size_of::<Flow>());
    let table = FlowTable::new(0);
    assert_eq!(table.capacity(), 16_384);
    assert!(table.capacity() * size_of::<Flow>() + SETS * 20 < 4 << 20);
}
