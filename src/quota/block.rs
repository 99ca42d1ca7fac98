//! Which servers a restricted client is cut off from.
//!
//! Remembered for every client, restricted or not, are the servers that carried its video and the services they
//! belong to, so that the cut comes at once when a quota ends. While a client is restricted:
//!
//! * one streaming-like window suffices, and every server that carried [`MIN_SERVER_BYTES`] of it is listed;
//! * an address that DNS or SNI ties to a blocked service is listed before its first segment completes;
//! * an address at which the client used a second, non-video service within [`MIXED_FOR`] is not listed: there only
//!   the video's own flow is killed, each time it shows. The second service must be proven by an answer of a
//!   configured resolver, for otherwise a false SNI would be a way out;
//! * an exempt service passes at addresses that a configured resolver gave this client for it, within the
//!   answer's TTL. A flow there that looks like video must name the exempt service itself, too.
//!
//! The router, resolvers, the LAN, multicast and exempt addresses are never listed ([`Guard`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Guard, Ledger, Settings};
use crate::net::{Addr, ClientId, FiveTuple};
use crate::time::{Duration, Moment, Now};
use crate::units::Bytes;

/// What a server must carry of a streaming-like window to be listed.
pub const MIN_SERVER_BYTES: Bytes = Bytes(100_000);
/// How long a second service at an address keeps it off the list.
pub const MIXED_FOR: Duration = Duration::from_secs(600);
/// How recent a server's video must be for it to be listed when the quota ends.
const SESSION_GAP: Duration = Duration::from_secs(120);
/// Longest time an answer passes or proves; resolvers may say weeks.
const MAX_TTL: Duration = Duration::from_secs(86_400);

/// Most clients remembered: as many as the ledger has room for. When full, the one longest without video goes,
/// but nobody who is restricted.
const MAX_CLIENTS: usize = super::MAX_CLIENTS;
/// Most servers remembered of a client; the one longest without video is replaced.
const MAX_SERVERS: usize = 128;
/// Most services, passed and shared addresses remembered of a client; the oldest is replaced.
const MAX_NAMES: usize = 32;
/// Longest name of a service kept.
const MAX_NAME_BYTES: usize = 64;
/// Most flows waiting to be killed; further ones show again in the next window.
const MAX_KILLS: usize = 1_024;

/// How an address came to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// An answer to this client, for so long. Only answers of configured resolvers; others prove nothing.
    Answer {
        /// Time to live.
        ttl: Duration,
    },
    /// The client itself, in a TLS or QUIC handshake or an HTTP request, for a name that a configured resolver
    /// has answered to it with this address.
    Proven,
    /// The client itself, without such an answer.
    Claimed,
}

/// A server's share of one window.
#[derive(Clone, Copy, Debug)]
pub struct VideoServer<'a> {
    /// Where.
    pub addr: Addr,
    /// Bytes to the client in this window.
    pub bytes: Bytes,
    /// The service its flow named, if it did.
    pub service: Option<&'a str>,
    /// The flow that carried most of it, if it is still known.
    pub flow: Option<FiveTuple>,
}

#[derive(Clone, Copy, Debug)]
struct Server {
    last_video: Moment,
    listed: bool,
}

/// One client's memory.
#[derive(Clone, Debug, Default)]
struct Watched {
    restricted: bool,
    last_video: Moment,
    servers: BTreeMap<Addr, Server>,
    /// Services of its video, with when they were last seen.
    services: BTreeMap<String, Moment>,
    /// Addresses of exempt services, and until when.
    passed: BTreeMap<Addr, Moment>,
    /// Services proven to be used at addresses, and until when that counts.
    used: BTreeMap<(Addr, String), Moment>,
    /// Addresses in networks of used-up data plans, with when they were last seen.
    capped: BTreeMap<Addr, Moment>,
}

/// Who is cut off from what.
#[derive(Clone, Debug, Default)]
pub struct Blocklist {
    clients: BTreeMap<ClientId, Watched>,
    guard: Guard,
    kills: Vec<FiveTuple>,
    /// Counts what may have changed the lists.
    revision: u64,
    /// The ledger's revision at the last [`Blocklist::restrict`].
    judged: Option<u64>,
}

/// A client's part of the list, to survive a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockState {
    /// Who.
    pub client: ClientId,
    /// Servers listed.
    pub servers: Vec<Addr>,
    /// Services blocked.
    pub services: Vec<String>,
}

/// Inserts, in a full map instead of the oldest.
fn remember<K: Ord + Clone>(map: &mut BTreeMap<K, Moment>, key: K, at: Moment, most: usize) {
    if map.len() >= most && !map.contains_key(&key) {
        let oldest = map.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
        oldest.and_then(|key| map.remove(&key));
    }
    map.insert(key, at);
}

impl Watched {
    fn saw_video(&mut self, addr: Addr, at: Moment) {
        if self.servers.len() >= MAX_SERVERS && !self.servers.contains_key(&addr) {
            let oldest =
                self.servers.iter().min_by_key(|(_, server)| server.last_video).map(|(addr, _)| *addr);
            oldest.and_then(|addr| self.servers.remove(&addr));
        }
        let listed = self.restricted;
        let server = self.servers.entry(addr).or_insert(Server { last_video: at, listed });
        server.last_video = server.last_video.max(at);
        server.listed |= listed;
    }

    /// Whether the client uses a second service at an address besides the video, which `service` names if known.
    /// Of an unnamed video, one proven service may be its own.
    fn is_mixed(&self, addr: &Addr, service: Option<&str>, at: Moment) -> bool {
        let here = self.used.range((*addr, String::new())..).take_while(|((used_at, _), _)| used_at == addr);
        let others = here.filter(|((_, used), until)| {
            **until > at
                && !self.services.contains_key(used)
                && !service.is_some_and(|service| service.eq_ignore_ascii_case(used))
        });
        others.count() > usize::from(service.is_none())
    }

    fn is_passed(&self, addr: &Addr, at: Moment) -> bool {
        self.passed.get(addr).is_some_and(|until| *until > at)
    }
}

impl Blocklist {
    /// Puts other addresses under protection; what is listed of them is taken off.
    pub fn set_guard(&mut self, guard: Guard, settings: &Settings) {
        self.guard = guard;
        self.revision += 1;
        for watched in self.clients.values_mut() {
            watched.servers.retain(|addr, _| self.guard.may_block(addr, settings));
        }
    }

    fn watched(&mut self, client: ClientId) -> Option<&mut Watched> {
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            let idle = self.clients.iter().filter(|(_, watched)| !watched.restricted);
            let oldest = idle.min_by_key(|(_, watched)| watched.last_video).map(|(client, _)| *client);
            self.clients.remove(&oldest?);
        }
        Some(self.clients.entry(client).or_default())
    }

    /// A window of a client that was counted as video or, while it is restricted, looks like it.
    pub fn video(&mut self, client: ClientId, at: Moment, servers: &[VideoServer], settings: &Settings) {
        self.revision += 1;
        let guard = std::mem::take(&mut self.guard);
        let mut kills = Vec::new();
        let Some(watched) = self.watched(client) else {
            self.guard = guard;
            return;
        };
        watched.last_video = watched.last_video.max(at);
        for server in servers {
            let exempt = server.service.is_some_and(|service| settings.exempts(client, service));
            let passes = exempt && watched.is_passed(&server.addr, at);
            if server.bytes < MIN_SERVER_BYTES || passes || !guard.may_block(&server.addr, settings) {
                continue;
            }
            // A shared front end: an exempt service was resolved to it, but this flow is not that service.
            if watched.is_mixed(&server.addr, server.service, at) || watched.is_passed(&server.addr, at) {
                if watched.restricted {
                    kills.extend(server.flow);
                }
                continue;
            }
            watched.saw_video(server.addr, at);
            if let Some(service) = server.service.filter(|service| service.len() <= MAX_NAME_BYTES && !exempt)
            {
                remember(&mut watched.services, service.to_ascii_lowercase(), at, MAX_NAMES);
            }
        }
        self.guard = guard;
        kills.truncate(MAX_KILLS.saturating_sub(self.kills.len()));
        self.kills.append(&mut kills);
    }

    /// Whether a window of video counts: not when most of its bytes came from exempt addresses, or from exempt
    /// services at addresses that a resolver gave for them.
    pub fn counts(&self, client: ClientId, at: Moment, servers: &[VideoServer], settings: &Settings) -> bool {
        let watched = self.clients.get(&client);
        let is_exempt = |server: &VideoServer| {
            let named = server.service.is_some_and(|service| settings.exempts(client, service));
            let passed = watched.is_some_and(|watched| watched.is_passed(&server.addr, at));
            named && passed || settings.exempt_addresses.iter().any(|network| network.contains(&server.addr))
        };
        let sum = |exempt: bool| {
            let some = servers.iter().filter(|server| is_exempt(server) == exempt);
            some.fold(Bytes::ZERO, |sum, server| sum + server.bytes)
        };
        sum(true) <= sum(false)
    }

    /// An address got a name.
    pub fn named(&mut self, client: ClientId, at: Moment, name: (Addr, &str, Naming), settings: &Settings) {
        let (addr, service, naming) = name;
        let may_block = self.guard.may_block(&addr, settings);
        let exempt = settings.exempts(client, service);
        let proves = exempt || naming == Naming::Proven;
        // Other names make nobody worth remembering.
        if service.len() > MAX_NAME_BYTES || !proves && !self.clients.contains_key(&client) {
            return;
        }
        self.revision += 1;
        let Some(watched) = self.watched(client) else { return };
        let service = service.to_ascii_lowercase();
        let blocked = watched.services.contains_key(&service);
        match naming {
            Naming::Answer { ttl } if exempt => {
                remember(&mut watched.passed, addr, at + ttl.min(MAX_TTL), MAX_NAMES);
                if let Some(server) = watched.servers.get_mut(&addr) {
                    server.listed = false;
                }
            }
            _ if exempt => {}
            Naming::Proven if !blocked => {
                remember(&mut watched.used, (addr, service), at + MIXED_FOR, MAX_NAMES);
                // Also where it is listed already: from now on only its video is killed. Nobody restricted can
                // prove anything there, for the list cuts its handshake off.
                if watched.is_mixed(&addr, None, at) {
                    watched.servers.remove(&addr);
                }
            }
            Naming::Answer { .. } | Naming::Proven | Naming::Claimed => {
                let free = !watched.is_mixed(&addr, Some(&service), at) && !watched.is_passed(&addr, at);
                if blocked && watched.restricted && may_block && free {
                    watched.saw_video(addr, at);
                }
            }
        }
    }

    /// A client exchanged bytes with a peer; kept while a data plan with networks is used up for it.
    pub fn peer(&mut self, client: ClientId, at: Moment, addr: Addr, ledger: &Ledger) {
        let settings = ledger.settings();
        let mut networks = ledger.capped_networks(client).peekable();
        if networks.peek().is_none() || !self.guard.may_block(&addr, settings) {
            return;
        }
        self.revision += 1;
        let counts = networks.any(|network| network.contains(&addr));
        if let Some(watched) = self.watched(client).filter(|_| counts) {
            remember(&mut watched.capped, addr, at, MAX_SERVERS);
        }
    }

    /// Takes over who is restricted now; to be called after each [`Ledger::tick`], and cheap when that judged
    /// nobody anew.
    pub fn restrict(&mut self, ledger: &Ledger, now: Now) {
        if self.judged.replace(ledger.revision()) == Some(ledger.revision()) {
            return;
        }
        self.revision += 1;
        let learning = ledger.is_learning();
        for verdict in ledger.verdicts(now).iter().filter(|verdict| verdict.standing.restricts_video()) {
            self.watched(verdict.client);
        }
        for (client, watched) in &mut self.clients {
            let restricted = !learning && ledger.standing(*client).restricts_video();
            watched.passed.retain(|_, until| *until > now.mono);
            watched.used.retain(|_, until| *until > now.mono);
            if restricted == watched.restricted {
                continue;
            }
            watched.restricted = restricted;
            for server in watched.servers.values_mut() {
                server.listed = restricted && now.mono.since(server.last_video) <= SESSION_GAP;
            }
            if !restricted {
                watched.capped.clear();
            }
        }
    }

    /// A number that grows whenever the lists may have changed: while it and [`Ledger::revision`] stay, so does
    /// the ruleset.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Clients remembered, to be judged even when the ledger has no account of their own for them.
    pub fn clients(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.clients.keys().copied()
    }

    /// Servers a client is cut off from.
    pub fn listed(&self, client: ClientId) -> impl Iterator<Item = Addr> + '_ {
        let servers = self.clients.get(&client).into_iter().flat_map(|watched| &watched.servers);
        servers.filter(|(_, server)| server.listed).map(|(addr, _)| *addr)
    }

    /// Addresses of exempt services, and until when.
    pub fn passed(&self, client: ClientId) -> impl Iterator<Item = (Addr, Moment)> + '_ {
        let watched = self.clients.get(&client);
        watched.into_iter().flat_map(|watched| &watched.passed).map(|(addr, until)| (*addr, *until))
    }

    /// Addresses a client used in networks of used-up data plans.
    pub fn capped(&self, client: ClientId) -> impl Iterator<Item = Addr> + '_ {
        self.clients.get(&client).into_iter().flat_map(|watched| watched.capped.keys().copied())
    }

    /// What is never listed.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Services a client is cut off from, for the DNS blackhole and for people.
    pub fn services(&self, client: ClientId) -> impl Iterator<Item = &str> {
        let watched = self.clients.get(&client).filter(|watched| watched.restricted);
        watched.into_iter().flat_map(|watched| watched.services.keys().map(String::as_str))
    }

    /// Flows whose conntrack entries are to be deleted, and forget them.
    pub fn take_kills(&mut self) -> Vec<FiveTuple> {
        std::mem::take(&mut self.kills)
    }

    /// What must survive a restart: a daemon that comes back must not release what it finds in the kernel.
    pub fn snapshot(&self) -> Vec<BlockState> {
        let restricted = self.clients.iter().filter(|(_, watched)| watched.restricted);
        restricted
            .map(|(client, watched)| BlockState {
                client: *client,
                servers: self.listed(*client).collect(),
                services: watched.services.keys().cloned().collect(),
            })
            .collect()
    }

    /// Goes on from a snapshot, after [`Ledger::restore`] and before the first [`Blocklist::restrict`].
    pub fn restore(&mut self, blocks: &[BlockState], at: Moment, settings: &Settings) {
        let guard = std::mem::take(&mut self.guard);
        for block in blocks.iter().take(MAX_CLIENTS) {
            let Some(watched) = self.watched(block.client) else { continue };
            let servers = block.servers.iter().filter(|addr| guard.may_block(addr, settings));
            servers.take(MAX_SERVERS).for_each(|addr| watched.saw_video(*addr, at));
            for service in block.services.iter().filter(|name| name.len() <= MAX_NAME_BYTES).take(MAX_NAMES) {
                watched.services.insert(service.clone(), at);
            }
        }
        self.guard = guard;
    }
}

impl Ledger {
    /// Networks of used-up data plans that a client belongs to.
    pub fn capped_networks(&self, client: ClientId) -> impl Iterator<Item = &crate::net::Prefix> {
        let caps = self.meters.caps(&self.settings, client);
        let plans = caps.into_iter().filter_map(|index| self.settings.plans.get(index));
        plans.flat_map(|plan| &plan.networks)
    }
}
