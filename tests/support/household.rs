//! A virtual household: devices, a configuration, a clock on the wall, and time that passes when a test says so.
//!
//! The router in it is the real quota code, fed as the daemon feeds it: the clock is read, closed windows are
//! accrued, the clock is read again. Its wall clock can be wrong, stepped, or not synchronised; the monotonic one
//! never is. Tests assert on [`Household::state`], the whole household as text, and on [`Household::log`].
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

use std::fmt::Write as _;

use streamguard::config::Config;
use streamguard::net::{Addr, ClientId, Endpoint, FiveTuple};
use streamguard::quota::{Blocklist, Event, Guard, Ledger, Naming, Recovery, State, VideoServer, Who};
use streamguard::ruleset::{Place, Ruleset, Shaping, compile};
use streamguard::time::{Duration, LocalDay, Moment, Now, WallTime, Zone};
use streamguard::units::Bytes;

/// Length of a window in seconds.
const WINDOW_S: u64 = 10;

pub struct Household {
    pub ledger: Ledger,
    pub blocks: Blocklist,
    pub config: Config,
    pub place: Place,
    zone: Zone,
    mono: Moment,
    /// What the router's clock shows.
    wall: WallTime,
    synchronised: bool,
    log: Vec<String>,
}

/// A local date and time: `2026-11-20 16:00`, or with seconds.
pub fn local(zone: &Zone, text: &str) -> WallTime {
    let (date, time) = text.split_once(' ').expect("date and time");
    let part: Vec<i32> = date.split('-').map(|part| part.parse().expect("date")).collect();
    let day = LocalDay::from_ymd(part[0], part[1] as u8, part[2] as u8);
    let (minute, second) = time.split_at(5);
    let second = second.strip_prefix(':').map_or(0, |second| second.parse().expect("seconds"));
    zone.first_at(day, minute.parse().expect("time")) + Duration::from_secs(second)
}

/// An address.
pub fn addr(text: &str) -> Addr {
    text.parse::<std::net::IpAddr>().expect("address").into()
}

/// The flow that a device has with a server.
pub fn flow(server: &str) -> FiveTuple {
    let orig = Endpoint { addr: addr("192.168.1.20"), port: 50_000 };
    FiveTuple { orig, resp: Endpoint { addr: addr(server), port: 443 }, proto: 6 }
}

impl Household {
    /// A household with this configuration (UCI), in a zone (POSIX), on a local date and time.
    pub fn new(uci: &str, zone: &str, at: &str) -> Self {
        let (config, findings) = Config::load(uci, None);
        assert_eq!(findings, [], "the test's configuration has findings");
        let zone = Zone::from_posix(zone).expect("zone");
        let ledger = Ledger::new(config.quota.clone(), zone.clone());
        let wall = local(&zone, at);
        let mono = Moment::from_secs(1_000);
        let place = Place { interfaces: vec!["br-lan".to_owned()], dns_port: None, shaping: Shaping::Usable };
        let (blocks, log) = (Blocklist::default(), Vec::new());
        let mut house = Self { ledger, blocks, config, place, zone, mono, wall, synchronised: true, log };
        house.guard();
        house.tick();
        house
    }

    pub fn now(&self) -> Now {
        Now { mono: self.mono, wall: self.synchronised.then_some(self.wall) }
    }

    /// A device by its name in the configuration, or by its address.
    pub fn client(&self, name: &str) -> ClientId {
        let device = self.config.quota.devices.iter().find(|device| device.name == name);
        match device {
            Some(device) => ClientId::Mac(device.macs[0]),
            None => name.parse().expect("a device of the configuration, or an address"),
        }
    }

    fn name(&self, client: ClientId) -> String {
        self.config.quota.device(client).map_or_else(|| client.to_string(), |device| device.name.clone())
    }

    fn shown(&self, wall: WallTime) -> String {
        let local = self.zone.local(wall);
        let (hour, minute) = (local.second / 3_600, local.second / 60 % 60);
        format!("{} {hour:02}:{minute:02}", local.day)
    }

    /// The router is 192.168.1.1 and 203.0.113.1, its resolver 9.9.9.9.
    fn guard(&mut self) {
        let hosts = ["192.168.1.1", "203.0.113.1", "9.9.9.9"].map(addr);
        let lans = ["192.168.1.0/24", "fd00::/8"].map(|lan| lan.parse().expect("prefix"));
        self.blocks.set_guard(Guard::new(&hosts, &lans), &self.config.quota);
    }

    fn tick(&mut self) {
        let events = self.ledger.tick(self.now());
        self.blocks.restrict(&self.ledger, self.now());
        for event in events {
            let line = self.line(&event);
            self.log.push(line);
        }
    }

    fn line(&self, event: &Event) -> String {
        let who = match &event.who {
            Who::Client(client) => self.name(*client),
            Who::Profile(id) => format!("profile {id}"),
            Who::All => "all".to_owned(),
        };
        let json = serde_json::to_value(&event.what).expect("event");
        let what = json["event"].as_str().expect("tag");
        let detail = match &json["standing"]["standing"] {
            serde_json::Value::String(word) => format!(" {word}"),
            _ => String::new(),
        };
        format!("{} {who}: {what}{detail}", self.shown(self.wall))
    }

    fn step(&mut self, secs: u64) {
        self.mono = self.mono + Duration::from_secs(secs);
        self.wall = self.wall + Duration::from_secs(secs);
    }

    /// Devices watch for so many minutes, window by window.
    pub fn watch(&mut self, names: &[&str], minutes: u64) -> &mut Self {
        let clients: Vec<ClientId> = names.iter().map(|name| self.client(name)).collect();
        for _ in 0..minutes * 60 / WINDOW_S {
            let start = self.mono;
            self.step(WINDOW_S);
            self.tick();
            for client in &clients {
                self.ledger.accrue(*client, start, WINDOW_S as u32);
            }
            self.tick();
        }
        self
    }

    /// One window of a device looks like video from these servers: address, kB, and the service named.
    pub fn stream(&mut self, name: &str, servers: &[(&str, u64, &str)]) -> &mut Self {
        let client = self.client(name);
        let start = self.mono;
        self.step(WINDOW_S);
        self.tick();
        let servers: Vec<VideoServer> = servers
            .iter()
            .map(|(server, kb, service)| VideoServer {
                addr: addr(server),
                bytes: Bytes(kb * 1_000),
                service: (!service.is_empty()).then_some(*service),
                flow: Some(flow(server)),
            })
            .collect();
        if self.blocks.counts(client, self.mono, &servers, &self.config.quota) {
            self.ledger.accrue(client, start, WINDOW_S as u32);
        }
        self.blocks.video(client, self.mono, &servers, &self.config.quota);
        self.tick();
        self
    }

    /// A device learns or uses a name at an address.
    pub fn name_at(&mut self, name: &str, address: &str, service: (&str, Naming)) -> &mut Self {
        let (client, (service, naming)) = (self.client(name), service);
        self.blocks.named(client, self.mono, (addr(address), service, naming), &self.config.quota);
        self
    }

    /// The firewall that should be in force.
    pub fn ruleset(&self) -> Ruleset {
        let compiled = compile(&self.ledger, &self.blocks, &self.place, self.now());
        assert_eq!(compiled.omitted, 0);
        compiled.ruleset
    }

    /// Its elements and rates, one per line: set, key, minutes until it ends.
    pub fn elements(&self) -> Vec<String> {
        let ruleset = self.ruleset();
        let minutes = |until: Moment| until.since(self.mono).as_secs().div_ceil(60);
        let elements =
            ruleset.elements().map(|e| format!("{} {} {}", e.set.as_str(), e.key, minutes(e.until)));
        let rates = ruleset.shapes.iter().map(|(shaped, rate)| match shaped.server {
            Some(server) => format!("shape {} . {server} {rate}", shaped.client),
            None => format!("shape {} {rate}", shaped.client),
        });
        elements.chain(rates).collect()
    }

    /// Nobody watches for so many minutes.
    pub fn idle(&mut self, minutes: u64) -> &mut Self {
        for _ in 0..minutes * 60 / WINDOW_S {
            self.step(WINDOW_S);
            self.tick();
        }
        self
    }

    /// Nobody watches until a local time.
    pub fn idle_until(&mut self, at: &str) -> &mut Self {
        let end = local(&self.zone, at);
        while self.wall < end {
            let left = end.since(self.wall).as_secs().clamp(1, WINDOW_S);
            self.step(left);
            self.tick();
        }
        self
    }

    /// The router's clock is set to another local time; no time passes.
    pub fn set_clock(&mut self, at: &str) -> &mut Self {
        self.wall = local(&self.zone, at);
        self.synchronised = true;
        self.tick();
        self
    }

    /// The clock can no longer be believed.
    pub fn lose_clock(&mut self) -> &mut Self {
        self.synchronised = false;
        self.tick();
        self
    }

    /// Power is cut; the router comes back after so many minutes, from a text of its state, in 1970.
    pub fn reboot(&mut self, minutes: u64) -> &mut Self {
        let mut state = self.ledger.snapshot(self.now());
        state.blocks = self.blocks.snapshot();
        let text = state.encode();
        self.reboot_from(minutes, &Recovery::from_generations([State::decode(&text)]))
    }

    /// The same, from what is left of its state.
    pub fn reboot_from(&mut self, minutes: u64, recovery: &Recovery) -> &mut Self {
        self.step(minutes * 60);
        self.mono = Moment::from_secs(5);
        self.synchronised = false;
        self.ledger = Ledger::new(self.config.quota.clone(), self.zone.clone());
        self.ledger.restore(recovery, self.now());
        self.blocks = Blocklist::default();
        self.guard();
        if let Some(state) = &recovery.state {
            self.blocks.restore(&state.blocks, self.mono, &self.config.quota);
        }
        self.tick();
        self
    }

    /// NTP has answered: the clock shows what it should.
    pub fn find_clock(&mut self) -> &mut Self {
        self.synchronised = true;
        self.tick();
        self
    }

    /// Somebody changes the configuration.
    pub fn configure(&mut self, uci: &str) -> &mut Self {
        let (config, findings) = Config::load(uci, Some(&self.config));
        assert_eq!(findings, [], "the test's configuration has findings");
        self.ledger.set_settings(config.quota.clone());
        self.config = config;
        self.guard();
        self.tick();
        self
    }

    /// A parent does something to the ledger.
    pub fn act(&mut self, action: impl FnOnce(&mut Ledger, Moment)) -> &mut Self {
        action(&mut self.ledger, self.mono);
        self.tick();
        self
    }

    pub fn who(&self, name: &str) -> Who {
        Who::Client(self.client(name))
    }

    /// What happened, and forget it.
    pub fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The whole household: quota day, then one line per client: used (of its budget) / allowed, standing.
    pub fn state(&self) -> String {
        let mut text = match self.ledger.day() {
            Some(day) => format!("{day}\n"),
            None => "some day\n".to_owned(),
        };
        for usage in self.ledger.usages() {
            let minutes = |secs: u32| format!("{}:{:02}", secs / 60, secs % 60);
            let quota = usage.quota_s.map_or_else(|| "-".to_owned(), minutes);
            let budget = if usage.budget_used_s == usage.used_s {
                String::new()
            } else {
                format!(" ({})", minutes(usage.budget_used_s))
            };
            let standing = self.ledger.standing(usage.client);
            let name = self.name(usage.client);
            let word = standing.word();
            writeln!(text, "{name} {}{budget}/{quota} {word}", minutes(usage.used_s)).expect("string");
        }
        text
    }
}
