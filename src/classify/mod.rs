//! Numbers to a score: the forest, and the artefact it is loaded from.
//!
//! A forest is flat arrays and integer compares; there is no floating point between a row and its score, so that
//! a MIPS router and a PC agree to the last bit.

mod artifact;
mod forest;
mod packed;

pub use artifact::{Artifact, ArtifactError, MAX_ARTIFACT_BYTES};
pub use forest::{Forest, MAX_CLASSES, Score, Votes};
pub use packed::unpacked;

#[cfg(test)]
pub(crate) use artifact::tests::unanimous;

/// FNV-1a of nothing.
pub const FNV1A_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bit (Fowler, Noll, Vo): checks that an artefact arrived whole. Not a defence against an attacker.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_on(FNV1A_START, bytes)
}

/// The same for bytes that follow those of which `hash` is the sum.
pub fn fnv1a_on(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
