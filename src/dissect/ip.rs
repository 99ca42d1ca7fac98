//! Internet layer: IPv4, IPv6 with its extension headers, and the protocols that carry IP again.

use super::headers::{Header, IpVersion};
use super::path::Proto;
use super::walk::{Layer, Walk};
use super::{Fragment, Ip, Net, Reason, Transport};
use crate::net::Addr;

/// IPv6 extension headers beyond this many are an attack on the reader.
const MAX_EXTENSIONS: usize = 64;

impl<'a> Walk<'a> {
    /// IPv4 or IPv6, told by the first nibble.
    pub(super) fn ip(&mut self) -> Option<Layer> {
        match self.rest().first().map(|byte| byte >> 4) {
            Some(4) => self.ipv4(),
            Some(6) => self.ipv6(),
            Some(_) => self.enter(Proto::Data).and(None),
            None => self.cut(Proto::Ip, 1),
        }
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn ipv4(&mut self) -> Option<Layer> {
        let header: &'a [u8; 20] = self.open(Proto::Ip)?;
        let [first, _, l0, l1, _, _, f0, f1, ttl, protocol, _, _, a, b, c, d, e, f, g, h] = *header;
        let header_len = usize::from(first & 15) * 4;
        let fragment = match u16::from_be_bytes([f0, f1]) & 0x3fff {
            0 => Fragment::Whole,
            0x2000 => Fragment::First,
            _ => Fragment::Later,
        };
        if first >> 4 == 6 {
            self.stop::<()>(Proto::Ip, Reason::Length);
            return self.ipv6();
        }
        let len = self.claim(Proto::Ip, usize::from(u16::from_be_bytes([l0, l1])));
        let src = Addr::from_v4([a, b, c, d]);
        let dst = Addr::from_v4(
            if header_len > 20 { self.last_hop(header_len) } else { None }.unwrap_or([e, f, g, h]),
        );
        self.found(Ip { src, dst, protocol, len, ttl, fragment });
        if first >> 4 != 4 || header_len < 20 || header_len > len as usize {
            return self.stop(Proto::Ip, Reason::Length);
        }
        self.at += header_len;
        if self.at > self.data.len() {
            return self.cut(Proto::Ip, 0);
        }
        self.note(|| Header::Ip { version: IpVersion::V4, src, dst });
        self.carried(protocol, fragment)
    }

    /// The last address of a source route (RFC 791 §3.1): there the packet is going, whatever the header says.
    #[cold]
    fn last_hop(&self, header_len: usize) -> Option<[u8; 4]> {
        let mut options = self.rest().get(20..header_len)?;
        while let [kind, after @ ..] = options {
            let len = match (kind, after.first()) {
                (0, _) | (_, None) => return None,
                (1, _) => 1,
                (_, Some(&len)) => usize::from(len),
            };
            if matches!(kind, 131 | 137) {
                let pointer = usize::from(*after.get(1)?);
                let valid = pointer >= 4 && pointer % 4 == 0 && pointer <= len;
                return if valid { options.get(..len)?.last_chunk().copied() } else { None };
            }
            options = options.get(len.max(1)..)?;
        }
        None
    }

    /// The IP length to believe: as claimed, but never more than the frame has on the wire, and all that is left
    /// where segmentation offload wrote 0. Ends the payload there (Ethernet pads short frames).
    #[inline]
    fn claim(&mut self, layer: Proto, claimed: usize) -> u32 {
        if claimed != 0 && !self.limit(claimed) {
            self.stop::<()>(layer, Reason::Length);
        }
        self.wire_left_u32()
    }

    /// Keeps the outermost IP header.
    #[inline]
    fn found(&mut self, ip: Ip) {
        if matches!(self.packet.net, Net::None) {
            self.packet.net = Net::Ip(ip);
        }
    }

    #[inline]
    fn carried(&mut self, protocol: u8, fragment: Fragment) -> Option<Layer> {
        if fragment == Fragment::Later {
            self.payload();
            return self.enter(Proto::Data).and(None);
        }
        match protocol {
            6 => self.tcp(),
            17 => self.udp(),
            _ => Some(Layer::IpProtocol(protocol)),
        }
    }

    /// What is left is the payload of the outermost packet, unless that has one already.
    #[inline]
    pub(super) fn payload(&mut self) {
        if matches!(self.packet.transport, Transport::None) {
            self.packet.payload = self.rest();
        }
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn ipv6(&mut self) -> Option<Layer> {
        let header: &'a [u8; 40] = self.open(Proto::Ipv6)?;
        let (src, rest) = header[8..].split_first_chunk()?;
        let dst = rest.first_chunk()?;
        let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let claimed = if payload_len == 0 { 0 } else { payload_len + 40 };
        let len = self.claim(Proto::Ipv6, claimed);
        let next = header[6];
        let ip = Ip {
            src: Addr::from_v6(*src),
            dst: Addr::from_v6(*dst),
            protocol: next,
            len,
            ttl: header[7],
            fragment: Fragment::Whole,
        };
        let outermost = matches!(self.packet.net, Net::None);
        self.found(ip);
        if header[0] >> 4 != 6 {
            return self.stop(Proto::Ipv6, Reason::Length);
        }
        self.at += 40;
        let header = || Header::Ip { version: IpVersion::V6, src: ip.src, dst: ip.dst };
        if matches!(next, 6 | 17 | 58) {
            self.note(header);
            return self.carried(next, Fragment::Whole);
        }
        let mut reached = (next, Fragment::Whole);
        let complete = self.extensions(&mut reached);
        if let (true, Net::Ip(ip)) = (outermost, &mut self.packet.net) {
            (ip.protocol, ip.fragment) = reached;
        }
        complete?;
        if reached.1 != Fragment::Later {
            self.note(header);
        }
        self.carried(reached.0, reached.1)
    }

    /// Steps over extension headers (RFC 8200 §4; sizes RFC 6564 and RFC 4302): the protocol behind them, whether
    /// this is a fragment, and `None` if they do not end.
    fn extensions(&mut self, (next, fragment): &mut (u8, Fragment)) -> Option<()> {
        for _ in 0..MAX_EXTENSIONS {
            if !matches!(*next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
                return Some(());
            }
            let &[following, len, f0, f1, ..] = self.header::<8>(Proto::Ipv6)?;
            self.at += match *next {
                44 => 8,
                51 => 8 + usize::from(len) * 4,
                _ => 8 + usize::from(len) * 8,
            };
            if *next == 44 {
                let field = u16::from_be_bytes([f0, f1]);
                *fragment = match (field >> 3, field & 1) {
                    (0, 0) => Fragment::Whole,
                    (0, _) => Fragment::First,
                    _ => Fragment::Later,
                };
            }
            *next = following;
            if *fragment == Fragment::Later {
                return Some(());
            }
            if self.at > self.data.len() {
                return self.cut(Proto::Ipv6, 0);
            }
        }
        self.stop(Proto::Ipv6, Reason::TooDeep)
    }

    /// Protocols other than TCP and UDP.
    #[inline(never)]
    pub(super) fn ip_protocol(&mut self, protocol: u8) -> Option<Layer> {
        let proto = match protocol {
            1 => return self.icmp(Proto::Icmp),
            58 => return self.icmp(Proto::Icmpv6),
            6 => return self.tcp(),
            17 => return self.udp(),
            51 => return self.authentication(),
            _ => rare_protocol(protocol),
        };
        self.payload();
        self.carry(Transport::Other(protocol));
        if self.wire_left() == 0 {
            return None;
        }
        match protocol {
            4 => return Some(Layer::EtherType(0x0800)),
            41 => return Some(Layer::EtherType(0x86dd)),
            47 => return self.gre(),
            97 => {
                self.open::<2>(proto)?;
                self.at += 2;
                return Some(Layer::Ethernet);
            }
            137 => return Some(Layer::EtherType(0x8847)),
            // No next header (RFC 8200 §4.7).
            59 => return None,
            136 => {
                if let Some(&[s0, s1, d0, d1, ..]) = self.rest().first_chunk::<8>() {
                    let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
                    self.note(|| Header::Udp { src_port, dst_port });
                }
            }
            _ => {}
        }
        if self.rest().is_empty() { self.cut(proto, 1) } else { self.enter(proto).and(None) }
    }

    /// Authentication header (RFC 4302): like an extension header, in units of four bytes.
    fn authentication(&mut self) -> Option<Layer> {
        let header: &[u8; 12] = self.open(Proto::Ah)?;
        self.at += (usize::from(header[1]) + 2) * 4;
        if self.at > self.data.len() {
            return self.cut(Proto::Ah, 0);
        }
        Some(Layer::IpProtocol(header[0]))
    }

    /// Generic routing encapsulation: RFC 2784/2890, and version 1 of PPTP (RFC 2637).
    fn gre(&mut self) -> Option<Layer> {
        let &[flags, version, t0, t1] = self.open(Proto::Gre)?;
        let present = |bit: u8| 4 * usize::from(flags & bit != 0);
        let optional = if version & 7 == 1 {
            4 + present(0x10) + 4 * usize::from(version & 0x80 != 0)
        } else {
            4 * usize::from(flags & 0xc0 != 0) + present(0x20) + present(0x10)
        };
        self.at += 4 + optional;
        if self.at > self.data.len() {
            return self.cut(Proto::Gre, 0);
        }
        if self.wire_left() == 0 {
            return None;
        }
        Some(Layer::EtherType(u16::from_be_bytes([t0, t1])))
    }

    /// Keeps the transport of the outermost packet.
    #[inline]
    pub(super) fn carry(&mut self, transport: Transport) {
        if matches!(self.packet.transport, Transport::None) {
            self.packet.transport = transport;
        }
    }
}

/// The name of a protocol whose header we do not read.
fn rare_protocol(protocol: u8) -> Proto {
    match protocol {
        2 => Proto::Igmp,
        33 => Proto::Dccp,
        46 => Proto::Rsvp,
        47 => Proto::Gre,
        50 => Proto::Esp,
        88 => Proto::Eigrp,
        89 => Proto::Ospf,
        97 => Proto::EtherIp,
        103 => Proto::Pim,
        108 => Proto::IpComp,
        112 => Proto::Vrrp,
        115 => Proto::L2tp,
        132 => Proto::Sctp,
        136 => Proto::UdpLite,
        _ => Proto::Data,
    }
}
