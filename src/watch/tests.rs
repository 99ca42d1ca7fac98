use super::*;

const ONE: i32 = 65_536;

/// Scores below one half speak against video by 1, above for it by 1; on at 3, off at -2.
fn params() -> Params {
    Params {
        window_s: 10,
        evidence_bytes: 20_000,
        llr: (0..256).map(|i| if i < 128 { -ONE } else { ONE }).collect(),
        llr_min: -3 * ONE,
        llr_max: 6 * ONE,
        on: [4 * ONE, ONE, 0],
        off: -2 * ONE,
        back_max_windows: 18,
        period_default_ds: 100,
        period_bursts_min: 3,
        hold_square: 40_000,
        hold_min_ds: 200,
        hold_max_ds: 1_200,
        steady_below_pm: 120,
        steady_hold_ds: 50,
        steady_hold_pm: 1_500,
        dead_pm: 1_000,
        dead_bridge_ds: 300,
        forget_quiet_ds: 1_800,
    }
}

/// A window in which something is said, if it carries no evidence.
fn seen(no: WindowNo, score: u16, down_bytes: u64) -> Evidence {
    let score = Score(score);
    Evidence {
        no,
        score,
        down_bytes,
        down_packets: 3,
        bursts_120: 0,
        burst_period_ds: 0,
        burst_period_cv_pm: 0,
    }
}

const VIDEO: u16 = 60_000;
const OTHER: u16 = 100;

fn run(windows: impl IntoIterator<Item = (u16, u64)>) -> Vec<Step> {
    let params = params();
    let mut watcher = Watcher::new(&params);
    windows
        .into_iter()
        .enumerate()
        .map(|(i, (score, bytes))| {
            watcher.step(&params, Sensitivity::Normal, &seen(100 + i as u64, score, bytes))
        })
        .collect()
}

#[test]
fn a_session_is_credited_back_to_where_evidence_began() {
    let steps = run([(VIDEO, 500_000), (VIDEO, 0), (VIDEO, 500_000), (VIDEO, 500_000), (VIDEO, 500_000)]);
    assert_eq!(steps, [Step::Off, Step::Off, Step::Off, Step::Off, Step::Began { from: 100 }]);
}

#[test]
fn silence_is_no_evidence_and_ends_a_session_only_when_the_buffer_is_played_out() {
    let loud = [(VIDEO, 500_000); 5];
    let quiet = [(VIDEO, 0); 6];
    let steps = run(loud.into_iter().chain(quiet));
    assert_eq!(steps[3..5], [Step::Began { from: 100 }, Step::On]);
    // Default period 10 s, allowance 0.04 · 100² ds = 40 s after the last fetch.
    assert_eq!(steps[5..], [Step::On, Step::On, Step::On, Step::On, Step::Ended, Step::Off]);
}

/// Windows that stay counted after the last fetch of a player with this period and variation.
fn counted_after(params: &Params, burst_period_ds: u32, burst_period_cv_pm: u32) -> usize {
    let mut watcher = Watcher::new(params);
    for no in 0..12 {
        let seen = seen(no, VIDEO, 500_000);
        let seen = Evidence { bursts_120: 6, burst_period_ds, burst_period_cv_pm, ..seen };
        watcher.step(params, Sensitivity::Normal, &seen);
    }
    let quiet = (12..200).map(|no| watcher.step(params, Sensitivity::Normal, &seen(no, VIDEO, 0)));
    quiet.take_while(|step| *step == Step::On).count()
}

#[test]
fn who_fetches_by_the_clock_is_missed_at_once() {
    let least = |hold_min_ds| Params { hold_min_ds, ..params() };
    let both = |params: &Params, period_ds| [400, 50].map(|cv_pm| counted_after(params, period_ds, cv_pm));
    // 0.04 · 160² ds = 102 s; by the clock 5 s + 1.5 · 16 s = 29 s.
    assert_eq!(both(&least(10), 160), [10, 2]);
    // 26 s by the square, 17 s by the clock, and never less than the least.
    assert_eq!((both(&least(10), 80), both(&least(200), 80)), ([2, 1], [2, 2]));
    // Never more than the square allows: 6 s, where the clock's would be 11.
    assert_eq!(both(&least(10), 40), [0, 0]);
}

/// What follows of windows with these packets, from window 12 on, after two minutes of a player with this period.
/// `f` is a window in which it fetches.
fn after_watching(params: &Params, burst_period_ds: u32, windows: &str) -> Vec<Step> {
    let mut watcher = Watcher::new(params);
    let mut step = |no, down_bytes, down_packets| {
        let evidence = Evidence {
            down_packets,
            bursts_120: 6,
            burst_period_ds,
            burst_period_cv_pm: 400,
            ..seen(no, VIDEO, down_bytes)
        };
        watcher.step(params, Sensitivity::Normal, &evidence)
    };
    (0..12).for_each(|no| _ = step(no, 500_000, 400));
    let windows = (12..).zip(windows.chars());
    windows
        .map(|(no, window)| match window {
            'f' => step(no, 500_000, 400),
            packets => step(no, 100, packets.to_digit(10).unwrap()),
        })
        .collect()
}

#[test]
fn a_dead_silence_waits_and_is_counted_if_fetching_goes_on() {
    use Step::{Ended, Off, On, Resumed, Waiting};
    let params = params();
    // 0.04 · 140² ds = 78 s of allowance; dead for longer than 14 s are two windows.
    assert_eq!(after_watching(&params, 140, "0000"), [On, Waiting, Waiting, Waiting]);
    assert_eq!(after_watching(&params, 140, "000f"), [On, Waiting, Waiting, Resumed { from: 13 }]);
    // More than 30 s of silence were a pause; what comes after it is watched.
    assert_eq!(after_watching(&params, 140, "0000ff"), [On, Waiting, Waiting, Waiting, On, On]);
    // Whatever is said, only fetching shows that the film goes on.
    assert_eq!(after_watching(&params, 140, "0021f"), [On, Waiting, Waiting, Waiting, On]);
    // The allowance ends the session, waiting or not, and nothing is made up for.
    assert_eq!(after_watching(&params, 140, "00000000f")[6..], [Waiting, Ended, Off]);
    // A word in between, and it was not dead for long.
    assert_eq!(after_watching(&params, 140, "0101"), [On; 4]);
    // A player that fetches every six seconds is dead after one window.
    let least = Params { hold_min_ds: 600, ..params.clone() };
    assert_eq!(after_watching(&least, 60, "0f"), [Waiting, Resumed { from: 12 }]);
    // Artefacts from before that count on.
    let never = Params { dead_pm: 0, ..params };
    assert_eq!(after_watching(&never, 140, "0000"), [On; 4]);
}

#[test]
fn a_window_that_nobody_could_see_is_not_dead() {
    let params = params();
    let mut watcher = Watcher::new(&params);
    let mut step = |no, down_bytes, down_packets| {
        let evidence = Evidence { down_packets, ..seen(no, VIDEO, down_bytes) };
        watcher.step(&params, Sensitivity::Normal, &evidence)
    };
    (0..12).for_each(|no| _ = step(no, 500_000, 400));
    // Of the default period, ten seconds, one dead window is as long.
    assert_eq!(step(12, 0, 0), Step::On);
    assert_eq!(watcher.step_unknown(13), Step::On);
    let dead = |no| Evidence { down_packets: 0, ..seen(no, VIDEO, 0) };
    assert_eq!(watcher.step(&params, Sensitivity::Normal, &dead(14)), Step::On);
    assert_eq!(watcher.step(&params, Sensitivity::Normal, &dead(15)), Step::Waiting);
    assert_eq!(watcher.step_unknown(16), Step::Waiting);
}

#[test]
fn a_clock_that_was_irregular_has_to_show_itself_first() {
    let params = params();
    let mut watcher = Watcher::new(&params);
    let mut variation = |no, burst_period_cv_pm| {
        let seen =
            Evidence { bursts_120: 6, burst_period_ds: 160, burst_period_cv_pm, ..seen(no, VIDEO, 500_000) };
        watcher.step(&params, Sensitivity::Normal, &seen);
        watcher.period_cv_pm
    };
    assert_eq!([(0, 400), (1, 0), (2, 0)].map(|(no, cv)| variation(no, cv)), [400, 200, 100]);
    assert_eq!(variation(3, u32::MAX), 50 + u32::MAX / 2);
}

#[test]
fn evidence_against_video_ends_a_session() {
    let steps = run([(VIDEO, 500_000); 10].into_iter().chain([(OTHER, 500_000); 10]));
    let ended = steps.iter().position(|step| *step == Step::Ended).unwrap();
    // The belief stood at its ceiling of 6 and has to fall to -2.
    assert_eq!(ended, 10 + 7);
}

#[test]
fn traffic_that_is_not_video_never_begins_a_session() {
    assert!(run([(OTHER, 5_000_000); 500]).iter().all(|step| *step == Step::Off));
}

#[test]
fn an_unknown_window_keeps_what_was_going_on() {
    let params = params();
    let mut watcher = Watcher::new(&params);
    assert_eq!(watcher.step_unknown(1), Step::Off);
    (2..20).for_each(|no| {
        watcher.step(&params, Sensitivity::Normal, &seen(no, VIDEO, 500_000));
    });
    assert!((20..40).all(|no| watcher.step_unknown(no) == Step::On));
    assert_eq!(watcher.step(&params, Sensitivity::Normal, &seen(40, VIDEO, 0)), Step::On);
}

#[test]
fn higher_sensitivity_never_begins_later() {
    let params = params();
    let first_on = |sensitivity| {
        let mut watcher = Watcher::new(&params);
        (0..50).position(|no| watcher.step(&params, sensitivity, &seen(no, VIDEO, 100_000)) != Step::Off)
    };
    let [low, normal, high] =
        [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High].map(|s| first_on(s).unwrap());
    assert!(high < normal && normal < low);
}

#[test]
fn constants_out_of_range_are_named() {
    let mut bad = params();
    bad.llr.pop();
    let error = Params::from_json(&serde_json::to_string(&bad).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "session constant llr is out of range");
    assert_eq!(Params::from_json(&serde_json::to_string(&params()).unwrap()).unwrap(), params());
    assert!(Params::from_json("{}").is_err());
}

#[test]
fn a_session_keeps_its_busiest_servers_sorted() {
    let mut session = Session::begin(7);
    assert_eq!(session.start, crate::window::window_start(7));
    session.count(7, crate::time::Duration::from_secs(10), None, &|_| None);
    assert_eq!(session.end, crate::window::window_start(8));
}
