//! Artefacts inside the program, packed: a router's flash is small.
//!
//! `build.rs` takes every fourth byte, the first, then the second and so on, for an artefact is mostly nodes of four
//! bytes whose fields each repeat themselves, and deflates that (RFC 1951): less than half. What is given by name
//! (`option model`) is read as it is.

use std::io::Read;

use flate2::bufread::DeflateDecoder;

/// Bytes of a node, which `build.rs` knows, too.
const COLUMNS: usize = 4;

/// The artefact that `build.rs` packed; cut short where the stream is damaged, which its checksum tells.
pub fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut columns = Vec::new();
    // What came before an error is kept, and refused by its checksum.
    let _ = DeflateDecoder::new(packed).read_to_end(&mut columns);
    let mut bytes = vec![0; columns.len()];
    let mut next = columns.into_iter();
    for column in 0..COLUMNS {
        for (place, byte) in bytes.iter_mut().skip(column).step_by(COLUMNS).zip(&mut next) {
            *place = byte;
        }
    }
    bytes
}
