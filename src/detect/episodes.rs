//! Findings become episodes: opened once, updated while evidence comes, closed when it has stopped.
//!
//! An incident is named once. A scan fails to connect just as a flood does, a sweep of many hosts tries a few
//! ports on each: while one of these is open, its side effects by the same source are dropped, see [`covers`].

use std::collections::VecDeque;

use super::alert::{Alert, Finding, Kind, Severity, Stage};
use super::threat::Opinion;
use crate::time::{Duration, Moment};

/// Episodes that can be open, or cooling down, at a time; the one quiet for longest leaves for a new one.
pub(super) const MAX_EPISODES: usize = 64;
/// An episode without new evidence for so long is closed.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// What returns this soon after its end is the same episode.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(600);
/// The same for what goes by the hour and the day: a week, so that a device is not told about every day.
const LONG_COOL_DOWN: Duration = Duration::from_secs(7 * 86_400);
/// And its quiet.
const LONG_QUIET: Duration = Duration::from_secs(2 * 3_600);
/// An open episode is told about again at most this often, unless it got worse.
const UPDATE_EVERY: Duration = Duration::from_secs(60);
/// Changes waiting to be taken; the oldest is lost (never in practice: they are taken after every frame).
const MAX_CHANGES: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Episode {
    alert: Alert,
    /// When it was last told about.
    told: Moment,
}

/// All episodes in progress.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    open: Vec<Episode>,
    changes: VecDeque<Alert>,
    opened: u32,
}

impl Episodes {
    /// Takes in what a detector found, and what is thought of it. What covers what is decided by the finding alone.
    pub(super) fn offer(&mut self, finding: &Finding, opinion: Option<Opinion>, now: Moment) {
        if self.is_covered(finding, now) {
            return;
        }
        let Some(index) = self.open.iter().position(|episode| is_same(&episode.alert, finding)) else {
            return self.begin(finding, opinion, now);
        };
        let severity = weighed(finding, opinion);
        let episode = &mut self.open[index];
        let alert = &mut episode.alert;
        let worse = severity > alert.severity || alert.stage == Stage::Closed;
        if severity >= alert.severity {
            (alert.severity, alert.opinion) = (severity, opinion.or(alert.opinion));
        }
        alert.last = now;
        if alert.target != finding.target {
            alert.target = None;
        }
        for &(name, value) in finding.evidence.numbers() {
            alert.evidence.raise(name, value);
        }
        alert.stage = Stage::Updated;
        if worse || now.since(episode.told) >= UPDATE_EVERY {
            episode.told = now;
            tell(&mut self.changes, *alert);
        }
    }

    fn begin(&mut self, finding: &Finding, opinion: Option<Opinion>, now: Moment) {
        if self.open.len() == MAX_EPISODES
            && let Some(oldest) = (0..self.open.len()).min_by_key(|&index| self.open[index].alert.last)
        {
            let mut gone = self.open.swap_remove(oldest).alert;
            if gone.stage != Stage::Closed {
                gone.stage = Stage::Closed;
                tell(&mut self.changes, gone);
            }
        }
        let alert = Alert {
            id: self.opened,
            kind: finding.kind,
            severity: weighed(finding, opinion),
            source: finding.source,
            target: finding.target,
            first: finding.first.min(now),
            last: now,
            stage: Stage::Opened,
            evidence: finding.evidence,
            opinion,
        };
        self.opened = self.opened.wrapping_add(1);
        self.open.push(Episode { alert, told: now });
        tell(&mut self.changes, alert);
    }

    /// Whether this is a side effect of something already named.
    fn is_covered(&self, finding: &Finding, now: Moment) -> bool {
        self.open.iter().any(|episode| {
            let alert = &episode.alert;
            alert.stage != Stage::Closed
                && now.since(alert.last) <= QUIET
                && (alert.source == finding.source
                    || (alert.target.is_some() && alert.target == finding.target && is_flood(alert.kind)))
                && covers(alert, finding)
        })
    }

    /// Closes what has gone quiet, and forgets what has cooled down.
    pub(super) fn poll(&mut self, now: Moment) {
        for episode in &mut self.open {
            let quiet = now.since(episode.alert.last);
            if episode.alert.stage != Stage::Closed && quiet > quiet_of(episode.alert.kind) {
                episode.alert.stage = Stage::Closed;
                tell(&mut self.changes, episode.alert);
            }
        }
        self.open.retain(|episode| {
            episode.alert.stage != Stage::Closed
                || now.since(episode.alert.last) <= cool_down_of(episode.alert.kind)
        });
    }

    /// Tells how the open ones stand, at the end of a capture.
    pub(super) fn flush(&mut self) {
        for episode in self.open.drain(..) {
            if episode.alert.stage != Stage::Closed {
                tell(&mut self.changes, episode.alert);
            }
        }
    }

    pub(super) fn next_change(&mut self) -> Option<Alert> {
        self.changes.pop_front()
    }
}

/// How bad a finding is after the second opinion.
fn weighed(finding: &Finding, opinion: Option<Opinion>) -> Severity {
    opinion.map_or(finding.severity, |opinion| opinion.severity.on(finding.severity))
}

fn quiet_of(kind: Kind) -> Duration {
    if is_slow_burning(kind) { LONG_QUIET } else { QUIET }
}

fn cool_down_of(kind: Kind) -> Duration {
    if is_slow_burning(kind) { LONG_COOL_DOWN } else { COOL_DOWN }
}

fn is_slow_burning(kind: Kind) -> bool {
    matches!(kind, Kind::Beaconing | Kind::Exfiltration)
}

fn tell(changes: &mut VecDeque<Alert>, alert: Alert) {
    if changes.len() == MAX_CHANGES {
        changes.pop_front();
    }
    changes.push_back(alert);
}

/// Whether a finding is of an episode. Scans and sweeps are one episode per source, whatever they reach; floods
/// one per victim, whoever takes part; the rest one per source and target.
fn is_same(alert: &Alert, finding: &Finding) -> bool {
    let per_source = matches!(
        finding.kind,
        Kind::PortScan
            | Kind::HostSweep
            | Kind::ArpSpoof
            | Kind::DnsTunnel
            | Kind::DdosOut
            | Kind::LateralMovement
            | Kind::Beaconing
            | Kind::Exfiltration
    );
    alert.kind == finding.kind
        && alert.source == finding.source
        && (per_source || alert.target == finding.target)
}

fn is_flood(kind: Kind) -> bool {
    matches!(kind, Kind::SynFlood | Kind::UdpFlood | Kind::IcmpFlood | Kind::HttpFlood | Kind::DdosOut)
}

/// Whether an open alert explains a finding by the same source (or against the same flooded target).
fn covers(alert: &Alert, finding: &Finding) -> bool {
    let strong = finding.severity >= Severity::High;
    match (alert.kind, finding.kind) {
        (same, other) if same == other => {
            // One victim, many forged sources: one flood.
            is_flood(same) && alert.source != finding.source
        }
        // A sweep tries ports on every host; a block scan tries hosts for every port.
        (Kind::HostSweep, Kind::PortScan) => !strong,
        (Kind::PortScan | Kind::LateralMovement, Kind::HostSweep) => true,
        (Kind::LateralMovement, Kind::PortScan) => true,
        (Kind::PortScan | Kind::HostSweep, other) => is_flood(other) || is_login(other),
        (Kind::DdosOut, other) => is_flood(other),
        (Kind::SynFlood, other) => {
            matches!(other, Kind::HttpFlood | Kind::PortScan) || is_login(other) || is_slow(other)
        }
        (Kind::UdpFlood, other) => matches!(other, Kind::PortScan | Kind::Amplification),
        (Kind::Amplification, other) => other == Kind::UdpFlood,
        (Kind::IcmpTunnel, other) => other == Kind::IcmpFlood,
        (Kind::IcmpFlood, other) => other == Kind::IcmpTunnel,
        (Kind::SshBruteForce | Kind::BruteForce, other) => {
            matches!(other, Kind::SynFlood | Kind::PortScan | Kind::Beaconing)
        }
        (Kind::WebBruteForce, other) => {
            matches!(other, Kind::HttpFlood | Kind::SynFlood | Kind::BruteForce | Kind::Beaconing)
                || is_slow(other)
        }
        (Kind::Slowloris | Kind::SlowPost, other) => is_flood(other) || is_login(other) || is_slow(other),
        (Kind::HttpFlood, other) => is_login(other) || is_slow(other) || other == Kind::SynFlood,
        _ => false,
    }
}

fn is_login(kind: Kind) -> bool {
    matches!(kind, Kind::SshBruteForce | Kind::BruteForce | Kind::WebBruteForce)
}

fn is_slow(kind: Kind) -> bool {
    matches!(kind, Kind::Slowloris | Kind::SlowPost)
}
