//! The session layer's constants: chosen by training, carried by the artefact, checked on load.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How eager the count is. `normal` is what accuracy is stated for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Fewer false minutes, later starts.
    Low,
    /// The balance that docs/accuracy.md reports.
    #[default]
    Normal,
    /// Earlier starts, more false minutes.
    High,
}

impl FromStr for Sensitivity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "low" => Ok(Self::Low),
            "normal" => Ok(Self::Normal),
            "high" => Ok(Self::High),
            _ => Err(()),
        }
    }
}

/// Constants of the session layer. Formulas: docs/features.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// Length of a window in seconds; must be the program's own.
    pub window_s: u32,
    /// Windows with fewer received bytes carry no evidence.
    pub evidence_bytes: u64,
    /// Log-likelihood ratio of video, 16.16, by score >> 8.
    pub llr: Vec<i32>,
    /// Floor of the belief.
    pub llr_min: i32,
    /// Ceiling of the belief.
    pub llr_max: i32,
    /// Belief that begins a session, by sensitivity low, normal, high.
    pub on: [i32; 3],
    /// Belief that ends one.
    pub off: i32,
    /// At most this many windows are credited back.
    pub back_max_windows: u64,
    /// Burst period assumed before one was seen, tenths of a second.
    pub period_default_ds: u32,
    /// Bursts in two minutes from which a period is believed.
    pub period_bursts_min: u32,
    /// Playout allowance per squared burst period: 10⁻⁶ per tenth of a second. Players that fetch rarely keep large
    /// buffers, players that fetch every few seconds small ones.
    pub hold_square: u32,
    /// Bounds of the allowance, tenths of a second.
    pub hold_min_ds: u32,
    /// Upper bound.
    pub hold_max_ds: u32,
    /// Burst periods that vary less than this (σ / mean, per mille) are a clock's, and its silence tells. 0: nobody's are.
    #[serde(default)]
    pub steady_below_pm: u32,
    /// Allowance of who fetches by the clock, unless the square is less: so many tenths of a second ...
    #[serde(default)]
    pub steady_hold_ds: u32,
    /// ... and so much of the period, per mille.
    #[serde(default)]
    pub steady_hold_pm: u32,
    /// Not one packet for longer than so much of the period, per mille: perhaps a pause, so the count waits. 0: never.
    #[serde(default)]
    pub dead_pm: u32,
    /// What waited is counted if fetching goes on within so many tenths of a second of silence.
    #[serde(default)]
    pub dead_bridge_ds: u32,
    /// Silence after which collected evidence is forgotten, tenths of a second.
    pub forget_quiet_ds: u32,
}

/// Why constants are refused.
#[derive(Debug)]
pub enum ParamsError {
    /// Not the JSON of our constants.
    Json(serde_json::Error),
    /// A value makes no sense.
    Field(&'static str),
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(_) => f.write_str("session constants are not readable"),
            Self::Field(name) => write!(f, "session constant {name} is out of range"),
        }
    }
}

impl std::error::Error for ParamsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(cause) => Some(cause),
            Self::Field(_) => None,
        }
    }
}

impl Params {
    /// Reads and checks the constants of an artefact.
    ///
    /// # Errors
    /// If a field is missing, unreadable or out of range.
    pub fn from_json(text: &str) -> Result<Self, ParamsError> {
        let params: Self = serde_json::from_str(text).map_err(ParamsError::Json)?;
        let checks = [
            ("window_s", params.window_s as usize == crate::window::WINDOW_SECS),
            ("llr", params.llr.len() == 256),
            ("llr_min", params.llr_min < params.llr_max),
            (
                "on",
                params.on.iter().all(|on| (params.llr_min..=params.llr_max).contains(on) && *on > params.off),
            ),
            ("off", (params.llr_min..=params.llr_max).contains(&params.off)),
            ("back_max_windows", params.back_max_windows <= 60),
            ("period_default_ds", (1..=6_000).contains(&params.period_default_ds)),
            ("hold_square", params.hold_square <= 1_000_000),
            ("hold_min_ds", params.hold_min_ds <= params.hold_max_ds),
            ("hold_max_ds", params.hold_max_ds <= 6_000),
            ("steady_below_pm", params.steady_below_pm <= 1_000),
            ("steady_hold_ds", params.steady_hold_ds <= 6_000),
            ("steady_hold_pm", params.steady_hold_pm <= 100_000),
            ("dead_pm", params.dead_pm <= 100_000),
            ("dead_bridge_ds", params.dead_bridge_ds <= 6_000),
            ("forget_quiet_ds", params.forget_quiet_ds <= 36_000),
        ];
        match checks.iter().find(|(_, valid)| !valid) {
            Some((name, _)) => Err(ParamsError::Field(name)),
            None => Ok(params),
        }
    }

    /// The belief that begins a session.
    pub(super) fn on(&self, sensitivity: Sensitivity) -> i32 {
        match sensitivity {
            Sensitivity::Low => self.on[0],
            Sensitivity::Normal => self.on[1],
            Sensitivity::High => self.on[2],
        }
    }
}
