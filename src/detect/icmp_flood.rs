//! ICMP floods: one destination gets echo requests faster than anybody needs them.
//!
//! Only requests count: the victim that echoes them is none, nor is a host that reports unreachable ports.
//! Monitors ping many hosts, each a little.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Shared, at_target};
use super::who::{self, Bindings};

pub(super) fn poll(
    shared: &mut Shared,
    bindings: &Bindings,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    shared.targets.touched(slice, |AddrKey(dst), target| {
        let echoes = target.counts.sum(slice, at_target::ECHOES, Span::S5);
        if echoes < thresholds.icmp_flood_packets_5s {
            return;
        }
        let (kind, source) = who::is_flooding(target, bindings, slice, thresholds, Kind::IcmpFlood);
        found.push(Finding {
            kind,
            severity: Severity::Medium.grown(echoes.into(), thresholds.icmp_flood_packets_5s),
            source,
            target: Some(Party::Addr(*dst)),
            first: target.since.first(),
            evidence: Evidence::new(&[
                ("echo_requests_5s", u64::from(echoes)),
                ("sources_5s", u64::from(target.sources.distinct(slice, Span::S5))),
            ]),
        });
    });
}
