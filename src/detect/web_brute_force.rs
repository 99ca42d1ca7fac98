//! Guessed passwords of web logins.
//!
//! In plain HTTP the requests and refusals can be read off the first bytes of a segment: `POST`, then 401 or 403.
//! Behind TLS only the shape is left: connection after connection to one host and port, all small. Browsing
//! opens as many, but to many hosts; load tests ask with GET. Known evasions: guessing over one TLS connection,
//! fewer than one try a second behind TLS, many sources.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::Span;
use super::settings::Thresholds;
use super::shared::Shared;
use super::streams::{Streams, Talk, at_service, client_of, server_of};

/// Posts that are answered with anything but a refusal: so many times the threshold.
const POSTS: u32 = 3;
/// Small connections nobody can read: so many times the threshold.
const SHAPES: u32 = 8;
/// Posts per connection that make the connections' sizes irrelevant.
const FEW: u32 = 10;
/// Of all connections, so many were small.
const SMALL_PCT: u32 = 90;

/// Whether the server refuses the request.
pub(super) fn is_refusal(payload: &[u8]) -> bool {
    matches!(
        payload,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'4', b'0', b'1' | b'3', ..]
    ) || matches!(
        payload,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'4', b'2', b'9', ..]
    )
}

pub(super) fn poll(
    shared: &Shared,
    streams: &mut Streams,
    thresholds: &Thresholds,
    found: &mut Vec<Finding>,
) {
    let slice = shared.slice;
    let least = thresholds.web_tries_30s;
    streams.services.touched(slice, |key, service| {
        if service.talk != Talk::Web {
            return;
        }
        let mut sum = |which| service.counts.sum(slice, which, Span::S30);
        let (refused, posts, requests) =
            (sum(at_service::REFUSED), sum(at_service::POSTS), sum(at_service::REQUESTS));
        let replies = sum(at_service::REPLIES);
        let (ended, small) = (sum(at_service::ENDED), sum(at_service::SMALL));
        let mostly_small = ended > 0 && small * 100 >= ended * SMALL_PCT;
        let is_posting = posts >= least * POSTS
            && posts * 2 >= requests
            && replies * 2 >= posts
            && (mostly_small || ended * FEW < posts);
        let is_shape = requests == 0 && small >= least * SHAPES && mostly_small;
        if refused < least && !is_posting && !is_shape {
            return;
        }
        let severity = if is_shape { Severity::Low } else { Severity::Medium };
        found.push(Finding {
            kind: Kind::WebBruteForce,
            severity: severity.grown(refused.max(posts).into(), least),
            source: Party::Addr(client_of(key)),
            target: Some(Party::Addr(server_of(key))),
            first: service.since.first(),
            evidence: Evidence::new(&[
                ("refusals_30s", u64::from(refused)),
                ("posts_30s", u64::from(posts)),
                ("requests_30s", u64::from(requests)),
                ("small_connections_30s", u64::from(small)),
                ("port", u64::from(key.2)),
            ]),
        });
    });
}
