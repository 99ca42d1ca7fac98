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

/// Types and sources of the alerts.
fn alerts(path: &Path) -> Vec<(String, String)> {
    let run = Command::new(env!("CARGO_BIN_EXE_streamguard"))
        .args(["analyze", "--report", "alerts", "--json"])
        .arg(path)
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
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
