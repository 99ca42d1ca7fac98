//! What the forest says of an accused, and what follows: at most one step of severity.
//!
//! The opinion opens no alert, closes none and takes none back; whether a finding is a side effect of something else
//! is decided by the severity its detector gave. What a class may do is limited by what is known of it: where a tool that
//! was left out was not named right, or is one of one or two, agreement proves nothing.

use std::fmt;

use serde::{Serialize, Serializer};

use super::super::alert::{Finding, Kind, Severity};

/// Votes for `normal` that make an alert one step less severe, in percent of all trees.
const DOUBT_PCT: u8 = 85;
/// Votes for what the detector says that make a low alert a medium one.
const AGREE_PCT: u8 = 95;

/// What an initiator may be doing (the classes of CIC-IDS2017 and tunnels), in the order of the artefact's leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the field's own; docs/detectors.md says what each holds")]
pub enum Class {
    Normal,
    Scan,
    BruteForce,
    Dos,
    Ddos,
    WebAttack,
    Botnet,
    Infiltration,
    Tunnel,
}

impl Class {
    /// Every class, by number.
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::Scan,
        Self::BruteForce,
        Self::Dos,
        Self::Ddos,
        Self::WebAttack,
        Self::Botnet,
        Self::Infiltration,
        Self::Tunnel,
    ];

    /// As in reports and in the artefact.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Scan => "scan",
            Self::BruteForce => "brute_force",
            Self::Dos => "dos",
            Self::Ddos => "ddos",
            Self::WebAttack => "web_attack",
            Self::Botnet => "botnet",
            Self::Infiltration => "infiltration",
            Self::Tunnel => "tunnel",
        }
    }

    /// The class that a kind of attack belongs to; `None` where the forest has nothing to say: attacks below IP, and
    /// what takes a week.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::PortScan | Kind::HostSweep => Some(Self::Scan),
            Kind::SshBruteForce | Kind::BruteForce => Some(Self::BruteForce),
            Kind::SynFlood
            | Kind::UdpFlood
            | Kind::IcmpFlood
            | Kind::HttpFlood
            | Kind::Slowloris
            | Kind::SlowPost => Some(Self::Dos),
            Kind::Amplification | Kind::DdosOut => Some(Self::Ddos),
            Kind::WebBruteForce => Some(Self::WebAttack),
            Kind::Beaconing => Some(Self::Botnet),
            Kind::LateralMovement => Some(Self::Infiltration),
            Kind::DnsTunnel | Kind::IcmpTunnel => Some(Self::Tunnel),
            Kind::ArpSpoof | Kind::RogueDhcp | Kind::RogueRa | Kind::Exfiltration => None,
        }
    }

    /// Whether at least three tools stand for it, and most were named right with the tool left out (docs/detectors.md).
    const fn is_proven(self) -> bool {
        match self {
            Self::Scan | Self::BruteForce | Self::WebAttack | Self::Tunnel => true,
            Self::Normal | Self::Dos | Self::Ddos | Self::Botnet | Self::Infiltration => false,
        }
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// What became of a severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// As the detector gave it.
    Kept,
    /// One step more.
    Raised,
    /// One step less.
    Lowered,
}

/// The class that most trees vote for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Opinion {
    /// Which.
    pub class: Class,
    /// How many of the trees do, in percent.
    pub share_pct: u8,
    /// What followed.
    pub severity: Effect,
}

impl Opinion {
    /// What `share_pct` of the trees say of a finding.
    pub(in crate::detect) fn on(finding: &Finding, class: Class, share_pct: u8) -> Self {
        let agrees = class.is_proven() && Class::of(finding.kind) == Some(class);
        let is_low = finding.severity == Severity::Low;
        let severity = if class == Class::Normal && share_pct >= DOUBT_PCT && !is_low {
            Effect::Lowered
        } else if agrees && share_pct >= AGREE_PCT && is_low {
            Effect::Raised
        } else {
            Effect::Kept
        };
        Self { class, share_pct, severity }
    }
}

impl Effect {
    /// The severity that follows from a detector's.
    pub(in crate::detect) fn on(self, severity: Severity) -> Severity {
        match self {
            Self::Kept => severity,
            Self::Raised => severity.raised(),
            Self::Lowered => severity.lowered(),
        }
    }

    /// As in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Raised => "raised",
            Self::Lowered => "lowered",
        }
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} %, severity {}", self.class.name(), self.share_pct, self.severity.name())
    }
}
