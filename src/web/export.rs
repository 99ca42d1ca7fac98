//! Rows as downloads: CSV for spreadsheets, JSON and NDJSON for programs.
//!
//! A period is asked for day by day and sent while it is asked, so that a year of traffic needs the memory of one
//! day. File names are made of our own words and the checked dates only.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Gateway;
use super::answer::{Answer, refusal, stream, with};
use super::query::{is_instant, pairs};
use super::route::no_such_page;
use super::upstream::Trouble;
use crate::report::export::{Form, Reach, Sheet, Table};

/// One export under way.
struct Job {
    table: &'static Table,
    form: Form,
    days: Vec<Value>,
    sender: mpsc::Sender<Bytes>,
}

/// `export/usage.csv?from=&to=`.
pub(super) async fn serve(gateway: &Arc<Gateway>, file: &str, query: &str) -> Result<Answer, Answer> {
    let (what, ending) = file.rsplit_once('.').ok_or_else(no_such_page)?;
    let form: Form = ending.parse().map_err(|_| no_such_page())?;
    let table = Table::find(what).ok_or_else(no_such_page)?;
    let period = period(query)?;
    let days = match table.reach {
        Reach::Days => days(gateway, &period).await.map_err(|trouble| trouble.answer())?,
        Reach::Now => vec![period.clone()],
    };
    let part = |index: Option<&Value>| index.and_then(|day| day["period"].as_str()).map(plain);
    let name = match (part(days.first()), part(days.last())) {
        (Some(first), Some(last)) => format!("streamguard-{what}-{first}-{last}.{ending}"),
        _ => format!("streamguard-{what}.{ending}"),
    };
    let (sender, receiver) = mpsc::channel(4);
    let job = Job { table, form, days, sender };
    // Asked before the first byte goes out: a refusal is a status, not a broken file.
    let first = job.answer(gateway, 0).await.map_err(|trouble| trouble.answer())?;
    tokio::spawn(job.send(Arc::clone(gateway), first));
    let response = stream(form.mime(), receiver);
    Ok(with(response, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\"")))
}

/// `from` and `to` as they were asked for; the service says what they mean.
fn period(query: &str) -> Result<Value, Answer> {
    let bad = |why: &str| refusal(StatusCode::BAD_REQUEST, "bad_params", why);
    let mut found = json!({});
    for (name, text) in pairs(query).map_err(|why| bad(&why))? {
        if !matches!(name.as_str(), "from" | "to") || !is_instant(&text) || found.get(&name).is_some() {
            return Err(bad("from and to, once each, are dates or times"));
        }
        found[name] = json!(text);
    }
    Ok(found)
}

/// The days of a period, as this household has them.
async fn days(gateway: &Gateway, period: &Value) -> Result<Vec<Value>, Trouble> {
    let mut asked = period.clone();
    asked["per"] = json!("day");
    let mut found = gateway.upstream.value("periods", &asked).await?;
    let bounds = (found["from_s"].as_i64(), found["to_s"].as_i64());
    let Some(Value::Array(mut days)) = found.get_mut("periods").map(Value::take) else {
        return Ok(Vec::new());
    };
    for day in &mut days {
        for (key, of, bound) in [("from", "start_s", bounds.0), ("to", "end_s", bounds.1)] {
            let at_s = day[of].as_i64().unwrap_or(0);
            let cut =
                bound.map_or(at_s, |bound| if key == "from" { at_s.max(bound) } else { at_s.min(bound) });
            day[key] = json!(cut.to_string());
        }
    }
    Ok(days)
}

/// A period's name as part of a file's name.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(20).collect()
}

impl Job {
    async fn answer(&self, gateway: &Gateway, index: usize) -> Result<Value, Trouble> {
        let Some(day) = self.days.get(index) else { return Ok(Value::Null) };
        let params = match (self.table.reach, self.table.method) {
            // Usage is of whole days.
            (Reach::Days, "usage") => {
                json!({ "from": day["start_s"].to_string(), "to": day["end_s"].to_string() })
            }
            (Reach::Days, "traffic") => json!({ "from": day["from"], "to": day["to"], "by": "all" }),
            (Reach::Days, _) => json!({ "from": day["from"], "to": day["to"] }),
            (Reach::Now, "flows") => json!({ "limit": 1_000 }),
            (Reach::Now, _) => day.clone(),
        };
        gateway.upstream.value(self.table.method, &params).await
    }

    async fn send(self, gateway: Arc<Gateway>, first: Value) {
        let mut text = String::new();
        let mut sheet = Sheet::begin(self.form, self.table, &mut text);
        let mut answer = first;
        for index in 0..self.days.len() {
            if index > 0 {
                // A day that cannot be read any more ends the file where it is.
                let Ok(next) = self.answer(&gateway, index).await else { break };
                answer = next;
            }
            for row in sheet.rows(&answer) {
                sheet.row(row, &mut text);
                if text.len() > 16 * 1024
                    && self.sender.send(Bytes::from(std::mem::take(&mut text))).await.is_err()
                {
                    return;
                }
            }
        }
        sheet.end(&mut text);
        // The browser may have left.
        let _ = self.sender.send(Bytes::from(text)).await;
    }
}
