//! Capture files as a stream of frames: pcap and pcapng, from anything that can be read.
//!
//! [`TraceReader`] owns one buffer of fixed size and parses records in place, so a frame is lent, not copied, and
//! a file of any size costs the same memory. It believes a file as far as it makes sense: a record that cannot be
//! true is skipped up to the next place where records follow each other again, a file that stops in the middle of
//! a record just ends, and [`Damage`] counts what was lost. Only a stream that never was a capture is an error.

mod pcap;
mod pcapng;
mod window;

use std::fmt;
use std::io::{self, Read};

use crate::dissect::{Frame, LinkType};
use crate::time::Moment;

use pcap::Pcap;
use pcapng::Pcapng;
use window::Window;

/// Frames longer than this do not exist (libpcap's own limit); a record that claims more is damaged.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// What a capture lost before we saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// The stream stops in the middle of a record, or its compression does.
    pub truncated: bool,
    /// Places where records stopped making sense.
    pub bad_records: u64,
    /// Bytes passed over to find the next record that does.
    pub skipped_bytes: u64,
}

impl Damage {
    /// Whether nothing was lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Sums the damage of several files.
    pub fn add(&mut self, other: Self) {
        self.truncated |= other.truncated;
        self.bad_records += other.bad_records;
        self.skipped_bytes += other.skipped_bytes;
    }
}

/// Why a stream cannot be read as a capture.
#[derive(Debug)]
pub enum TraceError {
    /// It has no byte at all.
    Empty,
    /// It does not begin like any capture format we read.
    NotACapture {
        /// Its first bytes.
        magic: [u8; 4],
    },
    /// It is shorter than a capture's file header.
    HeaderCut,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::NotACapture { magic: [a, b, c, d] } => {
                write!(f, "not a pcap or pcapng capture (begins with {a:02x} {b:02x} {c:02x} {d:02x})")
            }
            Self::HeaderCut => f.write_str("shorter than the header of a capture"),
            Self::Io(_) => f.write_str("cannot be read"),
        }
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(cause) => Some(cause),
            Self::Empty | Self::NotACapture { .. } | Self::HeaderCut => None,
        }
    }
}

/// Where the next frame lies in the window.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: Moment,
    link: LinkType,
    wire_len: u32,
    start: usize,
    len: usize,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A capture being read.
pub struct TraceReader<R> {
    window: Window<R>,
    format: Format,
    damage: Damage,
    /// Parsed but not yet lent.
    peeked: Option<Record>,
}

impl<R: Read> TraceReader<R> {
    /// Reads the file header.
    ///
    /// # Errors
    /// A stream that is no capture, or cannot be read.
    pub fn try_new(input: R) -> Result<Self, TraceError> {
        let mut window = Window::new(input);
        if !window.fill(4).map_err(TraceError::Io)? {
            return Err(if window.bytes().is_empty() { TraceError::Empty } else { TraceError::HeaderCut });
        }
        let magic = *window.bytes().first_chunk().ok_or(TraceError::HeaderCut)?;
        let format = if magic == pcapng::SECTION_MAGIC {
            Format::Pcapng(Pcapng::default())
        } else {
            Format::Pcap(Pcap::try_open(magic, &mut window)?)
        };
        Ok(Self { window, format, damage: Damage::default(), peeked: None })
    }

    /// The next frame, `None` at the end. The frame is lent: it lives in the reader's buffer until the next call.
    ///
    /// # Errors
    /// Only if reading itself fails; damage is counted, not reported as an error.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, TraceError> {
        let record = match self.peeked.take() {
            Some(record) => Some(record),
            None => self.advance()?,
        };
        let Some(Record { at, link, wire_len, start, len }) = record else { return Ok(None) };
        let data = self.window.lent(start, len);
        Ok(Some(Frame { at, link, wire_len, data }))
    }

    /// The stamp of the frame that [`TraceReader::next`] will lend.
    ///
    /// # Errors
    /// As [`TraceReader::next`].
    pub fn peek(&mut self) -> Result<Option<Moment>, TraceError> {
        if self.peeked.is_none() {
            self.peeked = self.advance()?;
        }
        Ok(self.peeked.map(|record| record.at))
    }

    #[inline(always)]
    fn advance(&mut self) -> Result<Option<Record>, TraceError> {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.advance(&mut self.window, &mut self.damage),
            Format::Pcapng(pcapng) => pcapng.advance(&mut self.window, &mut self.damage),
        };
        match found {
            Err(cause) if is_cut_stream(&cause) => {
                self.damage.truncated = true;
                Ok(None)
            }
            found => found.map_err(TraceError::Io),
        }
    }

    /// Whether the next call would have to read from the input: a caller with timers waits for the input to be
    /// readable first.
    pub fn needs_input(&self) -> bool {
        self.peeked.is_none() && self.window.bytes().len() < 64
    }

    /// What was lost so far.
    pub fn damage(&self) -> Damage {
        self.damage
    }
}

/// Decompressors report a cut or corrupt stream this way: what came before it is still good.
fn is_cut_stream(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

/// Byte order of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    #[inline]
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The `index`-th 32-bit word of a header; 0 beyond its end.
    #[inline]
    fn word(self, header: &[u8], index: usize) -> u32 {
        match header.get(index * 4..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => self.u32(*bytes),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;
