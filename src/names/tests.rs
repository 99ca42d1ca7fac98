use super::*;
use crate::dissect::{Ether, Fragment, Ip, Net, Path};
use crate::net::MacAddr;

const LAN: Addr = Addr::from_v4([192, 168, 1, 20]);
const ROUTER: Addr = Addr::from_v4([192, 168, 1, 1]);
const SERVER: Addr = Addr::from_v4([203, 0, 113, 5]);
const CLIENT: ClientId = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 7]));
const NOW: Moment = Moment::from_secs(1_000);

const UP: Option<Direction> = Some(Direction::Up);

fn packet(src: Addr, dst: Addr, transport: Transport, payload: &[u8]) -> Packet<'_> {
    let protocol = if matches!(transport, Transport::Tcp(_)) { 6 } else { 17 };
    let len = payload.len() as u32 + 40;
    let (client, router) = (MacAddr([2, 0, 0, 0, 0, 7]), MacAddr([2, 0, 0, 0, 0, 1]));
    let (from, to) = if src == LAN { (client, router) } else { (router, client) };
    Packet {
        at: NOW,
        wire_len: len + 14,
        ether: Some(Ether { src: from, dst: to, vlan: 0 }),
        net: Net::Ip(Ip { src, dst, protocol, len, ttl: 64, fragment: Fragment::Whole }),
        transport,
        payload,
        path: Path::default(),
        malformed: None,
    }
}

fn udp(src: (Addr, u16), dst: (Addr, u16), payload: &[u8]) -> Packet<'_> {
    let transport = Transport::Udp { src_port: src.1, dst_port: dst.1, payload_len: payload.len() as u32 };
    packet(src.0, dst.0, transport, payload)
}

fn tcp(dst_port: u16, payload: &[u8]) -> Packet<'_> {
    let header = Tcp {
        src_port: 40_000,
        dst_port,
        seq: 1,
        ack: 1,
        flags: 0x18,
        window: 500,
        mss: 0,
        payload_len: payload.len() as u32,
    };
    packet(LAN, SERVER, Transport::Tcp(header), payload)
}

/// A response: `name` is at SERVER for 60 s.
fn response(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 5]);
    bytes
}

#[test]
fn an_answer_from_the_configured_resolver_is_learnt_for_who_asked() {
    let mut watcher = NameWatcher::new(1);
    watcher.names_mut().trust(&[ROUTER]);
    let bytes = response("cdn.khanacademy.org");
    assert_eq!(watcher.observe(&udp((ROUTER, 53), (LAN, 5_000), &bytes), None), 2);
    assert_eq!(watcher.question().map(HostName::as_str), Some("cdn.khanacademy.org"));
    let pair = Pair { client: CLIENT, addr: SERVER };
    let known: Vec<_> = watcher
        .names()
        .answers(pair, NOW)
        .map(|known| (known.name, known.service.label, known.source))
        .collect();
    assert_eq!(known, [("cdn.khanacademy.org", "Khan Academy", Source::Resolver)]);
    let [Event::Dns(facts), Event::Answered(answered)] = *watcher.events() else { panic!() };
    assert_eq!((facts.server, facts.kind, facts.qtype), (ROUTER, dns::Kind::Response, 1));
    assert_eq!((answered.addr, answered.ttl_s), (SERVER, 60));
}

#[test]
fn another_servers_answer_labels_but_does_not_count_as_the_resolvers() {
    let mut watcher = NameWatcher::new(1);
    watcher.names_mut().trust(&[ROUTER]);
    let evil = Addr::from_v4([198, 51, 100, 1]);
    watcher.observe(&udp((evil, 53), (LAN, 5_000), &response("khanacademy.org")), None);
    let pair = Pair { client: CLIENT, addr: SERVER };
    assert_eq!(
        watcher.names().answers(pair, NOW).map(|known| known.source).collect::<Vec<_>>(),
        [Source::Answer]
    );
}

#[test]
fn a_request_names_its_server_and_flow() {
    let mut watcher = NameWatcher::new(1);
    let request = b"GET /x HTTP/1.1\r\nHost: video.example.net\r\n\r\n";
    assert_eq!(watcher.observe(&tcp(80, request), UP), 1);
    let Event::Spoken(spoken) = watcher.events()[0] else { panic!() };
    assert_eq!(spoken.flow.resp, Endpoint { addr: SERVER, port: 80 });
    assert_eq!((spoken.source, watcher.names().name(spoken.name)), (Source::Http, Some("video.example.net")));
    let known = watcher.names().lookup(Pair { client: CLIENT, addr: SERVER }, NOW).unwrap();
    assert_eq!(known.service.label, "example.net");
    // The same bytes towards the client are a server's business.
    assert_eq!(watcher.observe(&tcp(80, request), Some(Direction::Down)), 0);
}

#[test]
fn devices_announce_their_names() {
    let mut watcher = NameWatcher::new(1);
    // One A record, owner `Annas-iPhone.local`, cache-flush bit, the address of the sender.
    let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 12];
    bytes.extend_from_slice(b"Annas-iPhone");
    bytes.push(5);
    bytes.extend_from_slice(b"local");
    bytes.extend_from_slice(&[0, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 168, 1, 20]);
    let group = Addr::from_v4([224, 0, 0, 251]);
    watcher.observe(&udp((LAN, 5353), (group, 5353), &bytes), UP);
    let name = DeviceName::from_bytes(b"Annas-iPhone").unwrap();
    let device = Device { client: Some(CLIENT), addr: Some(LAN), name, source: DeviceSource::Mdns };
    assert_eq!(watcher.events(), [Event::Device(device)]);
}

#[test]
fn packets_without_names_say_nothing() {
    let mut watcher = NameWatcher::new(1);
    for payload in [&b""[..], b"\x17\x03\x03\x00\x10ciphertext", b"\x80rtp-like", b"GETAWAY"] {
        assert_eq!(watcher.observe(&tcp(443, payload), UP), 0);
        assert_eq!(watcher.observe(&udp((LAN, 40_000), (SERVER, 443), payload), UP), 0);
    }
}

#[test]
fn a_flood_of_messages_is_read_at_the_budgets_rate() {
    let mut watcher = NameWatcher::new(1);
    let bytes = response("flood.example");
    let read = (0..10_000).filter(|_| watcher.observe(&udp((ROUTER, 53), (LAN, 5_000), &bytes), None) > 0);
    assert_eq!(read.count(), MESSAGES_AT_ONCE as usize);
}

#[test]
fn reverse_names_are_addresses() {
    let name = |text: &str| reverse_v4(&HostName::from_text(text.as_bytes()).unwrap());
    assert_eq!(name("20.1.168.192.in-addr.arpa"), Some(LAN));
    assert_eq!((name("1.168.192.in-addr.arpa"), name("300.1.168.192.in-addr.arpa")), (None, None));
}

/// Changes bytes, lengths and ends of a message, the same way every time.
fn mutate(seed: &[u8], round: u64) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let mut state = mix(round + 1);
    for _ in 0..=round % 6 {
        state = mix(state);
        let at = state as usize % bytes.len().max(1);
        match state >> 60 {
            0 | 1 => bytes.truncate(at),
            2 => bytes.extend_from_within(at..),
            3 | 4 => bytes.iter_mut().skip(at).take(2).for_each(|byte| *byte = 0xff),
            5 | 6 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = 0xc0),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= (state >> 40) as u8),
        }
    }
    bytes
}

#[test]
fn damaged_messages_of_every_kind_are_survived() {
    let hello =
        [&b"\x16\x03\x01\x00\x46\x01\x00\x00\x42\x03\x03"[..], &[7; 32], &[0, 0, 2, 19, 1, 1, 0, 0, 23]]
            .concat();
    let hello =
        [&hello[..], &[0, 0, 0, 14, 0, 12, 0, 0, 9], b"a.example", &[0, 16, 0, 5, 0, 3, 2, b'h', b'2']]
            .concat();
    let mut dhcp = vec![0; 240];
    dhcp[..3].copy_from_slice(&[1, 1, 6]);
    dhcp[236..].copy_from_slice(&[99, 130, 83, 99]);
    dhcp.extend_from_slice(&[53, 1, 3, 12, 2, b'T', b'V', 50, 4, 192, 168, 1, 9, 255]);
    let dhcp6 = [1, 0, 0, 1, 0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 7, 0, 39, 0, 4, 1, 2, b't', b'v'];
    let quic: Vec<u8> =
        [&[0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e][..], &[9; 1_190]].concat();
    let request = b"GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n";
    let dns = response("www.some.example.co.uk");
    let mut watcher = NameWatcher::new(1);
    let mut learnt = 0;
    for round in 0..4_000 {
        let at = NOW + crate::time::Duration::from_millis(round * 20);
        let mut show = |packet: Packet<'_>| learnt += watcher.observe(&Packet { at, ..packet }, None);
        show(tcp(443, &mutate(&hello, round)));
        show(tcp(80, &mutate(request, round)));
        show(udp((ROUTER, 53), (LAN, 5_000), &mutate(&dns, round)));
        show(udp((LAN, 5353), (SERVER, 5353), &mutate(&dns, round)));
        show(udp((LAN, 68), (ROUTER, 67), &mutate(&dhcp, round)));
        show(udp((LAN, 546), (ROUTER, 547), &mutate(&dhcp6, round)));
        show(udp((LAN, round as u16), (SERVER, 443), &mutate(&quic, round)));
    }
    assert!(learnt > 4_000, "{learnt}");
}
