//! The optional stage that looks for attacks.

use super::{Engine, Output};
use crate::detect::{self, Baseline, Detection, Looked, SecondOpinion, ThreatSample};
use crate::net::ClientId;
use crate::time::Moment;

impl Engine {
    /// From now on looks for attacks, or does so with other settings.
    pub fn watch_for_attacks(&mut self, settings: detect::Settings) {
        match &mut self.detection {
            Some(detection) => detection.set_settings(settings),
            None => {
                let mut detection = Box::new(Detection::new(settings, self.settings.seed));
                detection.consult(SecondOpinion::embedded());
                self.detection = Some(detection);
            }
        }
    }

    /// From now on keeps the rows of the second opinion, if attacks are looked for.
    pub fn keep_threat_samples(&mut self) {
        if let Some(detection) = &mut self.detection {
            detection.keep_samples();
        }
    }

    /// The next row of the second opinion.
    pub fn next_threat_sample(&mut self) -> Option<ThreatSample> {
        self.detection.as_mut()?.next_sample()
    }

    /// Stops looking for attacks; what was counted is forgotten.
    pub fn ignore_attacks(&mut self) {
        self.detection = None;
    }

    /// What each device sends in a day, as far as uploads are watched.
    pub fn baselines(&self) -> impl Iterator<Item = (ClientId, &Baseline)> {
        self.detection.iter().flat_map(|detection| detection.baselines())
    }

    /// Puts back what was known of a device before a restart.
    pub fn restore_baseline(&mut self, client: ClientId, baseline: Baseline, now: Moment) {
        if let Some(detection) = &mut self.detection {
            detection.restore_baseline(client, baseline, now);
        }
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn look_for_attacks(&mut self, at: Moment) {
        if let Some(detection) = &mut self.detection
            && detection.poll(at, &self.flows) == Looked::Closely
        {
            self.tell_attacks();
        }
    }

    /// The capture is over: attacks in progress are told as they stand.
    pub(super) fn finish_attacks(&mut self) {
        if let Some(detection) = &mut self.detection {
            detection.finish(&self.flows);
            self.tell_attacks();
        }
    }

    #[cold]
    fn tell_attacks(&mut self) {
        while let Some(alert) = self.detection.as_mut().and_then(|detection| detection.next_change()) {
            self.outputs.push_back(Output::Alert(Box::new(alert)));
        }
    }
}
