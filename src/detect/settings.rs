//! Thresholds: what must be counted before anybody is accused. Units are in the names.

use super::alert::Kind;
use crate::net::{Addr, Prefix};

/// Whether what devices usually do is held against them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Baselines {
    /// Only learn: a capture is too short to know what is usual.
    #[default]
    Learn,
    /// Learn and judge, as on a router.
    Judge,
}

/// What runs, whom it spares, and from where on it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which detectors run, by number of their kind.
    pub enabled: [bool; Kind::ALL.len()],
    /// Sources that never raise an alert.
    pub exempt: Vec<Prefix>,
    /// From where on each detector speaks.
    pub thresholds: Thresholds,
    /// Whether devices are judged by their own past.
    pub baselines: Baselines,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: [true; Kind::ALL.len()],
            exempt: Vec::new(),
            thresholds: Thresholds::default(),
            baselines: Baselines::default(),
        }
    }
}

impl Settings {
    /// Whether a detector runs.
    pub fn runs(&self, kind: Kind) -> bool {
        self.enabled[kind as usize]
    }

    pub(super) fn is_exempt(&self, addr: &Addr) -> bool {
        self.exempt.iter().any(|prefix| prefix.contains(addr))
    }

    /// Sets the main threshold of a detector, in its own unit (docs/detectors.md).
    pub fn set_threshold(&mut self, kind: Kind, value: u32) {
        *self.thresholds.main(kind) = value.max(1);
    }
}

/// The main threshold of each detector; what else it asks for stands beside it in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is described in docs/detectors.md, beside what it was measured against"
)]
pub struct Thresholds {
    pub scan_ports_30s: u32,
    pub sweep_hosts_30s: u32,
    pub syn_flood_syns_5s: u32,
    pub udp_flood_packets_5s: u32,
    pub icmp_flood_packets_5s: u32,
    pub amplified_packets_5s: u32,
    pub http_flood_requests_5s: u32,
    pub ssh_tries_180s: u32,
    pub login_tries_180s: u32,
    pub web_tries_30s: u32,
    pub slow_connections: u32,
    pub slow_post_connections: u32,
    pub arp_claims_180s: u32,
    pub dhcp_offers_180s: u32,
    pub advertisements_180s: u32,
    pub tunnel_names_30s: u32,
    pub echo_mismatches_180s: u32,
    pub ddos_sources: u32,
    pub beacons: u32,
    pub lateral_probes: u32,
    pub exfiltration_mb: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            scan_ports_30s: 15,
            sweep_hosts_30s: 25,
            syn_flood_syns_5s: 300,
            udp_flood_packets_5s: 5_000,
            icmp_flood_packets_5s: 1_000,
            amplified_packets_5s: 1_000,
            http_flood_requests_5s: 500,
            ssh_tries_180s: 10,
            login_tries_180s: 15,
            web_tries_30s: 20,
            slow_connections: 30,
            slow_post_connections: 30,
            arp_claims_180s: 3,
            dhcp_offers_180s: 1,
            advertisements_180s: 1,
            tunnel_names_30s: 20,
            echo_mismatches_180s: 6,
            ddos_sources: 3,
            beacons: 60,
            lateral_probes: 15,
            exfiltration_mb: 500,
        }
    }
}

impl Thresholds {
    fn main(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::PortScan => &mut self.scan_ports_30s,
            Kind::HostSweep => &mut self.sweep_hosts_30s,
            Kind::SynFlood => &mut self.syn_flood_syns_5s,
            Kind::UdpFlood => &mut self.udp_flood_packets_5s,
            Kind::IcmpFlood => &mut self.icmp_flood_packets_5s,
            Kind::Amplification => &mut self.amplified_packets_5s,
            Kind::HttpFlood => &mut self.http_flood_requests_5s,
            Kind::SshBruteForce => &mut self.ssh_tries_180s,
            Kind::BruteForce => &mut self.login_tries_180s,
            Kind::WebBruteForce => &mut self.web_tries_30s,
            Kind::Slowloris => &mut self.slow_connections,
            Kind::SlowPost => &mut self.slow_post_connections,
            Kind::ArpSpoof => &mut self.arp_claims_180s,
            Kind::RogueDhcp => &mut self.dhcp_offers_180s,
            Kind::RogueRa => &mut self.advertisements_180s,
            Kind::DnsTunnel => &mut self.tunnel_names_30s,
            Kind::IcmpTunnel => &mut self.echo_mismatches_180s,
            Kind::DdosOut => &mut self.ddos_sources,
            Kind::Beaconing => &mut self.beacons,
            Kind::LateralMovement => &mut self.lateral_probes,
            Kind::Exfiltration => &mut self.exfiltration_mb,
        }
    }
}
