//! The fuzz body of trained artefacts on mutations of the embedded ones: a smoke test that needs no fuzzer.
#![expect(clippy::disallowed_methods, reason = "the seed is a file")]

#[path = "../fuzz/bodies/model.rs"]
#[allow(unreachable_pub, reason = "cargo-fuzz includes it from a binary")]
mod bodies;

use streamguard::net::mix;

#[test]
fn a_mutated_artifact_is_refused_or_safe_to_walk() {
    for artefact in ["streaming.forest", "threat.forest"] {
        mutate(artefact);
    }
}

fn mutate(artefact: &str) {
    let path = format!("{}/model/{artefact}", env!("CARGO_MANIFEST_DIR"));
    let whole = std::fs::read(path).unwrap();
    let body = &whole[..whole.len() - 8];
    let mut random = 7;
    for round in 0..400usize {
        let mut data = body.to_vec();
        for _ in 0..=round % 5 {
            random = mix(random + 0x9e37_79b9);
            // Half of the changes in the header and the cut points, where one byte changes the most.
            let span = if random & 1 == 0 { 512 } else { data.len() };
            let at = (random >> 8) as usize % span;
            data[at] = (random >> 48) as u8;
        }
        if round % 7 == 0 {
            data.truncate((random >> 16) as usize % data.len());
        }
        bodies::artifact(&data);
    }
}
