//! Bytes of a line in the making.
//!
//! A report of everything is tens of millions of short pieces: names of columns, numbers, addresses. Calling a copy of
//! so and so many bytes for each costs more than the bytes. Here a piece is made in a register, at most [`WORD`] bytes
//! of it, and stored as a whole word; the line goes on where the piece ends, and what the word had beyond that is
//! overwritten.

use std::fmt::Display;
use std::io::{self, Write};

use crate::net::MacAddr;

/// Bytes that a line has room for at first.
const LINE_BYTES: usize = 1024;
/// Bytes that are stored at once.
const WORD: usize = 8;

/// A piece that is written often: padded, so that it is stored in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    text: [u8; Self::MAX],
    len: usize,
}

impl Stamp {
    /// Bytes it may have.
    pub(super) const MAX: usize = 32;

    /// From text; what is longer than [`Stamp::MAX`] is cut off.
    pub(super) fn new(text: &str) -> Self {
        let mut padded = [0; Self::MAX];
        let len = text.len().min(Self::MAX);
        padded[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { text: padded, len }
    }
}

/// What each octet reads as, a point behind it; little-endian.
const OCTETS: [u32; 256] = {
    let mut octets = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let (a, b, c) = (ascii(octet / 100), ascii(octet / 10), ascii(octet));
        let point = b'.' as u32;
        octets[octet] = match octet {
            0..10 => c | point << 8,
            10..100 => b | c << 8 | point << 16,
            _ => a | b << 8 | c << 16 | point << 24,
        };
        octet += 1;
    }
    octets
};

/// The last digit of a number.
const fn ascii(number: usize) -> u32 {
    (b'0' as usize + number % 10) as u32
}

/// A line in the making. Not a `Vec`: appending a few bytes to one costs more than the bytes.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    len: usize,
}

impl Line {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Stores bytes, the first `len` of which are the line's.
    #[inline(always)]
    fn store<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        loop {
            if let Some(room) = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut::<N>) {
                *room = bytes;
                self.len += len;
                return;
            }
            self.grow(N);
        }
    }

    /// Makes room for at least so many bytes more.
    #[cold]
    fn grow(&mut self, more: usize) {
        self.bytes.resize((self.len + more).next_power_of_two().max(LINE_BYTES), 0);
    }

    /// Appends the first `len` bytes of a little-endian word.
    #[inline(always)]
    fn word(&mut self, word: u64, len: usize) {
        self.store(word.to_le_bytes(), len);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.store([byte], 1);
    }

    /// Appends a piece that is padded.
    #[inline(always)]
    pub(super) fn stamp(&mut self, stamp: &Stamp) {
        self.store(stamp.text, stamp.len);
    }

    pub(super) fn piece(&mut self, bytes: &[u8]) {
        let len = bytes.len();
        match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
            // The two ends of up to a word may overlap, where they agree.
            (Some(head), Some(tail), _) if len <= WORD => {
                let tail = u64::from(u32::from_le_bytes(*tail)) << (8 * (len - 4));
                self.word(u64::from(u32::from_le_bytes(*head)) | tail, len);
            }
            (None, _, &[a, ref rest @ ..]) => {
                self.push(a);
                rest.iter().for_each(|&byte| self.push(byte));
            }
            _ => self.long(bytes),
        }
    }

    #[inline(never)]
    fn long(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if self.bytes.len() < end {
            self.grow(bytes.len());
        }
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    pub(super) fn number(&mut self, number: u64) {
        if number < 10 {
            return self.push(b'0' + number as u8);
        }
        if number >= ONE_WORD {
            return self.large(number);
        }
        let digits = digits(number as u32);
        let zeros = digits.trailing_zeros() as usize / 8;
        self.word((digits | ZEROS) >> (8 * zeros), WORD - zeros);
    }

    #[cold]
    fn large(&mut self, number: u64) {
        self.number(number / ONE_WORD);
        self.word(digits((number % ONE_WORD) as u32) | ZEROS, WORD);
    }

    pub(super) fn null(&mut self) {
        self.store(*b"null", 4);
    }

    pub(super) fn v4(&mut self, octets: [u8; 4]) {
        for [a, b] in [[octets[0], octets[1]], [octets[2], octets[3]]] {
            let ((a, a_len), (b, b_len)) = (octet(a), octet(b));
            self.word(a | b << (8 * a_len), a_len + b_len);
        }
        // No point behind the last.
        self.len -= 1;
    }

    pub(super) fn mac(&mut self, mac: MacAddr) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (index, octet) in mac.0.into_iter().enumerate() {
            if index > 0 {
                self.push(b':');
            }
            self.push(DIGITS[usize::from(octet >> 4)]);
            self.push(DIGITS[usize::from(octet & 15)]);
        }
    }

    /// Billionths with as many decimals as they have, one at least.
    pub(super) fn decimal(&mut self, is_negative: bool, billionths: u64) {
        const BILLION: u64 = 1_000_000_000;
        if is_negative {
            self.push(b'-');
        }
        self.number(billionths / BILLION);
        self.push(b'.');
        let rest = (billionths % BILLION) as u32;
        let (digits, last) = (digits(rest / 10), rest % 10);
        if last > 0 {
            self.word(digits | ZEROS, WORD);
            return self.push(b'0' + last as u8);
        }
        let zeros = digits.leading_zeros() as usize / 8;
        self.word(digits | ZEROS, (WORD - zeros).max(1));
    }

    /// What is rare goes the long way.
    pub(super) fn shown(&mut self, value: &dyn Display) {
        // A line takes everything.
        let _ = write!(self, "{value}");
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers below have their digits in one word.
const ONE_WORD: u64 = 100_000_000;
/// Eight times the digit zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight digits of a number below a hundred million, a byte each, the first in the lowest. Divides all digits of
/// a kind at once (after Paul Khuong, "How to print integers really fast", 2017).
#[inline(always)]
fn digits(number: u32) -> u64 {
    let halves = u64::from(number / 10_000) | u64::from(number % 10_000) << 32;
    // By 100 and by 10: multiplied by a little more than 2^20 / 100 and 2^10 / 10, which is exact below 10^4 and 100.
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
}

/// An octet with a point behind it, and how long that is.
#[inline(always)]
fn octet(octet: u8) -> (u64, usize) {
    let text = OCTETS[usize::from(octet)];
    (text.into(), WORD / 2 - text.leading_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::default();
        write(&mut line);
        String::from_utf8(line.text().to_vec()).unwrap()
    }

    #[test]
    fn numbers_of_every_length_read_as_themselves() {
        let mut state = 1;
        for power in 0..64 {
            for number in [1_u64 << power, (1 << power) - 1, u64::MAX >> power, crate::net::mix(power)] {
                assert_eq!(line(|line| line.number(number)), number.to_string());
            }
        }
        for _ in 0..200_000 {
            state = crate::net::mix(state);
            let number = state >> (state & 63);
            assert_eq!(line(|line| line.number(number)), number.to_string());
        }
    }

    #[test]
    fn every_octet_reads_as_itself() {
        for octet in 0..=255 {
            let octets = [octet, 255 - octet, octet, octet];
            assert_eq!(line(|line| line.v4(octets)), std::net::Ipv4Addr::from(octets).to_string());
        }
    }

    #[test]
    fn pieces_of_every_length_follow_each_other() {
        let text = "abcdefghijklmnopqrstuvwxyz".repeat(100);
        let mut expected = String::new();
        let written = line(|line| {
            for len in (0..40).chain([1_500, 2_600]) {
                line.piece(&text.as_bytes()[..len]);
                line.stamp(&Stamp::new(&text[..len]));
                expected += &text[..len];
                expected += &text[..len.min(Stamp::MAX)];
            }
        });
        assert_eq!(written, expected);
    }
}
