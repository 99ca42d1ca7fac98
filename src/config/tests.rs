//! What a household writes, and what it gets.

use super::*;
use crate::quota::{Budget, Policy};

fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// The schema of docs/design.md §6.3, with its defaults written out.
const COMPLETE: &str = "
config streamguard 'main'
	option enabled '1'
	option mode 'enforce'
	option quota '30'
	option reset_time '04:00'
	option warn '5'
	option grace '2'
	option scope 'streaming'
	option action 'reject'
	option throttle '256'
	option sensitivity 'normal'
	option learn_days '0'
	list interface 'lan'
	list exempt_service ''
	list exempt_address ''
	option default_profile ''
	option unknown_shared '1'
	option model ''
	option on_stop 'release'
	option state_dir '/etc/streamguard'
	option commit_interval '15m'
	option db_max '1M'
	option history_days '90'
	option names '1'
	option log_level 'notice'
config detect 'detect'
	option enabled '1'
	option block ''
	list exempt ''
	option port_scan '1'
	option port_scan_threshold ''
config dns 'dns'
	option blackhole 'off'
config capture 'capture'
	option snaplen '128'
	option ring '2M'
	option packets '2M'
	option dir '/tmp/streamguard'
	option offload 'auto'
config notify 'notify'
	option webhook ''
	option hooks '/etc/streamguard/hooks.d'
config web 'web'
	option enabled '0'
	option listen '127.0.0.1:8990'
	option token_hash ''
	option child_page '0'
	option child_listen ''
config uplink 'uplink'
	option enabled '0'
	option url ''
	option token ''
	option spool '1M'
config ipfix 'ipfix'
	option enabled '0'
	option collector ''
	option transport 'udp'
";

#[test]
fn the_documented_defaults_are_the_defaults() {
    let (config, findings) = Config::load(COMPLETE, None);
    assert_eq!(shown(&findings), [""; 0]);
    assert_eq!(config, Config::default());
    assert_eq!(Config::load("", None), (Config::default(), Vec::new()));
}

#[test]
fn a_family_is_read_as_written() {
    let text = "
config profile 'kids'
	option name 'Kids'
	option quota '45'
	list quota_day 'sat 60'
	list quota_day 'sun 60'
	list allow 'mon-fri 15:00-20:00'
	list allow 'fri,sat 20:00-00:30'
	option shared '1'
	list exempt_service 'khanacademy.org'
config client
	option name 'Tablet'
	list mac 'AA:BB:CC:DD:EE:FF'
	option profile 'kids'
config client 'nas'
	list address '192.168.1.5'
	option policy 'exempt'
config plan 'guest'
	option who 'kids'
	list network '142.250.0.0/15'
	option period 'month'
	option reset_day '1'
	option limit '50G'
	option action 'throttle'
	option throttle '1024'
";
    let (config, findings) = Config::load(text, None);
    assert_eq!(shown(&findings), [""; 0]);
    let kids = &config.quota.profiles[0];
    assert_eq!((kids.name.as_str(), kids.quota_min, kids.budget), ("Kids", Some(45), Budget::Shared));
    assert_eq!(kids.allow[1].to_string(), "fri,sat 20:00-00:30");
    let tablet = config.quota.device("aa:bb:cc:dd:ee:ff".parse().unwrap()).unwrap();
    assert_eq!((tablet.name.as_str(), tablet.profile.as_deref()), ("Tablet", Some("kids")));
    let nas = config.quota.device("192.168.1.5".parse().unwrap()).unwrap();
    assert_eq!((nas.name.as_str(), nas.policy), ("nas", Policy::Exempt));
    assert_eq!(config.quota.plans[0].limit, Bytes(50_000_000_000));
}

#[test]
fn every_bad_option_is_reported_at_once_and_the_others_apply() {
    let text = "config streamguard 'main'
	option quota '9999'
	option warn '-1'
	option reset_time '24:00'
	option colour 'red'
	option grace '3'
	list action 'reject'
	list action 'drop'
config profil 'kids'
config client
	list mac 'ff:ff:ff:ff:ff:ff'
	list mac '02:00:00:00:00:01'
	option profile 'nobody'
config client
	option policy 'deny'
config client 'twin'
	list mac '02:00:00:00:00:01'
config plan 'p'
	option who 'stranger'
	option period 'week'
	option reset_day '9'
";
    let (config, findings) = Config::load(text, None);
    assert_eq!(
        shown(&findings),
        [
            "line 2: main: quota '9999': not a whole number from 0 to 1440 (default in force)",
            "line 3: main: warn '-1': not a whole number from 0 to 1440 (default in force)",
            "line 4: main: reset_time '24:00': not a time of day before 24:00 (04:00) (default in force)",
            "line 5: main: colour: unknown option (ignored)",
            "line 8: main: action 'reject drop': a list where one value belongs (default in force)",
            "line 9: profil 'kids': unknown section (ignored)",
            "line 12: client 'ff:ff:ff:ff:ff:ff': mac 'ff:ff:ff:ff:ff:ff': not a device's MAC address \
             (aa:bb:cc:dd:ee:ff) (default in force)",
            "line 14: client: section without a name or address (ignored)",
            "line 13: client 'ff:ff:ff:ff:ff:ff': profile 'nobody': no such profile (default in force)",
            "line 17: client 'twin': mac '02:00:00:00:00:01': already belongs to \"ff:ff:ff:ff:ff:ff\" (ignored)",
            "line 21: plan 'p': reset_day '9': not a whole number from 1 to 7 (default in force)",
            "line 19: plan 'p': who 'stranger': no such profile, client or address (ignored)",
        ]
    );
    assert_eq!(config.quota.grace_min, 3);
    assert_eq!(config.quota.quota_min, 30);
}

#[test]
fn what_would_be_ignored_in_silence_is_reported() {
    let text = "config streamguard 'main'
	list interface ''
config client 'ghost'
	option policy 'deny'
config client 'phone'
	list address '10.7.0.5'
config client 'other'
	list address '10.7.0.5'
config uplink 'uplink'
	option enabled '1'
config ipfix 'ipfix'
	option enabled '1'
	option collector 'collector.lan:4739'
config web 'web'
	option child_page '1'
config capture 'capture'
	option packets '0'
";
    let (config, findings) = Config::load(text, None);
    assert_eq!(
        shown(&findings),
        [
            "line 13: ipfix: collector 'collector.lan:4739': not an address and port (192.0.2.10:4739, \
             [fd00::5]:4739); names are not asked for (default in force)",
            "line 2: main: interface '': missing: nothing would be watched (default in force)",
            "line 9: uplink: url '': missing: it is switched on and needs this (ignored)",
            "line 13: ipfix: collector '': missing: it is switched on and needs this (ignored)",
            "line 14: web: child_listen '': missing: it is switched on and needs this (ignored)",
            "line 3: client 'ghost': mac '': missing: it is no device without one (ignored)",
            "line 8: client 'other': address '10.7.0.5': already belongs to \"phone\" (ignored)",
        ]
    );
    assert_eq!(config.main.interfaces, ["lan"]);
    assert_eq!(config.capture.packets, Bytes(0));
}

#[test]
fn a_bad_value_keeps_the_last_good_one() {
    let good = "config streamguard 'main'\n option quota '45'\n list exempt_address '10.0.0.0/8'\n\
                config profile 'kids'\n list allow '15:00-20:00'\n option quota '20'\n\
                config client\n option name 'TV'\n list mac '02:00:00:00:00:01'\n option policy 'deny'\n\
                config detect 'detect'\n option syn_flood_threshold '500'\n option syn_flood '0'\n";
    let (first, findings) = Config::load(good, None);
    assert_eq!(shown(&findings), [""; 0]);
    let bad = good
        .replace("'45'", "'forty'")
        .replace("10.0.0.0/8", "10.0.0.0/88")
        .replace("15:00-20:00", "15:00-2000")
        .replace("'deny'", "'denied'")
        .replace("'500'", "'lots'")
        .replace("'20'", "'25'");
    let (second, findings) = Config::load(&bad, Some(&first));
    assert_eq!(findings.len(), 5);
    assert!(findings.iter().all(|finding| finding.effect == Effect::LastGood));
    let mut expected = first.clone();
    expected.quota.profiles[0].quota_min = Some(25);
    assert_eq!(second, expected);
    // An option that is gone from the text is back at its default, not at its last value.
    let (third, _) = Config::load("", Some(&second));
    assert_eq!(third, Config::default());
}

#[test]
fn two_devices_of_one_name_do_not_borrow_each_others_values() {
    let text = "config client\n option name 'TV'\n option policy 'deny'\n\
                config client\n option name 'TV'\n option policy 'exemptt'\n";
    let (first, _) = Config::load(text, None);
    let (second, _) = Config::load(text, Some(&first));
    assert_eq!(second.quota.devices[1].policy, Policy::Quota);
    assert_eq!(second, first);
}

#[test]
fn findings_are_one_safe_line_each() {
    let (_, findings) = Config::load("config streamguard 'main'\n option quota '\u{1b}[2J\n<b>'\n", None);
    assert_eq!(
        shown(&findings),
        ["line 2: main: quota '\\u{1b}[2J\\n<b>': not a whole number from 0 to 1440 (default in force)"]
    );
}

#[test]
fn findings_are_bounded_and_say_how_many_more() {
    let text = format!("config streamguard 'main'\n{}", "option a.b 1\nconfig x\n".repeat(3_000));
    let (config, findings) = Config::load(&text, None);
    assert_eq!(config, Config::default());
    assert_eq!(findings.len(), MAX_FINDINGS + 1);
}

#[test]
fn any_bytes_are_some_configuration() {
    let mut seed = 1_u64;
    let words =
        ["config ", "option ", "list ", "'", "\"", "\\", "\n", ";", "#", "quota ", "mac ", "30", "é", "\0"];
    for _ in 0..2_000 {
        let mut text = String::new();
        for _ in 0..40 {
            seed = crate::net::mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
            text.push_str(words[(seed % words.len() as u64) as usize]);
        }
        let (config, _) = Config::load(&text, None);
        let _ = Config::load(&text, Some(&config));
    }
}

#[test]
fn the_list_of_detectors_is_that_of_the_alerts() {
    assert_eq!(super::DETECTORS, crate::detect::Kind::ALL.map(crate::detect::Kind::name));
    assert_eq!(super::Detect::default().settings(), Some(crate::detect::Settings::default()));
}
