//! Rogue DHCP servers and router advertisements: strangers that tell the household where the world is.
//!
//! The one who really routes is right; else the one heard first. A second one is accused as soon as it speaks.
//! Advertisements with lifetime 0 announce prefixes, not a default router (Thread border routers send them), and
//! are left alone. Known evasions: being first on a network that has no router yet.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::settings::Thresholds;
use super::who::Bindings;
use crate::net::{Addr, MacAddr};
use crate::time::Moment;

/// Servers and routers remembered, each.
pub(super) const MAX_SPEAKERS: usize = 8;
/// A speaker not heard for so long is no rival any more.
const HEARD_WITHIN: std::time::Duration = std::time::Duration::from_secs(86_400);

/// One who speaks as a server or router.
#[derive(Clone, Copy, Debug)]
struct Speaker {
    addr: Addr,
    mac: MacAddr,
    first: Moment,
    last: Moment,
    said: u32,
    /// Spoke since the last poll.
    is_fresh: bool,
}

/// All who spoke as one kind of authority, in the order of their first word.
#[derive(Debug)]
pub(super) struct Authority {
    kind: Kind,
    speakers: Vec<Speaker>,
}

impl Authority {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, speakers: Vec::with_capacity(MAX_SPEAKERS) }
    }

    pub(super) fn observe(&mut self, addr: Addr, mac: MacAddr, at: Moment) {
        if let Some(speaker) = self.speakers.iter_mut().find(|known| known.addr == addr && known.mac == mac) {
            (speaker.last, speaker.is_fresh) = (at, true);
            speaker.said = speaker.said.saturating_add(1);
            return;
        }
        if self.speakers.len() == MAX_SPEAKERS {
            // The first stays: it is the measure of the others.
            self.speakers.remove(1);
        }
        self.speakers.push(Speaker { addr, mac, first: at, last: at, said: 1, is_fresh: true });
    }

    pub(super) fn poll(
        &mut self,
        bindings: &Bindings,
        thresholds: &Thresholds,
        found: &mut Vec<Finding>,
        now: Moment,
    ) {
        self.speakers.retain(|speaker| now.since(speaker.last) <= HEARD_WITHIN);
        let routes = |speaker: &Speaker| bindings.of(speaker.mac).is_some_and(super::who::Owner::is_router);
        let Some(right) =
            self.speakers.iter().find(|speaker| routes(speaker)).or(self.speakers.first()).copied()
        else {
            return;
        };
        let least = match self.kind {
            Kind::RogueDhcp => thresholds.dhcp_offers_180s,
            _ => thresholds.advertisements_180s,
        };
        for speaker in &mut self.speakers {
            let is_fresh = std::mem::take(&mut speaker.is_fresh);
            if !is_fresh || speaker.mac == right.mac || speaker.addr == right.addr || speaker.said < least {
                continue;
            }
            found.push(Finding {
                kind: self.kind,
                severity: Severity::High,
                source: Party::Addr(speaker.addr),
                target: None,
                first: speaker.first,
                evidence: Evidence::new(&[
                    ("messages", u64::from(speaker.said)),
                    ("right_messages", u64::from(right.said)),
                ]),
            });
        }
    }
}
