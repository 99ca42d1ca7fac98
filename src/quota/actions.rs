//! What a parent does: grant, revoke, pause, resume, reset.

use std::fmt;

use super::Policy;
use super::account::{Account, Pause, Pool};
use super::event::{What, Who};
use super::ledger::Ledger;
use super::spent::Spent;
use crate::net::ClientId;
use crate::time::{Duration, Moment, TimeOfDay};

/// Why an action was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nobody of that name or address is known.
    Unknown,
    /// An exempt device is never blocked; its policy must be changed first.
    Exempt,
    /// Its profile, or everybody, is paused; resume that.
    PausedTogether,
    /// Minutes are from 1 to 1440.
    Minutes,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such client or profile",
            Self::Exempt => "the device is exempt and never blocked",
            Self::PausedTogether => "paused together with its profile or everybody; resume that",
            Self::Minutes => "minutes must be from 1 to 1440",
        })
    }
}

impl std::error::Error for Refused {}

impl Ledger {
    /// Raises today's quota. For a client whose budget is shared, that of all who share it.
    ///
    /// # Errors
    /// If nobody such is known, or the minutes are out of range.
    pub fn grant(&mut self, who: &Who, minutes: u16, at: Moment) -> Result<(), Refused> {
        check_minutes(minutes)?;
        let account = self.budget(who)?;
        account.granted_min = account.granted_min.saturating_add(minutes);
        self.done(at, who, What::Granted { minutes });
        Ok(())
    }

    /// Takes back what was granted today.
    ///
    /// # Errors
    /// If nobody such is known.
    pub fn revoke(&mut self, who: &Who, at: Moment) -> Result<(), Refused> {
        self.each(who, |account| account.granted_min = 0)?;
        self.done(at, who, What::Revoked);
        Ok(())
    }

    /// Cuts everything until resumed, until the minutes are over, or until the next reset.
    ///
    /// # Errors
    /// If nobody such is known, it is exempt, or the minutes are out of range.
    pub fn pause(&mut self, who: &Who, minutes: Option<u16>, at: Moment) -> Result<(), Refused> {
        minutes.map_or(Ok(()), check_minutes)?;
        let pause = minutes.map_or(Pause::UntilReset, |minutes| {
            Pause::Until(at + Duration::from_secs(u64::from(minutes) * 60))
        });
        match who {
            Who::Client(client) if self.policy_of(*client) == Policy::Exempt => return Err(Refused::Exempt),
            Who::Client(client) => self.each_of(*client, |account| account.paused = Some(pause))?,
            Who::Profile(_) | Who::All => self.budget(who)?.paused = Some(pause),
        }
        self.done(at, who, What::Paused { minutes });
        Ok(())
    }

    /// Ends a pause; resuming a profile or everybody resumes each of its devices too.
    ///
    /// # Errors
    /// If nobody such is known, or a client is paused together with others.
    pub fn resume(&mut self, who: &Who, at: Moment) -> Result<(), Refused> {
        if let Who::Client(client) = who {
            self.each_of(*client, |account| account.paused = None)?;
            let profile = self.profile_of(*client).map(|profile| Pool::Profile(profile.id.clone()));
            let mut others = profile.into_iter().chain([Pool::All]);
            if others.any(|pool| self.pools.get(&pool).is_some_and(|account| account.paused.is_some())) {
                return Err(Refused::PausedTogether);
            }
        } else {
            self.each(who, |account| account.paused = None)?;
        }
        self.done(at, who, What::Resumed);
        Ok(())
    }

    /// Sets today's usage to zero, that of a shared budget included.
    ///
    /// # Errors
    /// If nobody such is known.
    pub fn reset(&mut self, who: &Who, at: Moment) -> Result<(), Refused> {
        self.each(who, |account| account.today = Spent::default())?;
        self.done(at, who, What::UsageReset);
        Ok(())
    }

    fn done(&mut self, at: Moment, who: &Who, what: What) {
        self.note(at, who.clone(), what);
        self.judged = None;
    }

    /// The one account that an addition goes to.
    fn budget(&mut self, who: &Who) -> Result<&mut Account, Refused> {
        let pool = match who {
            Who::All => Pool::All,
            Who::Profile(id) => {
                self.settings.profile(id).ok_or(Refused::Unknown)?;
                Pool::Profile(id.clone())
            }
            Who::Client(client) => match self.pool_of(*client) {
                Some(pool) if self.clients.contains_key(client) => pool,
                _ => return self.clients.get_mut(client).map(|r| &mut r.account).ok_or(Refused::Unknown),
            },
        };
        Ok(self.pools.entry(pool).or_default())
    }

    /// The own accounts of a device: one for each of its addresses.
    fn each_of(&mut self, client: ClientId, change: impl Fn(&mut Account)) -> Result<(), Refused> {
        if !self.clients.contains_key(&client) {
            return Err(Refused::Unknown);
        }
        for own in self.same_device(client) {
            self.clients.entry(own).and_modify(|record| change(&mut record.account));
        }
        Ok(())
    }

    /// Every account that a removal concerns.
    fn each(&mut self, who: &Who, change: fn(&mut Account)) -> Result<(), Refused> {
        let members: Vec<ClientId> = match who {
            Who::All => self.clients.keys().copied().collect(),
            Who::Client(client) if self.clients.contains_key(client) => self.same_device(*client),
            Who::Client(_) => return Err(Refused::Unknown),
            Who::Profile(id) => {
                self.settings.profile(id).ok_or(Refused::Unknown)?;
                let member = |client: &&ClientId| self.profile_of(**client).is_some_and(|p| p.id == *id);
                self.clients.keys().filter(member).copied().collect()
            }
        };
        for client in members {
            if let Some(pool) = self.pool_of(client) {
                self.pools.entry(pool).and_modify(change);
            }
            let record = self.clients.get_mut(&client).ok_or(Refused::Unknown)?;
            change(&mut record.account);
        }
        match who {
            Who::All => self.pools.values_mut().for_each(change),
            Who::Profile(id) => {
                self.pools.entry(Pool::Profile(id.clone())).and_modify(change);
            }
            Who::Client(_) => {}
        }
        Ok(())
    }
}

fn check_minutes(minutes: u16) -> Result<(), Refused> {
    if (1..=TimeOfDay::MINUTES_PER_DAY).contains(&minutes) { Ok(()) } else { Err(Refused::Minutes) }
}
