//! pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, and the three kinds of packet blocks.
//!
//! Each section may change the byte order, each interface has its own link type and clock resolution. Blocks of
//! other kinds, and options we do not use, are passed over.

use std::io::{self, Read};

use super::window::Window;
use super::{Damage, MAX_FRAME_BYTES, Order, Record};
use crate::dissect::LinkType;
use crate::time::{Moment, NANOS_PER_SEC};

/// The block type of a section header, the same in both byte orders.
pub(super) const SECTION_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Interfaces of one section beyond this many have no clock and link type we know: their frames are bad records.
const MAX_INTERFACES: usize = 256;
/// A block that claims more is no block.
const MAX_BLOCK: usize = 1 << 28;
/// Type, length, and the length again.
const FRAMING: usize = 12;

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
}

/// How stamps of one interface count.
#[derive(Clone, Copy)]
struct Clock {
    ticks_per_sec: u64,
    offset_secs: i64,
}

impl Clock {
    /// The default resolution is microseconds.
    const DEFAULT: Self = Self { ticks_per_sec: 1_000_000, offset_secs: 0 };

    /// Nanoseconds since the epoch, clamped to what a [`Moment`] holds.
    #[inline]
    fn moment(self, high: u32, low: u32) -> Moment {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanos = match self.ticks_per_sec {
            1_000_000 => ticks.saturating_mul(1_000),
            NANOS_PER_SEC => ticks,
            other => {
                let nanos = u128::from(ticks) * u128::from(NANOS_PER_SEC) / u128::from(other.max(1));
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        };
        let offset = self.offset_secs.unsigned_abs().saturating_mul(NANOS_PER_SEC);
        Moment::from_nanos(if self.offset_secs < 0 {
            nanos.saturating_sub(offset)
        } else {
            nanos.saturating_add(offset)
        })
    }
}

#[derive(Default)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Simple packets carry no stamp: they happened with the packet before.
    last: Moment,
}

/// A packet block's own header.
struct PacketHeader {
    interface: usize,
    stamp: Option<(u32, u32)>,
    captured: usize,
    wire_len: u32,
    /// Length of the header within the block, framing included.
    len: usize,
}

impl Pcapng {
    #[inline]
    pub(super) fn advance<R: Read>(
        &mut self,
        window: &mut Window<R>,
        damage: &mut Damage,
    ) -> io::Result<Option<Record>> {
        loop {
            if !window.fill(FRAMING)? {
                damage.truncated |= !window.bytes().is_empty();
                return Ok(None);
            }
            let Some((kind, len)) = self.framing(window.bytes()) else {
                self.resync(window, damage)?;
                continue;
            };
            if len > window.capacity() {
                damage.bad_records += 1;
                let passed = window.skip(len as u64)?;
                damage.skipped_bytes += passed;
                damage.truncated |= passed < len as u64;
                continue;
            }
            if !window.fill(len)? {
                damage.truncated = true;
                return Ok(None);
            }
            let found = self.block(kind, &window.bytes()[..len]);
            let start = window.take(len);
            match found {
                Block::Frame(record) => return Ok(Some(Record { start: start + record.start, ..record })),
                Block::Bad => damage.bad_records += 1,
                Block::Other => {}
            }
        }
    }

    /// Type and total length of the block that begins here; `None` if no block can.
    #[inline]
    fn framing(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        if bytes[..4] == SECTION_MAGIC {
            self.order = match bytes[8..12] {
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                _ => return None,
            };
        }
        let len = self.order.word(bytes, 1) as usize;
        (FRAMING..MAX_BLOCK).contains(&len).then_some((self.order.word(bytes, 0), len.next_multiple_of(4)))
    }

    fn block(&mut self, kind: u32, block: &[u8]) -> Block {
        match kind {
            SECTION => {
                self.interfaces.clear();
                Block::Other
            }
            INTERFACE => {
                if self.interfaces.len() < MAX_INTERFACES {
                    self.interfaces.push(self.interface(block));
                }
                Block::Other
            }
            ENHANCED_PACKET | SIMPLE_PACKET | OLD_PACKET => {
                self.packet(kind, block).map_or(Block::Bad, Block::Frame)
            }
            _ => Block::Other,
        }
    }

    #[inline]
    fn packet(&mut self, kind: u32, block: &[u8]) -> Option<Record> {
        let header = self.packet_header(kind, block);
        let interface = self.interfaces.get(header.interface)?;
        let room = block.len().checked_sub(header.len + 4)?;
        if header.captured > room || header.captured > MAX_FRAME_BYTES {
            return None;
        }
        if let Some((high, low)) = header.stamp {
            self.last = interface.clock.moment(high, low);
        }
        Some(Record {
            at: self.last,
            link: interface.link,
            wire_len: header.wire_len.max(u32::try_from(header.captured).unwrap_or(u32::MAX)),
            start: header.len,
            len: header.captured,
        })
    }

    #[inline]
    fn packet_header(&self, kind: u32, block: &[u8]) -> PacketHeader {
        let word = |index| self.order.word(block, index);
        if kind == SIMPLE_PACKET {
            let wire_len = word(2);
            let snaplen = match self.interfaces.first() {
                Some(&Interface { snaplen, .. }) if snaplen > 0 => snaplen,
                Some(_) | None => u32::MAX,
            };
            let room = block.len().saturating_sub(16);
            let captured = (wire_len.min(snaplen) as usize).min(room);
            return PacketHeader { interface: 0, stamp: None, captured, wire_len, len: 12 };
        }
        // The obsolete block has 16 bits each for interface and drop count where the enhanced one has 32.
        let interface = match (kind, block.get(8..10)) {
            (OLD_PACKET, Some(&[a, b])) => u32::from(self.order.u16([a, b])),
            _ => word(2),
        };
        PacketHeader {
            interface: interface as usize,
            stamp: Some((word(3), word(4))),
            captured: word(5) as usize,
            wire_len: word(6),
            len: 28,
        }
    }

    /// An interface description: link type, snap length, and the options that say how its clock ticks.
    fn interface(&self, block: &[u8]) -> Interface {
        let link = match block.get(8..10) {
            Some(&[a, b]) => LinkType::from_number(u32::from(self.order.u16([a, b]))),
            _ => LinkType::Other(u32::MAX),
        };
        let mut clock = Clock::DEFAULT;
        let mut options = block.get(16..block.len().saturating_sub(4)).unwrap_or(&[]);
        while let Some((&[k0, k1, l0, l1], rest)) = options.split_first_chunk() {
            let (kind, len) = (self.order.u16([k0, k1]), usize::from(self.order.u16([l0, l1])));
            let Some(value) = rest.get(..len) else { break };
            match (kind, value) {
                (0, _) => break,
                (9, &[resolution]) => clock.ticks_per_sec = ticks_per_sec(resolution),
                (14, value) => {
                    if let Some(&bytes) = value.first_chunk() {
                        clock.offset_secs = match self.order {
                            Order::Little => i64::from_le_bytes(bytes),
                            Order::Big => i64::from_be_bytes(bytes),
                        };
                    }
                }
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Interface { link, snaplen: self.order.word(block, 3), clock }
    }

    /// Finds the next block of a kind we know whose two lengths agree.
    #[cold]
    fn resync<R: Read>(&mut self, window: &mut Window<R>, damage: &mut Damage) -> io::Result<()> {
        damage.bad_records += 1;
        damage.skipped_bytes += window.skip(1)?;
        loop {
            window.fill(window.capacity())?;
            let bytes = window.bytes();
            let judged = if window.ended() { bytes.len() } else { bytes.len() / 2 };
            let found = (0..judged).find(|&at| self.is_block(&bytes[at..]));
            let passed = found.unwrap_or(judged);
            window.take(passed);
            damage.skipped_bytes += passed as u64;
            if found.is_some() || window.ended() {
                return Ok(());
            }
        }
    }

    fn is_block(&self, bytes: &[u8]) -> bool {
        if bytes.len() < FRAMING {
            return false;
        }
        let mut probe = Self { order: self.order, ..Self::default() };
        let Some((kind, len)) = probe.framing(bytes) else { return false };
        let known = kind == SECTION || (INTERFACE..=ENHANCED_PACKET).contains(&kind);
        known && bytes.get(len - 4..len).is_some_and(|again| probe.order.word(again, 0) as usize == len)
    }
}

enum Block {
    Frame(Record),
    Other,
    /// A packet that contradicts itself.
    Bad,
}

/// `if_tsresol`: a negative power of ten, or of two if the top bit is set.
fn ticks_per_sec(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 != 0 { 2 } else { 10 };
    base.checked_pow(exponent).unwrap_or(u64::MAX)
}
