//! Amplification: small questions in another's name, large answers to the victim.
//!
//! Either our neighbour is the victim (answers from ports of reflectors that nobody asked for), or one of our
//! devices is the reflector (it sends many times what it was asked with). Asking itself is not counted: a client
//! that downloads has begun the flow and gets answers on its own port.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Shared, at_target};
use crate::flow::Flow;
use crate::net::Addr;

/// Datagram services that answer with much more than they are asked with (US-CERT TA14-017A).
const REFLECTORS: [u16; 14] = [17, 19, 53, 69, 111, 123, 137, 161, 389, 1900, 3702, 5353, 10_001, 11_211];
/// Answers this many times larger than questions are amplified.
const FACTOR: u64 = 8;

pub(super) fn is_reflector(port: u16) -> bool {
    REFLECTORS.contains(&port)
}

/// Whether the service of this flow answers with many times what it was asked with.
pub(super) fn amplifies(flow: &Flow) -> bool {
    is_reflector(flow.tuple.resp.port) && flow.resp.ip_bytes >= flow.orig.ip_bytes.saturating_mul(FACTOR)
}

pub(super) fn poll(shared: &mut Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let slice = shared.slice;
    shared.targets.touched(slice, |AddrKey(dst), target| {
        let reflected = target.counts.sum(slice, at_target::REFLECTED, Span::S5);
        if reflected < thresholds.amplified_packets_5s {
            return;
        }
        found.push(Finding {
            kind: Kind::Amplification,
            severity: Severity::High.grown(reflected.into(), thresholds.amplified_packets_5s),
            source: Party::Addr(target.main_source.winner().unwrap_or(Addr::UNSPECIFIED)),
            target: Some(Party::Addr(*dst)),
            first: target.since.first(),
            evidence: Evidence::new(&[
                ("reflected_packets_5s", u64::from(reflected)),
                ("sources_5s", u64::from(target.sources.distinct(slice, Span::S5))),
            ]),
        });
    });
}
