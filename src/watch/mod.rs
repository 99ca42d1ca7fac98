//! Scores to sessions, sessions to watch time: the count a person would agree with.
//!
//! Video arrives in bursts with silence between, and a silent ten seconds of video look like any other silence.
//! So silence is no evidence here. Windows that carried something move a *belief* (a bounded sum of log-likelihood
//! ratios, Page's CUSUM, 1954); once it is high enough a session is on, and time is credited back to where the
//! evidence began to add up. Silent windows use up the *playout allowance*: the more rarely a player fetches, the
//! more video it keeps in its buffer, so the session goes on that long after the last fetch and no longer. That one idea
//! both counts the silent end of a video and stops soon after a pause. A player that fetches by the clock has a full
//! buffer and tells at once when it stops: it gets little more than its own period.
//!
//! Not every silence is as deep. While a film plays, something is said in nearly all windows (acknowledgements, keep-alives,
//! reports of the player); of windows in a pause half hold not one packet. So after a *dead* silence of more than one
//! period the count *waits*: if fetching goes on soon, what waited is counted after all, and else it was a pause.
//!
//! Everything is integer arithmetic on constants that training chose ([`Params`], part of the artefact).

use serde::{Deserialize, Serialize};

use crate::classify::Score;
use crate::window::WindowNo;

mod params;
mod session;

pub use params::{Params, ParamsError, Sensitivity};
pub use session::{MAX_SESSION_SERVERS, ServerTotal, Session};

/// What is going on at one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Somebody watches video.
    Watching,
    /// Nobody does, as far as traffic tells.
    Idle,
}

/// What the session layer wants to know of a closed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Which window.
    pub no: WindowNo,
    /// The classifier's opinion.
    pub score: Score,
    /// IP bytes received.
    pub down_bytes: u64,
    /// Packets received.
    pub down_packets: u32,
    /// Bursts that began in the last two minutes.
    pub bursts_120: u32,
    /// Mean time between them in tenths of a second.
    pub burst_period_ds: u32,
    /// How much it varies, σ / mean in per mille.
    pub burst_period_cv_pm: u32,
}

/// What a closed window means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Not watched.
    Off,
    /// A session began with window `from`, which is this one or an earlier one: credit all of them.
    Began { from: WindowNo },
    /// The session goes on: count this window.
    On,
    /// It may be over: this window is counted only if the session is [`Step::Resumed`].
    Waiting,
    /// It was not: credit all windows from `from` on, which waited, and this one.
    Resumed { from: WindowNo },
    /// The session ended before this window.
    Ended,
}

/// The session layer's state of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    /// Log-likelihood ratio in 16.16.
    belief: i32,
    activity: Activity,
    /// Where the evidence began to add up.
    since: Option<WindowNo>,
    /// Last window that carried evidence.
    last: Option<WindowNo>,
    /// Windows without a packet in a row.
    #[serde(default)]
    dead: u32,
    /// First window that is not counted yet.
    #[serde(default)]
    waits_since: Option<WindowNo>,
    period_ds: u32,
    period_known: PeriodKnown,
    /// How much the periods seen vary, σ / mean in per mille.
    #[serde(default = "unsteady")]
    period_cv_pm: u32,
}

/// Length of a window in tenths of a second.
fn window_ds(params: &Params) -> u64 {
    u64::from(params.window_s) * 10
}

/// The variation of a period that was not seen.
fn unsteady() -> u32 {
    u32::MAX
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PeriodKnown {
    Default,
    Seen,
}

impl Watcher {
    /// Nobody is watching.
    pub fn new(params: &Params) -> Self {
        Self {
            belief: params.llr_min,
            activity: Activity::Idle,
            since: None,
            last: None,
            dead: 0,
            waits_since: None,
            period_ds: params.period_default_ds,
            period_known: PeriodKnown::Default,
            period_cv_pm: unsteady(),
        }
    }

    /// What is going on.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Whether a silent window would change nothing: the caller may then stop asking until something arrives.
    pub fn is_at_rest(&self) -> bool {
        self.last.is_none()
    }

    /// Judges a closed window. Windows come in order; some may be left out while [`Watcher::is_at_rest`].
    pub fn step(&mut self, params: &Params, sensitivity: Sensitivity, seen: &Evidence) -> Step {
        let carried = seen.down_bytes >= params.evidence_bytes;
        let mut from = seen.no;
        if carried {
            from = self.resume(params, seen.no);
            self.weigh(params, seen);
        } else {
            self.listen(params, seen);
        }
        let Some(last) = self.last else { return Step::Off };
        let quiet_ds = seen.no.saturating_sub(last).saturating_mul(window_ds(params));
        match self.activity {
            Activity::Idle if self.belief >= params.on(sensitivity) => {
                self.activity = Activity::Watching;
                let earliest = seen.no.saturating_sub(params.back_max_windows);
                Step::Began { from: self.since.unwrap_or(seen.no).clamp(earliest, seen.no) }
            }
            Activity::Idle => {
                if quiet_ds >= u64::from(params.forget_quiet_ds) {
                    *self = Self::new(params);
                }
                Step::Off
            }
            Activity::Watching if self.belief <= params.off || quiet_ds > self.allowance_ds(params) => {
                *self = Self::new(params);
                Step::Ended
            }
            Activity::Watching if self.waits_since.is_some() => Step::Waiting,
            Activity::Watching if from < seen.no => Step::Resumed { from },
            Activity::Watching => Step::On,
        }
    }

    /// A window that cannot be judged: what was going on goes on.
    pub fn step_unknown(&mut self, no: WindowNo) -> Step {
        match self.activity {
            Activity::Watching => {
                self.last = self.last.map(|last| last.max(no));
                self.dead = 0;
                if self.waits_since.is_some() { Step::Waiting } else { Step::On }
            }
            Activity::Idle => Step::Off,
        }
    }

    /// Fetching goes on: the first window that is counted now, `no` if none had to wait, or too many had.
    fn resume(&mut self, params: &Params, no: WindowNo) -> WindowNo {
        self.dead = 0;
        let (Some(since), Some(last)) = (self.waits_since.take(), self.last) else { return no };
        let silent_ds = window_ds(params) * no.saturating_sub(last).saturating_sub(1);
        if silent_ds <= u64::from(params.dead_bridge_ds) { since } else { no }
    }

    /// A window without evidence: how dead is the silence?
    fn listen(&mut self, params: &Params, seen: &Evidence) {
        self.dead = if seen.down_packets == 0 { self.dead.saturating_add(1) } else { 0 };
        let most = u64::from(params.dead_pm) * u64::from(self.period_ds);
        let is_dead = params.dead_pm > 0 && u64::from(self.dead) * window_ds(params) * 1_000 > most;
        if is_dead && self.activity == Activity::Watching && self.waits_since.is_none() {
            self.waits_since = Some(seen.no);
        }
    }

    fn weigh(&mut self, params: &Params, seen: &Evidence) {
        if self.since.is_none() || self.activity == Activity::Idle && self.belief <= params.llr_min {
            self.since = Some(seen.no);
        }
        let ratio = params.llr[usize::from(seen.score.0 >> 8)];
        self.belief = self.belief.saturating_add(ratio).clamp(params.llr_min, params.llr_max);
        if seen.bursts_120 >= params.period_bursts_min {
            (self.period_ds, self.period_cv_pm) = match self.period_known {
                PeriodKnown::Default => (seen.burst_period_ds, seen.burst_period_cv_pm),
                PeriodKnown::Seen => (
                    (3 * self.period_ds + seen.burst_period_ds) / 4,
                    self.period_cv_pm / 2 + seen.burst_period_cv_pm / 2,
                ),
            };
            self.period_known = PeriodKnown::Seen;
        }
        self.last = Some(seen.no);
    }

    /// How long a session goes on after the last fetch, in tenths of a second.
    fn allowance_ds(&self, params: &Params) -> u64 {
        let period_ds = u64::from(self.period_ds);
        let mut allowance_ds = u64::from(params.hold_square) * period_ds * period_ds / 1_000_000;
        if self.period_cv_pm < params.steady_below_pm {
            let steady_ds =
                u64::from(params.steady_hold_ds) + u64::from(params.steady_hold_pm) * period_ds / 1_000;
            allowance_ds = allowance_ds.min(steady_ds);
        }
        allowance_ds.clamp(u64::from(params.hold_min_ds), u64::from(params.hold_max_ds))
    }
}

#[cfg(test)]
mod tests;
