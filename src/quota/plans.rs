//! Data plans: bytes counted against caps, by period.

use std::collections::BTreeMap;

use super::day::{next_period, period_start};
use super::{Plan, Settings};
use crate::net::{Addr, ClientId};
use crate::time::{LocalDay, TimeOfDay, WallTime, Zone};
use crate::units::Bytes;

/// What was used of each plan, by its section's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters {
    pub(super) plans: BTreeMap<String, Meter>,
}

/// What was used of one plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meter {
    /// The first date of the period; unknown until the day is.
    pub(super) since: Option<LocalDay>,
    pub(super) used: Bytes,
}

impl Meters {
    /// Keeps the meters of the plans that (still) exist.
    pub(super) fn adopt(&mut self, plans: &[Plan]) {
        let old = std::mem::take(&mut self.plans);
        let kept = |plan: &Plan| (plan.id.clone(), old.get(&plan.id).copied().unwrap_or_default());
        self.plans = plans.iter().map(kept).collect();
    }

    /// Starts periods anew whose time has come; a clock that goes back starts none.
    pub(super) fn turn(&mut self, plans: &[Plan], day: LocalDay) {
        for plan in plans {
            let meter = self.plans.entry(plan.id.clone()).or_default();
            let since = period_start(plan.period, plan.reset_day, day);
            match meter.since {
                None => meter.since = Some(since),
                Some(known) if since > known => *meter = Meter { since: Some(since), used: Bytes::ZERO },
                Some(_) => {}
            }
        }
    }

    /// Counts a client's bytes, both ways, with one peer.
    pub(super) fn add(&mut self, settings: &Settings, traffic: (ClientId, &Addr, Bytes)) {
        let (client, peer, bytes) = traffic;
        for plan in
            settings.plans.iter().filter(|plan| counts(plan, peer) && settings.has_member(plan, client))
        {
            self.plans.entry(plan.id.clone()).or_default().used += bytes;
        }
    }

    /// The used-up plans that a client belongs to.
    pub(super) fn caps(&self, settings: &Settings, client: ClientId) -> Vec<usize> {
        let full = |plan: &Plan| {
            let used = self.plans.get(&plan.id).map_or(Bytes::ZERO, |meter| meter.used);
            plan.limit > Bytes::ZERO && used >= plan.limit
        };
        let plans = settings.plans.iter().enumerate();
        plans
            .filter(|(_, plan)| full(plan) && settings.has_member(plan, client))
            .map(|(index, _)| index)
            .collect()
    }

    /// When a plan's period ends.
    pub(super) fn ends(&self, plan: &Plan, clock: (&Zone, TimeOfDay)) -> Option<WallTime> {
        let (zone, reset) = clock;
        let since = self.plans.get(&plan.id)?.since?;
        Some(zone.first_at(next_period(plan.period, plan.reset_day, since), reset))
    }
}

/// Whether traffic with a peer counts.
fn counts(plan: &Plan, peer: &Addr) -> bool {
    plan.networks.is_empty() || plan.networks.iter().any(|network| network.contains(peer))
}

impl Settings {
    /// Whether a client's traffic belongs to a plan.
    pub fn has_member(&self, plan: &Plan, client: ClientId) -> bool {
        if plan.who.is_empty() {
            return true;
        }
        let device = self.device(client);
        self.profile_of(client).is_some_and(|profile| profile.id == plan.who)
            || device.is_some_and(|device| device.name == plan.who || device.key == plan.who)
            || plan
                .who
                .parse::<ClientId>()
                .is_ok_and(|who| who == client || device.is_some_and(|d| d.is(who)))
    }
}
