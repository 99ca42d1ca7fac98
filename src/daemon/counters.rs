//! The kernel's counters of connections, read where hardware forwards past us.
//!
//! Every ten seconds the whole list is read, and in between each connection that ends tells its last counters. The
//! house makes differences of them. Only the kernel's own list of neighbours says which device an address belongs
//! to; what no neighbour has is not the household's. Where the kernel does not count (`nf_conntrack_acct` is 0, or
//! no ctnetlink) the capture's bytes stand, `doctor` says why, and it is tried again.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use serde_json::{Value, json};

use super::Daemon;
use super::enforce::chain;
use crate::account::Source;
use crate::engine::house::{House, Sight};
use crate::net::{Addr, MacAddr};
use crate::os::conntrack::{Conntrack, ConntrackError, Departures, Entry, Told};
use crate::os::facts;
use crate::os::links::Neighbour;
use crate::time::{Duration, Moment, Now};

/// Time between two readings of the whole list: a data plan may be passed by what moves in it.
const READING: Duration = Duration::from_secs(10);
/// Addresses of neighbours remembered; when there are more, those of the present only.
const MAX_NEIGHBOURS: usize = 4_096;
/// Why the kernel's counters are of no use.
const NOT_COUNTING: &str = "the kernel does not count: net.netfilter.nf_conntrack_acct is 0";

/// The sockets, and whose addresses are whose.
pub(super) struct Counters {
    conntrack: Conntrack,
    departures: Departures,
    neighbours: HashMap<Addr, MacAddr>,
    next: Moment,
    trouble: Option<String>,
    /// Times that ends of connections were lost: what they carried last is missing.
    overruns: u64,
}

impl AsRawFd for Counters {
    fn as_raw_fd(&self) -> RawFd {
        self.departures.as_raw_fd()
    }
}

impl Counters {
    fn open() -> Result<Self, ConntrackError> {
        Ok(Self {
            conntrack: Conntrack::open()?,
            departures: Departures::open()?,
            neighbours: HashMap::new(),
            next: Moment::ZERO,
            trouble: None,
            overruns: 0,
        })
    }

    /// Connections that ended.
    fn hear(&mut self, house: &mut House) {
        let neighbours = &self.neighbours;
        if self.departures.poll(|entry| tell(house, neighbours, &entry)) == Told::NotAll {
            self.overruns += 1;
        }
    }

    /// Reads the whole list.
    fn read(&mut self, house: &mut House) {
        let neighbours = &self.neighbours;
        let read = match facts::kernel_counts() {
            Some(false) => Err(NOT_COUNTING.to_owned()),
            Some(true) | None => {
                house.set_bytes_from(Source::Kernel);
                let read = self.conntrack.entries(|entry| tell(house, neighbours, &entry));
                read.map_err(|error| chain(&error))
            }
        };
        match read {
            Ok(()) => house.end_count(),
            Err(_) => house.set_bytes_from(Source::Capture),
        }
        let trouble = read.err();
        if let Some(reason) = trouble.as_ref().filter(|reason| self.trouble.as_ref() != Some(reason)) {
            log::warn!("bytes of offloaded connections are missing: {reason}");
        }
        self.trouble = trouble;
    }

    fn meet(&mut self, neighbours: impl Iterator<Item = Neighbour>) {
        if self.neighbours.len() >= MAX_NEIGHBOURS {
            self.neighbours.clear();
        }
        self.neighbours
            .extend(neighbours.take(MAX_NEIGHBOURS).map(|neighbour| (neighbour.addr, neighbour.mac)));
    }
}

fn tell(house: &mut House, neighbours: &HashMap<Addr, MacAddr>, entry: &Entry) {
    if let Some(connection) = entry.counted() {
        house.counted(&connection, |addr| neighbours.get(addr).copied());
    }
}

impl Daemon {
    /// Opens or closes the kernel's counters, as what we see of the traffic wants it.
    pub(super) fn set_counters(&mut self) {
        match (self.house.sight(), &self.counters) {
            (Sight::Blind, None) => match Counters::open() {
                Ok(counters) => self.counters = Some(counters),
                Err(error) => log::warn!("bytes of offloaded connections are missing: {}", chain(&error)),
            },
            (Sight::Full, Some(_)) => {
                self.counters = None;
                self.house.set_bytes_from(Source::Capture);
            }
            (Sight::Blind, Some(_)) | (Sight::Full, None) => {}
        }
    }

    /// Takes what the kernel counted.
    pub(super) fn count(&mut self, now: Now) {
        let Some(counters) = &mut self.counters else { return };
        counters.hear(&mut self.house);
        if now.mono < counters.next {
            return;
        }
        counters.next = now.mono + READING;
        let lan = &self.lan_indexes;
        let neighbours = self.links.neighbours().unwrap_or_default().into_iter();
        counters.meet(neighbours.filter(|neighbour| lan.contains(&neighbour.index)));
        counters.read(&mut self.house);
    }

    /// The last reading: the daemon leaves.
    pub(super) fn count_last(&mut self, now: Now) {
        if let Some(counters) = &mut self.counters {
            counters.next = now.mono;
            self.count(now);
        }
    }

    /// Who counts bytes, and our count of the connections that the kernel tracks beside the kernel's: IP bytes of
    /// those that both know. Offloaded flows that pass us by show here. Null where the kernel does not count.
    pub(super) fn accounting_report(&mut self) -> Value {
        let flows = self.house.engine().flows();
        let (mut compared, mut kernel_bytes, mut counted_bytes) = (0_u64, 0_u64, 0_u64);
        let told = Conntrack::open().and_then(|mut conntrack| {
            conntrack.entries(|entry| {
                let Some(connection) = entry.counted() else { return };
                if let Some(flow) = flows.get(&connection.orig) {
                    compared += 1;
                    kernel_bytes += connection.forth.bytes + connection.back.bytes;
                    counted_bytes += flow.orig.ip_bytes + flow.resp.ip_bytes;
                }
            })
        });
        let trouble = match (&self.counters, facts::kernel_counts(), told) {
            (Some(Counters { trouble: Some(trouble), .. }), ..) => Some(trouble.clone()),
            (_, Some(false), _) => Some(NOT_COUNTING.to_owned()),
            (_, _, Err(error)) => Some(chain(&error)),
            (_, _, Ok(())) => None,
        };
        let ratio = (kernel_bytes > 0).then(|| counted_bytes as f64 / kernel_bytes as f64);
        json!({
            "source": self.house.bytes_from().as_str(),
            "trouble": trouble,
            "connections": compared,
            "kernel_bytes": kernel_bytes,
            "counted_bytes": counted_bytes,
            "ratio": ratio.map(|ratio| (ratio * 1_000.0).round() / 1_000.0),
            "left_out": self.house.not_counted(),
            "overruns": self.counters.as_ref().map_or(0, |counters| counters.overruns),
        })
    }
}
