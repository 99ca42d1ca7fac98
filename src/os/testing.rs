//! A network of one's own for a test, and how to say that there is none.
//!
//! Network namespaces belong to threads, and every test runs in a thread: what a test does to its network, and
//! the processes it starts to look at it, touch nothing else, and all of it is gone when the thread ends.

use std::process::Command;

use super::sys;

/// Moves the calling test into a fresh network namespace with `lo` up. `None`, with a message, if that cannot be
/// or one of the programs the test looks with is missing.
pub(crate) fn own_network(test: &str, programs: &[&str]) -> Option<()> {
    let skip = |reason: String| {
        eprintln!("{test}: skipped, {reason}");
        None
    };
    for program in programs {
        if Command::new(program).arg("--version").output().is_err() {
            return skip(format!("no {program}"));
        }
    }
    if let Err(error) = sys::unshare_network() {
        return skip(format!("no network namespace: {error}"));
    }
    run("ip link set lo up");
    Some(())
}

/// Runs a command line (split at spaces) and returns what it printed.
pub(crate) fn run(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}: {err}");
    out.into_owned()
}
