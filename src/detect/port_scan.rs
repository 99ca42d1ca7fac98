//! Port scans: one host tried on many ports, most of which do not answer.
//!
//! Counted per initiator and destination, whatever the flags: SYN, connect, FIN, NULL, Xmas, ACK, UDP. Three
//! speeds: a burst (30 s), a patient scan (180 s) and a slow one (up to an hour, from a bitmap of ports).
//! Datagrams are answered by few services, so UDP asks for more silence. Known evasions: less than one port in
//! three minutes, scans of ports known to be open, and scans shared by many sources.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{Probe, Shared, at_pair};

/// Tries that must have failed, TCP and UDP.
const FAILED_TCP_PCT: u32 = 50;
const FAILED_UDP_PCT: u32 = 80;
/// The patient scan asks for more silence.
const FAILED_PATIENT_PCT: u32 = 80;
/// Packets with impossible flags to one host in 30 s that are a scan whatever their ports.
const ODD_FLAGS_30S: u32 = 10;
/// So many unanswered ports in an hour, as a multiple of the threshold in percent.
const HOUR_PCT: u32 = 200;
/// Ports that make it serious.
const MANY_PORTS: u32 = 100;

pub(super) fn poll(shared: &mut Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let slice = shared.slice;
    let least = thresholds.scan_ports_30s;
    shared.pairs.touched(slice, |(src, dst, probe), pair| {
        let needed_pct = if *probe == Probe::Udp { FAILED_UDP_PCT } else { FAILED_TCP_PCT };
        let fast = pair.ports.fared(slice, Span::S30);
        let patient = pair.ports.fared(slice, Span::S180);
        let odd = pair.counts.sum(slice, at_pair::ODD_FLAGS, Span::S30);
        let (tried, silent) = pair.hour.fared();
        let burst = fast.distinct >= least && fast.failed_pct >= needed_pct;
        let is_patient =
            patient.distinct >= least && patient.failed_pct >= needed_pct.max(FAILED_PATIENT_PCT);
        let slow = silent >= least * HOUR_PCT / 100 && silent * 100 >= tried * 90;
        let severity = if burst && fast.distinct >= MANY_PORTS {
            Severity::High
        } else if burst || odd >= ODD_FLAGS_30S {
            Severity::Medium
        } else if is_patient || slow {
            Severity::Low
        } else {
            return;
        };
        found.push(Finding {
            kind: Kind::PortScan,
            severity,
            source: Party::Addr(src.0),
            target: Some(Party::Addr(dst.0)),
            first: pair.since.first(),
            evidence: Evidence::new(&[
                ("ports", u64::from(fast.distinct.max(patient.distinct).max(tried))),
                ("failed_pct", u64::from(if burst { fast.failed_pct } else { patient.failed_pct })),
                ("tries_30s", u64::from(pair.counts.sum(slice, at_pair::TRIES, Span::S30))),
                ("odd_flags_30s", u64::from(odd)),
            ]),
        });
    });
}
