//! `features`: the classifiers' own rows, for training.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use argh::FromArgs;

use super::{Failure, analyze};
use crate::detect::{self, Kind, Party, Subject, THREAT_FEATURES};
use crate::dissect::dissect;
use crate::engine::{Engine, FILE_SEED, Model, Output, Settings, WindowReport};
use crate::features::FEATURES;
use crate::lan::Identify;
use crate::net::Prefix;
use crate::os::files::{CaptureReader, Progress, Results};
use crate::time::Duration;
use crate::watch::Sensitivity;
use crate::window::window_start;

/// write what a classifier sees as CSV: one row per client and window, or per initiator and slice
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "features")]
pub(super) struct Args {
    /// captures, one time line
    #[argh(positional)]
    files: Vec<PathBuf>,
    /// a LAN network, instead of guessing; repeatable
    #[argh(option)]
    lan: Vec<Prefix>,
    /// what a client is: mac (default) or ip
    #[argh(option, default = "Identify::Mac", from_str_fn(analyze::identify))]
    identify: Identify,
    /// seconds added to every time stamp: other windows of the same traffic, for training
    #[argh(option, default = "0.0", from_str_fn(analyze::number))]
    phase: f64,
    /// whose: windows (of the streaming classifier, default) or threats (of the second opinion on alerts)
    #[argh(option, default = "Of::Windows", from_str_fn(of))]
    of: Of,
}

/// Which classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Windows,
    Threats,
}

fn of(text: &str) -> Result<Of, String> {
    match text {
        "windows" => Ok(Of::Windows),
        "threats" => Ok(Of::Threats),
        _ => Err(format!("`{text}` is neither windows nor threats")),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let inputs = super::captures("features", &args.files)?;
    let settings = Settings {
        vantage: analyze::vantage(&args.lan),
        identify: args.identify,
        sensitivity: Sensitivity::Normal,
        model: Arc::new(Model::embedded()),
        seed: FILE_SEED,
    };
    let progress = Progress::on_terminal(&inputs, Results::Meanwhile);
    let mut reader =
        CaptureReader::open_with(&inputs, progress).map_err(|error| Failure::from_error(&error))?;
    let mut engine = Engine::new(settings);
    if args.of == Of::Threats {
        engine.watch_for_attacks(detect::Settings::default());
        engine.keep_threat_samples();
    }
    let mut out = BufWriter::new(io::stdout().lock());
    write_head(args.of, &mut out)?;
    let phase = Duration::try_from_secs_f64(args.phase).map_err(|_| {
        Failure::new(format!("--phase: `{}` is not a number of seconds from 0 on", args.phase))
    })?;
    while let Some(mut frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
        frame.at = frame.at + phase;
        engine.handle_packet(&dissect(&frame));
        write_rows(&mut engine, args.of, &mut out)?;
    }
    engine.finish();
    write_rows(&mut engine, args.of, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write_head(of: Of, out: &mut impl Write) -> io::Result<()> {
    let (keys, features) = match of {
        Of::Windows => ("client,start_s", &FEATURES[..]),
        Of::Threats => ("source,victim,start_s,found", &THREAT_FEATURES[..]),
    };
    write!(out, "{keys}")?;
    features.iter().try_for_each(|feature| write!(out, ",{}", feature.name))?;
    writeln!(out)
}

fn write_rows(engine: &mut Engine, of: Of, out: &mut impl Write) -> io::Result<()> {
    while let Some(output) = engine.poll() {
        if let Output::Window(window) = output
            && of == Of::Windows
            && window.score.is_some()
        {
            write_row(engine, &window, out)?;
        }
    }
    while let Some(sample) = engine.next_threat_sample() {
        let first = engine.seen().first.unwrap_or_default();
        let Subject { source, victim } = sample.subject;
        let victim = victim.map_or_else(String::new, |victim| victim.to_ip().to_string());
        let (start_s, found) = (sample.start.signed_secs_since(first), sample.found.map_or("", Kind::name));
        write!(out, "{},{victim},{start_s:.6},{found}", Party::Addr(source))?;
        write_numbers(&sample.row, out)?;
    }
    Ok(())
}

fn write_row(engine: &Engine, window: &WindowReport, out: &mut impl Write) -> io::Result<()> {
    let Some(known) = engine.lan().clients().known(window.client) else { return Ok(()) };
    let first = engine.seen().first.unwrap_or_default();
    write!(out, "{},{:.6}", known.id, window_start(window.no).signed_secs_since(first))?;
    write_numbers(&window.row, out)
}

fn write_numbers(row: &[i32], out: &mut impl Write) -> io::Result<()> {
    row.iter().try_for_each(|value| write!(out, ",{value}"))?;
    writeln!(out)
}
