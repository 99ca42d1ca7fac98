//! Capture files and streams: opened, decompressed, and read as one time line.
//!
//! What a file is, its first bytes say, never its name: plain, gzip or zstd around pcap or pcapng. A stream on
//! standard input is delivered as it arrives. The parsing itself is `dissect::trace`, which needs no file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dissect::Frame;
use crate::dissect::trace::{Damage, TraceError, TraceReader};
use crate::time::Moment;

mod gunzip;
mod progress;
mod unpack;

pub use progress::{Progress, Results};
pub use unpack::unpacked;

/// Standard input, as a file name.
pub const STDIN: &str = "-";

/// Why a capture could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file does not open.
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It opens, but is no capture or cannot be read on.
    Capture {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: TraceError,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, .. } | Self::Capture { path, .. } => f.write_str(&shown(path)),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } => Some(source),
            Self::Capture { source, .. } => Some(source),
        }
    }
}

/// A file name on one line of a terminal.
pub fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) {
        "standard input".into()
    } else {
        path.display().to_string().escape_debug().collect()
    }
}

type Source = TraceReader<Box<dyn Read>>;

/// Captures read side by side; a further one waits until one of them ends.
const MAX_OPEN: usize = 8;
/// A file that begins this little before another one ends follows it: packets of one capture are now and then
/// out of order by less.
const SLACK: Duration = Duration::from_millis(500);
/// A clock that leaps over the beginning of another file by more than this is broken, and says nothing about
/// the order.
const LEAP: Duration = Duration::from_secs(3600);

/// A capture being read.
struct Open {
    path: PathBuf,
    source: Source,
    /// Stamp of the frame lent last.
    last: Moment,
}

/// A capture whose time has not come.
struct Waiting {
    path: PathBuf,
    first: Moment,
    /// Standard input cannot be opened twice.
    source: Option<Source>,
    turn: Turn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// When the time line reaches its first frame.
    WithItsTime,
    /// When all others have ended.
    After,
}

/// One or more captures read as one time line.
///
/// Files are taken in the order of their first stamps. Where they overlap (two interfaces recorded at once) their
/// frames are interleaved by time; where one continues the other (a capture cut in two, clocks of any kind) the
/// frames come exactly as from one file.
pub struct CaptureReader {
    open: Vec<Open>,
    /// The next one last.
    waiting: Vec<Waiting>,
    /// What the finished files lost.
    damage: Damage,
    progress: Option<Progress>,
}

/// A file that was opened without knowing what it is.
pub enum Input {
    /// Packets.
    Capture(CaptureReader),
    /// Lines, from the first one on.
    Text(BufReader<Box<dyn Read>>),
}

impl CaptureReader {
    /// Opens captures; `-` is standard input. With several, each is looked into before the first frame is lent, so
    /// that a file that is no capture is known at once.
    ///
    /// # Errors
    /// A file that does not open or is no capture.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ReadError> {
        Self::open_with(paths, None)
    }

    /// The same, telling how far it has come.
    ///
    /// # Errors
    /// A file that does not open or is no capture.
    pub fn open_with(paths: &[PathBuf], progress: Option<Progress>) -> Result<Self, ReadError> {
        let mut reader = Self { open: Vec::new(), waiting: Vec::new(), damage: Damage::default(), progress };
        match paths {
            [] => reader.begin(STDIN.into(), None)?,
            [only] => reader.begin(only.clone(), None)?,
            several => {
                for path in several {
                    reader.look_into(path)?;
                }
                reader.waiting.sort_by_key(|waiting| waiting.first);
                reader.waiting.reverse();
            }
        }
        Ok(reader)
    }

    /// Opens one input that may be a capture, or text of a format that begins with `magic`.
    ///
    /// # Errors
    /// Of a file that does not open, or is neither.
    pub fn open_or_text(path: &Path, magic: &[u8], progress: Option<Progress>) -> Result<Input, ReadError> {
        let in_file = |source| ReadError::Capture { path: path.to_owned(), source };
        let mut plain = open_plain(path, progress.as_ref())?;
        let mut head = Vec::new();
        (&mut plain)
            .take(magic.len() as u64)
            .read_to_end(&mut head)
            .map_err(|e| in_file(TraceError::Io(e)))?;
        let is_text = head == magic;
        let whole: Box<dyn Read> = Box::new(io::Cursor::new(head).chain(plain));
        if is_text {
            return Ok(Input::Text(BufReader::new(whole)));
        }
        let source = TraceReader::try_new(whole).map_err(in_file)?;
        let open = vec![Open { path: path.to_owned(), source, last: Moment::ZERO }];
        Ok(Input::Capture(Self { open, waiting: Vec::new(), damage: Damage::default(), progress }))
    }

    fn look_into(&mut self, path: &Path) -> Result<(), ReadError> {
        let mut source = open_one(path, None)?;
        match source.peek().map_err(|source| ReadError::Capture { path: path.to_owned(), source })? {
            None => self.damage.add(source.damage()),
            Some(first) => {
                let source = (path == Path::new(STDIN)).then_some(source);
                self.waiting.push(Waiting { path: path.to_owned(), first, source, turn: Turn::WithItsTime });
            }
        }
        Ok(())
    }

    fn begin(&mut self, path: PathBuf, source: Option<Source>) -> Result<(), ReadError> {
        let source = match source {
            Some(source) => source,
            None => open_one(&path, self.progress.as_ref())?,
        };
        self.open.push(Open { path, source, last: Moment::ZERO });
        Ok(())
    }

    /// The next frame, `None` when all files are read. The frame is lent until the next call.
    ///
    /// # Errors
    /// A file that cannot be read on.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        let next = if self.waiting.is_empty() && self.open.len() == 1 { Some(0) } else { self.choose()? };
        let Some(open) = next.and_then(|next| self.open.get_mut(next)) else { return Ok(None) };
        match open.source.next() {
            Ok(frame) => {
                if let Some(frame) = &frame {
                    open.last = frame.at;
                }
                Ok(frame)
            }
            Err(source) => Err(ReadError::Capture { path: open.path.clone(), source }),
        }
    }

    /// Which of the open captures has the earliest frame; opens and closes captures as time reaches them.
    fn choose(&mut self) -> Result<Option<usize>, ReadError> {
        loop {
            let Some((index, stamp)) = self.earliest()? else {
                let Some(Waiting { path, source, .. }) = self.waiting.pop() else { return Ok(None) };
                self.begin(path, source)?;
                continue;
            };
            match self.waiting.last_mut() {
                Some(next) if next.turn == Turn::WithItsTime && next.first + SLACK < stamp => {
                    let smooth = stamp.since(self.open[index].last) < LEAP;
                    if !smooth {
                        next.turn = Turn::After;
                    } else if self.open.len() < MAX_OPEN
                        && let Some(Waiting { path, source, .. }) = self.waiting.pop()
                    {
                        self.begin(path, source)?;
                        continue;
                    }
                    return Ok(Some(index));
                }
                Some(_) | None => return Ok(Some(index)),
            }
        }
    }

    /// The open capture with the earliest next frame; those that have ended are closed.
    fn earliest(&mut self) -> Result<Option<(usize, Moment)>, ReadError> {
        let mut best: Option<(usize, Moment)> = None;
        let mut index = 0;
        while let Some(open) = self.open.get_mut(index) {
            let stamp = open.source.peek();
            match stamp.map_err(|source| ReadError::Capture { path: open.path.clone(), source })? {
                None => {
                    self.damage.add(open.source.damage());
                    self.open.remove(index);
                }
                Some(stamp) => {
                    if best.is_none_or(|(_, least)| stamp < least) {
                        best = Some((index, stamp));
                    }
                    index += 1;
                }
            }
        }
        Ok(best)
    }

    /// Whether the next call would have to read: with timers running, wait for the input to be readable first.
    pub fn needs_input(&self) -> bool {
        self.open.iter().any(|open| open.source.needs_input())
    }

    /// What all files lost so far.
    pub fn damage(&self) -> Damage {
        let mut sum = self.damage;
        for open in &self.open {
            sum.add(open.source.damage());
        }
        sum
    }
}

fn open_one(path: &Path, progress: Option<&Progress>) -> Result<Source, ReadError> {
    let plain = open_plain(path, progress)?;
    TraceReader::try_new(plain).map_err(|source| ReadError::Capture { path: path.to_owned(), source })
}

/// A file without its compression.
fn open_plain(path: &Path, progress: Option<&Progress>) -> Result<Box<dyn Read>, ReadError> {
    let raw: Box<dyn Read> = if path == Path::new(STDIN) {
        Box::new(io::stdin())
    } else {
        let opened = File::open(path).and_then(|file| {
            if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        let file = opened.map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
        match progress {
            Some(progress) => Box::new(progress.watch(file)),
            None => Box::new(file),
        }
    };
    unpacked(raw).map_err(|cause| ReadError::Capture { path: path.to_owned(), source: TraceError::Io(cause) })
}

/// Reads a small file whole, at most `max_bytes` of it.
///
/// # Errors
/// Those of the file system.
pub fn read_bounded(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Standard output for who gathers lines itself: the library's own looks for the last newline in all it is given.
///
/// # Errors
/// If it is closed.
pub fn standard_output() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// Replaces a file: at every instant the old or the new one is there, whole.
///
/// # Errors
/// Those of the file system; then the old one stays.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = path.to_owned().into_os_string();
    fresh.push(".new");
    std::fs::write(&fresh, bytes)?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests;
