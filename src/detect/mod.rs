//! Attacks, explained: one file per detector.
//!
//! [`Detection`] is shown every frame after it was dissected and placed in its flow. It keeps what all detectors
//! need in shared windows of 5, 30 and 180 seconds ([`count`], [`shared`], [`streams`]); every five seconds of
//! packet time each detector looks at what has moved and says what it found; findings become episodes
//! ([`episodes`]), and those are the alerts. Nothing here knows the time, names a site or learns: the same packets
//! give the same alerts, each with the numbers it rests on.
//!
//! ```text
//!  frame ─► attempt, answer, segment, claim, question ─► tables (bounded) ─(5 s)─► detectors ─► episodes ─► Alert
//! ```
//!
//! Three rules keep the alerts right. *Direction*: only who begins a flow can scan or flood, so a resolver or a
//! busy server is never accused. *Role*: routers speak for others, victims echo. *One name*: the side effects of an
//! incident are evidence, not further alerts. A packet of an established connection costs a look at its note;
//! the tables are touched when flows begin, are answered and end.

mod alert;
mod amplification;
mod arp_spoof;
mod beaconing;
mod brute_force;
mod count;
mod dns_tunnel;
mod episodes;
mod exfiltration;
mod host_sweep;
mod http_flood;
mod icmp_flood;
mod icmp_tunnel;
mod lateral_movement;
mod port_scan;
mod rogue;
mod settings;
mod shared;
mod slow_requests;
mod ssh_brute_force;
mod streams;
mod syn_flood;
mod table;
mod threat;
mod udp_flood;
mod watch;
mod web_brute_force;
mod who;

pub use alert::{Alert, Evidence, Kind, MAX_EVIDENCE, Party, Severity, Stage};
pub use exfiltration::{Baseline, LEAST_DAYS, MAX_BASELINES, MAX_DAYS};
pub use settings::{Baselines, Settings, Thresholds};
pub use threat::{
    Class, Effect, N_THREAT_FEATURES, Opinion, SecondOpinion, Subject, THREAT_FEATURES, ThreatRow,
    ThreatSample, threat_schema_hash, threat_schema_text,
};

use std::collections::VecDeque;

use alert::Finding;
use count::slice_of;
use episodes::Episodes;
use shared::Shared;
use streams::Streams;
use who::Bindings;

use crate::dissect::hostname::HostName;
use crate::dissect::{Net, Packet};
use crate::flow::{FlowTable, Seen, Slot};
use crate::names::Event;
use crate::net::{Addr, ClientId};
use crate::time::{Duration, Moment};

/// A jump of packet time by more than this, either way, is a broken clock: what was counted is void.
const MAX_JUMP: Duration = Duration::from_secs(3_600);

/// Whether the detectors looked at what has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// They did: there may be changes to tell.
    Closely,
    /// They did not.
    Away,
}

/// All detectors.
#[derive(Debug)]
pub struct Detection {
    settings: Settings,
    clock: Option<Moment>,
    shared: Shared,
    streams: Streams,
    bindings: Bindings,
    beacons: beaconing::Beacons,
    logins: lateral_movement::Logins,
    uploads: exfiltration::Uploads,
    claims: arp_spoof::Claims,
    sites: dns_tunnel::Sites,
    echoes: icmp_tunnel::Echoes,
    dhcp: rogue::Authority,
    advertisers: rogue::Authority,
    episodes: Episodes,
    found: Vec<Finding>,
    /// Absent where there is no artefact.
    second: Option<SecondOpinion>,
    /// Absent unless asked for.
    samples: Option<VecDeque<ThreatSample>>,
}

impl Detection {
    /// Detectors that have seen nothing. `seed` keeps strangers from choosing where in the tables they land.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            clock: None,
            shared: Shared::new(seed),
            streams: Streams::new(),
            bindings: Bindings::default(),
            beacons: beaconing::Beacons::new(),
            logins: lateral_movement::Logins::new(),
            uploads: exfiltration::Uploads::default(),
            claims: arp_spoof::Claims::new(),
            sites: dns_tunnel::Sites::new(),
            echoes: icmp_tunnel::Echoes::new(),
            dhcp: rogue::Authority::new(Kind::RogueDhcp),
            advertisers: rogue::Authority::new(Kind::RogueRa),
            episodes: Episodes::default(),
            found: Vec::new(),
            second: None,
            samples: None,
        }
    }

    /// From now on asks for a second opinion on what is found; or no longer.
    pub fn consult(&mut self, second: Option<SecondOpinion>) {
        self.second = second;
    }

    /// From now on keeps the row of everybody who moved in a slice, for [`Self::next_sample`].
    pub fn keep_samples(&mut self) {
        self.samples.get_or_insert_default();
    }

    /// The next row kept.
    pub fn next_sample(&mut self) -> Option<ThreatSample> {
        self.samples.as_mut().and_then(VecDeque::pop_front)
    }

    /// Changes thresholds, switches and exemptions; what was counted stays.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Whether a frame is one of a flood that is known well enough: it is counted, and needs no flow, client or
    /// initiator of its own.
    #[inline]
    pub fn sheds(&mut self, packet: &Packet<'_>) -> bool {
        syn_flood::sheds(&mut self.shared, packet)
    }

    /// Reads a little of what is remembered of these flows, so that it is near when their packets come.
    #[inline]
    pub fn foresee(&self, flows: &[Option<Slot>]) {
        self.streams.foresee(flows);
    }

    /// Takes in one frame with its flow, after [`Self::poll`] was told its stamp.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn observe(&mut self, packet: &Packet<'_>, flow: Option<&Seen<'_>>, at: Moment) {
        match (&packet.net, flow) {
            (Net::Ip(ip), Some(seen)) => self.observe_ip(packet, seen, ip, at),
            (Net::Arp(arp), _) => self.observe_arp(packet, arp, at),
            (Net::Ip(_) | Net::None, _) => {}
        }
    }

    /// Takes in what a packet said of names; `asked` is the name in the question of a DNS message.
    #[inline]
    pub fn observe_names(&mut self, packet: &Packet<'_>, names: &[Event], asked: Option<&HostName>) {
        if let (Some(ip), false) = (packet.ip(), names.is_empty()) {
            self.observe_events(packet, ip, (names, asked));
        }
    }

    /// Takes in what a client has sent to the outside in all, at the end of a window.
    pub fn observe_upload(&mut self, client: (ClientId, Addr), total_bytes: u64, at: Moment) {
        self.uploads.observe(client, total_bytes, at);
    }

    /// What each device sends in a day, to be kept over a restart.
    pub fn baselines(&self) -> impl Iterator<Item = (ClientId, &Baseline)> {
        self.uploads.baselines()
    }

    /// Puts back what was kept over a restart.
    pub fn restore_baseline(&mut self, client: ClientId, baseline: Baseline, now: Moment) {
        self.uploads.restore(client, baseline, now);
    }

    /// Tells how late it is. Once per slice every detector looks at what has moved; only then is there something
    /// new to ask for.
    #[inline]
    pub fn poll(&mut self, now: Moment, flows: &FlowTable) -> Looked {
        let clock = match self.clock {
            Some(clock) if slice_of(now) == self.shared.slice => {
                self.clock = Some(clock.max(now));
                return Looked::Away;
            }
            clock => clock,
        };
        self.turn(clock, now, flows);
        Looked::Closely
    }

    /// The next slice begins.
    #[cold]
    fn turn(&mut self, clock: Option<Moment>, now: Moment, flows: &FlowTable) {
        let Some(clock) = clock else {
            self.clock = Some(now);
            self.shared.slice = slice_of(now);
            return;
        };
        let jumped = now.since(clock) > MAX_JUMP || clock.since(now) > MAX_JUMP;
        if now < clock && !jumped {
            return;
        }
        self.look(clock, flows);
        if jumped {
            self.forget();
        }
        self.clock = Some(now);
        self.shared.slice = slice_of(now);
        self.shared.scrub();
        self.episodes.poll(now);
    }

    /// Every detector looks at the slice that ends.
    fn look(&mut self, now: Moment, flows: &FlowTable) {
        let (shared, found, thresholds) = (&mut self.shared, &mut self.found, &self.settings.thresholds);
        found.clear();
        // The most specific first: what is named covers its side effects.
        syn_flood::poll(shared, &self.bindings, thresholds, found);
        amplification::poll(shared, thresholds, found);
        udp_flood::poll(shared, &self.bindings, thresholds, found);
        icmp_flood::poll(shared, &self.bindings, thresholds, found);
        self.logins.poll(shared, thresholds, found);
        host_sweep::poll(shared, thresholds, found);
        port_scan::poll(shared, thresholds, found);
        ssh_brute_force::poll(shared, &mut self.streams, thresholds, found);
        let stage = slow_requests::Stage { streams: &mut self.streams, flows, thresholds };
        slow_requests::poll(stage, now, found);
        web_brute_force::poll(shared, &mut self.streams, thresholds, found);
        brute_force::poll(shared, &mut self.streams, thresholds, found);
        http_flood::poll(shared, thresholds, found);
        self.claims.poll(shared, &self.bindings, thresholds, found);
        self.dhcp.poll(&self.bindings, thresholds, found, now);
        self.advertisers.poll(&self.bindings, thresholds, found, now);
        self.sites.poll(shared, thresholds, found);
        self.echoes.poll(shared, thresholds, found);
        self.beacons.poll(shared, thresholds, found);
        if self.settings.baselines == Baselines::Judge {
            self.uploads.poll(thresholds, found);
        }
        self.tell(now);
    }

    /// Findings that may be told become episodes; who is asked for rows gets them.
    fn tell(&mut self, now: Moment) {
        let slice = self.shared.slice;
        let mut tables = threat::Tables {
            shared: &mut self.shared,
            streams: &mut self.streams,
            sites: &mut self.sites,
            echoes: &mut self.echoes,
            beacons: &mut self.beacons,
            logins: &self.logins,
            bindings: &self.bindings,
        };
        let mut judged = threat::Judged::default();
        for finding in &self.found {
            let is_spared = who::addr_of(finding.source).is_some_and(|addr| self.settings.is_exempt(&addr));
            if self.settings.runs(finding.kind) && !is_spared {
                let second = self.second.as_ref();
                let opinion = second.and_then(|second| judged.opinion(second, &mut tables, finding));
                self.episodes.offer(finding, opinion, now);
            }
        }
        if let Some(samples) = &mut self.samples {
            samples.extend(threat::samples(&mut tables, slice, &self.found));
        }
    }

    /// The capture is over: the last slice is looked at, and open episodes are told about as they stand.
    pub fn finish(&mut self, flows: &FlowTable) {
        if let Some(clock) = self.clock {
            self.look(clock, flows);
        }
        self.episodes.flush();
    }

    /// The next alert that was opened, got worse, goes on or ended.
    pub fn next_change(&mut self) -> Option<Alert> {
        self.episodes.next_change()
    }

    /// Newcomers that found no room in the tables of sources, targets, pairs and services.
    pub fn refused(&self) -> u64 {
        self.shared.refused() + self.streams.services.refused()
    }

    fn forget(&mut self) {
        self.shared.forget();
        self.streams.forget();
        self.bindings.clear();
        self.beacons.forget();
        self.logins.forget();
        self.claims.forget();
        self.sites.forget();
        self.echoes.forget();
    }
}

#[cfg(test)]
mod tests;
