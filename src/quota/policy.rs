//! What a household decided: quotas, profiles, devices, data plans. Plain values with their defaults; `config`
//! fills them from UCI text, the ledger judges by them.

use crate::net::{Addr, ClientId, MacAddr, Prefix};
use crate::time::{LocalDay, TimeOfDay};
use crate::units::Bytes;

use super::hours::{DayQuota, Hours};

/// What is cut when a quota is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The servers of detected video, for that client.
    #[default]
    Streaming,
    /// Everything the client sends through the router.
    Internet,
}

/// How it is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// Answer with a TCP reset or an ICMP error, so that players give up at once.
    #[default]
    Reject,
    /// Say nothing.
    Drop,
    /// Let it through, slowly.
    Throttle,
}

/// What a device is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Its profile's quota.
    #[default]
    Quota,
    /// Nothing at all; never blocked.
    Exempt,
    /// No video at any time.
    Deny,
}

/// Whose time a quota counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Each device has the whole quota.
    #[default]
    Each,
    /// All devices together have one; time watched on two at once counts once.
    Shared,
}

/// A named set of rules for some devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The section's name, by which others refer to it.
    pub id: String,
    /// The name shown.
    pub name: String,
    /// Minutes a day; 0 = no limit; `None` = the household's.
    pub quota_min: Option<u16>,
    /// Exceptions by weekday; the first that fits holds.
    pub quota_day: Vec<DayQuota>,
    /// When video is allowed; empty = always.
    pub allow: Vec<Hours>,
    /// One budget or one per device.
    pub budget: Budget,
    /// Services that are never blocked for these devices.
    pub exempt_services: Vec<String>,
}

/// A device the household knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The section's name, or what stands in for it, to recognise the device in the next version of the file.
    pub key: String,
    /// The name shown.
    pub name: String,
    /// Its Ethernet addresses.
    pub macs: Vec<MacAddr>,
    /// Its network addresses, for links without Ethernet.
    pub addresses: Vec<Addr>,
    /// The profile it follows, if not the default one.
    pub profile: Option<String>,
    /// Quota, exempt or deny.
    pub policy: Policy,
}

impl Device {
    /// All that it is known by.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> {
        let macs = self.macs.iter().map(|mac| ClientId::Mac(*mac));
        macs.chain(self.addresses.iter().map(|addr| ClientId::Addr(*addr)))
    }

    /// Whether it is known by more than one address.
    pub(super) fn is_many(&self) -> bool {
        self.macs.len() + self.addresses.len() > 1
    }

    /// Whether this is the device's identity.
    pub fn is(&self, client: ClientId) -> bool {
        match client {
            ClientId::Mac(mac) => self.macs.contains(&mac),
            ClientId::Addr(addr) => self.addresses.contains(&addr),
        }
    }
}

/// How often a data plan starts anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Period {
    /// Every quota day.
    Day,
    /// On the weekday `reset_day`, 1 = Monday.
    Week,
    /// On the date `reset_day`, or the month's last day where it has fewer.
    #[default]
    Month,
}

/// What happens when a data plan is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PlanAction {
    /// Its traffic goes on, slowly.
    #[default]
    Throttle,
    /// Its traffic is cut, in the household's way.
    Block,
}

/// A cap on bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The section's name.
    pub id: String,
    /// A profile, a device's name, MAC or address; empty = the whole household.
    pub who: String,
    /// Only traffic with these networks counts; empty = all.
    pub networks: Vec<Prefix>,
    /// When it starts anew.
    pub period: Period,
    /// Weekday 1–7 or date 1–31, by `period`.
    pub reset_day: u8,
    /// The cap; zero = count only.
    pub limit: Bytes,
    /// What happens when it is used up.
    pub action: PlanAction,
    /// Rate in kbit/s when throttled.
    pub throttle_kbps: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            id: String::new(),
            who: String::new(),
            networks: Vec::new(),
            period: Period::Month,
            reset_day: 1,
            limit: Bytes::ZERO,
            action: PlanAction::Throttle,
            throttle_kbps: 1024,
        }
    }
}

/// Everything the household decided about time and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Minutes of video a day; 0 = no limit.
    pub quota_min: u16,
    /// When a quota day begins.
    pub reset_time: TimeOfDay,
    /// Minutes before the quota is used up at which to warn; 0 = never.
    pub warn_min: u16,
    /// Minutes beyond the quota before anything is cut.
    pub grace_min: u16,
    /// What is cut.
    pub scope: Scope,
    /// How it is cut.
    pub action: Action,
    /// Rate in kbit/s for [`Action::Throttle`].
    pub throttle_kbps: u32,
    /// Services never blocked.
    pub exempt_services: Vec<String>,
    /// Addresses never blocked.
    pub exempt_addresses: Vec<Prefix>,
    /// The profile of devices without one; empty = the values here.
    pub default_profile: Option<String>,
    /// Whether devices without a section share one budget, so that a new MAC is no fresh quota.
    pub unknown: Budget,
    /// Days to observe before anything is cut.
    pub learn_days: u16,
    /// All profiles.
    pub profiles: Vec<Profile>,
    /// All known devices.
    pub devices: Vec<Device>,
    /// All data plans.
    pub plans: Vec<Plan>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quota_min: 30,
            reset_time: TimeOfDay::from_hm(4, 0),
            warn_min: 5,
            grace_min: 2,
            scope: Scope::Streaming,
            action: Action::Reject,
            throttle_kbps: 256,
            exempt_services: Vec::new(),
            exempt_addresses: Vec::new(),
            default_profile: None,
            unknown: Budget::Shared,
            learn_days: 0,
            profiles: Vec::new(),
            devices: Vec::new(),
            plans: Vec::new(),
        }
    }
}

impl Settings {
    /// The device section a client belongs to.
    pub fn device(&self, client: ClientId) -> Option<&Device> {
        self.devices.iter().find(|device| device.is(client))
    }

    /// The profile with this id.
    pub fn profile(&self, id: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.id == id)
    }

    /// The profile a client follows.
    pub fn profile_of(&self, client: ClientId) -> Option<&Profile> {
        let own = self.device(client).and_then(|device| device.profile.as_deref());
        own.or(self.default_profile.as_deref()).and_then(|id| self.profile(id))
    }

    /// Minutes allowed on a quota day; `None` = no limit. On a day not known yet no exception by weekday holds.
    pub fn quota_on(&self, profile: Option<&Profile>, day: Option<LocalDay>) -> Option<u16> {
        let exceptions = profile.map_or(&[][..], |profile| &profile.quota_day);
        let by_day = day.and_then(|day| exceptions.iter().find(|exception| exception.days.contains(day)));
        let minutes = match (by_day, profile) {
            (Some(exception), _) => exception.quota_min,
            (None, Some(profile)) => profile.quota_min.unwrap_or(self.quota_min),
            (None, None) => self.quota_min,
        };
        (minutes > 0).then_some(minutes)
    }
}
