//! `analyze`: everything one pass over captures can tell.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use argh::FromArgs;

use super::{Failure, model};
use crate::account::{Account, Seed, Wanted};
use crate::dissect::trace::Damage;
use crate::dissect::{Frame, dissect};
use crate::engine::{Engine, FILE_SEED, Listing, Output, Settings, Verdict};
use crate::lan::{Identify, Vantage};
use crate::net::Prefix;
use crate::os::files::{self, CaptureReader, Progress, read_bounded, replace};
use crate::os::filter::{Filter, FilterError};
use crate::report::clients::{Collector, KeepWindows};
use crate::report::json::JsonObject;
use crate::report::legacy::{Legacy, MAX_LEGACY_BYTES};
use crate::report::{AlertLog, Eve, SCHEMA};
use crate::time::{Duration, Moment, WallTime};
use crate::watch::Sensitivity;
use crate::window::window_start;

mod flows;
mod output;
mod selection;

use flows::FlowReports;
use output::{Form, Results};
use selection::{Report, Selection};

/// Bytes of output gathered before they are written.
const OUTPUT_BUFFER: usize = 64 * 1024;

/// say who watched how much, and what else moved, in captures
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "analyze")]
pub(super) struct Args {
    /// captures (pcap or pcapng, plain, .gz or .zst), one time line; - reads a pcap stream
    #[argh(positional)]
    files: Vec<PathBuf>,
    /// a LAN network such as 192.168.1.0/24, instead of guessing; repeatable
    #[argh(option)]
    lan: Vec<Prefix>,
    /// what a client is: mac (default) or ip
    #[argh(option, default = "Identify::Mac", from_str_fn(identify))]
    identify: Identify,
    /// reports, comma separated or repeated: summary (default) clients windows protocols intervals conversations pairs
    /// hosts services flows alerts events, or all
    #[argh(option)]
    report: Vec<String>,
    /// width of the intervals in seconds, 10 by default
    #[argh(option, default = "Duration::from_secs(10)", from_str_fn(seconds))]
    interval: Duration,
    /// how eager to count: low, normal (default), high
    #[argh(option, default = "Sensitivity::Normal", from_str_fn(sensitivity))]
    sensitivity: Sensitivity,
    /// a trained model instead of the built-in one
    #[argh(option)]
    model: Option<PathBuf>,
    /// only the frames that a filter takes, such as "tcp port 443" (libpcap's language)
    #[argh(option)]
    filter: Option<String>,
    /// one JSON document
    #[argh(switch)]
    json: bool,
    /// comma-separated values, one section per report
    #[argh(switch)]
    csv: bool,
    /// alerts alone, as they come, in Suricata's EVE format: one JSON object per line
    #[argh(switch)]
    eve: bool,
    /// with --report pairs: the older tool's file, kilobytes by pair of addresses
    #[argh(switch)]
    legacy: bool,
    /// with --legacy: add to the numbers of this file of the older tool
    #[argh(option)]
    add_to: Option<PathBuf>,
    /// with --legacy: add to this file of the older tool, in place, at the end of each report
    #[argh(option)]
    into: Option<PathBuf>,
    /// report after every so many seconds of packets, each report of its own stretch, with no gap between them
    #[argh(option, from_str_fn(seconds))]
    every: Option<Duration>,
    /// print each window as it closes
    #[argh(switch)]
    follow: bool,
}

pub(super) fn identify(text: &str) -> Result<Identify, String> {
    match text {
        "mac" => Ok(Identify::Mac),
        "ip" => Ok(Identify::Ip),
        _ => Err(format!("`{text}` is neither mac nor ip")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let width = crate::units::decimal(text).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    width
        .filter(|width| *width >= Duration::from_micros(1))
        .ok_or_else(|| format!("`{text}` is not a number of seconds from 0.000001 on"))
}

/// A decimal number, for options.
pub(super) fn number(text: &str) -> Result<f64, String> {
    crate::units::decimal(text).ok_or_else(|| format!("`{text}` is not a decimal number"))
}

fn sensitivity(text: &str) -> Result<Sensitivity, String> {
    Sensitivity::from_str(text).map_err(|()| format!("`{text}` is none of low, normal, high"))
}

/// Where packets are looked at from, as `--lan` and `--identify` say.
pub(super) fn vantage(lan: &[Prefix]) -> Vantage {
    if lan.is_empty() { Vantage::Guess } else { Vantage::Prefixes(lan.to_vec()) }
}

/// The books that the reports need.
fn account(args: &Args, selection: &Selection) -> Option<Account> {
    selection.accounts().then(|| {
        Account::new(Wanted {
            interval: selection.has(Report::Intervals).then_some(args.interval),
            // A constant: the same capture gives the same report.
            conversations: selection.conversations().then_some(Seed(0)),
        })
    })
}

fn form(args: &Args) -> Result<Form, Failure> {
    match (args.json, args.csv) {
        (true, true) => Err(Failure::new("analyze: either --json or --csv")),
        (true, false) => Ok(Form::Json),
        (false, true) => Ok(Form::Csv),
        (false, false) => Ok(Form::Text),
    }
}

/// Looks for attacks only if somebody wants to hear of them.
fn watch_for_attacks(engine: &mut Engine, args: &Args, selection: &Selection) {
    if args.eve || selection.has(Report::Alerts) {
        engine.watch_for_attacks(crate::detect::Settings::default());
    }
}

/// One pass over the captures.
struct Pass {
    engine: Engine,
    account: Option<Account>,
    collector: Collector,
    flows: FlowReports,
    filter: Option<Filter>,
    live: Live,
}

impl Pass {
    fn try_new(args: &Args, selection: &Selection, form: Form) -> Result<Self, Failure> {
        let settings = Settings {
            vantage: vantage(&args.lan),
            identify: args.identify,
            sensitivity: args.sensitivity,
            model: Arc::new(model::load(args.model.as_ref())?),
            seed: FILE_SEED,
        };
        let filter = args.filter.as_deref().map(Filter::try_new).transpose();
        let keep = if selection.has(Report::Windows) { KeepWindows::All } else { KeepWindows::No };
        let mut engine = Engine::new(settings);
        watch_for_attacks(&mut engine, args, selection);
        let flows = if args.eve { FlowReports::none() } else { FlowReports::new(selection, form) };
        if flows.are_wanted() {
            engine.list_flows(Listing::Every);
        }
        Ok(Self {
            engine,
            account: account(args, selection),
            collector: Collector::new(keep),
            flows,
            filter: filter.map_err(|error| wrong_filter(&error))?,
            live: Live { follow: args.follow, eve: args.eve, log: AlertLog::default() },
        })
    }

    #[inline]
    fn handle(&mut self, frame: &Frame<'_>, out: &mut impl Write) -> Result<(), Failure> {
        if let Some(filter) = &mut self.filter
            && !filter.takes(frame).map_err(|error| wrong_filter(&error))?
        {
            return Ok(());
        }
        let packet = dissect(frame);
        let handled = self.engine.handle_packet(&packet);
        if let Some(account) = &mut self.account {
            account.observe(frame, &packet);
        }
        if self.flows.are_wanted()
            && let Some(ended) = handled.flow.and_then(|flow| flow.ended.copied())
        {
            self.flows.take(&self.engine, &ended, out)?;
        }
        self.drain(out)
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn drain(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        let Self { engine, live, .. } = self;
        let clients = engine.lan().clients();
        if live.log.greeted() < clients.len() {
            live.log.greet(clients, engine.seen().last.unwrap_or_default());
        }
        while let Some(output) = self.engine.poll() {
            self.take(output, out)?;
        }
        Ok(())
    }

    #[cold]
    fn take(&mut self, output: Output, out: &mut impl Write) -> Result<(), Failure> {
        if self.live.follow {
            write_live(&self.engine, &output, out)?;
        }
        if let Output::Alert(alert) = &output {
            self.live.log.take(alert);
            if self.live.eve {
                Eve::write(out, alert)?;
            }
        }
        self.collector.take(output);
        Ok(())
    }
}

/// What all reports of a run have in common.
struct Run<'a> {
    args: &'a Args,
    selection: Selection,
    form: Form,
    files: Vec<String>,
    /// The older tool's numbers so far, if its file is what was asked for.
    legacy: Option<Legacy>,
}

impl Run<'_> {
    fn results(&self) -> files::Results {
        let Args { follow, eve, every, .. } = self.args;
        if *follow || *eve || every.is_some() || self.selection.has(Report::Flows) {
            files::Results::Meanwhile
        } else {
            files::Results::AtTheEnd
        }
    }
}

/// What is reported together: the whole input, or a stretch of `--every` seconds.
struct Stretch {
    pass: Pass,
    json: JsonObject,
    from: Option<Moment>,
}

impl Stretch {
    fn begin(run: &Run<'_>, from: Option<Moment>, out: &mut impl Write) -> Result<Self, Failure> {
        let pass = Pass::try_new(run.args, &run.selection, run.form)?;
        let mut json = JsonObject::default();
        if run.form == Form::Json && !run.args.legacy && !run.args.eve {
            json.member(out, "schema", &SCHEMA)?;
        }
        pass.flows.begin(&mut json, out)?;
        Ok(Self { pass, json, from })
    }

    /// Where the stretch begins to which a frame belongs, if it is a later one: stretches follow each other from
    /// the first frame on, and those without frames are not reported.
    fn next_from(&mut self, every: Option<Duration>, at: Moment) -> Option<Moment> {
        let (every, from) = (every?, *self.from.get_or_insert(at));
        let passed = at.since(from).as_nanos().checked_div(every.as_nanos()).filter(|passed| *passed > 0)?;
        let span = u64::try_from(every.as_nanos().saturating_mul(passed)).unwrap_or(u64::MAX);
        Some(from + Duration::from_nanos(span))
    }

    fn report(mut self, run: &mut Run<'_>, damage: Damage, out: &mut impl Write) -> Result<(), Failure> {
        self.pass.engine.finish();
        self.pass.drain(out)?;
        if run.args.eve {
            return Ok(out.flush()?);
        }
        let Pass { engine, account, collector, flows, live, .. } = self.pass;
        if let Some(sum) = run.legacy.take() {
            let all = account.as_ref().and_then(Account::conversations);
            let sum = sum.with(all, engine.seen().bytes);
            if let Some(path) = &run.args.into {
                let mut text = Vec::new();
                sum.write(&mut text)?;
                replace(path, &text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            }
            sum.write(out)?;
            run.legacy = Some(sum);
            return Ok(out.flush()?);
        }
        let first = engine.seen().first.unwrap_or_default();
        if run.args.every.is_some() && run.form == Form::Text {
            let wall = WallTime::from_nanos(i64::try_from(first.as_nanos()).unwrap_or(i64::MAX));
            writeln!(out, "== {wall}")?;
        }
        let capture = collector.capture(&engine, run.files.clone(), damage);
        let clients = if run.selection.clients() {
            explain_no_lan(&engine, run.args);
            collector.clients(&engine)
        } else {
            Vec::new()
        };
        let services = flows.finish(&engine, out)?;
        // Lists of pairs and hosts are made in its room.
        drop(engine);
        let log = &live.log;
        Results { selection: &run.selection, capture, clients, account, services, log, first }
            .write(run.form, self.json, out)?;
        Ok(out.flush()?)
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let inputs = super::captures("analyze", &args.files)?;
    let selection = Selection::parse(&args.report)?;
    let files = inputs.iter().map(|path| path.display().to_string()).collect();
    let legacy = legacy(args, &selection)?;
    let mut run = Run { args, selection, form: form(args)?, files, legacy };
    let progress = Progress::on_terminal(&inputs, run.results());
    let mut reader =
        CaptureReader::open_with(&inputs, progress.clone()).map_err(|error| Failure::from_error(&error))?;
    let mut out = BufWriter::with_capacity(OUTPUT_BUFFER, files::standard_output()?);
    let mut stretch = Stretch::begin(&run, None, &mut out)?;
    loop {
        match reader.next() {
            Ok(Some(frame)) => {
                if let Some(from) = stretch.next_from(args.every, frame.at) {
                    stretch.report(&mut run, Damage::default(), &mut out)?;
                    stretch = Stretch::begin(&run, Some(from), &mut out)?;
                }
                stretch.pass.handle(&frame, &mut out)?;
            }
            Ok(None) => break,
            Err(error) => {
                progress.iter().for_each(Progress::end);
                let error = Failure::from_error(&error);
                eprintln!("streamguard: {error}; what was read before is reported");
                break;
            }
        }
    }
    progress.iter().for_each(Progress::end);
    stretch.report(&mut run, reader.damage(), &mut out)?;
    Ok(ExitCode::SUCCESS)
}

/// The older tool's numbers to add to, if its file is what was asked for.
fn legacy(args: &Args, selection: &Selection) -> Result<Option<Legacy>, Failure> {
    if !args.legacy {
        return match args.add_to.is_some() || args.into.is_some() {
            true => Err(Failure::new("--add-to, --into: only with --legacy")),
            false => Ok(None),
        };
    }
    if !selection.is_only(Report::Pairs) || args.csv {
        return Err(Failure::new("--legacy: only with --report pairs, and it is JSON"));
    }
    let path = match (&args.add_to, &args.into) {
        (None, None) => return Ok(Some(Legacy::default())),
        (Some(path), None) | (None, Some(path)) => path,
        (Some(_), Some(_)) => return Err(Failure::new("--legacy: either --add-to or --into")),
    };
    let shown = path.display();
    let bytes = match read_bounded(path, MAX_LEGACY_BYTES + 1) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Legacy::default())),
        Err(error) => return Err(Failure::new(format!("{shown}: {error}"))),
    };
    let earlier = Legacy::from_json(&bytes).map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    Ok(Some(earlier))
}

fn wrong_filter(error: &FilterError) -> Failure {
    Failure::new(format!("--filter: {error}"))
}

/// Nobody to report about: say why, and what to do.
fn explain_no_lan(engine: &Engine, args: &Args) {
    let tally = engine.lan().tally();
    if tally.client > 0 || tally.foreign == 0 {
        return;
    }
    if args.lan.is_empty() {
        eprintln!("streamguard: no packet has a LAN end; say which network is the LAN with --lan CIDR");
    } else {
        eprintln!("streamguard: no packet has an end in the networks given with --lan");
    }
}

/// What is told while frames are read, and what happened so far.
struct Live {
    follow: bool,
    eve: bool,
    log: AlertLog,
}

/// One line per closed window, at once: this is read while it is written.
fn write_live(engine: &Engine, output: &Output, out: &mut impl Write) -> io::Result<()> {
    let Output::Window(window) = output else { return Ok(()) };
    let first = engine.seen().first.unwrap_or_default();
    let Some(known) = engine.lan().clients().known(window.client) else { return Ok(()) };
    let activity = match window.verdict {
        Verdict::Counted { .. } => "watching",
        Verdict::Idle => "idle",
    };
    let score = window.score.map_or_else(|| "-".to_owned(), |score| score.to_string());
    let watched = engine.totals(window.client).watched.as_secs();
    let start = window_start(window.no);
    let wall = WallTime::from_nanos(i64::try_from(start.as_nanos()).unwrap_or(i64::MAX));
    writeln!(
        out,
        "{wall} {:>8.0} s  {}  score {score}  {activity}  {} min {:02} s watched",
        start.signed_secs_since(first),
        known.id,
        watched / 60,
        watched % 60
    )?;
    out.flush()
}
