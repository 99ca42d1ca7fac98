//! `streamguard features --of seconds`: a capture's seconds in place of its packets.

#![expect(clippy::disallowed_methods, reason = "tests start the program and write its input")]

use std::path::PathBuf;
use std::process::{Command, Output};

use streamguard::classify::fnv1a;
use streamguard::features::schema_hash;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo.pcap.zst");
/// A recording of which the repository keeps nothing but seconds.
const MIX11: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model/corpus/mix11/mix11.pcap.zst.seconds.zst");

fn features(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_streamguard")).arg("features").args(args).output().unwrap()
}

fn said(args: &[&str]) -> Vec<u8> {
    let output = features(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A file that is gone when the test is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-{name}-{}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn rows_of_seconds_are_those_of_the_capture_byte_for_byte() {
    for identify in ["mac", "ip"] {
        let seconds = said(&["--identify", identify, "--of", "seconds", DEMO]);
        let seconds = Scratch::new(&format!("seconds-{identify}"), &seconds);
        for phase in ["0", "3", "5", "8"] {
            let rows = said(&["--identify", identify, "--phase", phase, DEMO]);
            assert!(rows.iter().filter(|byte| **byte == b'\n').count() > 300);
            assert!(rows == said(&["--phase", phase, seconds.path()]), "{identify}, phase {phase}");
        }
    }
}

/// Floods of servers, forged addresses, clocks of other tools.
#[test]
fn rows_of_the_seconds_of_attacks_are_those_of_their_captures() {
    let mut captures = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attacks/captures")).unwrap() {
        let path = entry.unwrap().path().display().to_string();
        if path.ends_with(".pcap.zst") {
            let seconds = Scratch::new("seconds-attack", &said(&["--of", "seconds", &path]));
            let rows = said(&["--phase", "8", &path]);
            assert!(rows == said(&["--phase", "8", seconds.path()]), "{path}");
            captures += 1;
        }
    }
    assert!(captures > 50, "{captures}");
}

#[test]
fn a_cut_file_is_refused_by_name_and_line() {
    let whole = said(&["--of", "seconds", DEMO]);
    let cut = whole[..whole.len() / 2].iter().rposition(|byte| *byte == b'\n').unwrap();
    let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count() + 1;
    let file = Scratch::new("seconds-cut", &whole[..cut]);
    let output = features(&[file.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "streamguard: {}: line {lines}: the file ends here without its line `end`: it was cut off\n",
            file.path()
        )
    );
}

#[test]
fn what_seconds_cannot_give_is_refused() {
    let file = Scratch::new("seconds-asked", &said(&["--of", "seconds", DEMO]));
    for (args, why) in [
        (["--phase", "0.5"], "--phase: a file of seconds knows whole seconds only"),
        (["--of", "threats"], "features: of a file of seconds there are windows only, of the clients it has"),
        (
            ["--lan", "10.0.0.0/8"],
            "features: of a file of seconds there are windows only, of the clients it has",
        ),
    ] {
        let output = features(&[args[0], args[1], file.path()]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("streamguard: {why}\n"));
    }
}

/// The seconds of [`MIX11`] give the rows that were made of its packets, and that the shipped model has learnt from.
#[test]
fn the_corpus_gives_the_rows_that_the_shipped_model_learnt_from() {
    // Other features are other rows: change this with them, and the expected sums below.
    assert_eq!(format!("{:016x}", schema_hash()), "46b256fba86e4f59");
    for (phase, sum) in [("0", 0x8cb3_ed9b_1421_d561), ("8", 0x2b4f_44dd_1703_dffa)] {
        let rows = said(&["--phase", phase, MIX11]);
        assert_eq!(fnv1a(&rows), sum, "phase {phase}");
    }
}
