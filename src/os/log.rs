//! Where log lines go: syslog if there is one, else standard error; and no line twice.
//!
//! logd on a router is a ring of 64 KiB, so a cause that repeats is counted and folded: the first line is written
//! at once, further equal ones within a minute become "… 412 more".

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard};

use log::{Level, LevelFilter, Log, Metadata, Record};
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

use super::sys;
use crate::config::LogLevel;

/// Equal lines within this time are folded.
const FOLD_NS: i64 = 60 * 1_000_000_000;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The system's log, or standard error where there is none.
    Syslog,
    /// Standard error: in the foreground.
    Stderr,
}

enum Writer {
    Syslog(Box<Logger<LoggerBackend, Unstamped>>),
    Stderr,
}

/// RFC 3164 lines without a time: whoever listens at the local socket writes its own, in the zone of the router.
/// (The formatter that comes with the crate writes UTC, and 40 kB of calendar.)
#[derive(Clone, Debug)]
struct Unstamped {
    pid: u32,
}

impl LogFormat<&str> for Unstamped {
    fn format<W: std::io::Write>(&self, w: &mut W, severity: Severity, message: &str) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        write!(w, "<{priority}>streamguard[{}]: {message}", self.pid).map_err(syslog::Error::Write)
    }
}

/// The last line written, and how often it came again since.
#[derive(Default)]
struct Fold {
    line: String,
    since_ns: i64,
    repeats: u64,
}

impl Fold {
    /// What to write for a line at a time: nothing while it repeats, else first the count of repetitions of the
    /// line before.
    fn take(&mut self, line: &str, now_ns: i64) -> (Option<String>, Option<String>) {
        if self.line == line && now_ns.saturating_sub(self.since_ns) < FOLD_NS {
            self.repeats += 1;
            return (None, None);
        }
        let before = (self.repeats > 0).then(|| format!("{} … {} more", self.line, self.repeats));
        *self = Self { line: line.to_owned(), since_ns: now_ns, repeats: 0 };
        (before, Some(line.to_owned()))
    }
}

struct Desk {
    writer: Writer,
    fold: Fold,
}

struct Folding {
    desk: Mutex<Desk>,
}

impl Folding {
    /// A poisoned lock means that a line could not be formatted; the next one still can.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Log for Folding {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The netlink crates narrate every message.
        metadata.target().starts_with("streamguard") && metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = String::new();
        let _ = write!(line, "{}", record.args());
        let mut desk = self.desk();
        let (before, now) = desk.fold.take(&line, sys::monotonic_ns().unwrap_or(0));
        for line in before.into_iter().chain(now) {
            desk.writer.write(record.level(), &line);
        }
    }

    fn flush(&self) {}
}

impl Writer {
    /// A log that cannot be written to is nobody's to complain to.
    fn write(&mut self, level: Level, line: &str) {
        match self {
            Self::Stderr => drop(writeln!(std::io::stderr(), "streamguard: {line}")),
            Self::Syslog(logger) => {
                let _ = match level {
                    Level::Error => logger.err(line),
                    Level::Warn => logger.warning(line),
                    Level::Info => logger.notice(line),
                    Level::Debug => logger.info(line),
                    Level::Trace => logger.debug(line),
                };
            }
        }
    }
}

/// Starts logging; called once. Returns where lines really go.
pub fn start(sink: Sink, level: LogLevel) -> Sink {
    let formatter = Unstamped { pid: std::process::id() };
    let (writer, sink) = match sink {
        Sink::Stderr => (Writer::Stderr, Sink::Stderr),
        Sink::Syslog => match syslog::unix(formatter) {
            Ok(logger) => (Writer::Syslog(Box::new(logger)), Sink::Syslog),
            Err(_) => (Writer::Stderr, Sink::Stderr),
        },
    };
    let folding = Folding { desk: Mutex::new(Desk { writer, fold: Fold::default() }) };
    // A second start keeps the first logger.
    let _ = log::set_boxed_logger(Box::new(folding));
    set_level(level);
    sink
}

/// Changes how much is logged.
pub fn set_level(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Info => LevelFilter::Debug,
        LogLevel::Debug => LevelFilter::Trace,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_syslog_has_priority_name_and_process() {
        let mut line = Vec::new();
        Unstamped { pid: 7 }.format(&mut line, Severity::LOG_WARNING, "table is gone").unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), "<28>streamguard[7]: table is gone");
    }

    #[test]
    fn repeated_lines_are_counted_and_folded() {
        let mut fold = Fold::default();
        let second = 1_000_000_000;
        assert_eq!(fold.take("a", 0), (None, Some("a".into())));
        for n in 1..=412 {
            assert_eq!(fold.take("a", n), (None, None));
        }
        assert_eq!(fold.take("b", second), (Some("a … 412 more".into()), Some("b".into())));
        assert_eq!(fold.take("a", 2 * second), (None, Some("a".into())));
        assert_eq!(fold.take("a", 3 * second), (None, None));
        assert_eq!(
            fold.take("a", 62 * second),
            (Some("a … 1 more".into()), Some("a".into())),
            "once a minute"
        );
    }
}
