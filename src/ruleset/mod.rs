//! The firewall we want, as a value.
//!
//! A [`Ruleset`] is the whole of table `inet streamguard`: chains with rules of a small closed set of shapes, and
//! sets whose elements carry the moment at which they end by themselves. It is computed whole from standings
//! ([`compile`]), printed as text that `nft -f` reads ([`std::fmt::Display`]), compared with what the kernel
//! acknowledged ([`diff`]), and applied in one atomic batch by `os/nft`, which knows no policy.
//!
//! What it never holds: a rule in the input hook (the router's own DNS, DHCP and web pages stay reachable), and
//! an element for the router, a resolver, the LAN, multicast or anything exempt.
//!
//! Only what comes *from* the LAN is judged: the forward hook knows a client's Ethernet address in that
//! direction alone, and a stream whose requests and acknowledgements are cut ends within a round trip.
//!
//! ```text
//! forward (filter - 5)          before fw4's flow offload
//!   └─ from a LAN ─► judge      towards a LAN, exempt, passed: back
//!                      └─ client or client . server in a set ─► block: tcp reset | admin-prohibited | drop
//! ```

use std::collections::BTreeMap;

use crate::net::{Addr, ClientId, MacAddr, Prefix};
use crate::time::Moment;

mod compile;
mod diff;
mod print;

pub use compile::{Compiled, Place, Shaping, compile};
pub use diff::{Changes, EXPIRY_TOLERANCE, diff};

/// The table's name; its family is `inet`.
pub const TABLE: &str = "streamguard";

/// Priority of the forward chain: `filter - 5`, before the chain in which fw4 offloads flows.
pub const FORWARD_PRIORITY: i32 = -5;

/// Priority of the DNS chain: `dstnat - 5`.
pub const DNS_PRIORITY: i32 = -105;

/// The whole desired firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// When it was computed or read; printed timeouts count from here.
    pub at: Moment,
    /// All chains, base chains last, so that every jump finds its target.
    pub chains: Vec<Chain>,
    /// All sets that exist, with their elements and when each ends.
    pub sets: BTreeMap<SetName, BTreeMap<Key, Moment>>,
    /// Rates, for the traffic shaper instead of the packet filter.
    pub shapes: BTreeMap<Shaped, u32>,
}

/// The chains of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainName {
    /// What happens to a packet that must not pass.
    Block,
    /// Whether a packet from the LAN may pass.
    Judge,
    /// The base chain in the forward hook.
    Forward,
    /// The base chain that redirects a client's DNS.
    Dns,
}

impl ChainName {
    /// As the kernel knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Judge => "judge",
            Self::Forward => "forward",
            Self::Dns => "dns",
        }
    }

    /// Where the chain is hooked; `None` for chains that are only jumped to.
    pub const fn hook(self) -> Option<Hook> {
        match self {
            Self::Block | Self::Judge => None,
            Self::Forward => Some(Hook::Forward),
            Self::Dns => Some(Hook::Prerouting),
        }
    }
}

/// Hooks in use. There is no input hook here, and there will not be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `type filter hook forward`, at [`FORWARD_PRIORITY`].
    Forward,
    /// `type nat hook prerouting`, at [`DNS_PRIORITY`].
    Prerouting,
}

/// A chain with its rules; the policy of base chains is accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Which.
    pub name: ChainName,
    /// In order.
    pub rules: Vec<Rule>,
}

/// The shapes a rule can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `iifname "…" jump judge`.
    FromLan {
        /// The LAN's device.
        interface: String,
    },
    /// `oifname "…" return`: between LANs nothing is blocked.
    ToLan {
        /// The LAN's device.
        interface: String,
    },
    /// `ip daddr … return`, `ip6 daddr … return`.
    ToExempt {
        /// The addresses.
        prefix: Prefix,
    },
    /// The packet's client, or client and server, in the set: return.
    Passed {
        /// The set, whose key type says what is looked up.
        set: SetName,
    },
    /// The packet's client, or client and server, in the set: jump to `block`.
    Blocked {
        /// The set, whose key type says what is looked up.
        set: SetName,
    },
    /// `meta l4proto tcp reject with tcp reset`.
    TcpReset,
    /// `reject with icmpx admin-prohibited`.
    AdminProhibited,
    /// `drop`.
    Drop,
    /// `… th dport 53 redirect to :PORT` for clients in the set.
    RedirectDns {
        /// Clients whose DNS is redirected.
        set: SetName,
        /// Transport.
        proto: DnsProto,
        /// Local port of the second resolver.
        port: u16,
    },
}

/// Transports of DNS that can be redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsProto {
    /// IP protocol 17.
    Udp,
    /// IP protocol 6.
    Tcp,
}

/// The sets of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetName {
    /// Devices nothing is done to.
    Exempt,
    /// Servers of exempt services, by client: IPv4.
    Pass4,
    /// Servers of exempt services, by client: IPv6.
    Pass6,
    /// Devices cut off from everything beyond the router.
    Cut,
    /// The same for clients without a MAC: IPv4.
    Cut4,
    /// The same for clients without a MAC: IPv6.
    Cut6,
    /// Video servers by device: IPv4.
    Video4,
    /// Video servers by device: IPv6.
    Video6,
    /// Video servers by client address: IPv4.
    Peer4,
    /// Video servers by client address: IPv6.
    Peer6,
    /// Servers of a used-up data plan by device: IPv4.
    Capped4,
    /// Servers of a used-up data plan by device: IPv6.
    Capped6,
    /// Devices whose DNS is redirected.
    Dns,
    /// The same for clients without a MAC: IPv4.
    Dns4,
    /// The same for clients without a MAC: IPv6.
    Dns6,
}

impl SetName {
    /// All sets, in the order in which rules look them up.
    pub const ALL: [Self; 15] = [
        Self::Exempt,
        Self::Pass4,
        Self::Pass6,
        Self::Cut,
        Self::Cut4,
        Self::Cut6,
        Self::Video4,
        Self::Video6,
        Self::Peer4,
        Self::Peer6,
        Self::Capped4,
        Self::Capped6,
        Self::Dns,
        Self::Dns4,
        Self::Dns6,
    ];

    /// As the kernel knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::Pass4 => "pass4",
            Self::Pass6 => "pass6",
            Self::Cut => "cut",
            Self::Cut4 => "cut4",
            Self::Cut6 => "cut6",
            Self::Video4 => "video4",
            Self::Video6 => "video6",
            Self::Peer4 => "peer4",
            Self::Peer6 => "peer6",
            Self::Capped4 => "capped4",
            Self::Capped6 => "capped6",
            Self::Dns => "dns",
            Self::Dns4 => "dns4",
            Self::Dns6 => "dns6",
        }
    }

    /// The inverse of [`SetName::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == name)
    }

    /// What its keys are made of.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::Exempt | Self::Cut | Self::Dns => KeyType::Ether,
            Self::Cut4 | Self::Dns4 => KeyType::V4,
            Self::Cut6 | Self::Dns6 => KeyType::V6,
            Self::Pass4 | Self::Video4 | Self::Capped4 => KeyType::EtherV4,
            Self::Pass6 | Self::Video6 | Self::Capped6 => KeyType::EtherV6,
            Self::Peer4 => KeyType::V4V4,
            Self::Peer6 => KeyType::V6V6,
        }
    }

    /// Most elements; when full, further elements are left out and counted in [`compile`]'s result.
    pub const fn capacity(self) -> usize {
        match self.key_type() {
            KeyType::Ether | KeyType::V4 | KeyType::V6 => 1_024,
            KeyType::EtherV4 | KeyType::EtherV6 | KeyType::V4V4 | KeyType::V6V6 => 8_192,
        }
    }
}

/// What the keys of a set are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `ether_addr`: the client.
    Ether,
    /// `ipv4_addr`: the client.
    V4,
    /// `ipv6_addr`: the client.
    V6,
    /// `ether_addr . ipv4_addr`: client and server.
    EtherV4,
    /// `ether_addr . ipv6_addr`: client and server.
    EtherV6,
    /// `ipv4_addr . ipv4_addr`: client and server.
    V4V4,
    /// `ipv6_addr . ipv6_addr`: client and server.
    V6V6,
}

/// The key of an element. Which variant belongs to which set: [`SetName::key_type`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A client by MAC.
    Ether(MacAddr),
    /// A client by address.
    Addr(Addr),
    /// A client by MAC, and a server.
    EtherAddr(MacAddr, Addr),
    /// A client by address, and a server.
    Pair(Addr, Addr),
}

impl Key {
    /// The key of a client alone.
    pub const fn client(client: ClientId) -> Self {
        match client {
            ClientId::Mac(mac) => Self::Ether(mac),
            ClientId::Addr(addr) => Self::Addr(addr),
        }
    }

    /// The key of a client and a server.
    pub const fn towards(client: ClientId, server: Addr) -> Self {
        match client {
            ClientId::Mac(mac) => Self::EtherAddr(mac, server),
            ClientId::Addr(addr) => Self::Pair(addr, server),
        }
    }

    /// Whether a set of this type holds such keys.
    pub fn fits(&self, kind: KeyType) -> bool {
        match (self, kind) {
            (Self::Ether(_), KeyType::Ether) => true,
            (Self::Addr(a), KeyType::V4) | (Self::EtherAddr(_, a), KeyType::EtherV4) => a.is_v4(),
            (Self::Addr(a), KeyType::V6) | (Self::EtherAddr(_, a), KeyType::EtherV6) => !a.is_v4(),
            (Self::Pair(a, b), KeyType::V4V4) => a.is_v4() && b.is_v4(),
            (Self::Pair(a, b), KeyType::V6V6) => !a.is_v4() && !b.is_v4(),
            _ => false,
        }
    }

    /// The bytes the kernel compares: network order, each part filled up to a multiple of four.
    pub fn to_bytes(self) -> Vec<u8> {
        fn ether(mac: MacAddr, bytes: &mut Vec<u8>) {
            bytes.extend(mac.0);
            bytes.extend([0, 0]);
        }
        fn addr(addr: Addr, bytes: &mut Vec<u8>) {
            match addr.v4() {
                Some(octets) => bytes.extend(octets),
                None => bytes.extend(addr.octets()),
            }
        }
        let mut bytes = Vec::with_capacity(32);
        match self {
            // Alone, an Ethernet address is not filled up.
            Self::Ether(mac) => bytes.extend(mac.0),
            Self::Addr(client) => addr(client, &mut bytes),
            Self::EtherAddr(client, server) => {
                ether(client, &mut bytes);
                addr(server, &mut bytes);
            }
            Self::Pair(client, server) => {
                addr(client, &mut bytes);
                addr(server, &mut bytes);
            }
        }
        bytes
    }

    /// The inverse of [`Key::to_bytes`], for reading the kernel back; `None` if the length is another.
    pub fn from_bytes(kind: KeyType, bytes: &[u8]) -> Option<Self> {
        fn mac(bytes: &[u8]) -> Option<MacAddr> {
            bytes.first_chunk().copied().map(MacAddr)
        }
        fn v4(bytes: &[u8]) -> Option<Addr> {
            bytes.try_into().ok().map(Addr::from_v4)
        }
        fn v6(bytes: &[u8]) -> Option<Addr> {
            bytes.try_into().ok().map(Addr::from_v6)
        }
        match kind {
            KeyType::Ether if bytes.len() == 6 || bytes.len() == 8 => Some(Self::Ether(mac(bytes)?)),
            KeyType::Ether => None,
            KeyType::V4 => Some(Self::Addr(v4(bytes)?)),
            KeyType::V6 => Some(Self::Addr(v6(bytes)?)),
            KeyType::EtherV4 => Some(Self::EtherAddr(mac(bytes)?, v4(bytes.get(8..)?)?)),
            KeyType::EtherV6 => Some(Self::EtherAddr(mac(bytes)?, v6(bytes.get(8..)?)?)),
            KeyType::V4V4 => Some(Self::Pair(v4(bytes.get(..4)?)?, v4(bytes.get(4..)?)?)),
            KeyType::V6V6 => Some(Self::Pair(v6(bytes.get(..16)?)?, v6(bytes.get(16..)?)?)),
        }
    }
}

/// One element, as the applier writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its set.
    pub set: SetName,
    /// Its key.
    pub key: Key,
    /// When it ends by itself.
    pub until: Moment,
}

/// Traffic to a client that is slowed down instead of blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shaped {
    /// Who receives it.
    pub client: ClientId,
    /// From where; `None` = from everywhere beyond the router.
    pub server: Option<Addr>,
}

impl Ruleset {
    /// All elements.
    pub fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        let each = |(set, elements): (&SetName, &BTreeMap<Key, Moment>)| {
            let set = *set;
            elements
                .iter()
                .map(move |(key, until)| Element { set, key: *key, until: *until })
                .collect::<Vec<_>>()
        };
        self.sets.iter().flat_map(each)
    }

    /// Puts an element into its set; a later end replaces an earlier one. `false` if the key does not fit, the
    /// set does not exist, or it is full.
    pub fn insert(&mut self, element: Element) -> bool {
        let Some(elements) = self.sets.get_mut(&element.set) else { return false };
        if !element.key.fits(element.set.key_type()) {
            return false;
        }
        if let Some(until) = elements.get_mut(&element.key) {
            *until = element.until.max(*until);
            return true;
        }
        if elements.len() >= element.set.capacity() {
            return false;
        }
        elements.insert(element.key, element.until).is_none()
    }
}

#[cfg(test)]
mod tests;
