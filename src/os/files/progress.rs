//! How far the reading of long captures has come, on a terminal.
//!
//! A line on standard error, drawn anew a few times a second and wiped away at the end; nothing at all where standard
//! error is no terminal. Counted are the bytes that are read from the files, compressed as they are, a quarter of a
//! megabyte at a time: packets cost nothing.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing is drawn before reading has taken so long.
const QUIET: Duration = Duration::from_millis(700);
/// Between two drawings.
const EVERY: Duration = Duration::from_millis(200);
/// Characters of the bar.
const WIDTH: u64 = 30;

/// Whether results are written while captures are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// When all is read.
    AtTheEnd,
    /// As they come.
    Meanwhile,
}

/// Where the reading stands; clones are the same one.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<Gauge>>);

struct Gauge {
    done: u64,
    total: u64,
    began: Instant,
    next: Instant,
    is_drawn: bool,
    sink: Box<dyn Write + Send>,
}

impl Progress {
    /// For these captures, if somebody looks: standard error is a terminal, the captures have an end, and no results
    /// are written between the lines.
    pub fn on_terminal(paths: &[PathBuf], results: Results) -> Option<Self> {
        let mixes = results == Results::Meanwhile && io::stdout().is_terminal();
        if mixes || !io::stderr().is_terminal() {
            return None;
        }
        let sizes = paths.iter().map(|path| size(path)).collect::<Option<Vec<u64>>>()?;
        Some(Self::new(sizes.iter().sum(), QUIET, Box::new(io::stderr())))
    }

    fn new(total: u64, quiet: Duration, sink: Box<dyn Write + Send>) -> Self {
        let began = Instant::now();
        Self(Arc::new(Mutex::new(Gauge {
            done: 0,
            total,
            began,
            next: began + quiet,
            is_drawn: false,
            sink,
        })))
    }

    /// A file whose reading counts.
    pub(super) fn watch<R: Read>(&self, inner: R) -> Watched<R> {
        Watched { inner, progress: self.clone() }
    }

    /// Wipes the line away: what follows on the terminal stands on a clean one.
    pub fn end(&self) {
        if let Ok(mut gauge) = self.0.lock() {
            gauge.wipe();
        }
    }

    fn add(&self, bytes: usize) {
        let Ok(mut gauge) = self.0.lock() else { return };
        gauge.done += bytes as u64;
        let now = Instant::now();
        if now < gauge.next {
            return;
        }
        gauge.next = now + EVERY;
        gauge.is_drawn = true;
        let text = line(gauge.done, gauge.total, now - gauge.began);
        gauge.draw(&text);
    }
}

impl Gauge {
    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            self.draw("\r\x1b[K");
        }
    }

    /// A terminal that has gone is no reason to stop.
    fn draw(&mut self, text: &str) {
        let _ = self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush());
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A regular file's size in bytes; `None` for streams.
fn size(path: &Path) -> Option<u64> {
    let found = std::fs::metadata(path).ok()?;
    found.is_file().then_some(found.len())
}

/// `\r[####      ]  42 %, 12 s left`
fn line(done: u64, total: u64, elapsed: Duration) -> String {
    let (total, done) = (total.max(1), done.min(total));
    let full = usize::try_from(WIDTH * done / total).unwrap_or(0);
    let left = elapsed.as_secs_f64() * (total - done) as f64 / done.max(1) as f64;
    let width = usize::try_from(WIDTH).unwrap_or(0);
    format!("\r[{:width$}] {:3} %, {left:.0} s left\x1b[K", "#".repeat(full), 100 * done / total)
}

/// Tells how much has been read.
pub(super) struct Watched<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.progress.add(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_line_says_how_far_and_how_long() {
        assert_eq!(
            line(50, 100, Duration::from_secs(6)),
            "\r[###############               ]  50 %, 6 s left\x1b[K"
        );
        assert!(line(100, 100, Duration::from_secs(1)).contains("100 %, 0 s left"));
        // A file that grew while it was read, an empty one, nothing read yet.
        assert!(line(120, 100, Duration::ZERO).contains("100 %"));
        assert!(line(0, 0, Duration::ZERO).contains("0 %"));
    }

    #[test]
    fn what_is_read_is_drawn_and_wiped_away() {
        let screen = Screen::default();
        let progress = Progress::new(8, Duration::ZERO, Box::new(screen.clone()));
        let mut file = progress.watch(&b"12345678"[..]);
        file.read_exact(&mut [0; 4]).unwrap();
        assert!(screen.text().contains(" 50 %"), "{:?}", screen.text());
        progress.end();
        progress.end();
        assert_eq!(screen.text().matches("\r\x1b[K").count(), 1);
    }

    #[test]
    fn what_is_over_soon_is_not_drawn_at_all() {
        let screen = Screen::default();
        let progress = Progress::new(8, Duration::from_secs(3_600), Box::new(screen.clone()));
        progress.watch(&b"12345678"[..]).read_to_end(&mut Vec::new()).unwrap();
        progress.end();
        assert_eq!(screen.text(), "");
    }
}
