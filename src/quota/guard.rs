//! What is never blocked, whatever carried video: the router, resolvers, the LAN, multicast, exempt addresses.

use super::Settings;
use crate::net::{Addr, ClientId, Prefix};

/// Most addresses and prefixes kept of each kind; the shell knows of a handful.
const MAX_EACH: usize = 256;

/// Addresses that never become elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Addresses of the router itself, on all its interfaces, and of resolvers.
    hosts: Vec<Addr>,
    /// Networks of the LAN, and exempt ones.
    networks: Vec<Prefix>,
}

impl Guard {
    /// From the addresses of the router and its resolvers, and the networks of the LAN.
    pub fn new(hosts: &[Addr], lans: &[Prefix]) -> Self {
        let hosts = hosts.iter().take(MAX_EACH).copied().collect();
        Self { hosts, networks: lans.iter().take(MAX_EACH).copied().collect() }
    }

    /// Whether it is an address of the router itself or of a resolver.
    pub fn is_own(&self, addr: &Addr) -> bool {
        self.hosts.contains(addr)
    }

    /// Whether traffic with this address may be cut at all.
    pub fn may_block(&self, addr: &Addr, settings: &Settings) -> bool {
        let exempt = settings.exempt_addresses.iter().chain(&self.networks);
        !addr.is_special()
            && !addr.is_link_local()
            && !self.hosts.contains(addr)
            && !exempt.into_iter().any(|network| network.contains(addr))
    }
}

impl Settings {
    /// Whether a service is exempt for a client: by its own name or as part of an exempt domain.
    pub fn exempts(&self, client: ClientId, service: &str) -> bool {
        let profile = self.profile_of(client);
        let own = profile.map_or(&[][..], |profile| &profile.exempt_services);
        self.exempt_services.iter().chain(own).any(|exempt| belongs_to(service, exempt))
    }
}

/// Whether `service` is `domain` or lies below it, without regard to case.
fn belongs_to(service: &str, domain: &str) -> bool {
    let (service, domain) = (service.as_bytes(), domain.as_bytes());
    let Some(start) = service.len().checked_sub(domain.len()) else { return false };
    service[start..].eq_ignore_ascii_case(domain) && (start == 0 || service[start - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemption_follows_labels_not_letters() {
        for (service, domain, belongs) in [
            ("khanacademy.org", "khanacademy.org", true),
            ("www.KhanAcademy.org", "khanacademy.org", true),
            ("notkhanacademy.org", "khanacademy.org", false),
            ("org", "khanacademy.org", false),
            ("YouTube", "youtube", true),
        ] {
            assert_eq!(belongs_to(service, domain), belongs, "{service} {domain}");
        }
    }

    #[test]
    fn the_router_resolvers_lan_multicast_and_exempt_addresses_are_never_blocked() {
        let addr = |text: &str| -> Addr { text.parse::<std::net::IpAddr>().unwrap().into() };
        let guard = Guard::new(&[addr("203.0.113.1"), addr("9.9.9.9")], &["192.168.1.0/24".parse().unwrap()]);
        let exempt_addresses = vec!["198.51.100.0/24".parse().unwrap()];
        let settings = Settings { exempt_addresses, ..Settings::default() };
        let never = [
            "203.0.113.1",
            "9.9.9.9",
            "192.168.1.7",
            "239.1.2.3",
            "ff02::1",
            "fe80::1",
            "198.51.100.9",
            "127.0.0.1",
        ];
        for text in never {
            assert!(!guard.may_block(&addr(text), &settings), "{text}");
        }
        for text in ["203.0.113.2", "10.0.0.1", "2001:db8::1"] {
            assert!(guard.may_block(&addr(text), &settings), "{text}");
        }
    }
}
