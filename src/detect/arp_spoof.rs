//! ARP spoofing: a neighbour that speaks for another's address.
//!
//! Each address has an owner, the hardware address that claimed it first. A rival is not yet an attacker: devices
//! fail over, leases are reused, phones change their hardware address. It is one if it keeps claiming while the
//! owner still speaks for the address, and has an address of its own or wants the router's; or if it tells several lies at once, without
//! being asked. Known evasions: spoofing that begins before we listen, against a victim that never speaks.

use super::alert::{Evidence, Finding, Kind, Party, Severity};
use super::count::{Sliding, Span};
use super::settings::Thresholds;
use super::shared::{AddrKey, KEPT, Shared, Since};
use super::table::Table;
use super::who::Bindings;
use crate::dissect::{Arp, Packet};
use crate::net::{Addr, MacAddr};
use crate::time::{Duration, Moment};

/// Addresses whose owners are remembered.
pub(super) const MAX_OWNED: usize = 512;
/// Hardware addresses whose unasked replies are counted.
pub(super) const MAX_TELLERS: usize = 64;
/// Questions remembered, to tell answers from unasked replies.
const MAX_QUESTIONS: usize = 32;
/// How long after a question a reply is an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// An owner silent for so long while a rival speaks has gone.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// Unasked replies that are lies if they are about several addresses.
const LEAST_LIES: u32 = 6;

/// Whose an address is.
#[derive(Clone, Copy, Debug, Default)]
struct Owned {
    owner: MacAddr,
    rival: MacAddr,
    rival_first: Moment,
    /// When the owner last spoke for this address, or claimed it.
    owner_heard: Moment,
    /// Claims by the rival.
    claims: Sliding<1>,
}

/// Unasked replies of one hardware address.
#[derive(Clone, Copy, Debug, Default)]
struct Teller {
    replies: Sliding<1>,
    /// The first two addresses it spoke for unasked.
    about: [Option<Addr>; 2],
    since: Since,
}

/// Hashable form of a hardware address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MacKey(MacAddr);

/// The binding history.
#[derive(Debug)]
pub(super) struct Claims {
    owned: Table<AddrKey, Owned>,
    tellers: Table<MacKey, Teller>,
    questions: [(Addr, Moment); MAX_QUESTIONS],
    next: usize,
    /// The owner whose address is disputed at present, and that address.
    disputed: (MacAddr, Addr),
}

impl Claims {
    pub(super) fn new() -> Self {
        Self {
            // A day: bindings outlive silence.
            owned: Table::new(MAX_OWNED, 17_280),
            tellers: Table::new(MAX_TELLERS, KEPT),
            questions: [(Addr::UNSPECIFIED, Moment::ZERO); MAX_QUESTIONS],
            next: 0,
            disputed: (MacAddr::NONE, Addr::UNSPECIFIED),
        }
    }

    /// Notes that an owner still speaks, where somebody else claims what is its own: for itself, or for the world as
    /// a router does. Called for every packet.
    #[inline]
    pub(super) fn witness(&mut self, shared: &Shared, packet: &Packet<'_>, src: Addr) {
        let (owner, _) = self.disputed;
        if owner != MacAddr::NONE && packet.ether.is_some_and(|ether| ether.src == owner) {
            self.still_there(shared, src, packet.at);
        }
    }

    #[cold]
    #[cfg_attr(router, optimize(speed))]
    fn still_there(&mut self, shared: &Shared, src: Addr, at: Moment) {
        let (owner, addr) = self.disputed;
        if src != addr && src.is_private() {
            return;
        }
        if let Some(owned) = self.owned.entry(shared.hash(&addr), &AddrKey(addr))
            && owned.owner == owner
        {
            owned.owner_heard = at;
        }
    }

    pub(super) fn observe(&mut self, shared: &Shared, bindings: &Bindings, arp: &Arp, at: Moment) {
        let unasked = self.is_unasked(arp, at);
        if arp.operation == 1 {
            self.questions[self.next] = (arp.target, at);
            self.next = (self.next + 1) % MAX_QUESTIONS;
        }
        if arp.sender.is_special() || arp.sender_mac.is_group() || arp.sender_mac == MacAddr::NONE {
            return;
        }
        let slice = shared.slice;
        if unasked
            && let Some(teller) = self.tellers.enter(mac_hash(arp.sender_mac), &MacKey(arp.sender_mac), slice)
        {
            teller.replies.add(slice, 0, 1);
            teller.since.note(at);
            if !teller.about.contains(&Some(arp.sender))
                && let Some(free) = teller.about.iter_mut().find(|about| about.is_none())
            {
                *free = Some(arp.sender);
            }
        }
        let Some(owned) = self.owned.enter(shared.hash(&arp.sender), &AddrKey(arp.sender), slice) else {
            return;
        };
        if owned.owner == MacAddr::NONE {
            // Whoever has used it until now has it, though it never had to say so.
            let holder = bindings.holder(arp.sender, arp.sender_mac, at - GONE_AFTER);
            owned.owner = holder.unwrap_or(arp.sender_mac);
        }
        if owned.owner == arp.sender_mac {
            owned.owner_heard = at;
            return;
        }
        if owned.rival != arp.sender_mac {
            let Owned { owner, owner_heard, .. } = *owned;
            *owned = Owned { owner, rival: arp.sender_mac, rival_first: at, owner_heard, ..Owned::default() };
        }
        owned.claims.add(slice, 0, 1);
        self.disputed = (owned.owner, arp.sender);
        if at.since(owned.owner_heard) > GONE_AFTER && at.since(owned.rival_first) > GONE_AFTER {
            *owned = Owned { owner: arp.sender_mac, ..Owned::default() };
        }
    }

    /// A reply to nobody: not an answer to a recent question, nor an announcement of oneself.
    fn is_unasked(&self, arp: &Arp, at: Moment) -> bool {
        arp.operation == 2
            && arp.sender != arp.target
            && !self
                .questions
                .iter()
                .any(|&(target, asked)| target == arp.sender && at.since(asked) <= ANSWER_WITHIN)
    }

    pub(super) fn poll(
        &mut self,
        shared: &Shared,
        bindings: &Bindings,
        thresholds: &Thresholds,
        found: &mut Vec<Finding>,
    ) {
        let slice = shared.slice;
        self.owned.touched(slice, |addr, owned| {
            let claims = owned.claims.sum(slice, 0, Span::S180);
            if claims < thresholds.arp_claims_180s {
                return;
            }
            let owner = bindings.of(owned.owner);
            let is_alive = owned.owner_heard > owned.rival_first;
            let has_own =
                bindings.of(owned.rival).and_then(|rival| rival.addr).is_some_and(|own| own != addr.0);
            let of_router = owner.is_some_and(super::who::Owner::is_router);
            if !is_alive || !(has_own || of_router) {
                return;
            }
            found.push(Finding {
                kind: Kind::ArpSpoof,
                severity: if of_router { Severity::Critical } else { Severity::High },
                source: Party::Mac(owned.rival),
                target: Some(Party::Addr(addr.0)),
                first: owned.rival_first,
                evidence: Evidence::new(&[
                    ("claims_180s", u64::from(claims)),
                    ("of_gateway", u64::from(of_router)),
                ]),
            });
        });
        self.tellers.touched(slice, |mac, teller| {
            let replies = teller.replies.sum(slice, 0, Span::S180);
            let is_router = bindings.of(mac.0).is_some_and(super::who::Owner::is_router);
            if replies < LEAST_LIES.max(thresholds.arp_claims_180s) || teller.about[1].is_none() || is_router
            {
                return;
            }
            found.push(Finding {
                kind: Kind::ArpSpoof,
                severity: Severity::Medium,
                source: Party::Mac(mac.0),
                target: teller.about[0].map(Party::Addr),
                first: teller.since.first(),
                evidence: Evidence::new(&[("unasked_replies_180s", u64::from(replies)), ("addresses", 2)]),
            });
        });
    }

    pub(super) fn forget(&mut self) {
        self.tellers.clear();
    }
}

fn mac_hash(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    crate::net::mix(u64::from_le_bytes([a, b, c, d, e, f, 2, 0]))
}
