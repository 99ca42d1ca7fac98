//! Who is a client: which end of a packet is a device of the household.
//!
//! On the router this is certain: frames to or from the bridge's own MAC have the client on the other side. In a
//! capture file it has to be inferred, in one pass, from who uses site-local addresses (docs/design.md §3):
//!
//! * a MAC that sends from an RFC 1918, ULA or link-local address is a device, and its global IPv6 addresses are
//!   its own, too, unless it behaves like a router (announces prefixes, says so in a neighbour advertisement, or
//!   sends from public IPv4 addresses or from many IPv6 networks);
//! * prefixes from router advertisements are LAN;
//! * `--lan CIDR` replaces all guessing.
//!
//! The module hands out dense client numbers, so that later stages keep their state in arrays. Hostile traffic
//! can invent any number of devices: beyond [`MAX_CLIENTS`] they share one overflow client, and the table says so.

use crate::dissect::{Ether, Net, Packet, Transport};
use crate::names::Event;
use crate::net::{Addr, ClientId, Direction, MacAddr, Prefix};

mod table;

pub use table::{ClientIdx, Clients, Known, MAX_ADDRESSES, MAX_CLIENTS};

/// ICMPv6 router advertisement, RFC 4861 §4.2.
const ROUTER_ADVERTISEMENT: u8 = 134;
/// ICMPv6 neighbour advertisement, RFC 4861 §4.4, and its flag of a router.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER_FLAG: u16 = 0x8000;
/// Prefixes learnt from router advertisements; more are ignored.
const MAX_PREFIXES: usize = 16;
/// MAC addresses remembered as routers; the oldest is forgotten.
const MAX_GATEWAYS: usize = 32;
/// A host with addresses in more IPv6 networks than this is a router.
const MAX_HOST_NETWORKS: u8 = 6;

/// By what a client is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identify {
    /// By Ethernet address where there is one.
    #[default]
    Mac,
    /// Each LAN address is a client of its own.
    Ip,
}

/// How the LAN end is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vantage {
    /// On the router: these MAC addresses are its own.
    Router(Vec<MacAddr>),
    /// Somewhere on the path: guess from addresses.
    Guess,
    /// The user said which networks are LAN.
    Prefixes(Vec<Prefix>),
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Between a client and a peer outside.
    Client(Side),
    /// Between two LAN ends, or multicast and broadcast: accounted, never watched.
    Local,
    /// No LAN end, as far as we can tell.
    Foreign,
    /// Not IP.
    NotIp,
}

/// A packet as seen from its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The client.
    pub client: ClientIdx,
    /// Which way the packet goes.
    pub direction: Direction,
    /// The client's address.
    pub local: Addr,
    /// The other end.
    pub server: Addr,
}

/// How many IP packets went where; printed when a capture has no LAN end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets between a client and the outside.
    pub client: u64,
    /// LAN–LAN packets.
    pub local: u64,
    /// Packets without a LAN end.
    pub foreign: u64,
}

/// Recognises clients and numbers them.
#[derive(Debug)]
pub struct Lan {
    vantage: Vantage,
    identify: Identify,
    clients: Clients,
    advertised: Vec<Prefix>,
    gateways: Vec<MacAddr>,
    tally: Tally,
}

impl Lan {
    /// An empty household.
    pub fn new(vantage: Vantage, identify: Identify) -> Self {
        Self {
            vantage,
            identify,
            clients: Clients::new(),
            advertised: Vec::with_capacity(MAX_PREFIXES),
            gateways: Vec::with_capacity(MAX_GATEWAYS),
            tally: Tally::default(),
        }
    }

    /// The clients seen so far.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The clients seen so far, to name them or to enter them before their first packet.
    pub fn clients_mut(&mut self) -> &mut Clients {
        &mut self.clients
    }

    /// Packets by kind of placement.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Changes how the LAN end is recognised, e.g. when the bridge got another MAC address. Clients stay.
    pub fn set_vantage(&mut self, vantage: Vantage) {
        self.vantage = vantage;
    }

    /// Keeps what devices call themselves.
    pub fn learn_names(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Device(device) = event {
                self.clients.rename(device);
            }
        }
    }

    /// Finds the client of a packet, entering it if it is new.
    #[cfg_attr(router, optimize(speed))]
    pub fn place(&mut self, packet: &Packet<'_>) -> Placement {
        let Net::Ip(ip) = packet.net else { return Placement::NotIp };
        if let (Some(ether), Transport::Icmp { kind, id, .. }) = (packet.ether, &packet.transport) {
            match *kind {
                ROUTER_ADVERTISEMENT => self.learn_router(packet),
                // Where no advertisement of prefixes was caught, a router says what it is when it is asked for.
                NEIGHBOUR_ADVERTISEMENT if id & ROUTER_FLAG != 0 => self.remember_gateway(ether.src),
                _ => {}
            }
        }
        let placement = if ip.src.is_special() || ip.dst.is_special() {
            self.place_local(packet.ether, ip.src)
        } else {
            match &self.vantage {
                Vantage::Router(own) => {
                    let direction = packet.ether.and_then(|ether| {
                        if own.contains(&ether.dst) {
                            Some(Direction::Up)
                        } else if own.contains(&ether.src) {
                            Some(Direction::Down)
                        } else {
                            None
                        }
                    });
                    match direction {
                        Some(direction) => self.place_routed(packet.ether, direction, ip.src, ip.dst),
                        None => Placement::Local,
                    }
                }
                Vantage::Guess | Vantage::Prefixes(_) => self.place_guess(packet.ether, ip.src, ip.dst),
            }
        };
        match placement {
            Placement::Client(_) => self.tally.client += 1,
            Placement::Local => self.tally.local += 1,
            Placement::Foreign => self.tally.foreign += 1,
            Placement::NotIp => {}
        }
        placement
    }

    /// Multicast, broadcast and the like: still tells which device has which address.
    fn place_local(&mut self, ether: Option<Ether>, src: Addr) -> Placement {
        if !src.is_special() && matches!(self.vantage, Vantage::Guess) && src.is_private() {
            self.enter(ether.map(|e| e.src), src);
        }
        Placement::Local
    }

    fn place_routed(
        &mut self,
        ether: Option<Ether>,
        direction: Direction,
        src: Addr,
        dst: Addr,
    ) -> Placement {
        let (mac, local, server) = match direction {
            Direction::Up => (ether.map(|e| e.src), src, dst),
            Direction::Down => (ether.map(|e| e.dst), dst, src),
        };
        // The router talking for itself (DNS, DHCP, LuCI) is local; so is the way to another LAN behind it.
        if server.is_private() {
            return Placement::Local;
        }
        let client = self.enter(mac, local);
        Placement::Client(Side { client, direction, local, server })
    }

    fn place_guess(&mut self, ether: Option<Ether>, src: Addr, dst: Addr) -> Placement {
        let src_mac = ether.map(|e| e.src).filter(|&mac| mac != MacAddr::NONE);
        let dst_mac = ether.map(|e| e.dst).filter(|&mac| mac != MacAddr::NONE && !mac.is_group());
        let src_is_lan = self.is_lan(src, src_mac);
        let dst_is_lan = self.is_lan(dst, dst_mac);
        if !src_is_lan {
            self.watch_for_router(src_mac, src);
        }
        match (src_is_lan, dst_is_lan) {
            (true, true) => {
                self.enter(src_mac, src);
                Placement::Local
            }
            (true, false) => {
                let client = self.enter(src_mac, src);
                Placement::Client(Side { client, direction: Direction::Up, local: src, server: dst })
            }
            (false, true) => {
                let client = self.enter(dst_mac, dst);
                Placement::Client(Side { client, direction: Direction::Down, local: dst, server: src })
            }
            (false, false) => Placement::Foreign,
        }
    }

    #[cfg_attr(router, optimize(speed))]
    fn is_lan(&self, addr: Addr, mac: Option<MacAddr>) -> bool {
        if let Vantage::Prefixes(prefixes) = &self.vantage {
            return prefixes.iter().any(|prefix| prefix.contains(&addr));
        }
        if addr.is_private() {
            return true;
        }
        if addr.is_v4() {
            return false;
        }
        self.advertised.iter().any(|prefix| prefix.contains(&addr))
            || mac.is_some_and(|mac| !self.gateways.contains(&mac) && self.clients.has_mac(mac))
    }

    /// The number of the client behind this MAC and address. With `Identify::Ip`, and without a MAC, the address
    /// is the client.
    #[cfg_attr(router, optimize(speed))]
    fn enter(&mut self, mac: Option<MacAddr>, addr: Addr) -> ClientIdx {
        let mac = mac.filter(|mac| *mac != MacAddr::NONE && !mac.is_group());
        let id = match (self.identify, mac) {
            (Identify::Mac, Some(mac)) => ClientId::Mac(mac),
            (Identify::Mac, None) => match self.clients.owner_of(addr) {
                Some(client) => return client,
                None => ClientId::Addr(addr),
            },
            (Identify::Ip, _) => ClientId::Addr(addr),
        };
        self.clients.enter(id, mac, addr)
    }

    /// A sender of foreign addresses is a router, unless it is a host with a few IPv6 networks of its own.
    fn watch_for_router(&mut self, mac: Option<MacAddr>, addr: Addr) {
        let Some(mac) = mac else { return };
        if self.gateways.contains(&mac) {
            return;
        }
        if addr.is_v4() || self.clients.networks_of(mac) > MAX_HOST_NETWORKS {
            self.remember_gateway(mac);
        }
    }

    fn remember_gateway(&mut self, mac: MacAddr) {
        if !self.gateways.contains(&mac) {
            if self.gateways.len() == MAX_GATEWAYS {
                self.gateways.remove(0);
            }
            self.gateways.push(mac);
        }
    }

    /// Reads the prefix information options (RFC 4861 §4.6.2) of a router advertisement.
    fn learn_router(&mut self, packet: &Packet<'_>) {
        const HEADER_LEN: usize = 16;
        const PREFIX_INFORMATION: u8 = 3;
        if let Some(ether) = packet.ether {
            self.remember_gateway(ether.src);
        }
        // The payload of ICMP begins after type, code, checksum and identifier (8 bytes); an advertisement has 8
        // more bytes of timers before its options.
        let mut options = packet.payload.get(HEADER_LEN - 8..).unwrap_or_default();
        while let [kind, len_8, ..] = *options {
            let len = usize::from(len_8) * 8;
            if len == 0 || len > options.len() {
                break;
            }
            if let (PREFIX_INFORMATION, Some(octets)) = (kind, options.get(16..32))
                && let Ok(octets) = <[u8; 16]>::try_from(octets)
            {
                self.learn_prefix(Prefix::new(Addr::from_v6(octets), options[2]));
            }
            options = &options[len..];
        }
    }

    fn learn_prefix(&mut self, prefix: Prefix) {
        if self.advertised.len() < MAX_PREFIXES && !self.advertised.contains(&prefix) {
            self.advertised.push(prefix);
        }
    }
}

#[cfg(test)]
mod tests;
