//! Answers of the daemon as text for a terminal. Names come from the LAN and are hostile: what could move a cursor
//! or turn the direction of writing is shown as `?`.

use std::io::{self, Write};

use serde_json::Value;

use super::past;
use crate::dissect::hostname::is_visible;
use crate::time::WallTime;
use crate::units::Bytes;

/// Longest name shown.
const NAME_CHARS: usize = 24;

/// Text without what is not seen but acts on the rest.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|c| if is_visible(c) { c } else { '?' }).collect()
}

/// The beginning of a text, as much of it as a screen of so many columns and rows holds; the last row says what does
/// not fit.
pub(super) fn fit(text: &str, (columns, rows): (usize, usize)) -> String {
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(columns).collect()).collect();
    let room = rows.saturating_sub(1);
    if lines.len() <= room {
        return lines.join("\n") + "\n";
    }
    let shown = room.saturating_sub(1);
    let more: String = format!("… {} more", lines.len() - shown).chars().take(columns).collect();
    let shown = lines.into_iter().take(shown).chain([more]);
    shown.collect::<Vec<_>>().join("\n") + "\n"
}

/// How much a table of clients says.
#[derive(Clone, Copy)]
enum Table {
    /// Names, or addresses where there are none.
    Named,
    /// Both.
    Identified,
}

/// Prints an answer of a method.
pub(super) fn answer(out: &mut impl Write, method: &str, answer: &Value) -> io::Result<()> {
    match method {
        "status" => status(out, answer),
        "clients" => clients(out, answer, Table::Identified),
        "client" => client(out, answer),
        "grant" | "revoke" | "pause" | "resume" | "reset" => match answer.get("client") {
            Some(one) => client(out, one),
            None => clients(out, answer, Table::Named),
        },
        "alerts" => alerts(out, answer),
        "ack" => alert(out, answer.get("alert").unwrap_or(answer)),
        _ if past::answer(out, method, answer)? => Ok(()),
        _ => tree(out, answer, 0),
    }
}

fn alerts(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let all = answer.get("alerts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        return writeln!(out, "no alerts");
    }
    all.iter().try_for_each(|one| alert(out, one))
}

/// One alert, with what was counted on a second line.
fn alert(out: &mut impl Write, alert: &Value) -> io::Result<()> {
    let time = |key: &str| match alert.get(key).and_then(Value::as_i64) {
        Some(secs) => WallTime::from_secs(secs).to_string(),
        None => "—".into(),
    };
    let state = match (alert.get("open").and_then(Value::as_bool), alert.get("acked_s")) {
        (Some(true), _) => "open",
        (_, Some(Value::Number(_))) => "closed, seen",
        _ => "closed",
    };
    let target = alert.get("target").and_then(Value::as_str);
    let target = target.map_or_else(String::new, |target| format!(" -> {}", safe(target)));
    let source = match alert.get("source_name").and_then(Value::as_str) {
        Some(name) => format!("{} ({})", text(alert, "source"), safe(name)),
        None => text(alert, "source"),
    };
    writeln!(
        out,
        "{:>5}  {:<8} {:<16} {source}{target}  {} to {}, {state}",
        number(alert, "id"),
        text(alert, "severity"),
        text(alert, "type"),
        time("first_s"),
        time("last_s"),
    )?;
    write!(out, "       {}", alert.get("evidence").map_or_else(String::new, line))?;
    if let Some(opinion) = alert.get("opinion").filter(|opinion| opinion.is_object()) {
        write!(out, "; opinion: {}", line(opinion))?;
    }
    if let Some(note) = alert.get("note").and_then(Value::as_str) {
        write!(out, "  note: {}", safe(note))?;
    }
    writeln!(out)
}

fn status(out: &mut impl Write, status: &Value) -> io::Result<()> {
    writeln!(
        out,
        "streamguard {}, {}, up {}; clock {}; enforcement {}",
        text(status, "version"),
        text(status, "mode"),
        duration(number(status, "uptime_s")),
        text(status, "clock"),
        text(status, "enforcement"),
    )?;
    if let Some(day) = status.get("day").and_then(Value::as_str) {
        writeln!(out, "quota day {day}, ends {}", text(status, "day_ends"))?;
    }
    if number(status, "findings") > 0 {
        writeln!(
            out,
            "findings in the configuration, see streamguard check: {}",
            number(status, "findings")
        )?;
    }
    if status.get("learning") == Some(&Value::Bool(true)) {
        writeln!(out, "learning (option learn_days): nothing is blocked yet")?;
    }
    if status.get("measurable") == Some(&Value::Bool(false)) {
        writeln!(out, "watch time is not measurable: hardware forwards past the capture")?;
    }
    for plan in status.get("plans").and_then(Value::as_array).into_iter().flatten() {
        let (used, limit) = (bytes(number(plan, "used_bytes")), bytes(number(plan, "limit_bytes")));
        writeln!(out, "plan {}: {used} of {limit}, ends {}", text(plan, "plan"), text(plan, "ends"))?;
    }
    writeln!(out)?;
    clients(out, status, Table::Named)
}

fn clients(out: &mut impl Write, answer: &Value, table: Table) -> io::Result<()> {
    let address = |address: &str| match table {
        Table::Named => String::new(),
        Table::Identified => format!(" {address:<17}"),
    };
    let (device, address_is) = ("DEVICE", address("ADDRESS"));
    writeln!(out, "{device:<24}{address_is} {:>8} {:>8} {:>8}  STANDING", "USED", "QUOTA", "LEFT")?;
    for one in answer.get("clients").and_then(Value::as_array).into_iter().flatten() {
        let time = |key: &str| match one.get(key).and_then(Value::as_u64) {
            Some(seconds) => duration(seconds),
            None => "—".into(),
        };
        let name: String = name(one).chars().take(NAME_CHARS).collect();
        let (used, quota, left) = (time("used_s"), time("quota_s"), time("left_s"));
        let (address, standing) = (address(&text(one, "client")), text(one, "standing"));
        writeln!(out, "{name:<24}{address} {used:>8} {quota:>8} {left:>8}  {standing}")?;
    }
    Ok(())
}

fn client(out: &mut impl Write, one: &Value) -> io::Result<()> {
    writeln!(out, "{}: {}", name(one), text(one, "standing"))?;
    let mut one = one.clone();
    if let Some(nanos) = one.get("until").and_then(Value::as_i64) {
        one["until"] = Value::String(WallTime::from_nanos(nanos).to_string());
    }
    tree(out, &one, 1)
}

/// Anything else, as indented `key: value` lines.
fn tree(out: &mut impl Write, value: &Value, depth: usize) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match inner {
                    Value::Object(fields) if !fields.is_empty() => {
                        writeln!(out, "{indent}{key}:")?;
                        tree(out, inner, depth + 1)?;
                    }
                    Value::Array(items) if items.iter().any(Value::is_object) => {
                        writeln!(out, "{indent}{key}:")?;
                        for item in items {
                            writeln!(out, "{indent}  {}", line(item))?;
                        }
                    }
                    _ => writeln!(out, "{indent}{key}: {}", line(inner))?,
                }
            }
            Ok(())
        }
        _ => writeln!(out, "{indent}{}", line(value)),
    }
}

/// A value on one line.
fn line(value: &Value) -> String {
    match value {
        Value::Null => "—".into(),
        Value::String(text) => safe(text),
        Value::Array(items) => items.iter().map(line).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let shown = fields.iter().map(|(key, value)| format!("{key}={}", line(value)));
            shown.collect::<Vec<_>>().join("  ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

pub(super) fn name(one: &Value) -> String {
    let named = one.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    safe(named.or_else(|| one.get("client").and_then(Value::as_str)).unwrap_or("?"))
}

pub(super) fn text(value: &Value, key: &str) -> String {
    value.get(key).map_or_else(|| "—".into(), line)
}

pub(super) fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// `12.3 MB`, decimal.
pub(super) fn bytes(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

/// `1:05:09` or `5:09`.
pub(super) fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clients_are_a_table_and_hostile_names_stay_in_their_cell() {
        let clients = json!({ "clients": [
            { "client": "02:00:00:00:00:01", "name": "Tablet\u{1b}[2J\u{202e}", "used_s": 3_909, "quota_s": 5_400, "left_s": 1_491,
              "standing": "within" },
            { "client": "02:00:00:00:00:02", "name": null, "used_s": 0, "quota_s": null, "left_s": null,
              "standing": "unlimited" },
        ] });
        let mut out = Vec::new();
        answer(&mut out, "clients", &clients).unwrap();
        let expected = "\
DEVICE                   ADDRESS               USED    QUOTA     LEFT  STANDING
Tablet?[2J?              02:00:00:00:00:01  1:05:09  1:30:00    24:51  within
02:00:00:00:00:02        02:00:00:00:00:02     0:00        —        —  unlimited
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_status_says_why_nothing_is_blocked_or_measured() {
        let status = json!({
            "version": "1", "mode": "enforce", "clock": "synchronised", "enforcement": "in force", "uptime_s": 61,
            "learning": true, "measurable": false, "clients": [],
            "plans": [{ "plan": "guest", "used_bytes": 1_500_000, "limit_bytes": 2_000_000, "ends": null }],
        });
        let mut out = Vec::new();
        answer(&mut out, "status", &status).unwrap();
        let expected = "\
streamguard 1, enforce, up 1:01; clock synchronised; enforcement in force
learning (option learn_days): nothing is blocked yet
watch time is not measurable: hardware forwards past the capture
plan guest: 1.5 MB of 2.0 MB, ends —

DEVICE                       USED    QUOTA     LEFT  STANDING
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_end_of_a_restriction_is_a_date() {
        let one = json!({ "name": "Tablet", "standing": "paused", "until": 1_795_406_400_000_000_000_u64 });
        let mut out = Vec::new();
        answer(&mut out, "client", &one).unwrap();
        let expected = "Tablet: paused\n  name: Tablet\n  standing: paused\n  until: 2026-11-23T04:00:00Z\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_small_screen_shows_the_beginning_and_says_how_much_is_left_out() {
        let text = "status\n\nDEVICE                   USED\none\ntwo\nthree\n";
        assert_eq!(fit(text, (80, 24)), text);
        assert_eq!(fit(text, (20, 5)), "status\n\nDEVICE              \n… 3 more\n");
        assert_eq!(fit(text, (4, 2)), "… 6 \n");
        assert_eq!(fit(text, (0, 0)), "\n");
    }
}
