//! What happened to quotas, in the words a parent would use. The shell logs these, shows them and runs hooks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Standing;
use crate::net::ClientId;
use crate::time::{LocalDay, Moment};

/// Whom an action or an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// One client.
    Client(ClientId),
    /// All devices of a profile.
    Profile(String),
    /// Everybody.
    All,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// To whom.
    pub who: Who,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// Little time is left.
    Warned {
        /// Seconds.
        left_s: u32,
    },
    /// The quota is used up, the cut comes soon.
    Grace {
        /// Seconds.
        left_s: u32,
    },
    /// Something is cut from now on.
    Blocked {
        /// Why, and until when.
        standing: Standing,
    },
    /// Nothing is cut any more.
    Released {
        /// How it stands now.
        standing: Standing,
    },
    /// Today's quota was raised.
    Granted {
        /// By so many minutes.
        minutes: u16,
    },
    /// Today's grants were taken back.
    Revoked,
    /// Everything is cut until resumed.
    Paused {
        /// For so many minutes, or until the next reset.
        minutes: Option<u16>,
    },
    /// The pause is over.
    Resumed,
    /// Usage was set to zero by hand.
    UsageReset,
    /// A new quota day began.
    DayBegan {
        /// Its name.
        day: LocalDay,
    },
    /// The clock went back by more than a day; the day was named anew, usage stays.
    DayRenamed {
        /// Its name.
        day: LocalDay,
    },
    /// The state of today could not be read; what was used since then is forgotten.
    StateLost {
        /// What was wrong with it.
        reason: String,
    },
    /// More devices than there is room for; further ones share one budget.
    Overflowing,
}

impl fmt::Display for What {
    /// One line, without names of sites.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warned { left_s } => write!(f, "{left_s} s left"),
            Self::Grace { left_s } => write!(f, "quota used up, {left_s} s of grace"),
            Self::Blocked { standing } => write!(f, "blocked, {standing}"),
            Self::Released { standing } => write!(f, "released, {standing}"),
            Self::Granted { minutes } => write!(f, "{minutes} minutes granted"),
            Self::Revoked => f.write_str("grants taken back"),
            Self::Paused { minutes: Some(minutes) } => write!(f, "paused for {minutes} minutes"),
            Self::Paused { minutes: None } => f.write_str("paused"),
            Self::Resumed => f.write_str("resumed"),
            Self::UsageReset => f.write_str("usage set to zero"),
            Self::DayBegan { day } => write!(f, "quota day {day}"),
            Self::DayRenamed { day } => write!(f, "quota day renamed to {day}"),
            Self::StateLost { reason } => write!(f, "state lost: {reason}"),
            Self::Overflowing => f.write_str("more devices than there is room for"),
        }
    }
}

impl What {
    /// The event a change of standing is, if anybody cares.
    pub(super) fn of(from: &Standing, to: &Standing) -> Option<Self> {
        if !from.is_other_than(to) {
            return None;
        }
        match to {
            Standing::Exhausted { .. }
            | Standing::OutsideHours { .. }
            | Standing::Paused { .. }
            | Standing::Denied
            | Standing::Capped { .. } => Some(Self::Blocked { standing: to.clone() }),
            _ if from.is_restricted() => Some(Self::Released { standing: to.clone() }),
            Standing::Grace { left_s } => Some(Self::Grace { left_s: *left_s }),
            Standing::Warned { left_s } if from.rank() < to.rank() => Some(Self::Warned { left_s: *left_s }),
            Standing::Warned { .. } | Standing::Unlimited | Standing::Within { .. } | Standing::Exempt => {
                None
            }
        }
    }
}
