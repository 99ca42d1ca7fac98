//! Compression, told by the first bytes: gzip and zstd around anything.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
use ruzstd::decoding::FrameDecoder;

use super::gunzip::Gunzip;

/// Window of a zstd stream that we are ready to keep in memory: what the format asks of every decoder (RFC 8878
/// §3.1.1.1.2).
const MAX_ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// Looks at the first bytes and puts the decompressor in front that they ask for.
///
/// # Errors
/// Those of reading.
pub fn unpacked(mut raw: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
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
        [0x1f, 0x8b, _, _] => Box::new(Gunzip::new(BufReader::new(whole))),
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
    /// What went wrong; told after the bytes before it.
    failure: Option<io::Error>,
}

/// An empty last block and room for a checksum: ends any frame (RFC 8878 §3.1.1.2).
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_ZSTD_WINDOW);
        Self { input, decoder, open: false, failure: None }
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

impl<R> Zstd<R> {
    /// The decoder keeps a window of what it has decoded until the frame ends. A cut frame is ended by hand, so
    /// that those bytes come out before the error.
    #[cold]
    fn fail(&mut self, cause: io::Error) -> io::Result<()> {
        if self.failure.is_some() || self.decoder.decode_blocks(&LAST_BLOCK[..], UptoBytes(1)).is_err() {
            return Err(cause);
        }
        self.failure = Some(cause);
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
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
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                if let Err(cause) = self.decoder.decode_blocks(&mut self.input, UptoBytes(into.len())) {
                    self.fail(io::Error::new(io::ErrorKind::InvalidData, cause))?;
                }
                continue;
            }
            let len = self.decoder.read(into)?;
            if len > 0 {
                return Ok(len);
            }
            if let Some(cause) = self.failure.take() {
                return Err(cause);
            }
            self.open = false;
        }
    }
}
