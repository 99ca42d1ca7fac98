//! The fuzz bodies of frames and capture files, on mutated seeds: a smoke test that needs no fuzzer.

use streamguard::net::mix;

#[expect(unreachable_pub, reason = "fuzz targets share the file")]
#[path = "../fuzz/bodies/wire.rs"]
mod bodies;

fn hex(text: &str) -> Vec<u8> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

/// Frames of the fixtures, as bytes.
fn frames() -> Vec<Vec<u8>> {
    let lines = include_str!("fixtures/frames.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| hex(line.rsplit(' ').next().unwrap())).collect()
}

fn mutated(seeds: &[Vec<u8>], rounds: u64, body: fn(&[u8])) {
    for (i, seed) in seeds.iter().enumerate() {
        body(seed);
        for round in 0..rounds {
            let mut input = seed.clone();
            for hit in 0..=round % 6 {
                let random = mix((i as u64) << 32 | round << 3 | hit);
                let at = (random >> 16) as usize % input.len();
                match random % 4 {
                    0 => input[at] = 0xff,
                    1 => input[at] = 0,
                    2 => input[at] ^= 1 << (random >> 8 & 7),
                    _ => input.truncate(at.max(1)),
                }
            }
            body(&input);
        }
    }
}

#[test]
fn mutated_frames_count_nothing_that_is_not_there() {
    let seeds: Vec<Vec<u8>> = frames()
        .iter()
        .flat_map(|frame| (0..10).map(|link| [&[link, frame.len() as u8, 0][..], frame].concat()))
        .collect();
    mutated(&seeds, 60, bodies::frame);
}

#[test]
fn mutated_capture_files_lend_nothing_that_is_not_there() {
    let mut pcap = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        pcap.extend(word.to_le_bytes());
    }
    for frame in frames().iter().take(8) {
        for word in [1, 1, frame.len() as u32, frame.len() as u32] {
            pcap.extend(word.to_le_bytes());
        }
        pcap.extend(frame);
    }
    let zstd = ruzstd::encoding::compress_to_vec(&pcap[..], ruzstd::encoding::CompressionLevel::Fastest);
    let mut gzip = flate2::read::GzEncoder::new(&pcap[..], flate2::Compression::fast());
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut gzip, &mut packed).unwrap();
    mutated(&[pcap, zstd, packed], 2_000, bodies::capture_file);
}
