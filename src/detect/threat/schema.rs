//! Names, units and order of what is counted of one initiator: what the threat forest is trained on.
//!
//! Windows are in the names: `_5s`, `_30s`, `_180s` end with the slice that ends. Numbers without one are states
//! (`open_now`) or last longer (`silent_ports_hour`). No address, no port number, no time of day.

use crate::features::{Feature, feature, hash_of, text_of};

/// How many numbers each part of [`super::row`] writes, in order.
pub(super) const PORTS: usize = 9;
pub(super) const HOSTS: usize = 7;
pub(super) const VICTIM: usize = 10;
pub(super) const SERVICES: usize = 14;
pub(super) const QUESTIONS: usize = 6;
pub(super) const REST: usize = 6;

/// Number of features.
pub const N_THREAT_FEATURES: usize = PORTS + HOSTS + VICTIM + SERVICES + QUESTIONS + REST;

/// One initiator at the end of a slice.
pub type ThreatRow = [i32; N_THREAT_FEATURES];

/// Every feature, in the order of a [`ThreatRow`].
pub const THREAT_FEATURES: [Feature; N_THREAT_FEATURES] = [
    // Ports of one destination: of the one where most were tried.
    feature("ports_30s", "ports"),
    feature("ports_failed_30s", "%"),
    feature("ports_180s", "ports"),
    feature("ports_failed_180s", "%"),
    feature("silent_ports_hour", "ports"),
    feature("odd_flags_30s", "packets"),
    feature("tries_30s", "tries"),
    feature("tries_180s", "tries"),
    feature("destinations_30s", "hosts"),
    // Hosts for one question: for the one that most were asked.
    feature("hosts_30s", "hosts"),
    feature("hosts_failed_30s", "%"),
    feature("hosts_180s", "hosts"),
    feature("inside_hosts_30s", "hosts"),
    feature("arp_hosts_30s", "hosts"),
    feature("echo_hosts_30s", "hosts"),
    feature("ports_asked_30s", "ports"),
    // The destination that it is behind most of.
    feature("victim_syns_5s", "packets"),
    feature("victim_completed_5s", "%"),
    feature("victim_datagrams_5s", "packets"),
    feature("victim_answered_5s", "%"),
    feature("victim_echoes_5s", "packets"),
    feature("victim_reflected_5s", "packets"),
    feature("victim_requests_5s", "requests"),
    feature("victim_replies_5s", "%"),
    feature("victim_sources_5s", "sources"),
    feature("victim_neighbours_5s", "devices"),
    // Services it uses, all together where nothing else is said.
    feature("opened_30s", "connections"),
    feature("opened_180s", "connections"),
    feature("small_180s", "%"),
    feature("guesses_180s", "tries"),
    feature("losers_180s", "connections"),
    feature("guesses_since_success", "tries"),
    feature("refused_logins_180s", "replies"),
    feature("small_logins_180s", "connections"),
    feature("refused_web_30s", "replies"),
    feature("requests_30s", "requests"),
    feature("posts_30s", "requests"),
    feature("replies_30s", "%"),
    feature("servers_180s", "services"),
    feature("open_now", "connections"),
    // Names below one domain: the one with most of them.
    feature("names_30s", "names"),
    feature("questions_30s", "questions"),
    feature("name_mean_30s", "B"),
    feature("carriers_30s", "%"),
    feature("rich_names_30s", "%"),
    feature("dns_bytes_30s", "B"),
    // Echoes, beats and visits.
    feature("echo_requests_180s", "packets"),
    feature("odd_echoes_180s", "packets"),
    feature("echo_bytes_180s", "B"),
    feature("beats", "connections"),
    feature("even_beats", "beats"),
    feature("visited_hour", "yes"),
];

/// The schema as text, as [`crate::features::schema_text`].
pub fn threat_schema_text() -> String {
    text_of(&THREAT_FEATURES)
}

/// Its hash, which an artefact must carry.
pub fn threat_schema_hash() -> u64 {
    hash_of(&THREAT_FEATURES)
}
