//! `replay`: the whole household fed from a file, in packet time, with enforcement simulated.
//!
//! What would have happened on the router, to whom and when: standings as they change, and the elements of the
//! firewall that would be in force. Nothing is written to any kernel.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use argh::FromArgs;

use super::{Failure, analyze, model};
use crate::config::Config;
use crate::detect::Stage;
use crate::engine::house::{House, News};
use crate::engine::{FILE_SEED, NamesFrom, Settings};
use crate::lan::Identify;
use crate::net::{ClientId, Prefix};
use crate::os::files::{CaptureReader, read_bounded};
use crate::quota::{Guard, Who};
use crate::ruleset::{Changes, Element, Key, Place, Ruleset, SetName, Shaping, diff};
use crate::time::{Duration, Moment, Now, WallTime, Zone};
use crate::watch::Sensitivity;

#[cfg(feature = "web")]
mod serve;

/// Larger configurations are refused.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Time passes for the household in steps of this, as in the daemon.
const TICK: Duration = Duration::from_secs(1);

/// run a household over a capture, in packet time, and tell what would have happened
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "replay")]
pub(super) struct Args {
    /// captures, one time line
    #[argh(positional)]
    files: Vec<PathBuf>,
    /// UCI configuration; without it 30 minutes for every device
    #[argh(option)]
    config: Option<PathBuf>,
    /// a LAN network, instead of guessing; repeatable
    #[argh(option)]
    lan: Vec<Prefix>,
    /// what a client is: mac (default) or ip
    #[argh(option, default = "Identify::Mac", from_str_fn(analyze::identify))]
    identify: Identify,
    /// POSIX time zone such as CET-1CEST,M3.5.0,M10.5.0/3 (default UTC)
    #[argh(option, default = "String::from(\"UTC0\")")]
    timezone: String,
    /// print the whole ruleset at the end, as nft would
    #[argh(switch)]
    ruleset: bool,
    /// serve the dashboard at this address, in packet time, until interrupted
    #[argh(option)]
    listen: Option<std::net::SocketAddr>,
    /// with --listen: so many seconds of the capture pass in one (default 1)
    #[argh(option, default = "1.0", from_str_fn(analyze::number))]
    #[cfg_attr(not(feature = "web"), expect(dead_code, reason = "read where there is a gateway"))]
    speed: f64,
    /// with --listen: the file's first so many seconds pass at once
    #[argh(option, default = "0")]
    #[cfg_attr(not(feature = "web"), expect(dead_code, reason = "read where there is a gateway"))]
    skip: u64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let inputs = super::captures("replay", &args.files)?;
    let zone = Zone::from_posix(&args.timezone)
        .map_err(|error| Failure::new(format!("--timezone {}: {error}", args.timezone)))?;
    let config = config(args.config.as_ref())?;
    let settings = Settings {
        vantage: analyze::vantage(&args.lan),
        identify: args.identify,
        sensitivity: Sensitivity::from(config.main.sensitivity),
        model: Arc::new(model::load(config.main.model.as_ref().map(PathBuf::from).as_ref())?),
        seed: FILE_SEED,
    };
    let mut house = House::new(config, zone, settings.clone(), NamesFrom::EveryFrame);
    let place = Place { interfaces: vec!["br-lan".into()], dns_port: None, shaping: Shaping::Usable };
    house.set_place(place, settings.vantage, Guard::new(&[], &args.lan));
    let mut reader = CaptureReader::open(&inputs).map_err(|error| Failure::from_error(&error))?;
    if let Some(addr) = args.listen {
        return listen(args, addr, house, &mut reader);
    }
    let mut replay =
        Replay { house, out: BufWriter::new(io::stdout().lock()), first: None, next: None, shown: None };
    while let Some(frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
        replay.pass_to(frame.at)?;
        replay.house.frame(&frame);
    }
    replay.end(args.ruleset)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "web")]
fn listen(
    args: &Args,
    addr: std::net::SocketAddr,
    house: House,
    reader: &mut CaptureReader,
) -> Result<ExitCode, Failure> {
    serve::run(args, addr, house, reader)
}

#[cfg(not(feature = "web"))]
fn listen(_: &Args, _: std::net::SocketAddr, _: House, _: &mut CaptureReader) -> Result<ExitCode, Failure> {
    Err(Failure::new("this streamguard was built without feature web, so it cannot --listen"))
}

/// The configuration to use; findings are shown and do not stop anything.
fn config(path: Option<&PathBuf>) -> Result<Config, Failure> {
    let Some(path) = path else { return Ok(Config::default()) };
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
    let bytes = read_bounded(path, MAX_CONFIG_BYTES).map_err(|error| failed(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(&"not UTF-8 text"))?;
    let (config, findings) = Config::load(&text, None);
    for finding in findings {
        eprintln!("streamguard: {}: {finding}", path.display());
    }
    Ok(config)
}

struct Replay<W> {
    house: House,
    out: W,
    first: Option<Moment>,
    /// When the household looks at its clock again.
    next: Option<Moment>,
    shown: Option<Ruleset>,
}

/// In a file the packet stamps are both clocks.
fn now_at(at: Moment) -> Now {
    let wall = i64::try_from(at.as_nanos()).ok().map(WallTime::from_nanos);
    Now { mono: at, wall }
}

impl<W: Write> Replay<W> {
    /// Lets time pass up to a frame: tick by tick, a jump of the clock in one step.
    fn pass_to(&mut self, at: Moment) -> io::Result<()> {
        const MAX_STEPS_SECS: u64 = 3_600;
        self.first = self.first.or(Some(at));
        let mut next = self.next.unwrap_or(at);
        if at.since(next).as_secs() > MAX_STEPS_SECS || at < next {
            if at >= next || next.since(at) > TICK {
                self.tick(at)?;
                next = at + TICK;
            }
        } else {
            while next <= at {
                self.tick(next)?;
                next = next + TICK;
            }
        }
        self.next = Some(next);
        Ok(())
    }

    fn tick(&mut self, at: Moment) -> io::Result<()> {
        let now = now_at(at);
        self.house.tick(now);
        for news in self.house.take_news() {
            self.tell(&news)?;
        }
        if let Some(compiled) = self.house.wanted(now) {
            self.show_changes(compiled.ruleset)?;
        }
        Ok(())
    }

    fn stamp(&self, at: Moment) -> String {
        let secs = at.since(self.first.unwrap_or(at)).as_secs();
        format!("{:>3}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
    }

    fn label(&self, client: ClientId) -> String {
        self.house.name_of(client).unwrap_or_else(|| client.to_string())
    }

    fn tell(&mut self, news: &News) -> io::Result<()> {
        match news {
            News::Quota(event) => {
                let who = match &event.who {
                    Who::Client(client) => self.label(*client),
                    Who::Profile(id) => id.clone(),
                    Who::All => "everybody".into(),
                };
                writeln!(self.out, "{}  {who}: {}", self.stamp(event.at), event.what)
            }
            News::Session { client, session } => {
                let services = session.services().join(", ");
                let services = if services.is_empty() { "an unnamed service".to_owned() } else { services };
                writeln!(
                    self.out,
                    "{}  {}: watched {} s of {services}",
                    self.stamp(session.end),
                    self.label(*client),
                    session.watched.as_secs()
                )
            }
            News::Alert { stage: Stage::Updated, .. } => Ok(()),
            News::Attacker { kind, key } => {
                writeln!(self.out, "blocked for a while: {key} ({})", kind.name())
            }
            News::Alert { stage, row } => {
                let at_s = if *stage == Stage::Opened { row.first_s } else { row.last_s };
                let at = Moment::from_secs(u64::try_from(at_s).unwrap_or(0));
                let word = if *stage == Stage::Opened { "begins" } else { "is over" };
                writeln!(
                    self.out,
                    "{}  alert {}: {}, {}, by {} {word}",
                    self.stamp(at),
                    row.id,
                    row.kind,
                    row.severity,
                    row.source
                )
            }
        }
    }

    /// The elements that came and went.
    fn show_changes(&mut self, ruleset: Ruleset) -> io::Result<()> {
        let none = Ruleset {
            sets: ruleset.sets.keys().map(|set| (*set, Default::default())).collect(),
            ..ruleset.clone()
        };
        let before = self.shown.take().unwrap_or(none);
        let stamp = self.stamp(ruleset.at);
        if let Changes::Elements { add, delete, .. } = diff(&ruleset, Some(&before)) {
            let is_new =
                |set: SetName, key: Key| !before.sets.get(&set).is_some_and(|keys| keys.contains_key(&key));
            for Element { set, key, .. } in add.iter().filter(|element| is_new(element.set, element.key)) {
                writeln!(self.out, "{stamp}    + {} {key}", set.as_str())?;
            }
            let stays =
                |set: &SetName, key: &Key| ruleset.sets.get(set).is_some_and(|keys| keys.contains_key(key));
            for (set, key) in delete.iter().filter(|(set, key)| !stays(set, key)) {
                writeln!(self.out, "{stamp}    - {} {key}", set.as_str())?;
            }
        }
        self.shown = Some(ruleset);
        Ok(())
    }

    fn end(&mut self, with_ruleset: bool) -> io::Result<()> {
        let Some(last) = self.next else { return self.out.flush() };
        self.house.finish();
        self.tick(last)?;
        writeln!(self.out)?;
        writeln!(self.out, "{:<28} {:>8}  standing", "device", "used")?;
        for usage in self.house.ledger().usages() {
            let standing = self.house.ledger().standing(usage.client);
            let used_s = self.house.ledger().usage(usage.client).used_s;
            let used = format!("{}:{:02}", used_s / 60, used_s % 60);
            writeln!(self.out, "{:<28} {used:>8}  {standing}", self.label(usage.client))?;
        }
        if with_ruleset && let Some(ruleset) = &self.shown {
            write!(self.out, "\n{ruleset}")?;
        }
        self.out.flush()
    }
}
