//! Who heard which name for which address: one entry per client and server address.
//!
//! Two kinds of knowledge are kept apart. *Answers* came from DNS: this client asked, that name led here, until
//! the TTL ends; only answers of a configured resolver may exempt anything (docs/design.md §5). *Spoken* names
//! were said by the client itself to the server (SNI, Host): good labels, no proof. Four-way buckets of fixed
//! size; the entry used longest ago gives way. About 40 bytes an entry, [`MAX_ENTRIES`] of them.

use super::arena::{Arena, NameId};
use super::services::Service;
use crate::dissect::Packet;
use crate::dissect::hostname::HostName;
use crate::net::{Addr, ClientId, Direction, MacAddr, mix};
use crate::time::{Duration, Moment};

/// Client and address pairs remembered.
pub const MAX_ENTRIES: usize = 4096;

/// Entries that share a bucket.
const WAYS: usize = 4;

/// Resolvers whose answers count for exemptions; more are not believed.
pub const MAX_RESOLVERS: usize = 8;

/// DNS names kept per entry: one address serves several sites.
const MAX_ANSWERS: usize = 2;

/// How long a name is still the best label for an address after its TTL ended or it was last spoken.
pub const LABEL_GRACE: Duration = Duration::from_secs(6 * 3600);

/// Longest TTL that is believed.
const MAX_TTL_S: u32 = 86_400;

/// Where a name was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// DNS answer of a configured resolver.
    Resolver,
    /// Any other DNS answer.
    Answer,
    /// Server name of a TLS ClientHello.
    Tls,
    /// Server name of a QUIC Initial.
    Quic,
    /// Host header.
    Http,
}

impl Source {
    /// One lower-case word, for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolver | Self::Answer => "dns",
            Self::Tls => "tls",
            Self::Quic => "quic",
            Self::Http => "http",
        }
    }
}

/// One name heard for one address.
#[derive(Clone, Copy, Debug)]
struct Heard {
    name: NameId,
    /// Answers: end of the TTL. Spoken: when.
    at_s: u32,
    source: Source,
}

impl Heard {
    const NOTHING: Self = Self { name: NameId::NONE, at_s: 0, source: Source::Answer };
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Fingerprint of client and address, 0 = free.
    key: u64,
    /// Newest first.
    answers: [Heard; MAX_ANSWERS],
    spoken: Heard,
    used_s: u32,
}

impl Entry {
    const FREE: Self =
        Self { key: 0, answers: [Heard::NOTHING; MAX_ANSWERS], spoken: Heard::NOTHING, used_s: 0 };
}

/// What is known about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// The name.
    pub name: &'a str,
    /// Its service.
    pub service: Service<'a>,
    /// Where it comes from.
    pub source: Source,
    /// Reference to the name, for tables of the caller.
    pub id: NameId,
}

/// The name cache.
#[derive(Debug)]
pub struct Names {
    arena: Arena,
    entries: Box<[Entry]>,
    resolvers: [Addr; MAX_RESOLVERS],
    seed: u64,
}

impl Names {
    /// An empty cache. `seed` is a secret that keeps strangers from filling one bucket (anything for a file).
    pub fn new(seed: u64) -> Self {
        Self {
            arena: Arena::new(),
            entries: vec![Entry::FREE; MAX_ENTRIES].into_boxed_slice(),
            resolvers: [Addr::UNSPECIFIED; MAX_RESOLVERS],
            seed,
        }
    }

    /// Sets the configured resolvers; those beyond [`MAX_RESOLVERS`] are not believed.
    pub fn trust(&mut self, resolvers: &[Addr]) {
        self.resolvers = [Addr::UNSPECIFIED; MAX_RESOLVERS];
        for (slot, resolver) in self.resolvers.iter_mut().zip(resolvers) {
            *slot = *resolver;
        }
    }

    /// The source that an answer of this server is.
    pub fn source_of_answer(&self, resolver: &Addr) -> Source {
        let is_configured = *resolver != Addr::UNSPECIFIED && self.resolvers.contains(resolver);
        if is_configured { Source::Resolver } else { Source::Answer }
    }

    /// Stores a name without saying whose it is.
    pub fn intern(&mut self, name: &HostName) -> NameId {
        self.arena.intern(name)
    }

    /// A client was answered that `name` is at `pair`'s address for `ttl_s` seconds.
    pub fn learn_answer(&mut self, pair: Pair, name: NameId, (source, ttl_s): (Source, u32), now: Moment) {
        let now_s = seconds(now);
        let heard = Heard { name, at_s: now_s.saturating_add(ttl_s.min(MAX_TTL_S)), source };
        let slot = self.claim(pair, now_s);
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let [newest, older] = entry.answers;
        // The same name again only renews its place.
        entry.answers = if newest.name == name { [heard, older] } else { [heard, newest] };
    }

    /// A client said `name` to the server at `pair`'s address.
    pub fn learn_spoken(&mut self, pair: Pair, name: NameId, source: Source, now: Moment) {
        let now_s = seconds(now);
        let slot = self.claim(pair, now_s);
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.spoken = Heard { name, at_s: now_s, source };
        }
    }

    /// The best label for an address as this client uses it: what it said last, else what it was answered last.
    pub fn lookup(&self, pair: Pair, now: Moment) -> Option<Known<'_>> {
        let entry = self.entry(pair)?;
        let [newest, older] = entry.answers;
        let grace_s = LABEL_GRACE.as_secs() as u32;
        [entry.spoken, newest, older]
            .into_iter()
            .filter(|heard| seconds(now) <= heard.at_s.saturating_add(grace_s))
            .find_map(|heard| self.known(heard))
    }

    /// The names that DNS gave this client for an address and whose TTL has not ended, newest first. For
    /// exemptions take those with [`Source::Resolver`] only.
    pub fn answers(&self, pair: Pair, now: Moment) -> impl Iterator<Item = Known<'_>> {
        let answers = self.entry(pair).map_or([Heard::NOTHING; MAX_ANSWERS], |entry| entry.answers);
        answers
            .into_iter()
            .filter(move |heard| seconds(now) <= heard.at_s)
            .filter_map(|heard| self.known(heard))
    }

    /// The text of a stored name, while it is stored.
    pub fn name(&self, id: NameId) -> Option<&str> {
        self.arena.name(id)
    }

    /// The service of a stored name, while it is stored.
    pub fn service(&self, id: NameId) -> Option<Service<'_>> {
        self.arena.service(id)
    }

    /// The names heard lately, each with its service.
    pub fn stored(&self) -> impl Iterator<Item = (&str, Service<'_>)> {
        self.arena.stored().filter_map(|id| Some((self.name(id)?, self.service(id)?)))
    }

    fn known(&self, heard: Heard) -> Option<Known<'_>> {
        let (name, service) = (self.name(heard.name)?, self.service(heard.name)?);
        Some(Known { name, service, source: heard.source, id: heard.name })
    }

    fn entry(&self, pair: Pair) -> Option<&Entry> {
        let key = pair.key(self.seed);
        self.entries[bucket(key)].iter().find(|entry| entry.key == key)
    }

    /// The entry for a pair: its own, or that of the pair used longest ago.
    fn claim(&mut self, pair: Pair, now_s: u32) -> usize {
        let key = pair.key(self.seed);
        let range = bucket(key);
        let own = range.clone().find(|&slot| self.entries[slot].key == key);
        let slot = own.or_else(|| range.clone().min_by_key(|&slot| self.entries[slot].used_s));
        let slot = slot.unwrap_or(range.start);
        let entry = &mut self.entries[slot];
        if entry.key != key {
            *entry = Entry { key, ..Entry::FREE };
        }
        entry.used_s = now_s.max(1);
        slot
    }
}

/// A client and a server address. Devices are told apart by MAC where there is one, so that a name asked for
/// over IPv4 is known for the IPv6 flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Who asked or spoke: see [`Pair::client_of`].
    pub client: ClientId,
    /// The server.
    pub addr: Addr,
}

impl Pair {
    /// The client of a packet that goes up from it or down to it: by MAC if the link has one, else by address.
    pub fn client_of(packet: &Packet<'_>, direction: Direction) -> ClientId {
        let is_up = direction == Direction::Up;
        let mac = packet.ether.map(|ether| if is_up { ether.src } else { ether.dst });
        match mac.filter(|mac| *mac != MacAddr::NONE && !mac.is_group()) {
            Some(mac) => ClientId::Mac(mac),
            None => {
                let addr = packet.ip().map(|ip| if is_up { ip.src } else { ip.dst });
                ClientId::Addr(addr.unwrap_or(Addr::UNSPECIFIED))
            }
        }
    }

    fn key(&self, seed: u64) -> u64 {
        let client = match self.client {
            ClientId::Mac(mac) => {
                let [a, b, c, d, e, f] = mac.0;
                u64::from_be_bytes([1, 0, a, b, c, d, e, f])
            }
            ClientId::Addr(addr) => addr.fingerprint(),
        };
        mix(mix(client ^ seed) ^ self.addr.fingerprint()).max(1)
    }
}

fn bucket(key: u64) -> std::ops::Range<usize> {
    let first = key as usize % (MAX_ENTRIES / WAYS) * WAYS;
    first..first + WAYS
}

/// Whole seconds; a clock beyond the year 2106 stands still.
fn seconds(at: Moment) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: ClientId = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 1]));
    const OTHER: ClientId = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 2]));
    const SERVER: Addr = Addr::from_v4([203, 0, 113, 5]);
    const PAIR: Pair = Pair { client: CLIENT, addr: SERVER };

    fn names_of(names: &Names, pair: Pair, at_s: u64) -> Vec<(String, Source)> {
        names
            .answers(pair, Moment::from_secs(at_s))
            .map(|known| (known.name.to_owned(), known.source))
            .collect()
    }

    fn answer(names: &mut Names, pair: Pair, name: &str, ttl_s: u32) {
        let id = names.intern(&HostName::from_text(name.as_bytes()).unwrap());
        names.learn_answer(pair, id, (Source::Resolver, ttl_s), Moment::from_secs(100));
    }

    #[test]
    fn an_answer_exempts_within_its_ttl_and_only_its_client() {
        let mut names = Names::new(7);
        answer(&mut names, PAIR, "khanacademy.org", 60);
        let expected = vec![("khanacademy.org".to_owned(), Source::Resolver)];
        assert_eq!(names_of(&names, PAIR, 160), expected);
        assert_eq!(names_of(&names, PAIR, 161), []);
        assert_eq!(names_of(&names, Pair { client: OTHER, addr: SERVER }, 120), []);
        assert_eq!(names_of(&names, Pair { client: CLIENT, addr: Addr::from_v4([1, 1, 1, 1]) }, 120), []);
    }

    #[test]
    fn what_a_client_says_labels_but_never_joins_the_answers() {
        let mut names = Names::new(7);
        answer(&mut names, PAIR, "cdn.example", 60);
        let id = names.intern(&HostName::from_text(b"r1.googlevideo.com").unwrap());
        names.learn_spoken(PAIR, id, Source::Quic, Moment::from_secs(110));
        let known = names.lookup(PAIR, Moment::from_secs(5_000)).unwrap();
        assert_eq!(
            (known.name, known.service.label, known.source),
            ("r1.googlevideo.com", "YouTube", Source::Quic)
        );
        assert_eq!(names_of(&names, PAIR, 150), [("cdn.example".to_owned(), Source::Resolver)]);
        assert_eq!(names.lookup(PAIR, Moment::from_secs(200_000)), None);
    }

    #[test]
    fn an_address_keeps_its_two_latest_names() {
        let mut names = Names::new(7);
        for name in ["a.example", "b.example", "b.example", "c.example"] {
            answer(&mut names, PAIR, name, 60);
        }
        let heard: Vec<String> = names_of(&names, PAIR, 100).into_iter().map(|(name, _)| name).collect();
        assert_eq!(heard, ["c.example", "b.example"]);
    }

    #[test]
    fn only_configured_resolvers_are_believed() {
        let mut names = Names::new(7);
        names.trust(&[SERVER]);
        assert_eq!(names.source_of_answer(&SERVER), Source::Resolver);
        assert_eq!(names.source_of_answer(&Addr::from_v4([8, 8, 8, 8])), Source::Answer);
        assert_eq!(names.source_of_answer(&Addr::UNSPECIFIED), Source::Answer);
    }

    #[test]
    fn a_flood_of_answers_costs_other_labels_and_no_memory() {
        let mut names = Names::new(7);
        for i in 0..100_000_u32 {
            let addr = Addr::from_v4(i.to_be_bytes());
            answer(&mut names, Pair { client: CLIENT, addr }, "flood.example", 60);
        }
        assert_eq!(names.entries.len(), MAX_ENTRIES);
        let newest = Pair { client: CLIENT, addr: Addr::from_v4(99_999_u32.to_be_bytes()) };
        assert_eq!(names_of(&names, newest, 100).len(), 1);
    }
}
