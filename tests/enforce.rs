//! What is cut, for whom, and what never is: the desired firewall of households.
#![expect(
    clippy::disallowed_methods,
    reason = "golden files are read, and `nft -c` is asked when it is there"
)]

#[path = "support/household.rs"]
mod household;

use household::{Household, addr, flow};
use streamguard::quota::{Naming, Who};
use streamguard::ruleset::{Changes, diff};
use streamguard::time::Duration;
use streamguard::units::Bytes;

const UTC: &str = "UTC0";
const DAY: &str = "2026-11-20 16:00";
const NONE: [&str; 0] = [];

fn household(options: &str) -> Household {
    let uci = format!(
        "config streamguard 'main'\n\toption quota '1'\n\toption grace '0'\n{options}\n\
         config client\n\toption name 'Tablet'\n\tlist mac '02:00:00:00:00:01'\n\
         config client\n\toption name 'Mother'\n\tlist mac '02:00:00:00:00:03'\n\toption policy 'exempt'\n"
    );
    Household::new(&uci, UTC, DAY)
}

/// Watched until the quota of one minute is used up.
fn exhausted(options: &str) -> Household {
    let mut house = household(options);
    for _ in 0..6 {
        house.stream("Tablet", &[("198.51.100.1", 2_000, "YouTube"), ("198.51.100.9", 40, "")]);
    }
    house
}

/// Compares with a file in tests/golden; `STREAMGUARD_BLESS=1` writes it. `nft`, where usable, must accept it.
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.nft", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("STREAMGUARD_BLESS").is_ok() {
        std::fs::write(&path, text).expect("golden file");
    }
    assert_eq!(text, std::fs::read_to_string(&path).expect("golden file"), "{name}");
    let usable = std::process::Command::new("unshare").args(["-n", "nft", "list", "tables"]).output();
    if !usable.is_ok_and(|output| output.status.success()) {
        println!("skipped: `nft` needs root and nftables");
        return;
    }
    let check =
        std::process::Command::new("unshare").args(["-n", "nft", "-c", "-f", &path]).output().expect("nft");
    assert!(check.status.success(), "{name}: {}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn a_household_at_peace_has_chains_and_one_exemption() {
    golden("peace", &household("").ruleset().to_string());
}

#[test]
fn an_exhausted_device_is_cut_off_from_its_video_servers_until_the_reset() {
    let mut house =
        exhausted("\tlist exempt_address '192.0.2.0/24'\n\tlist exempt_address '2001:db8:1::/48'");
    house.stream("Tablet", &[("2001:db8::7", 900, "YouTube")]);
    golden("exhausted", &house.ruleset().to_string());
    house.idle_until("2026-11-21 04:00");
    assert_eq!(house.elements(), ["exempt 02:00:00:00:00:03 1440"]);
}

#[test]
fn drop_and_dns_redirect_have_their_own_rules() {
    let mut house = exhausted("\toption action 'drop'");
    house.place.dns_port = Some(5353);
    house.place.interfaces.push("br-guest".to_owned());
    golden("drop-dns", &house.ruleset().to_string());
}

#[test]
fn servers_are_listed_the_moment_the_quota_ends() {
    let house = exhausted("");
    assert_eq!(
        house.elements(),
        ["exempt 02:00:00:00:00:03 719", "video4 02:00:00:00:00:01 . 198.51.100.1 719"],
        "the server of 40 kB a window is not among them"
    );
}

#[test]
fn one_streaming_like_window_lists_a_new_server() {
    let mut house = exhausted("");
    house.stream("Tablet", &[("198.51.100.2", 100, ""), ("198.51.100.3", 99, "")]);
    let video: Vec<String> = house.elements().into_iter().filter(|line| line.starts_with("video")).collect();
    assert_eq!(
        video,
        ["video4 02:00:00:00:00:01 . 198.51.100.1 719", "video4 02:00:00:00:00:01 . 198.51.100.2 719"]
    );
}

#[test]
fn a_name_of_a_blocked_service_is_listed_before_its_first_segment() {
    let mut house = exhausted("");
    let ttl = Duration::from_secs(60);
    house.name_at("Tablet", "198.51.100.4", ("youtube", Naming::Answer { ttl }));
    house.name_at("Tablet", "198.51.100.5", ("YouTube", Naming::Claimed));
    house.name_at("Tablet", "198.51.100.6", ("wikipedia.org", Naming::Answer { ttl }));
    let listed: Vec<String> =
        house.blocks.listed(house.client("Tablet")).map(|addr| addr.to_string()).collect();
    assert_eq!(listed, ["198.51.100.1", "198.51.100.4", "198.51.100.5"]);
}

#[test]
fn the_router_resolvers_and_the_lan_are_never_listed() {
    let mut house = exhausted("\tlist exempt_address '192.0.2.0/24'");
    let never = ["203.0.113.1", "9.9.9.9", "192.168.1.30", "239.1.1.1", "192.0.2.7", "fd00::5", "fe80::1"];
    for server in never {
        house.stream("Tablet", &[(server, 5_000, "YouTube")]);
        house.name_at("Tablet", server, ("youtube", Naming::Claimed));
    }
    assert_eq!(house.blocks.listed(house.client("Tablet")).count(), 1);
}

#[test]
fn a_shared_address_is_not_listed_its_video_flow_is_killed_again_and_again() {
    let mut house = household("");
    house.name_at("Tablet", "198.51.100.1", ("mail.example", Naming::Proven));
    house.name_at("Tablet", "198.51.100.1", ("youtube", Naming::Proven));
    for _ in 0..6 {
        house.stream("Tablet", &[("198.51.100.1", 2_000, "YouTube")]);
    }
    assert_eq!(house.blocks.take_kills(), []);
    for _ in 0..2 {
        house.stream("Tablet", &[("198.51.100.1", 2_000, "YouTube")]);
        assert_eq!(house.blocks.take_kills(), [flow("198.51.100.1")]);
    }
    assert_eq!(house.elements(), ["exempt 02:00:00:00:00:03 719"]);
    house.idle(10).stream("Tablet", &[("198.51.100.1", 2_000, "YouTube")]);
    assert!(house.elements().iter().any(|line| line.contains("198.51.100.1")), "ten minutes later it is");
}

#[test]
fn a_false_name_in_a_handshake_is_no_way_out() {
    let mut house = exhausted("\tlist exempt_service 'khanacademy.org'");
    house.name_at("Tablet", "198.51.100.2", ("wikipedia.org", Naming::Claimed));
    house.name_at("Tablet", "198.51.100.2", ("www.khanacademy.org", Naming::Claimed));
    house.stream("Tablet", &[("198.51.100.2", 900, "www.khanacademy.org")]);
    assert!(house.elements().iter().any(|line| line.contains("198.51.100.2")));
}

#[test]
fn an_exempt_service_passes_where_a_resolver_gave_it_for_as_long() {
    let mut house = exhausted("\tlist exempt_service 'khanacademy.org'");
    let answer = Naming::Answer { ttl: Duration::from_secs(300) };
    house.name_at("Tablet", "198.51.100.2", ("www.khanacademy.org", answer));
    house.stream("Tablet", &[("198.51.100.2", 900, "www.khanacademy.org")]);
    assert!(!house.elements().iter().any(|line| line.contains("198.51.100.2")));
    assert_eq!(house.blocks.take_kills(), []);
    // Another service's video from the same front end: the address stays free, the flow does not.
    house.stream("Tablet", &[("198.51.100.2", 900, "YouTube")]);
    assert!(!house.elements().iter().any(|line| line.contains("198.51.100.2")));
    assert_eq!(house.blocks.take_kills(), [flow("198.51.100.2")]);
    house.idle(6).stream("Tablet", &[("198.51.100.2", 900, "www.khanacademy.org")]);
    assert!(house.elements().iter().any(|line| line.contains("198.51.100.2")), "the answer has expired");
}

#[test]
fn lessons_do_not_count_unless_they_only_claim_to_be_lessons() {
    let mut house =
        household("\tlist exempt_service 'khanacademy.org'\n\tlist exempt_address '192.0.2.0/24'");
    let answer = Naming::Answer { ttl: Duration::from_secs(3_600) };
    house.name_at("Tablet", "198.51.100.2", ("khanacademy.org", answer));
    for _ in 0..12 {
        house.stream("Tablet", &[("198.51.100.2", 2_000, "khanacademy.org"), ("198.51.100.9", 200, "")]);
        house.stream("Tablet", &[("192.0.2.5", 2_000, "")]);
    }
    let tablet = house.client("Tablet");
    assert_eq!(house.ledger.usage(tablet).used_s, 0);
    house.stream("Tablet", &[("198.51.100.3", 2_000, "khanacademy.org")]);
    assert_eq!(house.ledger.usage(tablet).used_s, 10, "no resolver gave that address");
    house.stream("Tablet", &[("198.51.100.2", 2_000, "YouTube")]);
    assert_eq!(house.ledger.usage(tablet).used_s, 20, "another service at the lesson's address");
}

#[test]
fn scope_internet_cuts_the_device_but_passes_exempt_services() {
    let mut house = exhausted("\toption scope 'internet'\n\tlist exempt_service 'khanacademy.org'");
    let answer = Naming::Answer { ttl: Duration::from_secs(300) };
    house.name_at("Tablet", "198.51.100.2", ("khanacademy.org", answer));
    assert_eq!(
        house.elements(),
        [
            "exempt 02:00:00:00:00:03 719",
            "pass4 02:00:00:00:00:01 . 198.51.100.2 5",
            "cut 02:00:00:00:00:01 719",
        ]
    );
    let who = Who::Client(house.client("Tablet"));
    house.act(|ledger, at| ledger.pause(&who, Some(5), at).unwrap());
    assert_eq!(
        house.elements(),
        ["exempt 02:00:00:00:00:03 719", "cut 02:00:00:00:00:01 5"],
        "a pause passes nothing"
    );
}

#[test]
fn throttling_shapes_instead_of_cutting() {
    let house = exhausted("\toption action 'throttle'\n\toption throttle '512'");
    assert_eq!(
        house.elements(),
        ["exempt 02:00:00:00:00:03 719", "shape 02:00:00:00:00:01 . 198.51.100.1 512"]
    );
}

#[test]
fn a_client_without_a_mac_is_cut_by_address() {
    let uci = "config streamguard 'main'\n\toption quota '1'\n\toption grace '0'\n";
    let mut house = Household::new(uci, UTC, DAY);
    for _ in 0..6 {
        house.stream("10.9.0.2", &[("198.51.100.1", 2_000, ""), ("2001:db8::1", 2_000, "")]);
    }
    assert_eq!(house.elements(), ["peer4 10.9.0.2 . 198.51.100.1 719"]);
    let who = Who::Client(house.client("10.9.0.2"));
    house.act(|ledger, at| ledger.pause(&who, Some(5), at).unwrap());
    assert_eq!(house.elements(), ["cut4 10.9.0.2 5"]);
}

#[test]
fn a_used_up_plan_cuts_its_network_only() {
    let mut house = household(
        "config plan 'tube'\n\toption who 'Tablet'\n\tlist network '198.51.0.0/16'\n\toption limit '1M'\n\
         \toption action 'block'\n\toption period 'day'",
    );
    let client = house.client("Tablet");
    for (server, bytes) in [("198.51.100.1", 1_000_000), ("192.0.2.1", 9_000_000), ("198.51.100.2", 10)] {
        house.ledger.meter(client, &addr(server), Bytes(bytes));
        house.idle(1);
        let at = house.now().mono;
        house.blocks.peer(client, at, addr(server), &house.ledger);
    }
    assert_eq!(
        house.elements(),
        [
            "exempt 02:00:00:00:00:03 717",
            "capped4 02:00:00:00:00:01 . 198.51.100.1 717",
            "capped4 02:00:00:00:00:01 . 198.51.100.2 717",
        ]
    );
}

#[test]
fn a_grant_releases_and_the_next_end_of_the_quota_lists_at_once() {
    let mut house = exhausted("");
    let who = Who::Client(house.client("Tablet"));
    house.act(|ledger, at| ledger.grant(&who, 1, at).unwrap());
    assert_eq!(house.elements(), ["exempt 02:00:00:00:00:03 719"]);
    for _ in 0..6 {
        house.stream("Tablet", &[("198.51.100.2", 2_000, "")]);
    }
    let video: Vec<String> = house.elements().into_iter().filter(|line| line.starts_with("video")).collect();
    assert_eq!(
        video,
        ["video4 02:00:00:00:00:01 . 198.51.100.1 718", "video4 02:00:00:00:00:01 . 198.51.100.2 718"]
    );
}

#[test]
fn a_restart_releases_nobody() {
    let mut house = exhausted("");
    let before = house.ruleset();
    house.reboot(0).find_clock();
    let after = house.ruleset();
    let keys = |ruleset: &streamguard::ruleset::Ruleset| {
        ruleset.elements().map(|e| (e.set, e.key)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&before), keys(&after));
}

#[test]
fn a_quiet_hour_changes_nothing_in_the_kernel() {
    let mut house = exhausted("");
    let acknowledged = house.ruleset();
    house.idle(60);
    assert_eq!(diff(&house.ruleset(), Some(&acknowledged)), Changes::None);
}

#[test]
fn nothing_is_cut_without_a_reason() {
    let mut house = household("");
    house.stream("Tablet", &[("198.51.100.1", 2_000, "YouTube")]);
    house.stream("Mother", &[("198.51.100.1", 2_000, "YouTube")]);
    for _ in 0..60 {
        house.stream("Mother", &[("198.51.100.1", 2_000, "YouTube")]);
    }
    assert_eq!(house.elements(), ["exempt 02:00:00:00:00:03 710"]);
    assert_ne!(house.elements(), NONE);
}
