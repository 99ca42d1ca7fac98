//! Every detector at the edge of its threshold: silent below, loud above, and never quieter for more evidence.
//!
//! Each [`Scene`] plays an attack with a given amount of evidence, in the unit of the detector's threshold. Sets are
//! estimated, so the edge has a width: nothing is asked of amounts between `silent` and `loud`.

use super::*;
use crate::net::Addr;

const GATEWAY: [u8; 4] = [192, 168, 1, 1];
const NEIGHBOUR: [u8; 4] = [192, 168, 1, 30];
const ACK: u8 = 0x10;
const PUSH: u8 = 0x18;
const FIN: u8 = 0x11;

impl Street {
    /// A connection: handshake at `at_ms`; what the sides say follows.
    fn opens(&mut self, at_ms: u64, from: ([u8; 4], u16), to: ([u8; 4], u16)) {
        self.syn(at_ms, from, to);
        self.tcp(at_ms, &Packet4 { from: to, to: from, flags: SYN_ACK, payload: &[] });
        self.tcp(at_ms, &Packet4 { from, to, flags: ACK, payload: &[] });
    }

    fn says(&mut self, at_ms: u64, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) {
        self.tcp(at_ms, &Packet4 { from, to, flags: PUSH, payload });
    }

    fn closes(&mut self, at_ms: u64, from: ([u8; 4], u16), to: ([u8; 4], u16)) {
        self.tcp(at_ms, &Packet4 { from, to, flags: FIN, payload: &[] });
        self.tcp(at_ms, &Packet4 { from: to, to: from, flags: FIN, payload: &[] });
    }

    /// An ICMP message of IPv4.
    pub(super) fn icmp(&mut self, at_ms: u64, (from, to): ([u8; 4], [u8; 4]), kind: u8, len: usize) {
        let mut message = vec![kind, 0, 0, 0, 0, 1, 0, 1];
        message.resize(8 + len, 0);
        let packet = Packet4 { from: (from, 0), to: (to, 0), flags: 0, payload: &[] };
        let bytes = ipv4(&packet, 1, &message);
        self.frame(at_ms, &bytes);
    }
}

fn source(n: u32) -> u16 {
    20_000 + (n % 40_000) as u16
}

/// One kind of attack: amounts that are silent, amounts that are told, and how it is played.
pub(super) struct Scene {
    pub(super) kind: Kind,
    pub(super) silent: &'static [u32],
    pub(super) loud: &'static [u32],
    pub(super) play: fn(&mut Street, u32),
    by: Party,
}

fn attacker() -> Party {
    by(ATTACKER)
}

fn host_sweep(street: &mut Street, hosts: u32) {
    for host in 0..hosts {
        street.syn(u64::from(host) * 10, (ATTACKER, source(host)), ([203, 0, 113, host as u8], 22));
    }
}

fn arp_sweep(street: &mut Street, hosts: u32) {
    for host in 0..hosts {
        let mut bytes = vec![0xff; 6];
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 66, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 66]);
        bytes.extend_from_slice(&ATTACKER);
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 192, 168, 1, host as u8 + 70]);
        street.frame(u64::from(host) * 10, &bytes);
    }
}

fn syn_flood(street: &mut Street, syns: u32) {
    for syn in 0..syns {
        street.syn(u64::from(syn) * 4_500 / u64::from(syns), (ATTACKER, source(syn)), (VICTIM, 80));
    }
}

fn udp_flood(street: &mut Street, datagrams: u32) {
    for datagram in 0..datagrams {
        let at_ms = u64::from(datagram) * 4_500 / u64::from(datagrams);
        street.udp(
            at_ms,
            &Packet4 { from: (ATTACKER, 4_000), to: (VICTIM, 9_999), flags: 0, payload: &[0; 64] },
        );
    }
}

fn icmp_flood(street: &mut Street, echoes: u32) {
    for echo in 0..echoes {
        let at_ms = u64::from(echo) * 4_500 / u64::from(echoes);
        street.icmp(at_ms, (ATTACKER, VICTIM), 8, 56);
        street.icmp(at_ms, (VICTIM, ATTACKER), 0, 56);
    }
}

fn amplification(street: &mut Street, answers: u32) {
    for answer in 0..answers {
        let at_ms = u64::from(answer) * 4_500 / u64::from(answers);
        let to = (NEIGHBOUR, source(answer));
        street.udp(at_ms, &Packet4 { from: (VICTIM, 123), to, flags: 0, payload: &[0; 440] });
    }
}

fn http_flood(street: &mut Street, requests: u32) {
    for connection in 0..20 {
        street.opens(0, (ATTACKER, source(connection)), (VICTIM, 80));
    }
    for request in 0..requests {
        let at_ms = 10 + u64::from(request) * 4_500 / u64::from(requests);
        street.says(
            at_ms,
            (ATTACKER, source(request % 20)),
            (VICTIM, 80),
            b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
        );
    }
}

/// A connection of six messages "no", the first of which answers a question, is five tries.
fn ssh_guesses(street: &mut Street, connections: u32) {
    for connection in 0..connections {
        let (from, to) = ((ATTACKER, source(connection)), (VICTIM, 22));
        let at_ms = u64::from(connection) * 3_000;
        street.opens(at_ms, from, to);
        let turns: [i32; 19] =
            [23, -41, 904, -1088, 48, -524, 16, 44, -44, 68, -52, 76, -52, 76, -52, 76, -52, 76, -52];
        for turn in turns {
            let bytes = vec![b'x'; turn.unsigned_abs() as usize];
            let (a, b) = if turn > 0 { (from, to) } else { (to, from) };
            street.says(at_ms + 100, a, b, &bytes);
        }
        street.closes(at_ms + 200, from, to);
    }
}

fn ftp_refusals(street: &mut Street, refusals: u32) {
    for refusal in 0..refusals {
        let (from, to) = ((ATTACKER, source(refusal)), (VICTIM, 21));
        let at_ms = u64::from(refusal) * 4_000;
        street.opens(at_ms, from, to);
        street.says(at_ms, to, from, b"220 (vsFTPd 3.0.3)\r\n");
        street.says(at_ms, from, to, b"USER admin\r\n");
        street.says(at_ms, to, from, b"331 Please specify the password.\r\n");
        street.says(at_ms, from, to, b"PASS secret\r\n");
        street.says(at_ms + 500, to, from, b"530 Login incorrect.\r\n");
        street.closes(at_ms + 600, from, to);
    }
}

fn web_refusals(street: &mut Street, refusals: u32) {
    let (from, to) = ((ATTACKER, 5_000), (VICTIM, 80));
    street.opens(0, from, to);
    for refusal in 0..refusals {
        let at_ms = 10 + u64::from(refusal) * 20_000 / u64::from(refusals);
        street.says(at_ms, from, to, b"GET /private HTTP/1.1\r\nHost: x\r\n\r\n");
        street.says(at_ms + 5, to, from, b"HTTP/1.1 401 Unauthorized\r\n\r\n");
    }
}

fn held(street: &mut Street, connections: u32, begin: &[u8]) {
    for connection in 0..connections {
        let (from, to) = ((ATTACKER, source(connection)), (VICTIM, 80));
        street.opens(u64::from(connection) * 20, from, to);
        street.says(u64::from(connection) * 20 + 1, from, to, begin);
    }
    for second in [10, 20, 30] {
        for connection in 0..connections {
            let at_ms = second * 1_000 + u64::from(connection) * 20;
            street.says(at_ms, (ATTACKER, source(connection)), (VICTIM, 80), b"X-a: b\r\n");
        }
    }
}

fn slowloris(street: &mut Street, connections: u32) {
    held(street, connections, b"GET / HTTP/1.1\r\nHost: x\r\n");
}

fn slow_post(street: &mut Street, connections: u32) {
    held(street, connections, b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n");
}

fn slow_read(street: &mut Street, connections: u32) {
    for connection in 0..connections {
        let (from, to) = ((ATTACKER, source(connection)), (VICTIM, 80));
        street.opens(u64::from(connection) * 20, from, to);
        street.says(u64::from(connection) * 20 + 1, from, to, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        street.says(u64::from(connection) * 20 + 2, to, from, &[b'x'; 300]);
    }
    for second in [5, 10, 15, 20, 25] {
        for connection in 0..connections {
            street.stalls(second * 1_000 + u64::from(connection) * 20, source(connection));
        }
    }
}

impl Street {
    /// A reader with a shut window.
    fn stalls(&mut self, at_ms: u64, port: u16) {
        let packet = Packet4 { from: (ATTACKER, port), to: (VICTIM, 80), flags: ACK, payload: &[] };
        let mut segment = ports(&packet);
        segment.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, ACK, 0, 0, 0, 0, 0, 0]);
        let bytes = ipv4(&packet, 6, &segment);
        self.frame(at_ms, &bytes);
    }
}

fn arp_claims(street: &mut Street, claims: u32) {
    street.frame(0, &arp_reply(1, 1, 20));
    street.frame(1, &arp_reply(66, 66, 1));
    for claim in 0..u64::from(claims) {
        street.frame(1_000 + claim * 1_000, &arp_reply(66, 1, 20));
        street.frame(1_500 + claim * 1_000, &arp_reply(1, 1, 20));
    }
}

/// An offer of an address, from the server whose address ends so.
fn offer(street: &mut Street, at_ms: u64, server: u8) {
    let mut message =
        vec![2, 1, 6, 0, 0, 0, 0, 9, 0, 0, 0x80, 0, 0, 0, 0, 0, 192, 168, 1, 77, 192, 168, 1, server];
    message.resize(236, 0);
    message.extend_from_slice(&[0x63, 0x82, 0x53, 0x63, 53, 1, 2, 54, 4, 192, 168, 1, server, 0xff]);
    let from = ([192, 168, 1, server], 67);
    let packet = Packet4 { from, to: ([255; 4], 68), flags: 0, payload: &message };
    let mut datagram = ports(&packet);
    datagram.extend_from_slice(&(message.len() as u16 + 8).to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(&message);
    let mut bytes = ipv4(&packet, 17, &datagram);
    bytes[11] = server;
    street.frame(at_ms, &bytes);
}

fn dhcp_servers(street: &mut Street, servers: u32) {
    for round in 0..3 {
        for server in 0..servers {
            offer(street, round * 10_000 + u64::from(server) * 100, [1, 66, 67][server as usize % 3]);
        }
    }
}

/// Routers that announce themselves, as often as they like.
fn advertisers(street: &mut Street, routers: u32) {
    for round in 0..3 {
        for router in 0..routers {
            let number = [1, 66][router as usize % 2];
            let mut bytes = vec![
                0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, number, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 16, 58, 255,
            ];
            bytes.extend_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]);
            bytes.extend_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            bytes.extend_from_slice(&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
            street.frame(round * 10_000 + u64::from(router) * 100, &bytes);
        }
    }
}

fn tunnel_names(street: &mut Street, names: u32) {
    for name in 0..names {
        let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let label = format!("{:040x}", crate::net::mix(u64::from(name) + 1));
        for part in [label.as_str(), "t", "evil", "example"] {
            message.push(part.len() as u8);
            message.extend_from_slice(part.as_bytes());
        }
        message.extend_from_slice(&[0, 0, 16, 0, 1]);
        let from = (ATTACKER, source(name));
        street.udp(u64::from(name) * 100, &Packet4 { from, to: (GATEWAY, 53), flags: 0, payload: &message });
    }
}

fn echo_mismatches(street: &mut Street, replies: u32) {
    for reply in 0..replies {
        street.icmp(u64::from(reply) * 1_000, (ATTACKER, VICTIM), 8, 60);
        street.icmp(u64::from(reply) * 1_000 + 5, (VICTIM, ATTACKER), 0, 400 + reply as usize);
    }
}

/// As many devices, each with its own address and hardware address, against one server.
fn bots(street: &mut Street, devices: u32) {
    for packet in 0..1_500 {
        let device = (packet % devices) as u8;
        let from = Packet4 {
            from: ([192, 168, 1, 100 + device], source(packet)),
            to: (VICTIM, 80),
            flags: SYN,
            payload: &[],
        };
        let mut segment = ports(&from);
        segment.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, SYN, 4, 0, 0, 0, 0, 0]);
        let mut bytes = ipv4(&from, 6, &segment);
        bytes[11] = 100 + device;
        street.frame(u64::from(packet) * 3, &bytes);
    }
}

fn beacons(street: &mut Street, connections: u32) {
    for connection in 0..connections {
        let (from, to) = ((ATTACKER, source(connection)), (VICTIM, 4_444));
        let at_ms = u64::from(connection) * 6_000 + crate::net::mix(connection.into()) % 600;
        street.opens(at_ms, from, to);
        street.says(at_ms + 1, from, to, b"id=17&state=idle");
        street.says(at_ms + 2, to, from, b"nothing to do");
        street.closes(at_ms + 3, from, to);
    }
}

fn break_in(street: &mut Street, hosts: u32) {
    let (from, to) = ((VICTIM, 50_000), (NEIGHBOUR, 22));
    street.opens(0, from, to);
    for word in 0..30_u64 {
        street.says(100 + word, from, to, &[1; 40]);
        street.says(100 + word, to, from, &[2; 60]);
    }
    for host in 0..hosts {
        street.syn(
            9_000 + u64::from(host) * 20,
            (NEIGHBOUR, source(host)),
            ([192, 168, 1, host as u8 + 90], 445),
        );
    }
}

pub(super) fn scenes() -> Vec<Scene> {
    let scene = |kind, silent, loud, play| Scene { kind, silent, loud, play, by: attacker() };
    let nobody = Party::Addr(Addr::UNSPECIFIED);
    vec![
        scene(Kind::HostSweep, &[1, 10, 20], &[30, 60, 200], host_sweep),
        scene(Kind::HostSweep, &[1, 12, 24], &[36, 80, 150], arp_sweep),
        scene(Kind::SynFlood, &[1, 100, 299], &[301, 1_000, 4_000], syn_flood),
        scene(Kind::UdpFlood, &[1, 2_000, 4_900], &[5_200, 20_000], udp_flood),
        scene(Kind::IcmpFlood, &[1, 500, 999], &[1_001, 3_000], icmp_flood),
        Scene {
            by: by(VICTIM),
            ..scene(Kind::Amplification, &[1, 500, 999], &[1_001, 4_000], amplification)
        },
        scene(Kind::HttpFlood, &[1, 250, 499], &[501, 2_000], http_flood),
        scene(Kind::SshBruteForce, &[1], &[3, 6, 20], ssh_guesses),
        scene(Kind::BruteForce, &[1, 4, 7], &[9, 20, 40], ftp_refusals),
        scene(Kind::WebBruteForce, &[1, 10, 19], &[21, 60, 300], web_refusals),
        scene(Kind::Slowloris, &[1, 15, 29], &[31, 60, 200], slowloris),
        scene(Kind::SlowPost, &[1, 15, 29], &[31, 60, 200], slow_post),
        scene(Kind::Slowloris, &[1, 15, 29], &[31, 60, 200], slow_read),
        Scene {
            by: Party::Mac(crate::net::MacAddr([2, 0, 0, 0, 0, 66])),
            ..scene(Kind::ArpSpoof, &[1, 2], &[3, 10, 40], arp_claims)
        },
        scene(Kind::RogueDhcp, &[1], &[2], dhcp_servers),
        Scene {
            by: Party::Addr("fe80::42".parse::<std::net::IpAddr>().unwrap().into()),
            ..scene(Kind::RogueRa, &[1], &[2], advertisers)
        },
        scene(Kind::DnsTunnel, &[1, 8, 16], &[26, 60, 200], tunnel_names),
        scene(Kind::IcmpTunnel, &[1, 3, 5], &[8, 20, 60], echo_mismatches),
        Scene { by: nobody, ..scene(Kind::DdosOut, &[], &[4, 5, 8], bots) },
        scene(Kind::Beaconing, &[1, 30, 59], &[62, 100, 400], beacons),
        Scene { by: by(NEIGHBOUR), ..scene(Kind::LateralMovement, &[1, 6, 12], &[19, 22], break_in) },
    ]
}

fn played(scene: &Scene, amount: u32) -> Vec<(Kind, Party)> {
    let mut street = Street::new(Settings::default());
    (scene.play)(&mut street, amount);
    street.finish()
}

#[test]
fn below_its_threshold_every_detector_is_silent() {
    for scene in scenes() {
        for &amount in scene.silent {
            assert_eq!(played(&scene, amount), [], "{:?} with {amount}", scene.kind);
        }
    }
}

#[test]
fn above_its_threshold_every_detector_tells_one_episode_of_the_right_kind_and_source() {
    for scene in scenes() {
        for &amount in scene.loud {
            assert_eq!(played(&scene, amount), [(scene.kind, scene.by)], "{:?} with {amount}", scene.kind);
        }
    }
}

#[test]
fn a_higher_threshold_asks_for_more() {
    for scene in scenes() {
        let (Some(&least), Some(&most)) = (scene.loud.first(), scene.loud.last()) else { continue };
        if matches!(scene.kind, Kind::RogueDhcp | Kind::RogueRa | Kind::DdosOut | Kind::Slowloris)
            || least == most
        {
            continue;
        }
        let mut settings = Settings::default();
        settings.set_threshold(scene.kind, 1_000_000);
        let mut street = Street::new(settings);
        (scene.play)(&mut street, least);
        let found = street.finish();
        assert!(found.iter().all(|(kind, _)| *kind != scene.kind), "{:?}: {found:?}", scene.kind);
    }
}

#[test]
fn every_kind_has_a_scene() {
    let elsewhere = [Kind::PortScan, Kind::Exfiltration];
    for kind in Kind::ALL {
        let has_one = elsewhere.contains(&kind) || scenes().iter().any(|scene| scene.kind == kind);
        assert!(has_one, "{kind:?}");
    }
}
