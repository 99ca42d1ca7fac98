//! Claims about a real kernel, in a network namespace of our own; skipped, saying so, where that cannot be.

use super::*;
use crate::net::{Addr, MacAddr};
use crate::os::testing::{own_network, run};
use crate::ruleset::{Chain, ChainName, DnsProto, Rule};

const NOW: Moment = Moment::from_secs(1_000);
const HOUR: Moment = Moment::from_secs(1_000 + 3_600);

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0x5e, 0, 0x53, last])
}

fn v4(last: u8) -> Addr {
    Addr::from_v4([198, 51, 100, last])
}

fn v6(last: u8) -> Addr {
    Addr::from_v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

/// Every set, and every shape a rule can have.
fn household() -> Ruleset {
    let mut ruleset = Ruleset { at: NOW, ..Ruleset::default() };
    let lookups = SetName::ALL.into_iter().filter(|set| !set.as_str().starts_with("dns"));
    let mut judge = vec![
        Rule::ToLan { interface: "br-lan".into() },
        Rule::ToExempt { prefix: "203.0.113.128/25".parse().unwrap() },
        Rule::ToExempt { prefix: "2001:db8:7::/48".parse().unwrap() },
    ];
    judge.extend(lookups.map(|set| match set.as_str() {
        "exempt" | "pass4" | "pass6" => Rule::Passed { set },
        _ => Rule::Blocked { set },
    }));
    let dns = [(SetName::Dns, DnsProto::Udp), (SetName::Dns4, DnsProto::Tcp), (SetName::Dns6, DnsProto::Udp)]
        .map(|(set, proto)| Rule::RedirectDns { set, proto, port: 5353 });
    ruleset.chains = vec![
        Chain { name: ChainName::Block, rules: vec![Rule::TcpReset, Rule::AdminProhibited, Rule::Drop] },
        Chain { name: ChainName::Judge, rules: judge },
        Chain { name: ChainName::Forward, rules: vec![Rule::FromLan { interface: "br-lan".into() }] },
        Chain { name: ChainName::Dns, rules: dns.to_vec() },
    ];
    ruleset.sets = SetName::ALL.into_iter().map(|set| (set, BTreeMap::new())).collect();
    let keys = [
        (SetName::Exempt, Key::Ether(mac(9))),
        (SetName::Cut4, Key::Addr(v4(201))),
        (SetName::Cut6, Key::Addr(v6(201))),
        (SetName::Video4, Key::EtherAddr(mac(1), v4(7))),
        (SetName::Video6, Key::EtherAddr(mac(1), v6(7))),
        (SetName::Peer4, Key::Pair(v4(200), v4(7))),
        (SetName::Peer6, Key::Pair(v6(200), v6(7))),
    ];
    for (set, key) in keys {
        assert!(ruleset.insert(Element { set, key, until: HOUR }));
    }
    ruleset
}

fn keys(sets: &BTreeMap<SetName, BTreeMap<Key, Moment>>) -> Vec<(SetName, Key)> {
    sets.iter().flat_map(|(set, held)| held.keys().map(|key| (*set, *key))).collect()
}

/// What nft(8) says about our table, without remaining times and counters, elements one to a line.
fn listed() -> String {
    let text = run("nft list table inet streamguard");
    let mut shown = String::new();
    for line in text.lines() {
        let line = match line.split_once(" counter packets") {
            Some((before, _)) => format!("{before} timeout 1h }}"),
            None => line.to_owned(),
        };
        shown.push_str(&line);
        shown.push('\n');
    }
    shown
}

#[test]
fn nft_lists_the_table_as_the_ruleset_prints_it() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    let applied = firewall.apply(&household()).unwrap();
    assert_eq!(applied.rebuilt, Rebuilt::Yes);
    assert_eq!(keys(&applied.contents.sets), keys(&household().sets));
    assert_eq!(listed(), household().to_string());
}

#[test]
fn a_second_apply_of_the_same_ruleset_changes_nothing() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    firewall.apply(&household()).unwrap();
    let before = run("nft -n -s -a list ruleset").lines().count();
    let applied = firewall.apply(&household()).unwrap();
    assert_eq!((applied.rebuilt, applied.added.len(), applied.deleted), (Rebuilt::No, 0, 0));
    assert_eq!(run("nft -n -s -a list ruleset").lines().count(), before);
}

#[test]
fn elements_come_go_and_change_their_time_without_a_rebuild() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    let mut ruleset = household();
    firewall.apply(&ruleset).unwrap();
    let video = Key::EtherAddr(mac(1), v4(7));
    let day = NOW + Duration::from_secs(86_400);
    for key in [video, Key::EtherAddr(mac(1), v4(8))] {
        assert!(ruleset.insert(Element { set: SetName::Video4, key, until: day }));
    }
    ruleset.sets.get_mut(&SetName::Peer4).unwrap().clear();
    let applied = firewall.apply(&ruleset).unwrap();
    assert_eq!((applied.rebuilt, applied.added.len(), applied.deleted), (Rebuilt::No, 2, 2));
    let end = applied.contents.sets[&SetName::Video4][&video];
    assert!(end > NOW + Duration::from_secs(86_000), "the longer time holds, on old kernels too: {end:?}");
    assert_eq!(keys(&applied.contents.sets), keys(&ruleset.sets));
}

#[test]
fn what_others_remove_is_noticed_and_put_back_and_what_they_add_is_removed() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    let mut monitor = Monitor::open().unwrap();
    firewall.apply(&household()).unwrap();
    assert_eq!(monitor.poll(firewall.port()), [], "our own changes are no news");
    for damage in [
        "nft flush ruleset",
        "nft delete table inet streamguard",
        "nft flush chain inet streamguard judge",
        "nft flush set inet streamguard video4",
        "nft add element inet streamguard cut { 02:00:5e:00:53:99 }",
        "nft insert rule inet streamguard forward accept",
    ] {
        run(damage);
        assert_eq!(monitor.poll(firewall.port()), [Event::OurTable], "{damage}");
        firewall.apply(&household()).unwrap();
        assert_eq!(listed(), household().to_string(), "{damage}");
        assert_eq!(monitor.poll(firewall.port()), []);
    }
    run("nft add table inet fw4");
    run("nft delete table inet fw4");
    assert_eq!(monitor.poll(firewall.port()), [], "other tables are none of our business");
}

#[test]
fn a_refused_ruleset_leaves_the_kernel_as_it_was() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    firewall.apply(&household()).unwrap();
    let mut broken = household();
    broken.chains.retain(|chain| chain.name != ChainName::Block);
    let refused = firewall.apply(&broken).unwrap_err().to_string();
    assert!(refused.contains("jump block"), "{refused}");
    assert_eq!(listed(), household().to_string());
    assert_eq!(firewall.apply(&household()).unwrap().rebuilt, Rebuilt::No);
}

#[test]
fn the_table_can_go_and_others_stay() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    firewall.remove().unwrap();
    firewall.apply(&household()).unwrap();
    run("nft add table inet fw4");
    firewall.remove().unwrap();
    firewall.remove().unwrap();
    assert_eq!(run("nft list tables").trim(), "table inet fw4");
}

#[test]
fn thousands_of_elements_fit_one_transaction() {
    let Some(()) = own_network("nft", &["nft"]) else { return };
    let mut firewall = Firewall::open().unwrap();
    let mut ruleset = household();
    for n in 0..8_000u16 {
        let [high, low] = n.to_be_bytes();
        let key = Key::EtherAddr(MacAddr([2, 0, 0, 0, high, low]), v6(low));
        assert!(ruleset.insert(Element { set: SetName::Video6, key, until: HOUR }));
    }
    let applied = firewall.apply(&ruleset).unwrap();
    assert_eq!(keys(&applied.contents.sets).len(), keys(&ruleset.sets).len());
    let applied = firewall.apply(&household()).unwrap();
    assert_eq!((applied.rebuilt, applied.deleted), (Rebuilt::No, 8_000));
}
