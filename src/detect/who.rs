//! Who is behind a packet: which hardware address speaks for which network address, and since when.
//!
//! The binding history serves two ends. It finds the neighbour behind forged sources (their Ethernet address is
//! still its own), and it is what [`super::arp_spoof`] compares claims with. A hardware address that
//! packets for foreign networks are sent to is a router: it speaks for others by profession.

use super::alert::{Kind, Party};
use super::count::{Slice, Span};
use super::settings::Thresholds;
use super::shared::Target;
use crate::dissect::Ether;
use crate::net::{Addr, MacAddr};
use crate::time::Moment;

/// Devices remembered; the one silent for longest gives way.
pub(super) const MAX_DEVICES: usize = 256;

/// One hardware address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) mac: MacAddr,
    /// The site-local address it claimed first, or used twice in a row: forged ones change.
    pub(super) addr: Option<Addr>,
    /// The one it used last, until it has one of its own.
    heard: Addr,
    /// Flows to foreign addresses that were sent through it.
    routed: u32,
    pub(super) last: Moment,
}

/// Which end of a frame.
#[derive(Clone, Copy)]
enum End {
    Sender,
    Receiver,
}

/// Flows sent through a router until it is believed to be one.
const ROUTES: u32 = 3;

impl Owner {
    pub(super) fn is_router(&self) -> bool {
        self.routed >= ROUTES
    }
}

/// Hardware addresses by who they speak for.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    owners: Vec<Owner>,
    /// Where the last sender and the last receiver were found.
    recent: [usize; 2],
}

impl Bindings {
    #[inline]
    fn index(&mut self, mac: MacAddr, at: Moment, end: End) -> usize {
        let recent = self.recent[end as usize];
        if self.owners.get(recent).is_some_and(|owner| owner.mac == mac) {
            return recent;
        }
        self.look_up(mac, at, end)
    }

    #[inline(never)]
    fn look_up(&mut self, mac: MacAddr, at: Moment, end: End) -> usize {
        let found = self.owners.iter().position(|owner| owner.mac == mac);
        let index = found.unwrap_or_else(|| {
            let owner = Owner { mac, addr: None, heard: Addr::UNSPECIFIED, routed: 0, last: at };
            if self.owners.len() < MAX_DEVICES {
                self.owners.push(owner);
                return self.owners.len() - 1;
            }
            let oldest = (0..self.owners.len()).min_by_key(|&index| self.owners[index].last).unwrap_or(0);
            self.owners[oldest] = owner;
            oldest
        });
        self.recent[end as usize] = index;
        index
    }

    /// Notes who speaks in the first packet of a flow, and who is to pass it on; neither address is special.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn note_first(&mut self, ether: Ether, src: Addr, dst: Addr, at: Moment) {
        if is_host(ether.src) {
            let index = self.index(ether.src, at, End::Sender);
            let owner = &mut self.owners[index];
            owner.last = at;
            if src.is_private() && owner.addr.is_none() {
                owner.addr = (owner.heard == src).then_some(src);
                owner.heard = src;
            }
        }
        if is_host(ether.dst) && !dst.is_private() {
            let index = self.index(ether.dst, at, End::Receiver);
            self.owners[index].routed = self.owners[index].routed.saturating_add(1);
        }
    }

    /// Notes who answers, for itself: two answers from one address are its own.
    pub(super) fn note_answer(&mut self, ether: Ether, src: Addr, at: Moment) {
        if !src.is_private() || !is_host(ether.src) {
            return;
        }
        let index = self.index(ether.src, at, End::Sender);
        let owner = &mut self.owners[index];
        owner.last = at;
        if owner.addr.is_none() {
            owner.addr = (owner.heard == src).then_some(src);
            owner.heard = src;
        }
    }

    /// Who but `rival` has an address, and spoke since `after`.
    pub(super) fn holder(&self, addr: Addr, rival: MacAddr, after: Moment) -> Option<MacAddr> {
        let holds = |owner: &&Owner| owner.addr == Some(addr) && owner.mac != rival && owner.last >= after;
        self.owners.iter().find(holds).map(|owner| owner.mac)
    }

    /// Notes what a hardware address says of itself, in ARP.
    pub(super) fn note_claim(&mut self, mac: MacAddr, addr: Addr, at: Moment) {
        let index = self.index(mac, at, End::Sender);
        let owner = &mut self.owners[index];
        owner.last = at;
        owner.addr = owner.addr.or(Some(addr));
    }

    pub(super) fn of(&self, mac: MacAddr) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.mac == mac)
    }

    pub(super) fn clear(&mut self) {
        self.owners.clear();
    }
}

fn is_host(mac: MacAddr) -> bool {
    mac != MacAddr::NONE && !mac.is_group()
}

/// What to call a flood, and whom to name for it: the one source that does most of it; else the neighbour whose
/// hardware address all packets bear; else nobody. Several neighbours against one target are a botnet at work.
pub(super) fn is_flooding(
    target: &Target,
    bindings: &Bindings,
    slice: Slice,
    thresholds: &Thresholds,
    kind: Kind,
) -> (Kind, Party) {
    let neighbours = target.macs.distinct(slice, Span::S5);
    if neighbours >= thresholds.ddos_sources && target.main_mac.winner().is_none() {
        return (Kind::DdosOut, Party::Addr(Addr::UNSPECIFIED));
    }
    (kind, Party::Addr(behind(target, bindings)))
}

/// Who is behind most of what reaches a target: the source that leads; else the neighbour whose hardware address the
/// packets bear, unless it is a router; else nobody, [`Addr::UNSPECIFIED`].
pub(super) fn behind(target: &Target, bindings: &Bindings) -> Addr {
    if let Some(source) = target.main_source.winner() {
        return source;
    }
    let neighbour =
        target.main_mac.winner().and_then(|mac| bindings.of(mac)).filter(|owner| !owner.is_router());
    neighbour.and_then(|owner| owner.addr).unwrap_or(Addr::UNSPECIFIED)
}

/// The address of a party that has one.
pub(super) fn addr_of(party: Party) -> Option<Addr> {
    match party {
        Party::Addr(addr) if addr != Addr::UNSPECIFIED => Some(addr),
        Party::Addr(_) | Party::Mac(_) => None,
    }
}
