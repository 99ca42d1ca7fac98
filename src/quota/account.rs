//! One budget of a day: what was spent, granted, paused.

use super::Standing;
use super::spent::Spent;
use crate::time::Moment;

/// Accounts that several clients share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pool {
    /// The household: grants to and pauses of everybody.
    All,
    /// The devices of a profile; judged by its usage only if the profile is shared.
    Profile(String),
    /// A device with several addresses of its own (Wi-Fi, cable, dock), by its section's key.
    Device(String),
    /// Devices without a section.
    Unknown,
}

/// How long a pause lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Until the next reset.
    UntilReset,
    /// Until a moment, or the next reset if that comes first.
    Until(Moment),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// The quota day that is running.
    pub(super) today: Spent,
    /// The one before, for windows that are credited back over its end.
    pub(super) before: Spent,
    pub(super) granted_min: u16,
    pub(super) paused: Option<Pause>,
}

impl Account {
    /// A new day: nothing spent, nothing granted, not paused.
    pub(super) fn turn(&mut self) {
        *self = Self { before: std::mem::take(&mut self.today), ..Self::default() };
    }

    /// Whether forgetting it would give anything away.
    pub(super) fn is_blank(&self) -> bool {
        self.today.is_empty() && self.granted_min == 0 && self.paused.is_none()
    }

    /// Ends a pause whose time has come; `true` if it did.
    pub(super) fn expire_pause(&mut self, now: Moment) -> bool {
        let over = matches!(self.paused, Some(Pause::Until(end)) if end <= now);
        if over {
            self.paused = None;
        }
        over
    }
}

/// What the ledger knows of one client.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) account: Account,
    /// When it was last seen, to evict the longest absent.
    pub(super) seen: Moment,
    /// As last judged.
    pub(super) standing: Standing,
}

impl Record {
    pub(super) fn new(seen: Moment) -> Self {
        Self { account: Account::default(), seen, standing: Standing::Unlimited }
    }
}
