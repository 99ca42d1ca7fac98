//! What is so now.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Call, Failure, Host, Text, failure};
use crate::engine::house::{House, Sight};
use crate::flow::Flow;
use crate::lan::ClientIdx;
use crate::names::Pair;
use crate::net::{Addr, ClientId};
use crate::quota::{Plan, Standing, Usage, Who};
use crate::time::WallTime;
use crate::units::Bytes;

/// Flows shown at most.
const MAX_FLOWS: usize = 1_000;
/// Flows shown unless asked for more.
const FLOWS: u64 = 100;

pub(super) fn status(host: &mut dyn Host, call: &Call<'_>) -> Result<Text, Failure> {
    let condition = host.condition(call.now);
    let findings = host.findings().len();
    let time_s = host.wall_s(call.now);
    let house = host.house();
    let (windows, streaming) = house.tally();
    let seen = house.engine().seen();
    let ledger = house.ledger();
    let head = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "mode": condition.mode,
        "time_s": time_s,
        "day": ledger.day().map(|day| day.to_string()),
        "day_ends": ledger.day_ends().map(|end| end.to_string()),
        "clock": condition.clock,
        "uptime_s": condition.uptime_s,
        "learning": ledger.is_learning(),
        "frames": seen.packets,
        "bytes": seen.bytes,
        "windows": windows,
        "windows_counted": streaming,
        "enforcement": condition.enforcement,
        "findings": findings,
        "measurable": house.sight() == Sight::Full,
        "bytes_from": house.bytes_from().as_str(),
        "plans": plans(house),
    });
    Ok(with_clients(&head, house))
}

/// Data plans, and what was used of each.
fn plans(house: &House) -> Vec<Value> {
    let shown = |(plan, used, ends): (&Plan, Bytes, Option<WallTime>)| {
        json!({
            "plan": plan.id,
            "who": plan.who,
            "used_bytes": used,
            "limit_bytes": plan.limit,
            "ends": ends.map(|end| end.to_string()),
        })
    };
    house.ledger().plan_usage().into_iter().map(shown).collect()
}

pub(super) fn clients(host: &mut dyn Host, _: &Call<'_>) -> Result<Text, Failure> {
    Ok(everybody(host.house()))
}

/// All clients and nothing else.
pub(super) fn everybody(house: &House) -> Text {
    with_clients(&json!({ "bytes_from": house.bytes_from().as_str() }), house)
}

/// An object that also has every client, under `clients`.
fn with_clients(head: &Value, house: &House) -> Text {
    let mut text = head.to_string().into_bytes();
    text.pop();
    text.extend(b",\"clients\":[");
    for usage in house.ledger().usages() {
        // Into memory, of a struct that is always JSON: it cannot fail.
        let _ = serde_json::to_writer(&mut text, &Shown::new(house, usage));
        text.push(b',');
    }
    text.pop_if(|last| *last == b',');
    text.extend(b"]}");
    Text(String::from_utf8(text).unwrap_or_default())
}

pub(super) fn client(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let house = host.house();
    let Who::Client(client) = who(house, call)? else {
        return Err(failure("bad_params", "a profile is not a client"));
    };
    let mut shown = shown(house, house.ledger().usage(client));
    let listed: Vec<String> = house.blocks().listed(client).map(|addr| addr.to_string()).collect();
    let services: Vec<String> = house.blocks().services(client).map(str::to_owned).collect();
    shown["blocked_servers"] = json!(listed);
    shown["blocked_services"] = json!(services);
    shown["used_yesterday_s"] = json!(house.ledger().used_before_s(client));
    Ok(shown)
}

/// Whom the parameter `who` means.
pub(super) fn who(house: &House, call: &Call<'_>) -> Result<Who, Failure> {
    let text = call.text("who")?;
    house
        .who(text)
        .ok_or_else(|| failure("unknown_client", format!("nobody is called {text:?}, or more than one is")))
}

/// A client as JSON: a struct and not a tree of values, for a crowd has a thousand of them.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    client: ClientId,
    name: Option<String>,
    addresses: Vec<Addr>,
    profile: Option<String>,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Option<WallTime>>,
    pub(super) used_s: Option<u32>,
    budget_used_s: u32,
    quota_s: Option<u32>,
    pub(super) left_s: Option<u32>,
    granted_min: u16,
    up_bytes: u64,
    down_bytes: u64,
    watching: Option<Watching<'a>>,
    random_mac: bool,
}

/// The session that goes on now.
#[derive(Serialize)]
struct Watching<'a> {
    watch_s: u64,
    services: Vec<&'a str>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(house: &'a House, usage: Usage) -> Self {
        let client = usage.client;
        let index = house.engine().lan().clients().find(&client);
        let moved = index.map(|index| house.moved(index)).unwrap_or_default();
        let (standing, plan, until) = told(usage.standing);
        // Nobody knows; zero would be a lie.
        let measured = house.sight() == Sight::Full;
        let left_s = usage.quota_s.map(|quota_s| quota_s.saturating_sub(usage.budget_used_s));
        Self {
            client,
            name: house.name_of(client),
            addresses: house.addresses_of(client),
            profile: usage.profile,
            standing,
            plan,
            until,
            used_s: measured.then_some(usage.used_s),
            budget_used_s: usage.budget_used_s,
            quota_s: usage.quota_s,
            left_s: left_s.filter(|_| measured),
            granted_min: usage.granted_min,
            up_bytes: moved.up,
            down_bytes: moved.down,
            watching: index.and_then(|index| watching(house, index)),
            random_mac: matches!(client, ClientId::Mac(mac) if mac.is_local()),
        }
    }
}

/// A standing's word, and the plan and the time that belong to it.
fn told(standing: Standing) -> (&'static str, Option<String>, Option<Option<WallTime>>) {
    let word = standing.word();
    match standing {
        Standing::Exhausted { until } | Standing::OutsideHours { until } | Standing::Paused { until } => {
            (word, None, Some(until))
        }
        Standing::Capped { plan, until } => (word, Some(plan), Some(until)),
        Standing::Unlimited
        | Standing::Within { .. }
        | Standing::Warned { .. }
        | Standing::Grace { .. }
        | Standing::Denied
        | Standing::Exempt => (word, None, None),
    }
}

/// A client as JSON.
pub(super) fn shown(house: &House, usage: Usage) -> Value {
    json!(Shown::new(house, usage))
}

fn watching(house: &House, index: ClientIdx) -> Option<Watching<'_>> {
    let session = house.engine().session(index)?;
    let services = if house.config().main.names { session.services() } else { Vec::new() };
    Some(Watching { watch_s: session.watched.as_secs(), services })
}

pub(super) fn flows(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let limit = call.number("limit")?.unwrap_or(FLOWS);
    let limit = usize::try_from(limit).unwrap_or(MAX_FLOWS).min(MAX_FLOWS);
    let mut flows: Vec<_> = host.house().engine().flows().iter().map(|(_, flow)| flow).collect();
    let bytes = |flow: &Flow| flow.orig.wire_bytes + flow.resp.wire_bytes;
    flows.sort_by_key(|flow| std::cmp::Reverse(bytes(flow)));
    let house = host.house();
    let shown = flows.into_iter().take(limit).map(|flow| {
        let is_tcp = flow.tuple.proto == 6;
        let again = u64::from(flow.orig.retransmitted) + u64::from(flow.resp.retransmitted);
        json!({
            "proto": flow.tuple.proto,
            "service": service_of(house, flow),
            "rtt_us": flow.rtt_to_resp().map(|rtt| rtt.as_micros()),
            "retransmitted": is_tcp.then_some(again),
            "orig": flow.tuple.orig.to_string(),
            "resp": flow.tuple.resp.to_string(),
            "bytes_orig": flow.orig.wire_bytes,
            "bytes_resp": flow.resp.wire_bytes,
        })
    });
    Ok(json!({ "flows": shown.collect::<Vec<_>>() }))
}

/// What the server of a flow is called by the device that talks to it, if names may be kept.
fn service_of<'a>(house: &'a House, flow: &Flow) -> Option<&'a str> {
    let engine = house.engine();
    let (orig, resp) = (flow.tuple.orig.addr, flow.tuple.resp.addr);
    let clients = engine.lan().clients();
    let pair = |own, addr| Some(Pair { client: clients.known(clients.owner_of(own)?)?.id, addr });
    let pair = pair(orig, resp).or_else(|| pair(resp, orig)).filter(|_| house.config().main.names)?;
    engine.names().names().lookup(pair, flow.last).map(|known| known.service.label)
}

pub(super) fn events(host: &mut dyn Host, _: &Call<'_>) -> Result<Value, Failure> {
    Ok(json!({ "events": host.recent().iter().collect::<Vec<_>>() }))
}

pub(super) fn doctor(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    let mut answer = host.doctor(call.now);
    answer["drift"] = drift(host.house());
    Ok(answer)
}

/// How far this house's windows are from those of training; null until an hour of them is known.
fn drift(house: &House) -> Value {
    let rounded = |index: f64| (index * 100.0).round() / 100.0;
    house.likeness().map_or(Value::Null, |likeness| {
        let unlike: Vec<_> = likeness
            .unlike
            .iter()
            .map(|(feature, index)| json!({ "feature": feature, "index": rounded(*index) }))
            .collect();
        json!({ "windows": likeness.windows, "index": rounded(likeness.index), "unlike": unlike })
    })
}

pub(super) fn model(host: &mut dyn Host, _: &Call<'_>) -> Result<Value, Failure> {
    let trouble = host.model_trouble().map(str::to_owned);
    let model = host.model();
    let summary: Value = serde_json::from_str(&model.summary_json).unwrap_or(Value::Null);
    Ok(
        json!({ "fingerprint": format!("{:016x}", model.fingerprint), "summary": summary, "trouble": trouble }),
    )
}

pub(super) fn check(host: &mut dyn Host, _: &Call<'_>) -> Result<Value, Failure> {
    Ok(json!({ "findings": host.findings() }))
}
