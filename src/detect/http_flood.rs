//! HTTP floods: more requests than a server can answer.
//!
//! Requests are counted at the server, where they can be read. Many requests that are all answered are load (a
//! benchmark, a mirror); a flood comes from many sources or leaves most requests without a reply.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::{AddrKey, Shared, at_target};
use crate::net::Addr;

/// Requests answered, at most, where they come from few.
const ANSWERED_PCT: u32 = 50;
/// Sources that are many.
const MANY_SOURCES: u32 = 10;

pub(super) fn poll(shared: &mut Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let slice = shared.slice;
    shared.targets.touched(slice, |AddrKey(dst), target| {
        let requests = target.counts.sum(slice, at_target::REQUESTS, Span::S5);
        let replies = target.counts.sum(slice, at_target::REPLIES, Span::S5);
        let sources = target.sources.distinct(slice, Span::S5);
        let is_drowning = u64::from(replies) * 100 < u64::from(requests) * u64::from(ANSWERED_PCT);
        if requests < thresholds.http_flood_requests_5s || !(is_drowning || sources >= MANY_SOURCES) {
            return;
        }
        found.push(Finding {
            kind: Kind::HttpFlood,
            severity: Severity::High.grown(requests.into(), thresholds.http_flood_requests_5s),
            source: Party::Addr(target.main_source.winner().unwrap_or(Addr::UNSPECIFIED)),
            target: Some(Party::Addr(*dst)),
            first: target.since.first(),
            evidence: Evidence::new(&[
                ("requests_5s", u64::from(requests)),
                ("replies_5s", u64::from(replies)),
                ("sources_5s", u64::from(sources)),
            ]),
        });
    });
}
