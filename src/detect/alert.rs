//! What an alert says.
//!
//! An alert is an *episode*: it opens when a detector's evidence crosses its threshold, is updated while evidence
//! keeps coming, and closes when it has stopped. It names what it is ([`Kind`], a closed list), who did it, to
//! whom, since when, and what was counted; an opinion, where there is one, stands beside it and says that it is one.

use std::fmt;

use serde::{Serialize, Serializer};

use super::threat::Opinion;
use crate::net::{Addr, MacAddr};
use crate::time::Moment;

/// The attacks there are words for (docs/design.md §8), in the order of the configuration's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the field's own; docs/detectors.md describes each")]
pub enum Kind {
    PortScan,
    HostSweep,
    SynFlood,
    UdpFlood,
    IcmpFlood,
    Amplification,
    HttpFlood,
    SshBruteForce,
    BruteForce,
    WebBruteForce,
    Slowloris,
    SlowPost,
    ArpSpoof,
    RogueDhcp,
    RogueRa,
    DnsTunnel,
    IcmpTunnel,
    DdosOut,
    Beaconing,
    LateralMovement,
    Exfiltration,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 21] = [
        Self::PortScan,
        Self::HostSweep,
        Self::SynFlood,
        Self::UdpFlood,
        Self::IcmpFlood,
        Self::Amplification,
        Self::HttpFlood,
        Self::SshBruteForce,
        Self::BruteForce,
        Self::WebBruteForce,
        Self::Slowloris,
        Self::SlowPost,
        Self::ArpSpoof,
        Self::RogueDhcp,
        Self::RogueRa,
        Self::DnsTunnel,
        Self::IcmpTunnel,
        Self::DdosOut,
        Self::Beaconing,
        Self::LateralMovement,
        Self::Exfiltration,
    ];

    /// As in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PortScan => "port_scan",
            Self::HostSweep => "host_sweep",
            Self::SynFlood => "syn_flood",
            Self::UdpFlood => "udp_flood",
            Self::IcmpFlood => "icmp_flood",
            Self::Amplification => "amplification",
            Self::HttpFlood => "http_flood",
            Self::SshBruteForce => "ssh_brute_force",
            Self::BruteForce => "brute_force",
            Self::WebBruteForce => "web_brute_force",
            Self::Slowloris => "slowloris",
            Self::SlowPost => "slow_post",
            Self::ArpSpoof => "arp_spoof",
            Self::RogueDhcp => "rogue_dhcp",
            Self::RogueRa => "rogue_ra",
            Self::DnsTunnel => "dns_tunnel",
            Self::IcmpTunnel => "icmp_tunnel",
            Self::DdosOut => "ddos_out",
            Self::Beaconing => "beaconing",
            Self::LateralMovement => "lateral_movement",
            Self::Exfiltration => "exfiltration",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "four words, in order")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// As in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Evidence that is `measured / threshold` times what was needed: ten times is one step worse.
    pub(super) fn grown(self, measured: u64, threshold: u32) -> Self {
        if measured < u64::from(threshold).saturating_mul(10) { self } else { self.raised() }
    }

    /// One step worse.
    pub(super) fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    /// One step less bad.
    pub(super) fn lowered(self) -> Self {
        match self {
            Self::Low | Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }
}

/// One end of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A network address; [`Addr::UNSPECIFIED`] stands for many or forged ones.
    Addr(Addr),
    /// An Ethernet address, for attacks below IP.
    Mac(MacAddr),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Where sources are forged, nobody can be named.
            Self::Addr(addr) if *addr == Addr::UNSPECIFIED => f.write_str("0.0.0.0"),
            Self::Addr(addr) => addr.to_ip().fmt(f),
            Self::Mac(mac) => mac.fmt(f),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Numbers that one alert carries at most.
pub const MAX_EVIDENCE: usize = 6;

/// What was counted: names with their unit, and the greatest value seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    numbers: [(&'static str, u64); MAX_EVIDENCE],
    len: u8,
}

impl Evidence {
    /// From at most [`MAX_EVIDENCE`] numbers; more are not kept.
    pub fn new(numbers: &[(&'static str, u64)]) -> Self {
        let mut evidence = Self::default();
        for &(name, value) in numbers {
            evidence.raise(name, value);
        }
        evidence
    }

    /// The numbers, in the order given.
    pub fn numbers(&self) -> &[(&'static str, u64)] {
        &self.numbers[..usize::from(self.len)]
    }

    /// Keeps the greater value of a number.
    pub(super) fn raise(&mut self, name: &'static str, value: u64) {
        let len = usize::from(self.len);
        if let Some(number) = self.numbers[..len].iter_mut().find(|number| number.0 == name) {
            number.1 = number.1.max(value);
        } else if let Some(free) = self.numbers.get_mut(len) {
            *free = (name, value);
            self.len += 1;
        }
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.numbers().iter().copied())
    }
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Just begun.
    Opened,
    /// Goes on.
    Updated,
    /// Has stopped.
    Closed,
}

/// One episode of one attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Numbered in the order of opening.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// How bad, as far as the evidence goes, and after the second opinion.
    pub severity: Severity,
    /// Who does it.
    pub source: Party,
    /// To whom, if it is one.
    pub target: Option<Party>,
    /// First evidence.
    pub first: Moment,
    /// Latest evidence.
    pub last: Moment,
    /// Where it stands.
    pub stage: Stage,
    /// What was counted.
    pub evidence: Evidence,
    /// What the forest said when it was as bad as this.
    pub opinion: Option<Opinion>,
}

/// What a detector has to say at the end of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) source: Party,
    pub(super) target: Option<Party>,
    pub(super) first: Moment,
    pub(super) evidence: Evidence,
}
