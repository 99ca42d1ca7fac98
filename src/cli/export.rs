//! `export`: what the daemon knows, as tables for spreadsheets and programs; `metrics`: its numbers for Prometheus.
//!
//! Asked for day by day, so that a year costs neither the daemon nor us the memory of a year.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::{Value, json};

use super::{Failure, ask};
use crate::os::files;
use crate::report::export::{Form, Reach, Sheet, Table};

/// Write history as CSV, JSON or NDJSON, or the last packets as a pcapng file.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "export")]
pub(super) struct ExportArgs {
    /// windows, usage, sessions, traffic, flows, alerts or pcap
    #[argh(positional)]
    what: String,
    /// csv (default), json or ndjson; of pcap it is the answer that json gives
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

/// A method of the daemon; its refusal is a line for people.
fn call(method: &str, params: &Value) -> Result<Value, Failure> {
    ask::call(method, params)?.map_err(|refused| Failure::new(refused.to_string()))
}

/// Writes what was asked for.
pub(super) fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    if args.what == "pcap" {
        let params = json!({ "from": args.from, "to": args.to, "who": args.who, "alert": args.alert });
        let answer = call("export_pcap", &params)?;
        match args.format {
            Form::Csv => println!("{}: {} packets", answer["file"].as_str().unwrap_or(""), answer["packets"]),
            Form::Json | Form::Ndjson => println!("{answer}"),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(table) = Table::find(&args.what) else {
        return Err(Failure::new("export: windows, usage, sessions, traffic, flows, alerts or pcap"));
    };
    match &args.output {
        None => write(args, table, BufWriter::new(io::stdout().lock()))?,
        Some(path) => {
            let mut bytes = Vec::new();
            write(args, table, &mut bytes)?;
            keep(path, &bytes)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    files::replace(path, bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn write(args: &ExportArgs, table: &'static Table, mut out: impl Write) -> Result<(), Failure> {
    let mut text = String::new();
    let mut sheet = Sheet::begin(args.format, table, &mut text);
    let mut take = |sheet: &mut Sheet, answer: &Value| -> Result<(), Failure> {
        sheet.rows(answer).for_each(|row| sheet.row(row, &mut text));
        out.write_all(text.as_bytes())?;
        text.clear();
        Ok(())
    };
    match table.reach {
        Reach::Now => {
            let params = json!({ "from": args.from, "to": args.to, "who": args.who, "limit": 1_000 });
            take(&mut sheet, &call(table.method, &params)?)?;
        }
        Reach::Days => {
            let to = args.to.as_deref().unwrap_or("now");
            let days = call("periods", &json!({ "from": args.from, "to": to, "per": "day" }))?;
            for mut params in table.days(&days) {
                params["who"] = json!(args.who);
                take(&mut sheet, &call(table.method, &params)?)?;
            }
        }
    }
    sheet.end(&mut text);
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
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
    let answer = call("metrics", &json!({}))?;
    let text = answer["text"].as_str().unwrap_or_default();
    match &args.output {
        None => io::stdout().lock().write_all(text.as_bytes())?,
        Some(path) => keep(path, text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
