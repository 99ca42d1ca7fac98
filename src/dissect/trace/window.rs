//! The one buffer a capture is read through.

use std::io::{self, Read};

use super::MAX_FRAME_BYTES;

/// Room for the longest frame with its headers and options; also the size of a read (fits a router's L2 cache, and
/// larger ones are not faster).
const WINDOW_BYTES: usize = MAX_FRAME_BYTES + 4096;

/// A moving view of the input: consumed bytes on the left, bytes not yet parsed, free room on the right.
pub(super) struct Window<R> {
    input: R,
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buf: vec![0; WINDOW_BYTES].into_boxed_slice(), start: 0, end: 0, ended: false }
    }

    /// Makes at least `need` bytes available; `false` if the input ends before that, or if no buffer could hold
    /// them. Reads only when it must, so that a live stream is never waited for without need.
    #[inline]
    pub(super) fn fill(&mut self, need: usize) -> io::Result<bool> {
        if self.end - self.start >= need { Ok(true) } else { self.refill(need) }
    }

    #[inline(never)]
    fn refill(&mut self, need: usize) -> io::Result<bool> {
        if need > self.buf.len() {
            return Ok(false);
        }
        self.buf.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < need && !self.ended {
            match self.input.read(&mut self.buf[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(len) => self.end += len,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(self.end >= need)
    }

    /// Bytes available and not yet consumed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Whether the input has ended, so that [`Window::bytes`] is all there will ever be.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// How much could be available at once.
    pub(super) fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// Consumes available bytes; the offset for [`Window::lent`] where they begin.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> usize {
        let at = self.start;
        self.start = (self.start + len).min(self.end);
        at
    }

    /// Passes over `len` bytes, available or still to come: how many there were.
    pub(super) fn skip(&mut self, len: u64) -> io::Result<u64> {
        let mut left = len;
        while left > 0 && self.fill(1)? {
            let now = (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.start += now;
            left -= now as u64;
        }
        Ok(len - left)
    }

    /// Consumed bytes, valid until the next [`Window::fill`].
    #[inline]
    pub(super) fn lent(&self, start: usize, len: usize) -> &[u8] {
        self.buf.get(start..start + len).unwrap_or(&[])
    }
}
