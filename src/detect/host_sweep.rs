//! Host sweeps: one question put to many hosts, most of which do not answer.
//!
//! Counted per initiator and port (or echo, or ARP), over hosts. The share of silence that makes it a sweep
//! depends on what a household does anyway: web browsers reach hundreds of hosts a minute and lose them all
//! when the line is down, so the web's ports outside the LAN ask for much more than port 22 does; peers of file
//! sharing and game browsers are half dead on high ports. Known evasions: fewer than one host in seven seconds,
//! many sources, and sweeps of hosts known to be there.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{Fan, Probe, Shared};

/// What a sweep of this kind needs: hosts as a multiple of the threshold in percent, and silence.
struct Needs {
    hosts_pct: u32,
    failed_pct: u32,
}

const WEB: [u16; 3] = [80, 443, 8080];

fn needs(probe: Probe, port: u16) -> Needs {
    match probe {
        Probe::Tcp if WEB.contains(&port) => Needs { hosts_pct: 400, failed_pct: 80 },
        Probe::Tcp if port < 1024 || port == 3389 || port == 5900 => Needs { hosts_pct: 100, failed_pct: 30 },
        Probe::Tcp => Needs { hosts_pct: 160, failed_pct: 80 },
        // On high ports games and file sharing look for servers among strangers.
        Probe::Udp if port < 1024 || UDP_SERVICES.contains(&port) => Needs { hosts_pct: 160, failed_pct: 90 },
        Probe::Udp => Needs { hosts_pct: 1_200, failed_pct: 95 },
        Probe::Icmp => Needs { hosts_pct: 100, failed_pct: 50 },
        Probe::Arp => Needs { hosts_pct: 120, failed_pct: 50 },
    }
}

/// High ports of services that answer strangers: proxies, databases, discovery, telephony, things.
const UDP_SERVICES: [u16; 12] = [1194, 1434, 1645, 1812, 1900, 3702, 4500, 5060, 5353, 5683, 10_001, 11_211];
/// The patient sweep needs so many more hosts.
const PATIENT_PCT: u32 = 160;
const PATIENT_FAILED_PCT: u32 = 70;

pub(super) fn poll(shared: &mut Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let slice = shared.slice;
    shared.fans.touched(slice, |(src, probe, port), fan: &mut Fan| {
        let needs = needs(*probe, *port);
        let least = thresholds.sweep_hosts_30s * needs.hosts_pct / 100;
        let fast = fan.hosts.fared(slice, Span::S30);
        let patient = fan.hosts.fared(slice, Span::S180);
        let burst = fast.distinct >= least && fast.failed_pct >= needs.failed_pct;
        let is_patient = patient.distinct >= least * PATIENT_PCT / 100
            && patient.failed_pct >= needs.failed_pct.max(PATIENT_FAILED_PCT);
        if !burst && !is_patient {
            return;
        }
        let severity = match (burst, probe) {
            (true, Probe::Arp | Probe::Icmp) | (false, _) => Severity::Low,
            (true, Probe::Tcp | Probe::Udp) => Severity::Medium,
        };
        found.push(Finding {
            kind: Kind::HostSweep,
            severity: severity.grown(fast.distinct.into(), least),
            source: Party::Addr(src.0),
            target: None,
            first: fan.since.first(),
            evidence: Evidence::new(&[
                ("hosts", u64::from(fast.distinct.max(patient.distinct))),
                ("failed_pct", u64::from(if burst { fast.failed_pct } else { patient.failed_pct })),
                ("tries_30s", u64::from(fan.counts.sum(slice, 0, Span::S30))),
                ("port", u64::from(*port)),
            ]),
        });
    });
}
