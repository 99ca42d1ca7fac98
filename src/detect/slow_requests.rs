//! Slowloris, slow POST and slow reading: many connections held open by requests that never end.
//!
//! One client keeps dozens of connections to one service for longer than ten seconds, each a trickle, and the
//! server has nothing to say yet. Messengers keep as many connections, but to many servers, and those have
//! answered. Whether bodies or headers are slow is told by the first bytes, where they are readable.
//! A slow reader asks properly and then takes in the answer by the byte: its receive window stays all but shut.
//! Known evasions: fewer connections than the threshold per source, requests that end at last.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::settings::Thresholds;
use super::streams::{ServiceKey, Streams, client_of, server_of};
use crate::flow::{FlowTable, Side};
use crate::time::{Duration, Moment};

/// Age from which on an unanswered request is slow.
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// More than this is not a trickle.
const TRICKLE_BYTES_PER_S: u64 = 200;
/// Times a reader offered no room, to be stalled; and what it takes in at most.
const STALLS: u8 = 2;
const STALLED_BYTES_PER_S: u64 = 4_000;
/// Services looked at per slice; the flow table is walked for each.
const MAX_SUSPECTS: usize = 8;

pub(super) struct Stage<'s> {
    pub(super) streams: &'s mut Streams,
    pub(super) flows: &'s FlowTable,
    pub(super) thresholds: &'s Thresholds,
}

pub(super) fn poll(stage: Stage<'_>, now: Moment, found: &mut Vec<Finding>) {
    let Stage { streams, flows, thresholds } = stage;
    let least = thresholds.slow_connections.min(thresholds.slow_post_connections);
    let mut suspects = Vec::new();
    // A service is touched when connections open; those that are held must be looked at in silence, too.
    streams.services.all(|key, service| {
        if service.open >= least && suspects.len() < MAX_SUSPECTS {
            suspects.push((*key, service.since.first()));
        }
    });
    for (key, first) in suspects {
        let held = count_held(&key, streams, flows, now);
        let (kind, needed) = if held.posting * 2 > held.slow {
            (Kind::SlowPost, thresholds.slow_post_connections)
        } else {
            (Kind::Slowloris, thresholds.slow_connections)
        };
        if held.slow < needed {
            continue;
        }
        found.push(Finding {
            kind,
            severity: Severity::Medium.grown(held.slow.into(), needed),
            source: Party::Addr(client_of(&key)),
            target: Some(Party::Addr(server_of(&key))),
            first,
            evidence: Evidence::new(&[
                ("slow_connections", u64::from(held.slow)),
                ("stalled_readers", u64::from(held.stalled)),
                ("open_connections", u64::from(held.open)),
                ("payload_bytes", held.bytes),
                ("port", u64::from(key.2)),
            ]),
        });
    }
}

/// Connections that one client holds at one service.
#[derive(Default)]
struct Held {
    open: u32,
    slow: u32,
    posting: u32,
    stalled: u32,
    bytes: u64,
}

fn count_held(key: &ServiceKey, streams: &mut Streams, flows: &FlowTable, now: Moment) -> Held {
    let mut held = Held::default();
    for (slot, flow) in flows.iter() {
        let tuple = &flow.tuple;
        let is_theirs = tuple.orig.addr == key.0.0 && tuple.resp.addr == key.1.0 && tuple.resp.port == key.2;
        if !is_theirs || tuple.proto != 6 || flow.is_closed() {
            continue;
        }
        held.open += 1;
        let age = now.since(flow.first);
        let note = *streams.note(slot);
        let sent = note.sent_by(Side::Orig);
        let is_stalled =
            note.stalls >= STALLS && note.sent_by(Side::Resp) <= STALLED_BYTES_PER_S * age.as_secs();
        if age >= SLOW_AFTER && is_stalled {
            held.slow += 1;
            held.stalled += 1;
            held.bytes += sent;
            continue;
        }
        let is_unanswered = note.sent_by(Side::Resp) == 0;
        if age >= SLOW_AFTER && is_unanswered && sent > 0 && sent <= TRICKLE_BYTES_PER_S * age.as_secs() {
            held.slow += 1;
            held.bytes += sent;
            held.posting += u32::from(note.has_posted);
        }
    }
    held
}
