//! Transport layer: TCP, UDP, ICMP.

use etherparse::{TcpOptionElement, TcpOptionsIterator};

use super::headers::Header;
use super::path::Proto;
use super::quote::{Quotation, icmp_quotation, icmpv6_quotation};
use super::walk::{Layer, Walk};
use super::{Reason, Tcp, Transport, tcp_flags};

impl<'a> Walk<'a> {
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn tcp(&mut self) -> Option<Layer> {
        let header: &'a [u8; 20] = self.open(Proto::Tcp)?;
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
        if self.at > self.data.len() {
            return self.cut(Proto::Tcp, 0);
        }
        self.note(|| Header::Tcp(tcp));
        None
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn udp(&mut self) -> Option<Layer> {
        let header: &[u8; 8] = self.open(Proto::Udp)?;
        let [s0, s1, d0, d1, l0, l1, _, _] = *header;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        // A jumbogram (RFC 2675): the length is the IP layer's.
        let jumbo = len == 0 && self.packet.path.parent().leaf() == Some(Proto::Ipv6);
        match len {
            0..8 if !jumbo => {
                self.stop::<()>(Proto::Udp, Reason::Length);
            }
            0 => {}
            _ => {
                if !self.limit(len) {
                    self.stop::<()>(Proto::Udp, Reason::Length);
                }
            }
        }
        self.at += 8;
        let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        self.payload();
        self.carry(Transport::Udp { src_port, dst_port, payload_len: self.wire_left_u32() });
        if len < 8 && !jumbo {
            return None;
        }
        self.note(|| Header::Udp { src_port, dst_port });
        let (low, high) = (src_port.min(dst_port), src_port.max(dst_port));
        if is_tunnel(low) {
            self.udp_tunnel(low)
        } else if is_tunnel(high) && low >= 1024 {
            self.udp_tunnel(high)
        } else {
            None
        }
    }

    /// Datagrams that carry packets again, told by their port.
    #[inline(never)]
    fn udp_tunnel(&mut self, port: u16) -> Option<Layer> {
        match port {
            L2TP => self.l2tp(),
            GTP_U => self.gtp(),
            TEREDO => self.teredo(),
            VXLAN => {
                self.open::<8>(Proto::Vxlan)?;
                self.at += 8;
                Some(Layer::Ethernet)
            }
            _ => {
                let header: &[u8; 8] = self.open(Proto::Geneve)?;
                self.at += 8 + usize::from(header[0] & 0x3f) * 4;
                Some(Layer::EtherType(u16::from_be_bytes([header[2], header[3]])))
            }
        }
    }

    /// Data messages carry PPP (RFC 2661 §3.1).
    fn l2tp(&mut self) -> Option<Layer> {
        let &[flags, version] = self.open(Proto::L2tp)?;
        if flags & 0x80 != 0 || version & 15 != 2 {
            return None;
        }
        let field = |bit: u8, len: usize| if flags & bit != 0 { len } else { 0 };
        self.at += 6 + field(0x40, 2) + field(0x08, 4);
        if flags & 0x02 != 0 {
            let offset: &[u8; 2] = self.header(Proto::L2tp)?;
            self.at += 2 + usize::from(u16::from_be_bytes(*offset));
        }
        Some(Layer::Ppp)
    }

    /// User data of mobile networks (3GPP TS 29.281 §5): messages of type 255 carry IP.
    fn gtp(&mut self) -> Option<Layer> {
        let &[flags, kind, ..] = self.open::<8>(Proto::Gtp)?;
        if flags >> 5 != 1 || kind != 255 {
            return None;
        }
        self.at += 8;
        if flags & 7 != 0 {
            let &[_, _, _, mut extension] = self.header(Proto::Gtp)?;
            self.at += 4;
            // Extension headers: length in units of four bytes, the next one's type at the end. Each is at least
            // four bytes long, so the frame bounds the loop.
            while flags & 4 != 0 && extension != 0 {
                let len = usize::from(self.header::<1>(Proto::Gtp)?[0]) * 4;
                extension = *self.rest().get(len.checked_sub(1)?)?;
                self.at += len;
            }
        }
        Some(Layer::Ip)
    }

    /// IPv6 in UDP, behind optional authentication and origin headers (RFC 4380 §5.1.1).
    fn teredo(&mut self) -> Option<Layer> {
        self.open::<2>(Proto::Teredo)?;
        if let &[0, 1, id_len, auth_len, ..] = self.rest() {
            self.at += 13 + usize::from(id_len) + usize::from(auth_len);
        }
        if self.rest().starts_with(&[0, 0]) {
            self.at += 8;
        }
        (self.wire_left() > 0).then_some(Layer::EtherType(0x86dd))
    }

    #[cfg_attr(router, optimize(speed))]
    pub(super) fn icmp(&mut self, proto: Proto) -> Option<Layer> {
        let Some(&[kind, code, ..]) = self.rest().first_chunk::<6>() else { return self.open_cut(proto, 8) };
        self.enter(proto)?;
        // Echo, and the old timestamp, information and mask queries, carry an identifier.
        let queries: &[u8] = if proto == Proto::Icmp { &[0, 8, 13, 14, 15, 16, 17, 18] } else { &[128, 129] };
        let id = match self.rest() {
            [_, _, _, _, i0, i1, ..] if queries.contains(&kind) => u16::from_be_bytes([*i0, *i1]),
            // A router advertisement has its lifetime in seconds two bytes further (RFC 4861 §4.2).
            [_, _, _, _, _, _, l0, l1, ..] if kind == 134 => u16::from_be_bytes([*l0, *l1]),
            // The flags of a neighbour advertisement (RFC 4861 §4.4).
            [_, _, _, _, f0, f1, ..] if kind == 136 => u16::from_be_bytes([*f0, *f1]),
            _ => 0,
        };
        let quotation = match (proto, kind) {
            (Proto::Icmp, 3..=5 | 11 | 12) => icmp_quotation(self.rest(), self.wire_left()),
            (Proto::Icmpv6, 1..=4) => icmpv6_quotation(self.rest(), self.wire_left()),
            _ => Quotation::Complete,
        };
        if quotation == Quotation::Cut {
            self.packet.malformed = None;
            self.stop::<()>(proto, Reason::QuoteTruncated);
        }
        self.at = (self.at + 8).min(self.wire_end);
        self.payload();
        self.carry(Transport::Icmp { kind, code, id });
        None
    }
}

const L2TP: u16 = 1701;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;
const VXLAN: u16 = 4789;
const GENEVE: u16 = 6081;

#[inline]
pub(super) fn is_tunnel(port: u16) -> bool {
    matches!(port, L2TP | GTP_U | TEREDO | VXLAN | GENEVE)
}

/// The MSS option, 0 if there is none.
#[inline]
pub(super) fn max_segment_size(options: &[u8]) -> u16 {
    match *options {
        [] => 0,
        // Where everybody puts it.
        [2, 4, high, low, ..] => u16::from_be_bytes([high, low]),
        _ => sought_segment_size(options),
    }
}

#[inline(never)]
fn sought_segment_size(options: &[u8]) -> u16 {
    TcpOptionsIterator::from_slice(options)
        .map_while(Result::ok)
        .find_map(|option| match option {
            TcpOptionElement::MaximumSegmentSize(mss) => Some(mss),
            _ => None,
        })
        .unwrap_or(0)
}
