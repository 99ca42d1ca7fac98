//! A program that we started, and how long it may take: it and whatever it has started itself.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::sys;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Starts a program in a group of its own.
///
/// # Errors
/// If it cannot be started.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    command.process_group(0).spawn()
}

/// The first line of what a program said, fit for a log.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Waits until it has ended, with something to do at each look; one that takes longer than `limit` is killed, which is
/// `None`.
///
/// # Errors
/// If the kernel does not know it.
pub(super) fn wait(
    child: &mut Child,
    limit: Duration,
    mut meanwhile: impl FnMut(),
) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        meanwhile();
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            sys::kill_group(child.id())?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_takes_too_long_is_killed_and_what_does_not_is_asked_for_its_end() {
        let start = |line: &str| start(Command::new("sh").args(["-c", line])).unwrap();
        assert_eq!(
            wait(&mut start("exit 3"), Duration::from_secs(10), || ()).unwrap().unwrap().code(),
            Some(3)
        );
        assert!(wait(&mut start("exec sleep 60"), Duration::from_millis(50), || ()).unwrap().is_none());
    }

    #[test]
    fn what_it_has_started_is_killed_with_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & echo; wait"]).stdout(Stdio::piped());
        let mut shell = start(&mut shell).unwrap();
        assert!(wait(&mut shell, Duration::from_millis(200), || ()).unwrap().is_none());
        // The pipe ends when nobody holds it any more: the sleeper is gone, too.
        let mut said = String::new();
        let began = Instant::now();
        shell.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
