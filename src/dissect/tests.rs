use super::*;
use crate::net::mix;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Name, link type and bytes of the weird frames.
fn fixtures() -> Vec<(&'static str, LinkType, Vec<u8>)> {
    include_str!("../../tests/fixtures/frames.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [name, link, _, bytes] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            (name, LinkType::from_number(link.parse().unwrap()), hex(bytes))
        })
        .collect()
}

fn fixture(name: &str) -> (LinkType, Vec<u8>) {
    let found = fixtures().into_iter().find(|fixture| fixture.0 == name);
    found.map(|(_, link, bytes)| (link, bytes)).unwrap()
}

fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
    Frame { at: Moment::ZERO, link, wire_len: data.len() as u32, data }
}

/// What must hold for any packet of any bytes.
fn check(packet: &Packet<'_>, frame: &Frame<'_>) {
    let wire = frame.wire_len.max(frame.data.len() as u32);
    let ip_len = packet.ip().map_or(0, |ip| ip.len);
    assert!(ip_len <= wire, "an IP packet is never longer than its frame");
    let payload_len = match packet.transport {
        Transport::Tcp(tcp) => tcp.payload_len,
        Transport::Udp { payload_len, .. } => payload_len,
        Transport::Icmp { .. } | Transport::Other(_) | Transport::None => wire,
    };
    assert!(payload_len <= wire && packet.payload.len() <= payload_len as usize);
    assert!(packet.path.len() <= MAX_LAYERS);
    if let Some(malformed) = packet.malformed {
        assert!(malformed.offset as usize <= frame.data.len(), "{malformed:?}");
    }
    let _ = (packet.ports(), packet.path.to_string());
}

#[test]
fn the_usual_fields_are_read() {
    let (link, bytes) = fixture("eth-tcp-syn");
    let packet = dissect(&frame(link, &bytes));
    let Transport::Tcp(tcp) = packet.transport else { panic!("{packet:?}") };
    assert_eq!((tcp.src_port, tcp.dst_port, tcp.flags, tcp.mss), (50_000, 9, tcp_flags::SYN, 1460));
    assert_eq!((tcp.seq, tcp.ack, tcp.window, tcp.payload_len), (1000, 2000, 8192, 0));
    let ip = packet.ip().unwrap();
    assert_eq!((ip.src.to_string(), ip.dst.to_string()), ("192.168.1.20".into(), "93.184.216.34".into()));
    assert_eq!((ip.protocol, ip.len, ip.ttl, ip.fragment), (6, 52, 64, Fragment::Whole));
    let ether = packet.ether.unwrap();
    assert_eq!((ether.src.to_string(), ether.vlan), ("02:00:00:00:00:01".into(), 0));
    assert_eq!((packet.path.to_string().as_str(), packet.malformed), ("eth:ip:tcp", None));
}

#[test]
fn the_outermost_packet_counts_and_the_path_tells_the_rest() {
    for (name, path, protocol) in [
        ("gre-pptp", "eth:ip:gre:ppp:ip:tcp", 47),
        ("ipv6-in-ip", "eth:ip:ipv6:tcp", 41),
        ("vxlan", "eth:ip:udp:vxlan:eth:ip:tcp", 17),
        ("pppoe-ipv6", "eth:pppoes:ppp:ipv6:tcp", 6),
        ("qinq", "eth:ieee8021ad:vlan:ip:tcp", 6),
        ("ipv6-dstopts-frag-tcp", "eth:ipv6:tcp", 6),
        ("sll2-ipv6", "sll:ipv6:udp", 17),
    ] {
        let (link, bytes) = fixture(name);
        let packet = dissect(&frame(link, &bytes));
        assert_eq!((packet.path.to_string().as_str(), packet.malformed), (path, None), "{name}");
        assert_eq!(packet.ip().unwrap().protocol, protocol, "{name}");
    }
    let (link, bytes) = fixture("vxlan");
    assert!(matches!(dissect(&frame(link, &bytes)).transport, Transport::Udp { dst_port: 4789, .. }));
}

#[test]
fn an_icmp_message_brings_the_number_that_its_kind_has() {
    for (name, wanted) in [
        ("eth-icmp", (8, 7)),
        ("ipv6-icmpv6", (128, 7)),
        ("ipv6-icmpv6-ns", (135, 0)),
        // Router, solicited, override (RFC 4861 §4.4).
        ("ipv6-icmpv6-na", (136, 0xe000)),
        // A lifetime of half an hour (§4.2).
        ("ipv6-icmpv6-ra", (134, 1800)),
    ] {
        let (link, bytes) = fixture(name);
        let Transport::Icmp { kind, id, .. } = dissect(&frame(link, &bytes)).transport else {
            panic!("{name}")
        };
        assert_eq!((kind, id), wanted, "{name}");
    }
}

#[test]
fn padding_is_no_payload_and_lengths_are_those_of_the_wire() {
    let (link, bytes) = fixture("eth-udp-padded");
    assert_eq!(dissect(&frame(link, &bytes)).payload, b"hi");
    let (link, bytes) = fixture("eth-tcp");
    let cut = Frame { wire_len: bytes.len() as u32, ..frame(link, &bytes[..54]) };
    let packet = dissect(&cut);
    let Transport::Tcp(tcp) = packet.transport else { panic!("{packet:?}") };
    assert_eq!((tcp.payload_len, packet.payload.len(), packet.malformed), (11, 0, None));
}

#[test]
fn liars_are_named_and_what_is_true_is_kept() {
    for (name, layer, reason) in [
        ("ip-total-long", Proto::Ip, Reason::Length),
        ("ip-total-short", Proto::Ip, Reason::Length),
        ("ip-ihl-4", Proto::Ip, Reason::Length),
        ("tcp-offset-15", Proto::Tcp, Reason::Length),
        ("udp-length-900", Proto::Udp, Reason::Length),
        ("udp-length-4", Proto::Udp, Reason::Length),
        ("ipv6-plen-long", Proto::Ipv6, Reason::Length),
        ("tunnel-bomb", Proto::Ip, Reason::TooDeep),
    ] {
        let (link, bytes) = fixture(name);
        let packet = dissect(&frame(link, &bytes));
        let found = packet.malformed.map(|malformed| (malformed.layer, malformed.reason));
        assert_eq!(found, Some((layer, reason)), "{name}");
        assert!(packet.ip().is_some(), "{name}");
    }
    let (link, bytes) = fixture("eth-tcp");
    let cut = Frame { wire_len: bytes.len() as u32, ..frame(link, &bytes[..40]) };
    assert_eq!(dissect(&cut).malformed.unwrap().reason, Reason::Truncated);
}

#[test]
fn no_frame_of_any_bytes_makes_it_panic_or_count_what_is_not_there() {
    for (_, link, bytes) in fixtures() {
        for len in 0..=bytes.len() {
            for wire_len in [0, len as u32, bytes.len() as u32, 1500, u32::MAX] {
                let cut = Frame { wire_len, ..frame(link, &bytes[..len]) };
                check(&dissect(&cut), &cut);
            }
        }
        for round in 0..400_u64 {
            let mut bytes = bytes.clone();
            for hit in 0..=round % 5 {
                let random = mix(round * 8 + hit + 1);
                let at = (random >> 16) as usize % bytes.len();
                bytes[at] = if random & 3 == 0 { 0xff } else { (random >> 8) as u8 };
            }
            let mutated = frame(link, &bytes);
            check(&dissect(&mutated), &mutated);
        }
    }
}

#[test]
fn etherparse_finds_the_same_headers() {
    use etherparse::{InternetSlice, SlicedPacket, TransportSlice};
    let mut compared = 0;
    for (name, link, bytes) in fixtures() {
        let Ok(theirs) = SlicedPacket::from_ethernet(&bytes) else { continue };
        let packet = dissect(&frame(link, &bytes));
        let Some(InternetSlice::Ipv4(ip)) = &theirs.net else { continue };
        if link != LinkType::Ethernet {
            continue;
        }
        assert_eq!(packet.ip().unwrap().src, Addr::from_v4(ip.header().source()), "{name}");
        match (&theirs.transport, packet.transport) {
            (Some(TransportSlice::Tcp(tcp)), Transport::Tcp(ours)) => {
                let ports = (tcp.source_port(), tcp.destination_port());
                assert_eq!((ports, tcp.payload()), (packet.ports(), packet.payload), "{name}");
                assert_eq!(tcp.sequence_number(), ours.seq, "{name}");
            }
            (Some(TransportSlice::Udp(udp)), Transport::Udp { .. }) => {
                let ports = (udp.source_port(), udp.destination_port());
                assert_eq!((ports, udp.payload()), (packet.ports(), packet.payload), "{name}");
            }
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}

/// A packet from an ephemeral port.
fn carrying(transport: Transport, payload: &[u8]) -> Packet<'_> {
    let proto = if matches!(transport, Transport::Tcp(_)) { Proto::Tcp } else { Proto::Udp };
    Packet {
        at: Moment::ZERO,
        wire_len: 100,
        ether: None,
        net: Net::None,
        transport,
        payload,
        path: Path::EMPTY.push(Proto::Eth).push(Proto::Ip).push(proto),
        malformed: None,
    }
}

#[test]
fn first_bytes_tell_the_application_and_ports_where_they_do_not() {
    let tcp = |dst_port, payload: &'static [u8]| {
        let payload_len = 100;
        let (src_port, seq, ack, flags, window, mss) = (50_000, 0, 0, 0, 0, 0);
        let header = Tcp { src_port, dst_port, seq, ack, flags, window, mss, payload_len };
        carrying(Transport::Tcp(header), payload).application_path().to_string()
    };
    assert_eq!(tcp(443, b""), "eth:ip:tcp:tls");
    assert_eq!(tcp(9_000, b"\x16\x03\x01\x02\x00"), "eth:ip:tcp:tls");
    assert_eq!(tcp(9_000, b"GET / HTTP/1.1\r\n"), "eth:ip:tcp:http");
    assert_eq!(tcp(443, b"SSH-2.0-OpenSSH"), "eth:ip:tcp:ssh");
    assert_eq!(tcp(9_000, b"Gibberish"), "eth:ip:tcp");
    let udp = |dst_port, payload: &'static [u8]| {
        let header = Transport::Udp { src_port: 50_000, dst_port, payload_len: 100 };
        carrying(header, payload).application_path().to_string()
    };
    assert_eq!(udp(53, b""), "eth:ip:udp:dns");
    assert_eq!(udp(443, b"\x40abc"), "eth:ip:udp:quic");
    assert_eq!(udp(4_433, b"\xc3\0\0\0\x01\x08"), "eth:ip:udp:quic");
    assert_eq!(udp(5_353, b""), "eth:ip:udp:mdns");
    assert_eq!(udp(40_000, b"\x80\x60\0\0\0\0\0\0\0\0\0\0"), "eth:ip:udp:rtp");
    assert_eq!(udp(40_000, b"\x80\xc8\0\0\0\0\0\0\0\0\0\0"), "eth:ip:udp:rtcp");
    assert_eq!(udp(3_478, b"\0\x01\0\0\x21\x12\xa4\x42"), "eth:ip:udp:stun");
}
