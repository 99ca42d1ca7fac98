//! The forests in Rust against the same arrays walked in Python: 100,000 rows at and beside the thresholds, no score and
//! no vote may differ.
//!
//! Rows are drawn, not stored: `model/train/parity.py` describes how. `model/parity.json` and
//! `model/threat_parity.json` hold what Python found.

use streamguard::classify::{Artifact, Forest, fnv1a};
use streamguard::detect::{Class, threat_schema_hash};
use streamguard::features::schema_hash;

/// Bytes before the cut points.
const HEADER_BYTES: usize = 36;

const ARTEFACT: &[u8] = include_bytes!("../model/streaming.forest");
const EXPECTED: &[u8] = include_bytes!("../model/parity.json");
const THREATS: &[u8] = include_bytes!("../model/threat.forest");
const EXPECTED_OF_THREATS: &[u8] = include_bytes!("../model/threat_parity.json");

/// The cut points, read straight from the file's layout so that the loader is under test too.
fn cut_points(artifact: &[u8]) -> Vec<Vec<i32>> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([artifact[at], artifact[at + 1]]));
    let mut at = HEADER_BYTES;
    (0..u16_at(6))
        .map(|_| {
            let count = u16_at(at);
            let bytes = &artifact[at + 2..at + 2 + 4 * count];
            at += 2 + 4 * count;
            bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        })
        .collect()
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn draw(cuts: &[Vec<i32>], state: &mut u64) -> Vec<i32> {
    cuts.iter()
        .map(|own| {
            let drawn = splitmix64(state);
            if own.is_empty() {
                return 0;
            }
            let cut = i64::from(own[((drawn >> 32) % own.len() as u64) as usize]);
            let value = cut + (drawn & 3) as i64 - 1;
            value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
        })
        .collect()
}

/// Draws the rows that Python drew and compares: `told` is what a forest says of a row, `shown` what of it stands in
/// the list of the first.
fn agree(
    (artefact, schema_hash, expected): (&[u8], u64, &[u8]),
    told: impl Fn(&Forest, &[i32]) -> Vec<u16>,
    shown: impl Fn(&[u16]) -> usize,
) {
    let artifact = Artifact::from_bytes(artefact, schema_hash).expect("the shipped artefact loads");
    let expected: serde_json::Value = serde_json::from_slice(expected).expect("it is JSON");
    assert_eq!(expected["model"], format!("{:016x}", artifact.fingerprint), "training writes both files");

    let cuts = cut_points(artefact);
    let mut state = expected["seed"].as_u64().unwrap_or_default();
    let rows = expected["rows"].as_u64().unwrap_or_default();
    let all: Vec<Vec<u16>> = (0..rows).map(|_| told(&artifact.forest, &draw(&cuts, &mut state))).collect();

    assert!(all.len() >= 100_000);
    let first: Vec<usize> = all[..32].iter().map(|row| shown(row)).collect();
    assert_eq!(expected["first"], serde_json::json!(first));
    let bytes: Vec<u8> = all.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(expected["scores_fnv1a"], format!("{:016x}", fnv1a(&bytes)));
}

#[test]
fn every_score_at_a_threshold_is_pythons() {
    let told = |forest: &Forest, row: &[i32]| vec![forest.predict(row).0];
    agree((ARTEFACT, schema_hash(), EXPECTED), told, |scores| scores[0].into());
}

#[test]
fn every_vote_at_a_threshold_is_scikit_learns() {
    let told = |forest: &Forest, row: &[i32]| forest.votes(row)[..Class::ALL.len()].to_vec();
    // The first of the classes with most votes.
    let winner =
        |votes: &[u16]| votes.iter().position(|count| Some(count) == votes.iter().max()).unwrap_or_default();
    agree((THREATS, threat_schema_hash(), EXPECTED_OF_THREATS), told, winner);
}
