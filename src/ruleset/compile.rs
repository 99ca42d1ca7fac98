//! Standings, block lists and settings to the firewall they ask for.

use std::collections::BTreeMap;

use super::{Chain, ChainName, DnsProto, Element, Key, Rule, Ruleset, SetName, Shaped};
use crate::net::{Addr, ClientId};
use crate::quota::{Action, Blocklist, Ledger, OVERFLOW, PlanAction, Scope, Settings, Standing, Verdict};
use crate::time::Now;

/// Most exempt prefixes that get a rule; further ones still keep elements away, but do not pass a cut client.
const MAX_PREFIX_RULES: usize = 64;
/// Most rates: each is a class of the shaper, of which a link has at most 65,535.
const MAX_SHAPES: usize = 1_024;
/// Most LAN devices.
const MAX_INTERFACES: usize = 16;

/// Where the ruleset is to be in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Devices of the LANs.
    pub interfaces: Vec<String>,
    /// Local port of the resolver that lies to restricted clients, if it runs.
    pub dns_port: Option<u16>,
    /// Whether traffic can be slowed down here.
    pub shaping: Shaping,
}

/// Whether there is a traffic shaper. Without one a throttled quota is refused instead; a throttled data plan is
/// left alone, which costs the household nothing it did not pay for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shaping {
    /// No, or it would not see the packets.
    #[default]
    Absent,
    /// Yes.
    Usable,
}

/// A ruleset, and what did not fit into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The whole desired firewall.
    pub ruleset: Ruleset,
    /// Elements and rates left out because there was no room for more.
    pub omitted: usize,
}

/// Computes the whole desired firewall.
pub fn compile(ledger: &Ledger, blocks: &Blocklist, place: &Place, now: Now) -> Compiled {
    let settings = ledger.settings();
    let mut compiler = Compiler {
        settings,
        blocks,
        dns: place.dns_port.is_some(),
        shaping: place.shaping,
        omitted: 0,
        ruleset: skeleton(settings, place),
    };
    compiler.ruleset.at = now.mono;
    let verdicts = ledger.verdicts(now);
    let known: std::collections::BTreeSet<ClientId> = verdicts.iter().map(|verdict| verdict.client).collect();
    for verdict in verdicts.iter().filter(|verdict| verdict.client != OVERFLOW) {
        compiler.verdict(verdict);
    }
    // Devices beyond the ledger's capacity stand as the overflow client does.
    if known.contains(&OVERFLOW) {
        for client in blocks.clients().filter(|client| !known.contains(client)) {
            let verdict = ledger.verdict(client, now);
            if verdict.standing.is_restricted() {
                compiler.verdict(&verdict);
            }
        }
    }
    Compiled { ruleset: compiler.ruleset, omitted: compiler.omitted }
}

/// The table without elements: it changes only with the configuration.
fn skeleton(settings: &Settings, place: &Place) -> Ruleset {
    let dns_sets = |set: &SetName| !matches!(set, SetName::Dns | SetName::Dns4 | SetName::Dns6);
    let sets = SetName::ALL.into_iter().filter(|set| place.dns_port.is_some() || dns_sets(set));
    let interfaces: Vec<&String> = place.interfaces.iter().take(MAX_INTERFACES).collect();
    let from_lan = |interface: &&String| Rule::FromLan { interface: (*interface).clone() };
    let block = match settings.action {
        Action::Reject | Action::Throttle => vec![Rule::TcpReset, Rule::AdminProhibited],
        Action::Drop => vec![Rule::Drop],
    };
    let mut chains = vec![
        Chain { name: ChainName::Block, rules: block },
        Chain { name: ChainName::Judge, rules: judge(settings, &interfaces) },
        Chain { name: ChainName::Forward, rules: interfaces.iter().map(from_lan).collect() },
    ];
    if let Some(port) = place.dns_port {
        let each = |set| [DnsProto::Udp, DnsProto::Tcp].map(|proto| Rule::RedirectDns { set, proto, port });
        let rules = [SetName::Dns, SetName::Dns4, SetName::Dns6].into_iter().flat_map(each).collect();
        chains.push(Chain { name: ChainName::Dns, rules });
    }
    Ruleset { chains, sets: sets.map(|set| (set, BTreeMap::new())).collect(), ..Ruleset::default() }
}

fn judge(settings: &Settings, interfaces: &[&String]) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        interfaces.iter().map(|interface| Rule::ToLan { interface: (*interface).clone() }).collect();
    let exempt = settings.exempt_addresses.iter().take(MAX_PREFIX_RULES);
    rules.extend(exempt.map(|prefix| Rule::ToExempt { prefix: *prefix }));
    for set in SetName::ALL {
        match set {
            SetName::Exempt | SetName::Pass4 | SetName::Pass6 => rules.push(Rule::Passed { set }),
            SetName::Dns | SetName::Dns4 | SetName::Dns6 => {}
            SetName::Cut
            | SetName::Cut4
            | SetName::Cut6
            | SetName::Video4
            | SetName::Video6
            | SetName::Peer4
            | SetName::Peer6
            | SetName::Capped4
            | SetName::Capped6 => rules.push(Rule::Blocked { set }),
        }
    }
    rules
}

struct Compiler<'a> {
    settings: &'a Settings,
    blocks: &'a Blocklist,
    dns: bool,
    shaping: Shaping,
    ruleset: Ruleset,
    omitted: usize,
}

/// What a list of servers is for; it decides the set.
#[derive(Clone, Copy)]
enum Towards {
    Video,
    Capped,
}

impl Compiler<'_> {
    fn verdict(&mut self, verdict: &Verdict) {
        match &verdict.standing {
            Standing::Exempt => {
                if let ClientId::Mac(mac) = verdict.client {
                    self.put(SetName::Exempt, Key::Ether(mac), verdict);
                }
                return;
            }
            Standing::Paused { .. } => self.cut(verdict),
            Standing::Exhausted { .. } | Standing::OutsideHours { .. } | Standing::Denied => {
                self.restrict(verdict);
            }
            Standing::Unlimited
            | Standing::Within { .. }
            | Standing::Warned { .. }
            | Standing::Grace { .. }
            | Standing::Capped { .. } => {}
        }
        for index in &verdict.caps {
            self.cap(verdict, *index);
        }
    }

    fn restrict(&mut self, verdict: &Verdict) {
        let client = verdict.client;
        if self.dns {
            let set = match client {
                ClientId::Mac(_) => SetName::Dns,
                ClientId::Addr(addr) if addr.is_v4() => SetName::Dns4,
                ClientId::Addr(_) => SetName::Dns6,
            };
            self.put(set, Key::client(client), verdict);
        }
        let slowed = self.settings.action == Action::Throttle && self.shaping == Shaping::Usable;
        let throttle = slowed.then_some(self.settings.throttle_kbps);
        match (self.settings.scope, throttle) {
            (Scope::Internet, Some(rate_kbps)) => {
                self.shape(client, None, rate_kbps);
                self.pass(verdict);
            }
            (Scope::Internet, None) => {
                self.cut(verdict);
                self.pass(verdict);
            }
            (Scope::Streaming, Some(rate_kbps)) => {
                self.blocks.listed(client).for_each(|server| self.shape(client, Some(server), rate_kbps));
            }
            (Scope::Streaming, None) => {
                self.blocks.listed(client).for_each(|server| self.towards(Towards::Video, server, verdict));
            }
        }
    }

    fn cap(&mut self, verdict: &Verdict, index: usize) {
        let Some(plan) = self.settings.plans.get(index) else { return };
        let client = verdict.client;
        if plan.networks.is_empty() {
            match plan.action {
                PlanAction::Throttle => self.shape(client, None, plan.throttle_kbps),
                PlanAction::Block => self.cut(verdict),
            }
            return;
        }
        let inside = |server: &Addr| plan.networks.iter().any(|network| network.contains(server));
        for server in self.blocks.capped(client).filter(inside) {
            match plan.action {
                PlanAction::Throttle => self.shape(client, Some(server), plan.throttle_kbps),
                PlanAction::Block => self.towards(Towards::Capped, server, verdict),
            }
        }
    }

    fn cut(&mut self, verdict: &Verdict) {
        let set = match verdict.client {
            ClientId::Mac(_) => SetName::Cut,
            ClientId::Addr(addr) if addr.is_v4() => SetName::Cut4,
            ClientId::Addr(_) => SetName::Cut6,
        };
        self.put(set, Key::client(verdict.client), verdict);
    }

    /// Exempt services go on for a client whose Internet is cut, if it has a MAC.
    fn pass(&mut self, verdict: &Verdict) {
        let ClientId::Mac(mac) = verdict.client else { return };
        for (server, until) in self.blocks.passed(verdict.client) {
            let set = if server.is_v4() { SetName::Pass4 } else { SetName::Pass6 };
            let until = until.min(verdict.until);
            self.insert(Element { set, key: Key::EtherAddr(mac, server), until });
        }
    }

    fn towards(&mut self, what: Towards, server: Addr, verdict: &Verdict) {
        let key = Key::towards(verdict.client, server);
        let set = match (what, verdict.client, server.is_v4()) {
            (Towards::Video, ClientId::Mac(_), true) => SetName::Video4,
            (Towards::Video, ClientId::Mac(_), false) => SetName::Video6,
            (Towards::Capped, ClientId::Mac(_), true) => SetName::Capped4,
            (Towards::Capped, ClientId::Mac(_), false) => SetName::Capped6,
            (_, ClientId::Addr(_), true) => SetName::Peer4,
            (_, ClientId::Addr(_), false) => SetName::Peer6,
        };
        // A client that is an IPv4 address has no IPv6 traffic, nor the other way round.
        if key.fits(set.key_type()) {
            self.put(set, key, verdict);
        }
    }

    fn put(&mut self, set: SetName, key: Key, verdict: &Verdict) {
        self.insert(Element { set, key, until: verdict.until });
    }

    fn insert(&mut self, element: Element) {
        if element.until > self.ruleset.at && !self.ruleset.insert(element) {
            self.omitted += 1;
        }
    }

    /// The lowest of several rates holds.
    fn shape(&mut self, client: ClientId, server: Option<Addr>, rate_kbps: u32) {
        if self.shaping == Shaping::Absent {
            return;
        }
        let known = self.ruleset.shapes.contains_key(&Shaped { client, server });
        if !known && self.ruleset.shapes.len() >= MAX_SHAPES {
            self.omitted += 1;
            return;
        }
        let rate = self.ruleset.shapes.entry(Shaped { client, server }).or_insert(rate_kbps);
        *rate = rate_kbps.min(*rate);
    }
}
