//! Alerts as they come: kept, told and logged.

use serde_json::Value;

use super::Daemon;
use crate::detect::{Kind, Severity, Stage};
use crate::engine::house::BLOCK_FOR;
use crate::history::AlertRow;
use crate::methods::{alerts, news};
use crate::ruleset::Key;

impl Daemon {
    /// Says that an attacker is blocked, or would be.
    pub(super) fn attacker_event(&self, kind: Kind, key: Key) -> Value {
        let enforced = self.enforcer.is_some();
        log::warn!(
            "attacker {} for {} s ({})",
            if enforced { "blocked" } else { "to block" },
            BLOCK_FOR.as_secs(),
            kind.name()
        );
        news::attacker_event(kind, key, enforced)
    }

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
