//! The verbs that ask for what was: thin callers, and tables of the answers.

use std::io::{self, Write};

use argh::FromArgs;
use serde_json::{Value, json};

use super::ask::Question;
use super::shown::{bytes, duration, name, number, text};

/// Watch time by device and period.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "usage")]
pub(super) struct UsageArgs {
    /// from this date, time, second, or word: today, yesterday, week, month, year, 7d, 24h
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive
    #[argh(option)]
    to: Option<String>,
    /// period: day (default), week, month, year, total
    #[argh(option)]
    per: Option<String>,
    /// only this device (name, MAC, address) or profile
    #[argh(option)]
    who: Option<String>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl UsageArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "usage",
            json!({ "from": self.from, "to": self.to, "per": self.per, "who": self.who }),
            self.json,
        )
    }
}

/// Sessions: who watched from when to when.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "sessions")]
pub(super) struct SessionsArgs {
    /// from this date, time, second, or word: today, yesterday, week, month, year, 7d, 24h
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive
    #[argh(option)]
    to: Option<String>,
    /// only this device (name, MAC, address) or profile
    #[argh(option)]
    who: Option<String>,
    /// at most so many rows
    #[argh(option)]
    limit: Option<u64>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl SessionsArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "sessions",
            json!({ "from": self.from, "to": self.to, "who": self.who, "limit": self.limit }),
            self.json,
        )
    }
}

/// Bytes by period and device, service, protocol or address.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "traffic")]
pub(super) struct TrafficArgs {
    /// from this date, time, second, or word: today, yesterday, week, month, year, 7d, 24h
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive
    #[argh(option)]
    to: Option<String>,
    /// period: minute, hour, day, week, month, year, total
    #[argh(option)]
    per: Option<String>,
    /// only this device (name, MAC, address) or profile
    #[argh(option)]
    who: Option<String>,
    /// told apart by client, service, protocol or peer
    #[argh(option)]
    by: Option<String>,
    /// at most so many rows
    #[argh(option)]
    limit: Option<u64>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl TrafficArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "traffic",
            json!({ "from": self.from, "to": self.to, "per": self.per, "who": self.who, "by": self.by, "limit": self.limit }),
            self.json,
        )
    }
}

/// Watch time, sessions and bytes by device and period.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "history")]
pub(super) struct HistoryArgs {
    /// from this date, time, second, or word: today, yesterday, week, month, year, 7d, 24h
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive
    #[argh(option)]
    to: Option<String>,
    /// period: day (default), week, month, year, total
    #[argh(option)]
    per: Option<String>,
    /// only this device (name, MAC, address) or profile
    #[argh(option)]
    who: Option<String>,
    /// as JSON
    #[argh(switch)]
    json: bool,
}

impl HistoryArgs {
    pub(super) fn question(&self) -> Question {
        Question::new(
            "history",
            json!({ "from": self.from, "to": self.to, "per": self.per, "who": self.who }),
            self.json,
        )
    }
}

/// Prints an answer of these methods; `false` if it is of none.
pub(super) fn answer(out: &mut impl Write, method: &str, answer: &Value) -> io::Result<bool> {
    let rows = || answer.get(method).and_then(Value::as_array).into_iter().flatten();
    if matches!(method, "usage" | "history" | "sessions" | "traffic") && rows().next().is_none() {
        writeln!(out, "nothing in this time")?;
        return Ok(true);
    }
    match method {
        "usage" => {
            writeln!(out, "{:<26} {:<24} {:>9}", "PERIOD", "DEVICE", "WATCHED")?;
            for row in rows() {
                let (period, used) = (text(row, "period"), duration(number(row, "used_s")));
                writeln!(out, "{period:<26} {:<24} {used:>9}", name(row))?;
            }
        }
        "history" => {
            writeln!(
                out,
                "{:<12} {:<24} {:>9} {:>8} {:>11} {:>11}",
                "PERIOD", "DEVICE", "WATCHED", "SESSIONS", "DOWN", "UP"
            )?;
            for row in rows() {
                let (period, used) = (text(row, "period"), duration(number(row, "used_s")));
                let (up, down) = (bytes(number(row, "up_bytes")), bytes(number(row, "down_bytes")));
                let sessions = number(row, "sessions");
                writeln!(out, "{period:<12} {:<24} {used:>9} {sessions:>8} {down:>11} {up:>11}", name(row))?;
            }
        }
        "sessions" => {
            for row in rows() {
                let services = text(row, "services");
                let watched = duration(number(row, "watch_s"));
                writeln!(out, "{}  {:<24} {watched:>9}  {services}", text(row, "start"), name(row))?;
            }
        }
        "traffic" => {
            writeln!(out, "{:<26} {:<36} {:>11} {:>11}", "PERIOD", "WHAT", "DOWN", "UP")?;
            for row in rows() {
                let (up, down) = (bytes(number(row, "up_bytes")), bytes(number(row, "down_bytes")));
                writeln!(out, "{:<26} {:<36} {down:>11} {up:>11}", text(row, "period"), what(row))?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What a row of traffic is of: a named device, or else what it says.
fn what(row: &Value) -> String {
    match ["service", "protocol", "peer"].iter().find(|key| row.get(**key).is_some()) {
        Some(key) if row[*key] == "" => "(unnamed)".to_owned(),
        Some(key) => text(row, key),
        None => name(row),
    }
}
