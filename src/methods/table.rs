//! The one list of methods.

use serde_json::Value;

use super::{Call, Failure, Host, acts, alerts, past, present};

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
    /// A date (YYYY-MM-DD) or seconds since the epoch.
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
    /// The answer.
    pub answer: fn(&mut dyn Host, &Call<'_>) -> Result<Value, Failure>,
}

const fn required(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, need: Need::Required, about }
}

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, need: Need::Optional, about }
}

const CLIENT: &[Param] = &[required("who", Kind::Text, "a device's name, MAC address or address")];
const WHO: Param = required("who", Kind::Text, "a device's name, MAC or address, a profile, or all");
const RANGE: &[Param] = &[
    optional("from", Kind::Instant, "first day or second; default: a day ago"),
    optional("to", Kind::Instant, "day or second after the last; default: tomorrow"),
];

const ALERTS: &[Param] = &[
    RANGE[0],
    RANGE[1],
    optional("type", Kind::Text, "of this type only, such as port_scan"),
    optional("severity", Kind::Text, "at least this bad: low, medium, high, critical"),
    optional("open", Kind::Number, "1: only those that go on and are not settled"),
];
const ACK: &[Param] = &[
    required("alert", Kind::Number, "the alert's number"),
    optional("note", Kind::Text, "a note to keep with it"),
    optional("resolve", Kind::Number, "1: it needs no more attention"),
];

/// All methods. Reading ones first, in the order in which people ask.
#[rustfmt::skip]
pub const TABLE: &[Method] = &[
    read("status", &[], "How the service does, and every device: used, left, standing.", present::status),
    read("clients", &[], "Every device: used, left, standing.", present::clients),
    read("client", CLIENT, "One device, with what of it is blocked.", present::client),
    read("usage", RANGE, "Seconds watched by day and device.", past::usage),
    read("sessions", RANGE, "Who watched what from when to when.", past::sessions),
    read("traffic", RANGE, "Bytes by device and minute, hour or day.", past::traffic),
    read("history", RANGE, "Seconds watched by day and device.", past::usage),
    read("flows", &[optional("limit", Kind::Number, "at most so many; default 100")],
        "The largest flows in the table now.", present::flows),
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
    write("reload", &[], "Reads the configuration again.", acts::reload),
];

type Answer = fn(&mut dyn Host, &Call<'_>) -> Result<Value, Failure>;

const fn read(name: &'static str, params: &'static [Param], about: &'static str, answer: Answer) -> Method {
    Method { name, effect: Effect::Read, params, about, answer }
}

const fn write(name: &'static str, params: &'static [Param], about: &'static str, answer: Answer) -> Method {
    Method { name, effect: Effect::Write, params, about, answer }
}
