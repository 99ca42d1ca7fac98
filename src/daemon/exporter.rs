//! Flow records on their way to a collector (`config ipfix`).
//!
//! The collector is named by its address: looking up a name would make the loop wait. Records are sent once; what
//! a collector that is away, or the kernel, does not take is counted, and the count is in the options records and
//! in `doctor`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::enforce::chain;
use crate::config::{self, Transport};
use crate::flow::meter::Meter;
use crate::os::collector::{Collector, Sent};
use crate::report::ipfix::{Encoder, Losses};
use crate::time::{Duration, Moment, Now};

/// How often templates and counts are sent again.
const TEMPLATES_EVERY: Duration = Duration::from_secs(60);
/// How old they may be when records follow: a collector that was started late cannot read those without.
const TEMPLATES_FRESH: Duration = Duration::from_secs(5);
/// Time between attempts to reach a collector.
const RETRY: Duration = Duration::from_secs(5);
/// Messages sent in one second.
const MESSAGES_A_TURN: usize = 64;

/// An exporter of flows.
pub(super) struct Exporter {
    to: SocketAddr,
    transport: Transport,
    encoder: Encoder,
    collector: Option<Collector>,
    /// When they were sent last in this session; zero = not yet.
    templates_at: Moment,
    retry_at: Moment,
    trouble: Option<String>,
    lost: u64,
}

impl Exporter {
    /// As configured; `Ok(None)` if it is switched off.
    ///
    /// # Errors
    /// What is wrong with the collector, for people.
    pub(super) fn new(ipfix: &config::Ipfix, domain: u32) -> Result<Option<Self>, String> {
        if !ipfix.enabled {
            return Ok(None);
        }
        let text = ipfix.collector.as_deref().ok_or("ipfix: no collector is named")?;
        let to = text.parse().map_err(|_| format!("ipfix: {text} is no ADDRESS:PORT"))?;
        Ok(Some(Self {
            to,
            transport: ipfix.transport,
            encoder: Encoder::new(domain),
            collector: None,
            templates_at: Moment::ZERO,
            retry_at: Moment::ZERO,
            trouble: None,
            lost: 0,
        }))
    }

    /// Sends what waits, as far as the collector takes it.
    pub(super) fn turn(&mut self, meter: &mut Meter, dropped_packets: u64, now: Now) {
        let Some(wall) = now.wall else { return };
        let at_s = u32::try_from(wall.as_secs()).unwrap_or(0);
        if self.collector.is_none() && !self.open(now.mono) {
            return;
        }
        let age = now.mono.since(self.templates_at);
        let fresh = if meter.records().is_empty() { TEMPLATES_EVERY } else { TEMPLATES_FRESH };
        if self.templates_at == Moment::ZERO || age >= fresh {
            self.templates_at = now.mono;
            let losses = Losses { dropped_packets, not_sent: meter.not_sent() + self.lost };
            let message = self.encoder.templates(at_s, losses);
            self.send(&message, 0, now.mono);
        }
        let wall_ms = |at: Moment| {
            let nanos = wall.as_nanos() - i64::try_from(now.mono.since(at).as_nanos()).unwrap_or(i64::MAX);
            u64::try_from(nanos / 1_000_000).unwrap_or(0)
        };
        for _ in 0..MESSAGES_A_TURN {
            if self.collector.as_mut().is_none_or(|collector| collector.flush() == Sent::Broken) {
                return self.break_off("the connection broke", now.mono);
            }
            if !self.collector.as_ref().is_some_and(Collector::is_idle) {
                // What is encoded cannot be taken back: the records wait until the connection has room.
                return;
            }
            let before = self.encoder.exported();
            let Some(message) = self.encoder.records(at_s, meter.records(), wall_ms) else { return };
            let records = self.encoder.exported() - before;
            self.send(&message, records, now.mono);
        }
    }

    fn open(&mut self, now: Moment) -> bool {
        if now < self.retry_at {
            return false;
        }
        match Collector::open(self.to, self.transport) {
            Ok(collector) => {
                self.collector = Some(collector);
                // (RFC 7011 §8) Templates live as long as the session.
                self.templates_at = Moment::ZERO;
                self.encoder.restart();
                true
            }
            Err(error) => {
                self.break_off(&chain(&error), now);
                false
            }
        }
    }

    fn send(&mut self, message: &[u8], records: u64, now: Moment) {
        let Some(collector) = &mut self.collector else { return };
        match collector.send(message) {
            Sent::Yes => self.trouble = None,
            Sent::NotNow => self.lost += records,
            Sent::Broken => {
                self.lost += records;
                self.break_off("the connection broke", now);
            }
        }
    }

    fn break_off(&mut self, reason: &str, now: Moment) {
        self.collector = None;
        self.retry_at = now + RETRY;
        if self.trouble.is_none() {
            log::warn!("ipfix: {}: {reason}", self.to);
        }
        self.trouble = Some(reason.to_owned());
    }

    /// For `doctor`.
    pub(super) fn report(&self, meter: &Meter) -> Value {
        json!({
            "collector": self.to.to_string(),
            "records": self.encoder.exported(),
            "not_sent": meter.not_sent() + self.lost,
            "trouble": self.trouble,
        })
    }
}
