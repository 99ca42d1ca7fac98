//! Recorded attacks of real tools, and what looks like them: each told once, by its right name and source; or not.
//!
//! The captures are those of the attack lab that are small enough to ship (tests/attacks/captures, with the index
//! that the lab writes); `make attacks` records and judges all of them.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

use std::path::{Path, PathBuf};
use std::process::Command;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attacks/captures");
/// Nobody can be named where all sources are forged.
const ANYBODY: [&str; 2] = ["*", "lan"];

/// A line of the index.
struct Recorded {
    path: PathBuf,
    kind: String,
    source: String,
}

fn recorded() -> Vec<Recorded> {
    let index = std::fs::read_to_string(Path::new(CAPTURES).join("index.csv")).unwrap();
    let row = |line: &str| {
        let mut fields = line.split(',').map(str::to_owned);
        let path = Path::new(CAPTURES).join(fields.next().unwrap());
        Recorded { path, kind: fields.next().unwrap(), source: fields.next().unwrap() }
    };
    index.lines().skip(1).map(row).collect()
}

/// What the program prints of a capture.
fn printed(arguments: &[&str], path: &Path) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_streamguard");
    Command::new(program).args(arguments).arg(path).output().unwrap().stdout
}

/// Types and sources of the alerts.
fn alerts(path: &Path) -> Vec<(String, String)> {
    let told = printed(&["analyze", "--report", "alerts", "--json"], path);
    let document: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let alert = |alert: &serde_json::Value| (text(&alert["type"]), text(&alert["source"]));
    document["alerts"].as_array().unwrap().iter().map(alert).collect()
}

#[test]
fn every_recorded_attack_is_one_alert_of_the_right_type_and_source() {
    let attacks: Vec<Recorded> = recorded().into_iter().filter(|row| row.kind != "benign").collect();
    assert!(attacks.len() > 30, "{} attacks are shipped", attacks.len());
    for Recorded { path, kind, source } in attacks {
        let found = alerts(&path);
        let [(found_kind, found_source)] = &found[..] else { panic!("{}: {found:?}", path.display()) };
        let is_right = *found_kind == kind && (*found_source == source || ANYBODY.contains(&source.as_str()));
        assert!(is_right, "{}: {found:?}", path.display());
    }
}

#[test]
fn what_only_looks_like_an_attack_stays_silent() {
    for Recorded { path, .. } in recorded().into_iter().filter(|row| row.kind == "benign") {
        assert_eq!(alerts(&path), [], "{}", path.display());
    }
}

#[test]
fn an_alert_shows_the_second_opinion_and_its_rows_can_be_asked_for() {
    let path = Path::new(CAPTURES).join("attack_scan_nmap_syn_top1000.pcap.zst");
    let told = printed(&["analyze", "--report", "alerts", "--json"], &path);
    let document: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let opinion = &document["alerts"][0]["opinion"];
    assert_eq!((&opinion["class"], &opinion["severity"]), (&"scan".into(), &"kept".into()), "{opinion}");
    assert!(opinion["share_pct"].as_u64().is_some_and(|share| (30..=100).contains(&share)), "{opinion}");
    let text = String::from_utf8(printed(&["analyze", "--report", "alerts"], &path)).unwrap();
    assert!(text.contains("; opinion: scan "), "{text}");
    let eve = String::from_utf8(printed(&["analyze", "--eve"], &path)).unwrap();
    let line: serde_json::Value = serde_json::from_str(eve.lines().next().unwrap()).unwrap();
    assert_eq!(line["streamguard"]["opinion"]["class"], "scan");

    let rows = String::from_utf8(printed(&["features", "--of", "threats"], &path)).unwrap();
    let (head, rows) = rows.split_once('\n').unwrap();
    assert!(head.starts_with("source,victim,start_s,found,ports_30s,"), "{head}");
    let accused: Vec<&str> = rows.lines().filter(|row| row.contains(",port_scan,")).collect();
    assert!(
        !accused.is_empty() && accused.iter().all(|row| row.starts_with("192.168.7.66,,")),
        "{accused:?}"
    );
    assert!(rows.lines().any(|row| row.starts_with("192.168.7.20,")), "the bystander has rows, too");
    assert!(rows.lines().all(|row| row.split(',').count() == head.split(',').count()));
}
