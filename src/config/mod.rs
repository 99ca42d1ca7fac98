//! UCI text to settings, with every finding at once.
//!
//! One rule for bad input (docs/design.md §6.3): per option, the last good value, or the default, stays in force;
//! all other options apply; unknown ones are reported and ignored; the service never refuses to start. So
//! [`Config::load`] cannot fail. It takes the text and the configuration in force, and gives the new one with a
//! list of [`Finding`]s, each with section, option, value, reason and line.
//!
//! Every option is one line of a table in `schema`; every default exists once, in an `impl Default` of the
//! room that uses it. A list with a bad entry keeps its last good value as a whole; without one, its good
//! entries apply.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};

use crate::net::Prefix;
use crate::quota;
use crate::time::Duration;
use crate::units::Bytes;

pub mod edit;
mod load;
mod schema;
pub mod uci;
mod value;

#[cfg(feature = "web")]
pub(crate) use load::title;
pub use value::BadValue;

/// Everything a household can set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// How the service runs.
    pub main: Main,
    /// Quotas, profiles, devices, plans, and what is cut.
    pub quota: quota::Settings,
    /// Attack detection.
    pub detect: Detect,
    /// DNS blackhole.
    pub dns: Dns,
    /// Recording of packets.
    pub capture: Capture,
    /// Hooks and webhook.
    pub notify: Notify,
    /// The web gateway.
    pub web: Web,
    /// Upload to a collector of one's own.
    pub uplink: Uplink,
    /// Flow export.
    pub ipfix: Ipfix,
}

/// Whether the kernel is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Computed and put in force.
    #[default]
    Enforce,
    /// Computed and logged, nothing written to the kernel.
    Monitor,
}

/// How readily a window counts as watching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Counts only what is clear.
    Low,
    /// The thresholds of the accuracy tables.
    #[default]
    Normal,
    /// Counts what is likely.
    High,
}

/// What remains in the kernel when the service stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStop {
    /// Nothing: blocks end.
    #[default]
    Release,
    /// The elements, until they time out.
    Keep,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The promise is broken.
    Error,
    /// Someone should look.
    Warning,
    /// State changes a parent would recognise.
    #[default]
    Notice,
    /// More of them.
    Info,
    /// Decisions.
    Debug,
}

/// How the service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Main {
    /// Whether it runs at all.
    pub enabled: bool,
    /// Enforce or only observe.
    pub mode: Mode,
    /// How readily a window counts.
    pub sensitivity: Sensitivity,
    /// Networks or interfaces to watch.
    pub interfaces: Vec<String>,
    /// A model artefact that replaces the embedded one.
    pub model: Option<String>,
    /// What remains after a stop.
    pub on_stop: OnStop,
    /// Where the database lives.
    pub state_dir: String,
    /// How often it is committed.
    pub commit_interval: Duration,
    /// Its largest size.
    pub db_max: Bytes,
    /// Days of history kept.
    pub history_days: u16,
    /// Whether names of services are stored.
    pub names: bool,
    /// How much is logged.
    pub log_level: LogLevel,
}

impl Default for Main {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: Mode::Enforce,
            sensitivity: Sensitivity::Normal,
            interfaces: vec!["lan".to_owned()],
            model: None,
            on_stop: OnStop::Release,
            state_dir: "/etc/streamguard".to_owned(),
            commit_interval: Duration::from_secs(15 * 60),
            db_max: Bytes(1_000_000),
            history_days: 90,
            names: true,
            log_level: LogLevel::Notice,
        }
    }
}

/// The names of all detectors (docs/design.md §8).
pub const DETECTORS: [&str; 21] = [
    "port_scan",
    "host_sweep",
    "syn_flood",
    "udp_flood",
    "icmp_flood",
    "amplification",
    "http_flood",
    "ssh_brute_force",
    "brute_force",
    "web_brute_force",
    "slowloris",
    "slow_post",
    "arp_spoof",
    "rogue_dhcp",
    "rogue_ra",
    "dns_tunnel",
    "icmp_tunnel",
    "ddos_out",
    "beaconing",
    "lateral_movement",
    "exfiltration",
];

/// Attack detection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detect {
    /// Whether any detector runs.
    pub enabled: bool,
    /// Detectors whose attackers are blocked.
    pub block: Vec<String>,
    /// Sources that never raise an alert.
    pub exempt: Vec<Prefix>,
    /// One entry per detector of [`DETECTORS`].
    pub detectors: BTreeMap<&'static str, Detector>,
}

/// One detector's switch and threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detector {
    /// Whether it runs.
    pub enabled: bool,
    /// Its main threshold in the detector's own unit; `None` = the detector's default.
    pub threshold: Option<u32>,
}

impl Default for Detector {
    fn default() -> Self {
        Self { enabled: true, threshold: None }
    }
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            enabled: true,
            block: Vec::new(),
            exempt: Vec::new(),
            detectors: DETECTORS.into_iter().map(|name| (name, Detector::default())).collect(),
        }
    }
}

impl Detect {
    /// What the detectors are to do; `None` if none is to run.
    pub fn settings(&self) -> Option<crate::detect::Settings> {
        let mut settings = crate::detect::Settings { exempt: self.exempt.clone(), ..Default::default() };
        for (name, detector) in &self.detectors {
            let Some(kind) = crate::detect::Kind::from_name(name) else { continue };
            settings.enabled[kind as usize] = detector.enabled;
            if let Some(threshold) = detector.threshold {
                settings.set_threshold(kind, threshold);
            }
        }
        self.enabled.then_some(settings)
    }
}

/// Who gets wrong DNS answers for blocked services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blackhole {
    /// Nobody.
    #[default]
    Off,
    /// The restricted client only.
    Client,
    /// The whole household.
    All,
}

/// DNS blackhole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Off, for the client, or for all.
    pub blackhole: Blackhole,
}

/// What forwards past the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// What the firewall's flowtables say.
    #[default]
    Auto,
    /// Hardware, though no flowtable says so.
    Hardware,
}

/// Recording of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Bytes kept of each packet.
    pub snaplen: u32,
    /// The kernel's ring per interface.
    pub ring: Bytes,
    /// Recent packets kept in memory.
    pub packets: Bytes,
    /// Where recordings are written.
    pub dir: String,
    /// Whether hardware forwards past the capture.
    pub offload: Offload,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            snaplen: 128,
            ring: Bytes(2_000_000),
            packets: Bytes(2_000_000),
            dir: "/tmp/streamguard".to_owned(),
            offload: Offload::Auto,
        }
    }
}

/// Hooks and webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Where events are posted.
    pub webhook: Option<String>,
    /// The directory of hook scripts.
    pub hooks: String,
}

impl Default for Notify {
    fn default() -> Self {
        Self { webhook: None, hooks: "/etc/streamguard/hooks.d".to_owned() }
    }
}

/// The web gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Whether it runs.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The hash of the access token.
    pub token_hash: Option<String>,
    /// Whether children get a page with their time left.
    pub child_page: bool,
    /// Where that page is served.
    pub child_listen: Option<SocketAddr>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8990)),
            token_hash: None,
            child_page: false,
            child_listen: None,
        }
    }
}

/// Upload to a collector of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Whether it runs.
    pub enabled: bool,
    /// Where to.
    pub url: Option<String>,
    /// The secret shown there.
    pub token: Option<String>,
    /// Bytes kept while the collector is away.
    pub spool: Bytes,
}

impl Default for Uplink {
    fn default() -> Self {
        Self { enabled: false, url: None, token: None, spool: Bytes(1_000_000) }
    }
}

/// How flow records travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A connection.
    Tcp,
}

/// Flow export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipfix {
    /// Whether it runs.
    pub enabled: bool,
    /// `ADDRESS:PORT` of the collector.
    pub collector: Option<String>,
    /// UDP or TCP.
    pub transport: Transport,
}

/// Most findings listed; one more says how many others there were.
pub const MAX_FINDINGS: usize = 256;

/// Something in the text that was not taken as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `main`, `profile 'kids'`; empty for what is outside of sections.
    pub section: String,
    /// The option, if it is about one.
    pub option: Option<String>,
    /// The value, clipped.
    pub value: Option<String>,
    /// What is wrong.
    pub reason: Reason,
    /// What holds instead.
    pub effect: Effect,
    /// Line of the text, from 1; 0 when there is none.
    pub line: u32,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The line is no UCI.
    Syntax(uci::UciFault),
    /// The value does not fit.
    Value(BadValue),
    /// No such section type.
    UnknownSection,
    /// No such option.
    UnknownOption,
    /// It refers to a profile that is not there.
    NoSuchProfile,
    /// It refers to nobody known.
    NoSuchClient,
    /// Another device has this address already.
    Duplicate(String),
    /// The section needs a name or an address to mean anything.
    Nameless,
    /// Nothing is given, and why something should be.
    Missing(&'static str),
    /// The file cannot be read.
    Unreadable(String),
    /// More of these than are kept.
    TooMany(usize),
    /// Findings beyond [`MAX_FINDINGS`].
    More(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(fault) => fault.fmt(f),
            Self::Value(bad) => bad.fmt(f),
            Self::UnknownSection => f.write_str("unknown section"),
            Self::UnknownOption => f.write_str("unknown option"),
            Self::NoSuchProfile => f.write_str("no such profile"),
            Self::NoSuchClient => f.write_str("no such profile, client or address"),
            Self::Duplicate(other) => write!(f, "already belongs to {other:?}"),
            Self::Nameless => f.write_str("section without a name or address"),
            Self::Missing(why) => write!(f, "missing: {why}"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::TooMany(most) => write!(f, "more than {most}"),
            Self::More(count) => write!(f, "{count} more findings"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What holds instead of the value that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The last good value.
    LastGood,
    /// The default, or the good entries of a list.
    Default,
    /// Nothing: it is ignored.
    Ignored,
}

impl fmt::Display for Finding {
    /// One line, safe for a log or a terminal: `line 12: profile 'kids': quota '9999': not a … (default kept)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.section.is_empty() {
            write!(f, "{}: ", Safe(&self.section))?;
        }
        if let Some(option) = &self.option {
            write!(f, "{}", Safe(option))?;
            if let Some(value) = &self.value {
                write!(f, " '{}'", Safe(value))?;
            }
            f.write_str(": ")?;
        }
        let effect = match self.effect {
            Effect::LastGood => "last good value kept",
            Effect::Default => "default in force",
            Effect::Ignored => "ignored",
        };
        write!(f, "{} ({effect})", self.reason)
    }
}

/// Text from the file with everything escaped that a terminal or a log would act on.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\'' | '"' => write!(f, "{c}"),
            _ => write!(f, "{}", c.escape_debug()),
        })
    }
}

impl Finding {
    /// A configuration that cannot be read at all.
    pub fn unreadable(file: &str, why: &dyn fmt::Display, effect: Effect) -> Self {
        let reason = Reason::Unreadable(why.to_string());
        Self { section: file.to_owned(), option: None, value: None, reason, effect, line: 0 }
    }
}

impl Config {
    /// Reads UCI text; what cannot be taken keeps the value of `previous`, or the default.
    pub fn load(text: &str, previous: Option<&Self>) -> (Self, Vec<Finding>) {
        load::load(&uci::RawConfig::parse(text), previous)
    }
}

impl From<Sensitivity> for crate::watch::Sensitivity {
    fn from(option: Sensitivity) -> Self {
        match option {
            Sensitivity::Low => Self::Low,
            Sensitivity::Normal => Self::Normal,
            Sensitivity::High => Self::High,
        }
    }
}

#[cfg(test)]
mod tests;
