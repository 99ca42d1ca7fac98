//! SYN floods: one destination gets connection requests that are never completed.
//!
//! Counted at the victim, because a forged source is a new one each time. What completes its handshakes is
//! load, not a flood. Where one source tries many ports, that is a scan and said so by [`super::port_scan`].

use super::alert::{Evidence, Finding, Kind, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Probe, Shared, at_target};
use super::who::{self, Bindings};

/// Handshakes completed, at most, for it to be a flood.
const COMPLETED_PCT: u32 = 50;

pub(super) fn poll(
    shared: &mut Shared,
    bindings: &Bindings,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    let mut flooded = Vec::new();
    shared.targets.touched(slice, |AddrKey(dst), target| {
        let syns = target.counts.sum(slice, at_target::SYNS, Span::S5);
        let completed = target.counts.sum(slice, at_target::COMPLETED, Span::S5);
        if syns >= thresholds.syn_flood_syns_5s && completed * 100 < syns * COMPLETED_PCT {
            flooded.push((*dst, *target, syns, completed));
        }
    });
    for (dst, target, syns, completed) in flooded {
        let (kind, source) = who::is_flooding(&target, bindings, slice, thresholds, Kind::SynFlood);
        let scans = who::addr_of(source)
            .is_some_and(|src| shared.ports_tried(&src, &dst, Probe::Tcp) >= thresholds.scan_ports_30s);
        if scans {
            continue;
        }
        found.push(Finding {
            kind,
            severity: Severity::High.grown(syns.into(), thresholds.syn_flood_syns_5s),
            source,
            target: Some(super::alert::Party::Addr(dst)),
            first: target.since.first(),
            evidence: Evidence::new(&[
                ("syns_5s", u64::from(syns)),
                ("completed_5s", u64::from(completed)),
                ("sources_5s", u64::from(target.sources.distinct(slice, Span::S5))),
            ]),
        });
    }
}
