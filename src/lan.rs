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

use crate::dissect::{Net, Packet, Transport};
use crate::names::Event;
use crate::net::{Addr, ClientId, Direction, MacAddr, Prefix, Scope};

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

/// Places for clients that were looked up lately, 24 bytes each; few of a household's addresses share one.
const RECENT: usize = 1024;

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

/// One end of a packet.
#[derive(Clone, Copy)]
struct End<'p> {
    /// [`MacAddr::NONE`] if it is not told.
    mac: MacAddr,
    addr: &'p Addr,
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
    recent: Box<[Recent; RECENT]>,
    tally: Tally,
}

/// A client that was looked up. Numbers never change hands, so this stays true.
///
/// The table of them is a short cut past [`Clients`], where an index, an entry and a list of addresses are read: a fifth
/// of all instructions where addresses alternate. Two that share a place take it from each other.
#[derive(Clone, Copy, Debug)]
struct Recent {
    mac: MacAddr,
    addr: Addr,
    /// [`ClientIdx::OVERFLOW`] where nobody is.
    client: ClientIdx,
}

impl Recent {
    const NOBODY: Self = Self { mac: MacAddr::NONE, addr: Addr::UNSPECIFIED, client: ClientIdx::OVERFLOW };
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
            recent: Box::new([Recent::NOBODY; RECENT]),
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
        let Net::Ip(ip) = &packet.net else { return Placement::NotIp };
        if let Transport::Icmp { kind, id, .. } = packet.transport {
            self.learn_icmp(packet, kind, id);
        }
        // Cooked captures tell no receiver, some links nothing: `NONE` is nobody's address.
        let (src_mac, dst_mac) =
            packet.ether.as_ref().map_or((MacAddr::NONE, MacAddr::NONE), |ether| (ether.src, ether.dst));
        let (src, dst) = (End { mac: src_mac, addr: &ip.src }, End { mac: dst_mac, addr: &ip.dst });
        let scopes = (ip.src.scope(), ip.dst.scope());
        let placement = if scopes.0 == Scope::Special || scopes.1 == Scope::Special {
            self.place_local(&src, scopes.0)
        } else {
            match &self.vantage {
                Vantage::Router(_) if packet.ether.is_none() => Placement::Local,
                Vantage::Router(own) => {
                    if own.contains(&dst_mac) {
                        self.place_routed(src_mac, Direction::Up, ip.src, (ip.dst, scopes.1))
                    } else if own.contains(&src_mac) {
                        self.place_routed(dst_mac, Direction::Down, ip.dst, (ip.src, scopes.0))
                    } else {
                        Placement::Local
                    }
                }
                Vantage::Guess | Vantage::Prefixes(_) => {
                    let (src_is_lan, dst_is_lan) = (self.is_lan(&src, scopes.0), self.is_lan(&dst, scopes.1));
                    if !src_is_lan {
                        self.watch_for_router(&src);
                    }
                    self.place_guess((src_is_lan, dst_is_lan), &src, &dst)
                }
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

    /// Routers that say so.
    #[cold]
    fn learn_icmp(&mut self, packet: &Packet<'_>, kind: u8, id: u16) {
        let Some(ether) = packet.ether else { return };
        match kind {
            ROUTER_ADVERTISEMENT => self.learn_router(packet),
            // Where no advertisement of prefixes was caught, a router says what it is when it is asked for.
            NEIGHBOUR_ADVERTISEMENT if id & ROUTER_FLAG != 0 => self.remember_gateway(ether.src),
            _ => {}
        }
    }

    /// Multicast, broadcast and the like: still tells which device has which address.
    fn place_local(&mut self, src: &End<'_>, scope: Scope) -> Placement {
        if scope == Scope::Private && matches!(self.vantage, Vantage::Guess) {
            self.enter(src.mac, *src.addr);
        }
        Placement::Local
    }

    fn place_routed(
        &mut self,
        mac: MacAddr,
        direction: Direction,
        local: Addr,
        (server, scope): (Addr, Scope),
    ) -> Placement {
        // The router talking for itself (DNS, DHCP, LuCI) is local; so is the way to another LAN behind it.
        if scope == Scope::Private {
            return Placement::Local;
        }
        let client = self.enter(mac, local);
        Placement::Client(Side { client, direction, local, server })
    }

    #[inline]
    fn place_guess(&mut self, are_lan: (bool, bool), src: &End<'_>, dst: &End<'_>) -> Placement {
        match are_lan {
            (true, true) => {
                self.enter(src.mac, *src.addr);
                Placement::Local
            }
            (true, false) => {
                let client = self.enter(src.mac, *src.addr);
                let (local, server) = (*src.addr, *dst.addr);
                Placement::Client(Side { client, direction: Direction::Up, local, server })
            }
            (false, true) => {
                let client = self.enter(dst.mac, *dst.addr);
                let (local, server) = (*dst.addr, *src.addr);
                Placement::Client(Side { client, direction: Direction::Down, local, server })
            }
            (false, false) => Placement::Foreign,
        }
    }

    #[inline(always)]
    fn is_lan(&self, end: &End<'_>, scope: Scope) -> bool {
        match (&self.vantage, scope) {
            (Vantage::Prefixes(prefixes), _) => contains(prefixes, end.addr),
            (Vantage::Guess | Vantage::Router(_), Scope::Private) => true,
            (Vantage::Guess | Vantage::Router(_), Scope::GlobalV6) => self.is_of_household(end),
            (Vantage::Guess | Vantage::Router(_), Scope::GlobalV4 | Scope::Special) => false,
        }
    }

    /// Whether a global IPv6 address is a device's of ours.
    #[inline(never)]
    #[cfg_attr(router, optimize(speed))]
    fn is_of_household(&self, end: &End<'_>) -> bool {
        contains(&self.advertised, end.addr)
            || !self.gateways.contains(&end.mac) && self.clients.has_mac(end.mac)
    }

    /// The number of the client behind this MAC and address. With `Identify::Ip`, and without a MAC, the address
    /// is the client.
    #[inline]
    fn enter(&mut self, mac: MacAddr, addr: Addr) -> ClientIdx {
        let place = addr.fingerprint() as usize % RECENT;
        let recent = &self.recent[place];
        if recent.addr == addr && recent.mac == mac && recent.client != ClientIdx::OVERFLOW {
            let client = recent.client;
            self.clients.uses(client, addr);
            return client;
        }
        let client = self.client_of(mac, addr);
        // Those that found no room are not kept: they are counted each time.
        self.recent[place] = Recent { mac, addr, client };
        client
    }

    #[inline(never)]
    #[cfg_attr(router, optimize(speed))]
    fn client_of(&mut self, mac: MacAddr, addr: Addr) -> ClientIdx {
        let mac = Some(mac).filter(|mac| *mac != MacAddr::NONE && !mac.is_group());
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
    #[inline]
    fn watch_for_router(&mut self, end: &End<'_>) {
        let End { mac, addr } = *end;
        if mac == MacAddr::NONE || self.gateways.contains(&mac) {
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

#[inline(never)]
fn contains(prefixes: &[Prefix], addr: &Addr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(addr))
}

#[cfg(test)]
mod tests;
