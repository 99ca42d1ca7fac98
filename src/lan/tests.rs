use super::*;
use crate::dissect::{Ether, Fragment, Ip, Path};
use crate::time::Moment;

const TABLET: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x11]);
const ROUTER: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn addr(text: &str) -> Addr {
    text.parse::<std::net::IpAddr>().unwrap().into()
}

fn packet(macs: Option<(MacAddr, MacAddr)>, src: &str, dst: &str) -> Packet<'static> {
    Packet {
        at: Moment::ZERO,
        wire_len: 100,
        ether: macs.map(|(src, dst)| Ether { src, dst, vlan: 0 }),
        net: Net::Ip(Ip {
            src: addr(src),
            dst: addr(dst),
            protocol: 17,
            len: 86,
            ttl: 64,
            fragment: Fragment::Whole,
        }),
        transport: Transport::Udp { src_port: 1, dst_port: 2, payload_len: 58 },
        payload: &[],
        path: Path::default(),
        malformed: None,
    }
}

fn side(lan: &mut Lan, packet: &Packet<'_>) -> Side {
    match lan.place(packet) {
        Placement::Client(side) => side,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_directions_of_a_private_address_are_one_client() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    let up = side(&mut lan, &packet(Some((TABLET, ROUTER)), "192.168.1.20", "203.0.113.5"));
    let down = side(&mut lan, &packet(Some((ROUTER, TABLET)), "203.0.113.5", "192.168.1.20"));
    assert_eq!((up.direction, down.direction), (Direction::Up, Direction::Down));
    assert_eq!(up.client, down.client);
    assert_eq!(lan.clients().known(up.client).unwrap().id, ClientId::Mac(TABLET));
}

#[test]
fn whoever_was_looked_up_lately_is_still_told_apart_and_his_latest_address_is_known() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    // Five addresses for each place of the short cut, and in each round they are other devices'.
    for round in 0..3 {
        for number in 0..RECENT * 5 {
            let mac = MacAddr([2, 0, 0, 0, 2, (number % 97 + round) as u8]);
            let text = format!("10.0.{}.{}", number / 250, number % 250);
            for _ in 0..2 {
                let client = side(&mut lan, &packet(Some((mac, ROUTER)), &text, "203.0.113.5")).client;
                assert_eq!(lan.clients().known(client).unwrap().id, ClientId::Mac(mac));
                assert_eq!(lan.clients().latest_address(client), Some(addr(&text)));
            }
        }
    }
}

#[test]
fn an_address_that_is_used_again_is_the_latest_again() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    for text in ["192.168.1.20", "192.168.1.21", "192.168.1.20", "192.168.1.21"] {
        let client = side(&mut lan, &packet(Some((TABLET, ROUTER)), text, "203.0.113.5")).client;
        assert_eq!(lan.clients().latest_address(client), Some(addr(text)));
    }
}

#[test]
fn a_device_owns_its_global_ipv6_addresses_and_a_router_does_not() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    lan.place(&packet(Some((TABLET, ROUTER)), "fe80::11", "ff02::1"));
    lan.place(&packet(Some((ROUTER, TABLET)), "fe80::1", "fe80::11"));
    lan.place(&packet(Some((ROUTER, TABLET)), "203.0.113.5", "192.168.1.20"));
    let down = side(&mut lan, &packet(Some((ROUTER, TABLET)), "2001:db8:1::5", "2001:db8:2::20"));
    assert_eq!((down.direction, down.server), (Direction::Down, addr("2001:db8:1::5")));
    assert_eq!(lan.clients().known(down.client).unwrap().mac, Some(TABLET));
}

#[test]
fn a_neighbour_that_says_it_is_a_router_is_one() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    lan.place(&packet(Some((TABLET, ROUTER)), "fe80::11", "ff02::1"));
    let mut here_i_am = packet(Some((ROUTER, TABLET)), "fe80::1", "fe80::11");
    here_i_am.transport = Transport::Icmp { kind: NEIGHBOUR_ADVERTISEMENT, code: 0, id: ROUTER_FLAG };
    lan.place(&here_i_am);
    let down = side(&mut lan, &packet(Some((ROUTER, TABLET)), "2001:db8:1::5", "2001:db8:2::20"));
    assert_eq!(
        (down.direction, lan.clients().known(down.client).unwrap().mac),
        (Direction::Down, Some(TABLET))
    );
    // A device that answers is none.
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    here_i_am.transport = Transport::Icmp { kind: NEIGHBOUR_ADVERTISEMENT, code: 0, id: 0x6000 };
    lan.place(&here_i_am);
    assert!(lan.gateways.is_empty());
}

#[test]
fn identify_ip_makes_each_address_a_client() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Ip);
    let one = side(&mut lan, &packet(Some((TABLET, ROUTER)), "192.168.1.20", "203.0.113.5"));
    let two = side(&mut lan, &packet(Some((TABLET, ROUTER)), "192.168.1.21", "203.0.113.5"));
    assert_ne!(one.client, two.client);
    assert_eq!(lan.clients().known(one.client).unwrap().id, ClientId::Addr(addr("192.168.1.20")));
}

#[test]
fn given_prefixes_replace_the_guess() {
    let vantage = Vantage::Prefixes(vec!["160.39.184.0/24".parse().unwrap()]);
    let mut lan = Lan::new(vantage, Identify::Mac);
    let down = side(&mut lan, &packet(None, "10.0.0.1", "160.39.184.7"));
    assert_eq!((down.direction, down.local), (Direction::Down, addr("160.39.184.7")));
    assert_eq!(lan.place(&packet(None, "10.0.0.1", "10.0.0.2")), Placement::Foreign);
}

#[test]
fn lan_to_lan_and_multicast_are_never_watched() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Mac);
    assert_eq!(lan.place(&packet(None, "192.168.1.2", "192.168.1.3")), Placement::Local);
    assert_eq!(lan.place(&packet(None, "192.168.1.2", "224.0.0.251")), Placement::Local);
    assert_eq!(lan.place(&packet(None, "8.8.8.8", "9.9.9.9")), Placement::Foreign);
    assert_eq!(lan.tally(), Tally { client: 0, local: 2, foreign: 1 });
}

#[test]
fn on_the_router_the_bridge_mac_tells_the_direction() {
    let mut lan = Lan::new(Vantage::Router(vec![ROUTER]), Identify::Mac);
    let down = side(&mut lan, &packet(Some((ROUTER, TABLET)), "198.51.100.1", "203.0.113.99"));
    assert_eq!(lan.clients().known(down.client).unwrap().id, ClientId::Mac(TABLET));
    assert_eq!(lan.place(&packet(Some((ROUTER, TABLET)), "192.168.1.1", "192.168.1.20")), Placement::Local);
    assert_eq!(lan.place(&packet(Some((TABLET, TABLET)), "198.51.100.1", "203.0.113.9")), Placement::Local);
}

#[test]
fn invented_devices_share_the_overflow_client() {
    let mut lan = Lan::new(Vantage::Guess, Identify::Ip);
    for i in 0..5_000u32 {
        let src = format!("10.0.{}.{}", i / 250, i % 250 + 1);
        lan.place(&packet(None, &src, "203.0.113.5"));
    }
    assert_eq!(lan.clients().len(), MAX_CLIENTS);
    assert_eq!(lan.clients().overflowed(), 5_000 - MAX_CLIENTS as u64);
    let first = side(&mut lan, &packet(None, "10.0.0.1", "203.0.113.5"));
    assert_eq!(first.client.index(), 0);
}
