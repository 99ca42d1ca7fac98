//! `features`: the classifiers' own rows, for training, and the seconds from which rows can be made again.

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
use crate::os::files::{CaptureReader, Input, Progress, Results};
use crate::seconds::MAGIC;
use crate::time::Duration;
use crate::watch::Sensitivity;
use crate::window::window_start;

#[cfg(not(router))]
mod seconds;

/// write what a classifier sees as CSV: one row per client and window, or per initiator and slice
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "features")]
pub(super) struct Args {
    /// captures, one time line; or one file of seconds
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
    /// whose: windows (of the streaming classifier, default) or threats (of the second opinion on alerts); or seconds:
    /// all that windows are counted from, to be read by this command in place of the capture
    #[argh(option, default = "Of::Rows(Whose::Windows)", from_str_fn(of))]
    of: Of,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// What a classifier sees.
    Rows(Whose),
    /// What windows are counted from.
    Seconds,
}

/// Which classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Windows,
    Threats,
}

fn of(text: &str) -> Result<Of, String> {
    match text {
        "windows" => Ok(Of::Rows(Whose::Windows)),
        "threats" => Ok(Of::Rows(Whose::Threats)),
        "seconds" => Ok(Of::Seconds),
        _ => Err(format!("`{text}` is none of windows, threats, seconds")),
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let inputs = super::captures("features", &args.files)?;
    let progress = Progress::on_terminal(&inputs, Results::Meanwhile);
    let input = match &inputs[..] {
        [only] => CaptureReader::open_or_text(only, MAGIC, progress),
        several => CaptureReader::open_with(several, progress).map(Input::Capture),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match (input.map_err(|error| Failure::from_error(&error))?, args.of) {
        (Input::Capture(reader), Of::Rows(whose)) => write_features(args, whose, reader, &mut out)?,
        #[cfg(not(router))]
        (Input::Capture(reader), Of::Seconds) => seconds::write(args, reader, &mut out)?,
        #[cfg(not(router))]
        (Input::Text(lines), _) => seconds::write_rows(args, &inputs[0], lines, &mut out)?,
        // Nobody trains on a router, and its flash is small.
        #[cfg(router)]
        (Input::Capture(_), Of::Seconds) | (Input::Text(_), _) => {
            return Err(Failure::new("features: seconds are for the program of PCs, not for a router's"));
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn engine(args: &Args) -> Engine {
    Engine::new(Settings {
        vantage: analyze::vantage(&args.lan),
        identify: args.identify,
        sensitivity: Sensitivity::Normal,
        model: Arc::new(Model::embedded()),
        seed: FILE_SEED,
    })
}

fn phase(args: &Args) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(args.phase)
        .map_err(|_| Failure::new(format!("--phase: `{}` is not a number of seconds from 0 on", args.phase)))
}

fn write_features(
    args: &Args,
    whose: Whose,
    mut reader: CaptureReader,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut engine = engine(args);
    if whose == Whose::Threats {
        engine.watch_for_attacks(detect::Settings::default());
        engine.keep_threat_samples();
    }
    write_head(whose, out)?;
    let phase = phase(args)?;
    while let Some(mut frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
        frame.at = frame.at + phase;
        engine.handle_packet(&dissect(&frame));
        write_rows(&mut engine, whose, out)?;
    }
    engine.finish();
    write_rows(&mut engine, whose, out)?;
    Ok(())
}

fn write_head(whose: Whose, out: &mut impl Write) -> io::Result<()> {
    let (keys, features) = match whose {
        Whose::Windows => ("client,start_s", &FEATURES[..]),
        Whose::Threats => ("source,victim,start_s,found", &THREAT_FEATURES[..]),
    };
    write!(out, "{keys}")?;
    features.iter().try_for_each(|feature| write!(out, ",{}", feature.name))?;
    writeln!(out)
}

fn write_rows(engine: &mut Engine, whose: Whose, out: &mut impl Write) -> io::Result<()> {
    while let Some(output) = engine.poll() {
        if let Output::Window(window) = output
            && whose == Whose::Windows
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
