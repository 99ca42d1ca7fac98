//! `streamguard replay`: the shipped capture through a whole household.

#![expect(clippy::disallowed_methods, reason = "tests start the program and write its input")]

use std::process::Command;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo.pcap.zst");
const TABLET: &str = "02:62:56:7c:df:50";

fn replay(name: &str, uci: &str) -> String {
    let path = std::env::temp_dir().join(format!("streamguard-replay-{name}-{}", std::process::id()));
    std::fs::write(&path, uci).unwrap();
    let config = path.display().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_streamguard"))
        .args(["replay", DEMO, "--config", &config, "--ruleset"])
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn household(main: &str, tablet: &str) -> String {
    format!(
        "config streamguard 'main'\n\toption unknown_shared '0'\n\toption quota '0'\n{main}\n\
         config client\n\toption name 'Tablet'\n\tlist mac '{TABLET}'\n\toption profile 'kids'\n{tablet}\n\
         config profile 'kids'\n\toption quota '3'\n"
    )
}

#[test]
fn a_used_up_quota_blocks_the_video_server_of_that_device_and_nothing_else() {
    let told = replay("blocks", &household("\toption warn '1'\n\toption grace '1'", ""));
    let of_tablet: Vec<&str> =
        told.lines().filter(|line| line.contains("Tablet: ")).map(|line| &line[11..]).collect();
    assert_eq!(of_tablet[0], "Tablet: 60 s left", "{told}");
    assert_eq!(of_tablet[1], "Tablet: quota used up, 60 s of grace");
    assert!(of_tablet[2].starts_with("Tablet: blocked, exhausted until "));
    let elements: Vec<&str> =
        told.lines().filter_map(|line| line.split_once(" + ")).map(|(_, e)| e).collect();
    assert_eq!(elements, [format!("video4 {TABLET} . 203.0.113.12")]);
}

#[test]
fn an_exempt_device_is_counted_and_never_blocked() {
    let told = replay("exempt", &household("", "\toption policy 'exempt'"));
    assert!(!told.contains("blocked"), "{told}");
    assert!(told.contains(&format!("elements = {{ {TABLET} timeout")), "{told}");
    assert!(told.lines().any(|line| line.starts_with("Tablet") && line.ends_with("exempt")), "{told}");
}

#[test]
fn a_bad_option_is_named_and_everything_else_applies() {
    let told = replay("bad", &household("\toption warn 'soon'", ""));
    assert!(told.contains("Tablet: blocked"), "{told}");
}
