//! What all detectors look at: who tried to reach whom, and how that fared, over the shared windows.
//!
//! Everything is seen from the *initiator*, the side that sent the first packet of a flow: a resolver that
//! answers to a thousand ports has tried none of them, and a busy server is nobody's victim as long as its
//! connections complete. Random forged sources never enter the tables: an address must be seen twice before it
//! gets an entry of its own ([`Door`]); what they do to their victim is counted at the victim.

use super::count::{Slice, Sliding, Stamps, Tried};
use super::table::Table;
use crate::net::{Addr, MacAddr, mix};
use crate::time::Moment;

/// Initiators watched at a time.
pub(super) const MAX_SOURCES: usize = 512;
/// Destinations watched at a time.
pub(super) const MAX_TARGETS: usize = 256;
/// Pairs of initiator and destination watched at a time.
pub(super) const MAX_PAIRS: usize = 1024;
/// Services (initiator and port) whose spread over hosts is watched.
pub(super) const MAX_FANS: usize = 512;
/// Slices in three minutes: how long an idle entry is kept.
pub(super) const KEPT: Slice = 36;
/// Slices in an hour, for slow scans.
const KEPT_PAIR: Slice = 720;

/// How a destination was probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Probe {
    /// By a SYN, or by flags that open nothing.
    #[default]
    Tcp,
    /// By a datagram.
    Udp,
    /// By an echo request.
    Icmp,
    /// By asking for its hardware address.
    Arp,
}

/// Counters of a target, by index.
pub(super) mod at_target {
    pub(in crate::detect) const SYNS: usize = 0;
    pub(in crate::detect) const COMPLETED: usize = 1;
    pub(in crate::detect) const DATAGRAMS: usize = 2;
    pub(in crate::detect) const ANSWERS: usize = 3;
    pub(in crate::detect) const ECHOES: usize = 4;
    pub(in crate::detect) const REFLECTED: usize = 5;
    pub(in crate::detect) const REQUESTS: usize = 6;
    pub(in crate::detect) const REPLIES: usize = 7;
}

/// One destination, whoever reaches for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Target {
    pub(super) counts: Sliding<8>,
    /// Who reached for it.
    pub(super) sources: Stamps<64>,
    /// Hardware addresses that did.
    pub(super) macs: Stamps<16>,
    /// The source most probably behind most of it.
    pub(super) main_source: Majority<Addr>,
    /// And the hardware address.
    pub(super) main_mac: Majority<MacAddr>,
    /// First packet, and first of the present burst.
    pub(super) since: Since,
}

/// One initiator and one destination.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) ports: Tried<64>,
    pub(super) counts: Sliding<2>,
    pub(super) hour: Hour,
    pub(super) since: Since,
}

/// Counters of a pair.
pub(super) mod at_pair {
    pub(in crate::detect) const TRIES: usize = 0;
    pub(in crate::detect) const ODD_FLAGS: usize = 1;
}

/// One initiator and one port, over hosts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fan {
    pub(super) hosts: Tried<128>,
    pub(super) counts: Sliding<1>,
    /// The last host tried is of the household.
    pub(super) is_inside: bool,
    pub(super) since: Since,
}

/// Keys of the tables.
pub(super) type PairKey = (AddrKey, AddrKey, Probe);
pub(super) type FanKey = (AddrKey, Probe, u16);

/// An address as a table key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddrKey(pub(super) Addr);

impl Default for AddrKey {
    fn default() -> Self {
        Self(Addr::UNSPECIFIED)
    }
}

/// Since when something goes on: a silence of half a minute begins it anew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Since {
    first: Moment,
    last: Moment,
}

impl Since {
    const BREAK: std::time::Duration = std::time::Duration::from_secs(30);

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn note(&mut self, at: Moment) {
        if self.last == Moment::ZERO || at.nanos_since(self.last) > Self::BREAK.as_nanos() as u64 {
            self.first = at;
        }
        self.last = self.last.max(at);
    }

    pub(super) fn first(&self) -> Moment {
        self.first
    }
}

/// The candidate of a majority vote (Boyer and Moore): who was counted more often than all others together, if
/// anybody was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Majority<T> {
    candidate: Option<T>,
    lead: u32,
}

impl<T> Default for Majority<T> {
    fn default() -> Self {
        Self { candidate: None, lead: 0 }
    }
}

impl<T: Copy + Eq> Majority<T> {
    #[inline]
    pub(super) fn vote(&mut self, voter: T) {
        if self.candidate == Some(voter) {
            self.lead = self.lead.saturating_add(1).min(100_000);
        } else if self.lead == 0 {
            (self.candidate, self.lead) = (Some(voter), 1);
        } else {
            self.lead -= 1;
        }
    }

    /// The candidate, if it leads by more than a handful.
    pub(super) fn winner(&self) -> Option<T> {
        self.candidate.filter(|_| self.lead > 8)
    }
}

/// Ports tried and answered within one to two half hours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hour {
    half: u32,
    tried: [u128; 2],
    answered: [u128; 2],
}

impl Hour {
    const HALF: Slice = 360;

    fn roll(&mut self, slice: Slice) {
        let half = slice / Self::HALF;
        if half > self.half {
            let keep = half == self.half + 1;
            self.tried = [0, if keep { self.tried[0] } else { 0 }];
            self.answered = [0, if keep { self.answered[0] } else { 0 }];
            self.half = half;
        }
    }

    #[cfg_attr(router, optimize(speed))]
    fn attempt(&mut self, hash: u64, slice: Slice) {
        self.roll(slice);
        self.tried[0] |= 1 << (hash >> 57);
    }

    fn answer(&mut self, hash: u64, slice: Slice) {
        self.roll(slice);
        self.answered[0] |= 1 << (hash >> 57);
    }

    /// Different ports tried, and those of them that never answered.
    pub(super) fn fared(&self) -> (u32, u32) {
        let (tried, answered) = (self.tried[0] | self.tried[1], self.answered[0] | self.answered[1]);
        (tried.count_ones(), (tried & !answered).count_ones())
    }
}

/// Lets in who knocks twice: 8 KiB that a flood of random sources cannot see through.
#[derive(Debug)]
struct Door(Box<[u16; 4096]>);

impl Door {
    #[inline]
    fn knock(&mut self, hash: u64) -> bool {
        let (place, print) = (hash as usize % self.0.len(), (hash >> 48) as u16 | 1);
        let known = self.0[place] == print;
        self.0[place] = print;
        known
    }
}

/// The tables, and the time they are at.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) slice: Slice,
    sources: Table<AddrKey, ()>,
    pub(super) targets: Table<AddrKey, Target>,
    pub(super) pairs: Table<PairKey, Pair>,
    pub(super) fans: Table<FanKey, Fan>,
    door: Door,
    seed: u64,
}

/// Who tries to reach whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) at: Moment,
    pub(super) src: Addr,
    pub(super) dst: Addr,
    pub(super) port: u16,
    pub(super) probe: Probe,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slice: 0,
            sources: Table::new(MAX_SOURCES, KEPT_PAIR),
            targets: Table::new(MAX_TARGETS, KEPT),
            pairs: Table::new(MAX_PAIRS, KEPT_PAIR),
            fans: Table::new(MAX_FANS, KEPT),
            door: Door(Box::new([0; 4096])),
            seed,
        }
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn hash(&self, addr: &Addr) -> u64 {
        mix(addr.fingerprint() ^ self.seed)
    }

    /// The hash of addresses, for who holds a table of the same kind meanwhile.
    pub(super) fn hasher(&self) -> impl Fn(&Addr) -> u64 + use<> {
        let seed = self.seed;
        move |addr| mix(addr.fingerprint() ^ seed)
    }

    #[cfg_attr(router, optimize(speed))]
    pub(super) fn pair_hash(&self, src: &Addr, dst: &Addr, salt: u64) -> u64 {
        mix(self.hash(src) ^ self.hash(dst).rotate_left(21) ^ salt)
    }

    /// Whether a source has an entry of its own, or gets one now.
    #[inline]
    pub(super) fn admit(&mut self, src: &Addr) -> bool {
        self.admit_hashed(src, self.hash(src))
    }

    /// The same for who knows its hash.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn admit_hashed(&mut self, src: &Addr, hash: u64) -> bool {
        let key = AddrKey(*src);
        if self.sources.contains(hash, &key) || self.door.knock(hash) {
            return self.sources.enter(hash, &key, self.slice).is_some();
        }
        false
    }

    /// The entry of a destination.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn target(&mut self, dst: &Addr) -> Option<&mut Target> {
        let key = AddrKey(*dst);
        if self.targets.is_again(&key) {
            return Some(self.targets.again(self.slice));
        }
        self.targets.enter(self.hash(dst), &key, self.slice)
    }

    /// Counts one more of `which` at a destination, if it has an entry that `suits` and the source is a stranger.
    #[inline]
    pub(super) fn count_stranger(
        &mut self,
        (src, dst): (&Addr, &Addr),
        (which, at): (usize, Moment),
        suits: impl FnOnce(&[u32; 8]) -> bool,
    ) -> bool {
        let key = AddrKey(*dst);
        if !self.targets.is_again(&key) && !self.targets.turn_to(self.hash(dst), &key) {
            return false;
        }
        let source = self.hash(src);
        let target = self.targets.recent();
        let (five, thirty) = target.counts.present(self.slice);
        if !suits(five) || self.sources.contains(source, &AddrKey(*src)) {
            return false;
        }
        five[which] = five[which].saturating_add(1);
        thirty[which] = thirty[which].saturating_add(1);
        target.since.note(at);
        true
    }

    /// Counts a try to reach a port of a host.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn attempt(&mut self, attempt: &Attempt) {
        let Attempt { at, src, dst, port, probe } = *attempt;
        let (slice, port_hash, dst_hash) = (self.slice, mix(u64::from(port) ^ self.seed), self.hash(&dst));
        if matches!(probe, Probe::Tcp | Probe::Udp)
            && let Some(pair) = self.pairs.enter(
                self.pair_hash(&src, &dst, probe as u64),
                &(AddrKey(src), AddrKey(dst), probe),
                slice,
            )
        {
            pair.ports.attempt(port_hash, slice);
            pair.hour.attempt(port_hash, slice);
            pair.counts.add(slice, at_pair::TRIES, 1);
            pair.since.note(at);
        }
        if let Some(fan) =
            self.fans.enter(self.fan_hash(&src, probe, port), &(AddrKey(src), probe, port), slice)
        {
            fan.hosts.attempt(dst_hash, slice);
            fan.counts.add(slice, 0, 1);
            fan.is_inside = dst.is_private();
            fan.since.note(at);
        }
    }

    #[cfg_attr(router, optimize(speed))]
    fn fan_hash(&self, src: &Addr, probe: Probe, port: u16) -> u64 {
        mix(self.hash(src) ^ u64::from(port) << 8 ^ probe as u64)
    }

    /// Notes that such a try was answered.
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn answer(&mut self, attempt: &Attempt) {
        let Attempt { src, dst, port, probe, .. } = *attempt;
        let (slice, port_hash, dst_hash) = (self.slice, mix(u64::from(port) ^ self.seed), self.hash(&dst));
        let hash = self.pair_hash(&src, &dst, probe as u64);
        if let Some(pair) = self.pairs.entry(hash, &(AddrKey(src), AddrKey(dst), probe)) {
            pair.ports.answer(port_hash, slice);
            pair.hour.answer(port_hash, slice);
        }
        if let Some(fan) = self.fans.entry(self.fan_hash(&src, probe, port), &(AddrKey(src), probe, port)) {
            fan.hosts.answer(dst_hash, slice);
        }
    }

    /// Notes a packet whose flags open nothing.
    pub(super) fn odd_flags(&mut self, attempt: &Attempt) {
        let key = (AddrKey(attempt.src), AddrKey(attempt.dst), Probe::Tcp);
        let (slice, hash) = (self.slice, self.pair_hash(&attempt.src, &attempt.dst, Probe::Tcp as u64));
        if let Some(pair) = self.pairs.entry(hash, &key) {
            pair.counts.add(slice, at_pair::ODD_FLAGS, 1);
        }
    }

    /// About how many different ports this source tried at this destination within half a minute.
    pub(super) fn ports_tried(&mut self, src: &Addr, dst: &Addr, probe: Probe) -> u32 {
        let (slice, hash) = (self.slice, self.pair_hash(src, dst, probe as u64));
        let pair = self.pairs.entry(hash, &(AddrKey(*src), AddrKey(*dst), probe));
        pair.map_or(0, |pair| pair.ports.fared(slice, super::count::Span::S30).distinct)
    }

    /// Removes stamps before they come round again; called once per slice.
    pub(super) fn scrub(&mut self) {
        if !self.slice.is_multiple_of(64) {
            return;
        }
        let slice = self.slice;
        self.pairs.all(|_, pair| pair.ports.scrub(slice));
        self.fans.all(|_, fan| fan.hosts.scrub(slice));
        self.targets.all(|_, target| {
            target.sources.scrub(slice);
            target.macs.scrub(slice);
        });
    }

    /// Newcomers that found no room.
    pub(super) fn refused(&self) -> u64 {
        self.sources.refused() + self.targets.refused() + self.pairs.refused() + self.fans.refused()
    }

    /// Starts from nothing, after a break in time.
    pub(super) fn forget(&mut self) {
        self.sources.clear();
        self.targets.clear();
        self.pairs.clear();
        self.fans.clear();
    }
}
