//! `replay --listen`: the dashboard over a capture, in its own time.
//!
//! The household of the file answers the same methods as the daemon's, over control sockets in a private directory,
//! and the gateway that a router would run serves them. What a visitor does (grants, pauses, settings) is done to
//! this household and forgotten with it. When the file ends, time goes on without packets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::model;
use super::{Args, Failure, TICK, config, now_at};
use crate::config::{Config, Finding};
use crate::engine::Model;
use crate::engine::house::{House, News};
use crate::history::{AlertRow, UsageRow};
use crate::methods::{self, Condition, Host, news};
use crate::os::clock::{Clock, Trust};
use crate::os::control::{Desk, Refusal};
use crate::os::facts;
use crate::os::files::CaptureReader;
use crate::os::store::{Database, Limits, Urgency};
use crate::os::sys::{self, Interest, Signal, Signals};
use crate::ruleset::Ruleset;
use crate::time::{Duration, LocalDay, Moment, Now};
use crate::units::Bytes;
use crate::web::{Bound, Options};

/// Events kept for those who ask.
const MAX_RECENT: usize = 256;
/// History reaches the database this often, in real time.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// Requests wait at most so long for packets, and packets for requests a tenth of it.
const TURN: Duration = Duration::from_millis(50);
/// The database of a replay may grow to this.
const DATABASE_SIZE: Bytes = Bytes(64 * 1024 * 1024);
/// Speeds that make sense.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=10_000.0;

/// Serves until interrupted.
pub(super) fn run(
    args: &Args,
    addr: SocketAddr,
    house: House,
    reader: &mut CaptureReader,
) -> Result<ExitCode, Failure> {
    fn failed(error: impl std::error::Error) -> Failure {
        Failure::from_error(&error)
    }
    if !SPEEDS.contains(&args.speed) {
        return Err(Failure::new("--speed: from 0.1 to 10000"));
    }
    // Before any thread, so that the signals are blocked in all of them.
    let signals = Signals::open().map_err(failed)?;
    let directory = facts::private_dir().map_err(failed)?;
    let settings = directory.path().join("streamguard.conf");
    let text = match &args.config {
        Some(path) => facts::read_text(path).map_err(failed)?,
        None => "config streamguard 'main'\n".to_owned(),
    };
    facts::write_text(&settings, &text).map_err(failed)?;
    let desk = Desk::open(directory.path(), None).map_err(failed)?;
    let run_dir = directory.path().to_owned();
    let options = Options { listen: Some(addr), config: Some(settings.clone()), run_dir, hosts: Vec::new() };
    let bound = Bound::open(&options).map_err(failed)?;
    let addr = bound.addr().map_err(failed)?;
    let limits = Limits { size: DATABASE_SIZE, history_days: 365, interval: KEEP_EVERY };
    let path = directory.path().join("streamguard.db");
    let (mut database, _) = Database::open(&path, limits).map_err(failed)?;
    let mut house = house;
    let mut config = house.config().clone();
    config.capture.dir = directory.path().join("captures").display().to_string();
    house.set_config(config);
    database.set_calendar(house.calendar().clone());
    let clock = Clock::start(Trust::Plausible).map_err(failed)?;
    let began = clock.moment();
    let mut stage = Stage {
        source: args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "),
        findings: Config::load(&text, None).1,
        model: model::load(house.config().main.model.as_ref().map(PathBuf::from).as_ref())?,
        pace: Pace { clock, began, origin: None, speed: args.speed, skip: Duration::from_secs(args.skip) },
        house,
        database,
        desk,
        signals,
        settings,
        recent: VecDeque::new(),
        ruleset: None,
        next_tick: None,
        next_turn: began,
        next_keep: began,
        commits: 0,
    };
    println!("http://{addr}/");
    sys::beside(move || {
        if let Err(error) = bound.serve() {
            eprintln!("streamguard: {}", Failure::from_error(&error));
        }
    });
    stage.play(reader)?;
    Ok(ExitCode::SUCCESS)
}

/// How packet time passes in real time.
struct Pace {
    clock: Clock,
    began: Moment,
    /// The packet time that was then.
    origin: Option<Moment>,
    speed: f64,
    skip: Duration,
}

impl Pace {
    /// The packet time that is now.
    fn now(&self) -> Moment {
        let passed = self.clock.moment().since(self.began).mul_f64(self.speed);
        self.origin.unwrap_or_default() + self.skip + passed
    }

    /// A gap in the capture takes no time.
    fn jump(&mut self, at: Moment) {
        self.began = self.clock.moment();
        self.origin = Some(at);
        self.skip = Duration::ZERO;
    }
}

/// Whether the show goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    On,
    Leave,
}

struct Stage {
    source: String,
    house: House,
    model: Model,
    database: Database,
    desk: Desk,
    signals: Signals,
    settings: PathBuf,
    findings: Vec<Finding>,
    recent: VecDeque<Value>,
    ruleset: Option<Ruleset>,
    pace: Pace,
    /// In packet time.
    next_tick: Option<Moment>,
    /// In real time.
    next_turn: Moment,
    next_keep: Moment,
    commits: i32,
}

impl Stage {
    fn play(&mut self, reader: &mut CaptureReader) -> Result<(), Failure> {
        while let Some(frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
            if self.pass_to(frame.at) == Course::Leave {
                return Ok(());
            }
            self.house.frame(&frame);
        }
        // The file is over, the evening is not.
        while self.pass_to(self.pace.now() + TICK) == Course::On {}
        Ok(())
    }

    /// Waits until a packet time has come, answering and ticking meanwhile.
    fn pass_to(&mut self, at: Moment) -> Course {
        const LONG: Duration = Duration::from_secs(3_600);
        let origin = *self.pace.origin.get_or_insert(at);
        let due = self.next_tick.unwrap_or(origin);
        if at.since(due) > LONG || due.since(at) > LONG {
            self.pace.jump(at);
            self.next_tick = Some(at);
        }
        loop {
            let now = self.pace.now();
            if self.pace.clock.moment() >= self.next_turn && self.turn(now, at) == Course::Leave {
                return Course::Leave;
            }
            let due = self.next_tick.unwrap_or(origin);
            if due <= now && due <= at {
                self.tick(due);
                self.next_tick = Some(due + TICK);
            } else if now >= at {
                return Course::On;
            }
        }
    }

    /// Requests and signals; waits if there is time.
    fn turn(&mut self, now: Moment, at: Moment) -> Course {
        let due = at.min(self.next_tick.unwrap_or(at));
        let ahead = due.since(now).div_f64(self.pace.speed).min(TURN);
        let mut entries = vec![(std::os::fd::AsRawFd::as_raw_fd(&self.signals), Interest::Read)];
        entries.extend(self.desk.interests());
        if sys::poll(&entries, ahead, |_| ()).is_err() {
            return Course::Leave;
        }
        let packet_now = now_at(self.pace.now().min(at));
        for request in self.desk.turn() {
            if request.method == "subscribe" {
                self.desk.subscribe(&request);
                continue;
            }
            match methods::serve(self, &request, packet_now) {
                Ok(result) => self.desk.answer(&request, Ok(result)),
                Err(failure) => {
                    let refusal = Refusal { code: failure.code, message: &failure.message };
                    self.desk.answer(&request, Err(refusal));
                }
            }
        }
        self.tell(packet_now);
        let real = self.pace.clock.moment();
        self.next_turn = real + TURN / 10;
        if real >= self.next_keep {
            self.next_keep = real + KEEP_EVERY;
            self.keep();
        }
        match self.signals.take() {
            Some(Signal::Leave) => Course::Leave,
            Some(Signal::Reload | Signal::Report) | None => Course::On,
        }
    }

    fn tick(&mut self, at: Moment) {
        let now = now_at(at);
        self.house.tick(now);
        self.tell(now);
        self.house.take_minutes().for_each(|minute| self.database.intake().put_minute(minute));
    }

    /// What happened: to the subscribers, to the database.
    fn tell(&mut self, now: Now) {
        for news in self.house.take_news() {
            let event = match news {
                News::Quota(event) => news::quota_event(&self.house, &event, now).1,
                News::Session { client, session } => {
                    let (event, row) = news::session_event(&self.house, client, &session, now);
                    if let Some(row) = row {
                        self.database.intake().put_session(row);
                    }
                    event
                }
                News::Attacker { kind, key } => news::attacker_event(kind, key, false),
                News::Alert { stage, row } => {
                    let event = news::alert_event(&self.house, stage, &row);
                    self.database.intake().put_alert(row);
                    event
                }
            };
            self.desk.publish(&event);
            self.recent.push_back(event);
            while self.recent.len() > MAX_RECENT {
                self.recent.pop_front();
            }
        }
        if let Some(compiled) = self.house.wanted(now) {
            self.ruleset = Some(compiled.ruleset);
        }
    }

    fn keep(&mut self) {
        if let Some(day) = self.house.ledger().day() {
            let usages = self.house.ledger().usages().filter(|usage| usage.used_s > 0);
            for usage in usages {
                let client = usage.client.to_string();
                self.database.intake().put_usage(UsageRow { day, client, used_s: usage.used_s });
            }
        }
        self.commits += 1;
        // Nothing here wears: no day is used up.
        let day = LocalDay::from_days(self.commits / 50);
        if let Err(error) = self.database.commit(Urgency::Leaving, self.pace.clock.moment(), day) {
            eprintln!("streamguard: {}", Failure::from_error(&error));
        }
    }
}

impl Host for Stage {
    fn house(&self) -> &House {
        &self.house
    }

    fn house_mut(&mut self) -> &mut House {
        &mut self.house
    }

    fn database(&self) -> Option<&Database> {
        Some(&self.database)
    }

    fn recent(&self) -> &VecDeque<Value> {
        &self.recent
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn condition(&self, _: Now) -> Condition {
        Condition {
            mode: "replay",
            clock: "packet time",
            enforcement: "simulated".into(),
            uptime_s: self.pace.now().since(self.pace.origin.unwrap_or_default()).as_secs(),
        }
    }

    fn wall_s(&self, now: Now) -> i64 {
        now.wall.map_or(0, crate::time::WallTime::as_secs)
    }

    fn doctor(&mut self, _: Now) -> Value {
        let seen = self.house.engine().seen();
        let sets = self.ruleset.iter().flat_map(|ruleset| &ruleset.sets);
        let elements: Vec<Value> = sets
            .flat_map(|(set, keys)| keys.keys().map(|key| (*set, *key)))
            .map(|(set, key)| json!({ "set": set.as_str(), "key": key.to_string() }))
            .collect();
        json!({
            "clock": "packet time",
            "capture": [{ "interface": self.source, "trouble": null, "received": seen.packets, "dropped": 0 }],
            "firewall": { "state": "simulated", "elements": elements },
            "offload": [],
            "storage": {
                "trouble": null,
                "database": self.database.path().display().to_string(),
                "bytes": self.database.size().ok(),
                "pending_rows": self.database.pending(),
                "commits_today": self.commits,
            },
            "control": { "turned_away": self.desk.turned_away() },
            "config": self.findings,
            "shortfalls": self.house.shortfalls(),
            "model": format!("{:016x}", self.model.fingerprint),
            "recordings": self.house.config().capture.dir,
            "clients": self.house.ledger().population().0,
        })
    }

    fn reload(&mut self, now: Now) -> Result<(), methods::Failure> {
        let config = config(Some(&self.settings))
            .map_err(|error| methods::failure("unreadable", error.to_string()))?;
        let text = facts::read_text(&self.settings).unwrap_or_default();
        self.findings = Config::load(&text, Some(self.house.config())).1;
        let config = Config { capture: self.house.config().capture.clone(), ..config };
        self.house.set_config(config);
        self.database.set_calendar(self.house.calendar().clone());
        self.house.tick(now);
        Ok(())
    }

    fn acted(&mut self, _: Now) {}

    fn keep_alert(&mut self, row: AlertRow) {
        self.database.intake().put_alert(row);
    }
}
