//! From accounts and settings to standings, for people and for enforcement.

use std::collections::BTreeMap;

use serde::Serialize;

use super::account::{Account, Pause, Pool};
use super::ledger::Ledger;
use super::{Standing, Terms, assess};
use crate::net::ClientId;
use crate::time::{Duration, Moment, Now, WallTime};

/// How long restrictions last when the router does not know the time.
const WITHOUT_CLOCK: Duration = Duration::from_secs(86_400);

/// A client as enforcement sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub client: ClientId,
    /// How it stands.
    pub standing: Standing,
    /// Used-up data plans it belongs to, as indices of [`super::Settings::plans`].
    pub caps: Vec<usize>,
    /// When the restriction ends by itself: at the latest at the next reset, so that a dead daemon fails open.
    pub until: Moment,
}

/// A client as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Who.
    pub client: ClientId,
    /// Seconds it watched today itself.
    pub used_s: u32,
    /// Seconds used of the budget that judges it: more than its own when that is shared.
    pub budget_used_s: u32,
    /// Seconds allowed today, grants included; `None` = no limit.
    pub quota_s: Option<u32>,
    /// Minutes granted today.
    pub granted_min: u16,
    /// The profile it follows.
    pub profile: Option<String>,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
}

impl Ledger {
    /// The accounts besides its own that apply to a client, the one that judges it first.
    fn pools_over(&self, client: ClientId) -> impl Iterator<Item = &Account> {
        let judging = self.pool_of(client);
        let profile = self.profile_of(client).map(|profile| Pool::Profile(profile.id.clone()));
        let profile = profile.filter(|pool| judging.as_ref() != Some(pool));
        let pools = [judging, profile, Some(Pool::All)];
        pools.into_iter().flatten().filter_map(|pool| self.pools.get(&pool))
    }

    /// Seconds used of the budget that judges a client: never less than it used itself.
    fn budget_used_s(&self, client: ClientId) -> u32 {
        let own = self.clients.get(&client).map_or(0, |record| record.account.today.secs());
        let pool = self.pool_of(client).and_then(|pool| self.pools.get(&pool));
        own.max(pool.map_or(0, |account| account.today.secs()))
    }

    fn granted_min(&self, client: ClientId) -> u16 {
        let own = self.clients.get(&client).map(|record| &record.account);
        let all = own.into_iter().chain(self.pools_over(client));
        all.fold(0, |sum, account| sum.saturating_add(account.granted_min))
    }

    fn quota_s(&self, client: ClientId) -> Option<u32> {
        let quota_min = self.settings.quota_on(self.profile_of(client), self.clock.day)?;
        Some((u32::from(quota_min) + u32::from(self.granted_min(client))) * 60)
    }

    /// Whether a client is paused, and until when: the longest of the pauses that apply.
    fn paused(&self, client: ClientId, now: Now) -> Option<Option<WallTime>> {
        let own = self.clients.get(&client).map(|record| &record.account);
        let all = own.into_iter().chain(self.pools_over(client));
        let ends = all.filter_map(|account| account.paused).map(|pause| match pause {
            Pause::UntilReset => None,
            Pause::Until(end) => Some(end),
        });
        // `None`, until the reset, is the longest.
        let longest = ends.max_by_key(|end| end.unwrap_or(Moment::from_nanos(u64::MAX)))?;
        let wall = |end: Moment| self.clock.wall(now).map(|wall| wall + end.since(now.mono));
        let until = longest.and_then(wall);
        Some(match (until, self.clock.ends()) {
            (Some(until), Some(reset)) => Some(until.min(reset)),
            (Some(until), None) => Some(until),
            (None, reset) => reset.filter(|_| longest.is_none()),
        })
    }

    /// Judges one client.
    pub(super) fn assess(&self, client: ClientId, at: (Now, &BTreeMap<String, WallTime>)) -> Standing {
        let (now, closed) = at;
        let profile = self.profile_of(client);
        let cap = self
            .meters
            .caps(&self.settings, client)
            .first()
            .and_then(|index| self.settings.plans.get(*index));
        let rules = (&self.zone, self.settings.reset_time);
        let terms = Terms {
            policy: self.policy_of(client),
            quota_s: self.quota_s(client),
            warn_s: u32::from(self.settings.warn_min) * 60,
            grace_s: u32::from(self.settings.grace_min) * 60,
            paused: self.paused(client, now),
            outside: profile.and_then(|profile| closed.get(&profile.id)).map(|until| Some(*until)),
            capped: cap.map(|plan| (plan.id.clone(), self.meters.ends(plan, rules))),
            day_ends: self.clock.ends(),
        };
        assess(self.budget_used_s(client), &terms)
    }

    /// Everybody that is restricted or exempt, as last judged by [`Ledger::tick`]. While the days of
    /// observation last, nobody is restricted.
    pub fn verdicts(&self, now: Now) -> Vec<Verdict> {
        let learning = self.is_learning();
        let verdict =
            |client: &ClientId| Some(self.verdict(*client, now)).filter(|v| v.concerns_kernel(learning));
        self.clients.keys().filter_map(verdict).collect()
    }

    /// One client, also one beyond the capacity of the ledger.
    pub fn verdict(&self, client: ClientId, now: Now) -> Verdict {
        let standing = self.standing(client);
        let caps = match standing {
            Standing::Exempt => Vec::new(),
            _ => self.meters.caps(&self.settings, client),
        };
        let ends = match &standing {
            Standing::Exhausted { until }
            | Standing::OutsideHours { until }
            | Standing::Paused { until }
            | Standing::Capped { until, .. } => until.iter().chain(self.clock.ends().as_ref()).min().copied(),
            Standing::Unlimited
            | Standing::Within { .. }
            | Standing::Warned { .. }
            | Standing::Grace { .. }
            | Standing::Denied
            | Standing::Exempt => self.clock.ends(),
        };
        let until = ends.and_then(|wall| self.clock.moment_of(now, wall)).unwrap_or(now.mono + WITHOUT_CLOCK);
        Verdict { client, standing, caps, until }
    }

    /// A client as people see it.
    pub fn usage(&self, client: ClientId) -> Usage {
        Usage {
            client,
            used_s: self.clients.get(&client).map_or(0, |record| record.account.today.secs()),
            budget_used_s: self.budget_used_s(client),
            quota_s: self.quota_s(client),
            granted_min: self.granted_min(client),
            profile: self.profile_of(client).map(|profile| profile.id.clone()),
            standing: self.standing(client),
        }
    }

    /// Everybody, in the order of their addresses.
    pub fn usages(&self) -> impl Iterator<Item = Usage> + '_ {
        self.clients.keys().map(|client| self.usage(*client))
    }

    /// Seconds a client watched on the day before, late credits included.
    pub fn used_before_s(&self, client: ClientId) -> u32 {
        self.clients.get(&client).map_or(0, |record| record.account.before.secs())
    }

    /// Bytes used of each data plan, and when its period ends.
    pub fn plan_usage(&self) -> Vec<(&super::Plan, crate::units::Bytes, Option<WallTime>)> {
        let rules = (&self.zone, self.settings.reset_time);
        let plans = self.settings.plans.iter();
        plans
            .map(|plan| {
                let meter = self.meters.plans.get(&plan.id).copied().unwrap_or_default();
                (plan, meter.used, self.meters.ends(plan, rules))
            })
            .collect()
    }
}

impl Verdict {
    fn concerns_kernel(&self, learning: bool) -> bool {
        let restricted = self.standing.is_restricted() || !self.caps.is_empty();
        self.standing == Standing::Exempt || restricted && !learning
    }
}
