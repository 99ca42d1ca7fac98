//! Raw sections to a [`Config`]: the table applied, references checked.

use std::collections::BTreeMap;

use super::schema::{self, Field};
use super::uci::{RawConfig, RawOption, RawSection, clip};
use super::{Config, Effect, Finding, MAX_FINDINGS, Reason};
use crate::quota::{Device, Period, Plan, Profile, Settings};

/// Most profiles kept.
const MAX_PROFILES: usize = 64;
/// Most described devices kept: as many as the ledger has room for.
const MAX_DEVICES: usize = 1_024;
/// Most data plans kept.
const MAX_PLANS: usize = 64;

pub(super) fn load(raw: &RawConfig, previous: Option<&Config>) -> (Config, Vec<Finding>) {
    let mut loader =
        Loader { previous, config: Config::default(), findings: Findings::default(), names: BTreeMap::new() };
    for error in &raw.errors {
        loader.findings.add(Finding {
            section: String::new(),
            option: None,
            value: None,
            reason: Reason::Syntax(error.what.clone()),
            effect: Effect::Ignored,
            line: error.line,
        });
    }
    let singles = schema::singles();
    let (profiles, devices, plans) = (schema::profile(), schema::device(), schema::plan());
    for section in &raw.sections {
        match section.kind.as_str() {
            "profile" => loader.profile(section, &profiles),
            "client" => loader.device(section, &devices),
            "plan" => loader.plan(section, &plans),
            kind => match singles.iter().find(|(name, _)| *name == kind) {
                Some((_, fields)) => loader.single(section, fields),
                None => loader.findings.section(section, Reason::UnknownSection),
            },
        }
    }
    loader.resolve(raw);
    (loader.config, loader.findings.finish())
}

struct Loader<'a> {
    previous: Option<&'a Config>,
    config: Config,
    findings: Findings,
    /// How many devices of each name there are so far.
    names: BTreeMap<String, u32>,
}

impl Loader<'_> {
    fn single(&mut self, section: &RawSection, fields: &[Field<Config>]) {
        let mut config = std::mem::take(&mut self.config);
        apply(section, fields, (&mut config, self.previous), &mut self.findings);
        self.config = config;
    }

    fn profile(&mut self, section: &RawSection, fields: &[Field<Profile>]) {
        let Some(id) = section.name.clone() else {
            return self.findings.section(section, Reason::Nameless);
        };
        if self.config.quota.profiles.len() >= MAX_PROFILES {
            return self.findings.section(section, Reason::TooMany(MAX_PROFILES));
        }
        let previous = self.previous.and_then(|config| config.quota.profile(&id));
        let mut profile = Profile { name: id.clone(), id, ..Profile::default() };
        apply(section, fields, (&mut profile, previous), &mut self.findings);
        self.config.quota.profiles.push(profile);
    }

    fn device(&mut self, section: &RawSection, fields: &[Field<Device>]) {
        if self.config.quota.devices.len() >= MAX_DEVICES {
            return self.findings.section(section, Reason::TooMany(MAX_DEVICES));
        }
        let value = |name: &str| {
            let option = section.options.iter().find(|option| option.name == name);
            option.and_then(|option| option.values.first()).filter(|value| !value.is_empty()).cloned()
        };
        let Some(mut key) = section.name.clone().or_else(|| value("name")).or_else(|| value("mac")) else {
            return self.findings.section(section, Reason::Nameless);
        };
        let name = key.clone();
        // Two of the same name are two devices, each with its own last good values.
        let before = self.names.entry(key.clone()).or_default();
        if *before > 0 {
            key.push_str(&format!("+{before}"));
        }
        *before += 1;
        let known = self.previous.map(|config| &config.quota.devices);
        let previous = known.and_then(|devices| devices.iter().find(|device| device.key == key));
        let mut device = Device { name, key, ..Device::default() };
        apply(section, fields, (&mut device, previous), &mut self.findings);
        self.config.quota.devices.push(device);
    }

    fn plan(&mut self, section: &RawSection, fields: &[Field<Plan>]) {
        let Some(id) = section.name.clone() else {
            return self.findings.section(section, Reason::Nameless);
        };
        if self.config.quota.plans.len() >= MAX_PLANS {
            return self.findings.section(section, Reason::TooMany(MAX_PLANS));
        }
        let known = self.previous.map(|config| &config.quota.plans);
        let previous = known.and_then(|plans| plans.iter().find(|plan| plan.id == id));
        let mut plan = Plan { id, ..Plan::default() };
        apply(section, fields, (&mut plan, previous), &mut self.findings);
        self.config.quota.plans.push(plan);
    }

    /// What only the whole can tell: references between sections, addresses given twice.
    fn resolve(&mut self, raw: &RawConfig) {
        self.resolve_needs(raw);
        let mut quota = std::mem::take(&mut self.config.quota);
        let last_default = self.previous.and_then(|config| config.quota.default_profile.clone());
        if let Some(id) = quota.default_profile.clone().filter(|id| quota.profile(id).is_none()) {
            let last = last_default.filter(|id| quota.profile(id).is_some());
            let effect = if last.is_some() { Effect::LastGood } else { Effect::Default };
            quota.default_profile = last;
            self.findings.option(
                raw,
                ("streamguard", "main", "default_profile"),
                (id, Reason::NoSuchProfile, effect),
            );
        }
        self.resolve_devices(raw, &mut quota);
        for plan in &mut quota.plans {
            if plan.period == Period::Week && plan.reset_day > 7 {
                let bad = super::BadValue::Number { min: 1, max: 7 };
                let what = (plan.reset_day.to_string(), Reason::Value(bad), Effect::Default);
                plan.reset_day = Plan::default().reset_day;
                self.findings.option(raw, ("plan", &plan.id, "reset_day"), what);
            }
        }
        for plan in quota.plans.iter().filter(|plan| !is_somebody(&plan.who, &quota)) {
            let what = (plan.who.clone(), Reason::NoSuchClient, Effect::Ignored);
            self.findings.option(raw, ("plan", &plan.id, "who"), what);
        }
        self.config.quota = quota;
    }

    /// What is switched on and cannot work without an option that is missing.
    fn resolve_needs(&mut self, raw: &RawConfig) {
        let Config { main, web, uplink, ipfix, .. } = &mut self.config;
        if main.interfaces.is_empty() {
            let last = self.previous.map(|config| config.main.interfaces.clone());
            let effect = if last.is_some() { Effect::LastGood } else { Effect::Default };
            main.interfaces = last.unwrap_or_else(|| super::Main::default().interfaces);
            let what = (String::new(), Reason::Missing("nothing would be watched"), effect);
            self.findings.option(raw, ("streamguard", "main", "interface"), what);
        }
        let needs = [
            (uplink.enabled && uplink.url.is_none(), "uplink", "url"),
            (ipfix.enabled && ipfix.collector.is_none(), "ipfix", "collector"),
            (web.child_page && web.child_listen.is_none(), "web", "child_listen"),
        ];
        for (_, section, option) in needs.into_iter().filter(|(missing, ..)| *missing) {
            let what = (String::new(), Reason::Missing("it is switched on and needs this"), Effect::Ignored);
            self.findings.option(raw, (section, section, option), what);
        }
    }

    fn resolve_devices(&mut self, raw: &RawConfig, quota: &mut Settings) {
        let profiles: Vec<String> = quota.profiles.iter().map(|profile| profile.id.clone()).collect();
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for device in &mut quota.devices {
            if let Some(id) = device.profile.take_if(|id| !profiles.contains(id)) {
                let what = (id, Reason::NoSuchProfile, Effect::Default);
                self.findings.option(raw, ("client", &device.key, "profile"), what);
            }
            if device.macs.is_empty() && device.addresses.is_empty() {
                let what = (String::new(), Reason::Missing("it is no device without one"), Effect::Ignored);
                self.findings.option(raw, ("client", &device.key, "mac"), what);
            }
            let mut doubles = Vec::new();
            let name = device.name.clone();
            let mut first_owner = |option: &'static str, address: String| match owners.get(&address) {
                Some(owner) => {
                    doubles.push((option, address, owner.clone()));
                    false
                }
                None => owners.insert(address, name.clone()).is_none(),
            };
            device.macs.retain(|mac| first_owner("mac", mac.to_string()));
            device.addresses.retain(|addr| first_owner("address", addr.to_string()));
            for (option, address, owner) in doubles {
                let what = (address, Reason::Duplicate(owner), Effect::Ignored);
                self.findings.option(raw, ("client", &device.key, option), what);
            }
        }
    }
}

fn is_somebody(who: &str, quota: &Settings) -> bool {
    who.is_empty()
        || quota.profile(who).is_some()
        || quota.devices.iter().any(|device| device.name == who || device.key == who)
        || who.parse::<crate::net::ClientId>().is_ok()
}

/// Applies one section to `into`; what does not fit is copied from `last`.
fn apply<S>(section: &RawSection, fields: &[Field<S>], into: (&mut S, Option<&S>), findings: &mut Findings) {
    let (into, last) = into;
    for option in &section.options {
        let Some(field) = fields.iter().find(|field| field.name == option.name) else {
            findings.value(section, option, (None, Reason::UnknownOption, Effect::Ignored));
            continue;
        };
        let bad = (field.fill)(into, &option.values);
        if bad.is_empty() {
            continue;
        }
        let effect = if last.is_some() { Effect::LastGood } else { Effect::Default };
        if let Some(last) = last {
            (field.copy)(into, last);
        }
        for (value, why) in bad {
            findings.value(section, option, (Some(value), Reason::Value(why), effect));
        }
    }
}

#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    more: usize,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn section(&mut self, section: &RawSection, reason: Reason) {
        let effect = Effect::Ignored;
        self.add(Finding {
            section: title(section),
            option: None,
            value: None,
            reason,
            effect,
            line: section.line,
        });
    }

    fn value(&mut self, section: &RawSection, option: &RawOption, what: (Option<String>, Reason, Effect)) {
        let (value, reason, effect) = what;
        self.add(Finding {
            section: title(section),
            option: Some(option.name.clone()),
            value: value.map(|value| clip(&value).to_owned()),
            reason,
            effect,
            line: option.line,
        });
    }

    /// About an option by the names of its section, after the sections were read.
    fn option(&mut self, raw: &RawConfig, at: (&str, &str, &str), what: (String, Reason, Effect)) {
        let (kind, key, name) = at;
        let is_it = |section: &&RawSection| {
            let named = |option: &RawOption| {
                (option.name == "name" || option.name == "mac")
                    && option.values.iter().any(|value| value == key)
            };
            section.kind == kind
                && (section.name.as_deref() == Some(key)
                    || section.name.is_none() && (kind == "streamguard" || section.options.iter().any(named)))
        };
        let section = raw.sections.iter().find(is_it);
        let option = section.and_then(|section| section.options.iter().find(|option| option.name == name));
        let (value, reason, effect) = what;
        self.add(Finding {
            section: section.map(title).unwrap_or_default(),
            option: Some(name.to_owned()),
            value: Some(clip(&value).to_owned()),
            reason,
            effect,
            line: option.map(|option| option.line).or(section.map(|section| section.line)).unwrap_or(0),
        });
    }

    fn finish(mut self) -> Vec<Finding> {
        if self.more > 0 {
            let reason = Reason::More(self.more);
            let section = String::new();
            self.list.push(Finding {
                section,
                option: None,
                value: None,
                reason,
                effect: Effect::Ignored,
                line: 0,
            });
        }
        self.list
    }
}

/// How findings call a section.
pub(crate) fn title(section: &RawSection) -> String {
    match (section.kind.as_str(), &section.name) {
        ("streamguard", _) => "main".to_owned(),
        (kind, Some(name)) if kind == name => kind.to_owned(),
        (kind, Some(name)) => format!("{kind} '{name}'"),
        (kind, None) => {
            let name = section.options.iter().find(|option| option.name == "name" || option.name == "mac");
            match name.and_then(|option| option.values.first()) {
                Some(name) => format!("{kind} '{}'", clip(name)),
                None => kind.to_owned(),
            }
        }
    }
}
