//! The last packets, headers only, in a ring of fixed size: what was it, just now?

use std::collections::VecDeque;

use crate::dissect::{Frame, LinkType};
use crate::time::Moment;
use crate::units::Bytes;

/// Bytes beside each packet in the ring.
const HEAD_BYTES: usize = 20;

/// A ring of packets.
#[derive(Debug)]
pub struct Packets {
    bytes: VecDeque<u8>,
    capacity: usize,
    snaplen: usize,
    held: usize,
}

impl Packets {
    /// A ring of so many bytes for packets cut to `snaplen` bytes; of none, it stays empty.
    pub fn new(capacity: Bytes, snaplen: u32) -> Self {
        let capacity = usize::try_from(capacity.as_u64()).unwrap_or(0);
        let snaplen = usize::try_from(snaplen).unwrap_or(0).min(usize::from(u16::MAX));
        let capacity = if capacity < HEAD_BYTES + snaplen { 0 } else { capacity };
        // The memory is touched as packets come: what is never used costs nothing.
        Self { bytes: VecDeque::with_capacity(capacity), capacity, snaplen, held: 0 }
    }

    /// Keeps a packet; the oldest leave for it.
    #[inline]
    pub fn push(&mut self, frame: &Frame<'_>) {
        if self.capacity == 0 {
            return;
        }
        let data = &frame.data[..frame.data.len().min(self.snaplen)];
        while self.bytes.len() + HEAD_BYTES + data.len() > self.capacity {
            self.drop_oldest();
        }
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&frame.at.as_nanos().to_le_bytes());
        head[8..12].copy_from_slice(&frame.wire_len.to_le_bytes());
        head[12..16].copy_from_slice(&frame.link.number().to_le_bytes());
        head[16..20].copy_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_le_bytes());
        self.bytes.extend(&head);
        self.bytes.extend(data);
        self.held += 1;
    }

    fn drop_oldest(&mut self) {
        let mut len = [0; 4];
        len.iter_mut().zip(self.bytes.range(16..20)).for_each(|(to, from)| *to = *from);
        let len = HEAD_BYTES + u32::from_le_bytes(len) as usize;
        self.bytes.drain(..len.min(self.bytes.len()));
        self.held -= 1;
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
        let mut data = Vec::with_capacity(self.snaplen);
        let mut bytes = self.bytes.iter().copied();
        for _ in 0..self.held {
            let mut head = [0; HEAD_BYTES];
            head.iter_mut().zip(&mut bytes).for_each(|(to, from)| *to = from);
            let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let nanos = u64::from(word(0)) | u64::from(word(4)) << 32;
            data.clear();
            data.extend(bytes.by_ref().take(word(16) as usize));
            show(&Frame {
                at: Moment::from_nanos(nanos),
                link: LinkType::from_number(word(12)),
                wire_len: word(8),
                data: &data,
            })?;
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
