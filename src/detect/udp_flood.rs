//! UDP floods: one destination gets datagrams from whoever began, and answers hardly any.
//!
//! A download over QUIC or a game is begun by the one who receives it, and an upload is acknowledged every few
//! datagrams; a flood is not. Replies from ports of reflectors belong to [`super::amplification`].

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Probe, Shared, at_target};
use super::who::{self, Bindings};

/// Answers, at most, per hundred datagrams.
const ANSWERED_PCT: u32 = 2;

pub(super) fn poll(
    shared: &mut Shared,
    bindings: &Bindings,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    let mut flooded = Vec::new();
    shared.targets.touched(slice, |AddrKey(dst), target| {
        let datagrams = target.counts.sum(slice, at_target::DATAGRAMS, Span::S5);
        let answers = target.counts.sum(slice, at_target::ANSWERS, Span::S5);
        if datagrams >= thresholds.udp_flood_packets_5s
            && u64::from(answers) * 100 < u64::from(datagrams) * u64::from(ANSWERED_PCT)
        {
            flooded.push((*dst, *target, datagrams, answers));
        }
    });
    for (dst, target, datagrams, answers) in flooded {
        let (kind, source) = who::is_flooding(&target, bindings, slice, thresholds, Kind::UdpFlood);
        // A fast scan of all ports is a scan as long as no port gets more than a few.
        let ports = who::addr_of(source).map_or(0, |src| shared.ports_tried(&src, &dst, Probe::Udp));
        if ports >= thresholds.scan_ports_30s && datagrams < thresholds.udp_flood_packets_5s * 4 {
            continue;
        }
        found.push(Finding {
            kind,
            severity: Severity::High.grown(datagrams.into(), thresholds.udp_flood_packets_5s),
            source,
            target: Some(Party::Addr(dst)),
            first: target.since.first(),
            evidence: Evidence::new(&[
                ("datagrams_5s", u64::from(datagrams)),
                ("answers_5s", u64::from(answers)),
                ("sources_5s", u64::from(target.sources.distinct(slice, Span::S5))),
            ]),
        });
    }
}
