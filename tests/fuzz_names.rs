//! The fuzz bodies of names, on mutated messages of the shipped capture: a smoke test that needs no fuzzer.
//! `STREAMGUARD_FUZZ_ROUNDS` makes it longer.
#![expect(clippy::disallowed_methods, reason = "the number of rounds is an environment variable")]

#[path = "../fuzz/bodies/names.rs"]
#[allow(unreachable_pub, reason = "cargo-fuzz includes it from a binary")]
mod bodies;
#[path = "support/mutations.rs"]
mod mutations;

use std::path::Path;

use mutations::mutated;
use streamguard::dissect::dissect;
use streamguard::names::NameWatcher;
use streamguard::os::files::CaptureReader;

const ROUNDS: u64 = 1_000;
/// Bytes that mean something in what is read.
const TELLING: &[u8] = &[0, 0xff, 0xc0, 0x3f, 12, 1, 0x7f, b'.'];

/// Frames of the shipped capture that are looked through, and messages with names that are kept.
const MAX_FRAMES: usize = 30_000;
const MAX_SEEDS: usize = 60;

/// Frames and payloads that carry names.
fn seeds() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/demo.pcap.zst");
    let mut reader = CaptureReader::open(&[path]).unwrap();
    let mut watcher = NameWatcher::new(1);
    let (mut frames, mut payloads) = (Vec::new(), vec![rfc9001_packet()]);
    for _ in 0..MAX_FRAMES {
        let Some(frame) = reader.next().unwrap() else { break };
        let packet = dissect(&frame);
        if watcher.observe(&packet, None) > 0 && frames.len() < MAX_SEEDS {
            frames.push([&(frame.data.len() as u16).to_be_bytes(), frame.data].concat());
            payloads.push(packet.payload.to_vec());
        }
    }
    assert!(frames.len() > 10, "{}", frames.len());
    (frames, payloads)
}

fn rfc9001_packet() -> Vec<u8> {
    let digits: Vec<u8> = include_bytes!("fixtures/quic/rfc9001-a2.hex")
        .iter()
        .copied()
        .filter(u8::is_ascii_hexdigit)
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn no_message_with_names_panics() {
    let (_, payloads) = seeds();
    for body in [bodies::dns, bodies::tls, bodies::quic, bodies::dhcp] {
        mutated(&payloads, ROUNDS, TELLING, body);
    }
}

#[test]
fn no_frames_make_the_watcher_panic() {
    let (frames, _) = seeds();
    let all = frames.concat();
    mutated(&[frames, vec![all]].concat(), ROUNDS, TELLING, bodies::watcher);
}
