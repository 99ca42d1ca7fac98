//! SYN floods: one destination gets connection requests that are never completed.
//!
//! Counted at the victim, because a forged source is a new one each time. What completes its handshakes is
//! load, not a flood. Where one source tries many ports, that is a scan and said so by [`super::port_scan`].
//!
//! A flood is also what would wash everything else out of the tables of flows, clients and initiators. Once a slice
//! has [`LOOKED_AT`] requests to a destination that completes few of them, most of those from strangers are counted
//! here and go no further ([`sheds`]). An honest connection among them is met at its next packet.

use super::alert::{Evidence, Finding, Kind, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Probe, Shared, at_target};
use super::who::{self, Bindings};
use crate::dissect::{Net, Packet, Transport};

/// Requests to one destination within a slice of which each is looked at closely.
const LOOKED_AT: u32 = 2_000;
/// Of those beyond, every so manieth still is: who scans or calls under the cover of a flood is seen in the end.
const SAMPLED: u32 = 64;
/// Handshakes completed, at most, for it to be a flood.
const COMPLETED_PCT: u64 = 50;

/// Whether so few handshakes were completed that this is no load.
fn is_flood(syns: u32, completed: u32) -> bool {
    u64::from(completed) * 100 < u64::from(syns) * COMPLETED_PCT
}

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
        if syns >= thresholds.syn_flood_syns_5s && is_flood(syns, completed) {
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

/// Whether a packet is a request of a flood that is known well enough; it is counted then.
#[inline]
#[cfg_attr(router, optimize(speed))]
pub(super) fn sheds(shared: &mut Shared, packet: &Packet<'_>) -> bool {
    let (Net::Ip(ip), Transport::Tcp(tcp)) = (&packet.net, &packet.transport) else { return false };
    if !tcp.is_request() || tcp.payload_len > 0 {
        return false;
    }
    shared.count_stranger((&ip.src, &ip.dst), (at_target::SYNS, packet.at), |present| {
        let (syns, completed) = (present[at_target::SYNS], present[at_target::COMPLETED]);
        syns >= LOOKED_AT && !syns.is_multiple_of(SAMPLED) && is_flood(syns, completed)
    })
}
