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
    /// What its method is asked for, one after the other.
    asks: Vec<Value>,
    sender: mpsc::Sender<Bytes>,
}

/// `export/usage.csv?from=&to=`.
pub(super) async fn serve(gateway: &Arc<Gateway>, file: &str, query: &str) -> Result<Answer, Answer> {
    let (what, ending) = file.rsplit_once('.').ok_or_else(no_such_page)?;
    let form: Form = ending.parse().map_err(|_| no_such_page())?;
    let table = Table::find(what).ok_or_else(no_such_page)?;
    let period = period(query)?;
    let mut name = format!("streamguard-{what}");
    let asks = match table.reach {
        Reach::Now if what == "flows" => vec![json!({ "limit": 1_000 })],
        Reach::Now => vec![period],
        Reach::Days => {
            let mut asked = period;
            asked["per"] = json!("day");
            let periods =
                gateway.upstream.value("periods", &asked).await.map_err(|trouble| trouble.answer())?;
            let days = periods["periods"].as_array().map_or(&[][..], Vec::as_slice);
            for day in [days.first(), days.last()].into_iter().flatten() {
                name = format!("{name}-{}", plain(day["period"].as_str().unwrap_or_default()));
            }
            table.days(&periods)
        }
    };
    let (sender, receiver) = mpsc::channel(4);
    let job = Job { table, form, asks, sender };
    // Asked before the first byte goes out: a refusal is a status, not a broken file.
    let first = job.answer(gateway, 0).await.map_err(|trouble| trouble.answer())?;
    tokio::spawn(job.send(Arc::clone(gateway), first));
    let response = stream(form.mime(), receiver);
    Ok(with(response, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}.{ending}\"")))
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

/// A period's name as part of a file's name.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(20).collect()
}

impl Job {
    async fn answer(&self, gateway: &Gateway, index: usize) -> Result<Value, Trouble> {
        let Some(params) = self.asks.get(index) else { return Ok(Value::Null) };
        gateway.upstream.value(self.table.method, params).await
    }

    async fn send(self, gateway: Arc<Gateway>, first: Value) {
        let mut text = String::new();
        let mut sheet = Sheet::begin(self.form, self.table, &mut text);
        let mut answer = first;
        for index in 0..self.asks.len() {
            if index > 0 {
                // What cannot be read any more ends the file where it is.
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
