//! What is known as tables: CSV for spreadsheets, JSON and NDJSON for programs.
//!
//! The command line and the gateway write the same files from the answers of the same methods; only how rows are
//! fetched and where the bytes go differs between them. A sheet holds nothing back, so that a year of rows needs
//! the memory of one answer.

use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::{Value, json};

use super::csv::Cell;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180, with a line of names.
    Csv,
    /// One document: `{"schema":1,"METHOD":[…]}`.
    Json,
    /// One object a line.
    Ndjson,
}

impl Form {
    /// Media type.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

impl FromStr for Form {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(format!("`{text}` is none of csv, json, ndjson")),
        }
    }
}

/// How rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What there is now, or is remembered: one answer.
    Now,
    /// History: an answer for each day.
    Days,
}

/// A kind of rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The method that gives them, and the key under which it does.
    pub method: &'static str,
    /// Keys of a row, in order.
    pub columns: &'static [&'static str],
    /// How they are asked for.
    pub reach: Reach,
}

/// All kinds of rows. Times are seconds since the epoch.
pub const TABLES: [Table; 6] = [
    Table {
        method: "windows",
        columns: &["start_s", "client", "name", "score", "streaming"],
        reach: Reach::Now,
    },
    Table {
        method: "flows",
        columns: &["proto", "orig", "resp", "bytes_orig", "bytes_resp"],
        reach: Reach::Now,
    },
    Table { method: "usage", columns: &["day", "client", "name", "used_s"], reach: Reach::Days },
    Table {
        method: "sessions",
        columns: &["start_s", "end_s", "client", "name", "watch_s", "services", "servers"],
        reach: Reach::Days,
    },
    Table {
        method: "traffic",
        columns: &["stretch", "start_s", "client", "name", "service", "protocol", "up_bytes", "down_bytes"],
        reach: Reach::Days,
    },
    Table {
        method: "alerts",
        columns: &[
            "id",
            "type",
            "severity",
            "source",
            "source_name",
            "target",
            "first_s",
            "last_s",
            "closed",
            "evidence",
            "acked_s",
            "note",
            "resolved_s",
            "opinion",
        ],
        reach: Reach::Days,
    },
];

impl Table {
    /// The table of a method.
    pub fn find(method: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.method == method)
    }

    /// What to ask the method for, day by day, of a table that reaches over days: `periods` is the answer of that
    /// method for the days of the period. A first and a last day are cut to it, except where rows are of whole days.
    pub fn days(&self, periods: &Value) -> Vec<Value> {
        let bound = |key: &str, otherwise: i64| periods[key].as_i64().unwrap_or(otherwise);
        let bounds = match self.method {
            "usage" => (i64::MIN, i64::MAX),
            _ => (bound("from_s", i64::MIN), bound("to_s", i64::MAX)),
        };
        let days = periods["periods"].as_array().into_iter().flatten();
        days.map(|day| {
            let at_s = |key: &str| day[key].as_i64().unwrap_or(0);
            let mut params = json!({
                "from": at_s("start_s").max(bounds.0).to_string(),
                "to": at_s("end_s").min(bounds.1).to_string(),
            });
            if self.method == "traffic" {
                params["by"] = json!("all");
            }
            params
        })
        .collect()
    }
}

/// A table being written: text to be taken away as it grows.
#[derive(Debug)]
pub struct Sheet {
    form: Form,
    table: &'static Table,
    rows: u64,
}

impl Sheet {
    /// Begins a table.
    pub fn begin(form: Form, table: &'static Table, out: &mut String) -> Self {
        match form {
            Form::Csv => {
                out.push_str(&table.columns.join(","));
                out.push_str("\r\n");
            }
            Form::Json => {
                let _ = write!(out, "{{\"schema\":{},\"{}\":[", super::SCHEMA, table.method);
            }
            Form::Ndjson => {}
        }
        Self { form, table, rows: 0 }
    }

    /// The rows of an answer of the table's method, oldest first.
    pub fn rows<'a>(&self, answer: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + Send + 'a> {
        let rows = answer[self.table.method].as_array().map_or(&[][..], Vec::as_slice);
        // Alerts come latest first.
        if self.table.method == "alerts" { Box::new(rows.iter().rev()) } else { Box::new(rows.iter()) }
    }

    /// One row: its columns, and nothing else it holds.
    pub fn row(&mut self, row: &Value, out: &mut String) {
        let is_first = self.rows == 0;
        self.rows += 1;
        if self.form == Form::Csv {
            for (index, name) in self.table.columns.iter().enumerate() {
                let lead = if index == 0 { "" } else { "," };
                let _ = write!(out, "{lead}{}", Cell(&cell(&row[*name])));
            }
            out.push_str("\r\n");
            return;
        }
        let columns = self.table.columns.iter().map(|name| ((*name).to_owned(), row[*name].clone()));
        let object = Value::Object(columns.collect());
        let _ = match self.form {
            Form::Json if is_first => write!(out, "\n{object}"),
            Form::Json => write!(out, ",\n{object}"),
            Form::Csv | Form::Ndjson => writeln!(out, "{object}"),
        };
    }

    /// Ends the table.
    pub fn end(self, out: &mut String) {
        if self.form == Form::Json {
            out.push_str("\n]}\n");
        }
    }
}

/// A value as one cell: lists parted by spaces, pairs and objects as `key=value`.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => match items.as_slice() {
            [Value::String(key), number @ Value::Number(_)] => format!("{key}={number}"),
            items => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        },
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key}={}", cell(value))).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(form: Form, what: &str, rows: &Value) -> String {
        let mut out = String::new();
        let mut sheet = Sheet::begin(form, Table::find(what).unwrap(), &mut out);
        let answer = json!({ what: rows });
        sheet.rows(&answer).for_each(|row| sheet.row(row, &mut out));
        sheet.end(&mut out);
        out
    }

    #[test]
    fn rows_are_the_same_in_every_form_and_cells_are_no_formulas() {
        let rows = json!([{
            "start_s": 5, "end_s": 65, "client": "02:00:00:00:00:01", "name": "=HYPERLINK(\"x\")", "watch_s": 60,
            "services": ["YouTube", "Vimeo"], "servers": [["203.0.113.9", 7]], "start": "left out",
        }]);
        assert_eq!(
            written(Form::Csv, "sessions", &rows),
            "start_s,end_s,client,name,watch_s,services,servers\r\n\
             5,65,02:00:00:00:00:01,\"'=HYPERLINK(\"\"x\"\")\",60,YouTube Vimeo,203.0.113.9=7\r\n"
        );
        let line = written(Form::Ndjson, "sessions", &rows);
        let object: Value = serde_json::from_str(line.trim()).unwrap();
        assert_eq!(object["servers"], json!([["203.0.113.9", 7]]));
        let document: Value = serde_json::from_str(&written(Form::Json, "sessions", &rows)).unwrap();
        assert_eq!(document["sessions"], json!([object]));
        assert_eq!(written(Form::Json, "alerts", &json!([])), "{\"schema\":1,\"alerts\":[\n]}\n");
    }

    #[test]
    fn a_period_is_asked_for_by_days_cut_to_it_unless_rows_are_of_whole_days() {
        let periods = json!({
            "from_s": 50, "to_s": 230,
            "periods": [{ "start_s": 0, "end_s": 100 }, { "start_s": 100, "end_s": 200 }, { "start_s": 200, "end_s": 300 }],
        });
        let asked = |what: &str| Table::find(what).unwrap().days(&periods);
        assert_eq!(
            asked("sessions"),
            [
                json!({ "from": "50", "to": "100" }),
                json!({ "from": "100", "to": "200" }),
                json!({ "from": "200", "to": "230" })
            ]
        );
        assert_eq!(asked("traffic")[2], json!({ "from": "200", "to": "230", "by": "all" }));
        assert_eq!(asked("usage")[0], json!({ "from": "0", "to": "100" }));
        assert_eq!(asked("usage")[2], json!({ "from": "200", "to": "300" }));
        assert!(Table::find("usage").unwrap().days(&Value::Null).is_empty());
    }

    #[test]
    fn an_alert_fills_every_column_that_names_one_of_its_fields() {
        let row = crate::history::AlertRow {
            id: 7,
            kind: "port_scan".into(),
            severity: "high".into(),
            source: "192.168.1.9".into(),
            target: Some("192.168.1.1".into()),
            first_s: 10,
            last_s: 20,
            closed: true,
            evidence: "{\"ports\":90}".into(),
            opinion: Some("{\"class\":\"scan\"}".into()),
            acked_s: Some(30),
            note: Some("seen".into()),
            resolved_s: Some(40),
        };
        let mut shown = json!(row);
        shown["source_name"] = json!("Camera");
        assert_eq!(
            written(Form::Csv, "alerts", &json!([shown])).lines().nth(1),
            Some("7,port_scan,high,192.168.1.9,Camera,192.168.1.1,10,20,true,ports=90,30,seen,40,class=scan")
        );
    }
}
