//! The daemon: one loop that waits for frames, requests, signals, the kernel's news and the next second.
//!
//! Nothing in the loop waits for anything else. In each turn it reads at most 256 frames per handle, asks whoever woke
//! it, ticks once a second, and puts the wanted firewall in force as soon as it changed, so that the time from a
//! decision to its effect is that of one netlink transaction. All deciding is done by the house, which does not
//! know this file.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Finding, Mode, OnStop};
use crate::engine::house::{self, House, Metering, News};
use crate::engine::{Model, ModelError, NamesFrom};
use crate::methods::{self, news};
use crate::net::ClientId;
use crate::os::clock::{Clock, Step, Trust};
use crate::os::control::{ControlError, Desk, Refusal};
use crate::os::links::{LinkMonitor, Links, News as LinkNews};
use crate::os::netlink::NetlinkError;
use crate::os::sys::{self, Interest, Signal, Signals};
use crate::os::{facts, nft};
use crate::quota::{self, What};
use crate::time::{Duration, Moment, Now};
use crate::watch::Session;
use counters::Counters;
use ears::{Backlog, Ears, Heard};
use enforce::{Enforcer, chain};
use keeper::Keeper;
use settings::{first_config, load_config, load_model};

mod alerts;
mod counters;
mod ears;
mod enforce;
mod exporter;
mod host;
mod keeper;
mod place;
mod recording;
mod settings;

/// Between two looks at the clock when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// Frames that can carry a name come one by one; after some were read, the next wait so long for company. A new server
/// of a blocked service is on the list before its first segment all the same.
const NAMES_REST: Duration = Duration::from_millis(2);
/// Events kept for those who ask.
const MAX_RECENT: usize = 256;
/// The user the daemon becomes, and the group whose members may speak to it.
const GROUP: &str = "streamguard";

/// How the daemon is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// UCI text; without it the defaults hold and nothing is enforced.
    pub config: Option<PathBuf>,
    /// Devices to listen to, instead of those the configuration names.
    pub interfaces: Vec<String>,
    /// Enforce as configured, or only look.
    pub mode: Option<Mode>,
}

/// Why the daemon does not run.
#[derive(Debug)]
pub enum DaemonError {
    /// The kernel lacks something without which there is no loop.
    System(io::Error),
    /// Netlink is missing.
    Netlink(NetlinkError),
    /// The control sockets cannot be opened.
    Control(ControlError),
    /// No interface to listen to.
    NoInterface,
    /// The configuration says that the service is not to run.
    Disabled,
    /// The configured model is unusable, and so is the embedded one.
    Model(ModelError),
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(_) => f.write_str("cannot start"),
            Self::Netlink(_) => f.write_str("no netlink"),
            Self::Control(_) => f.write_str("cannot open the control sockets"),
            Self::NoInterface => f.write_str("no interface to listen to: name one with --interface"),
            Self::Disabled => f.write_str("option enabled in section main is 0"),
            Self::Model(_) => f.write_str("the model is unusable"),
        }
    }
}

impl std::error::Error for DaemonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            Self::Netlink(error) => Some(error),
            Self::Control(error) => Some(error),
            Self::Model(error) => Some(error),
            Self::NoInterface | Self::Disabled => None,
        }
    }
}

/// Everything the loop holds.
pub struct Daemon {
    options: Options,
    clock: Clock,
    model: Arc<Model>,
    house: House,
    ears: Ears,
    desk: Desk,
    /// Absent in monitor mode: nothing is written to the kernel.
    enforcer: Option<Enforcer>,
    keeper: Keeper,
    links: Links,
    /// The kernel's numbers of the LAN's devices.
    lan_indexes: Vec<u32>,
    /// Absent where the capture sees everything.
    counters: Option<Counters>,
    link_monitor: LinkMonitor,
    signals: Signals,
    findings: Vec<Finding>,
    recent: VecDeque<Value>,
    tape: Option<recording::Tape>,
    /// Absent unless flows are exported; the error says why they are not, though they should be.
    exporter: Result<Option<exporter::Exporter>, String>,
    /// Why the configured model is not in force, if so.
    model_trouble: Option<String>,
    /// Whether frames were left in a ring.
    backlog: Backlog,
    /// Frames that can carry a name wake us from then on.
    names_again: Moment,
    asked: Asked,
    started: Moment,
    next_tick: Moment,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    On,
    Leave,
}

/// What ended the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// Frames, or a timer.
    Frames,
    /// Somebody else, too.
    Any,
}

/// Whether requests came in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Something,
}

/// Runs until a signal says to leave.
///
/// # Errors
/// If it cannot start.
pub fn run(options: Options) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(options)?;
    while daemon.turn()? == Course::On {}
    daemon.leave();
    Ok(())
}

impl Daemon {
    fn start(options: Options) -> Result<Self, DaemonError> {
        let signals = Signals::open().map_err(DaemonError::System)?;
        let (config, findings) = first_config(options.config.as_deref())?;
        let trust = if facts::is_openwrt() { Trust::Synchronised } else { Trust::Plausible };
        let clock = Clock::start(trust).map_err(DaemonError::System)?;
        let (model, model_trouble) = load_model(config.main.model.as_deref());
        let interfaces =
            if options.interfaces.is_empty() { &config.main.interfaces } else { &options.interfaces };
        if interfaces.is_empty() {
            return Err(DaemonError::NoInterface);
        }
        let ears = Ears::new(interfaces, &config.capture);
        let run_dir = facts::run_dir();
        let desk = Desk::open(&run_dir, facts::group(GROUP)).map_err(DaemonError::Control)?;
        become_user(&run_dir);
        let mut keeper = Keeper::open(&run_dir, &config.main);
        let seed = clock.wall().as_nanos().unsigned_abs() ^ u64::from(std::process::id()) << 32;
        let settings = house::live_settings(config.main.sensitivity, Arc::clone(&model), seed);
        let mut house = House::new(config, facts::zone(), settings, NamesFrom::OwnFrames);
        let now = clock.now();
        house.restore(&keeper.recover(), &keeper.blocks(), now);
        keeper.set_limits(&house.config().main, house.calendar());
        house.number_alerts_from(keeper.last_alert());
        let mut daemon = Self {
            options,
            clock,
            model,
            house,
            ears,
            desk,
            enforcer: None,
            keeper,
            links: Links::open().map_err(DaemonError::Netlink)?,
            lan_indexes: Vec::new(),
            counters: None,
            link_monitor: LinkMonitor::open().map_err(DaemonError::Netlink)?,
            signals,
            findings,
            recent: VecDeque::new(),
            tape: None,
            exporter: Ok(None),
            model_trouble,
            backlog: Backlog::Empty,
            names_again: now.mono,
            asked: Asked::Nothing,
            started: now.mono,
            next_tick: now.mono,
        };
        daemon.restore_blackhole();
        daemon.set_exporter();
        daemon.set_mode();
        daemon.look_around();
        for finding in &daemon.findings {
            log::warn!("config: {finding}");
        }
        daemon.tell_shortfalls();
        log::info!("started on {}, {}", daemon.ears.interfaces().join(", "), daemon.mode_word());
        Ok(daemon)
    }

    fn mode(&self) -> Mode {
        match (self.options.mode, &self.options.config) {
            (Some(mode), _) => mode,
            (None, Some(_)) => self.house.config().main.mode,
            (None, None) => Mode::Monitor,
        }
    }

    fn mode_word(&self) -> &'static str {
        match self.mode() {
            Mode::Enforce => "enforce",
            Mode::Monitor => "monitor",
        }
    }

    /// Says what is configured but cannot be done.
    fn tell_shortfalls(&self) {
        self.house.shortfalls().iter().for_each(|shortfall| log::warn!("{shortfall}"));
    }

    /// Opens or closes the export of flows as configured.
    fn set_exporter(&mut self) {
        let domain = self
            .links
            .machine()
            .map_or(1, |mac| u32::from_be_bytes([mac.0[2], mac.0[3], mac.0[4], mac.0[5]]));
        self.exporter = exporter::Exporter::new(&self.house.config().ipfix, domain);
        if let Err(reason) = &self.exporter {
            log::error!("{reason}");
        }
        let wanted = if matches!(self.exporter, Ok(Some(_))) { Metering::On } else { Metering::Off };
        self.house.meter_flows(wanted);
    }

    /// Sends records of flows.
    fn export(&mut self, now: Now) {
        let dropped = self.ears.reports().iter().map(|ear| ear.tally.dropped).sum();
        if let (Ok(Some(exporter)), Some(meter)) = (&mut self.exporter, self.house.meter()) {
            exporter.turn(meter, dropped, now);
        }
    }

    /// Opens or closes enforcement as the mode says.
    fn set_mode(&mut self) {
        match (self.mode(), &self.enforcer) {
            (Mode::Enforce, None) => match Enforcer::open() {
                Ok(enforcer) => self.enforcer = Some(enforcer),
                Err(error) => log::error!("cannot enforce: {}", chain(&error)),
            },
            (Mode::Monitor, Some(_)) => self.release(),
            (Mode::Enforce, Some(_)) | (Mode::Monitor, None) => {}
        }
        self.house.want_again();
    }

    /// Waits for something, then does all of it.
    fn turn(&mut self) -> Result<Course, DaemonError> {
        let woken = self.wait()?;
        let now = self.clock.now();
        self.backlog = self.listen(now);
        self.record(now);
        self.count(now);
        // Under a flood nearly every turn is about frames alone, and asking everybody else costs as much as they do.
        // Requests beyond what one turn takes are in a buffer of ours already: nobody wakes us for those.
        let only_frames = woken == Woken::Frames && self.asked == Asked::Nothing;
        if only_frames && now.mono < self.next_tick {
            self.enforce(now);
            return Ok(Course::On);
        }
        self.asked = self.attend();
        let course = self.obey();
        if now.mono >= self.next_tick {
            self.tick(self.clock.now());
        }
        self.enforce(self.clock.now());
        Ok(if self.house.config().main.enabled { course } else { Course::Leave })
    }

    /// Waits until somebody wants something, a timer is due, or frames are there.
    fn wait(&mut self) -> Result<Woken, DaemonError> {
        let now = self.clock.moment();
        let mut entries: Vec<(RawFd, Interest)> =
            vec![(self.signals.as_raw_fd(), Interest::Read), (self.link_monitor.as_raw_fd(), Interest::Read)];
        entries.extend(self.enforcer.iter().map(|e| (e.monitor().as_raw_fd(), Interest::Read)));
        entries.extend(self.desk.interests());
        let others = entries.len();
        entries.extend(self.counters.iter().map(|counters| (counters.as_raw_fd(), Interest::Read)));
        entries.extend(self.tape.iter().map(|tape| (tape.as_raw_fd(), Interest::Read)));
        let names_rest = self.names_again.since(now);
        let wanted = |heard: Heard| heard == Heard::Headers || names_rest == Duration::ZERO;
        let frames = self.ears.descriptors().filter(|(heard, _)| wanted(*heard));
        entries.extend(frames.map(|(_, fd)| (fd, Interest::Read)));
        let limit = match self.backlog {
            Backlog::Empty if names_rest == Duration::ZERO => self.next_tick.since(now),
            Backlog::Empty => self.next_tick.since(now).min(names_rest),
            Backlog::More => Duration::ZERO,
        };
        let mut woken = Woken::Frames;
        sys::poll(&entries, limit, |index| {
            if index < others {
                woken = Woken::Any;
            }
        })
        .map_err(DaemonError::System)?;
        Ok(woken)
    }

    /// Reads frames.
    fn listen(&mut self, now: Now) -> Backlog {
        let bridge = self.clock.bridge();
        match bridge.step {
            Step::None => {}
            Step::Forward(by) | Step::Back(by) => {
                log::warn!("the clock was set by {} s", by.as_secs());
                self.house.disturbed();
            }
        }
        let house = &mut self.house;
        let mut names = 0;
        let backlog = self.ears.read(bridge, now.mono, |heard, frame| match heard {
            Heard::Headers => house.couple(frame),
            Heard::Names => {
                names += 1;
                house.name_frame(frame);
            }
        });
        house.pass();
        if names > 0 {
            self.names_again = now.mono + NAMES_REST;
        }
        backlog
    }

    fn tick(&mut self, now: Now) {
        self.next_tick = now.mono + TICK;
        self.ears.mend(now.mono);
        let lost = self.ears.lost();
        if lost > 0 {
            log::warn!("the kernel dropped {lost} frames");
            self.house.disturbed();
        }
        self.house.tick(now);
        for news in self.house.take_news() {
            self.tell(news, now);
        }
        if self.enforcer.as_ref().is_some_and(|enforcer| *enforcer.health() != enforce::Health::InForce) {
            self.house.want_again();
        }
        self.blackhole();
        self.house.take_minutes().for_each(|minute| self.keeper.minute(minute));
        self.export(now);
        if self.keeper.is_due(now.mono) {
            self.keep(now);
        }
    }

    fn keep(&mut self, now: Now) {
        let state = self.house.snapshot(now);
        self.keeper.keep(&state, self.house.ledger(), now.mono);
        self.keeper.keep_blocks(&self.house.blocks().snapshot());
    }

    /// Log, subscribers, history.
    fn tell(&mut self, news: News, now: Now) {
        let event = match news {
            News::Quota(event) => {
                let event = self.quota_event(&event, now);
                self.keeper.hurry();
                event
            }
            News::Session { client, session } => self.session_event(client, &session, now),
            News::Alert { stage, row } => self.alert_event(stage, row),
            News::Attacker { kind, key } => self.attacker_event(kind, key),
        };
        self.publish(event);
    }

    /// Tells those who listen, and remembers it for those who ask later.
    fn publish(&mut self, event: Value) {
        self.desk.publish(&event);
        self.recent.push_back(event);
        while self.recent.len() > MAX_RECENT {
            self.recent.pop_front();
        }
    }

    fn quota_event(&self, event: &quota::Event, now: Now) -> Value {
        let (name, shown) = news::quota_event(&self.house, event, now);
        match &event.what {
            What::StateLost { reason } => log::error!("usage of today may be lost: {reason}"),
            what => log::info!("{name}: {what}"),
        }
        shown
    }

    fn session_event(&mut self, client: ClientId, session: &Session, now: Now) -> Value {
        let (shown, row) = news::session_event(&self.house, client, session, now);
        if let Some(row) = row {
            self.keeper.session(row);
        }
        shown
    }

    /// Answers requests.
    fn attend(&mut self) -> Asked {
        let requests = self.desk.turn();
        let asked = if requests.is_empty() { Asked::Nothing } else { Asked::Something };
        for request in requests {
            let now = self.clock.now();
            if request.method == "subscribe" {
                self.desk.subscribe(&request);
                continue;
            }
            match methods::serve(self, &request, now) {
                Ok(result) => self.desk.answer(&request, Ok(result)),
                Err(failure) => {
                    let refusal = Refusal { code: failure.code, message: &failure.message };
                    self.desk.answer(&request, Err(refusal));
                }
            }
        }
        asked
    }

    /// Signals and the kernel's news.
    fn obey(&mut self) -> Course {
        if self.link_monitor.poll() == LinkNews::Changed {
            self.ears.hurry();
            self.next_tick = Moment::ZERO;
            self.look_around();
        }
        let events = self.enforcer.as_mut().map(Enforcer::hear).unwrap_or_default();
        if events.contains(&nft::Event::OurTable) {
            self.house.want_again();
        }
        if events.contains(&nft::Event::Flowtables) {
            self.look_around();
        }
        while let Some(signal) = self.signals.take() {
            match signal {
                Signal::Leave => return Course::Leave,
                Signal::Reload => self.read_config(self.clock.now()),
                Signal::Report => {
                    let report = self.report(self.clock.now());
                    log::info!("{report}");
                }
            }
        }
        Course::On
    }

    /// Puts the wanted firewall in force if it changed.
    fn enforce(&mut self, now: Now) {
        let Some(enforcer) = &mut self.enforcer else { return };
        if let Some(compiled) = self.house.wanted(now) {
            if compiled.omitted > 0 {
                log::warn!("{} elements have no room in the firewall", compiled.omitted);
            }
            let house = &self.house;
            let links = &mut self.links;
            let neighbours = std::cell::LazyCell::new(|| links.neighbours().unwrap_or_default());
            let addresses = |client: ClientId| {
                let mut addresses = house.addresses_of(client);
                if let ClientId::Mac(mac) = client {
                    addresses.extend(neighbours.iter().filter(|n| n.mac == mac).map(|n| n.addr));
                }
                addresses.sort_unstable();
                addresses.dedup();
                addresses
            };
            let enforced = enforcer.enforce(&compiled.ruleset, addresses);
            if enforced.is_some_and(|enforced| enforced.added > 0) {
                // What the kernel was told a successor must know, or it would take it back.
                self.keeper.keep_blocks(&self.house.blocks().snapshot());
            }
            self.house.set_shaping(enforcer.shaping());
        }
        let kills = self.house.take_kills();
        if !kills.is_empty() {
            enforcer.kill_flows(&kills);
        }
    }

    fn release(&mut self) {
        if let Some(mut enforcer) = self.enforcer.take()
            && let Err(error) = enforcer.release()
        {
            log::error!("the firewall table stays: {}", chain(&error));
        }
    }

    fn leave(&mut self) {
        let now = self.clock.now();
        self.count_last(now);
        self.house.finish();
        for news in self.house.take_news() {
            self.tell(news, now);
        }
        self.house.finish_meter();
        self.export(now);
        self.house.close_books(now);
        self.house.take_minutes().for_each(|minute| self.keeper.minute(minute));
        self.keeper.leave();
        self.keep(now);
        // Whoever has switched the service off meanwhile wants nothing blocked.
        let (last, _) = load_config(self.options.config.as_deref(), Some(self.house.config()));
        if last.main.on_stop == OnStop::Release || !last.main.enabled {
            self.release();
        }
        log::info!("stopped");
    }
}

/// From here on, whatever is opened is opened with two capabilities and no more, as it will be after the next
/// start under a jail.
fn become_user(run_dir: &Path) {
    match facts::become_user(GROUP, run_dir) {
        Ok(facts::Became::Already | facts::Became::User) => {}
        Ok(facts::Became::Root) => log::warn!("there is no user {GROUP}: running as root"),
        Err(error) => log::error!("cannot become user {GROUP}: {error}"),
    }
}
