//! `run`, `record`, `interfaces`: the verbs that listen.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;
use serde_json::json;

use super::Failure;
use crate::config::{LogLevel, Mode};
use crate::daemon::{self, DaemonError, Options};
use crate::os::capture::{Live, Purpose};
use crate::os::clock::{Clock, Trust};
use crate::os::links::{Link, LinkState, Links};
use crate::os::log::{self, Sink};
use crate::os::sys::{self, Interest, Signal, Signals};
use crate::time::Duration;

/// Frames written between two looks at the clock.
const FRAMES_PER_TURN: usize = 1_024;
/// Whole frames.
const DEFAULT_SNAPLEN: u32 = 65_535;
/// Memory for frames that wait for the disk.
const RING_BYTES: u32 = 8 * 1024 * 1024;

/// Run the daemon: count, warn and enforce.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "run")]
pub(super) struct RunArgs {
    /// configuration (UCI text); without it defaults hold and nothing is enforced
    #[argh(option)]
    config: Option<PathBuf>,
    /// interface to listen to (repeatable), instead of those in the configuration
    #[argh(option)]
    interface: Vec<String>,
    /// look and count, write nothing to the kernel
    #[argh(switch)]
    monitor: bool,
}

/// Runs the daemon until a signal ends it.
pub(super) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let sink = if args.config.is_some() { Sink::Syslog } else { Sink::Stderr };
    log::start(sink, LogLevel::Notice);
    let mode = args.monitor.then_some(Mode::Monitor);
    let options = Options { config: args.config, interfaces: args.interface, mode };
    match daemon::run(options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // As asked: no reason to start it again.
        Err(error @ DaemonError::Disabled) => {
            ::log::warn!("not started: {error}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(Failure::from_error(&error)),
    }
}

/// Write what an interface carries to a pcap file.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "record")]
pub(super) struct RecordArgs {
    /// interface to listen to
    #[argh(option, short = 'i')]
    interface: String,
    /// file to write
    #[argh(option, short = 'o')]
    output: PathBuf,
    /// stop after so many seconds; default: until interrupted
    #[argh(option)]
    seconds: Option<u64>,
    /// bytes kept of each frame
    #[argh(option, default = "DEFAULT_SNAPLEN")]
    snaplen: u32,
    /// what the recording shows, written beside it as FILE.json
    #[argh(option)]
    label: Option<String>,
    /// say at the end as JSON what was written
    #[argh(switch)]
    json: bool,
}

/// Records until the time is over or a signal comes, and says what was lost.
pub(super) fn record(args: &RecordArgs) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(error);
    let mut signals = Signals::open().map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let clock = Clock::start(Trust::Plausible).map_err(|error| Failure::new(format!("no clock: {error}")))?;
    let purpose = Purpose::Headers { snaplen_bytes: args.snaplen, ring_bytes: RING_BYTES };
    let mut live = Live::open(&args.interface, purpose).map_err(|error| failed(&error))?;
    let mut recorder = live.recorder(&args.output).map_err(|error| failed(&error))?;
    let end = args.seconds.map(|seconds| clock.moment() + Duration::from_secs(seconds));
    let started = clock.wall();
    loop {
        let left = end.map_or(Duration::from_secs(1), |end| end.since(clock.moment()));
        if left == Duration::ZERO || signals.take() == Some(Signal::Leave) {
            break;
        }
        use std::os::fd::AsRawFd;
        let entries = [(live.as_raw_fd(), Interest::Read), (signals.as_raw_fd(), Interest::Read)];
        let limit = left.min(Duration::from_secs(1));
        sys::poll(&entries, limit, |_| ()).map_err(|error| Failure::new(format!("cannot wait: {error}")))?;
        while live.record(&mut recorder, FRAMES_PER_TURN).map_err(|error| failed(&error))? == FRAMES_PER_TURN
        {
        }
    }
    while live.record(&mut recorder, FRAMES_PER_TURN).map_err(|error| failed(&error))? > 0 {}
    recorder.flush().map_err(|error| failed(&error))?;
    let tally = live.tally();
    if let Some(label) = &args.label {
        let seconds = clock.wall().as_secs() - started.as_secs();
        let note = json!({
            "label": label,
            "interface": args.interface,
            "started": started.to_string(),
            "seconds": seconds,
            "packets": recorder.packets(),
            "dropped": tally.dropped,
        });
        let mut beside = args.output.clone().into_os_string();
        beside.push(".json");
        crate::os::facts::write_text(beside.as_ref(), &format!("{note}\n"))
            .map_err(|error| Failure::new(format!("{}: {error}", PathBuf::from(&beside).display())))?;
    }
    let (packets, dropped) = (recorder.packets(), tally.dropped);
    match args.json {
        true => println!("{}", json!({ "file": args.output, "packets": packets, "dropped": dropped })),
        false => println!("{packets} packets written, {dropped} dropped by the kernel"),
    }
    Ok(ExitCode::SUCCESS)
}

/// List the interfaces one can listen to.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "interfaces")]
pub(super) struct InterfacesArgs {
    /// as JSON
    #[argh(switch)]
    json: bool,
}

/// Prints all interfaces with their addresses.
pub(super) fn interfaces(args: &InterfacesArgs) -> Result<ExitCode, Failure> {
    let failed = |error: crate::os::netlink::NetlinkError| Failure::from_error(&error);
    let mut links = Links::open().map_err(failed)?;
    let (all, addresses) = (links.links().map_err(failed)?, links.addresses().map_err(failed)?);
    let of = |link: &Link| -> Vec<String> {
        let own = addresses.iter().filter(|address| address.index == link.index);
        own.map(|address| format!("{}/{}", address.addr, address.prefix_len)).collect()
    };
    let state = |link: &Link| match link.state {
        LinkState::Running => "running",
        LinkState::NoCarrier => "no carrier",
        LinkState::Down => "down",
    };
    let name_of = |index: u32| all.iter().find(|link| link.index == index).map(|link| link.name.as_str());
    if args.json {
        let list: Vec<_> = all
            .iter()
            .map(|link| {
                json!({
                    "name": link.name,
                    "kind": link.kind,
                    "state": state(link),
                    "mac": link.mac,
                    "master": link.master.and_then(name_of),
                    "addresses": of(link),
                })
            })
            .collect();
        println!("{}", json!({ "interfaces": list }));
        return Ok(ExitCode::SUCCESS);
    }
    for link in &all {
        let master = link.master.and_then(name_of).map(|name| format!(" port of {name}")).unwrap_or_default();
        println!("{:<16}{:<12}{:<12}{}{master}", link.name, state(link), link.kind, of(link).join(" "));
    }
    Ok(ExitCode::SUCCESS)
}
