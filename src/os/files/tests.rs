use std::io::Write;

use super::*;

/// A pcap whose frames are single bytes, with stamps in seconds.
fn pcap(frames: &[(u32, u8)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for &(secs, byte) in frames {
        for word in [secs, 0, 1, 1] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.push(byte);
    }
    bytes
}

/// Files of one test, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(paths: &[PathBuf]) -> (Vec<u8>, Damage) {
    let mut reader = CaptureReader::open(paths).unwrap();
    let mut bytes = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        bytes.extend(frame.data);
    }
    (bytes, reader.damage())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn compression_is_told_by_content_and_may_come_in_pieces() {
    let dir = Dir::new("compression");
    let capture = pcap(&[(1, 1), (2, 2), (3, 3)]);
    let (front, back) = capture.split_at(50);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
    let forms = [
        capture.clone(),
        gzip(&capture),
        zstd(&capture),
        [gzip(front), gzip(back)].concat(),
        [zstd(front), skippable.to_vec(), zstd(back)].concat(),
        [skippable.to_vec(), zstd(&capture)].concat(),
    ];
    for (i, form) in forms.iter().enumerate() {
        assert_eq!(read(&[dir.file("x.txt", form)]), (vec![1, 2, 3], Damage::default()), "form {i}");
    }
}

#[test]
fn a_cut_compressed_file_gives_the_frames_before_the_cut() {
    let dir = Dir::new("cut");
    let frames: Vec<(u32, u8)> =
        (0..60_000).map(|i: u32| (i, (i.wrapping_mul(2_654_435_761) >> 24) as u8)).collect();
    let capture = pcap(&frames);
    for whole in [gzip(&capture), zstd(&capture)] {
        let (bytes, damage) = read(&[dir.file("cut", &whole[..whole.len() / 4 * 3])]);
        assert!(damage.truncated);
        assert!(bytes.len() > 1_000 && bytes.len() < 60_000, "{}", bytes.len());
        assert!(bytes.iter().zip(&frames).all(|(byte, frame)| *byte == frame.1));
    }
}

#[test]
fn files_are_one_time_line_in_any_order() {
    let dir = Dir::new("order");
    let a = dir.file("a", &pcap(&[(10, 1), (20, 2)]));
    let b = dir.file("b", &pcap(&[(30, 3), (40, 4)]));
    assert_eq!(read(&[b.clone(), a.clone()]).0, [1, 2, 3, 4]);
    assert_eq!(read(&[a, b]).0, [1, 2, 3, 4]);
}

#[test]
fn overlapping_files_interleave() {
    let dir = Dir::new("overlap");
    let a = dir.file("a", &pcap(&[(10, 1), (20, 3), (30, 5), (40, 7)]));
    let b = dir.file("b", &pcap(&[(15, 2), (25, 4), (35, 6)]));
    let c = dir.file("c", &pcap(&[]));
    assert_eq!(read(&[a, b, c]).0, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_capture_cut_in_two_reads_as_one_even_with_a_broken_clock() {
    let dir = Dir::new("halves");
    let frames = [(42, 1), (43, 2), (900_000_000, 3), (900_000_001, 4), (800_000_000, 5), (800_000_001, 6)];
    for cut in 1..frames.len() {
        let a = dir.file("a", &pcap(&frames[..cut]));
        let b = dir.file("b", &pcap(&frames[cut..]));
        assert_eq!(read(&[a, b]).0, [1, 2, 3, 4, 5, 6], "cut at {cut}");
    }
}

#[test]
fn a_file_that_is_no_capture_is_named_with_the_reason_on_one_line() {
    let dir = Dir::new("nocapture");
    let reason = |bytes: &[u8]| {
        let path = dir.file("evil\nname", bytes);
        let error = CaptureReader::open(&[path]).err().unwrap();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        let text = format!("{error}: {cause}");
        assert!(text.contains("evil\\nname") && !text.contains('\n'), "{text}");
        cause
    };
    assert_eq!(reason(b""), "the file is empty");
    assert_eq!(reason(b"PK\x03\x04 and so on"), "not a pcap or pcapng capture (begins with 50 4b 03 04)");
    assert_eq!(reason(b"\xd4\xc3\xb2\xa1"), "shorter than the header of a capture");
    assert_eq!(reason(b"\xd4\xc3"), "shorter than the header of a capture");
    assert!(matches!(CaptureReader::open(std::slice::from_ref(&dir.0)), Err(ReadError::Open { .. })));
    assert!(matches!(CaptureReader::open(&[dir.0.join("absent")]), Err(ReadError::Open { .. })));
    // Compressed nonsense is named too, whatever the decompressor calls it.
    reason(&gzip(b"hello world"));
    reason(b"\x1f\x8b\x08\x00garbage");
    reason(b"\x28\xb5\x2f\xfdgarbage");
}
