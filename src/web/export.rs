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
use crate::report::csv::Cell;
use crate::time::WallTime;

/// What can be exported: the method, and its columns in CSV.
struct Kind {
    method: &'static str,
    columns: &'static [&'static str],
    period: Period,
}

/// Whether rows belong to a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Period {
    /// History: asked for day by day.
    Days,
    /// What is remembered of a time.
    Whole,
    /// What is there now.
    Now,
}

const KINDS: &[Kind] = &[
    Kind { method: "usage", columns: &["day", "client", "name", "used_s"], period: Period::Days },
    Kind {
        method: "sessions",
        columns: &["start", "end", "client", "name", "watch_s", "services", "servers"],
        period: Period::Days,
    },
    Kind {
        method: "traffic",
        columns: &["start", "stretch", "client", "name", "service", "protocol", "up_bytes", "down_bytes"],
        period: Period::Days,
    },
    Kind {
        method: "alerts",
        columns: &[
            "id", "kind", "severity", "source", "target", "first", "last", "closed", "evidence", "acked",
            "note",
        ],
        period: Period::Days,
    },
    Kind {
        method: "windows",
        columns: &["start", "client", "name", "score", "streaming"],
        period: Period::Whole,
    },
    Kind {
        method: "flows",
        columns: &["proto", "orig", "resp", "bytes_orig", "bytes_resp"],
        period: Period::Now,
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
    Ndjson,
}

/// One export under way.
struct Job {
    kind: &'static Kind,
    format: Format,
    days: Vec<Value>,
    names: Value,
    sender: mpsc::Sender<Bytes>,
}

/// `export/usage.csv?from=&to=`.
pub(super) async fn serve(gateway: &Arc<Gateway>, file: &str, query: &str) -> Result<Answer, Answer> {
    let (what, ending) = file.rsplit_once('.').ok_or_else(no_such_page)?;
    let (format, mime) = match ending {
        "csv" => (Format::Csv, "text/csv; charset=utf-8"),
        "json" => (Format::Json, "application/json"),
        "ndjson" => (Format::Ndjson, "application/x-ndjson"),
        _ => return Err(no_such_page()),
    };
    let kind = KINDS.iter().find(|kind| kind.method == what).ok_or_else(no_such_page)?;
    let period = period(query)?;
    // Asked before the first byte goes out: a refusal is a status, not a broken file.
    let clients = gateway.upstream.value("clients", &json!({})).await.map_err(|trouble| trouble.answer())?;
    let days = match kind.period {
        Period::Days => days(gateway, &period).await.map_err(|trouble| trouble.answer())?,
        Period::Whole | Period::Now => vec![period.clone()],
    };
    let part = |index: Option<&Value>| index.and_then(|day| day["period"].as_str()).map(plain);
    let name = match (part(days.first()), part(days.last())) {
        (Some(first), Some(last)) => format!("streamguard-{what}-{first}-{last}.{ending}"),
        _ => format!("streamguard-{what}.{ending}"),
    };
    let (sender, receiver) = mpsc::channel(4);
    let job = Job { kind, format, days, names: clients, sender };
    let first = job.rows(gateway, 0).await.map_err(|trouble| trouble.answer())?;
    tokio::spawn(job.send(Arc::clone(gateway), first));
    let response = stream(mime, receiver);
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
    async fn rows(&self, gateway: &Gateway, index: usize) -> Result<Vec<Value>, Trouble> {
        let Some(day) = self.days.get(index) else { return Ok(Vec::new()) };
        let params = match (self.kind.period, self.kind.method) {
            // Usage is of whole days.
            (Period::Days, "usage") => {
                json!({ "from": day["start_s"].to_string(), "to": day["end_s"].to_string() })
            }
            (Period::Days, "traffic") => json!({ "from": day["from"], "to": day["to"], "by": "all" }),
            (Period::Days, _) => json!({ "from": day["from"], "to": day["to"] }),
            (Period::Whole, _) => day.clone(),
            (Period::Now, _) => json!({ "limit": 1_000 }),
        };
        let mut found = gateway.upstream.value(self.kind.method, &params).await?;
        Ok(match found.get_mut(self.kind.method).map(Value::take) {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        })
    }

    async fn send(self, gateway: Arc<Gateway>, first: Vec<Value>) {
        let head = match self.format {
            Format::Csv => self.kind.columns.join(",") + "\r\n",
            Format::Json => "[".into(),
            Format::Ndjson => String::new(),
        };
        let mut text = head;
        let mut sent_rows = 0_u64;
        let mut rows = first;
        for index in 0..self.days.len() {
            if index > 0 {
                // A day that cannot be read any more ends the file where it is.
                let Ok(next) = self.rows(&gateway, index).await else { break };
                rows = next;
            }
            for row in rows.drain(..) {
                self.write(&mut text, row, sent_rows);
                sent_rows += 1;
                if text.len() > 16 * 1024
                    && self.sender.send(Bytes::from(std::mem::take(&mut text))).await.is_err()
                {
                    return;
                }
            }
        }
        if self.format == Format::Json {
            text.push_str("\n]\n");
        }
        // The browser may have left.
        let _ = self.sender.send(Bytes::from(text)).await;
    }

    fn write(&self, text: &mut String, mut row: Value, number: u64) {
        if row.get("name").is_none()
            && let Some(name) = row.get("client").and_then(|client| self.name_of(client))
        {
            row["name"] = name;
        }
        match self.format {
            Format::Csv => {
                for (index, column) in self.kind.columns.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(&Cell(&cell(&row, column)).to_string());
                }
                text.push_str("\r\n");
            }
            Format::Json => {
                text.push_str(if number == 0 { "\n" } else { ",\n" });
                text.push_str(&row.to_string());
            }
            Format::Ndjson => {
                text.push_str(&row.to_string());
                text.push('\n');
            }
        }
    }

    fn name_of(&self, client: &Value) -> Option<Value> {
        let clients = self.names.get("clients")?.as_array()?;
        clients.iter().find(|known| known.get("client") == Some(client))?.get("name").cloned()
    }
}

/// A column of a row: as it is, or `NAME_s` as a time.
fn cell(row: &Value, column: &str) -> String {
    let Some(value) = row.get(column) else {
        let secs = row.get(format!("{column}_s")).and_then(Value::as_i64);
        return secs.map_or_else(String::new, |secs| WallTime::from_secs(secs).to_string());
    };
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

fn part(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
