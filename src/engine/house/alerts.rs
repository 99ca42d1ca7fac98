//! What the household's detectors say.

use super::{House, News};
use crate::detect::{Alert, Baseline, Baselines, MAX_BASELINES, MAX_DAYS, Settings, Stage};
use crate::history::{Ack, AlertRow, Incidents};
use crate::net::ClientId;
use crate::quota::{Recovery, UploadState};
use crate::time::Moment;

impl House {
    /// Looks for attacks as configured.
    pub(super) fn watch_for_attacks(&mut self) {
        match self.config.detect.settings() {
            // A router knows its devices for long enough to hold their past against them.
            Some(settings) => {
                self.engine.watch_for_attacks(Settings { baselines: Baselines::Judge, ..settings });
            }
            None => {
                self.engine.ignore_attacks();
                let over = self.incidents.close();
                self.news.extend(over.into_iter().map(|row| News::Alert { stage: Stage::Closed, row }));
            }
        }
    }

    pub(super) fn attacked(&mut self, alert: &Alert) {
        self.stop_attacker(alert);
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

    /// What each device sends in a day: kept over a restart, or a week had to pass before uploads are judged.
    pub(super) fn uploads(&self) -> Vec<UploadState> {
        let of = |(client, baseline): (ClientId, &Baseline)| UploadState {
            client,
            days_bytes: baseline.days_bytes.clone(),
            today_bytes: baseline.today_bytes,
            today_s: baseline.today_s,
        };
        self.engine.baselines().map(of).collect()
    }

    /// Puts back what was kept.
    pub(super) fn restore_uploads(&mut self, recovery: &Recovery, now: Moment) {
        for upload in recovery.state.iter().flat_map(|state| &state.uploads).take(MAX_BASELINES) {
            let days = upload.days_bytes.len().saturating_sub(MAX_DAYS);
            let baseline = Baseline {
                days_bytes: upload.days_bytes[days..].to_vec(),
                today_bytes: upload.today_bytes,
                today_s: upload.today_s,
            };
            self.engine.restore_baseline(upload.client, baseline, now);
        }
    }

    /// The alerts of this run.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }
}
