//! Names heard: they cover the addresses of blocked services before these carry anything, and they are the domains
//! that a DNS blackhole is told.
//!
//! The binary holds no list of any service's domains, only hashes of them; what a blackhole needs it takes from
//! the names that the household itself has used lately. A domain once told stays told while its service is blocked
//! for anybody, though nobody can resolve it any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{House, Wanted};
use crate::config::Blackhole;
use crate::dissect::Frame;
use crate::names::{Event as NameEvent, Pair, Source, domain_of, service_of};
use crate::quota::Naming;
use crate::time::{Duration, Moment};

/// Domains told at most; further ones are reached by address alone.
const MAX_DOMAINS: usize = 512;

/// The domains that are blackholed, each with its service, in lower case as block lists have it.
#[derive(Debug, Default)]
pub(super) struct Domains {
    told: BTreeMap<String, String>,
}

impl Domains {
    /// Keeps what is still blocked and adds what was heard; whether that changed anything.
    fn update<'a>(
        &mut self,
        blocked: &BTreeSet<&str>,
        heard: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> bool {
        let before = self.told.len();
        self.told.retain(|_, service| blocked.contains(service.as_str()));
        let mut changed = self.told.len() != before;
        for (name, service) in heard {
            let (domain, service) = (domain_of(name), service.to_ascii_lowercase());
            let is_new = blocked.contains(service.as_str()) && !self.told.contains_key(domain);
            if is_new && self.told.len() < MAX_DOMAINS {
                self.told.insert(domain.to_owned(), service);
                changed = true;
            }
        }
        changed
    }
}

impl House {
    /// The domains to blackhole, one a line, if they changed since the last call. None while the option is off.
    pub fn take_blackhole(&mut self) -> Option<String> {
        let mut blocked = BTreeSet::new();
        if self.config.dns.blackhole != Blackhole::Off {
            for client in self.blocks.clients() {
                blocked.extend(self.blocks.services(client));
            }
        }
        if blocked.is_empty() && self.blackhole.told.is_empty() {
            return None;
        }
        let stored = self.engine.names().names().stored();
        let heard = stored.map(|(name, service)| (name, service.label));
        let changed = self.blackhole.update(&blocked, heard);
        changed.then(|| self.blackhole.told.keys().map(|domain| format!("{domain}\n")).collect())
    }

    /// Goes on from what [`House::take_blackhole`] said last, before a restart.
    pub fn restore_blackhole(&mut self, domains: &str) {
        let told = domains.lines().take(MAX_DOMAINS);
        let service = |name| service_of(name).label.to_ascii_lowercase();
        self.blackhole.told = told.map(|name| (name.to_owned(), service(name))).collect();
    }

    /// What the frame that was just handled told.
    #[cold]
    pub(super) fn learn_latest(&mut self, at: Moment) {
        let events = self.engine.names().events().to_vec();
        self.learn(&events, at);
    }

    fn learn(&mut self, events: &[NameEvent], at: Moment) {
        for event in events {
            self.named(event, at);
        }
    }

    /// A whole frame that may carry a name.
    pub fn name_frame(&mut self, frame: &Frame<'_>) {
        let events: Vec<NameEvent> = self.engine.handle_names(frame).to_vec();
        self.learn(&events, frame.at);
    }

    fn named(&mut self, event: &NameEvent, at: Moment) {
        let names = self.engine.names().names();
        let (client, addr, id, naming) = match event {
            NameEvent::Answered(answered) if answered.source == Source::Resolver => {
                let ttl = Duration::from_secs(answered.ttl_s.into());
                (answered.client, answered.addr, answered.name, Naming::Answer { ttl })
            }
            NameEvent::Spoken(spoken) => {
                let pair = Pair { client: spoken.client, addr: spoken.flow.resp.addr };
                let mut answers = names.answers(pair, at);
                let proven = answers.any(|known| known.source == Source::Resolver && known.id == spoken.name);
                let naming = if proven { Naming::Proven } else { Naming::Claimed };
                (spoken.client, pair.addr, spoken.name, naming)
            }
            NameEvent::Answered(_) | NameEvent::Dns(_) | NameEvent::Device(_) | NameEvent::Dhcp { .. } => {
                return;
            }
        };
        let Some(service) = names.service(id).map(|service| service.label.to_owned()) else { return };
        self.blocks.named(client, at, (addr, &service, naming), self.ledger.settings());
        if self.ledger.standing(client).restricts_video() {
            self.wanted = Wanted::Changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blackhole_is_told_what_is_blocked_and_forgets_what_is_not() {
        let mut domains = Domains::default();
        let heard =
            [("r1.googlevideo.com", "YouTube"), ("www.netflix.com", "Netflix"), ("a.b.example", "b.example")];
        assert!(domains.update(&BTreeSet::from(["youtube", "b.example"]), heard.into_iter()));
        assert_eq!(domains.told.keys().collect::<Vec<_>>(), ["b.example", "googlevideo.com"]);
        // Nobody can resolve it any more, so it is not heard again.
        assert!(!domains.update(&BTreeSet::from(["youtube", "b.example"]), std::iter::empty()));
        assert!(domains.update(&BTreeSet::from(["b.example"]), std::iter::empty()));
        assert_eq!(domains.told.keys().collect::<Vec<_>>(), ["b.example"]);
        let many: Vec<String> = (0..2_000).map(|n| format!("site{n}.example")).collect();
        domains.update(&BTreeSet::from(["x"]), many.iter().map(|name| (name.as_str(), "x")));
        assert_eq!(domains.told.len(), MAX_DOMAINS);
    }
}
