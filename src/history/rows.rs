//! What is kept, row by row.

use serde::{Serialize, Serializer};

use crate::time::LocalDay;

/// Seconds a client watched on a quota day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// The quota day.
    pub day: LocalDay,
    /// Who.
    pub client: String,
    /// Seconds.
    pub used_s: u32,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Who.
    pub client: String,
    /// Seconds since the epoch.
    pub start_s: i64,
    /// Seconds since the epoch.
    pub end_s: i64,
    /// Seconds counted.
    pub watch_s: u32,
    /// Names of services, most bytes first.
    pub services: Vec<String>,
    /// Servers with bytes, most first.
    pub servers: Vec<(String, u64)>,
}

/// Bytes of a client with a service in a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TrafficRow {
    /// How long the stretch is.
    pub stretch: Stretch,
    /// Seconds since the epoch.
    pub start_s: i64,
    /// Who.
    pub client: String,
    /// With which service; empty = unknown.
    pub service: String,
    /// By which protocol.
    pub protocol: String,
    /// Wire bytes sent.
    pub up_bytes: u64,
    /// Wire bytes received.
    pub down_bytes: u64,
}

/// Lengths of traffic rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s.
    Day,
}

impl Stretch {
    /// Its length by name; days and hours of the dial may be longer or shorter.
    pub const fn secs(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The inverse of [`Self::secs`].
    pub fn from_secs(secs: i64) -> Self {
        match secs {
            60 => Self::Minute,
            3_600 => Self::Hour,
            _ => Self::Day,
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertRow {
    /// Names it in `ack`.
    pub id: i64,
    /// One of the closed list.
    #[serde(rename = "type")]
    pub kind: String,
    /// low, medium, high, critical.
    pub severity: String,
    /// Who attacks.
    pub source: String,
    /// Whom.
    pub target: Option<String>,
    /// Seconds since the epoch.
    pub first_s: i64,
    /// Seconds since the epoch.
    pub last_s: i64,
    /// Over.
    pub closed: bool,
    /// What was counted: an object of numbers, as JSON.
    #[serde(serialize_with = "as_json")]
    pub evidence: String,
    /// What the second opinion says, if it has one: an object, as JSON.
    #[serde(serialize_with = "as_json_or_null")]
    pub opinion: Option<String>,
    /// When somebody acknowledged it.
    pub acked_s: Option<i64>,
    /// What they said.
    pub note: Option<String>,
    /// When somebody said that it needs no more attention.
    pub resolved_s: Option<i64>,
}

impl AlertRow {
    /// Whether it still asks for attention: it goes on, and nobody has settled it.
    pub fn is_open(&self) -> bool {
        !self.closed && self.resolved_s.is_none()
    }
}

/// Text that is JSON, as what it says.
fn as_json<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<serde_json::Value>(text).unwrap_or_default().serialize(to)
}

/// The same, where there may be none.
fn as_json_or_null<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    as_json(text.as_deref().unwrap_or("null"), to)
}

/// A stretch of time to ask for: from (inclusive) to (exclusive), seconds since the epoch.
pub type Range = std::ops::Range<i64>;
