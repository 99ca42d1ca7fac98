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

    /// Whom a parent means: a device by name, MAC or address, a profile, or `all`. A name that the household gave goes
    /// before one that a device chose for itself; one that several devices have is nobody's.
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
        let mut known = self.ledger.usages().map(|usage| usage.client);
        let mut devices = settings.devices.iter().filter(|device| same(&device.name) || same(&device.key));
        if let Some(device) = devices.next() {
            let own = known.find(|client| device.is(*client)).map(Who::Client);
            return own.filter(|_| devices.next().is_none());
        }
        let mut known = known.filter(|client| same(&self.name_of(*client).unwrap_or_default()));
        known.next().filter(|_| known.next().is_none()).map(Who::Client)
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

#[cfg(test)]
mod tests {
    use super::super::train::tests::{ROUTER, house};
    use super::*;
    use crate::config::Config;
    use crate::dissect::{Frame, LinkType};
    use crate::net::MacAddr;
    use crate::time::Moment;

    const CONFIG: &str = "
config client
	option name 'Tablet'
	list mac '02:00:00:00:01:09'
";

    /// A device asks for an address and says what it is called.
    fn greet(house: &mut House, last: u8, name: &str) -> ClientId {
        let mac = [2, 0, 0, 0, 1, last];
        let mut dhcp = vec![1, 1, 6, 0, 0, 0, 0, last];
        dhcp.resize(28, 0);
        dhcp.extend(mac);
        dhcp.resize(236, 0);
        dhcp.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 12, u8::try_from(name.len()).unwrap()]);
        dhcp.extend(name.bytes().chain([255]));
        let [high, low] = (u16::try_from(dhcp.len()).unwrap() + 8).to_be_bytes();
        let [ip_high, ip_low] = (u16::try_from(dhcp.len()).unwrap() + 28).to_be_bytes();
        let mut data = [[255; 6], mac].concat();
        data.extend([
            8, 0, 0x45, 0, ip_high, ip_low, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255,
        ]);
        data.extend([0, 68, 0, 67, high, low, 0, 0]);
        data.extend(dhcp);
        let at = Moment::from_secs(u64::from(last));
        let mut hello = [ROUTER, mac].concat();
        hello.extend([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, last, 203, 0, 113, 9]);
        hello.extend([9, 9, 0, 9, 0, 26, 0, 0]);
        hello.resize(60, 0);
        for data in [&hello, &data] {
            let frame = Frame { at, link: LinkType::Ethernet, wire_len: data.len() as u32, data };
            house.frame(&frame);
            house.name_frame(&frame);
        }
        let client = ClientId::Mac(MacAddr(mac));
        house.ledger.touch(client, at);
        assert_eq!(house.name_of(client).as_deref(), Some(name), "it was heard");
        client
    }

    #[test]
    fn a_device_that_calls_itself_as_another_is_called_is_not_taken_for_it() {
        let mut house = house();
        house.set_config(Config::load(CONFIG, None).0);
        let impostor = greet(&mut house, 1, "Tablet");
        let tablet = Who::Client("02:00:00:00:01:09".parse().unwrap());
        assert_eq!(house.who("tablet"), Some(tablet));
        assert_eq!(house.who("02:00:00:00:01:01"), Some(Who::Client(impostor)));
    }

    #[test]
    fn a_name_that_two_devices_have_is_nobodys() {
        let mut house = house();
        let twins = "config client\n option name 'TV'\n list mac '02:00:00:00:01:07'\n\
                     config client\n option name 'TV'\n list mac '02:00:00:00:01:08'\n";
        house.set_config(Config::load(twins, None).0);
        assert_eq!(house.who("TV"), None);
        let first = greet(&mut house, 1, "phone");
        assert_eq!(house.who("Phone"), Some(Who::Client(first)));
        greet(&mut house, 2, "phone");
        assert_eq!(house.who("phone"), None);
    }
}
