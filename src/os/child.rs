//! A program that we started, and how long it may take.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until it has ended; one that takes longer than `limit` is killed, which is `None`.
///
/// # Errors
/// If the kernel does not know it.
pub(super) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_takes_too_long_is_killed_and_what_does_not_is_asked_for_its_end() {
        let start = |line: &str| Command::new("sh").args(["-c", line]).spawn().unwrap();
        assert_eq!(wait(&mut start("exit 3"), Duration::from_secs(10)).unwrap().unwrap().code(), Some(3));
        assert!(wait(&mut start("exec sleep 60"), Duration::from_millis(50)).unwrap().is_none());
    }
}
