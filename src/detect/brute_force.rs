//! Guessed passwords of services other than SSH and the web: FTP, telnet, mail, RDP, VNC, SMB, databases.
//!
//! Where the service speaks plainly, its refusals are counted (`530`, `535`, `-ERR`). Where it does not, what
//! tells is one connection after the other that is completed, brief and small. Known evasions: one try in half a
//! minute, many sources, encrypted protocols that allow many tries per connection.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::Shared;
use super::streams::{Streams, Talk, at_service, client_of, server_of};

/// Small connections in half a minute, as a share of the threshold.
const BURST_PCT: u32 = 67;
/// Refusals that suffice, as a share of the threshold: they are certain.
const REFUSED_PCT: u32 = 54;
/// Of the connections that ended, so many were small.
const SMALL_PCT: u32 = 80;

/// Whether the server refuses a login.
pub(super) fn is_refusal(payload: &[u8]) -> bool {
    payload.starts_with(b"530 ")
        || payload.starts_with(b"535 ")
        || payload.starts_with(b"535-")
        || payload.starts_with(b"-ERR")
}

pub(super) fn poll(
    shared: &Shared,
    streams: &mut Streams,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    let least = thresholds.login_tries_180s;
    streams.services.touched(slice, |key, service| {
        if service.talk != Talk::Login {
            return;
        }
        let refused = service.counts.sum(slice, at_service::REFUSED, Span::S180);
        let small_30 = service.counts.sum(slice, at_service::SMALL, Span::S30);
        let small = service.counts.sum(slice, at_service::SMALL, Span::S180);
        let ended = service.counts.sum(slice, at_service::ENDED, Span::S180);
        let many = small_30 * 100 >= least * BURST_PCT || small >= least;
        let is_series = many && small * 100 >= ended * SMALL_PCT;
        if !is_series && refused * 100 < least * REFUSED_PCT {
            return;
        }
        found.push(Finding {
            kind: Kind::BruteForce,
            severity: Severity::Medium.grown(refused.max(small).into(), least),
            source: Party::Addr(client_of(key)),
            target: Some(Party::Addr(server_of(key))),
            first: service.since.first(),
            evidence: Evidence::new(&[
                ("refusals_180s", u64::from(refused)),
                ("small_connections_180s", u64::from(small)),
                ("connections_180s", u64::from(ended)),
                ("port", u64::from(key.2)),
            ]),
        });
    });
}
