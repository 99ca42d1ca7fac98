//! Scenarios of households with quotas: days, clocks, grants, profiles, restarts.

#[path = "support/household.rs"]
mod household;

use household::Household;
use streamguard::net::{ClientId, MacAddr};
use streamguard::quota::{MAX_CLIENTS, Recovery, Refused, Standing, State, StateError, Who};
use streamguard::units::Bytes;

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

const ONE_TABLET: &str = "
config streamguard 'main'
	option quota '30'
config client
	option name 'Tablet'
	list mac '02:00:00:00:00:01'
";

fn tablet(at: &str) -> Household {
    Household::new(ONE_TABLET, BERLIN, at)
}

#[test]
fn exhausted_quota_blocks_until_reset_time() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).idle_until("2026-11-21 04:00");
    assert_eq!(
        house.log(),
        [
            "2026-11-20 16:25 Tablet: warned",
            "2026-11-20 16:30 Tablet: grace",
            "2026-11-20 16:32 Tablet: blocked exhausted",
            "2026-11-21 04:00 all: day_began",
            "2026-11-21 04:00 Tablet: released within",
        ]
    );
    assert_eq!(house.state(), "2026-11-21\nTablet 0:00/30:00 within\n");
}

#[test]
fn the_night_before_the_reset_belongs_to_the_day_before() {
    let mut house = tablet("2026-11-20 23:50");
    house.watch(&["Tablet"], 20);
    assert_eq!(house.state(), "2026-11-20\nTablet 20:00/30:00 within\n");
    house.idle_until("2026-11-21 03:59");
    assert_eq!(house.state(), "2026-11-20\nTablet 20:00/30:00 within\n");
}

#[test]
fn credited_windows_belong_to_the_day_they_lie_in() {
    let mut house = tablet("2026-11-21 03:59:50");
    house.watch(&["Tablet"], 1);
    let client = house.client("Tablet");
    // 10 s lie before the reset, 50 s after it. Now three windows are credited back over the reset.
    let start = house.now().mono - streamguard::time::Duration::from_secs(80);
    house.ledger.accrue(client, start, 30);
    assert_eq!(house.ledger.usage(client).used_s, 50);
    assert_eq!(house.ledger.used_before_s(client), 30);
}

#[test]
fn grant_raises_quota_and_clears_exhaustion() {
    let mut house = tablet("2026-11-20 16:00");
    let who = house.who("Tablet");
    house.watch(&["Tablet"], 40).act(|ledger, at| ledger.grant(&who, 15, at).unwrap());
    assert_eq!(house.state(), "2026-11-20\nTablet 40:00/45:00 warned\n");
    house.watch(&["Tablet"], 7);
    assert_eq!(house.state(), "2026-11-20\nTablet 47:00/45:00 exhausted\n");
    house.act(|ledger, at| ledger.revoke(&who, at).unwrap()).idle_until("2026-11-21 04:00");
    assert_eq!(house.state(), "2026-11-21\nTablet 0:00/30:00 within\n");
}

#[test]
fn a_grant_lasts_for_its_day_only() {
    let mut house = tablet("2026-11-20 16:00");
    let who = house.who("Tablet");
    house.act(|ledger, at| ledger.grant(&who, 60, at).unwrap()).idle_until("2026-11-21 04:00");
    assert_eq!(house.state(), "2026-11-21\nTablet 0:00/30:00 within\n");
}

#[test]
fn pause_cuts_at_once_and_ends_by_itself() {
    let mut house = tablet("2026-11-20 16:00");
    let who = house.who("Tablet");
    house.act(|ledger, at| ledger.pause(&who, Some(10), at).unwrap()).idle(11);
    house.act(|ledger, at| ledger.pause(&who, None, at).unwrap()).idle_until("2026-11-21 04:00");
    assert_eq!(
        house.log(),
        [
            "2026-11-20 16:00 Tablet: paused",
            "2026-11-20 16:00 Tablet: blocked paused",
            "2026-11-20 16:10 Tablet: resumed",
            "2026-11-20 16:10 Tablet: released within",
            "2026-11-20 16:11 Tablet: paused",
            "2026-11-20 16:11 Tablet: blocked paused",
            "2026-11-21 04:00 all: day_began",
            "2026-11-21 04:00 Tablet: released within",
        ]
    );
}

const FAMILY: &str = "
config streamguard 'main'
	option quota '30'
	option grace '0'
config profile 'kids'
	option quota '60'
	list quota_day 'sat,sun 90'
	list allow 'mon-fri 15:00-20:00'
	list allow 'sat,sun 09:00-21:00'
	option shared '1'
config client
	option name 'Console'
	list mac '02:00:00:00:00:02'
	option profile 'kids'
config client
	option name 'Mother'
	list mac '02:00:00:00:00:03'
	option policy 'exempt'
config client
	option name 'Tablet'
	list mac '02:00:00:00:00:01'
	option profile 'kids'
config client
	option name 'TV'
	list mac '02:00:00:00:00:04'
	option policy 'deny'
";

#[test]
fn a_shared_budget_counts_the_union_of_its_devices() {
    // A Friday.
    let mut house = Household::new(FAMILY, BERLIN, "2026-11-20 16:00");
    house.watch(&["Tablet", "Console"], 20).watch(&["Tablet"], 10).watch(&["Console"], 30);
    assert_eq!(
        house.state(),
        "2026-11-20\n\
         Tablet 30:00 (60:00)/60:00 exhausted\n\
         Console 50:00 (60:00)/60:00 exhausted\n\
         Mother 0:00/30:00 exempt\n\
         TV 0:00/30:00 denied\n"
    );
    let kids = Who::Profile("kids".to_owned());
    house.act(|ledger, at| ledger.grant(&kids, 5, at).unwrap());
    assert_eq!(house.ledger.standing(house.client("Console")), Standing::Warned { left_s: 300 });
}

#[test]
fn hours_open_and_close_and_weekends_have_their_own_quota() {
    let mut house = Household::new(FAMILY, BERLIN, "2026-11-20 14:00");
    house.log();
    house.idle_until("2026-11-21 09:00");
    assert_eq!(
        house.log(),
        [
            "2026-11-20 15:00 Tablet: released within",
            "2026-11-20 15:00 Console: released within",
            "2026-11-20 20:00 Tablet: blocked outside_hours",
            "2026-11-20 20:00 Console: blocked outside_hours",
            "2026-11-21 04:00 all: day_began",
            "2026-11-21 09:00 Tablet: released within",
            "2026-11-21 09:00 Console: released within",
        ]
    );
    assert_eq!(house.ledger.usage(house.client("Tablet")).quota_s, Some(90 * 60));
}

#[test]
fn an_exempt_device_cannot_be_paused_and_strangers_are_told_apart() {
    let mut house = Household::new(FAMILY, BERLIN, "2026-11-20 16:00");
    let mother = house.who("Mother");
    let stranger = Who::Client("02:00:00:00:00:99".parse().unwrap());
    let nobody = Who::Profile("nobody".to_owned());
    let at = house.now().mono;
    assert_eq!(house.ledger.pause(&mother, None, at), Err(Refused::Exempt));
    assert_eq!(house.ledger.grant(&stranger, 5, at), Err(Refused::Unknown));
    assert_eq!(house.ledger.grant(&nobody, 5, at), Err(Refused::Unknown));
    assert_eq!(house.ledger.grant(&Who::All, 0, at), Err(Refused::Minutes));
    house.act(|ledger, at| ledger.pause(&Who::All, None, at).unwrap());
    assert_eq!(house.ledger.standing(house.client("Mother")), Standing::Exempt);
    assert_eq!(house.ledger.standing(house.client("Tablet")).word(), "paused");
    let tablet = house.who("Tablet");
    let at = house.now().mono;
    assert_eq!(house.ledger.resume(&tablet, at), Err(Refused::PausedTogether));
}

#[test]
fn a_new_mac_is_no_fresh_quota() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["06:00:00:00:00:01"], 20).watch(&["06:00:00:00:00:02"], 12);
    assert_eq!(
        house.state(),
        "2026-11-20\n\
         Tablet 0:00/30:00 within\n\
         06:00:00:00:00:01 20:00 (32:00)/30:00 exhausted\n\
         06:00:00:00:00:02 12:00 (32:00)/30:00 exhausted\n"
    );
    house.watch(&["06:00:00:00:00:03"], 1);
    assert_eq!(house.ledger.standing(house.client("06:00:00:00:00:03")).word(), "exhausted");
}

#[test]
fn a_device_of_two_addresses_has_one_quota_one_pause_and_one_grant() {
    let dock = "02:00:00:00:00:0d";
    let mut house = Household::new(&format!("{ONE_TABLET}\tlist mac '{dock}'\n"), BERLIN, "2026-11-20 16:00");
    house.watch(&["Tablet"], 20).watch(&["Tablet", dock], 5).watch(&[dock], 7);
    let both = |house: &Household| {
        [house.client("Tablet"), house.client(dock)].map(|client| house.ledger.standing(client).word())
    };
    assert_eq!(both(&house), ["exhausted"; 2], "25 minutes and 12, five of them at once, are 32");
    let tablet = house.who("Tablet");
    house.act(|ledger, at| ledger.grant(&tablet, 15, at).unwrap());
    assert_eq!(both(&house), ["within"; 2]);
    house.act(|ledger, at| ledger.pause(&tablet, None, at).unwrap());
    assert_eq!(both(&house), ["paused"; 2]);
    let state = house.ledger.snapshot(house.now());
    assert_eq!(State::decode(&state.encode()).unwrap().pools[0].pool, "=Tablet");
    let now = house.now();
    house.ledger.restore(&Recovery { state: Some(state), trouble: Vec::new() }, now);
    house.act(|ledger, at| ledger.resume(&tablet, at).unwrap());
    assert_eq!(both(&house), ["within"; 2]);
    house.act(|ledger, at| ledger.revoke(&tablet, at).unwrap());
    assert_eq!(both(&house), ["exhausted"; 2]);
    house.act(|ledger, at| ledger.reset(&tablet, at).unwrap());
    assert_eq!(house.ledger.usage(house.client(dock)).budget_used_s, 0);
}

#[test]
fn a_device_takes_its_usage_along_to_another_profile() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 29);
    house.configure(&format!(
        "{ONE_TABLET}\toption profile 'kids'\nconfig profile 'kids'\n\toption shared '1'\n"
    ));
    assert_eq!(house.state(), "2026-11-20\nTablet 29:00 (29:00)/30:00 warned\n".replace(" (29:00)", ""));
    house.watch(&["Tablet"], 3);
    assert_eq!(house.ledger.standing(house.client("Tablet")).word(), "exhausted");
}

#[test]
fn a_skipped_reset_time_resets_at_the_next_valid_minute() {
    for (zone, before, after) in [
        (BERLIN, "2026-03-29 01:59:50", "2026-03-29 03:00"),
        (NEW_YORK, "2026-03-08 01:59:50", "2026-03-08 03:00"),
        (LORD_HOWE, "2026-10-04 01:59:50", "2026-10-04 02:30"),
    ] {
        let uci = format!("{ONE_TABLET}\nconfig streamguard 'main'\n\toption reset_time '02:15'\n");
        let mut house = Household::new(&uci, zone, before);
        house.watch(&["Tablet"], 1);
        let began: Vec<String> = house.log().into_iter().filter(|line| line.contains("day_began")).collect();
        assert_eq!(began, [format!("{after} all: day_began")], "{zone}");
        assert_eq!(house.ledger.usage(house.client("Tablet")).used_s, 50, "{zone}");
    }
}

#[test]
fn a_repeated_reset_time_resets_once() {
    for (zone, start, end, reset) in [
        (BERLIN, "2026-10-25 00:00", "2026-10-25 06:00", "02:30"),
        (NEW_YORK, "2026-11-01 00:00", "2026-11-01 06:00", "01:30"),
        (LORD_HOWE, "2026-04-05 00:00", "2026-04-05 06:00", "01:45"),
    ] {
        let uci = format!("{ONE_TABLET}\nconfig streamguard 'main'\n\toption reset_time '{reset}'\n");
        let mut house = Household::new(&uci, zone, start);
        house.idle_until(end);
        let began: Vec<String> = house.log().into_iter().filter(|line| line.contains("day_began")).collect();
        assert_eq!(began, [format!("{} {reset} all: day_began", &end[..10])], "{zone}");
    }
}

#[test]
fn an_unsynchronised_clock_never_resets() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).lose_clock().idle(3 * 24 * 60);
    assert_eq!(house.state(), "2026-11-20\nTablet 32:00/30:00 exhausted\n");
    house.find_clock();
    assert_eq!(house.state(), "2026-11-23\nTablet 0:00/30:00 within\n");
}

#[test]
fn a_reboot_into_1970_keeps_the_day_and_counts_on() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 20).reboot(3).watch(&["Tablet"], 8);
    assert_eq!(house.state(), "2026-11-20\nTablet 28:00/30:00 warned\n");
    house.find_clock().watch(&["Tablet"], 4);
    assert_eq!(house.state(), "2026-11-20\nTablet 32:00/30:00 exhausted\n");
}

#[test]
fn a_first_boot_into_1970_files_what_it_counted_under_the_day_it_turns_out_to_be() {
    let mut house = tablet("2026-11-20 16:00");
    house.reboot_from(0, &Recovery::default()).watch(&["Tablet"], 10);
    assert_eq!(house.state(), "some day\nTablet 10:00/30:00 within\n");
    house.find_clock();
    assert_eq!(house.state(), "2026-11-20\nTablet 10:00/30:00 within\n");
}

#[test]
fn a_reboot_over_the_reset_resets_once() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).reboot(20 * 60).watch(&["Tablet"], 1);
    assert_eq!(house.state(), "2026-11-20\nTablet 33:00/30:00 exhausted\n");
    house.find_clock().watch(&["Tablet"], 1);
    assert_eq!(house.state(), "2026-11-21\nTablet 1:00/30:00 within\n");
}

#[test]
fn stepping_the_clock_a_day_forward_and_back_gives_one_reset_not_two() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).set_clock("2026-11-21 17:00").watch(&["Tablet"], 32);
    house.set_clock("2026-11-20 18:00").watch(&["Tablet"], 1);
    assert_eq!(house.state(), "2026-11-21\nTablet 33:00/30:00 exhausted\n");
    house.idle_until("2026-11-21 05:00");
    assert_eq!(house.state(), "2026-11-21\nTablet 33:00/30:00 exhausted\n");
    house.idle_until("2026-11-22 04:00");
    assert_eq!(house.state(), "2026-11-22\nTablet 0:00/30:00 within\n");
}

#[test]
fn stepping_the_clock_a_day_back_and_forth_is_no_fresh_quota() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).set_clock("2026-11-19 16:00").idle(5).set_clock("2026-11-20 17:00");
    assert_eq!(house.state(), "2026-11-20\nTablet 32:00/30:00 exhausted\n");
}

#[test]
fn a_jump_of_years_resets_once_and_the_way_back_keeps_usage() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 32).set_clock("2037-01-01 12:00").watch(&["Tablet"], 32);
    house.set_clock("2026-11-20 16:40");
    assert_eq!(house.state(), "2026-11-20\nTablet 32:00/30:00 exhausted\n");
    house.idle_until("2026-11-21 04:00");
    assert_eq!(house.state(), "2026-11-21\nTablet 0:00/30:00 within\n");
}

#[test]
fn a_damaged_state_falls_back_to_the_generation_before_and_says_so() {
    let mut house = tablet("2026-11-20 16:00");
    house.watch(&["Tablet"], 31);
    let older = house.ledger.snapshot(house.now());
    house.watch(&["Tablet"], 1);
    let mut newer = house.ledger.snapshot(house.now()).encode();
    newer.truncate(newer.len() / 2);
    house.log();
    house.reboot_from(1, &Recovery::from_generations([State::decode(&newer), Ok(older)])).find_clock();
    assert_eq!(house.state(), "2026-11-20\nTablet 31:00/30:00 grace\n");
    assert!(house.log()[0].ends_with("all: state_lost"));
    house.reboot_from(1, &Recovery::from_generations([Err(StateError::Checksum)]));
    assert!(house.log().iter().any(|line| line.ends_with("all: state_lost")), "never in silence");
}

#[test]
fn a_pause_survives_a_reboot_for_the_rest_of_its_time() {
    let mut house = tablet("2026-11-20 16:00");
    let who = house.who("Tablet");
    house.act(|ledger, at| ledger.pause(&who, Some(60), at).unwrap()).idle(20).reboot(1).find_clock();
    assert_eq!(house.ledger.standing(house.client("Tablet")).word(), "paused");
    house.idle(40);
    assert_eq!(house.ledger.standing(house.client("Tablet")).word(), "within");
}

#[test]
fn a_data_plan_caps_its_network_until_the_month_ends() {
    let uci = format!(
        "{ONE_TABLET}\nconfig plan 'guest'\n\toption who 'Tablet'\n\tlist network '142.250.0.0/15'\n\
         \toption limit '1G'\n\toption reset_day '1'\n"
    );
    let mut house = Household::new(&uci, BERLIN, "2026-11-20 16:00");
    let client = house.client("Tablet");
    let peer = |text: &str| text.parse::<std::net::IpAddr>().unwrap().into();
    house.ledger.meter(client, &peer("8.8.8.8"), Bytes(5_000_000_000));
    house.ledger.meter(client, &peer("142.251.3.4"), Bytes(999_999_999));
    house.idle(1);
    assert_eq!(house.ledger.standing(client).word(), "within");
    house.ledger.meter(client, &peer("142.251.3.4"), Bytes(1));
    house.idle(1).reboot(1).find_clock();
    assert_eq!(house.ledger.standing(client).word(), "capped");
    house.idle_until("2026-12-01 04:00");
    assert_eq!(house.ledger.standing(client).word(), "within");
}

#[test]
fn learning_days_judge_but_restrict_nobody() {
    let uci = format!("{ONE_TABLET}\nconfig streamguard 'main'\n\toption learn_days '2'\n");
    let mut house = Household::new(&uci, BERLIN, "2026-11-20 16:00");
    house.watch(&["Tablet"], 32);
    assert_eq!(house.ledger.standing(house.client("Tablet")).word(), "exhausted");
    assert_eq!(house.ledger.verdicts(house.now()), []);
    house.idle_until("2026-11-22 05:00").watch(&["Tablet"], 32);
    assert_eq!(house.ledger.verdicts(house.now()).len(), 1);
}

#[test]
fn ten_thousand_devices_share_what_room_there_is() {
    let uci = "config streamguard 'main'\n\toption unknown_shared '0'\n";
    let mut house = Household::new(uci, BERLIN, "2026-11-20 16:00");
    let mac = |n: u32| {
        let [a, b, c, d] = n.to_be_bytes();
        ClientId::Mac(MacAddr([6, 0, a, b, c, d]))
    };
    for n in 0..10_000 {
        let start = house.now().mono;
        house.ledger.accrue(mac(n), start, 10);
    }
    house.idle(1);
    let (clients, overflowing) = house.ledger.population();
    assert_eq!((clients, overflowing), (MAX_CLIENTS + 1, true));
    assert_eq!(house.ledger.usage(mac(0)).used_s, 10, "usage of today is never evicted");
    for n in 0..400 {
        let start = house.now().mono + streamguard::time::Duration::from_secs(n * 10);
        house.ledger.accrue(mac(5_000), start, 10);
    }
    house.idle(70);
    assert_eq!(house.ledger.standing(mac(9_999)).word(), "exhausted", "beyond the room all share one budget");
    house.idle_until("2026-11-21 04:01");
    let at = house.now().mono;
    assert_eq!(house.ledger.touch(mac(20_000), at), mac(20_000), "yesterday's clients make room");
}
