//! Body of the fuzz target for trained artefacts: whatever the bytes say, an artefact is refused, or safe to walk.
//! The checksum is made right, for otherwise nothing behind it would ever be reached.

use streamguard::classify::fnv1a;
use streamguard::detect::{N_THREAT_FEATURES, SecondOpinion};
use streamguard::engine::Model;
use streamguard::features::N_FEATURES;

/// Bytes with a right checksum behind them, as a model and as a second opinion.
pub fn artifact(data: &[u8]) {
    let _ = Model::from_bytes(data);
    let _ = SecondOpinion::from_bytes(data);
    let mut sealed = data.to_vec();
    sealed.extend(fnv1a(data).to_le_bytes());
    if let Ok(model) = Model::from_bytes(&sealed) {
        for value in [i32::MIN, -1, 0, 1, 1_000, 1_000_000, i32::MAX] {
            let _ = model.forest.predict(&[value; N_FEATURES]);
        }
        let _ = model.forest.predict(&[]);
    }
    if let Ok(second) = SecondOpinion::from_bytes(&sealed) {
        for value in [i32::MIN, -1, 0, 1, 1_000, 1_000_000, i32::MAX] {
            let _ = second.vote(&[value; N_THREAT_FEATURES]);
        }
        let _ = second.forest.votes(&[]);
    }
}
