//! The control socket's methods: questions to the house, and what a parent may do.
//!
//! Everything that leaves here is JSON, so names of devices and services, which anybody in the LAN can choose, are
//! escaped by construction; whoever shows them elsewhere escapes them again.

use serde_json::{Value, json};

use super::Daemon;
use super::enforce::{Health, Killing};
use crate::engine::house::Act;
use crate::net::ClientId;
use crate::os::clock;
use crate::os::control::{Access, Request};
use crate::os::nft::OffloadKind;
use crate::quota::{Usage, Who};
use crate::time::{LocalDay, Now};

/// Methods that change nothing, with the types of their parameters (as rpcd's `list` wants them).
pub const READ: [(&str, &[(&str, &str)]); 13] = [
    ("status", &[]),
    ("clients", &[]),
    ("client", &[("who", "str")]),
    ("usage", &[("from", "str"), ("to", "str")]),
    ("sessions", &[("from", "str"), ("to", "str")]),
    ("traffic", &[("from", "str"), ("to", "str")]),
    ("history", &[("from", "str"), ("to", "str")]),
    ("flows", &[("limit", "int")]),
    ("alerts", &[("from", "str"), ("to", "str")]),
    ("events", &[]),
    ("doctor", &[]),
    ("model", &[]),
    ("check", &[]),
];

/// Methods that change something.
pub const WRITE: [(&str, &[(&str, &str)]); 6] = [
    ("grant", &[("who", "str"), ("minutes", "int")]),
    ("revoke", &[("who", "str")]),
    ("pause", &[("who", "str"), ("minutes", "int")]),
    ("resume", &[("who", "str")]),
    ("reset", &[("who", "str")]),
    ("reload", &[]),
];

/// Flows shown at most.
const MAX_FLOWS: usize = 1_000;

/// A negative answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

fn failure(code: &'static str, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into() }
}

impl Daemon {
    /// Answers one request.
    pub(super) fn serve(&mut self, request: &Request, now: Now) -> Result<Value, Failure> {
        let writes = WRITE.iter().any(|(name, _)| *name == request.method);
        if writes && request.access == Access::View {
            return Err(failure("forbidden", format!("{} is not for this socket", request.method)));
        }
        let params = &request.params;
        match request.method.as_str() {
            "status" => Ok(self.status(now)),
            "clients" => Ok(json!({ "clients": self.clients() })),
            "client" => self.client(params),
            "usage" | "history" => self.usage(params, now),
            "sessions" => self.sessions(params, now),
            "traffic" => self.traffic(params, now),
            "alerts" => self.alerts(params, now),
            "flows" => Ok(self.flows(params)),
            "events" => Ok(json!({ "events": self.recent.iter().collect::<Vec<_>>() })),
            "doctor" => Ok(self.doctor(now)),
            "model" => Ok(self.model()),
            "check" => Ok(json!({ "findings": self.findings })),
            "grant" | "revoke" | "pause" | "resume" | "reset" => self.act(request, now),
            "reload" => {
                self.reload(now);
                Ok(json!({ "findings": self.findings }))
            }
            other => Err(failure("unknown_method", format!("no method {other:?}"))),
        }
    }

    fn act(&mut self, request: &Request, now: Now) -> Result<Value, Failure> {
        let who = self.who(&request.params)?;
        let minutes = match request.params.get("minutes") {
            None | Some(Value::Null) => None,
            Some(value) => Some(minutes(value)?),
        };
        let act = match request.method.as_str() {
            "grant" => {
                Act::Grant { minutes: minutes.ok_or_else(|| failure("bad_params", "minutes are missing"))? }
            }
            "revoke" => Act::Revoke,
            "pause" => Act::Pause { minutes },
            "resume" => Act::Resume,
            _ => Act::Reset,
        };
        self.house.act(act, &who, now).map_err(|refused| failure("refused", refused.to_string()))?;
        self.keeper.hurry();
        log::info!("{} by user {}", request.method, request.uid);
        Ok(match who {
            Who::Client(client) => json!({ "client": self.shown(&self.house.ledger().usage(client)) }),
            Who::Profile(_) | Who::All => json!({ "clients": self.clients() }),
        })
    }

    fn who(&self, params: &Value) -> Result<Who, Failure> {
        let text = params.get("who").and_then(Value::as_str);
        let text = text.ok_or_else(|| failure("bad_params", "who is missing"))?;
        self.house.who(text).ok_or_else(|| failure("unknown_client", format!("nobody is called {text:?}")))
    }

    fn status(&mut self, now: Now) -> Value {
        let (windows, streaming) = self.house.tally();
        let seen = self.house.engine().seen();
        let ledger = self.house.ledger();
        let clients = self.clients();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": self.mode_word(),
            "day": ledger.day().map(|day| day.to_string()),
            "day_ends": ledger.day_ends().map(|end| end.to_string()),
            "clock": self.clock_word(),
            "uptime_s": now.mono.since(self.started).as_secs(),
            "learning": ledger.is_learning(),
            "frames": seen.packets,
            "bytes": seen.bytes,
            "windows": windows,
            "windows_counted": streaming,
            "enforcement": self.enforcement_word(),
            "findings": self.findings.len(),
            "clients": clients,
        })
    }

    fn clients(&self) -> Vec<Value> {
        self.house.ledger().usages().iter().map(|usage| self.shown(usage)).collect()
    }

    fn client(&self, params: &Value) -> Result<Value, Failure> {
        let Who::Client(client) = self.who(params)? else {
            return Err(failure("bad_params", "a profile is not a client"));
        };
        let mut shown = self.shown(&self.house.ledger().usage(client));
        let listed: Vec<String> = self.house.blocks().listed(client).map(|addr| addr.to_string()).collect();
        let services: Vec<String> = self.house.blocks().services(client).map(str::to_owned).collect();
        shown["blocked_servers"] = json!(listed);
        shown["blocked_services"] = json!(services);
        shown["used_yesterday_s"] = json!(self.house.ledger().used_before_s(client));
        Ok(shown)
    }

    /// A client as JSON.
    fn shown(&self, usage: &Usage) -> Value {
        let mut shown = json!(usage);
        let client = usage.client;
        let index = self.house.engine().lan().clients().find(&client);
        let totals = index.map(|index| self.house.engine().totals(index)).unwrap_or_default();
        let left_s = usage.quota_s.map(|quota_s| quota_s.saturating_sub(usage.budget_used_s));
        shown["name"] = json!(self.house.name_of(client));
        shown["addresses"] = json!(self.house.addresses_of(client));
        shown["left_s"] = json!(left_s);
        shown["up_bytes"] = json!(totals.up_bytes);
        shown["down_bytes"] = json!(totals.down_bytes);
        shown["random_mac"] = json!(matches!(client, ClientId::Mac(mac) if mac.is_local()));
        shown
    }

    fn flows(&self, params: &Value) -> Value {
        let limit = params.get("limit").and_then(Value::as_u64).unwrap_or(100);
        let limit = usize::try_from(limit).unwrap_or(MAX_FLOWS).min(MAX_FLOWS);
        let mut flows: Vec<_> = self.house.engine().flows().iter().map(|(_, flow)| flow).collect();
        let bytes = |flow: &crate::flow::Flow| flow.orig.wire_bytes + flow.resp.wire_bytes;
        flows.sort_by_key(|flow| std::cmp::Reverse(bytes(flow)));
        let shown = flows.into_iter().take(limit).map(|flow| {
            json!({
                "proto": flow.tuple.proto,
                "orig": flow.tuple.orig.to_string(),
                "resp": flow.tuple.resp.to_string(),
                "bytes_orig": flow.orig.wire_bytes,
                "bytes_resp": flow.resp.wire_bytes,
            })
        });
        json!({ "flows": shown.collect::<Vec<_>>() })
    }

    fn usage(&self, params: &Value, now: Now) -> Result<Value, Failure> {
        let range = self.range(params, now)?;
        let day = |secs: i64| LocalDay::from_days(i32::try_from(secs.div_euclid(86_400)).unwrap_or(0));
        let days = day(range.start)..day(range.end);
        let database = self.keeper.database().ok_or_else(no_history)?;
        let rows = database.usage(days).map_err(|error| failure("history", super::enforce::chain(&error)))?;
        let named = rows.iter().map(|row| {
            let name = row.client.parse().ok().and_then(|client| self.house.name_of(client));
            json!({ "day": row.day.to_string(), "client": row.client, "name": name, "used_s": row.used_s })
        });
        Ok(json!({ "usage": named.collect::<Vec<_>>() }))
    }

    fn sessions(&self, params: &Value, now: Now) -> Result<Value, Failure> {
        let database = self.keeper.database().ok_or_else(no_history)?;
        let rows = database.sessions(&self.range(params, now)?);
        Ok(json!({ "sessions": rows.map_err(|error| failure("history", super::enforce::chain(&error)))? }))
    }

    fn traffic(&self, params: &Value, now: Now) -> Result<Value, Failure> {
        let database = self.keeper.database().ok_or_else(no_history)?;
        let rows = database.traffic(&self.range(params, now)?);
        Ok(json!({ "traffic": rows.map_err(|error| failure("history", super::enforce::chain(&error)))? }))
    }

    fn alerts(&self, params: &Value, now: Now) -> Result<Value, Failure> {
        let database = self.keeper.database().ok_or_else(no_history)?;
        let rows = database.alerts(&self.range(params, now)?);
        Ok(json!({ "alerts": rows.map_err(|error| failure("history", super::enforce::chain(&error)))? }))
    }

    /// `from` and `to` as dates (YYYY-MM-DD) or seconds; by default the last day.
    fn range(&self, params: &Value, now: Now) -> Result<std::ops::Range<i64>, Failure> {
        let wall_s = now.wall.unwrap_or_else(|| self.clock.wall()).as_secs();
        let bound = |key: &str, default: i64| match params.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => instant(value).ok_or_else(|| failure("bad_params", format!("{key} is no date"))),
        };
        Ok(bound("from", wall_s - 86_400)?..bound("to", wall_s + 86_400)?)
    }

    fn model(&self) -> Value {
        let summary: Value = serde_json::from_str(&self.model.summary_json).unwrap_or(Value::Null);
        json!({ "fingerprint": format!("{:016x}", self.model.fingerprint), "summary": summary })
    }

    pub(super) fn doctor(&mut self, now: Now) -> Value {
        let ears: Vec<Value> = self
            .ears
            .reports()
            .into_iter()
            .map(|ear| {
                json!({
                    "interface": ear.interface,
                    "trouble": ear.trouble,
                    "received": ear.tally.received,
                    "dropped": ear.tally.dropped,
                })
            })
            .collect();
        let day = self.house.ledger().day().unwrap_or_default();
        json!({
            "clock": self.clock_word(),
            "capture": ears,
            "firewall": self.firewall_report(now),
            "offload": self.offload_report(),
            "storage": {
                "trouble": self.keeper.trouble(),
                "database": self.keeper.database().map(|database| database.path().display().to_string()),
                "bytes": self.keeper.database().and_then(|database| database.size().ok()),
                "pending_rows": self.keeper.database().map(crate::os::store::Database::pending),
                "commits_today": self.keeper.commits_on(day),
            },
            "control": { "turned_away": self.desk.turned_away() },
            "config": self.findings,
            "shortfalls": self.house.shortfalls(),
            "model": format!("{:016x}", self.model.fingerprint),
            "clients": self.house.ledger().population().0,
        })
    }

    fn firewall_report(&mut self, now: Now) -> Value {
        let word = self.enforcement_word();
        let Some(enforcer) = &mut self.enforcer else { return json!({ "state": word }) };
        let killing = match enforcer.killing() {
            Killing::Usable => "usable".to_owned(),
            Killing::Not(reason) => reason.clone(),
        };
        let (healed, killed) = enforcer.tally();
        let elements: Vec<Value> = enforcer
            .contents(now.mono)
            .matched
            .iter()
            .map(|((set, key), matched)| {
                let (packets, bytes) = (matched.packets, matched.bytes);
                json!({ "set": set.as_str(), "key": key.to_string(), "packets": packets, "bytes": bytes })
            })
            .collect();
        json!({
            "state": word,
            "conntrack": killing,
            "healed": healed,
            "connections_killed": killed,
            "elements": elements,
        })
    }

    fn offload_report(&mut self) -> Value {
        let tables = self.enforcer.as_mut().map(super::enforce::Enforcer::flowtables).unwrap_or_default();
        let listening = self.ears.interfaces();
        let tables: Vec<Value> = tables
            .iter()
            .map(|table| {
                let effect = match table.kind {
                    OffloadKind::Hardware => "hardware: watch time is not measurable",
                    OffloadKind::Software if listening.iter().any(|name| table.devices.contains(name)) => {
                        "software: all packets are seen"
                    }
                    OffloadKind::Software => "software, past our interfaces: most packets are not seen",
                };
                json!({ "table": table.table, "name": table.name, "devices": table.devices, "effect": effect })
            })
            .collect();
        json!(tables)
    }

    fn clock_word(&self) -> &'static str {
        match self.clock.health() {
            clock::Health::Synchronised => "synchronised",
            clock::Health::Undisciplined => "not synchronised",
            clock::Health::Past => "in the past",
        }
    }

    fn enforcement_word(&self) -> String {
        match self.enforcer.as_ref().map(super::enforce::Enforcer::health) {
            None => "monitor".into(),
            Some(Health::Untried) => "starting".into(),
            Some(Health::InForce) => "in force".into(),
            Some(Health::Refused(reason)) => format!("refused: {reason}"),
        }
    }
}

fn no_history() -> Failure {
    failure("no_history", "the database cannot be opened; see doctor")
}

/// A date or seconds since the epoch.
fn instant(value: &Value) -> Option<i64> {
    if let Some(secs) = value.as_i64() {
        return Some(secs);
    }
    let text = value.as_str()?;
    if let Ok(secs) = text.parse() {
        return Some(secs);
    }
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year: i32 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    Some(i64::from(LocalDay::from_ymd(year, month, day).as_days()) * 86_400)
}

/// Minutes as a number or as digits (rpcd passes what the browser typed).
fn minutes(value: &Value) -> Result<u16, Failure> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| failure("bad_params", "minutes must be from 1 to 1440"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dates_or_seconds() {
        assert_eq!(instant(&json!("1970-01-02")), Some(86_400));
        assert_eq!(instant(&json!(5)), Some(5));
        assert_eq!(instant(&json!("5")), Some(5));
        for bad in [json!("tomorrow"), json!("2026-13-01"), json!("2026-01"), json!([]), json!("99999-01-01")]
        {
            assert_eq!(instant(&bad), None, "{bad}");
        }
    }

    #[test]
    fn minutes_come_as_number_or_digits() {
        assert_eq!(minutes(&json!(30)), Ok(30));
        assert_eq!(minutes(&json!("30")), Ok(30));
        assert!(
            minutes(&json!(-1)).is_err() && minutes(&json!("x")).is_err() && minutes(&json!(70_000)).is_err()
        );
    }
}
