//! Tunnels through ICMP: echo replies that are no echo.
//!
//! A reply must bring back what was sent (RFC 792, RFC 4443 §4.2). A tunnel's replies carry data of their own, so
//! their lengths are not those of the requests. Pings of any size and rate are answered in kind and stay silent.
//! Known evasions: padding everything to one length.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::{Slice, Sliding, Span};
use super::settings::Thresholds;
use super::shared::{AddrKey, KEPT, Shared, Since};
use super::table::Table;
use crate::dissect::Ip;
use crate::net::Addr;
use crate::time::Moment;

/// Pairs of hosts watched at a time.
pub(super) const MAX_PAIRS: usize = 128;

const REQUESTS: usize = 0;
const MISMATCHES: usize = 1;
const BYTES: usize = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Echo {
    counts: Sliding<3>,
    /// Lengths asked with, as a set of hashes.
    asked: u128,
    since: Since,
}

/// How the echoes of one host fared within three minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lately {
    pub(super) requests: u32,
    /// Replies of a length that no request had.
    pub(super) mismatches: u32,
    pub(super) bytes: u32,
}

impl Echo {
    fn lately(&mut self, slice: Slice) -> Lately {
        let mut sum = |which| self.counts.sum(slice, which, Span::S180);
        Lately { requests: sum(REQUESTS), mismatches: sum(MISMATCHES), bytes: sum(BYTES) }
    }
}

/// Who pings whom.
#[derive(Debug)]
pub(super) struct Echoes(Table<(AddrKey, AddrKey), Echo>);

fn bit(len: u32) -> u128 {
    1 << (len.wrapping_mul(0x9e37_79b1) >> 25)
}

impl Echoes {
    pub(super) fn new() -> Self {
        Self(Table::new(MAX_PAIRS, KEPT))
    }

    pub(super) fn request(&mut self, shared: &Shared, ip: &Ip, at: Moment) {
        let hash = shared.pair_hash(&ip.src, &ip.dst, 1);
        let Some(echo) = self.0.enter(hash, &(AddrKey(ip.src), AddrKey(ip.dst)), shared.slice) else {
            return;
        };
        echo.asked |= bit(ip.len);
        echo.counts.add(shared.slice, REQUESTS, 1);
        echo.counts.add(shared.slice, BYTES, ip.len);
        echo.since.note(at);
    }

    pub(super) fn reply(&mut self, shared: &Shared, ip: &Ip) {
        let hash = shared.pair_hash(&ip.dst, &ip.src, 1);
        let Some(echo) = self.0.entry(hash, &(AddrKey(ip.dst), AddrKey(ip.src))) else { return };
        if echo.asked & bit(ip.len) == 0 {
            echo.counts.add(shared.slice, MISMATCHES, 1);
        }
        echo.counts.add(shared.slice, BYTES, ip.len);
    }

    pub(super) fn poll(&mut self, shared: &Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
        let slice = shared.slice;
        self.0.touched(slice, |(src, dst), echo| {
            let Lately { requests, mismatches, bytes } = echo.lately(slice);
            if mismatches < thresholds.echo_mismatches_180s {
                return;
            }
            found.push(Finding {
                kind: Kind::IcmpTunnel,
                severity: Severity::Medium.grown(mismatches.into(), thresholds.echo_mismatches_180s),
                source: Party::Addr(src.0),
                target: Some(Party::Addr(dst.0)),
                first: echo.since.first(),
                evidence: Evidence::new(&[
                    ("mismatched_replies_180s", u64::from(mismatches)),
                    ("echo_requests_180s", u64::from(requests)),
                    ("bytes_180s", u64::from(bytes)),
                ]),
            });
        });
    }

    /// Of those whom a host pings, the one with the most odd replies, or the most requests.
    pub(super) fn oddest(&mut self, src: &Addr, slice: Slice) -> Lately {
        let mut oddest = Lately::default();
        self.0.all(|key, echo| {
            if key.0.0 == *src {
                let lately = echo.lately(slice);
                if (lately.mismatches, lately.requests) > (oddest.mismatches, oddest.requests) {
                    oddest = lately;
                }
            }
        });
        oddest
    }

    /// Shows who pinged in this slice.
    pub(super) fn moved(&mut self, slice: Slice, mut show: impl FnMut(Addr)) {
        self.0.touched(slice, |key, _| show(key.0.0));
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Whether an address can be pinged at all.
pub(super) fn is_pair(src: &Addr, dst: &Addr) -> bool {
    !src.is_special() && !dst.is_special()
}
