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

    /// Keeps a change of an alert and says it in the log.
    pub(super) fn alert_event(&mut self, stage: Stage, row: AlertRow) -> Value {
        let line = log_line(stage, &row);
        match (stage, alerts::severity_of(&row)) {
            (Stage::Opened, Some(Severity::High | Severity::Critical)) => {
                log::warn!("{line}");
                self.keeper.hurry();
            }
            (Stage::Updated, _) => log::debug!("{line}"),
            (Stage::Opened | Stage::Closed, _) => log::info!("{line}"),
        }
        let event = news::alert_event(&self.house, stage, &row);
        self.keeper.alert(row);
        event
    }
}

/// An alert as one line of the log, for programs that read logs (docs/detectors.md, In the log): the words and their
/// order do not change, and none of the values holds a space.
fn log_line(stage: Stage, row: &AlertRow) -> String {
    let AlertRow { id, kind, severity, source, .. } = row;
    let target = row.target.as_deref().unwrap_or("-");
    let word = news::stage_word(stage);
    format!("alert {word} id={id} type={kind} severity={severity} source={source} target={target}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_what_the_filters_in_the_manual_read() {
        let mut row = AlertRow {
            id: 7,
            kind: "ssh_brute_force".into(),
            severity: "high".into(),
            source: "2001:db8::66".into(),
            target: Some("192.168.1.1".into()),
            first_s: 10,
            last_s: 20,
            closed: false,
            evidence: "{}".into(),
            acked_s: None,
            note: None,
            resolved_s: None,
            opinion: None,
        };
        assert_eq!(
            log_line(Stage::Opened, &row),
            "alert opened id=7 type=ssh_brute_force severity=high source=2001:db8::66 target=192.168.1.1"
        );
        row.target = None;
        assert!(log_line(Stage::Closed, &row).starts_with("alert closed id=7 "));
        assert!(log_line(Stage::Closed, &row).ends_with(" target=-"));
    }
}
