//! The wanted firewall put in force: nftables for who may not pass, conntrack for what flows already.
//!
//! Order matters: first the elements, then the connections, or a killed stream would come back before its server
//! is on the list. What fails is tried again each second, and shown until it works.

use std::collections::BTreeMap;

use crate::net::{Addr, ClientId, FiveTuple, Prefix};
use crate::os::conntrack::{Conntrack, ConntrackError, Servers};
use crate::os::netlink::NetlinkError;
use crate::os::nft::{Applied, Contents, Event, Firewall, FirewallError, Flowtable, Monitor, Rebuilt};
use crate::os::shaper::{Device, Lanes, Shaper};
use crate::ruleset::{Element, Key, Rule, Ruleset, SetName, Shaping};
use crate::time::{Duration, Moment};

/// Time between attempts while the kernel refuses.
const RETRY: Duration = Duration::from_secs(1);

/// Whether the kernel holds what we want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing was asked of it yet.
    Untried,
    /// It does.
    InForce,
    /// It refused, with this reason.
    Refused(String),
}

/// Whether connections can be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Killing {
    /// Yes, as far as we know.
    Usable,
    /// Not, with this reason: streams that run end by themselves.
    Not(String),
}

/// The kernel's side of enforcement.
pub(super) struct Enforcer {
    firewall: Firewall,
    monitor: Monitor,
    conntrack: Conntrack,
    shaper: Shaper,
    /// Where rates are put in force, and from where nothing is slowed.
    lan: (Vec<Device>, Vec<Prefix>),
    shaping: Shaping,
    /// What the kernel acknowledged, chains and elements.
    in_force: Option<Ruleset>,
    contents: Contents,
    health: Health,
    killing: Killing,
    retry_at: Moment,
    /// Times the table had to be laid down again because somebody else removed or changed it.
    healed: u64,
    killed: u64,
}

/// What [`Enforcer::enforce`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enforced {
    /// Elements added or refreshed.
    pub(super) added: usize,
    /// Connections killed.
    pub(super) killed: usize,
}

impl Enforcer {
    /// Opens the sockets; touches nothing.
    ///
    /// # Errors
    /// If the kernel has no nfnetlink or we may not listen to it.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let opened = |error: FirewallError| match error {
            FirewallError::Netlink(error) => error,
            FirewallError::Refused { code, .. } => NetlinkError::Refused(code),
            FirewallError::Unacknowledged { .. } | FirewallError::Missing { .. } => NetlinkError::NoReply,
        };
        let conntrack = Conntrack::open().map_err(|error| match error {
            ConntrackError::Netlink(error) => error,
            ConntrackError::Unsupported => NetlinkError::NoReply,
        })?;
        Ok(Self {
            firewall: Firewall::open().map_err(opened)?,
            monitor: Monitor::open()?,
            conntrack,
            shaper: Shaper::open()?,
            lan: Default::default(),
            shaping: Shaping::Absent,
            in_force: None,
            contents: Contents::default(),
            health: Health::Untried,
            killing: Killing::Usable,
            retry_at: Moment::ZERO,
            healed: 0,
            killed: 0,
        })
    }

    /// What tells of changes by others.
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Learns the LAN's devices, the router's own addresses, and whether a shaper would see what is forwarded.
    pub(super) fn set_lan(&mut self, devices: Vec<Device>, own: Vec<Prefix>, shaping: Shaping) {
        self.shaper.sweep(&devices);
        self.lan = (devices, own);
        self.shaping = shaping;
        self.in_force = None;
    }

    /// Whether traffic can be slowed down, as far as we know.
    pub(super) fn shaping(&self) -> Shaping {
        self.shaping
    }

    /// Puts the rates in force. Where that fails, the caller compiles again without a shaper.
    fn shape(&mut self, desired: &Ruleset) {
        let exempt = desired.chains.iter().flat_map(|chain| &chain.rules).filter_map(|rule| match rule {
            Rule::ToExempt { prefix } => Some(*prefix),
            _ => None,
        });
        let passed = desired.sets.iter().filter(|(set, _)| matches!(set, SetName::Pass4 | SetName::Pass6));
        let passed = passed.flat_map(|(_, elements)| elements.keys()).filter_map(|key| match key {
            Key::EtherAddr(_, server) => Some(Prefix::new(*server, u8::MAX)),
            _ => None,
        });
        let (devices, own) = &self.lan;
        let direct = own.iter().copied().chain(exempt).chain(passed).collect();
        let lanes = Lanes { shapes: desired.shapes.clone(), direct };
        if let Err(error) = self.shaper.apply(devices, &lanes) {
            log::warn!("action throttle falls back to reject: {}", chain(&error));
            self.shaping = Shaping::Absent;
        }
    }

    /// Looks what others did. A change of our table makes the next [`Enforcer::enforce`] look at all of it.
    pub(super) fn hear(&mut self) -> Vec<Event> {
        let events = self.monitor.poll(self.firewall.port());
        if events.contains(&Event::OurTable) {
            self.in_force = None;
            self.healed += 1;
            self.retry_at = Moment::ZERO;
        }
        events
    }

    /// Makes the kernel hold `desired` (whose `at` is now), and kills the connections that new elements are about.
    /// `addresses` gives the addresses a client uses. Returns `None` if nothing had to be done.
    pub(super) fn enforce(
        &mut self,
        desired: &Ruleset,
        addresses: impl Fn(ClientId) -> Vec<Addr>,
    ) -> Option<Enforced> {
        use crate::ruleset::{Changes, diff};
        if desired.at < self.retry_at || diff(desired, self.in_force.as_ref()) == Changes::None {
            return None;
        }
        match self.firewall.apply(desired) {
            Ok(applied) => {
                self.shape(desired);
                Some(self.applied(desired, applied, addresses))
            }
            Err(error) => {
                let reason = chain(&error);
                if self.health != Health::Refused(reason.clone()) {
                    log::error!("cannot enforce: {reason}");
                }
                self.health = Health::Refused(reason);
                self.in_force = None;
                self.retry_at = desired.at + RETRY;
                None
            }
        }
    }

    fn applied(
        &mut self,
        desired: &Ruleset,
        applied: Applied,
        addresses: impl Fn(ClientId) -> Vec<Addr>,
    ) -> Enforced {
        if let Health::Refused(_) = self.health {
            log::warn!("enforcement works again");
        }
        if applied.rebuilt == Rebuilt::Yes && self.healed > 0 {
            log::warn!("the firewall table was removed or changed by somebody else; it is in force again");
        }
        self.health = Health::InForce;
        self.in_force = Some(desired.clone());
        self.contents = applied.contents;
        let mut killed = 0;
        for (client, servers) in by_client(&applied.added) {
            let addresses = addresses(client);
            let servers = servers.as_ref().map_or(Servers::All, |list| Servers::These(list));
            killed += self.kill(|conntrack| conntrack.kill(&addresses, servers));
        }
        Enforced { added: applied.added.len(), killed }
    }

    /// Kills single flows: video at an address that other services share.
    pub(super) fn kill_flows(&mut self, flows: &[FiveTuple]) -> usize {
        flows.iter().map(|flow| self.kill(|conntrack| conntrack.kill_flow(flow))).sum()
    }

    fn kill(&mut self, act: impl FnOnce(&mut Conntrack) -> Result<usize, ConntrackError>) -> usize {
        if self.killing != Killing::Usable {
            return 0;
        }
        match act(&mut self.conntrack) {
            Ok(count) => {
                self.killed += count as u64;
                count
            }
            Err(error @ ConntrackError::Unsupported) => {
                log::warn!("{error}");
                self.killing = Killing::Not(error.to_string());
                0
            }
            Err(error) => {
                log::warn!("cannot end a connection: {}", chain(&error));
                0
            }
        }
    }

    /// Whether the kernel holds what we want.
    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Whether connections can be killed.
    pub(super) fn killing(&self) -> &Killing {
        &self.killing
    }

    /// Times others touched the table, and connections killed.
    pub(super) fn tally(&self) -> (u64, u64) {
        (self.healed, self.killed)
    }

    /// What each element has matched, read now.
    pub(super) fn contents(&mut self, now: Moment) -> &Contents {
        if let Ok(contents) = self.firewall.contents(now) {
            self.contents = contents;
        }
        &self.contents
    }

    /// Everybody's flowtables.
    pub(super) fn flowtables(&mut self) -> Vec<Flowtable> {
        self.firewall.flowtables().unwrap_or_default()
    }

    /// Removes the table.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn release(&mut self) -> Result<(), FirewallError> {
        self.in_force = None;
        self.shaper.release();
        self.firewall.remove()
    }
}

/// Whose connections new elements are about: with these servers, or (`None`) with everybody.
fn by_client(added: &[Element]) -> BTreeMap<ClientId, Option<Vec<Addr>>> {
    let mut clients: BTreeMap<ClientId, Option<Vec<Addr>>> = BTreeMap::new();
    for element in added {
        match element.set {
            SetName::Cut | SetName::Cut4 | SetName::Cut6 => {}
            SetName::Video4
            | SetName::Video6
            | SetName::Peer4
            | SetName::Peer6
            | SetName::Capped4
            | SetName::Capped6 => {}
            SetName::Exempt
            | SetName::Pass4
            | SetName::Pass6
            | SetName::Dns
            | SetName::Dns4
            | SetName::Dns6 => continue,
        }
        let (client, server) = match element.key {
            Key::Ether(mac) => (ClientId::Mac(mac), None),
            Key::Addr(addr) => (ClientId::Addr(addr), None),
            Key::EtherAddr(mac, server) => (ClientId::Mac(mac), Some(server)),
            Key::Pair(addr, server) => (ClientId::Addr(addr), Some(server)),
        };
        let servers = clients.entry(client).or_insert_with(|| Some(Vec::new()));
        match (servers.as_mut(), server) {
            (Some(list), Some(server)) => list.push(server),
            _ => *servers = None,
        }
    }
    clients
}

/// An error with its causes, joined by `: `.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MacAddr;

    #[test]
    fn a_cut_takes_all_connections_and_a_block_only_those_with_its_servers() {
        let mac = |last| MacAddr([2, 0, 0, 0, 0, last]);
        let server = |last| Addr::from_v4([198, 51, 100, last]);
        let until = Moment::from_secs(9);
        let element = |set, key| Element { set, key, until };
        let added = [
            element(SetName::Video4, Key::EtherAddr(mac(1), server(7))),
            element(SetName::Video4, Key::EtherAddr(mac(1), server(8))),
            element(SetName::Video4, Key::EtherAddr(mac(2), server(7))),
            element(SetName::Cut, Key::Ether(mac(2))),
            element(SetName::Exempt, Key::Ether(mac(3))),
        ];
        let found: Vec<_> = by_client(&added).into_iter().collect();
        assert_eq!(
            found,
            [(ClientId::Mac(mac(1)), Some(vec![server(7), server(8)])), (ClientId::Mac(mac(2)), None),]
        );
    }
}
