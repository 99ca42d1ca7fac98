//! Alerts and events: as JSON, as text, and as Suricata's EVE lines.
//!
//! An alert is shown once, as it stood at the end; events are what happened that is no attack. EVE output
//! (`--eve`) has the keys that Suricata's tools read, with the evidence under `streamguard`.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::{csv, rounded};
use crate::detect::{Alert, Evidence, Kind, Opinion, Party, Severity, Stage};
use crate::lan::{ClientIdx, Clients};
use crate::net::ClientId;
use crate::time::{Moment, WallTime};

/// Alerts kept for a report; later ones are counted, not kept.
pub const MAX_ALERTS: usize = 1_024;
/// Events kept for a report; later ones are counted, not kept.
pub const MAX_EVENTS: usize = 4_096;

/// One episode of an attack.
#[derive(Debug, Serialize)]
pub struct AlertReport {
    /// From the closed list of docs/detectors.md.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Who.
    pub source: Party,
    /// Against whom, if it is one.
    pub target: Option<Party>,
    /// First evidence, seconds after the first packet.
    pub first_s: f64,
    /// Latest evidence.
    pub last_s: f64,
    /// Whether it was over before the capture was.
    pub closed: bool,
    /// What was counted.
    pub evidence: Evidence,
    /// What the learned second opinion says, if it has one.
    pub opinion: Option<Opinion>,
}

/// Something worth knowing that is no attack.
#[derive(Debug, Serialize)]
pub struct EventReport {
    /// Seconds after the first packet.
    pub at_s: f64,
    /// What.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who.
    pub client: ClientId,
}

impl AlertReport {
    /// Names of the CSV columns.
    pub const COLUMNS: [&str; 9] =
        ["type", "severity", "source", "target", "first_s", "last_s", "closed", "evidence", "opinion"];

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let target = self.target.map_or_else(String::new, |target| target.to_string());
        let numbers = self.evidence.numbers().iter().map(|(name, value)| format!("{name}={value}"));
        let evidence = numbers.collect::<Vec<_>>().join(" ");
        let (first, last) = (self.first_s, self.last_s);
        let severity = self.severity.name();
        let opinion = self.opinion.map_or_else(String::new, |opinion| opinion.to_string());
        let row: [&dyn fmt::Display; 9] =
            [&self.kind, &severity, &self.source, &target, &first, &last, &self.closed, &evidence, &opinion];
        csv::row(out, &row)
    }
}

impl EventReport {
    /// Names of the CSV columns.
    pub const COLUMNS: [&str; 3] = ["at_s", "type", "client"];

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        csv::row(out, &[&self.at_s, &self.kind, &self.client])
    }
}

/// What happened so far, each alert in its latest state.
#[derive(Debug, Default)]
pub struct AlertLog {
    alerts: Vec<Alert>,
    events: Vec<(Moment, &'static str, ClientId)>,
    clients: usize,
    left_out: u64,
}

impl AlertLog {
    /// Keeps the latest state of an alert.
    pub fn take(&mut self, alert: &Alert) {
        if let Some(known) = self.alerts.iter_mut().find(|known| known.id == alert.id) {
            *known = *alert;
        } else if self.alerts.len() < MAX_ALERTS {
            self.alerts.push(*alert);
        } else {
            self.left_out += 1;
        }
    }

    /// How many clients were new once.
    #[inline]
    pub fn greeted(&self) -> usize {
        self.clients
    }

    /// Notes the clients that were not there before.
    #[inline]
    pub fn greet(&mut self, clients: &Clients, at: Moment) {
        if self.clients < clients.len() {
            self.greet_new(clients, at);
        }
    }

    #[cold]
    fn greet_new(&mut self, clients: &Clients, at: Moment) {
        while self.clients < clients.len() {
            if let Some(known) = clients.known(ClientIdx::at(self.clients)) {
                self.event(at, "new_device", known.id);
            }
            self.clients += 1;
        }
    }

    /// Notes an event.
    pub fn event(&mut self, at: Moment, kind: &'static str, client: ClientId) {
        if self.events.len() < MAX_EVENTS {
            self.events.push((at, kind, client));
        } else {
            self.left_out += 1;
        }
    }

    /// Alerts and events that were not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The alerts, in the order of their opening.
    pub fn alerts(&self, first: Moment) -> Vec<AlertReport> {
        let since = |at: Moment| rounded(at.signed_secs_since(first));
        let report = |alert: &Alert| AlertReport {
            kind: alert.kind.name(),
            severity: alert.severity,
            source: alert.source,
            target: alert.target,
            first_s: since(alert.first),
            last_s: since(alert.last),
            closed: alert.stage == Stage::Closed,
            evidence: alert.evidence,
            opinion: alert.opinion,
        };
        self.alerts.iter().map(report).collect()
    }

    /// The events, in the order of time.
    pub fn events(&self, first: Moment) -> Vec<EventReport> {
        let report = |&(at, kind, client): &(Moment, &'static str, ClientId)| EventReport {
            at_s: rounded(at.signed_secs_since(first)),
            kind,
            client,
        };
        self.events.iter().map(report).collect()
    }
}

/// Alerts for people.
///
/// # Errors
/// Whatever `out` says.
pub fn write_alerts(out: &mut impl Write, alerts: &[AlertReport]) -> io::Result<()> {
    if alerts.is_empty() {
        return writeln!(out, "no alerts");
    }
    for alert in alerts {
        let target = alert.target.map_or_else(String::new, |target| format!(" -> {target}"));
        let state = if alert.closed { "closed" } else { "open" };
        write!(
            out,
            "{:<8} {:<16} {}{target}  {:.1} s to {:.1} s, {state}:",
            alert.severity.name(),
            alert.kind,
            alert.source,
            alert.first_s,
            alert.last_s
        )?;
        for (name, value) in alert.evidence.numbers() {
            write!(out, " {name} {value}")?;
        }
        if let Some(opinion) = alert.opinion {
            write!(out, "; opinion: {opinion}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Events for people.
///
/// # Errors
/// Whatever `out` says.
pub fn write_events(out: &mut impl Write, events: &[EventReport]) -> io::Result<()> {
    events
        .iter()
        .try_for_each(|event| writeln!(out, "{:>10.1} s  {:<16} {}", event.at_s, event.kind, event.client))
}

/// Writes alerts as lines of Suricata's EVE format.
#[derive(Debug)]
pub struct Eve;

impl Eve {
    /// Numbers of signatures begin here; each kind has its own.
    const FIRST_SIGNATURE: u32 = 9_100_000;

    /// One line for the opening, and one for the end, of an episode.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn write(out: &mut impl Write, alert: &Alert) -> io::Result<()> {
        let wall = WallTime::from_nanos(i64::try_from(alert.last.as_nanos()).unwrap_or(i64::MAX));
        let micros = wall.as_nanos().rem_euclid(1_000_000_000) / 1_000;
        let stamp = format!("{}.{micros:06}+0000", wall.to_string().trim_end_matches('Z'));
        let line = json!({
            "timestamp": stamp,
            "event_type": "alert",
            "flow_id": alert.id,
            "src_ip": alert.source,
            "dest_ip": alert.target,
            "alert": {
                "action": "allowed",
                "gid": 1,
                "signature_id": Self::FIRST_SIGNATURE + alert.kind as u32,
                "rev": 1,
                "signature": format!("streamguard {}", alert.kind.name()),
                "category": category(alert.kind),
                "severity": priority(alert.severity),
            },
            "streamguard": {
                "stage": match alert.stage {
                    Stage::Opened => "opened",
                    Stage::Updated => "updated",
                    Stage::Closed => "closed",
                },
                "severity": alert.severity,
                "evidence": alert.evidence,
                "opinion": alert.opinion,
            },
        });
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
        writeln!(out)
    }
}

/// Suricata's priorities: 1 is worst.
fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
    }
}

/// The class of Suricata's classification.config that fits.
fn category(kind: Kind) -> &'static str {
    match kind {
        Kind::PortScan | Kind::HostSweep => "Detection of a Network Scan",
        Kind::SynFlood
        | Kind::UdpFlood
        | Kind::IcmpFlood
        | Kind::Amplification
        | Kind::HttpFlood
        | Kind::Slowloris
        | Kind::SlowPost
        | Kind::DdosOut => "Attempted Denial of Service",
        Kind::SshBruteForce | Kind::BruteForce | Kind::WebBruteForce => "Attempted User Privilege Gain",
        Kind::ArpSpoof | Kind::RogueDhcp | Kind::RogueRa => "Potentially Bad Traffic",
        Kind::DnsTunnel | Kind::IcmpTunnel | Kind::Exfiltration => "Potential Corporate Privacy Violation",
        Kind::Beaconing => "Malware Command and Control Activity Detected",
        Kind::LateralMovement => "Successful User Privilege Gain",
    }
}
