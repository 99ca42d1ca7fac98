//! The forest in Rust against the same arrays walked in Python: 100,000 rows at and beside the thresholds, no score may differ.
//!
//! Rows are drawn, not stored: `model/train/parity.py` describes how. `model/parity.json` holds what Python found.

use streamguard::classify::{Artifact, fnv1a};
use streamguard::features::schema_hash;

/// Bytes before the cut points.
const HEADER_BYTES: usize = 36;

const ARTEFACT: &[u8] = include_bytes!("../model/streaming.forest");
const EXPECTED: &[u8] = include_bytes!("../model/parity.json");

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

#[test]
fn every_score_at_a_threshold_is_pythons() {
    let artifact = Artifact::from_bytes(ARTEFACT, schema_hash()).expect("the shipped artefact loads");
    let expected: serde_json::Value = serde_json::from_slice(EXPECTED).expect("parity.json is JSON");
    assert_eq!(expected["model"], format!("{:016x}", artifact.fingerprint), "make model writes both files");

    let cuts = cut_points(ARTEFACT);
    let mut state = expected["seed"].as_u64().unwrap_or_default();
    let rows = expected["rows"].as_u64().unwrap_or_default();
    let scores: Vec<u16> = (0..rows).map(|_| artifact.forest.predict(&draw(&cuts, &mut state)).0).collect();

    assert!(scores.len() >= 100_000);
    assert_eq!(expected["first"], serde_json::json!(scores[..32]));
    let all: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    assert_eq!(expected["scores_fnv1a"], format!("{:016x}", fnv1a(&all)));
}
