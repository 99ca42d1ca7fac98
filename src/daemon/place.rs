//! Where the daemon is: the LAN's devices, what must never be blocked, what forwards past us, and who answers names.

use serde_json::json;

use super::Daemon;
use super::ears::Spot;
use crate::config::{Blackhole, Offload};
use crate::engine::house::Sight;
use crate::lan::Vantage;
use crate::net::Prefix;
use crate::os::facts;
use crate::os::links::Link;
use crate::os::nft::{self, Flowtable, OffloadKind};
use crate::quota::Guard;
use crate::ruleset::{Place, Shaping};

/// The port of the second dnsmasq, which answers restricted clients; the init script starts it there.
const DNS_PORT: u16 = 5390;
/// The domains to blackhole, one a line, below the run directory. The init script and a hook read it.
const DNS_NAMES: &str = "dns.names";

impl Daemon {
    /// Learns the LAN's devices and what must never be blocked.
    pub(super) fn look_around(&mut self) {
        let interfaces = self.ears.interfaces();
        let (Ok(links), Ok(addresses)) = (self.links.links(), self.links.addresses()) else {
            log::warn!("the kernel does not list its interfaces");
            return;
        };
        let lan: Vec<_> = links.iter().filter(|link| interfaces.contains(&link.name)).collect();
        let own_macs: Vec<_> = lan.iter().filter_map(|link| link.mac).collect();
        let in_lan = |index: u32| lan.iter().any(|link| link.index == index);
        let mut hosts: Vec<_> = addresses.iter().map(|address| address.addr).collect();
        let resolvers = facts::resolvers();
        hosts.extend(&resolvers);
        let networks: Vec<Prefix> = addresses
            .iter()
            .filter(|address| in_lan(address.index))
            .map(|address| Prefix::new(address.addr, address.prefix_len))
            .collect();
        // The router's own forwarder answers with what the configured resolvers said.
        let trusted = addresses
            .iter()
            .filter(|address| in_lan(address.index))
            .map(|address| address.addr)
            .chain(resolvers);
        let vantage = match self.options.config {
            Some(_) => Vantage::Router(own_macs),
            // A PC that only looks is no router: whoever has a private address is a client.
            None => Vantage::Guess,
        };
        let devices: Vec<_> = lan.iter().map(|link| (link.index, link.name.clone())).collect();
        let flowtables = self.flowtables();
        for bridge in &lan {
            let ports = links.iter().filter(|link| link.master == Some(bridge.index));
            let ports: Vec<String> = ports.map(|port| port.name.clone()).collect();
            self.ears.listen_at(&bridge.name, spot(bridge, ports, &flowtables));
        }
        let ports: Vec<_> =
            links.iter().filter(|link| link.master.is_some_and(in_lan)).map(|link| &link.name).collect();
        let hardware = self.house.config().capture.offload == Offload::Hardware
            || flowtables.iter().any(|table| table.kind == OffloadKind::Hardware);
        let mut shaping = Shaping::Absent;
        if let Some(enforcer) = &mut self.enforcer {
            // An offloaded flow passes a bridge's shaper only where it enters by the bridge itself.
            let past = |table: &Flowtable| table.devices.iter().any(|name| ports.contains(&name));
            if !hardware && !flowtables.iter().any(past) {
                shaping = Shaping::Usable;
            }
            let own = addresses.iter().map(|address| Prefix::new(address.addr, u8::MAX)).collect();
            enforcer.set_lan(devices, own, shaping);
        }
        let place = Place { interfaces, dns_port: self.second_resolver(), shaping };
        self.lan_indexes = lan.iter().map(|link| link.index).collect();
        self.house.set_sight(if hardware { Sight::Blind } else { Sight::Full });
        self.set_counters();
        self.house.set_place(place, vantage, Guard::new(&hosts, &networks));
        self.house.trust(&trusted.collect::<Vec<_>>());
    }

    /// Everybody's flowtables; read in monitor mode, too, where nothing is enforced.
    pub(super) fn flowtables(&mut self) -> Vec<Flowtable> {
        match &mut self.enforcer {
            Some(enforcer) => enforcer.flowtables(),
            None => {
                let tables = nft::Firewall::open().and_then(|mut firewall| firewall.flowtables());
                tables.unwrap_or_default()
            }
        }
    }

    /// The second resolver's port, if it is wanted and there: a redirect to nobody would take a client's DNS away.
    fn second_resolver(&self) -> Option<u16> {
        let wanted = self.house.config().dns.blackhole == Blackhole::Client;
        (wanted && facts::listens_to_datagrams(DNS_PORT)).then_some(DNS_PORT)
    }

    /// Goes on from the domains that were told before a crash.
    pub(super) fn restore_blackhole(&mut self) {
        if let Ok(domains) = facts::read_text(&facts::run_dir().join(DNS_NAMES)) {
            self.house.restore_blackhole(&domains);
        }
    }

    /// Tells the domains to blackhole to those who run resolvers, and notices when the second one comes or goes.
    pub(super) fn blackhole(&mut self) {
        if let Some(domains) = self.house.take_blackhole() {
            let file = facts::run_dir().join(DNS_NAMES);
            match facts::replace_text(&file, &domains) {
                Ok(()) => self.publish(json!({ "event": "dns", "domains": domains.lines().count() })),
                Err(error) => log::error!("{}: {error}", file.display()),
            }
        }
        self.house.set_resolver(self.second_resolver());
    }
}

/// Where a LAN is heard. A software flowtable that lists the bridge's ports instead of the bridge (fw4 before 24.10)
/// carries offloaded flows past the bridge; the ports see all of them.
fn spot(bridge: &Link, ports: Vec<String>, flowtables: &[Flowtable]) -> Spot {
    let lists = |table: &Flowtable, name: &String| table.devices.contains(name);
    let past = |table: &&Flowtable| {
        table.kind == OffloadKind::Software
            && !lists(table, &bridge.name)
            && ports.iter().any(|port| lists(table, port))
    };
    match (flowtables.iter().find(past), bridge.mac) {
        (Some(_), Some(own)) => Spot::Ports { names: ports, own },
        _ => Spot::Device,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MacAddr;
    use crate::os::links::LinkState;

    #[test]
    fn a_flowtable_that_lists_ports_moves_the_ears_there() {
        let own = MacAddr([2, 0, 0, 0, 0, 1]);
        let bridge = Link {
            index: 3,
            name: "br-lan".into(),
            mac: Some(own),
            state: LinkState::Running,
            kind: "bridge".into(),
            master: None,
            lower: None,
        };
        let names = || vec!["lan1".to_owned(), "lan2".to_owned()];
        let table = |kind, devices: &[&str]| Flowtable {
            table: "fw4".into(),
            name: "ft".into(),
            kind,
            devices: devices.iter().map(|&name| name.to_owned()).collect(),
        };
        for (kind, devices, on_ports) in [
            (OffloadKind::Software, &["lan1", "wan"][..], true),
            (OffloadKind::Software, &["br-lan", "wan"], false),
            (OffloadKind::Software, &["eth5", "wan"], false),
            (OffloadKind::Hardware, &["lan1", "lan2", "wan"], false),
        ] {
            let expected = if on_ports { Spot::Ports { names: names(), own } } else { Spot::Device };
            assert_eq!(spot(&bridge, names(), &[table(kind, devices)]), expected, "{kind:?} {devices:?}");
        }
        assert_eq!(spot(&bridge, names(), &[]), Spot::Device);
    }
}
