//! One client at the end of a window: row, score, session.

use std::collections::VecDeque;

use super::{Output, Settings, Span, Verdict, WindowReport};
use crate::dissect::{Ip, Packet, Transport};
use crate::features::{self, N_FEATURES, Row, extract};
use crate::flow::Seen;
use crate::lan::{ClientIdx, Side};
use crate::net::Addr;
use crate::time::Duration;
use crate::watch::{Evidence, Params, Session, Step, Watcher};
use crate::window::{Client, Datagram, RING, Sample, Sizes, Unknown, WindowNo};

/// Larger IP packets than this were merged by offload.
const MAX_IP_LEN: u32 = 1_500;

/// What a packet contributes to its client's window.
pub(super) fn sample(packet: &Packet<'_>, ip: &Ip, side: &Side, flow: Option<&Seen<'_>>) -> Sample {
    let (datagram, payload_len) = match packet.transport {
        Transport::Udp { payload_len, .. } => (Datagram::Yes, payload_len),
        Transport::Tcp(tcp) => (Datagram::No, tcp.payload_len),
        Transport::Icmp { .. } | Transport::Other(_) | Transport::None => (Datagram::No, 0),
    };
    let merged = flow.filter(|seen| ip.len > MAX_IP_LEN && seen.wire_packets > 1);
    let sizes = match merged {
        Some(seen) => {
            let segment_len = match datagram {
                Datagram::Yes => payload_len.div_ceil(seen.wire_packets),
                Datagram::No => seen.flow.mss(),
            };
            Sizes::merged(ip.len, ip.len.saturating_sub(payload_len), segment_len)
        }
        None => Sizes::one(ip.len),
    };
    Sample { at: packet.at, direction: side.direction, server: side.server, sizes, datagram }
}

/// The session state of one client.
#[derive(Debug)]
pub(super) struct Viewer {
    watcher: Watcher,
    session: Option<Session>,
}

/// Which window of which client is closed.
pub(super) struct Turn<'a> {
    pub(super) client: ClientIdx,
    pub(super) no: WindowNo,
    pub(super) unknown: Option<Unknown>,
    pub(super) span: Span,
    /// The service behind an address, as this client uses it.
    pub(super) service: &'a dyn Fn(Addr) -> Option<Box<str>>,
}

/// A closed window and the watch time that it added, credit included.
pub(super) struct Closed {
    pub(super) window: WindowReport,
    pub(super) added: Duration,
}

impl Viewer {
    pub(super) fn new(params: &Params) -> Self {
        Self { watcher: Watcher::new(params), session: None }
    }

    /// The session in progress.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Judges a window that was just closed. `None` if nothing has happened for so long that there is nothing to
    /// report.
    pub(super) fn close(
        &mut self,
        settings: &Settings,
        window: &Client,
        turn: &Turn<'_>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Closed> {
        let down_120 = window.down_bytes(turn.no, RING);
        if down_120 == 0 && window.sums(turn.no).is_silent() && self.watcher.is_at_rest() {
            return None;
        }
        let model = &*settings.model;
        let row: Row = if down_120 > 0 { extract(window, turn.no) } else { [0; N_FEATURES] };
        let score = (down_120 > 0 && turn.unknown.is_none()).then(|| model.forest.predict(&row));
        let step = match turn.unknown {
            Some(_) => self.watcher.step_unknown(turn.no),
            None => {
                let evidence = evidence(&row, score.unwrap_or_default(), turn.no);
                self.watcher.step(&model.session, settings.sensitivity, &evidence)
            }
        };
        let (verdict, added) = self.settle(step, window, turn, outputs);
        let window =
            WindowReport { client: turn.client, no: turn.no, score, unknown: turn.unknown, verdict, row };
        Some(Closed { window, added })
    }

    /// Keeps the session's books.
    fn settle(
        &mut self,
        step: Step,
        window: &Client,
        turn: &Turn<'_>,
        outputs: &mut VecDeque<Output>,
    ) -> (Verdict, Duration) {
        let from = match step {
            Step::Off | Step::Waiting => return (Verdict::Idle, Duration::ZERO),
            Step::Ended => {
                if let Some(session) = self.session.take() {
                    let (client, session) = (turn.client, Box::new(session));
                    outputs.push_back(Output::SessionEnded { client, session });
                }
                return (Verdict::Idle, Duration::ZERO);
            }
            Step::On => turn.no,
            Step::Began { from } | Step::Resumed { from } => from.max(turn.span.first_window()),
        };
        let session = self.session.get_or_insert_with(|| Session::begin(from));
        let mut added = Duration::ZERO;
        for no in from..=turn.no {
            let inside = turn.span.inside(no);
            // Who sent a window older than the ring is forgotten; that it was watched is not.
            let servers = (no + RING as u64 > turn.no).then_some(window);
            session.count(no, inside, servers, turn.service);
            added += inside;
        }
        (Verdict::Counted { from }, added)
    }

    /// The session in progress is over, and all evidence with it.
    pub(super) fn end(&mut self, params: &Params) -> Option<Session> {
        self.watcher = Watcher::new(params);
        self.session.take()
    }
}

fn evidence(row: &Row, score: crate::classify::Score, no: WindowNo) -> Evidence {
    let value = |index: usize| u32::try_from(row[index]).unwrap_or(0);
    Evidence {
        no,
        score,
        down_bytes: u64::from(value(features::DOWN_BYTES)),
        down_packets: value(features::DOWN_PACKETS),
        bursts_120: value(features::BURSTS_120),
        burst_period_ds: value(features::BURST_PERIOD),
        burst_period_cv_pm: u32::try_from(row[features::BURST_PERIOD_CV]).unwrap_or(u32::MAX),
    }
}
