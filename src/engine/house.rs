//! The household: frames in, standings and the wanted firewall out. The daemon and `replay` run the same one.
//!
//! Everything that decides is joined here and nothing that acts: no socket, no file, no clock. The loop tells what
//! happened and when; the house answers with what to say, to keep and to put in force.

use std::collections::VecDeque;

use crate::account::{Books, Source};
use crate::config::{self, Config};
use crate::detect::{Kind, Stage};
use crate::dissect::{Frame, Packet, dissect};
use crate::engine::{
    Drift, Engine, Likeness, Listing, Model, NamesFrom, Output, Settings, Verdict as Counted, WindowReport,
};
use crate::flow::meter::Meter;
use crate::history::{AlertRow, Calendar, Incidents, Minute, Minutes, epoch_s};
use crate::lan::{ClientIdx, Identify, Placement, Vantage};
use crate::names::Pair;
use crate::net::{Addr, ClientId, FiveTuple};
use crate::quota::{self, Action, BlockState, Blocklist, Event, Guard, Ledger, Recovery, State, VideoServer};
use crate::ruleset::{Compiled, Key, Place, Shaping, compile};
use crate::time::{Duration, Moment, Now, Zone};
use crate::units::Bytes;
use crate::watch::Session;
use crate::window::{WINDOW_LEN, window_start};

mod alerts;
mod attackers;
mod counted;
mod names;
mod packets;
mod people;
mod traffic;
mod train;
mod windows;

pub use attackers::BLOCK_FOR;
pub use packets::Packets;
pub use people::Act;
pub use windows::{MAX_WINDOWS, PastWindow, PastWindows};

/// Recent sessions and events kept for those who ask; the oldest goes.
pub const MAX_RECENT: usize = 256;
/// A window scores at least this to look like streaming.
const STREAMING_SCORE: u16 = 1 << 15;

/// A server carried a window's video if it sent at least this part of the window's bytes: the page that is open
/// beside a film is not the film.
const VIDEO_SHARE: u64 = 10;

/// What the loop should know after it told the house something.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Something a parent would want to know.
    Quota(Event),
    /// A session is over.
    Session {
        /// Whose.
        client: ClientId,
        /// What was watched.
        session: Session,
    },
    /// An attack began, goes on or is over.
    Alert {
        /// Which of these.
        stage: Stage,
        /// As it stands.
        row: AlertRow,
    },
    /// The source of an attack is blocked for a while.
    Attacker {
        /// Which detector wanted it.
        kind: Kind,
        /// Who, or from whom.
        key: Key,
    },
}

/// Whether records of flows are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// Whether what devices do can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// All packets pass by us.
    #[default]
    Full,
    /// The switch forwards them by itself: what was watched is not measurable, which is not zero.
    Blind,
}

/// Whether the wanted firewall may have changed since it was last compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Same,
    Changed,
}

/// Engine, ledger and list of servers, and what lies between them.
pub struct House {
    config: Config,
    engine: Engine,
    ledger: Ledger,
    blocks: Blocklist,
    place: Place,
    /// Watch time already handed to the ledger, by client.
    accrued: Vec<Duration>,
    incidents: Incidents,
    attackers: attackers::Attackers,
    calendar: Calendar,
    books: Books,
    counts: counted::Counts,
    /// The minute that the books are of, in seconds since the epoch.
    minute_s: Option<i64>,
    minutes: Minutes,
    untaken: VecDeque<Minute>,
    packets: Packets,
    /// Absent while its frames are handled.
    train: Option<Box<train::Train>>,
    /// Absent unless flows are exported.
    meter: Option<Meter>,
    past_windows: PastWindows,
    drift: Drift,
    /// The clocks when they were last looked at.
    latest: Now,
    news: VecDeque<News>,
    blackhole: names::Domains,
    sight: Sight,
    wanted: Wanted,
    windows: u64,
    streaming: u64,
}

impl House {
    /// A household where nothing has happened.
    pub fn new(config: Config, zone: Zone, settings: Settings, names: NamesFrom) -> Self {
        let calendar = Calendar::new(zone.clone(), config.quota.reset_time);
        let ledger = Ledger::new(config.quota.clone(), zone);
        let drift = Drift::against(&settings.model);
        let mut engine = Engine::new(settings);
        engine.take_names_from(names);
        let books = Books::new(engine.flows().capacity());
        let mut house = Self {
            engine,
            ledger,
            blocks: Blocklist::default(),
            place: Place::default(),
            accrued: Vec::new(),
            incidents: Incidents::default(),
            attackers: attackers::Attackers::default(),
            calendar,
            books,
            counts: counted::Counts::default(),
            minute_s: None,
            minutes: Minutes::default(),
            untaken: VecDeque::new(),
            packets: Packets::new(config.capture.packets, config.capture.snaplen),
            train: Some(train::Train::new()),
            meter: None,
            past_windows: PastWindows::default(),
            drift,
            latest: Now { mono: Moment::ZERO, wall: None },
            news: VecDeque::new(),
            blackhole: names::Domains::default(),
            sight: Sight::default(),
            wanted: Wanted::Changed,
            windows: 0,
            streaming: 0,
            config,
        };
        house.watch_for_attacks();
        house
    }

    /// Goes on from what was kept.
    pub fn restore(&mut self, recovery: &Recovery, blocks: &[BlockState], now: Now) {
        self.ledger.restore(recovery, now);
        self.restore_uploads(recovery, now.mono);
        self.judge(now);
        self.blocks.restore(blocks, now.mono, self.ledger.settings());
        self.blocks.restrict(&self.ledger, now);
        self.wanted = Wanted::Changed;
    }

    /// Takes over a changed configuration; usage, sessions and windows stay.
    pub fn set_config(&mut self, config: Config) {
        self.ledger.set_settings(config.quota.clone());
        self.calendar = Calendar::new(self.calendar.zone().clone(), config.quota.reset_time);
        let kept_in = |capture: &config::Capture| (capture.packets, capture.snaplen);
        if kept_in(&config.capture) != kept_in(&self.config.capture) {
            self.packets = Packets::new(config.capture.packets, config.capture.snaplen);
        }
        self.config = config;
        self.watch_for_attacks();
        self.wanted = Wanted::Changed;
    }

    /// Takes over the time zone.
    pub fn set_zone(&mut self, zone: Zone) {
        self.calendar = Calendar::new(zone.clone(), self.config.quota.reset_time);
        self.ledger.set_zone(zone);
    }

    /// Takes over where the household is: LAN devices, how clients are told, and what is never blocked.
    pub fn set_place(&mut self, place: Place, vantage: Vantage, guard: Guard) {
        self.engine.set_vantage(vantage);
        self.blocks.set_guard(guard, self.ledger.settings());
        self.place = place;
        self.wanted = Wanted::Changed;
    }

    /// Takes over whether traffic can be slowed down.
    pub fn set_shaping(&mut self, shaping: Shaping) {
        if self.place.shaping != shaping {
            self.place.shaping = shaping;
            self.wanted = Wanted::Changed;
        }
    }

    /// Takes over whether packets are seen.
    pub fn set_sight(&mut self, sight: Sight) {
        self.sight = sight;
    }

    /// Whether packets are seen.
    pub fn sight(&self) -> Sight {
        self.sight
    }

    /// Takes over where the resolver for restricted clients listens, if it does.
    pub fn set_resolver(&mut self, dns_port: Option<u16>) {
        if self.place.dns_port != dns_port {
            self.place.dns_port = dns_port;
            self.wanted = Wanted::Changed;
        }
    }

    /// Whose DNS answers are believed.
    pub fn trust(&mut self, resolvers: &[Addr]) {
        self.engine.trust(resolvers);
    }

    /// A frame passed the LAN.
    #[cfg_attr(router, optimize(speed))]
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.packet(frame, &dissect(frame));
    }

    /// The same for what was dissected already.
    #[cfg_attr(router, optimize(speed))]
    fn packet(&mut self, frame: &Frame<'_>, packet: &Packet<'_>) {
        let handled = self.engine.handle_packet(packet);
        let (placement, wire_len) = (handled.placement, packet.wire_len);
        let weight = self.books.source().weigh(packet);
        self.books.observe(packet, placement, handled.flow.as_ref());
        self.packets.push(frame);
        if let (Some(meter), Some(seen)) = (&mut self.meter, &handled.flow)
            && let Some(ended) = seen.ended
        {
            meter.end(ended);
        }
        let is_named = !handled.names.is_empty();
        if weight < wire_len
            && let Placement::Client(side) = &placement
        {
            self.counts.heard(side, wire_len - weight);
        }
        if !self.config.quota.plans.is_empty()
            && let Placement::Client(side) = placement
        {
            let bytes = Bytes(weight.into());
            if let Some(client) = self.client_id(side.client) {
                self.ledger.meter(client, &side.server, bytes);
            }
        }
        if is_named {
            self.learn_latest(frame.at);
        }
        if self.engine.has_output() {
            self.settle();
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now: Now) {
        self.latest = now;
        self.judge(now);
        self.engine.handle_tick(now.mono);
        self.turn_minute(now);
        if let Some(meter) = &mut self.meter {
            meter.turn(self.engine.flows(), now.mono);
        }
        self.settle();
        self.judge(now);
    }

    fn judge(&mut self, now: Now) {
        let events = self.ledger.tick(now);
        self.blocks.restrict(&self.ledger, now);
        if !events.is_empty() {
            self.wanted = Wanted::Changed;
        }
        self.news.extend(events.into_iter().map(News::Quota));
    }

    /// The kernel lost frames, or the wall clock was set: what is open cannot be judged.
    pub fn disturbed(&mut self) {
        self.engine.handle_loss();
    }

    /// The daemon leaves: sessions end.
    pub fn finish(&mut self) {
        self.engine.finish();
        self.settle();
    }

    /// What the engine has to say.
    fn settle(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Window(window) => self.window(&window),
                Output::SessionEnded { client, session } => {
                    if let Some(client) = self.client_id(client) {
                        self.news.push_back(News::Session { client, session: *session });
                    }
                }
                Output::Alert(alert) => self.attacked(&alert),
                Output::Gap { .. } => {}
            }
        }
        while self.news.len() > MAX_RECENT {
            self.news.pop_front();
        }
    }

    fn window(&mut self, window: &WindowReport) {
        let Some(client) = self.client_id(window.client) else { return };
        let end = window_start(window.no) + WINDOW_LEN;
        self.windows += 1;
        self.ledger.touch(client, end);
        let counted = matches!(window.verdict, Counted::Counted { .. });
        let wall_s = |no| epoch_s(window_start(no), self.latest);
        let past =
            PastWindow { start_s: wall_s(window.no), client: window.client, score: window.score, counted };
        let since_s = match window.verdict {
            Counted::Counted { from } => Some(wall_s(from)),
            Counted::Idle => None,
        };
        self.past_windows.push(past);
        if window.score.is_some() {
            self.drift.observe(&window.row);
        }
        if let Some(since_s) = since_s {
            self.past_windows.count_since(window.client, since_s);
        }
        if counted {
            self.streaming += 1;
            self.accrue(window.client, client, end);
        }
        let looks = window.score.is_some_and(|score| score.0 >= STREAMING_SCORE);
        if counted || looks && self.ledger.standing(client).restricts_video() {
            self.blame(window, client, end);
        }
        if !self.config.quota.plans.is_empty() {
            for (addr, _) in self.engine.servers(window.client, window.no) {
                self.blocks.peer(client, end, addr, &self.ledger);
            }
            self.wanted = Wanted::Changed;
        }
    }

    /// Hands the watch time that this window added to the ledger, in whole seconds up to its end.
    fn accrue(&mut self, index: ClientIdx, client: ClientId, end: Moment) {
        if self.accrued.len() <= index.index() {
            self.accrued.resize(index.index() + 1, Duration::ZERO);
        }
        let total = self.engine.totals(index).watched;
        let Some(accrued) = self.accrued.get_mut(index.index()) else { return };
        let seconds = total.saturating_sub(*accrued).as_secs();
        *accrued += Duration::from_secs(seconds);
        let start = end - Duration::from_secs(seconds);
        self.ledger.accrue(client, start, u32::try_from(seconds).unwrap_or(u32::MAX));
    }

    /// Tells the list which servers carried a window's video.
    fn blame(&mut self, window: &WindowReport, client: ClientId, at: Moment) {
        let servers = self.engine.servers(window.client, window.no);
        let all_bytes: u64 = servers.iter().map(|(_, bytes)| bytes).sum();
        let names = self.engine.names().names();
        let video: Vec<VideoServer<'_>> = servers
            .iter()
            .filter(|(_, bytes)| bytes * VIDEO_SHARE >= all_bytes)
            .map(|&(addr, bytes)| VideoServer {
                addr,
                bytes: Bytes(bytes),
                service: names.lookup(Pair { client, addr }, at).map(|known| known.service.label),
                flow: self.busiest_flow(window.client, addr),
            })
            .collect();
        self.blocks.video(client, at, &video, self.ledger.settings());
        if self.ledger.standing(client).restricts_video() {
            self.wanted = Wanted::Changed;
        }
    }

    /// The flow that carried most between a client and a server.
    fn busiest_flow(&self, client: ClientIdx, server: Addr) -> Option<FiveTuple> {
        // Not the first owner of an address: a device that changed its MAC kept its address, and is another client.
        let clients = self.engine.lan().clients();
        let (known, latest) = (clients.known(client)?, clients.latest_address(client));
        let owned = |addr: Addr| latest == Some(addr) || known.addresses.contains(&addr);
        let flows = self.engine.flows().iter().map(|(_, flow)| flow);
        let between = flows.filter(|flow| {
            let (orig, resp) = (flow.tuple.orig.addr, flow.tuple.resp.addr);
            resp == server && owned(orig) || orig == server && owned(resp)
        });
        between.max_by_key(|flow| flow.orig.wire_bytes + flow.resp.wire_bytes).map(|flow| flow.tuple)
    }

    fn client_id(&self, index: ClientIdx) -> Option<ClientId> {
        self.engine.lan().clients().known(index).map(|known| known.id)
    }

    /// The firewall that is wanted now, if it may have changed since the last call.
    pub fn wanted(&mut self, now: Now) -> Option<Compiled> {
        if self.wanted == Wanted::Same {
            return None;
        }
        self.wanted = Wanted::Same;
        let mut compiled = compile(&self.ledger, &self.blocks, &self.place, now);
        self.attackers.join(&mut compiled.ruleset);
        Some(compiled)
    }

    /// Makes the next [`House::wanted`] compile, e.g. because the kernel's table was touched.
    pub fn want_again(&mut self) {
        self.wanted = Wanted::Changed;
    }

    /// Flows that must be killed one by one.
    pub fn take_kills(&mut self) -> Vec<FiveTuple> {
        self.blocks.take_kills()
    }

    /// What happened since the last call.
    pub fn take_news(&mut self) -> Vec<News> {
        self.news.drain(..).collect()
    }

    /// What must not be lost.
    pub fn snapshot(&mut self, now: Now) -> State {
        State { uploads: self.uploads(), ..self.ledger.snapshot(now) }
    }

    /// What was used, allowed and left.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whose servers are listed.
    pub fn blocks(&self) -> &Blocklist {
        &self.blocks
    }

    /// Clients, flows, names.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// From now on makes records of flows, or no more.
    pub fn meter_flows(&mut self, metering: Metering) {
        self.engine.list_flows(match metering {
            Metering::On => Listing::Every,
            Metering::Off => Listing::AsNeeded,
        });
        match (metering, &self.meter) {
            (Metering::On, None) => self.meter = Some(Meter::new(self.engine.flows().capacity())),
            (Metering::Off, Some(_)) => self.meter = None,
            (Metering::On, Some(_)) | (Metering::Off, None) => {}
        }
    }

    /// The records of flows, if they are made.
    pub fn meter(&mut self) -> Option<&mut Meter> {
        self.meter.as_mut()
    }

    /// Tells of all flows as they stand: the daemon leaves.
    pub fn finish_meter(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.finish(self.engine.flows());
        }
    }

    /// The last packets.
    pub fn packets(&self) -> &Packets {
        &self.packets
    }

    /// The last windows.
    pub fn past_windows(&self) -> &PastWindows {
        &self.past_windows
    }

    /// Judges with another model or sensitivity from the next window on; sessions go on.
    pub fn set_judgement(&mut self, sensitivity: config::Sensitivity, model: std::sync::Arc<Model>) {
        self.drift.judge_by(&model);
        self.engine.set_judgement(sensitivity.into(), model);
    }

    /// How far the windows seen here are from those that the model in force was trained on.
    pub fn likeness(&self) -> Option<Likeness> {
        self.drift.likeness()
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is asked for but cannot be put in force.
    pub fn shortfalls(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        if self.config.dns.blackhole == config::Blackhole::Client && self.place.dns_port.is_none() {
            found.push("dns.blackhole 'client' waits: the second dnsmasq does not run");
        }
        if self.sight == Sight::Blind {
            found.push("hardware flow offload hides the traffic: watch time is not measurable");
            if self.bytes_from() == Source::Capture {
                found.push("nor are bytes, for the kernel does not count them: see doctor, accounting");
            }
        }
        if self.place.shaping == Shaping::Usable {
            return found;
        }
        if self.config.quota.action == Action::Throttle {
            found.push("action throttle is not available: reject is in force instead");
        }
        if self.config.quota.plans.iter().any(|plan| plan.action == quota::PlanAction::Throttle) {
            found.push("data plans with action throttle are counted but not slowed down");
        }
        found
    }

    /// Windows closed, and those of them counted.
    pub fn tally(&self) -> (u64, u64) {
        (self.windows, self.streaming)
    }
}

/// The engine's settings for live use.
pub fn live_settings(sensitivity: config::Sensitivity, model: std::sync::Arc<Model>, seed: u64) -> Settings {
    Settings {
        vantage: Vantage::Router(Vec::new()),
        identify: Identify::Mac,
        sensitivity: sensitivity.into(),
        model,
        seed,
    }
}
