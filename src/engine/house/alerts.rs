//! What the household's detectors say.

use super::{House, News};
use crate::detect::{Alert, Stage};
use crate::history::{Ack, AlertRow, Incidents};

impl House {
    /// Looks for attacks as configured.
    pub(super) fn watch_for_attacks(&mut self) {
        match self.config.detect.settings() {
            Some(settings) => self.engine.watch_for_attacks(settings),
            None => {
                self.engine.ignore_attacks();
                let over = self.incidents.close();
                self.news.extend(over.into_iter().map(|row| News::Alert { stage: Stage::Closed, row }));
            }
        }
    }

    pub(super) fn attacked(&mut self, alert: &Alert) {
        let row = self.incidents.take(alert, self.latest);
        self.news.push_back(News::Alert { stage: alert.stage, row });
    }

    /// Numbers alerts after the last one of earlier runs.
    pub fn number_alerts_from(&mut self, last: i64) {
        self.incidents.number_from(last);
    }

    /// Marks an alert of this run as seen; `None` if there is none with this number.
    pub fn ack(&mut self, id: i64, ack: &Ack, at_s: i64) -> Option<AlertRow> {
        self.incidents.ack(id, ack, at_s)
    }

    /// The alerts of this run.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }
}
