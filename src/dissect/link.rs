//! Link layers: Ethernet with its tags, 802.3/LLC, Linux cooked captures, PPP and PPPoE, BSD loopback.

use etherparse::SingleVlanHeaderSlice;

use super::headers::Header;
use super::path::Proto;
use super::walk::{Layer, Walk};
use super::{Arp, Ether, Net, Reason};
use crate::net::{Addr, MacAddr};

/// Type fields up to here are lengths (IEEE 802.3 §3.2.6).
const MAX_LENGTH_FIELD: u16 = 1500;

impl<'a> Walk<'a> {
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn ethernet(&mut self) -> Option<Layer> {
        let header: &[u8; 14] = self.open(Proto::Eth)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let (dst, src) = (MacAddr([d0, d1, d2, d3, d4, d5]), MacAddr([s0, s1, s2, s3, s4, s5]));
        self.note(|| Header::Eth { src, dst });
        if self.packet.ether.is_none() && matches!(self.packet.net, Net::None) {
            self.packet.ether = Some(Ether { src, dst, vlan: 0 });
        }
        self.at += 14;
        let kind = u16::from_be_bytes([t0, t1]);
        if kind > MAX_LENGTH_FIELD {
            return Some(Layer::EtherType(kind));
        }
        if !self.limit(usize::from(kind)) {
            self.stop::<()>(Proto::Eth, Reason::Length);
        }
        Some(Layer::Llc)
    }

    #[inline]
    pub(super) fn ether_type(&mut self, kind: u16) -> Option<Layer> {
        match kind {
            0x0800 => self.ipv4(),
            0x86dd => self.ipv6(),
            // Reverse ARP is ARP to Wireshark, and to us.
            0x0806 | 0x8035 => self.arp(),
            _ => self.rare_ether_type(kind),
        }
    }

    #[inline(never)]
    fn rare_ether_type(&mut self, kind: u16) -> Option<Layer> {
        let proto = match kind {
            0x8100 | 0x9100 => return self.vlan(Proto::Vlan),
            0x88a8 => return self.vlan(Proto::Ieee8021ad),
            0x8847 | 0x8848 => return self.mpls(),
            0x8864 => return Some(Layer::PppoeSession),
            0x8863 => Proto::Pppoed,
            0x880b => return Some(Layer::Ppp),
            0x6558 => return Some(Layer::Ethernet),
            0x0842 => Proto::Wol,
            0x8137 => Proto::Ipx,
            0x8809 => Proto::Slow,
            0x887b => Proto::Homeplug,
            0x88e1 => Proto::HomeplugAv,
            0x888e => Proto::Eapol,
            0x8899 => Proto::Realtek,
            0x88cc => Proto::Lldp,
            0x88e5 => Proto::Macsec,
            0x88f7 => Proto::Ptp,
            0x893a => Proto::Ieee1905,
            0x9000 => Proto::Ctp,
            _ => Proto::Data,
        };
        self.enter(proto)?;
        None
    }

    fn vlan(&mut self, proto: Proto) -> Option<Layer> {
        let Ok(tag) = SingleVlanHeaderSlice::from_slice(self.rest()) else { return self.open_cut(proto, 4) };
        self.enter(proto)?;
        if let (Some(ether), Net::None) = (&mut self.packet.ether, &self.packet.net) {
            ether.vlan = tag.vlan_identifier().value();
        }
        self.at += 4;
        let kind = tag.ether_type().0;
        if kind > MAX_LENGTH_FIELD {
            return Some(Layer::EtherType(kind));
        }
        self.limit(usize::from(kind));
        Some(Layer::Llc)
    }

    /// Label stack entries up to the bottom; what follows tells itself by its first nibble (RFC 4928).
    fn mpls(&mut self) -> Option<Layer> {
        loop {
            let entry: &[u8; 4] = self.open(Proto::Mpls)?;
            self.at += 4;
            if entry[2] & 1 != 0 {
                break;
            }
        }
        matches!(self.rest().first()? >> 4, 4 | 6).then_some(Layer::Ip)
    }

    fn arp(&mut self) -> Option<Layer> {
        let header: &[u8; 8] = self.open(Proto::Arp)?;
        // Ethernet (1) and IPv4 (0x0800) with lengths 6 and 4 is what exists; others have no fields for us.
        if header[..6] != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        // Within a tunnel it is not about this link.
        if !matches!(self.packet.net, Net::None) {
            return None;
        }
        let body: &[u8; 28] = self.header(Proto::Arp)?;
        let mac = |at: usize| {
            MacAddr([body[at], body[at + 1], body[at + 2], body[at + 3], body[at + 4], body[at + 5]])
        };
        let addr = |at: usize| Addr::from_v4([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        self.packet.net = Net::Arp(Arp {
            operation: u16::from_be_bytes([body[6], body[7]]),
            sender_mac: mac(8),
            sender: addr(14),
            target_mac: mac(18),
            target: addr(24),
        });
        None
    }

    pub(super) fn llc(&mut self) -> Option<Layer> {
        let header: &[u8; 3] = self.open(Proto::Llc)?;
        if header[..2] == [0xaa, 0xaa] {
            let snap: &[u8; 8] = self.header(Proto::Llc)?;
            self.at += 8;
            let pid = u16::from_be_bytes([snap[6], snap[7]]);
            return match [snap[3], snap[4], snap[5]] {
                // Encapsulated Ethernet, and its Bridge-Tunnel twin (RFC 1042, IEEE 802.1H).
                [0, 0, 0] | [0, 0, 0xf8] => Some(Layer::EtherType(pid)),
                [0, 0, 0x0c] if pid == 0x2000 => self.enter(Proto::Cdp).and(None),
                _ => self.enter(Proto::Data).and(None),
            };
        }
        // Information and supervisory frames have a control field of two bytes.
        self.at += if header[2] & 3 == 3 { 3 } else { 4 };
        match header[0] {
            0x06 => Some(Layer::Ip),
            0x42 => self.enter(Proto::Stp).and(None),
            0xe0 => self.enter(Proto::Ipx).and(None),
            0xf0 => self.enter(Proto::Netbios).and(None),
            _ => self.enter(Proto::Data).and(None),
        }
    }

    pub(super) fn sll(&mut self) -> Option<Layer> {
        let header: &[u8; 16] = self.open(Proto::Sll)?;
        self.cooked_sender(header[4..6] == [0, 6], &header[6..12]);
        self.at += 16;
        self.cooked_payload(u16::from_be_bytes([header[14], header[15]]))
    }

    pub(super) fn sll2(&mut self) -> Option<Layer> {
        let header: &[u8; 20] = self.open(Proto::Sll)?;
        self.cooked_sender(header[11] == 6, &header[12..18]);
        self.at += 20;
        self.cooked_payload(u16::from_be_bytes([header[0], header[1]]))
    }

    fn cooked_sender(&mut self, is_mac: bool, octets: &[u8]) {
        if let (true, Ok(octets)) = (is_mac, <[u8; 6]>::try_from(octets)) {
            self.packet.ether = Some(Ether { src: MacAddr(octets), dst: MacAddr::NONE, vlan: 0 });
        }
    }

    fn cooked_payload(&mut self, kind: u16) -> Option<Layer> {
        match kind {
            // Linux's own numbers below the Ethernet types: 802.2, and Novell's raw 802.3.
            0x0004 => Some(Layer::Llc),
            0x0001 => self.enter(Proto::Ipx).and(None),
            0..=MAX_LENGTH_FIELD => self.enter(Proto::Data).and(None),
            _ => Some(Layer::EtherType(kind)),
        }
    }

    /// BSD loopback: an address family in the byte order of the capturing machine, or in network order.
    pub(super) fn null(&mut self) -> Option<Layer> {
        let header: &[u8; 4] = self.open(Proto::Null)?;
        self.at += 4;
        let family = match u32::from_be_bytes(*header) {
            family @ 0..=0xffff => family,
            family => family.swap_bytes(),
        };
        match family {
            // AF_INET, and AF_INET6 of Linux, NetBSD, FreeBSD and Darwin.
            2 => Some(Layer::EtherType(0x0800)),
            10 | 24 | 28 | 30 => Some(Layer::EtherType(0x86dd)),
            _ => self.enter(Proto::Data).and(None),
        }
    }

    pub(super) fn pppoe_session(&mut self) -> Option<Layer> {
        let header: &[u8; 6] = self.open(Proto::Pppoes)?;
        self.at += 6;
        if !self.limit(usize::from(u16::from_be_bytes([header[4], header[5]]))) {
            self.stop::<()>(Proto::Pppoes, Reason::Length);
        }
        Some(Layer::Ppp)
    }

    pub(super) fn ppp(&mut self) -> Option<Layer> {
        // Address and control fields of HDLC-like framing may be left out (RFC 1661 §6.6).
        if self.rest().starts_with(&[0xff, 0x03]) {
            self.at += 2;
        }
        let first = self.open::<1>(Proto::Ppp)?[0];
        // An odd first byte is a compressed protocol field (RFC 1661 §6.5).
        let protocol = if first & 1 != 0 {
            self.at += 1;
            u16::from(first)
        } else {
            let field: &[u8; 2] = self.header(Proto::Ppp)?;
            self.at += 2;
            u16::from_be_bytes(*field)
        };
        let proto = match protocol {
            0x0021 => return Some(Layer::EtherType(0x0800)),
            0x0057 => return Some(Layer::EtherType(0x86dd)),
            0x0281 | 0x0283 => return Some(Layer::EtherType(0x8847)),
            0x8021 => Proto::Ipcp,
            0x8057 => Proto::Ipv6cp,
            0x80fd => Proto::Ccp,
            0xc021 => Proto::Lcp,
            0xc023 => Proto::Pap,
            0xc223 => Proto::Chap,
            _ => Proto::Data,
        };
        self.enter(proto)?;
        None
    }
}
