//! Network devices, their addresses, and who is behind which address, from rtnetlink.
//!
//! Devices come and go: netifd re-creates a bridge with another index when its configuration changes, a USB modem
//! is pulled out. What we keep is names; indexes are looked up when needed, and events tell when to look again.

use std::os::fd::{AsRawFd, RawFd};

use super::netlink::{Message, Netlink, NetlinkError, Request, attribute, messages};
use crate::net::{Addr, MacAddr};

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h.
const ADDRESS_LOCAL: u16 = 2;
const ADDRESS: u16 = 1;
const NEIGHBOUR_ADDRESS: u16 = 1;
const NEIGHBOUR_MAC: u16 = 2;
const LINK_MAC: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_LOWER: u16 = 5;
const LINK_MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const LINK_INFO_KIND: u16 = 1;
/// Neighbours whose address is not resolved (NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP) tell nothing.
const USELESS_STATES: u16 = 0x01 | 0x20 | 0x40;

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it, as long as it lives.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address, if it has one.
    pub mac: Option<MacAddr>,
    /// Whether it can carry packets.
    pub state: LinkState,
    /// bridge, vlan, veth, wireguard, …; empty for hardware.
    pub kind: String,
    /// The device it is a port of.
    pub master: Option<u32>,
    /// The device below it (of a VLAN), or at the other end (of a veth).
    pub lower: Option<u32>,
}

/// Whether a device can carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Up, with a carrier.
    Running,
    /// Switched on, without a carrier.
    NoCarrier,
    /// Switched off.
    Down,
}

/// An address of the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// On which device.
    pub index: u32,
    /// The address.
    pub addr: Addr,
    /// Length of its network's prefix in bits of its own family.
    pub prefix_len: u8,
}

/// An address of somebody else, and the MAC behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// On which device.
    pub index: u32,
    /// The address.
    pub addr: Addr,
    /// Who has it.
    pub mac: MacAddr,
}

/// The kernel's lists.
#[derive(Debug)]
pub struct Links {
    netlink: Netlink,
}

impl Links {
    /// Opens a socket.
    ///
    /// # Errors
    /// If the kernel has no rtnetlink.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::open(mnl::Bus::Route)? })
    }

    /// What names this machine among others, to collectors: the address of its first network card. The same after a
    /// restart; `None` if there is no card.
    pub fn machine(&mut self) -> Option<MacAddr> {
        self.links().ok()?.iter().find_map(|link| link.mac)
    }

    /// All devices.
    ///
    /// # Errors
    /// If the kernel does not answer.
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        self.list(libc::RTM_GETLINK, 16, parse_link)
    }

    /// All addresses of the machine.
    ///
    /// # Errors
    /// If the kernel does not answer.
    pub fn addresses(&mut self) -> Result<Vec<Address>, NetlinkError> {
        self.list(libc::RTM_GETADDR, 8, parse_address)
    }

    /// All resolved neighbours.
    ///
    /// # Errors
    /// If the kernel does not answer.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, NetlinkError> {
        self.list(libc::RTM_GETNEIGH, 12, parse_neighbour)
    }

    fn list<T>(
        &mut self,
        kind: u16,
        header_len: usize,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut found = Vec::new();
        let request = Request::new(kind, libc::NLM_F_DUMP).raw(&vec![0; header_len]);
        self.netlink.dump(request, |message| found.extend(parse(message.body)))?;
        Ok(found)
    }
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let (header, attributes) = body.split_at_checked(16)?;
    let flags = word(header, 8)?;
    let state = match () {
        () if flags & libc::IFF_UP as u32 == 0 => LinkState::Down,
        () if flags & libc::IFF_RUNNING as u32 == 0 => LinkState::NoCarrier,
        () => LinkState::Running,
    };
    let kind = attribute(attributes, LINK_INFO).and_then(|info| attribute(info, LINK_INFO_KIND));
    let mac = attribute(attributes, LINK_MAC).and_then(|mac| mac.try_into().ok()).map(MacAddr);
    Some(Link {
        index: word(header, 4)?,
        name: text(attribute(attributes, LINK_NAME)?),
        mac: mac.filter(|mac| *mac != MacAddr::NONE),
        state,
        kind: kind.map(text).unwrap_or_default(),
        master: attribute(attributes, LINK_MASTER).and_then(|index| word(index, 0)),
        lower: attribute(attributes, LINK_LOWER).and_then(|index| word(index, 0)),
    })
}

fn parse_address(body: &[u8]) -> Option<Address> {
    let (header, attributes) = body.split_at_checked(8)?;
    // On point-to-point links ADDRESS is the other end.
    let octets = attribute(attributes, ADDRESS_LOCAL).or_else(|| attribute(attributes, ADDRESS))?;
    Some(Address { index: word(header, 4)?, addr: address(octets)?, prefix_len: header[1] })
}

fn parse_neighbour(body: &[u8]) -> Option<Neighbour> {
    let (header, attributes) = body.split_at_checked(12)?;
    let state = u16::from_ne_bytes([header[8], header[9]]);
    if state & USELESS_STATES != 0 {
        return None;
    }
    Some(Neighbour {
        index: word(header, 4)?,
        addr: address(attribute(attributes, NEIGHBOUR_ADDRESS)?)?,
        mac: MacAddr(attribute(attributes, NEIGHBOUR_MAC)?.try_into().ok()?),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_ne_bytes(*b))
}

fn address(octets: &[u8]) -> Option<Addr> {
    match octets.len() {
        4 => octets.try_into().ok().map(Addr::from_v4),
        16 => octets.try_into().ok().map(Addr::from_v6),
        _ => None,
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// A subscription to changes of devices and addresses.
#[derive(Debug)]
pub struct LinkMonitor {
    netlink: Netlink,
}

impl AsRawFd for LinkMonitor {
    fn as_raw_fd(&self) -> RawFd {
        self.netlink.as_raw_fd()
    }
}

/// Whether anything changed that is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// A device or an address of ours came, went or changed.
    Changed,
}

impl LinkMonitor {
    /// Subscribes.
    ///
    /// # Errors
    /// If the kernel has no rtnetlink.
    pub fn open() -> Result<Self, NetlinkError> {
        let groups = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR];
        Ok(Self { netlink: Netlink::listen(mnl::Bus::Route, &groups)? })
    }

    /// What happened since the last call, without waiting.
    pub fn poll(&mut self) -> News {
        let mut news = News::None;
        loop {
            match self.netlink.receive() {
                Ok(None) => return news,
                Ok(Some(datagram)) => {
                    if messages(datagram).any(|message| is_news(&message)) {
                        news = News::Changed;
                    }
                }
                // Overrun: something happened, whatever it was.
                Err(_) => return News::Changed,
            }
        }
    }
}

fn is_news(message: &Message<'_>) -> bool {
    [libc::RTM_NEWLINK, libc::RTM_DELLINK, libc::RTM_NEWADDR, libc::RTM_DELADDR].contains(&message.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing::{own_network, run};

    #[test]
    fn devices_addresses_and_neighbours_are_listed_and_their_changes_heard() {
        let Some(()) = own_network("links", &["ip"]) else { return };
        let mut monitor = LinkMonitor::open().unwrap();
        run("ip link add br-lan address 02:00:00:00:00:01 type bridge");
        run("ip link add lan1 type veth peer name far");
        run("ip link set lan1 master br-lan");
        run("ip link set br-lan up");
        assert_eq!(monitor.poll(), News::Changed);
        assert_eq!(monitor.poll(), News::None);
        run("ip address add 192.168.1.1/24 dev br-lan");
        run("ip address add fd00::1/64 dev br-lan nodad");
        run("ip neighbour add 192.168.1.20 lladdr 02:00:00:00:00:20 dev br-lan");
        assert_eq!(monitor.poll(), News::Changed);
        let mut links = Links::open().unwrap();
        let all = links.links().unwrap();
        let named = |name: &str| all.iter().find(|link| link.name == name).unwrap();
        let bridge = named("br-lan");
        assert_eq!((bridge.kind.as_str(), bridge.mac), ("bridge", "02:00:00:00:00:01".parse().ok()));
        assert_eq!(bridge.state, LinkState::NoCarrier);
        assert_eq!(named("lan1").master, Some(bridge.index));
        assert_eq!(named("lan1").lower, Some(named("far").index), "of a veth, its other end");
        assert_eq!(named("lan1").state, LinkState::Down);
        let shown: Vec<String> = links
            .addresses()
            .unwrap()
            .iter()
            .filter(|address| address.index == bridge.index && !address.addr.is_link_local())
            .map(|address| format!("{}/{}", address.addr, address.prefix_len))
            .collect();
        assert_eq!(shown, ["192.168.1.1/24", "fd00::1/64"]);
        let [neighbour] = links.neighbours().unwrap().try_into().unwrap();
        assert_eq!(neighbour.addr.to_string(), "192.168.1.20");
        assert_eq!(neighbour.mac.to_string(), "02:00:00:00:00:20");
    }
}
