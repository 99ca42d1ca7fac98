//! The one table of options: each line binds a name to the place it fills and the reader of its values.

use super::value::{self, BadValue, Read};
use super::{Blackhole, Config, DETECTORS, LogLevel, Mode, Offload, OnStop, Sensitivity, Transport};
use crate::quota::{Action, Budget, Device, Period, Plan, PlanAction, Policy, Profile, Scope};

/// Fills one place of `S` from an option's values; returns the entries that did not fit.
type Fill<S> = Box<dyn Fn(&mut S, &[String]) -> Vec<(String, BadValue)>>;

/// Copies one place from another `S`.
type Adopt<S> = Box<dyn Fn(&mut S, &S)>;

/// One option of sections that fill an `S`.
pub(super) struct Field<S> {
    pub(super) name: String,
    pub(super) fill: Fill<S>,
    /// Copies the place from another `S`.
    pub(super) copy: Adopt<S>,
}

/// A pair of accessors; closures written inline cannot be generic over mutability.
struct Place<S, T> {
    get: fn(&S) -> &T,
    edit: fn(&mut S) -> &mut T,
}

macro_rules! at {
    ($($path:tt)+) => { &Place { get: |s| &s.$($path)+, edit: |s| &mut s.$($path)+ } };
}

/// An `option`: exactly one value; when written as a list of one, that one.
fn one<S: 'static, T: Clone + 'static>(
    name: &str,
    place: &Place<S, T>,
    read: fn(&str) -> Read<T>,
) -> Field<S> {
    let &Place { get, edit } = place;
    Field {
        name: name.to_owned(),
        fill: Box::new(move |section, values| {
            let [value] = values else { return vec![(values.join(" "), BadValue::OneValue)] };
            match read(value.trim()) {
                Ok(good) => *edit(section) = good,
                Err(bad) => return vec![(value.clone(), bad)],
            }
            Vec::new()
        }),
        copy: Box::new(move |to, from| edit(to).clone_from(get(from))),
    }
}

/// A `list`, or an `option` with values parted by white space; empty values are no values.
fn many<S: 'static, T: Clone + 'static>(
    name: &str,
    place: &Place<S, Vec<T>>,
    read: fn(&str) -> Read<T>,
) -> Field<S> {
    listed(name, place, (read, Parted::Words))
}

/// A `list` whose values have spaces in them.
fn phrases<S: 'static, T: Clone + 'static>(
    name: &str,
    place: &Place<S, Vec<T>>,
    read: fn(&str) -> Read<T>,
) -> Field<S> {
    listed(name, place, (read, Parted::Values))
}

#[derive(Clone, Copy)]
enum Parted {
    Words,
    Values,
}

fn entries(values: &[String], parted: Parted) -> Vec<&str> {
    match parted {
        Parted::Words => values.iter().flat_map(|value| value.split_ascii_whitespace()).collect(),
        Parted::Values => values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).collect(),
    }
}

fn listed<S: 'static, T: Clone + 'static>(
    name: &str,
    place: &Place<S, Vec<T>>,
    (read, parted): (fn(&str) -> Read<T>, Parted),
) -> Field<S> {
    let &Place { get, edit } = place;
    Field {
        name: name.to_owned(),
        fill: Box::new(move |section, values| {
            let (mut good, mut bad) = (Vec::new(), Vec::new());
            for word in entries(values, parted) {
                match read(word) {
                    Ok(value) => good.push(value),
                    Err(why) => bad.push((word.to_owned(), why)),
                }
            }
            *edit(section) = good;
            bad
        }),
        copy: Box::new(move |to, from| edit(to).clone_from(get(from))),
    }
}

/// For options that an empty value switches off.
fn unless_empty<T>(text: &str, read: fn(&str) -> Read<T>) -> Read<Option<T>> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

fn budget(text: &str) -> Read<Budget> {
    value::either(text, Budget::Each, Budget::Shared)
}

fn hours<T: std::str::FromStr<Err = crate::quota::hours::BadHours>>(text: &str) -> Read<T> {
    text.parse().map_err(BadValue::Hours)
}

fn action(text: &str) -> Read<Action> {
    value::choice(text, &["reject", "drop", "throttle"], &[Action::Reject, Action::Drop, Action::Throttle])
}

fn capture() -> Vec<Field<Config>> {
    vec![
        one("snaplen", at!(capture.snaplen), |text| value::number(text, 64..=65_535)),
        one("ring", at!(capture.ring), |text| value::size_within(text, 65_536..=64_000_000)),
        one("packets", at!(capture.packets), |text| match text {
            "0" => Ok(crate::units::Bytes::ZERO),
            text => value::size_within(text, 64_000..=64_000_000),
        }),
        one("dir", at!(capture.dir), value::path),
        one("offload", at!(capture.offload), |text| {
            value::choice(text, &["auto", "hardware"], &[Offload::Auto, Offload::Hardware])
        }),
    ]
}

/// Types of sections of which there is one each, with their options.
pub(super) fn singles() -> Vec<(&'static str, Vec<Field<Config>>)> {
    vec![
        ("streamguard", main()),
        ("detect", detect()),
        (
            "dns",
            vec![one("blackhole", at!(dns.blackhole), |text| {
                value::choice(
                    text,
                    &["off", "client", "all"],
                    &[Blackhole::Off, Blackhole::Client, Blackhole::All],
                )
            })],
        ),
        ("capture", capture()),
        (
            "notify",
            vec![
                one("webhook", at!(notify.webhook), |text| unless_empty(text, value::url)),
                one("hooks", at!(notify.hooks), value::path),
            ],
        ),
        (
            "web",
            vec![
                one("enabled", at!(web.enabled), value::switch),
                one("listen", at!(web.listen), value::listen),
                one("token_hash", at!(web.token_hash), |text| unless_empty(text, value::secret)),
                one("child_page", at!(web.child_page), value::switch),
                one("child_listen", at!(web.child_listen), |text| unless_empty(text, value::listen)),
            ],
        ),
        (
            "uplink",
            vec![
                one("enabled", at!(uplink.enabled), value::switch),
                one("url", at!(uplink.url), |text| unless_empty(text, value::url)),
                one("token", at!(uplink.token), |text| unless_empty(text, value::secret)),
                one("spool", at!(uplink.spool), |text| value::size_within(text, 64_000..=64_000_000)),
            ],
        ),
        (
            "ipfix",
            vec![
                one("enabled", at!(ipfix.enabled), value::switch),
                one("collector", at!(ipfix.collector), |text| unless_empty(text, value::collector)),
                one("transport", at!(ipfix.transport), |text| {
                    value::choice(text, &["udp", "tcp"], &[Transport::Udp, Transport::Tcp])
                }),
            ],
        ),
    ]
}

fn main() -> Vec<Field<Config>> {
    vec![
        one("enabled", at!(main.enabled), value::switch),
        one("mode", at!(main.mode), |text| {
            value::choice(text, &["enforce", "monitor"], &[Mode::Enforce, Mode::Monitor])
        }),
        one("quota", at!(quota.quota_min), value::day_minutes),
        one("reset_time", at!(quota.reset_time), value::time_of_day),
        one("warn", at!(quota.warn_min), value::day_minutes),
        one("grace", at!(quota.grace_min), value::day_minutes),
        one("scope", at!(quota.scope), |text| {
            value::choice(text, &["streaming", "internet"], &[Scope::Streaming, Scope::Internet])
        }),
        one("action", at!(quota.action), action),
        one("throttle", at!(quota.throttle_kbps), value::rate_kbps),
        one("sensitivity", at!(main.sensitivity), |text| {
            let all = [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High];
            value::choice(text, &["low", "normal", "high"], &all)
        }),
        one("learn_days", at!(quota.learn_days), |text| value::number(text, 0..=90)),
        many("interface", at!(main.interfaces), value::interface),
        many("exempt_service", at!(quota.exempt_services), value::service),
        many("exempt_address", at!(quota.exempt_addresses), value::prefix),
        one("default_profile", at!(quota.default_profile), |text| unless_empty(text, value::text)),
        one("unknown_shared", at!(quota.unknown), budget),
        one("model", at!(main.model), |text| unless_empty(text, value::path)),
        one("on_stop", at!(main.on_stop), |text| {
            value::choice(text, &["release", "keep"], &[OnStop::Release, OnStop::Keep])
        }),
        one("state_dir", at!(main.state_dir), value::path),
        one("commit_interval", at!(main.commit_interval), value::duration),
        one("db_max", at!(main.db_max), |text| value::size_within(text, 100_000..=10_000_000_000)),
        one("history_days", at!(main.history_days), |text| value::number(text, 0..=3_660)),
        one("names", at!(main.names), value::switch),
        one("log_level", at!(main.log_level), |text| {
            let words = &["err", "warning", "notice", "info", "debug"];
            let all = [LogLevel::Error, LogLevel::Warning, LogLevel::Notice, LogLevel::Info, LogLevel::Debug];
            value::choice(text, words, &all)
        }),
    ]
}

fn detect() -> Vec<Field<Config>> {
    let mut fields: Vec<Field<Config>> = vec![
        one("enabled", at!(detect.enabled), value::switch),
        many("block", at!(detect.block), |text| {
            if DETECTORS.contains(&text) { Ok(text.to_owned()) } else { Err(BadValue::Detector) }
        }),
        many("exempt", at!(detect.exempt), value::prefix),
    ];
    for name in DETECTORS {
        fields.push(detector(name, name.to_owned(), |detector, text| {
            detector.enabled = value::switch(text)?;
            Ok(())
        }));
        fields.push(detector(name, format!("{name}_threshold"), |detector, text| {
            detector.threshold = unless_empty(text, |text| value::number(text, 1..=u32::MAX.into()))?;
            Ok(())
        }));
    }
    fields
}

/// One option of one detector.
fn detector(
    detector: &'static str,
    option: String,
    set: fn(&mut super::Detector, &str) -> Read<()>,
) -> Field<Config> {
    let threshold = option != detector;
    Field {
        name: option,
        fill: Box::new(move |config, values| {
            let [value] = values else { return vec![(values.join(" "), BadValue::OneValue)] };
            let entry = config.detect.detectors.entry(detector).or_default();
            set(entry, value.trim()).err().map(|bad| (value.clone(), bad)).into_iter().collect()
        }),
        copy: Box::new(move |to, from| {
            let (Some(to), Some(from)) =
                (to.detect.detectors.get_mut(detector), from.detect.detectors.get(detector))
            else {
                return;
            };
            if threshold {
                to.threshold = from.threshold;
            } else {
                to.enabled = from.enabled;
            }
        }),
    }
}

pub(super) fn profile() -> Vec<Field<Profile>> {
    vec![
        one("name", at!(name), value::text),
        one("quota", at!(quota_min), |text| unless_empty(text, value::day_minutes)),
        phrases("quota_day", at!(quota_day), hours),
        phrases("allow", at!(allow), hours),
        one("shared", at!(budget), budget),
        many("exempt_service", at!(exempt_services), value::service),
    ]
}

pub(super) fn device() -> Vec<Field<Device>> {
    vec![
        one("name", at!(name), value::text),
        many("mac", at!(macs), value::mac),
        many("address", at!(addresses), value::address),
        one("profile", at!(profile), |text| unless_empty(text, value::text)),
        one("policy", at!(policy), |text| {
            let all = [Policy::Quota, Policy::Exempt, Policy::Deny];
            value::choice(text, &["quota", "exempt", "deny"], &all)
        }),
    ]
}

pub(super) fn plan() -> Vec<Field<Plan>> {
    vec![
        one("who", at!(who), value::text),
        many("network", at!(networks), value::prefix),
        one("period", at!(period), |text| {
            value::choice(text, &["day", "week", "month"], &[Period::Day, Period::Week, Period::Month])
        }),
        one("reset_day", at!(reset_day), |text| value::number(text, 1..=31)),
        one("limit", at!(limit), value::size),
        one("action", at!(action), |text| {
            value::choice(text, &["throttle", "block"], &[PlanAction::Throttle, PlanAction::Block])
        }),
        one("throttle", at!(throttle_kbps), value::rate_kbps),
    ]
}
