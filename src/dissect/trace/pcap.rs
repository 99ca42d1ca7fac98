//! The classic libpcap format (draft-ietf-opsawg-pcap), its nanosecond twin, and Kuznetzov's variant of old Linux
//! with a longer record header; both byte orders.

use std::io::{self, Read};

use super::window::Window;
use super::{Damage, MAX_FRAME_BYTES, Order, Record, TraceError};
use crate::dissect::LinkType;
use crate::time::{Moment, NANOS_PER_SEC};

const FILE_HEADER: usize = 24;
/// A record found again after damage must be followed by this many that make sense too.
const CHAIN: usize = 3;

pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in one unit of the fraction.
    tick_ns: u64,
    record_header: usize,
    link: LinkType,
}

impl Pcap {
    pub(super) fn try_open<R: Read>(magic: [u8; 4], window: &mut Window<R>) -> Result<Self, TraceError> {
        let (order, tick_ns, record_header) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1_000, 16),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1_000, 16),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1, 16),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1, 16),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, 1_000, 24),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, 1_000, 24),
            _ => return Err(TraceError::NotACapture { magic }),
        };
        if !window.fill(FILE_HEADER).map_err(TraceError::Io)? {
            return Err(TraceError::HeaderCut);
        }
        // The upper bits tell the length of a frame check sequence.
        let link = LinkType::from_number(order.word(window.bytes(), 5) & 0x03ff_ffff);
        window.take(FILE_HEADER);
        Ok(Self { order, tick_ns, record_header, link })
    }

    #[inline(always)]
    pub(super) fn advance<R: Read>(
        &self,
        window: &mut Window<R>,
        damage: &mut Damage,
    ) -> io::Result<Option<Record>> {
        loop {
            if !window.fill(self.record_header)? {
                damage.truncated |= !window.bytes().is_empty();
                return Ok(None);
            }
            let (record, captured) = self.parse(window.bytes());
            if captured > MAX_FRAME_BYTES || window.bytes()[..16] == [0; 16] {
                self.resync(window, damage)?;
                continue;
            }
            if !window.fill(self.record_header + captured)? {
                damage.truncated = true;
                return Ok(None);
            }
            let start = window.take(self.record_header + captured) + self.record_header;
            return Ok(Some(Record { start, ..record }));
        }
    }

    /// A record header, and how many bytes it says were captured.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn parse(&self, header: &[u8]) -> (Record, usize) {
        let word = |index| self.order.word(header, index);
        let captured = word(2) as usize;
        let at = u64::from(word(0)) * NANOS_PER_SEC + u64::from(word(1)) * self.tick_ns;
        let wire_len = word(3).max(word(2));
        let record =
            Record { at: Moment::from_nanos(at), link: self.link, wire_len, start: 0, len: captured };
        (record, captured)
    }

    /// Finds the next place where records follow each other.
    #[cold]
    fn resync<R: Read>(&self, window: &mut Window<R>, damage: &mut Damage) -> io::Result<()> {
        damage.bad_records += 1;
        damage.skipped_bytes += window.skip(1)?;
        loop {
            window.fill(window.capacity())?;
            let bytes = window.bytes();
            // Near the end of the buffer a chain cannot be judged, unless the input ends there too.
            let judged = if window.ended() { bytes.len() } else { bytes.len() / 2 };
            let found = (0..judged).find(|&at| self.is_chain(bytes, at, window.ended()));
            let passed = found.unwrap_or(judged);
            window.take(passed);
            damage.skipped_bytes += passed as u64;
            if found.is_some() || window.ended() {
                return Ok(());
            }
        }
    }

    fn is_chain(&self, bytes: &[u8], mut at: usize, ended: bool) -> bool {
        for link in 0..CHAIN {
            let Some(header) = bytes.get(at..at + self.record_header) else {
                return link > 0 && (!ended || at == bytes.len());
            };
            let words: [u32; 4] = std::array::from_fn(|index| self.order.word(header, index));
            let [_, fraction, captured, wire] = words;
            let sane = captured > 0
                && captured <= wire
                && wire as usize <= MAX_FRAME_BYTES
                && u64::from(fraction) * self.tick_ns < NANOS_PER_SEC;
            if !sane {
                return false;
            }
            at += self.record_header + captured as usize;
        }
        true
    }
}
