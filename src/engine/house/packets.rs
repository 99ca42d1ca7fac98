//! The last packets, headers only, in a ring of fixed size: what was it, just now?
//!
//! A packet lies in one piece, behind a head that says how long it is; what does not fit behind the newest begins again
//! at the front of the buffer, where the oldest make room. So keeping a packet is two copies and no loop over bytes.

use crate::dissect::{Frame, LinkType};
use crate::time::Moment;
use crate::units::Bytes;

/// Bytes beside each packet in the ring.
const HEAD_BYTES: usize = 20;

/// A ring of packets.
#[derive(Debug)]
pub struct Packets {
    /// As long as was ever used: what is never used costs nothing.
    bytes: Vec<u8>,
    capacity: usize,
    snaplen: usize,
    held: usize,
    /// Where the oldest packet lies.
    oldest: usize,
    /// Behind the newest.
    next: usize,
    /// Behind the last packet before the front of the buffer was used again.
    end: usize,
}

impl Packets {
    /// A ring of so many bytes for packets cut to `snaplen` bytes; of none, it stays empty.
    pub fn new(capacity: Bytes, snaplen: u32) -> Self {
        let capacity = usize::try_from(capacity.as_u64()).unwrap_or(0);
        let snaplen = usize::try_from(snaplen).unwrap_or(0).min(usize::from(u16::MAX));
        let capacity = if capacity < HEAD_BYTES + snaplen { 0 } else { capacity };
        let bytes = Vec::with_capacity(capacity);
        Self { bytes, capacity, snaplen, held: 0, oldest: 0, next: 0, end: 0 }
    }

    /// Keeps a packet; the oldest leave for it.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn push(&mut self, frame: &Frame<'_>) {
        if self.capacity == 0 {
            return;
        }
        let data = &frame.data[..frame.data.len().min(self.snaplen)];
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&frame.at.as_nanos().to_le_bytes());
        head[8..12].copy_from_slice(&frame.wire_len.to_le_bytes());
        head[12..16].copy_from_slice(&frame.link.number().to_le_bytes());
        head[16..20].copy_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_le_bytes());
        let len = HEAD_BYTES + data.len();
        self.make_room(len);
        if self.bytes.len() < self.next + len {
            self.bytes.resize(self.next + len, 0);
        }
        let (to_head, to_data) = self.bytes[self.next..self.next + len].split_at_mut(HEAD_BYTES);
        to_head.copy_from_slice(&head);
        to_data.copy_from_slice(data);
        self.next += len;
        self.held += 1;
    }

    /// Drops the oldest until `len` bytes are free behind the newest, or at the front.
    #[inline]
    fn make_room(&mut self, len: usize) {
        loop {
            if !self.is_around() {
                if self.capacity - self.next >= len {
                    return;
                }
                (self.end, self.next) = (self.next, 0);
            }
            if self.held == 0 || self.oldest - self.next >= len {
                return;
            }
            self.drop_oldest();
        }
    }

    /// Whether the newest lie before the oldest.
    #[inline]
    fn is_around(&self) -> bool {
        self.held > 0 && self.next <= self.oldest
    }

    #[inline]
    fn drop_oldest(&mut self) {
        self.oldest += HEAD_BYTES + self.len_at(self.oldest);
        self.held -= 1;
        if self.oldest == self.end {
            self.oldest = 0;
        }
    }

    /// Bytes of the packet whose head is there.
    #[inline]
    fn len_at(&self, at: usize) -> usize {
        let word = self.bytes.get(at + 16..at + HEAD_BYTES).and_then(|bytes| bytes.first_chunk());
        word.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    /// Packets in the ring.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Bytes kept of each packet.
    pub fn snaplen(&self) -> u32 {
        u32::try_from(self.snaplen).unwrap_or(u32::MAX)
    }

    /// Shows every packet, the oldest first.
    pub fn each<E>(&self, mut show: impl FnMut(&Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut at = self.oldest;
        for _ in 0..self.held {
            let len = self.len_at(at);
            let (head, data) = self.bytes[at..at + HEAD_BYTES + len].split_at(HEAD_BYTES);
            let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let nanos = u64::from(word(0)) | u64::from(word(4)) << 32;
            let (at_moment, link) = (Moment::from_nanos(nanos), LinkType::from_number(word(12)));
            show(&Frame { at: at_moment, link, wire_len: word(8), data })?;
            at += HEAD_BYTES + len;
            if at == self.end && self.next <= self.oldest {
                at = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(packets: &mut Packets, n: u64, len: usize) {
        let data = vec![n as u8; len];
        let frame =
            Frame { at: Moment::from_secs(n), link: LinkType::Ethernet, wire_len: 1_500, data: &data };
        packets.push(&frame);
    }

    fn shown(packets: &Packets) -> Vec<(u64, u32, Vec<u8>)> {
        let mut all = Vec::new();
        let shown = packets.each(|frame| {
            all.push((frame.at.as_secs(), frame.wire_len, frame.data.to_vec()));
            Ok::<_, ()>(())
        });
        assert_eq!(shown, Ok(()));
        all
    }

    #[test]
    fn the_latest_packets_are_there_cut_to_their_headers() {
        let mut packets = Packets::new(Bytes(1_000), 64);
        for n in 0..10_000 {
            push(&mut packets, n, (n % 90) as usize);
            assert!(packets.bytes.len() <= 1_000);
        }
        let all = shown(&packets);
        assert_eq!(all.len(), packets.len());
        assert_eq!(all.last(), Some(&(9_999, 1_500, vec![9_999_u64 as u8; 9])));
        assert!(all.iter().all(|(n, _, data)| data.len() == ((n % 90) as usize).min(64)));
        assert!(all.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    }

    #[test]
    fn a_ring_of_nothing_keeps_nothing() {
        let mut packets = Packets::new(Bytes(0), 128);
        push(&mut packets, 1, 60);
        assert_eq!(shown(&packets), []);
    }
}
