//! Transport layer: TCP, UDP, ICMP.

use etherparse::{TcpOptionElement, TcpOptionsIterator};

use super::path::Proto;
use super::walk::{Layer, Walk};
use super::{Reason, Tcp, Transport, tcp_flags};

impl<'a> Walk<'a> {
    #[inline]
    pub(super) fn tcp(&mut self) -> Option<Layer> {
        let header: &'a [u8; 20] = self.header(Proto::Tcp)?;
        self.enter(Proto::Tcp)?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *header;
        let header_len = usize::from(offset >> 4) * 4;
        let mut tcp = Tcp {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            mss: 0,
            payload_len: 0,
        };
        if header_len < 20 || header_len > self.wire_left() {
            self.carry(Transport::Tcp(tcp));
            return self.stop(Proto::Tcp, Reason::Length);
        }
        if flags & tcp_flags::SYN != 0 {
            let captured = self.rest();
            tcp.mss = max_segment_size(&captured[20..header_len.min(captured.len())]);
        }
        self.at += header_len;
        tcp.payload_len = self.wire_left_u32();
        self.payload();
        self.carry(Transport::Tcp(tcp));
        None
    }

    #[inline]
    pub(super) fn udp(&mut self) -> Option<Layer> {
        let header: &[u8; 8] = self.header(Proto::Udp)?;
        self.enter(Proto::Udp)?;
        let [s0, s1, d0, d1, l0, l1, _, _] = *header;
        // 0 is a jumbogram (RFC 2675) or segmentation offload: the length is the IP layer's.
        match usize::from(u16::from_be_bytes([l0, l1])) {
            0 => {}
            1..8 => {
                self.stop::<()>(Proto::Udp, Reason::Length);
            }
            len => {
                if !self.limit(len) {
                    self.stop::<()>(Proto::Udp, Reason::Length);
                }
            }
        }
        self.at += 8;
        let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        self.payload();
        self.carry(Transport::Udp { src_port, dst_port, payload_len: self.wire_left_u32() });
        None
    }

    pub(super) fn icmp(&mut self, proto: Proto) -> Option<Layer> {
        let &[kind, code, _, _] = self.header(proto)?;
        self.enter(proto)?;
        // Echo, and the old timestamp, information and mask queries, carry an identifier.
        let queries: &[u8] = if proto == Proto::Icmp { &[0, 8, 13, 14, 15, 16, 17, 18] } else { &[128, 129] };
        let id = match self.rest() {
            [_, _, _, _, i0, i1, ..] if queries.contains(&kind) => u16::from_be_bytes([*i0, *i1]),
            _ => 0,
        };
        self.at = (self.at + 8).min(self.wire_end);
        self.payload();
        self.carry(Transport::Icmp { kind, code, id });
        None
    }
}

/// The MSS option, 0 if there is none.
#[inline(never)]
fn max_segment_size(options: &[u8]) -> u16 {
    TcpOptionsIterator::from_slice(options)
        .map_while(Result::ok)
        .find_map(|option| match option {
            TcpOptionElement::MaximumSegmentSize(mss) => Some(mss),
            _ => None,
        })
        .unwrap_or(0)
}
