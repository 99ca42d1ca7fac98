//! The daemon as a host of the methods: how it is run, and what `doctor` says.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::Daemon;
use super::enforce::{Health, Killing};
use crate::config::Finding;
use crate::engine::Model;
use crate::engine::house::House;
use crate::history::AlertRow;
use crate::methods::{Condition, Failure, Host, Recording};
use crate::os::clock;
use crate::os::nft::OffloadKind;
use crate::os::store::Database;
use crate::time::Now;

impl Host for Daemon {
    fn house(&self) -> &House {
        &self.house
    }

    fn house_mut(&mut self) -> &mut House {
        &mut self.house
    }

    fn database(&self) -> Option<&Database> {
        self.keeper.database()
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

    fn condition(&self, now: Now) -> Condition {
        Condition {
            mode: self.mode_word(),
            clock: self.clock_word(),
            enforcement: self.enforcement_word(),
            uptime_s: now.mono.since(self.started).as_secs(),
        }
    }

    fn wall_s(&self, now: Now) -> i64 {
        now.wall.unwrap_or_else(|| self.clock.wall()).as_secs()
    }

    fn doctor(&mut self, now: Now) -> Value {
        self.report(now)
    }

    fn reload(&mut self, now: Now) -> Result<(), Failure> {
        self.read_config(now);
        Ok(())
    }

    fn acted(&mut self, now: Now) {
        self.keeper.hurry();
        // What is answered is kept: a crash in the next second must not undo it.
        self.keep(now);
    }

    fn keep_alert(&mut self, row: AlertRow) {
        self.keeper.alert(row);
    }

    fn model_trouble(&self) -> Option<&str> {
        self.model_trouble.as_deref()
    }

    fn capture_start(&mut self, recording: &Recording, now: Now) -> Result<Value, Failure> {
        self.begin_recording(recording, now)
    }

    fn capture_stop(&mut self, _: Now) -> Result<Value, Failure> {
        self.end_recording("stopped")
    }
}

impl Daemon {
    pub(super) fn report(&mut self, now: Now) -> Value {
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
            "accounting": self.accounting_report(),
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
            "model_trouble": self.model_trouble,
            "recording": self.tape.is_some(),
            "recordings": self.house.config().capture.dir,
            "ipfix": self.exporter_report(),
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

    fn exporter_report(&mut self) -> Value {
        match (&self.exporter, self.house.meter()) {
            (Ok(Some(exporter)), Some(meter)) => exporter.report(meter),
            (Ok(_), _) => Value::Null,
            (Err(reason), _) => json!({ "trouble": reason }),
        }
    }

    fn offload_report(&mut self) -> Value {
        let tables = self.flowtables();
        let listening: Vec<&str> = self.ears.devices().collect();
        let tables: Vec<Value> = tables
            .iter()
            .map(|table| {
                let effect = match table.kind {
                    OffloadKind::Hardware => "hardware: watch time is not measurable",
                    OffloadKind::Software if listening.iter().any(|name| table.devices.iter().any(|device| device == name)) => {
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
