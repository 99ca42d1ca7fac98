//! Lateral movement: somebody logged in from outside, and then this device looks around inside.
//!
//! A login from outside the household to one of its devices is allowed (that is what the open port is for), and a
//! device that looks for its neighbours is a scan like any other. One after the other is the second step of a
//! break-in, so less looking around is needed, and the alert is worse. Known evasions: waiting for more than an
//! hour, a way in that is no login, a look at fewer neighbours or ports than the threshold.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::{Slice, Span};
use super::settings::Thresholds;
use super::shared::{AddrKey, Shared};
use super::table::Table;
use crate::flow::Flow;
use crate::net::Addr;
use crate::time::Moment;

/// Devices remembered as logged in to.
pub(super) const MAX_LOGINS: usize = 64;
/// A login is remembered for an hour.
const KEPT_LOGIN: Slice = 720;
/// Of what is tried, so much does not answer.
const FAILED_PCT: u32 = 50;

#[derive(Clone, Copy, Debug, Default)]
struct Login {
    at: Moment,
    port: u16,
}

/// Who was logged in to from outside.
#[derive(Debug)]
pub(super) struct Logins(Table<AddrKey, Login>);

impl Logins {
    pub(super) fn new() -> Self {
        Self(Table::new(MAX_LOGINS, KEPT_LOGIN))
    }

    /// Somebody is in.
    pub(super) fn note(&mut self, shared: &Shared, flow: &Flow, at: Moment) {
        let (from, to) = (flow.tuple.orig.addr, flow.tuple.resp);
        if from.is_private() || !to.addr.is_private() {
            return;
        }
        if let Some(login) = self.0.enter(shared.hash(&to.addr), &AddrKey(to.addr), shared.slice) {
            *login = Login { at, port: to.port };
        }
    }

    /// Whether somebody logged in to this device from outside within the hour.
    pub(super) fn is_visited(&self, hash: u64, addr: &Addr) -> bool {
        self.0.contains(hash, &AddrKey(*addr))
    }

    pub(super) fn poll(&mut self, shared: &mut Shared, thresholds: &Thresholds, found: &mut Vec<Finding>) {
        let slice = shared.slice;
        let least = thresholds.lateral_probes;
        let logins = &mut self.0;
        let seed = shared.hasher();
        let mut tell = |source: Addr, target: Option<Party>, first: Moment, (hosts, ports): (u32, u32)| {
            let Some(login) = logins.entry(seed(&source), &AddrKey(source)) else { return };
            found.push(Finding {
                kind: Kind::LateralMovement,
                severity: Severity::High,
                source: Party::Addr(source),
                target,
                first: login.at,
                evidence: Evidence::new(&[
                    ("hosts", u64::from(hosts)),
                    ("ports", u64::from(ports)),
                    ("seconds_after_login", first.since(login.at).as_secs()),
                    ("login_port", u64::from(login.port)),
                ]),
            });
        };
        shared.fans.touched(slice, |(source, _, _), fan| {
            let fared = fan.hosts.fared(slice, Span::S30);
            if fan.is_inside && fared.distinct >= least && fared.failed_pct >= FAILED_PCT {
                tell(source.0, None, fan.since.first(), (fared.distinct, 0));
            }
        });
        shared.pairs.touched(slice, |(source, target, _), pair| {
            let fared = pair.ports.fared(slice, Span::S30);
            if target.0.is_private() && fared.distinct >= least && fared.failed_pct >= FAILED_PCT {
                tell(source.0, Some(Party::Addr(target.0)), pair.since.first(), (0, fared.distinct));
            }
        });
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
