//! The one list of methods.

use super::{Call, Failure, Host, Text, acts, alerts, metrics, packets, past, present};

/// Whether a method changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks: both sockets, GET.
    Read,
    /// It changes something: `ctl.sock`, POST.
    Write,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number that is not negative.
    Number,
    /// A date, a date and time, seconds since the epoch, or a word such as `today` and `7d`
    /// ([`crate::history::Calendar::parse`]).
    Instant,
}

/// Whether a parameter may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// It has a default.
    Optional,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether it may be left out.
    pub need: Need,
    /// What it means, one line.
    pub about: &'static str,
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name, lower case with underscores.
    pub name: &'static str,
    /// Whether it changes something.
    pub effect: Effect,
    /// With what it is called.
    pub params: &'static [Param],
    /// What it does, one sentence.
    pub about: &'static str,
}

/// What answers a method.
pub(super) type Answer = fn(&mut dyn Host, &Call<'_>) -> Result<Text, Failure>;

/// Makes [`TABLE`] and [`ANSWERS`] of the same rows. Apart, because whoever only needs the descriptions (the gateway's
/// own program) must not carry household, engine and database along in its flash.
macro_rules! methods {
    ($($make:ident($name:expr, $params:expr, $about:expr, $answer:path)),* $(,)?) => {
        /// All methods. Reading ones first, in the order in which people ask.
        pub const TABLE: &[Method] = &[$($make($name, $params, $about)),*];
        /// Their answers, in the same order.
        pub(super) const ANSWERS: &[Answer] = &[$(|host, call| $answer(host, call).map(Text::from)),*];
    };
}

const fn required(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, need: Need::Required, about }
}

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, need: Need::Optional, about }
}

const CLIENT: &[Param] = &[required("who", Kind::Text, "a device's name, MAC address or address")];
const WHO: Param = required("who", Kind::Text, "a device's name, MAC or address, a profile, or all");
const FROM: Param = optional("from", Kind::Instant, "when it begins; default: a day ago");
const TO: Param = optional("to", Kind::Instant, "when it ends, exclusive; default: tomorrow");
const OF: Param = optional("who", Kind::Text, "only this device or profile");
const PER: Param = optional("per", Kind::Text, "periods: minute, hour, day, week, month, year or total");
const PER_DAYS: Param = optional("per", Kind::Text, "periods: day, week, month, year or total; default: day");
const USAGE: &[Param] = &[FROM, TO, PER_DAYS, OF];
const SESSIONS: &[Param] = &[FROM, TO, OF, optional("limit", Kind::Number, "the latest so many")];
const TRAFFIC: &[Param] = &[
    FROM,
    TO,
    PER,
    OF,
    optional(
        "by",
        Kind::Text,
        "told apart by: client (default), service, protocol, peer; or all: the rows as they are kept",
    ),
    optional("limit", Kind::Number, "rows of a period; the others are summed up; default 50"),
];
const PERIODS: &[Param] = &[FROM, TO, PER];
const WINDOWS: &[Param] = &[FROM, TO, OF];
const PACKETS: &[Param] = &[
    optional("from", Kind::Instant, "not before; default: all there is"),
    optional("to", Kind::Instant, "before then"),
    optional("who", Kind::Text, "of this device only"),
    optional("alert", Kind::Number, "around this alert only"),
    optional("limit", Kind::Number, "the latest so many; default 100"),
];
const EXPORT_PCAP: &[Param] = &[PACKETS[0], PACKETS[1], PACKETS[2], PACKETS[3]];
const CAPTURE: &[Param] = &[
    required("interface", Kind::Text, "where to listen"),
    optional("filter", Kind::Text, "which frames, in libpcap's language; default: all"),
    optional("seconds", Kind::Number, "1 to 3600; default 60"),
    optional("bytes", Kind::Number, "the largest file; default 8000000"),
    optional("snaplen", Kind::Number, "bytes of each frame; default: option snaplen"),
];
const ALERTS: &[Param] = &[
    FROM,
    TO,
    optional("type", Kind::Text, "of this type only, such as port_scan"),
    optional("severity", Kind::Text, "at least this bad: low, medium, high, critical"),
    optional("open", Kind::Number, "1: only those that go on and are not settled"),
];
const ACK: &[Param] = &[
    required("alert", Kind::Number, "the alert's number"),
    optional("note", Kind::Text, "a note to keep with it"),
    optional("resolve", Kind::Number, "1: it needs no more attention"),
];

methods! {
    read("status", &[], "How the service does, and every device: used, left, standing.", present::status),
    read("clients", &[], "Every device: used, left, standing.", present::clients),
    read("client", CLIENT, "One device, with what of it is blocked.", present::client),
    read("usage", USAGE, "Seconds watched by device and day, or a longer period.", past::usage),
    read("sessions", SESSIONS, "Who watched what from when to when.", past::sessions),
    read("traffic", TRAFFIC, "Bytes by period and device, service, protocol or address.", past::traffic),
    read("history", USAGE, "Seconds watched, sessions and bytes by device and day, or a longer period.",
        past::history),
    read("flows", &[optional("limit", Kind::Number, "at most so many; default 100")],
        "The largest flows in the table now.", present::flows),
    read("periods", PERIODS, "The hours, days or longer periods of a time, as this household has them.", past::periods),
    read("windows", WINDOWS, "What the classifier said of the last ten-second windows.", packets::windows),
    read("packets", PACKETS, "The last packets, headers only.", packets::packets),
    read("metrics", &[], "Numbers for Prometheus, as text.", metrics::metrics),
    read("alerts", ALERTS, "Attacks that were noticed, with their evidence.", alerts::alerts),
    read("events", &[], "The latest events.", present::events),
    read("doctor", &[], "Whether clock, capture, firewall and storage work.", present::doctor),
    read("model", &[], "The model in force.", present::model),
    read("check", &[], "What is wrong in the configuration.", present::check),
    write("grant", &[WHO, required("minutes", Kind::Number, "1 to 1440")], "Allows more time today.", acts::act),
    write("revoke", &[WHO], "Takes back what was granted today.", acts::act),
    write("pause", &[WHO, optional("minutes", Kind::Number, "1 to 1440; default: until the next reset")],
        "Cuts a device off from everything beyond the router.", acts::act),
    write("resume", &[WHO], "Ends a pause.", acts::act),
    write("reset", &[WHO], "Sets today's usage to zero.", acts::act),
    write("ack", ACK, "Marks an alert as seen.", alerts::ack),
    write("export_pcap", EXPORT_PCAP, "Writes the last packets to a file in the directory of recordings.",
        packets::export_pcap),
    write("capture_start", CAPTURE, "Begins to record packets to a file in the directory of recordings.",
        packets::capture_start),
    write("capture_stop", &[], "Ends the recording.", packets::capture_stop),
    write("reload", &[], "Reads the configuration again.", acts::reload),
}

const fn read(name: &'static str, params: &'static [Param], about: &'static str) -> Method {
    Method { name, effect: Effect::Read, params, about }
}

const fn write(name: &'static str, params: &'static [Param], about: &'static str) -> Method {
    Method { name, effect: Effect::Write, params, about }
}
