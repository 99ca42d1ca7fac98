//! Alerts as they come: kept, told and logged.

use serde_json::Value;

use super::Daemon;
use crate::detect::{Severity, Stage};
use crate::history::AlertRow;
use crate::methods::{alerts, news};

impl Daemon {
    /// Keeps a change of an alert and says it in the log: what and how bad, not who. That is in the event.
    pub(super) fn alert_event(&mut self, stage: Stage, row: AlertRow) -> Value {
        let word = news::stage_word(stage);
        match (stage, alerts::severity_of(&row)) {
            (Stage::Opened, Some(Severity::High | Severity::Critical)) => {
                log::warn!("alert {}: {}, {}: streamguard alerts", row.id, row.kind, row.severity);
                self.keeper.hurry();
            }
            (Stage::Updated, _) => log::debug!("alert {} {word}: {}, {}", row.id, row.kind, row.severity),
            (Stage::Opened | Stage::Closed, _) => {
                log::info!("alert {} {word}: {}, {}", row.id, row.kind, row.severity);
            }
        }
        let event = news::alert_event(&self.house, stage, &row);
        self.keeper.alert(row);
        event
    }
}
