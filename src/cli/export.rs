//! `export`: what the daemon knows, as tables for spreadsheets and programs; `metrics`: its numbers for Prometheus.
//!
//! Asked for day by day, so that a year costs neither the daemon nor us the memory of a year.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Failure, ask};
use crate::os::control::Access;
use crate::os::files;
use crate::report::csv;

/// Write history as CSV, JSON or NDJSON, or the last packets as a pcapng file.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "export")]
pub(super) struct ExportArgs {
    /// windows, usage, sessions, traffic, flows, alerts or pcap
    #[argh(positional)]
    what: String,
    /// csv (default), json or ndjson
    #[argh(option, default = "Form::Csv")]
    format: Form,
    /// from this date, time, second, or word: today, week, month, 7d, 24h; default: a day ago
    #[argh(option)]
    from: Option<String>,
    /// to then, exclusive; default: now
    #[argh(option)]
    to: Option<String>,
    /// only this device (name, MAC, address) or profile
    #[argh(option)]
    who: Option<String>,
    /// with pcap: only packets around this alert
    #[argh(option)]
    alert: Option<u64>,
    /// file to write; default: standard output
    #[argh(option, short = 'o')]
    output: Option<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Ndjson,
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

/// A kind of rows: the method that gives them, and their columns.
struct Table {
    method: &'static str,
    columns: &'static [&'static str],
    /// Whether it is history, to be asked for day by day.
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Now,
    Days,
}

fn table(what: &str) -> Option<Table> {
    let (reach, columns): (Reach, &[&str]) = match what {
        "windows" => (Reach::Now, &["start_s", "client", "name", "score", "streaming"]),
        "flows" => (Reach::Now, &["proto", "orig", "resp", "bytes_orig", "bytes_resp"]),
        "usage" => (Reach::Days, &["day", "client", "name", "used_s"]),
        "sessions" => {
            (Reach::Days, &["start_s", "end_s", "client", "name", "watch_s", "services", "servers"])
        }
        "traffic" => (
            Reach::Days,
            &["stretch", "start_s", "client", "name", "service", "protocol", "up_bytes", "down_bytes"],
        ),
        "alerts" => (
            Reach::Days,
            &[
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
            ],
        ),
        _ => return None,
    };
    let method = ["windows", "flows", "usage", "sessions", "traffic", "alerts"];
    let method = method.into_iter().find(|method| *method == what)?;
    Some(Table { method, columns, reach })
}

/// A method of the daemon; its refusal is a line for people.
fn call(access: Access, method: &str, params: &Value) -> Result<Value, Failure> {
    ask::call(access, method, params)?.map_err(|refused| Failure::new(super::shown::safe(&refused)))
}

/// Writes what was asked for.
pub(super) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    if args.what == "pcap" {
        let params = json!({ "from": args.from, "to": args.to, "who": args.who, "alert": args.alert });
        let answer = call(Access::Control, "export_pcap", &params)?;
        println!("{}: {} packets", answer["file"].as_str().unwrap_or(""), answer["packets"]);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(table) = table(&args.what) else {
        return Err(Failure::new("export: windows, usage, sessions, traffic, flows, alerts or pcap"));
    };
    match &args.output {
        None => write(args, &table, BufWriter::new(io::stdout().lock()))?,
        Some(path) => {
            let mut bytes = Vec::new();
            write(args, &table, &mut bytes)?;
            keep(path, &bytes)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    files::replace(path, bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn write(args: &ExportArgs, table: &Table, mut out: impl Write) -> Result<(), Failure> {
    let mut sheet = Sheet::begin(args.format, table, &mut out)?;
    match table.reach {
        Reach::Now => {
            let params = json!({ "from": args.from, "to": args.to, "who": args.who, "limit": 1_000 });
            sheet.rows(&call(Access::View, table.method, &params)?)?;
        }
        Reach::Days => {
            let to = args.to.as_deref().unwrap_or("now");
            let days = call(Access::View, "periods", &json!({ "from": args.from, "to": to, "per": "day" }))?;
            let (from_s, to_s) = (days["from_s"].as_i64(), days["to_s"].as_i64());
            for day in days["periods"].as_array().into_iter().flatten() {
                let cut = |key: &str, bound: Option<i64>, pick: fn(i64, i64) -> i64| {
                    let at_s = day[key].as_i64().unwrap_or(0);
                    // Usage is of whole days.
                    if table.method == "usage" { at_s } else { pick(at_s, bound.unwrap_or(at_s)) }
                };
                let params = json!({
                    "from": cut("start_s", from_s, i64::max),
                    "to": cut("end_s", to_s, i64::min),
                    "who": args.who,
                    "by": "all",
                });
                sheet.rows(&call(Access::View, table.method, &params)?)?;
            }
        }
    }
    sheet.end()?;
    Ok(())
}

/// A table being written.
struct Sheet<'a, W> {
    form: Form,
    table: &'a Table,
    rows: u64,
    out: &'a mut W,
}

impl<'a, W: Write> Sheet<'a, W> {
    fn begin(form: Form, table: &'a Table, out: &'a mut W) -> io::Result<Self> {
        match form {
            Form::Csv => {
                let names: Vec<&dyn Display> =
                    table.columns.iter().map(|name| name as &dyn Display).collect();
                csv::row(out, &names)?;
            }
            Form::Json => write!(out, "{{\"schema\":1,\"{}\":[", table.method)?,
            Form::Ndjson => {}
        }
        Ok(Self { form, table, rows: 0, out })
    }

    fn rows(&mut self, answer: &Value) -> io::Result<()> {
        let rows = answer[self.table.method].as_array().map_or(&[][..], Vec::as_slice);
        // Alerts come latest first.
        let latest_first = self.table.method == "alerts";
        let order: Box<dyn Iterator<Item = &Value>> =
            if latest_first { Box::new(rows.iter().rev()) } else { Box::new(rows.iter()) };
        order.into_iter().try_for_each(|row| self.row(row))
    }

    fn row(&mut self, row: &Value) -> io::Result<()> {
        let first = self.rows == 0;
        self.rows += 1;
        if self.form == Form::Csv {
            let cells: Vec<String> = self.table.columns.iter().map(|name| cell(&row[*name])).collect();
            let cells: Vec<&dyn Display> = cells.iter().map(|cell| cell as &dyn Display).collect();
            return csv::row(self.out, &cells);
        }
        let columns = self.table.columns.iter().map(|name| ((*name).to_owned(), row[*name].clone()));
        let object = Value::Object(columns.collect());
        match self.form {
            Form::Json if first => write!(self.out, "\n{object}"),
            Form::Json => write!(self.out, ",\n{object}"),
            Form::Csv | Form::Ndjson => writeln!(self.out, "{object}"),
        }
    }

    fn end(self) -> io::Result<()> {
        if self.form == Form::Json {
            writeln!(self.out, "\n]}}")?;
        }
        self.out.flush()
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

/// Print the service's numbers in Prometheus' text format.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "metrics")]
pub(super) struct MetricsArgs {
    /// file to replace, e.g. for node_exporter's textfile collector; default: standard output
    #[argh(option, short = 'o')]
    output: Option<PathBuf>,
}

/// Prints or keeps them.
pub(super) fn metrics(args: &MetricsArgs) -> Result<ExitCode, Failure> {
    let answer = call(Access::View, "metrics", &json!({}))?;
    let text = answer["text"].as_str().unwrap_or_default();
    match &args.output {
        None => io::stdout().lock().write_all(text.as_bytes())?,
        Some(path) => keep(path, text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, what: &str, rows: &Value) -> String {
        let (mut out, table) = (Vec::new(), table(what).unwrap());
        let mut sheet = Sheet::begin(form, &table, &mut out).unwrap();
        sheet.rows(&json!({ what: rows })).unwrap();
        sheet.end().unwrap();
        String::from_utf8(out).unwrap()
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
}
