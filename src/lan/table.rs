//! The bounded table of clients, their numbers and their addresses.

use crate::names::{Device, DeviceSource};
use crate::net::{Addr, ClientId, MacAddr, mix};

/// Devices with a number of their own; later ones share [`ClientIdx::OVERFLOW`].
pub const MAX_CLIENTS: usize = 1024;
/// Addresses remembered per client (newest first out when more come: they are shown, not decided on).
pub const MAX_ADDRESSES: usize = 16;
/// Slots of the two open-addressing indices; four times the entries they hold keeps probes short.
const SLOTS: usize = 4096;
/// Probes before a slot is given up: an index entry is a shortcut, never the truth.
const MAX_PROBES: usize = 16;

/// A client's number: dense, stable for the life of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientIdx(u16);

impl ClientIdx {
    /// All devices beyond [`MAX_CLIENTS`] together.
    pub const OVERFLOW: Self = Self(MAX_CLIENTS as u16);

    /// The number at a place of an array indexed by [`ClientIdx::index`].
    pub(crate) fn at(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(MAX_CLIENTS as u16).min(MAX_CLIENTS as u16))
    }

    /// The number as an array index, at most [`MAX_CLIENTS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What is known of a client.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its identity.
    pub id: ClientId,
    /// Its Ethernet address, where there is one.
    pub mac: Option<MacAddr>,
    /// The addresses it has used, oldest first, at most [`MAX_ADDRESSES`].
    pub addresses: Vec<Addr>,
    /// Further addresses, not remembered (a device with many hosts behind it).
    pub more_addresses: u32,
    /// What it calls itself.
    pub name: Option<Box<str>>,
    /// How it said so; a better source replaces a name.
    name_source: Option<DeviceSource>,
}

/// Clients by number, found by identity or address.
#[derive(Debug)]
pub struct Clients {
    known: Vec<Known>,
    /// The address that each used last. Beside `known`, for every packet writes it and nothing else of a client.
    latest: Vec<Addr>,
    by_id: Box<[u16; SLOTS]>,
    by_addr: Box<[u16; SLOTS]>,
    by_mac: Box<[u16; SLOTS]>,
    overflowed: u64,
}

const EMPTY: u16 = u16::MAX;

fn id_hash(id: &ClientId) -> u64 {
    match id {
        ClientId::Mac(mac) => mac_hash(*mac),
        ClientId::Addr(addr) => addr.fingerprint(),
    }
}

fn mac_hash(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    mix(u64::from_le_bytes([a, b, c, d, e, f, 1, 0]))
}

#[cfg_attr(router, optimize(speed))]
fn find(slots: &[u16; SLOTS], hash: u64, mut matches: impl FnMut(u16) -> bool) -> Option<u16> {
    for probe in 0..MAX_PROBES {
        let slot = slots[(hash as usize).wrapping_add(probe) % SLOTS];
        if slot == EMPTY {
            return None;
        }
        if matches(slot) {
            return Some(slot);
        }
    }
    None
}

/// Enters a number; if all probed slots are taken the last one is overwritten.
fn put(slots: &mut [u16; SLOTS], hash: u64, number: u16) {
    let mut place = hash as usize % SLOTS;
    for probe in 0..MAX_PROBES {
        place = (hash as usize).wrapping_add(probe) % SLOTS;
        if slots[place] == EMPTY {
            break;
        }
    }
    slots[place] = number;
}

impl Clients {
    pub(super) fn new() -> Self {
        Self {
            known: Vec::new(),
            latest: Vec::new(),
            by_id: Box::new([EMPTY; SLOTS]),
            by_addr: Box::new([EMPTY; SLOTS]),
            by_mac: Box::new([EMPTY; SLOTS]),
            overflowed: 0,
        }
    }

    /// How many clients have a number.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody was seen yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Packets of devices that found the table full.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// What is known of a client; `None` for the overflow client.
    pub fn known(&self, client: ClientIdx) -> Option<&Known> {
        self.known.get(client.index())
    }

    /// The address a client used last; `None` for the overflow client.
    pub fn latest_address(&self, client: ClientIdx) -> Option<Addr> {
        self.latest.get(client.index()).copied()
    }

    /// A client uses one of its addresses again.
    #[inline]
    pub(super) fn uses(&mut self, client: ClientIdx, addr: Addr) {
        if let Some(latest) = self.latest.get_mut(client.index()) {
            *latest = addr;
        }
    }

    /// All clients with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ClientIdx, &Known)> {
        self.known.iter().enumerate().map(|(i, known)| (ClientIdx(i as u16), known))
    }

    /// Finds a client by its identity.
    #[cfg_attr(router, optimize(speed))]
    pub fn find(&self, id: &ClientId) -> Option<ClientIdx> {
        find(&self.by_id, id_hash(id), |n| self.known[usize::from(n)].id == *id).map(ClientIdx)
    }

    /// Who was seen using this address first.
    pub fn owner_of(&self, addr: Addr) -> Option<ClientIdx> {
        find(&self.by_addr, addr.fingerprint(), |n| self.known[usize::from(n)].addresses.contains(&addr))
            .map(ClientIdx)
    }

    /// Whether a client with this Ethernet address is known.
    pub(super) fn has_mac(&self, mac: MacAddr) -> bool {
        find(&self.by_mac, mac_hash(mac), |n| self.known[usize::from(n)].mac == Some(mac)).is_some()
    }

    /// In how many IPv6 networks (/64) this Ethernet address was seen.
    pub(super) fn networks_of(&self, mac: MacAddr) -> u8 {
        let found = find(&self.by_mac, mac_hash(mac), |n| self.known[usize::from(n)].mac == Some(mac));
        let Some(number) = found else { return 0 };
        let addresses = &self.known[usize::from(number)].addresses;
        let distinct = addresses
            .iter()
            .enumerate()
            .filter(|(i, a)| !a.is_v4() && addresses[..*i].iter().all(|b| b.octets()[..8] != a.octets()[..8]))
            .count();
        u8::try_from(distinct).unwrap_or(u8::MAX)
    }

    /// The client's number, a new one if it is new; remembers the address.
    #[cfg_attr(router, optimize(speed))]
    pub fn enter(&mut self, id: ClientId, mac: Option<MacAddr>, addr: Addr) -> ClientIdx {
        let number = match find(&self.by_id, id_hash(&id), |n| self.known[usize::from(n)].id == id) {
            Some(number) => number,
            None if self.known.len() < MAX_CLIENTS => self.add(id, mac),
            None => {
                self.overflowed += 1;
                return ClientIdx::OVERFLOW;
            }
        };
        self.uses(ClientIdx(number), addr);
        let known = &mut self.known[usize::from(number)];
        if !known.addresses.contains(&addr) {
            if known.addresses.len() < MAX_ADDRESSES {
                known.addresses.push(addr);
                put(&mut self.by_addr, addr.fingerprint(), number);
            } else {
                known.more_addresses = known.more_addresses.saturating_add(1);
            }
        }
        ClientIdx(number)
    }

    /// Keeps what a device calls itself, unless a better source has said it before.
    pub(super) fn rename(&mut self, device: &Device) {
        let by_id = device.client.and_then(|id| self.find(&id));
        let Some(client) = by_id.or_else(|| device.addr.and_then(|addr| self.owner_of(addr))) else { return };
        let known = &mut self.known[client.index()];
        if known.name_source <= Some(device.source) && known.name.as_deref() != Some(device.name.as_str()) {
            known.name = Some(device.name.as_str().into());
            known.name_source = Some(device.source);
        }
    }

    fn add(&mut self, id: ClientId, mac: Option<MacAddr>) -> u16 {
        let number = self.known.len() as u16;
        self.known.push(Known {
            id,
            mac,
            addresses: Vec::new(),
            more_addresses: 0,
            name: None,
            name_source: None,
        });
        self.latest.push(Addr::UNSPECIFIED);
        put(&mut self.by_id, id_hash(&id), number);
        if let Some(mac) = mac {
            put(&mut self.by_mac, mac_hash(mac), number);
        }
        number
    }
}
