//! What was: the history by hour, day, week, month, year or any period, of everybody, a device or a profile.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ops::Range;

use serde_json::{Value, json};

use super::{Call, Failure, Host, failure, present};
use crate::account::Moved;
use crate::history::{Calendar, MAX_BUCKETS, OTHERS, Per, SessionRow};
use crate::net::ClientId;
use crate::os::store::{By, Database, StoreError};
use crate::quota::Who;

const DAY_S: i64 = 86_400;
/// Rows of an answer.
const MAX_ANSWER_ROWS: usize = 8_000;
/// Rows of a period unless asked for more.
const ROWS_PER_PERIOD: u64 = 50;

/// Seconds watched, by period and device.
pub(super) fn usage(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let (range, clients) = (range(host, call)?, clients(host, call)?);
    let per = per_days(call)?.unwrap_or(Per::Day);
    let calendar = host.house().calendar();
    let mut sums: BTreeMap<(i64, String), u64> = BTreeMap::new();
    for row in database(host)?.usage(days(calendar, &range)).map_err(|error| unreadable(&error))? {
        if clients.as_ref().is_none_or(|clients| clients.contains(&row.client)) {
            let start_s = match per {
                Per::Total => range.start,
                per => calendar.period(per, calendar.begins(row.day)).start,
            };
            *sums.entry((start_s, row.client)).or_default() += u64::from(row.used_s);
        }
    }
    let total_s: u64 = sums.values().sum();
    let rows = sums.into_iter().take(MAX_ANSWER_ROWS).map(|((start_s, client), used_s)| {
        json!({
            "period": calendar.name(per, start_s),
            "day": calendar.day_of(start_s).to_string(),
            "name": name_of(host, &client),
            "client": client,
            "used_s": used_s,
        })
    });
    Ok(json!({ "usage": rows.collect::<Vec<_>>(), "total_s": total_s }))
}

/// Sessions that began in a range.
pub(super) fn sessions(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let (range, clients) = (range(host, call)?, clients(host, call)?);
    let limit = limit(call, MAX_ANSWER_ROWS as u64)?;
    let mut rows = database(host)?.sessions(&range).map_err(|error| unreadable(&error))?;
    rows.retain(|row| clients.as_ref().is_none_or(|clients| clients.contains(&row.client)));
    let more = rows.len().saturating_sub(limit);
    let shown = |row: &SessionRow| {
        let mut shown = json!(row);
        shown["name"] = json!(name_of(host, &row.client));
        shown["start"] = json!(host.house().calendar().stamp(row.start_s));
        shown
    };
    // The latest are wanted most.
    let rows: Vec<Value> = rows[more..].iter().map(shown).collect();
    Ok(json!({ "sessions": rows, "more": more }))
}

/// Bytes by period, and by device, service, protocol or address.
pub(super) fn traffic(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let (range, clients) = (range(host, call)?, clients(host, call)?);
    let limit = limit(call, ROWS_PER_PERIOD)?;
    let per = per(call)?.unwrap_or(if range.end - range.start <= 3 * DAY_S { Per::Hour } else { Per::Day });
    let word = call.param("by").map_or(Ok("client"), |_| call.text("by"))?;
    let of = clients.as_deref();
    if word == "all" {
        return listed(host, &range, of);
    }
    let series = match word {
        "client" => summed(host, By::Client, (&range, per), of)?,
        "service" => summed(host, By::Service, (&range, per), of)?,
        "protocol" => summed(host, By::Protocol, (&range, per), of)?,
        "peer" => peers(host, (&range, per_days(call)?.unwrap_or(Per::Day)), of)?,
        _ => return Err(failure("bad_params", "by is none of client, service, protocol, peer, all")),
    };
    let calendar = host.house().calendar();
    let mut rows = Vec::new();
    for (period, sums) in series {
        for (what, moved) in top(sums, limit) {
            if rows.len() == MAX_ANSWER_ROWS {
                return Err(failure("bad_params", "too many rows: choose longer periods or a smaller limit"));
            }
            let name = if word == "client" { name_of(host, &what) } else { None };
            let is_day = per < Per::Day && period.end - period.start > 3_600;
            let mut row = json!({
                "period": calendar.name(if is_day { Per::Day } else { per }, period.start),
                "start_s": period.start,
                "end_s": period.end,
                "name": name,
                "up_bytes": moved.up,
                "down_bytes": moved.down,
            });
            row[word] = json!(what);
            rows.push(row);
        }
    }
    let since_s = if per == Per::Minute { host.house().minutes().since_s() } else { None };
    let source = host.house().bytes_from().as_str();
    Ok(json!({ "traffic": rows, "minutes_since_s": since_s, "bytes_from": source }))
}

/// The rows themselves: hours, and days of which the hours are gone, by device, service and protocol.
fn listed(host: &dyn Host, range: &Range<i64>, clients: Option<&[String]>) -> Result<Value, Failure> {
    let mut rows = database(host)?.traffic(range).map_err(|error| unreadable(&error))?;
    rows.retain(|row| clients.is_none_or(|clients| clients.contains(&row.client)));
    if rows.len() > MAX_ANSWER_ROWS {
        return Err(failure("bad_params", "too many rows: choose a shorter time"));
    }
    let shown = rows.iter().map(|row| {
        let mut shown = json!(row);
        shown["name"] = json!(name_of(host, &row.client));
        shown["start"] = json!(host.house().calendar().stamp(row.start_s));
        shown
    });
    Ok(json!({ "traffic": shown.collect::<Vec<_>>() }))
}

/// Seconds watched, sessions and bytes, by period and device.
pub(super) fn history(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let (range, clients) = (range(host, call)?, clients(host, call)?);
    let per = per_days(call)?.unwrap_or(Per::Day);
    let calendar = host.house().calendar();
    let database = database(host)?;
    let unreadable = |error: StoreError| unreadable(&error);
    let is_wanted = |client: &String| clients.as_ref().is_none_or(|clients| clients.contains(client));
    let start_of = |at_s: i64| if per == Per::Total { range.start } else { calendar.period(per, at_s).start };
    let mut lines: BTreeMap<(i64, String), (u64, u64, Moved)> = BTreeMap::new();
    for row in database.usage(days(calendar, &range)).map_err(unreadable)? {
        if is_wanted(&row.client) {
            let line = lines.entry((start_of(calendar.begins(row.day)), row.client)).or_default();
            line.0 += u64::from(row.used_s);
        }
    }
    for row in database.sessions(&range).map_err(unreadable)? {
        if is_wanted(&row.client) {
            lines.entry((start_of(row.start_s), row.client)).or_default().1 += 1;
        }
    }
    for (period, sums) in summed(host, By::Client, (&range, per), clients.as_deref())? {
        for (client, moved) in sums {
            let line = lines.entry((start_of(period.start), client)).or_default();
            line.2 += moved;
        }
    }
    let rows =
        lines.into_iter().take(MAX_ANSWER_ROWS).map(|((start_s, client), (used_s, sessions, moved))| {
            json!({
                "period": calendar.name(per, start_s),
                "day": calendar.day_of(start_s).to_string(),
                "name": name_of(host, &client),
                "client": client,
                "used_s": used_s,
                "sessions": sessions,
                "up_bytes": moved.up,
                "down_bytes": moved.down,
            })
        });
    Ok(json!({ "history": rows.collect::<Vec<_>>() }))
}

/// The periods of a range.
pub(super) fn periods(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let (range, per) = (range(host, call)?, per(call)?.unwrap_or(Per::Day));
    let calendar = host.house().calendar();
    let periods = calendar.periods(per, &range).ok_or_else(too_many)?;
    let shown = periods.iter().map(|period| {
        json!({ "period": calendar.name(per, period.start), "start_s": period.start, "end_s": period.end })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(json!({ "from_s": range.start, "to_s": range.end, "periods": shown }))
}

fn too_many() -> Failure {
    failure("bad_params", format!("more than {MAX_BUCKETS} periods: choose longer ones"))
}

/// A period and what moved in it.
type Sums = (Range<i64>, BTreeMap<String, Moved>);

/// Traffic by period: of minutes from memory, else from the database.
fn summed(
    host: &dyn Host,
    by: By,
    (range, per): (&Range<i64>, Per),
    clients: Option<&[String]>,
) -> Result<Vec<Sums>, Failure> {
    let calendar = host.house().calendar();
    if per == Per::Minute {
        return Ok(minutes(host, by, range, clients));
    }
    let mut periods = calendar.periods(per, range).ok_or_else(too_many)?;
    let database = database(host)?;
    if per == Per::Hour {
        // Days whose hours are gone are shown whole.
        for day in database.whole_days(range).map_err(|error| unreadable(&error))? {
            let span = calendar.span(day);
            if let Some(at) = periods.iter().position(|hour| span.contains(&hour.start)) {
                periods.retain(|hour| !span.contains(&hour.start));
                periods.insert(at, span);
            }
        }
    }
    let series = database.series(&periods, by, clients).map_err(|error| unreadable(&error))?;
    Ok(periods.into_iter().zip(series).filter(|(_, sums)| !sums.is_empty()).collect())
}

fn minutes(host: &dyn Host, by: By, range: &Range<i64>, clients: Option<&[String]>) -> Vec<Sums> {
    let mut series: BTreeMap<i64, BTreeMap<String, Moved>> = BTreeMap::new();
    host.house().minutes().each(range, |start_s, [client, service, protocol], moved| {
        if clients.is_none_or(|clients| clients.iter().any(|wanted| wanted == client)) {
            let key = match by {
                By::Client => client,
                By::Service => service,
                By::Protocol => protocol,
            };
            *series.entry(start_s).or_default().entry(key.to_owned()).or_default() += moved;
        }
    });
    series.into_iter().map(|(start_s, sums)| (start_s..start_s + 60, sums)).collect()
}

/// The largest addresses of each period; what all of them moved beyond that is the rest.
fn peers(
    host: &dyn Host,
    (range, per): (&Range<i64>, Per),
    clients: Option<&[String]>,
) -> Result<Vec<Sums>, Failure> {
    let calendar = host.house().calendar();
    let mut series = Vec::new();
    for (period, all) in summed(host, By::Client, (range, per), clients)? {
        let days = days(calendar, &period);
        let mut sums = database(host)?.peers(&days, clients).map_err(|error| unreadable(&error))?;
        let mut rest = Moved::default();
        all.values().for_each(|moved| rest += *moved);
        for moved in sums.values() {
            rest.up = rest.up.saturating_sub(moved.up);
            rest.down = rest.down.saturating_sub(moved.down);
        }
        if !rest.is_zero() {
            sums.insert(OTHERS.to_owned(), rest);
        }
        series.push((period, sums));
    }
    Ok(series)
}

/// The largest of a period, most first, and the sum of the others at the end.
fn top(sums: BTreeMap<String, Moved>, limit: usize) -> Vec<(String, Moved)> {
    let mut rest = Moved::default();
    let mut rows: Vec<(String, Moved)> = Vec::new();
    for (what, moved) in sums {
        if what == OTHERS { rest += moved } else { rows.push((what, moved)) }
    }
    rows.sort_by_key(|(_, moved)| std::cmp::Reverse(moved.total()));
    rows.drain(limit.min(rows.len())..).for_each(|(_, moved)| rest += moved);
    if !rest.is_zero() {
        rows.push((OTHERS.to_owned(), rest));
    }
    rows
}

/// The days that a range touches.
fn days(calendar: &Calendar, range: &Range<i64>) -> Range<crate::time::LocalDay> {
    calendar.day_of(range.start)..calendar.day_of(range.end.max(range.start + 1) - 1).plus(1)
}

fn name_of(host: &dyn Host, client: &str) -> Option<String> {
    client.parse::<ClientId>().ok().and_then(|client| host.house().name_of(client))
}

pub(super) fn database(host: &dyn Host) -> Result<&Database, Failure> {
    host.database().ok_or_else(|| failure("no_history", "the database cannot be opened; see doctor"))
}

pub(super) fn unreadable(error: &StoreError) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    failure("history", format!("{error}{cause}"))
}

fn limit(call: &Call<'_>, default: u64) -> Result<usize, Failure> {
    let limit = call.number("limit")?.unwrap_or(default);
    Ok(usize::try_from(limit).unwrap_or(MAX_ANSWER_ROWS).clamp(1, MAX_ANSWER_ROWS))
}

fn per(call: &Call<'_>) -> Result<Option<Per>, Failure> {
    if call.param("per").is_none() {
        return Ok(None);
    }
    let words = "per is none of minute, hour, day, week, month, year, total";
    call.text("per")?.parse().map(Some).map_err(|()| failure("bad_params", words))
}

/// A period of what is kept by day.
fn per_days(call: &Call<'_>) -> Result<Option<Per>, Failure> {
    match per(call)? {
        Some(per) if per < Per::Day => {
            Err(failure("bad_params", "this is kept by day: per is one of day, week, month, year, total"))
        }
        per => Ok(per),
    }
}

/// Whose history is asked for; `None` is everybody's.
fn clients(host: &dyn Host, call: &Call<'_>) -> Result<Option<Vec<String>>, Failure> {
    if call.param("who").is_none() {
        return Ok(None);
    }
    Ok(match present::who(host.house(), call)? {
        Who::All => None,
        Who::Client(client) => Some(whole_device(host, client).iter().map(ClientId::to_string).collect()),
        Who::Profile(id) => {
            let settings = host.house().ledger().settings();
            let mut clients = database(host)?.clients().map_err(|error| unreadable(&error))?;
            clients.retain(|client| {
                let profile = client.parse().ok().and_then(|client| settings.profile_of(client));
                profile.is_some_and(|profile| profile.id == id)
            });
            Some(clients)
        }
    })
}

/// A client, and the other addresses of its device.
pub(super) fn whole_device(host: &dyn Host, client: ClientId) -> Vec<ClientId> {
    let device = host.house().ledger().settings().device(client);
    device.map_or_else(|| vec![client], |device| device.clients().collect())
}

/// `from` and `to` as [`Calendar::parse`] reads them; by default from a day ago to now.
pub(super) fn range(host: &dyn Host, call: &Call<'_>) -> Result<Range<i64>, Failure> {
    let now_s = host.wall_s(call.now);
    let bound = |key: &str, default: i64| match call.param(key) {
        None => Ok(default),
        Some(value) => {
            let text = value.as_i64().map(|secs| secs.to_string());
            let text = text.as_deref().or(value.as_str());
            let read = text.and_then(|text| host.house().calendar().parse(text, now_s));
            read.ok_or_else(|| failure("bad_params", format!("{key} is no date or time")))
        }
    };
    let range = bound("from", now_s - DAY_S)?..bound("to", now_s + DAY_S)?;
    if range.start >= range.end {
        return Err(failure("bad_params", "from is not before to"));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_the_rest_is_one_row() {
        let moved = |up| Moved { up, down: 1 };
        let sums: BTreeMap<String, Moved> = [("a", 5), ("b", 50), ("c", 20), (OTHERS, 7)]
            .map(|(what, up)| (what.to_owned(), moved(up)))
            .into();
        let rest = (OTHERS.to_owned(), Moved { up: 12, down: 2 });
        assert_eq!(top(sums.clone(), 2), [("b".to_owned(), moved(50)), ("c".to_owned(), moved(20)), rest]);
        let all: u64 = sums.values().map(Moved::total).sum();
        assert_eq!(top(sums, 1).iter().map(|(_, moved)| moved.total()).sum::<u64>(), all);
    }
}
