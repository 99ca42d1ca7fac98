//! Alerts as they stand: the open ones and the latest of the others, each in its last state.
//!
//! The detectors number their episodes from zero at every start; here they get the numbers that a household
//! knows them by, which go on where the database ended. A person may acknowledge an alert, with a note, and say
//! that it is settled; neither changes what the detector says of it.

use std::collections::VecDeque;

use super::rows::AlertRow;
use crate::detect::{Alert, Stage};
use crate::time::{Moment, Now};

/// Alerts remembered; the oldest that is over leaves for a new one, or the oldest of all.
pub const MAX_INCIDENTS: usize = 256;
/// Longest note kept, in characters.
const MAX_NOTE_CHARS: usize = 500;

/// What a person says of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// A note to keep with it.
    pub note: Option<String>,
    /// It needs no more attention.
    pub settled: bool,
}

impl Ack {
    /// Marks a row.
    pub fn mark(&self, row: &mut AlertRow, at_s: i64) {
        row.acked_s = Some(at_s);
        if let Some(note) = &self.note {
            row.note = Some(note.chars().filter(|c| !c.is_control()).take(MAX_NOTE_CHARS).collect());
        }
        if self.settled {
            row.resolved_s = Some(at_s);
        }
    }
}

/// The alerts of this run.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    /// The number of the last alert of earlier runs.
    base: i64,
    rows: VecDeque<AlertRow>,
}

impl Incidents {
    /// Numbers alerts after this one.
    pub fn number_from(&mut self, base: i64) {
        self.base = self.base.max(base);
    }

    /// Keeps the latest state of an alert and returns it.
    pub fn take(&mut self, alert: &Alert, now: Now) -> AlertRow {
        let id = self.base + 1 + i64::from(alert.id);
        let known = self.rows.iter().position(|row| row.id == id);
        let earlier = known.and_then(|index| self.rows.remove(index));
        let row = AlertRow {
            id,
            kind: alert.kind.name().to_owned(),
            severity: alert.severity.name().to_owned(),
            source: alert.source.to_string(),
            target: alert.target.map(|target| target.to_string()),
            first_s: epoch_s(alert.first, now),
            last_s: epoch_s(alert.last, now),
            closed: alert.stage == Stage::Closed,
            evidence: serde_json::to_string(&alert.evidence).unwrap_or_default(),
            opinion: alert.opinion.and_then(|opinion| serde_json::to_string(&opinion).ok()),
            acked_s: earlier.as_ref().and_then(|row| row.acked_s),
            note: earlier.as_ref().and_then(|row| row.note.clone()),
            resolved_s: earlier.as_ref().and_then(|row| row.resolved_s),
        };
        if self.rows.len() >= MAX_INCIDENTS {
            let over = self.rows.iter().position(|row| row.closed).unwrap_or(0);
            self.rows.remove(over);
        }
        self.rows.push_back(row.clone());
        row
    }

    /// Marks an alert as seen; `None` if it is not remembered here.
    pub fn ack(&mut self, id: i64, ack: &Ack, at_s: i64) -> Option<AlertRow> {
        let row = self.rows.iter_mut().find(|row| row.id == id)?;
        ack.mark(row, at_s);
        Some(row.clone())
    }

    /// Nobody watches any more: what is open is over. Returns what was closed.
    pub fn close(&mut self) -> Vec<AlertRow> {
        let open = self.rows.iter_mut().filter(|row| !row.closed);
        open.map(|row| {
            row.closed = true;
            row.clone()
        })
        .collect()
    }

    /// All that are remembered, the latest change last.
    pub fn rows(&self) -> impl Iterator<Item = &AlertRow> {
        self.rows.iter()
    }
}

/// Seconds since the epoch of a moment; while the clock cannot be believed, what it showed at the start.
pub fn epoch_s(at: Moment, now: Now) -> i64 {
    let signed = |secs: u64| i64::try_from(secs).unwrap_or(i64::MAX);
    match now.wall {
        Some(wall) if at <= now.mono => wall.as_secs() - signed(now.mono.since(at).as_secs()),
        Some(wall) => wall.as_secs() + signed(at.since(now.mono).as_secs()),
        None => signed(at.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Evidence, Kind, Party, Severity};
    use crate::net::Addr;
    use crate::time::WallTime;

    fn alert(id: u32, stage: Stage, severity: Severity) -> Alert {
        Alert {
            id,
            kind: Kind::PortScan,
            severity,
            source: Party::Addr(Addr::from_v4([192, 168, 1, 23])),
            target: None,
            first: Moment::from_secs(100),
            last: Moment::from_secs(130),
            stage,
            evidence: Evidence::new(&[("ports", 40)]),
            opinion: None,
        }
    }

    fn now() -> Now {
        Now { mono: Moment::from_secs(140), wall: Some(WallTime::from_secs(1_800_000_040)) }
    }

    #[test]
    fn an_alert_keeps_its_number_and_what_was_said_of_it_while_it_goes_on() {
        let mut incidents = Incidents::default();
        incidents.number_from(41);
        let opened = incidents.take(&alert(0, Stage::Opened, Severity::Medium), now());
        assert_eq!((opened.id, opened.first_s, opened.last_s), (42, 1_800_000_000, 1_800_000_030));
        let ack = Ack { note: Some("my own\u{1b}[2J test".into()), settled: false };
        incidents.ack(42, &ack, 1_800_000_050).unwrap();
        let closed = incidents.take(&alert(0, Stage::Closed, Severity::High), now());
        let expected = AlertRow {
            severity: "high".into(),
            closed: true,
            acked_s: Some(1_800_000_050),
            note: Some("my own[2J test".into()),
            ..opened
        };
        assert_eq!(closed, expected);
        assert_eq!(incidents.rows().collect::<Vec<_>>(), [&expected]);
        assert_eq!(incidents.ack(7, &ack, 0), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_goes_on_is_forgotten_last() {
        let mut incidents = Incidents::default();
        incidents.take(&alert(0, Stage::Opened, Severity::Low), now());
        for id in 1..2_000 {
            incidents.take(&alert(id, Stage::Closed, Severity::Low), now());
        }
        assert_eq!(incidents.rows().count(), MAX_INCIDENTS);
        assert_eq!(incidents.close().iter().map(|row| row.id).collect::<Vec<_>>(), [1]);
    }
}
