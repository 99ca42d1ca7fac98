//! Attackers that are blocked for a while, because their detector is in `list block`.
//!
//! A device of the household is cut off from everything beyond the router; a stranger is cut off from the device he
//! attacks, and from nothing else. Each block is a set element that ends by itself [`BLOCK_FOR`] after the last
//! evidence. Evidence may be forged, so this is off by default, and some are never blocked: the router and its
//! resolvers, the LAN's addresses as strangers, exempt devices and addresses. Nobody can be locked out of the router
//! itself: its input is not touched.

use super::{House, News, Wanted};
use crate::detect::{Alert, Kind, Party, Stage};
use crate::lan::ClientIdx;
use crate::net::{Addr, ClientId};
use crate::quota::{Standing, Who};
use crate::ruleset::{Element, Key, Ruleset, SetName};
use crate::time::{Duration, Moment};

/// How long after the last evidence.
pub const BLOCK_FOR: Duration = Duration::from_secs(600);
/// Blocked at a time; further attackers are only told.
const MAX_BLOCKED: usize = 64;

/// Who is blocked, from whom, and until when.
#[derive(Debug, Default)]
pub(super) struct Attackers(Vec<Element>);

impl Attackers {
    /// Blocks, or blocks longer; whether that is new.
    fn block(&mut self, element: Element, now: Moment) -> bool {
        self.0.retain(|known| known.until > now);
        if let Some(known) = self.0.iter_mut().find(|known| known.key == element.key) {
            known.until = element.until.max(known.until);
            return false;
        }
        let room = self.0.len() < MAX_BLOCKED;
        if room {
            self.0.push(element);
        }
        room
    }

    /// Lifts the blocks of a device, or all.
    pub(super) fn lift(&mut self, who: &Who) {
        match who {
            Who::Client(client) => self.0.retain(|element| element.key != Key::client(*client)),
            Who::All => self.0.clear(),
            Who::Profile(_) => {}
        }
    }

    /// Adds them to what is wanted of the firewall.
    pub(super) fn join(&self, ruleset: &mut Ruleset) {
        let at = ruleset.at;
        for element in self.0.iter().filter(|element| element.until > at) {
            ruleset.insert(*element);
        }
    }
}

impl House {
    /// Blocks the source of an alert, if that is wanted of its detector and may be.
    pub(super) fn stop_attacker(&mut self, alert: &Alert) {
        let wanted = self.config.detect.block.iter().any(|name| Kind::from_name(name) == Some(alert.kind));
        if !wanted || alert.stage == Stage::Closed {
            return;
        }
        let Some(key) = self.attacker(alert.source, alert.target) else { return };
        let Some(set) = set_of(&key) else { return };
        let element = Element { set, key, until: alert.last + BLOCK_FOR };
        if self.attackers.block(element, self.latest.mono) {
            self.news.push_back(News::Attacker { kind: alert.kind, key });
        }
        self.wanted = Wanted::Changed;
    }

    /// Whom to block; `None` if nobody can be named, or nobody may be.
    fn attacker(&self, source: Party, target: Option<Party>) -> Option<Key> {
        let clients = self.engine.lan().clients();
        let known = match source {
            Party::Mac(mac) => clients.find(&ClientId::Mac(mac)),
            Party::Addr(addr) => self.only_user_of(addr),
        };
        if let Some(client) = known.and_then(|index| self.client_id(index)) {
            let is_router = self.addresses_of(client).iter().any(|addr| self.blocks.guard().is_own(addr));
            let exempt = self.ledger.standing(client) == Standing::Exempt;
            return (!is_router && !exempt).then_some(Key::client(client));
        }
        let (Party::Addr(stranger), Some(Party::Addr(victim))) = (source, target) else { return None };
        let attacked = self.only_user_of(victim).is_some();
        let may = self.blocks.guard().may_block(&stranger, self.ledger.settings());
        (attacked && may).then_some(Key::Pair(victim, stranger))
    }

    /// The device that uses an address; `None` if several claim to, one of which may be innocent.
    fn only_user_of(&self, addr: Addr) -> Option<ClientIdx> {
        let clients = self.engine.lan().clients();
        let mut users = clients
            .iter()
            .map(|(index, _)| index)
            .filter(|index| clients.latest_address(*index) == Some(addr));
        let first = users.next().or_else(|| clients.owner_of(addr))?;
        users.next().is_none().then_some(first)
    }
}

/// The set for such a key.
fn set_of(key: &Key) -> Option<SetName> {
    let sets = [SetName::Cut, SetName::Cut4, SetName::Cut6, SetName::Peer4, SetName::Peer6];
    sets.into_iter().find(|set| key.fits(set.key_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MacAddr;

    #[test]
    fn blocks_are_few_lengthen_and_end() {
        let mut attackers = Attackers::default();
        let at = Moment::from_secs;
        let element = |last, until| {
            let key = Key::Ether(MacAddr([2, 0, 0, 0, 0, last]));
            Element { set: SetName::Cut, key, until: at(until) }
        };
        assert!(attackers.block(element(1, 700), at(100)));
        assert!(!attackers.block(element(1, 800), at(200)), "known");
        for last in 2..=MAX_BLOCKED as u8 {
            assert!(attackers.block(element(last, 900), at(200)));
        }
        assert!(!attackers.block(element(200, 900), at(300)), "full");
        assert!(attackers.block(element(200, 1_500), at(850)), "the first has ended");
        let mut ruleset = Ruleset { at: at(1_000), ..Ruleset::default() };
        ruleset.sets.insert(SetName::Cut, Default::default());
        attackers.join(&mut ruleset);
        assert_eq!(ruleset.elements().count(), 1);
        attackers.lift(&Who::Client(ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 200]))));
        assert!(attackers.0.iter().all(|element| element.until < at(1_000)));
    }

    #[test]
    fn a_stranger_is_kept_from_his_victim_alone() {
        let addr = |text: &str| -> Addr { text.parse::<std::net::IpAddr>().unwrap().into() };
        let four = Key::Pair(addr("192.168.1.9"), addr("203.0.113.7"));
        assert_eq!(set_of(&four), Some(SetName::Peer4));
        let six = Key::Pair(addr("fd00::9"), addr("2001:db8::7"));
        assert_eq!(set_of(&six), Some(SetName::Peer6));
        assert_eq!(set_of(&Key::Addr(addr("192.168.1.9"))), Some(SetName::Cut4));
        assert_eq!(set_of(&Key::Pair(addr("192.168.1.9"), addr("2001:db8::7"))), None);
    }
}
