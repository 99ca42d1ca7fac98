//! Detectors at the edges of their thresholds, on frames made here.

use super::*;
use crate::dissect::{Frame, LinkType, dissect};
use crate::names::NameWatcher;

mod edges;
mod opinions;

const ATTACKER: [u8; 4] = [192, 168, 1, 66];
const SCANNER: [u8; 4] = [192, 168, 1, 77];
const VICTIM: [u8; 4] = [203, 0, 113, 10];
const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

/// A household in which frames are made and alerts gathered.
struct Street {
    detection: Detection,
    flows: FlowTable,
    names: NameWatcher,
    alerts: Vec<Alert>,
    /// Whether frames may be shed, and how many were.
    sheds: bool,
    shed: u32,
}

/// One packet to be.
struct Packet4<'p> {
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: u8,
    payload: &'p [u8],
}

impl Street {
    fn new(settings: Settings) -> Self {
        Self {
            detection: Detection::new(settings, 1),
            flows: FlowTable::new(1),
            names: NameWatcher::new(1),
            alerts: Vec::new(),
            sheds: true,
            shed: 0,
        }
    }

    fn frame(&mut self, at_ms: u64, bytes: &[u8]) {
        let at = Moment::from_nanos(1_000_000_000_000 + at_ms * 1_000_000);
        let frame = Frame { at, link: LinkType::Ethernet, wire_len: bytes.len() as u32, data: bytes };
        let packet = dissect(&frame);
        self.detection.poll(at, &self.flows);
        self.gather();
        if self.sheds && self.detection.sheds(&packet) {
            self.shed += 1;
            return;
        }
        let seen = self.flows.observe(&packet);
        self.detection.observe(&packet, seen.as_ref(), at);
        self.names.observe(&packet, None);
        self.detection.observe_names(&packet, self.names.events(), self.names.question());
        self.gather();
    }

    fn tcp(&mut self, at_ms: u64, packet: &Packet4<'_>) {
        let mut segment = ports(packet);
        segment.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, packet.flags, 4, 0, 0, 0, 0, 0]);
        segment.extend_from_slice(packet.payload);
        let bytes = ipv4(packet, 6, &segment);
        self.frame(at_ms, &bytes);
    }

    fn udp(&mut self, at_ms: u64, packet: &Packet4<'_>) {
        let mut datagram = ports(packet);
        datagram.extend_from_slice(&(packet.payload.len() as u16 + 8).to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(packet.payload);
        let bytes = ipv4(packet, 17, &datagram);
        self.frame(at_ms, &bytes);
    }

    fn syn(&mut self, at_ms: u64, from: ([u8; 4], u16), to: ([u8; 4], u16)) {
        self.tcp(at_ms, &Packet4 { from, to, flags: SYN, payload: &[] });
    }

    fn gather(&mut self) {
        while let Some(alert) = self.detection.next_change() {
            self.alerts.retain(|known| known.id != alert.id);
            self.alerts.push(alert);
        }
    }

    /// The alerts at the end.
    fn told(mut self) -> Vec<Alert> {
        self.detection.finish(&self.flows);
        self.gather();
        self.alerts
    }

    /// What they are, and by whom.
    fn finish(self) -> Vec<(Kind, Party)> {
        self.told().iter().map(|alert| (alert.kind, alert.source)).collect()
    }
}

fn ports(packet: &Packet4<'_>) -> Vec<u8> {
    [packet.from.1.to_be_bytes(), packet.to.1.to_be_bytes()].concat()
}

fn ipv4(packet: &Packet4<'_>, protocol: u8, rest: &[u8]) -> Vec<u8> {
    let mac = |addr: [u8; 4]| [2, 0, addr[0], addr[1], addr[2], addr[3]];
    // Whoever forges addresses is the attacker; his neighbour has a network card of its own.
    let sender = if packet.from.0 == SCANNER { SCANNER } else { ATTACKER };
    let mut bytes = [mac([192, 168, 1, 1]), mac(sender)].concat();
    bytes.extend_from_slice(&[8, 0, 0x45, 0]);
    bytes.extend_from_slice(&(rest.len() as u16 + 20).to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 64, protocol, 0, 0]);
    bytes.extend_from_slice(&packet.from.0);
    bytes.extend_from_slice(&packet.to.0);
    bytes.extend_from_slice(rest);
    bytes
}

fn by(addr: [u8; 4]) -> Party {
    Party::Addr(crate::net::Addr::from_v4(addr))
}

/// Tries so many ports, every second of which is refused, the rest silent.
fn scan(ports: u16, settings: Settings) -> Vec<(Kind, Party)> {
    let mut street = Street::new(settings);
    for port in 1..=ports {
        let at_ms = u64::from(port) * 20;
        street.syn(at_ms, (ATTACKER, 40_000), (VICTIM, port));
        if port % 2 == 0 {
            let refused =
                Packet4 { from: (VICTIM, port), to: (ATTACKER, 40_000), flags: RST_ACK, payload: &[] };
            street.tcp(at_ms + 1, &refused);
        }
    }
    street.finish()
}

#[test]
fn a_scan_speaks_above_its_threshold_and_is_silent_below() {
    for ports in [1, 5, 10] {
        assert_eq!(scan(ports, Settings::default()), [], "{ports} ports");
    }
    for ports in [22, 30, 100, 1_000] {
        assert_eq!(scan(ports, Settings::default()), [(Kind::PortScan, by(ATTACKER))], "{ports} ports");
    }
}

#[test]
fn thresholds_switches_and_exemptions_are_kept() {
    let mut higher = Settings::default();
    higher.set_threshold(Kind::PortScan, 60);
    assert_eq!(scan(30, higher), []);
    let mut off = Settings::default();
    off.enabled[Kind::PortScan as usize] = false;
    assert_eq!(scan(100, off), []);
    let exempt = Settings { exempt: vec!["192.168.1.64/26".parse().unwrap()], ..Settings::default() };
    assert_eq!(scan(100, exempt), []);
}

#[test]
fn a_resolver_that_answers_to_many_ports_is_no_scanner() {
    let mut street = Street::new(Settings::default());
    for port in 0..500 {
        let answer = Packet4 {
            from: ([192, 168, 1, 1], 53),
            to: (ATTACKER, 20_000 + port),
            flags: 0,
            payload: &[0; 40],
        };
        street.udp(u64::from(port) * 10, &answer);
    }
    assert_eq!(street.finish(), []);
}

#[test]
fn a_flood_of_random_sources_is_one_alert_that_names_the_neighbour_behind_it() {
    let mut street = Street::new(Settings::default());
    // The flooder has an address of its own.
    for port in [1_025, 1_026] {
        street.syn(0, (ATTACKER, port), ([192, 168, 1, 1], 80));
    }
    for packet in 0..40_000_u32 {
        let [a, b, c, d] = crate::net::mix(packet.into()).to_le_bytes()[..4].try_into().unwrap();
        street.syn(
            u64::from(packet) / 4,
            ([a % 100 + 20, b, c, d], 1_024 + (packet % 60_000) as u16),
            (VICTIM, 80),
        );
    }
    assert_eq!(street.finish(), [(Kind::SynFlood, by(ATTACKER))]);
}

/// A minute of a thousand requests a second, each of another stranger.
fn flood(street: &mut Street, mut beside: impl FnMut(&mut Street, u32)) {
    for packet in 0..60_000_u32 {
        // Any address at all: those of loopback and multicast, too.
        let [a, b, c, d, ..] = crate::net::mix(packet.into()).to_le_bytes();
        street.syn(packet.into(), ([a, b, c, d], 1_024), (VICTIM, 80));
        beside(street, packet);
    }
}

#[test]
fn what_is_shed_of_a_flood_is_counted() {
    let evidence = |sheds| {
        let mut street = Street { sheds, ..Street::new(Settings::default()) };
        flood(&mut street, |_, _| ());
        let shed = street.shed;
        let alerts = street.told();
        assert_eq!(alerts.len(), 1);
        (shed, alerts[0].kind, alerts[0].evidence)
    };
    let ((none, kind, whole), (shed, same_kind, counted)) = (evidence(false), evidence(true));
    assert_eq!((none, kind, whole), (0, same_kind, counted));
    // Of five thousand in a slice two thousand are looked at, and every 64th of the others.
    assert!((35_000..36_000).contains(&shed), "{shed}");
}

#[test]
fn a_flood_covers_neither_a_scan_nor_a_call() {
    let mut street = Street::new(Settings::default());
    let caller = ([192, 168, 1, 30], 50_000);
    flood(&mut street, |street, packet| {
        if packet % 50 == 0 {
            let port = 1 + (packet / 50) as u16;
            street.syn(packet.into(), (SCANNER, 40_000), (VICTIM, port));
        }
        if packet == 30_000 {
            street.syn(packet.into(), caller, (VICTIM, 80));
            let answer = Packet4 { from: (VICTIM, 80), to: caller, flags: SYN_ACK, payload: &[] };
            street.tcp(packet.into(), &answer);
        }
    });
    let found =
        street.flows.iter().any(|(_, flow)| flow.tuple.orig.port == caller.1 && flow.resp.packets == 1);
    assert!(found, "a connection is met at its second packet at the latest");
    let addr = crate::net::Addr::from_v4;
    let shared = &mut street.detection.shared;
    let ports = shared.ports_tried(&addr(SCANNER), &addr(VICTIM), super::shared::Probe::Tcp);
    assert!(ports > 100, "{ports} of the ports that were scanned");
}

#[test]
fn who_forges_every_source_and_has_none_of_its_own_is_not_named() {
    let mut street = Street::new(Settings::default());
    for packet in 0..40_000_u32 {
        let [b, c, ..] = crate::net::mix(packet.into()).to_le_bytes();
        street.syn(u64::from(packet) / 4, ([10, b, c, packet as u8], 1_024), (VICTIM, 80));
    }
    assert_eq!(street.finish(), [(Kind::SynFlood, Party::Addr(crate::net::Addr::UNSPECIFIED))]);
}

#[test]
fn a_busy_server_is_no_victim() {
    let mut street = Street::new(Settings::default());
    for client in 0..3_000_u32 {
        let (from, to) = (([10, 0, (client >> 8) as u8, client as u8], 5_000), (VICTIM, 443));
        let at_ms = u64::from(client) * 2;
        street.syn(at_ms, from, to);
        street.tcp(at_ms, &Packet4 { from: to, to: from, flags: SYN_ACK, payload: &[] });
        street.tcp(at_ms, &Packet4 { from, to, flags: 0x10, payload: &[] });
    }
    assert_eq!(street.shed, 0);
    assert_eq!(street.finish(), []);
}

#[test]
fn datagrams_that_are_answered_are_no_flood() {
    for (answers, expected) in [(false, vec![(Kind::UdpFlood, by(ATTACKER))]), (true, vec![])] {
        let mut street = Street::new(Settings::default());
        for packet in 0..30_000_u64 {
            let (from, to) = ((ATTACKER, 4_000), (VICTIM, 9_999));
            street.udp(packet / 4, &Packet4 { from, to, flags: 0, payload: &[0; 64] });
            if answers && packet % 10 == 0 {
                street.udp(packet / 4, &Packet4 { from: to, to: from, flags: 0, payload: &[0; 30] });
            }
        }
        assert_eq!(street.finish(), expected);
    }
}

/// An ARP reply: who says, what address, to whom.
fn arp_reply(mac: u8, addr: u8, to: u8) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, mac, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
    bytes.extend_from_slice(&[2, 0, 0, 0, 0, mac, 192, 168, 1, addr, 2, 0, 0, 0, 0, to, 192, 168, 1, to]);
    bytes
}

#[test]
fn who_claims_a_living_neighbours_address_spoofs_it() {
    let mut street = Street::new(Settings::default());
    for round in 0..20 {
        let at_ms = round * 1_000;
        street.frame(at_ms, &arp_reply(1, 1, 20));
        street.frame(at_ms + 1, &arp_reply(66, 66, 1));
        street.frame(at_ms + 2, &arp_reply(66, 1, 20));
    }
    let spoofer = Party::Mac(crate::net::MacAddr([2, 0, 0, 0, 0, 66]));
    assert_eq!(street.finish(), [(Kind::ArpSpoof, spoofer)]);
}

#[test]
fn an_address_that_fails_over_is_not_spoofed() {
    let mut street = Street::new(Settings::default());
    for round in 0..80_u64 {
        // Every 20 s another machine takes the address over, and the last one is gone.
        let mac = 30 + (round / 20) as u8;
        street.frame(round * 1_000, &arp_reply(mac, 30, 20));
    }
    assert_eq!(street.finish(), []);
}

#[test]
fn an_incident_is_one_episode_until_it_has_been_quiet_for_long() {
    let mut street = Street::new(Settings::default());
    for burst in [0, 200_000, 1_200_000] {
        for port in 1..=100_u16 {
            street.syn(
                burst + u64::from(port) * 20,
                (ATTACKER, 40_000),
                (VICTIM, port + (burst / 1000) as u16),
            );
        }
    }
    // The second burst comes within the cool-down, the third after it.
    assert_eq!(street.finish(), [(Kind::PortScan, by(ATTACKER)); 2]);
}

#[test]
fn names_and_kinds_are_one_to_one() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(Kind::from_name("nonsense"), None);
}
