//! `streamguard analyze` as people run it: the shipped capture, damaged files, broken clocks, pipes.

#![expect(clippy::disallowed_methods, reason = "tests start the program and write its input")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo.pcap.zst");

fn streamguard(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_streamguard"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(args: &[&str], input: &[u8]) -> serde_json::Value {
    let output = streamguard(args, input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A directory of its own that vanishes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn demo_bytes() -> Vec<u8> {
    let output = Command::new("zstd").args(["-dcq", DEMO]).output().expect("zstd is installed by make deps");
    output.stdout
}

/// A classic pcap file, microseconds, Ethernet.
fn pcap(records: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for (at_us, frame) in records {
        let words =
            [(at_us / 1_000_000) as u32, (at_us % 1_000_000) as u32, frame.len() as u32, frame.len() as u32];
        file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(frame);
    }
    file
}

/// UDP from the Internet to 192.168.1.20 in a frame of `len` bytes.
fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 0x20, 2, 0, 0, 0, 0, 1, 8, 0]);
    let ip_len = (len - 14) as u16;
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&ip_len.to_be_bytes());
    frame[22..24].copy_from_slice(&[64, 17]);
    frame[26..34].copy_from_slice(&[203, 0, 113, 9, 192, 168, 1, 20]);
    frame[34..38].copy_from_slice(&[1, 187, 200, 0]);
    frame[38..40].copy_from_slice(&(ip_len - 20).to_be_bytes());
    frame
}

#[test]
fn the_same_input_twice_gives_the_same_bytes() {
    let args = ["analyze", DEMO, "--report", "clients,windows", "--json"];
    let (one, two) = (streamguard(&args, b""), streamguard(&args, b""));
    assert_eq!(one.status.code(), Some(0));
    assert!(one.stdout.len() > 10_000);
    assert_eq!(one.stdout, two.stdout);
}

#[test]
fn a_file_cut_in_two_and_a_pipe_give_the_windows_of_one_file() {
    let scratch = Scratch::new("cut");
    let whole = demo_bytes();
    let mut cut = 24;
    while cut < whole.len() / 2 {
        let len = u32::from_le_bytes(whole[cut + 8..cut + 12].try_into().unwrap());
        cut += 16 + len as usize;
    }
    let second = [&whole[..24], &whole[cut..]].concat();
    let (one, two) = (scratch.file("1.pcap", &whole[..cut]), scratch.file("2.pcap", &second));
    let tail = ["--report", "clients,windows", "--json"];
    let clients = |files: &[&str], input: &[u8]| {
        let args: Vec<&str> = ["analyze"].iter().chain(files).chain(&tail).copied().collect();
        json(&args, input)["clients"].clone()
    };
    let expected = clients(&[DEMO], b"");
    assert_eq!(clients(&[&one, &two], b""), expected);
    assert_eq!(clients(&["-"], &whole), expected);
}

#[test]
fn silence_inside_a_session_is_counted_and_the_sum_is_that_of_the_windows() {
    let document = json(&["analyze", DEMO, "--report", "clients,windows", "--json"], b"");
    let duration_s = document["capture"]["duration_s"].as_f64().unwrap();
    let mut watched = 0;
    for client in document["clients"].as_array().unwrap() {
        let counted = client["windows"].as_array().unwrap().iter().filter(|w| w["streaming"] == true);
        let inside = counted.map(|window| {
            let start_s = window["start_s"].as_f64().unwrap();
            (start_s + 10.0).min(duration_s) - start_s.max(0.0)
        });
        let (sum_s, watch_s) = (inside.sum::<f64>(), client["watch_s"].as_f64().unwrap());
        assert!((sum_s - watch_s).abs() < 0.001, "{sum_s} {watch_s}");
        watched += usize::from(watch_s > 0.0);
    }
    assert_eq!(watched, 2);
}

#[test]
fn a_truncated_file_is_analysed_up_to_its_end_and_says_so() {
    let whole = demo_bytes();
    let document = json(&["analyze", "-", "--json"], &whole[..whole.len() / 3]);
    assert_eq!(document["capture"]["truncated"], true);
    assert!(document["capture"]["packets"].as_u64().unwrap() > 10_000);
}

#[test]
fn what_is_no_capture_is_one_line_that_names_the_file_and_exit_2() {
    let scratch = Scratch::new("none");
    let garbage = scratch.file("garbage.pcap", b"this is not a capture, whatever its name says");
    let empty = scratch.file("empty.pcap", b"");
    let missing = scratch.0.join("missing.pcap").display().to_string();
    for path in [&garbage, &empty, &missing] {
        let output = streamguard(&["analyze", path], b"");
        assert_eq!(output.status.code(), Some(2), "{path}");
        let line = text(&output.stderr);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(Path::new(path).file_name().unwrap().to_str().unwrap()), "{line}");
    }
}

#[test]
fn a_clock_that_jumps_by_years_costs_neither_time_nor_windows() {
    let scratch = Scratch::new("clock");
    let times_s = [1_000_000_000u64, 1_000_000_005, 4_000_000_000, 4_000_000_004, 5, 1_000_000_010];
    let records: Vec<_> = times_s.iter().map(|s| (s * 1_000_000, frame(1_000))).collect();
    let file = scratch.file("jumps.pcap", &pcap(&records));
    let document = json(&["analyze", &file, "--report", "windows", "--json"], b"");
    assert_eq!(document["capture"]["gaps"].as_array().unwrap().len(), 3);
    assert!(document["clients"][0]["windows"].as_array().unwrap().len() < 10);
    assert_eq!(document["clients"][0]["watch_s"], 0.0);
}

#[test]
fn a_capture_without_a_lan_end_names_the_option_to_give() {
    let scratch = Scratch::new("nolan");
    let mut foreign = frame(100);
    foreign[30..34].copy_from_slice(&[198, 51, 100, 7]);
    let file = scratch.file("foreign.pcap", &pcap(&[(1_000_000, foreign)]));
    let output = streamguard(&["analyze", &file], b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("--lan"));
    let document = json(&["analyze", &file, "--lan", "198.51.100.0/24", "--identify", "ip", "--json"], b"");
    assert_eq!(document["clients"][0]["client"], "198.51.100.7");
}

#[test]
fn bad_options_are_named_and_exit_2() {
    for args in [
        &["analyze", DEMO, "--lan", "300.1.1.1/8"][..],
        &["analyze", DEMO, "--identify", "name"],
        &["analyze", DEMO, "--report", "nonsense"],
        &["analyze"],
        &["analyze", DEMO, "--model", DEMO],
    ] {
        let output = streamguard(args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn frames_of_nonsense_are_counted_and_never_stop_the_analysis() {
    let scratch = Scratch::new("nonsense");
    let mut seed = 1u64;
    let records: Vec<_> = (0..2_000u64)
        .map(|i| {
            let mut bytes = frame(60 + (i as usize * 7) % 900);
            for _ in 0..10 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 20) as u8;
            }
            (i * 1_000, bytes)
        })
        .collect();
    let file = scratch.file("nonsense.pcap", &pcap(&records));
    let document = json(&["analyze", &file, "--json"], b"");
    assert_eq!(document["capture"]["packets"], 2_000);
}

#[test]
fn stretches_follow_each_other_without_a_gap_and_add_up() {
    let reports = ["--report", "protocols,conversations", "--json"];
    let whole = json(&[&["analyze", DEMO][..], &reports].concat(), b"");
    let output = streamguard(&[&["analyze", DEMO, "--every", "60"][..], &reports].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stretches: Vec<serde_json::Value> =
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect::<Result<_, _>>().unwrap();
    let sum = |key: &str| stretches.iter().map(|one| one["capture"][key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Some(sum("packets")), whole["capture"]["packets"].as_u64());
    assert_eq!(Some(sum("bytes")), whole["capture"]["bytes"].as_u64());
    let seconds = whole["capture"]["duration_s"].as_f64().unwrap();
    assert_eq!(stretches.len(), (seconds / 60.0).ceil() as usize);
    assert!(stretches.iter().all(|one| one["capture"]["duration_s"].as_f64().unwrap() <= 60.0));
    let of = |document: &serde_json::Value, path: &str| {
        let rows = document["protocols"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == path).map_or(0, |row| row["bytes"].as_u64().unwrap())
    };
    for path in ["eth", "eth:ip:tcp", "eth:ip:udp"] {
        assert_eq!(stretches.iter().map(|one| of(one, path)).sum::<u64>(), of(&whole, path), "{path}");
    }
}

#[test]
fn the_older_tools_file_accumulates_over_runs_and_stretches() {
    let scratch = Scratch::new("legacy");
    let file = scratch.0.join("network_log.json").display().to_string();
    let arguments = ["analyze", DEMO, "--report", "pairs", "--legacy", "--into", &file];
    let once = json(&arguments, b"");
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, once);
    let output = streamguard(&[&arguments[..], &["--every", "100"]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for (pair, kilobytes) in once.as_object().unwrap() {
        assert_eq!(kept[pair].as_f64(), kilobytes.as_f64().map(|once| 2.0 * once), "{pair}");
    }
    fs::write(&file, "{\"what\": 1}").unwrap();
    assert_eq!(streamguard(&arguments, b"").status.code(), Some(2), "another file is left as it is");
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"what\": 1}");
}
