//! Who has used how much of what today.
//!
//! Every client has an account of its own, always; profiles with a shared budget, devices known by several addresses
//! and the devices without a section have one more, which counts the union over its clients. Which account judges a client depends on the
//! settings of the moment; its own usage counts in any, so that a device moved to another profile brings it
//! along.
//!
//! [`Ledger::accrue`] and [`Ledger::meter`] only count; [`Ledger::tick`] reads the clock, turns the day, judges
//! everybody and says what changed. Nothing here knows the kernel: enforcement asks [`Ledger::verdicts`].

use std::collections::BTreeMap;

use super::account::{Account, Pool, Record};
use super::day::{DayClock, Split, Turn};
use super::event::{Event, What, Who};
use super::plans::Meters;
use super::{Budget, Device, Policy, Settings, Standing, hours};
use crate::net::{Addr, ClientId, MacAddr};
use crate::time::{Duration, LocalDay, Moment, Now, WallTime, Zone};
use crate::units::Bytes;

/// Most clients with an account of their own. A client with usage, a grant or a pause today, or with a section in
/// the configuration, is never evicted; when nobody else is left, further devices share [`OVERFLOW`].
pub const MAX_CLIENTS: usize = 1_024;

/// Most events kept until somebody takes them; further ones are counted.
pub const MAX_EVENTS: usize = 4_096;

/// Stands in for all devices beyond [`MAX_CLIENTS`].
pub const OVERFLOW: ClientId = ClientId::Mac(MacAddr::NONE);

/// Usage, grants and pauses of a household.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(super) settings: Settings,
    pub(super) zone: Zone,
    pub(super) clock: DayClock,
    pub(super) clients: BTreeMap<ClientId, Record>,
    pub(super) pools: BTreeMap<Pool, Account>,
    pub(super) meters: Meters,
    /// The first day ever, for `learn_days`.
    pub(super) first_day: Option<LocalDay>,
    /// Which section of the settings describes an address.
    pub(super) roster: BTreeMap<ClientId, usize>,
    /// Counts snapshots, so that the newest can be told.
    pub(super) serial: u64,
    /// The minute of wall time in which everybody was judged last; `None` when something has changed since. Hours
    /// begin and end with minutes; nothing else changes a standing by time alone.
    pub(super) judged: Option<i64>,
    /// Counts judgements.
    revision: u64,
    events: Vec<Event>,
    lost_events: u64,
    /// The second of the last search for a client to evict: a flood of forged addresses gets one a second.
    last_eviction_s: Option<u64>,
    overflowing: bool,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(settings: Settings, zone: Zone) -> Self {
        let mut ledger = Self { zone, ..Self::default() };
        ledger.set_settings(settings);
        ledger
    }

    /// Puts other settings in force. Usage, grants and pauses stay.
    pub fn set_settings(&mut self, settings: Settings) {
        self.roster.clear();
        for (index, device) in settings.devices.iter().enumerate() {
            self.roster.extend(device.clients().map(|client| (client, index)));
        }
        for client in self.roster.keys() {
            if self.clients.len() < MAX_CLIENTS {
                self.clients.entry(*client).or_insert_with(|| Record::new(Moment::ZERO));
            }
        }
        self.meters.adopt(&settings.plans);
        if let Some(day) = self.clock.day {
            self.meters.turn(&settings.plans, day);
        }
        self.settings = settings;
        self.judged = None;
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts another time zone in force.
    pub fn set_zone(&mut self, zone: Zone) {
        self.zone = zone;
        self.judged = None;
    }

    /// The time zone in force.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The quota day that usage is filed under, once it is known.
    pub fn day(&self) -> Option<LocalDay> {
        self.clock.day
    }

    /// The next reset, once it is known.
    pub fn day_ends(&self) -> Option<WallTime> {
        self.clock.ends()
    }

    /// A number that grows whenever standings were judged anew: while it stays, so do [`Ledger::verdicts`].
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Events that were dropped because nobody took them.
    pub fn lost_events(&self) -> u64 {
        self.lost_events
    }

    /// How many clients have an account, and whether further ones share one.
    pub fn population(&self) -> (usize, bool) {
        (self.clients.len(), self.overflowing)
    }

    /// Whether the days of observation (`learn_days`) are not over: judge, but enforce nothing.
    pub fn is_learning(&self) -> bool {
        let learn_days = i32::from(self.settings.learn_days);
        match (self.first_day, self.clock.day) {
            _ if learn_days == 0 => false,
            (Some(first), Some(day)) => day < first.plus(learn_days),
            _ => true,
        }
    }

    /// Notes that a client is there; gives the one whose account counts for it, itself or [`OVERFLOW`].
    pub fn touch(&mut self, client: ClientId, at: Moment) -> ClientId {
        if let Some(record) = self.clients.get_mut(&client) {
            record.seen = record.seen.max(at);
            return client;
        }
        let full = self.clients.len() >= MAX_CLIENTS;
        let chosen = if !full || self.evict(at) { client } else { OVERFLOW };
        self.clients.entry(chosen).or_insert_with(|| Record::new(at)).seen = at;
        if chosen == OVERFLOW && !self.overflowing {
            self.overflowing = true;
            self.note(at, Who::Client(OVERFLOW), What::Overflowing);
        }
        self.judged = None;
        chosen
    }

    fn evict(&mut self, at: Moment) -> bool {
        if self.last_eviction_s.is_some_and(|second| second >= at.as_secs()) {
            return false;
        }
        self.last_eviction_s = Some(at.as_secs());
        let evictable = |(client, record): &(&ClientId, &Record)| {
            **client != OVERFLOW && record.account.is_blank() && !self.roster.contains_key(client)
        };
        let oldest = self.clients.iter().filter(evictable).min_by_key(|(_, record)| record.seen);
        let oldest = oldest.map(|(client, _)| *client);
        oldest.is_some_and(|client| self.clients.remove(&client).is_some())
    }

    /// Counts watch time. `start` is on the line that never steps and may lie some windows back, even before
    /// the last reset: what lies in the day before is filed there. A second counted already counts no more.
    pub fn accrue(&mut self, client: ClientId, start: Moment, seconds: u32) {
        let client = self.touch(client, start);
        let Split { before, today } = self.clock.split(start, Duration::from_secs(seconds.into()));
        let pool = self.pool_of(client).map(|pool| self.pools.entry(pool).or_default());
        let own = self.clients.get_mut(&client).map(|record| &mut record.account);
        for account in own.into_iter().chain(pool) {
            if let Some((start, end)) = before {
                account.before.add(start, end);
            }
            if let Some((start, end)) = today {
                account.today.add(start, end);
            }
        }
        self.judged = None;
    }

    /// Counts a client's bytes with one peer, both ways, against the data plans.
    pub fn meter(&mut self, client: ClientId, peer: &Addr, bytes: Bytes) {
        if !self.settings.plans.is_empty() {
            self.meters.add(&self.settings, (client, peer, bytes));
            self.judged = None;
        }
    }

    /// Reads the clock, turns the day if it is time, judges everybody, and gives what happened since the last
    /// call. To be called before windows that closed by `now` are accrued, and again after.
    pub fn tick(&mut self, now: Now) -> Vec<Event> {
        let turn = self.clock.read(now, (&self.zone, self.settings.reset_time));
        match turn {
            Turn::Same => {}
            Turn::Named(day) => self.name_day(day),
            Turn::Renamed(day) => {
                self.name_day(day);
                self.note(now.mono, Who::All, What::DayRenamed { day });
            }
            Turn::Began(day) => {
                self.turn_day(day);
                self.note(now.mono, Who::All, What::DayBegan { day });
            }
        }
        self.expire_pauses(now.mono);
        let minute = self.clock.wall(now).map_or(i64::MIN, |wall| wall.as_secs().div_euclid(60));
        if self.judged != Some(minute) || turn != Turn::Same {
            self.judged = Some(minute);
            self.judge(now);
        }
        std::mem::take(&mut self.events)
    }

    fn name_day(&mut self, day: LocalDay) {
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        self.meters.turn(&self.settings.plans, day);
    }

    fn turn_day(&mut self, day: LocalDay) {
        self.name_day(day);
        self.clients.values_mut().for_each(|record| record.account.turn());
        self.pools.values_mut().for_each(Account::turn);
        self.overflowing = false;
    }

    fn expire_pauses(&mut self, now: Moment) {
        let mut over = Vec::new();
        for (pool, account) in &mut self.pools {
            if account.expire_pause(now) {
                over.push(match pool {
                    Pool::Profile(id) => Who::Profile(id.clone()),
                    Pool::All | Pool::Device(_) | Pool::Unknown => Who::All,
                });
            }
        }
        for (client, record) in &mut self.clients {
            if record.account.expire_pause(now) {
                over.push(Who::Client(*client));
            }
        }
        for who in over {
            self.note(now, who, What::Resumed);
            self.judged = None;
        }
    }

    /// Judges everybody and notes what changed.
    fn judge(&mut self, now: Now) {
        self.revision += 1;
        let closed = self.closed_profiles(now);
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        for client in clients {
            let standing = self.assess(client, (now, &closed));
            let Some(record) = self.clients.get_mut(&client) else { continue };
            let what = What::of(&record.standing, &standing);
            record.standing = standing;
            if let Some(what) = what {
                self.note(now.mono, Who::Client(client), what);
            }
        }
    }

    /// Profiles outside of their hours, and until when. Without any idea of the time, hours do not hold.
    pub(super) fn closed_profiles(&self, now: Now) -> BTreeMap<String, WallTime> {
        let Some(wall) = self.clock.wall(now) else { return BTreeMap::new() };
        let closed = |profile: &super::Profile| {
            hours::closed_until(&profile.allow, &self.zone, wall).map(|until| (profile.id.clone(), until))
        };
        self.settings.profiles.iter().filter_map(closed).collect()
    }

    /// Keeps an event for the next [`Ledger::tick`].
    pub(super) fn note(&mut self, at: Moment, who: Who, what: What) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(Event { at, who, what });
        } else {
            self.lost_events += 1;
        }
    }

    /// The shared account that judges a client, if one does.
    pub(super) fn pool_of(&self, client: ClientId) -> Option<Pool> {
        let profile = self.profile_of(client);
        match profile {
            Some(profile) if profile.budget == Budget::Shared => Some(Pool::Profile(profile.id.clone())),
            _ => match self.device_of(client) {
                Some(device) => device.is_many().then(|| Pool::Device(device.key.clone())),
                None => (self.settings.unknown == Budget::Shared).then_some(Pool::Unknown),
            },
        }
    }

    /// Like [`Settings::device`], by the index.
    fn device_of(&self, client: ClientId) -> Option<&Device> {
        self.roster.get(&client).and_then(|index| self.settings.devices.get(*index))
    }

    /// All that the ledger knows of the device a client is: its other addresses, too.
    pub(super) fn same_device(&self, client: ClientId) -> Vec<ClientId> {
        match self.device_of(client) {
            Some(device) => self.clients.keys().copied().filter(|other| device.is(*other)).collect(),
            None => vec![client],
        }
    }

    /// Like [`Settings::profile_of`], by the index.
    pub(super) fn profile_of(&self, client: ClientId) -> Option<&super::Profile> {
        let own = self.device_of(client).and_then(|device| device.profile.as_deref());
        own.or(self.settings.default_profile.as_deref()).and_then(|id| self.settings.profile(id))
    }

    pub(super) fn policy_of(&self, client: ClientId) -> Policy {
        self.device_of(client).map_or(Policy::Quota, |device| device.policy)
    }

    /// How a client stood when it was last judged; one without an account stands as [`OVERFLOW`] does.
    pub fn standing(&self, client: ClientId) -> Standing {
        let record = self.clients.get(&client).or_else(|| self.clients.get(&OVERFLOW));
        record.map_or(Standing::Unlimited, |record| record.standing.clone())
    }
}
