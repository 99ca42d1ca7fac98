//! `features`: the classifier's own rows, for training.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use argh::FromArgs;

use super::{Failure, analyze};
use crate::engine::{Engine, FILE_SEED, Model, Output, Settings, WindowReport};
use crate::features::FEATURES;
use crate::lan::Identify;
use crate::net::Prefix;
use crate::os::files::{CaptureReader, Progress, Results};
use crate::time::Duration;
use crate::watch::Sensitivity;
use crate::window::window_start;

/// write what the classifier sees: CSV, one row per client and window
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
    let mut out = BufWriter::new(io::stdout().lock());
    write!(out, "client,start_s")?;
    for feature in &FEATURES {
        write!(out, ",{}", feature.name)?;
    }
    writeln!(out)?;
    let phase = Duration::try_from_secs_f64(args.phase).map_err(|_| {
        Failure::new(format!("--phase: `{}` is not a number of seconds from 0 on", args.phase))
    })?;
    while let Some(mut frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
        frame.at = frame.at + phase;
        engine.handle_frame(&frame);
        write_rows(&mut engine, &mut out)?;
    }
    engine.finish();
    write_rows(&mut engine, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write_rows(engine: &mut Engine, out: &mut impl Write) -> io::Result<()> {
    while let Some(output) = engine.poll() {
        if let Output::Window(window) = output
            && window.score.is_some()
        {
            write_row(engine, &window, out)?;
        }
    }
    Ok(())
}

fn write_row(engine: &Engine, window: &WindowReport, out: &mut impl Write) -> io::Result<()> {
    let Some(known) = engine.lan().clients().known(window.client) else { return Ok(()) };
    let first = engine.seen().first.unwrap_or_default();
    write!(out, "{},{:.6}", known.id, window_start(window.no).signed_secs_since(first))?;
    for value in window.row {
        write!(out, ",{value}")?;
    }
    writeln!(out)
}
