//! What was: rows of the database.

use std::error::Error as _;
use std::ops::Range;

use serde_json::{Value, json};

use super::{Call, Failure, Host, failure};
use crate::os::store::{Database, StoreError};
use crate::time::LocalDay;

const DAY_S: i64 = 86_400;

pub(super) fn usage(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let range = range(host, call)?;
    let day = |secs: i64| LocalDay::from_days(i32::try_from(secs.div_euclid(DAY_S)).unwrap_or(0));
    let days = day(range.start)..day(range.end);
    let rows = database(host)?.usage(days).map_err(|error| unreadable(&error))?;
    let named = rows.iter().map(|row| {
        let name = row.client.parse().ok().and_then(|client| host.house().name_of(client));
        json!({ "day": row.day.to_string(), "client": row.client, "name": name, "used_s": row.used_s })
    });
    Ok(json!({ "usage": named.collect::<Vec<_>>() }))
}

pub(super) fn sessions(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let rows = database(host)?.sessions(&range(host, call)?);
    Ok(json!({ "sessions": rows.map_err(|error| unreadable(&error))? }))
}

pub(super) fn traffic(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let rows = database(host)?.traffic(&range(host, call)?);
    Ok(json!({ "traffic": rows.map_err(|error| unreadable(&error))? }))
}

fn database(host: &dyn Host) -> Result<&Database, Failure> {
    host.database().ok_or_else(|| failure("no_history", "the database cannot be opened; see doctor"))
}

pub(super) fn unreadable(error: &StoreError) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    failure("history", format!("{error}{cause}"))
}

/// `from` and `to` as dates (YYYY-MM-DD) or seconds; by default the last day.
pub(super) fn range(host: &dyn Host, call: &Call<'_>) -> Result<Range<i64>, Failure> {
    let wall_s = host.wall_s(call.now);
    let bound = |key: &str, default: i64| match call.param(key) {
        None => Ok(default),
        Some(value) => instant(value).ok_or_else(|| failure("bad_params", format!("{key} is no date"))),
    };
    Ok(bound("from", wall_s - DAY_S)?..bound("to", wall_s + DAY_S)?)
}

/// A date or seconds since the epoch.
fn instant(value: &Value) -> Option<i64> {
    if let Some(secs) = value.as_i64() {
        return Some(secs);
    }
    let text = value.as_str()?;
    if let Ok(secs) = text.parse() {
        return Some(secs);
    }
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year: i32 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    Some(i64::from(LocalDay::from_ymd(year, month, day).as_days()) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dates_or_seconds() {
        assert_eq!(instant(&json!("1970-01-02")), Some(86_400));
        assert_eq!(instant(&json!(5)), Some(5));
        assert_eq!(instant(&json!("5")), Some(5));
        for bad in [json!("tomorrow"), json!("2026-13-01"), json!("2026-01"), json!([]), json!("99999-01-01")]
        {
            assert_eq!(instant(&bad), None, "{bad}");
        }
    }
}
