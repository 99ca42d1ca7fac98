//! Drift: do the windows of this house look like those that the model learnt from?
//!
//! A model is as good as what it has seen. An artefact says how each feature was spread over its training, as five bins
//! that held about a fifth each; here the windows that the model is asked about fall into the same bins. How far the two
//! are apart is the population stability index (Siddiqi, Credit Risk Scorecards, 2006): Σ (p − q) · ln(p / q), by custom
//! nothing below 0.1 and a shift above 0.25. It says nothing of whether verdicts are right, only that nobody knows: a
//! reason to record at home and train again (docs/features.md).

use serde::Deserialize;

use super::Model;
use crate::features::{DOWN_BYTES, FEATURES, N_FEATURES, Row};

/// Bins of a feature.
const BINS: usize = 5;
/// Fewer windows than an hour's say nothing.
const MIN_WINDOWS: u32 = 360;
/// At so many all counts are halved: what was long ago fades.
const MAX_WINDOWS: u32 = 20_000;
/// Features that are named.
const NAMED: usize = 5;
/// From here on a feature is unlike training.
const SHIFT: f64 = 0.25;

/// How a feature was spread over training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Spread {
    /// A value's bin is the number of bounds that it exceeds.
    bounds: [i32; BINS - 1],
    /// Share of training rows in each bin, per mille.
    shares_pm: [u32; BINS],
}

/// What of an artefact's training summary is read here.
#[derive(Default, Deserialize)]
struct Summary {
    #[serde(default)]
    spread: Vec<Spread>,
}

/// The windows of this house in the bins of training.
#[derive(Debug)]
pub struct Drift {
    /// One per feature, or none if the artefact does not say.
    spread: Vec<Spread>,
    counts: Vec<[u32; BINS]>,
    windows: u32,
    evidence_bytes: u64,
    /// Of the model.
    fingerprint: u64,
}

/// What is known so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Windows counted.
    pub windows: u32,
    /// Mean index of all features.
    pub index: f64,
    /// Features above 0.25, the farthest first, at most five.
    pub unlike: Vec<(&'static str, f64)>,
}

impl Drift {
    /// Nothing counted yet, against this model's training.
    pub fn against(model: &Model) -> Self {
        let summary: Summary = serde_json::from_str(&model.summary_json).unwrap_or_default();
        let spread = if summary.spread.len() == N_FEATURES { summary.spread } else { Vec::new() };
        let counts = vec![[0; BINS]; spread.len()];
        Self {
            spread,
            counts,
            windows: 0,
            evidence_bytes: model.session.evidence_bytes,
            fingerprint: model.fingerprint,
        }
    }

    /// This model is in force from now on: begins anew if it is another.
    pub fn judge_by(&mut self, model: &Model) {
        if model.fingerprint != self.fingerprint {
            *self = Self::against(model);
        }
    }

    /// Counts a window, if it is one that the model's opinion of matters.
    pub fn observe(&mut self, row: &Row) {
        if self.spread.is_empty() || u64::try_from(row[DOWN_BYTES]).unwrap_or(0) < self.evidence_bytes {
            return;
        }
        if self.windows >= MAX_WINDOWS {
            self.windows /= 2;
            self.counts.iter_mut().flatten().for_each(|count| *count /= 2);
        }
        self.windows += 1;
        for ((spread, counts), value) in self.spread.iter().zip(&mut self.counts).zip(row) {
            counts[spread.bounds.iter().filter(|bound| *value > **bound).count()] += 1;
        }
    }

    /// How far apart the two are; `None` within the first hour of use, and of a model that does not say.
    pub fn likeness(&self) -> Option<Likeness> {
        if self.spread.is_empty() || self.windows < MIN_WINDOWS {
            return None;
        }
        let indices = self.spread.iter().zip(&self.counts).map(|(spread, counts)| index(spread, counts));
        let mut named: Vec<(&'static str, f64)> =
            FEATURES.iter().map(|feature| feature.name).zip(indices).collect();
        let index = named.iter().map(|(_, index)| index).sum::<f64>() / named.len() as f64;
        named.retain(|(_, index)| *index > SHIFT);
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        named.truncate(NAMED);
        Some(Likeness { windows: self.windows, index, unlike: named })
    }
}

/// Σ (p − q) · ln(p / q), half a window and half a per mille added to each bin against empty ones.
fn index(spread: &Spread, counts: &[u32; BINS]) -> f64 {
    let padded = |count: u32| f64::from(count) + 0.5;
    let all = |counts: &[u32; BINS]| counts.iter().copied().map(padded).sum::<f64>();
    let (here, there) = (all(counts), all(&spread.shares_pm));
    let terms = counts.iter().zip(&spread.shares_pm).map(|(count, share)| {
        let (p, q) = (padded(*count) / here, padded(*share) / there);
        (p - q) * (p / q).ln()
    });
    terms.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model whose every feature was spread evenly over 0 to 50, a fifth in each bin.
    fn drift() -> Drift {
        let mut model = Model::embedded();
        let spread = r#"{"bounds":[9,19,29,39],"shares_pm":[200,200,200,200,200]}"#;
        model.summary_json = format!("{{\"spread\":[{}]}}", [spread; N_FEATURES].join(","));
        model.session.evidence_bytes = 1;
        Drift::against(&model)
    }

    /// A window like training's but for some features.
    fn row(number: usize, other: &[(usize, i32)]) -> Row {
        let mut row = std::array::from_fn(|feature| ((number + feature) * 7 % 50) as i32);
        row[DOWN_BYTES] = (number * 7 % 50) as i32;
        other.iter().for_each(|(feature, value)| row[*feature] = *value);
        row
    }

    #[test]
    fn windows_like_those_of_training_are_like_them() {
        let mut drift = drift();
        (0..400).for_each(|number| drift.observe(&row(number, &[])));
        let likeness = drift.likeness().unwrap();
        assert!(likeness.index < 0.01, "{likeness:?}");
        assert_eq!(likeness.unlike, []);
    }

    #[test]
    fn the_features_that_moved_are_named_the_farthest_first() {
        let mut drift = drift();
        for number in 0..1_000 {
            // One of them in its last bin always, one half of the time.
            let half = if number % 2 == 0 { 45 } else { row(number, &[])[3] };
            drift.observe(&row(number, &[(3, half), (7, 45)]));
        }
        let likeness = drift.likeness().unwrap();
        let names: Vec<_> = likeness.unlike.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [FEATURES[7].name, FEATURES[3].name]);
        // All of p in one bin of a fifth: (0.8) ln 5 + 4 · 0.2 · ln(0.2 / 0.0005) and a little.
        assert!((5.0..7.0).contains(&likeness.unlike[0].1), "{likeness:?}");
    }

    #[test]
    fn nothing_is_said_of_an_hour_of_silent_windows_or_without_a_reference() {
        let mut drift = drift();
        let silent = row(0, &[(DOWN_BYTES, 0)]);
        (0..1_000).for_each(|_| drift.observe(&silent));
        assert_eq!(drift.likeness(), None);
        let mut model = Model::embedded();
        for summary in ["{}", "[]", "", r#"{"spread":[]}"#, r#"{"spread":[{"bounds":[1]}]}"#] {
            model.summary_json = summary.into();
            let mut drift = Drift::against(&model);
            (0..1_000).for_each(|number| drift.observe(&row(number, &[(DOWN_BYTES, i32::MAX)])));
            assert_eq!(drift.likeness(), None, "{summary}");
        }
    }

    #[test]
    fn what_was_long_ago_fades() {
        let mut drift = drift();
        (0..60_000).for_each(|number| drift.observe(&row(number, &[(5, 45)])));
        (0..60_000).for_each(|number| drift.observe(&row(number, &[])));
        let likeness = drift.likeness().unwrap();
        assert!(likeness.windows <= MAX_WINDOWS);
        assert_eq!(likeness.unlike, []);
    }

    #[test]
    fn a_reload_with_the_same_model_forgets_nothing() {
        let mut model = Model::embedded();
        let mut drift = Drift::against(&model);
        (0..400).for_each(|number| drift.observe(&row(number, &[(DOWN_BYTES, i32::MAX)])));
        drift.judge_by(&model);
        assert_eq!(drift.likeness().map(|likeness| likeness.windows), Some(400));
        model.fingerprint += 1;
        drift.judge_by(&model);
        assert_eq!(drift.likeness(), None);
    }

    #[test]
    fn the_shipped_model_says_how_its_training_was_spread() {
        let drift = Drift::against(&Model::embedded());
        assert_eq!(drift.spread.len(), N_FEATURES);
        for spread in &drift.spread {
            assert!(spread.bounds.is_sorted());
            assert!((990..=1_010).contains(&spread.shares_pm.iter().sum::<u32>()));
        }
    }
}
