//! Capture files and streams: opened, decompressed, and read as one time line.
//!
//! What a file is, its first bytes say, never its name: plain, gzip or zstd around pcap or pcapng. A stream on
//! standard input is delivered as it arrives. The parsing itself is `dissect::trace`, which needs no file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;

use crate::dissect::Frame;
use crate::dissect::trace::{Damage, TraceError, TraceReader};

/// Standard input, as a file name.
pub const STDIN: &str = "-";

/// Window of a zstd stream that we are ready to keep in memory: what the format asks of every decoder (RFC 8878
/// §3.1.1.1.2).
const MAX_ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

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
fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) {
        "standard input".into()
    } else {
        path.display().to_string().escape_debug().collect()
    }
}

type Source = TraceReader<Box<dyn Read>>;

/// One or more captures read as one time line.
pub struct CaptureReader {
    current: (PathBuf, Source),
    /// Files still to come, last first.
    waiting: Vec<PathBuf>,
    /// What the finished files lost.
    damage: Damage,
}

impl CaptureReader {
    /// Opens captures; `-` is standard input.
    ///
    /// # Errors
    /// A file that does not open or is no capture.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ReadError> {
        let mut waiting: Vec<PathBuf> = paths.to_vec();
        waiting.reverse();
        let first = waiting.pop().unwrap_or_else(|| STDIN.into());
        let source = open_one(&first)?;
        Ok(Self { current: (first, source), waiting, damage: Damage::default() })
    }

    /// The next frame, `None` when all files are read. The frame is lent until the next call.
    ///
    /// # Errors
    /// A file that cannot be read on.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        while !self.waiting.is_empty() && self.peeks_end()? {
            let Some(path) = self.waiting.pop() else { break };
            self.damage.add(self.current.1.damage());
            let source = open_one(&path)?;
            self.current = (path, source);
        }
        let (path, source) = &mut self.current;
        source.next().map_err(|source| ReadError::Capture { path: path.clone(), source })
    }

    fn peeks_end(&mut self) -> Result<bool, ReadError> {
        let (path, source) = &mut self.current;
        let stamp = source.peek().map_err(|source| ReadError::Capture { path: path.clone(), source })?;
        Ok(stamp.is_none())
    }

    /// Whether the next call would have to read: with timers running, wait for the input to be readable first.
    pub fn needs_input(&self) -> bool {
        self.current.1.needs_input()
    }

    /// What all files lost so far.
    pub fn damage(&self) -> Damage {
        let mut sum = self.damage;
        sum.add(self.current.1.damage());
        sum
    }
}

fn open_one(path: &Path) -> Result<Source, ReadError> {
    let raw: Box<dyn Read> = if path == Path::new(STDIN) {
        Box::new(io::stdin())
    } else {
        let opened = File::open(path).and_then(|file| {
            if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        Box::new(opened.map_err(|source| ReadError::Open { path: path.to_owned(), source })?)
    };
    let in_file = |source| ReadError::Capture { path: path.to_owned(), source };
    let plain = decompressed(raw).map_err(|cause| in_file(TraceError::Io(cause)))?;
    TraceReader::try_new(plain).map_err(in_file)
}

/// Looks at the first bytes and puts the decompressor in front that they ask for.
fn decompressed(mut raw: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut magic = [0; 4];
    let mut have = 0;
    while have < magic.len() {
        match raw.read(&mut magic[have..]) {
            Ok(0) => break,
            Ok(len) => have += len,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    let whole = Prefixed { prefix: magic, at: 0, len: have, rest: raw };
    Ok(match magic {
        [0x1f, 0x8b, _, _] => Box::new(MultiGzDecoder::new(BufReader::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            Box::new(Zstd::new(BufReader::new(whole)))
        }
        _ => Box::new(whole),
    })
}

/// Bytes already read, then the rest.
struct Prefixed {
    prefix: [u8; 4],
    at: usize,
    len: usize,
    rest: Box<dyn Read>,
}

impl Read for Prefixed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.len {
            return self.rest.read(into);
        }
        let len = (self.len - self.at).min(into.len());
        into[..len].copy_from_slice(&self.prefix[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

/// A zstd stream of any number of frames (RFC 8878 §3): the decoder knows one only.
struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    /// Inside a frame.
    open: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_ZSTD_WINDOW);
        Self { input, decoder, open: false }
    }

    /// Starts the next frame; `false` at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.input).take(length.into()), &mut io::sink())?;
                }
                Err(cause) => return Err(io::Error::new(io::ErrorKind::InvalidData, cause)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.open {
                if !self.begin()? {
                    return Ok(0);
                }
                self.open = true;
            }
            let ready = self.decoder.can_collect();
            if ready == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.input, UptoBytes(into.len()))
                    .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))?;
                continue;
            }
            let len = self.decoder.read(into)?;
            if len > 0 {
                return Ok(len);
            }
            self.open = false;
        }
    }
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
