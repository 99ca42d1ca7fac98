//! Attacks that were noticed: asked for, and acknowledged.

use serde_json::{Value, json};

use super::{Call, Failure, Host, failure, past};
use crate::detect::{Kind, Severity};
use crate::engine::house::House;
use crate::history::{Ack, AlertRow};
use crate::quota::Who;

/// An alert with the name of the device that it accuses, if it is one of ours.
pub(crate) fn shown(house: &House, row: &AlertRow) -> Value {
    let mut shown = json!(row);
    let name = house.who(&row.source).and_then(|who| match who {
        Who::Client(client) => house.name_of(client),
        Who::Profile(_) | Who::All => None,
    });
    shown["source_name"] = json!(name);
    shown["open"] = json!(row.is_open());
    shown
}

/// How bad an alert is.
pub(crate) fn severity_of(row: &AlertRow) -> Option<Severity> {
    severity(&row.severity)
}

/// Alerts that were last seen in a stretch of time, the latest first.
pub(super) fn alerts(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let range = past::range(host, call)?;
    let text = |key: &str| call.param(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("type").map(|name| Kind::from_name(name).ok_or_else(|| no_such("type", name)));
    let least = text("severity").map(|word| severity(word).ok_or_else(|| no_such("severity", word)));
    let (kind, least) = (kind.transpose()?, least.transpose()?);
    let only_open = call.switch("open")?;
    let mut rows: Vec<AlertRow> = host.house().incidents().rows().cloned().collect();
    rows.retain(|row| range.contains(&row.last_s));
    if let Some(database) = host.database() {
        let kept = database.alerts(&range).map_err(|error| past::unreadable(&error))?;
        let known: Vec<i64> = rows.iter().map(|row| row.id).collect();
        rows.extend(kept.into_iter().filter(|row| !known.contains(&row.id)));
    }
    rows.retain(|row| {
        kind.is_none_or(|kind| kind.name() == row.kind)
            && least.is_none_or(|least| severity_of(row) >= Some(least))
            && (!only_open || row.is_open())
    });
    rows.sort_by_key(|row| std::cmp::Reverse((row.last_s, row.id)));
    let shown: Vec<Value> = rows.iter().map(|row| shown(host.house(), row)).collect();
    Ok(json!({ "alerts": shown }))
}

/// Marks an alert as seen.
pub(super) fn ack(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let number = call.number("alert")?.and_then(|id| i64::try_from(id).ok());
    let id = number.ok_or_else(|| failure("bad_params", "alert is missing: its number"))?;
    let note = match call.param("note") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(failure("bad_params", "note is no text")),
    };
    let ack = Ack { note, settled: call.switch("resolve")? };
    let at_s = host.wall_s(call.now);
    let row = match host.house_mut().ack(id, &ack, at_s) {
        Some(row) => row,
        None => {
            let kept = host.database().map(|database| database.alert(id)).transpose();
            let kept = kept.map_err(|error| past::unreadable(&error))?.flatten();
            let mut row = kept.ok_or_else(|| no_such("alert", &id.to_string()))?;
            ack.mark(&mut row, at_s);
            row
        }
    };
    let shown = shown(host.house(), &row);
    host.keep_alert(row);
    host.acted(call.now);
    Ok(json!({ "alert": shown }))
}

fn no_such(what: &str, text: &str) -> Failure {
    failure("bad_params", format!("no {what} {text:?}"))
}

fn severity(word: &str) -> Option<Severity> {
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        .into_iter()
        .find(|severity| severity.name() == word)
}
