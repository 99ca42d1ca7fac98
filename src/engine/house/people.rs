//! What people say and mean: acts of parents, and whom a word stands for.

use super::{House, Wanted};
use crate::net::{Addr, ClientId};
use crate::quota::{Refused, Who};
use crate::time::Now;

/// What a parent can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// More time today.
    Grant {
        /// How much.
        minutes: u16,
    },
    /// Take grants back.
    Revoke,
    /// Cut everything.
    Pause {
        /// For how long; `None` = until the next reset.
        minutes: Option<u16>,
    },
    /// End a pause.
    Resume,
    /// Set today's usage to zero.
    Reset,
}

impl House {
    /// Does what a parent asks, and judges at once.
    ///
    /// # Errors
    /// If nobody such is known or it may not be.
    pub fn act(&mut self, act: Act, who: &Who, now: Now) -> Result<(), Refused> {
        // Who has just come has no account before its first window closes, and can be paused all the same.
        if let Who::Client(client) = who
            && self.engine.lan().clients().find(client).is_some()
        {
            self.ledger.touch(*client, now.mono);
        }
        let done = match act {
            Act::Grant { minutes } => self.ledger.grant(who, minutes, now.mono),
            Act::Revoke => self.ledger.revoke(who, now.mono),
            Act::Pause { minutes } => self.ledger.pause(who, minutes, now.mono),
            Act::Resume => {
                self.attackers.lift(who);
                self.ledger.resume(who, now.mono)
            }
            Act::Reset => self.ledger.reset(who, now.mono),
        };
        self.judge(now);
        self.wanted = Wanted::Changed;
        done
    }

    /// Whom a parent means: a device by name, MAC or address, a profile, or `all`.
    pub fn who(&self, text: &str) -> Option<Who> {
        if text == "all" {
            return Some(Who::All);
        }
        let settings = self.ledger.settings();
        let same = |name: &str| name.eq_ignore_ascii_case(text);
        if let Some(profile) = settings.profiles.iter().find(|p| same(&p.id) || same(&p.name)) {
            return Some(Who::Profile(profile.id.clone()));
        }
        let clients = self.engine.lan().clients();
        if let Ok(id) = text.parse::<ClientId>() {
            let owner = match id {
                ClientId::Addr(addr) => clients.owner_of(addr).and_then(|index| self.client_id(index)),
                ClientId::Mac(_) => None,
            };
            return Some(Who::Client(owner.unwrap_or(id)));
        }
        let known = self.ledger.usages().map(|usage| usage.client);
        let mut known = known.filter(|client| same(&self.name_of(*client).unwrap_or_default()));
        known.next().map(Who::Client)
    }

    /// What a client is called: in the configuration, else by itself.
    pub fn name_of(&self, client: ClientId) -> Option<String> {
        let configured = self.ledger.settings().device(client).map(|device| device.name.clone());
        let clients = self.engine.lan().clients();
        let own = || {
            clients
                .find(&client)
                .and_then(|index| clients.known(index))
                .and_then(|known| known.name.as_deref().map(str::to_owned))
        };
        configured.filter(|name| !name.is_empty()).or_else(own)
    }

    /// The addresses a client uses.
    pub fn addresses_of(&self, client: ClientId) -> Vec<Addr> {
        let clients = self.engine.lan().clients();
        let seen = clients.find(&client).and_then(|index| clients.known(index));
        let mut addresses: Vec<Addr> = seen.map(|known| known.addresses.clone()).unwrap_or_default();
        if let ClientId::Addr(addr) = client
            && !addresses.contains(&addr)
        {
            addresses.push(addr);
        }
        addresses
    }
}
