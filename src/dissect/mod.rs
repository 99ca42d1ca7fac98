//! Frames in, packets out: the only place that believes nothing.
//!
//! [`dissect`] never fails. It keeps what it could read of a frame that is cut short or lies about its lengths,
//! and says in [`Packet::malformed`] where it stopped. Nothing here allocates, looks at a clock or remembers the
//! previous frame; facts that need memory (handshake names across segments, RTT) are the business of `flow`.
//!
//! A frame may carry several IP headers (tunnels). [`Packet::ip`] is the outermost one, because that is who
//! exchanges bytes on this link; the protocol [`Path`] lists every layer, because that is what reports show.

use crate::net::{Addr, MacAddr};
use crate::time::Moment;

mod app;
pub mod bpf;
pub mod dhcp;
pub mod dns;
mod headers;
pub mod hostname;
pub mod http;
mod ip;
mod link;
mod path;
mod plain;
pub mod quic;
mod quote;
pub mod tls;
pub mod trace;
mod transport;
mod walk;

pub use headers::{Header, Headers, IpVersion, MAX_HEADERS, headers};
pub use path::{MAX_LAYERS, Path, Proto};

use walk::{Layer, Walk};

/// Reads the headers of one frame.
#[cfg_attr(router, optimize(speed))]
pub fn dissect<'a>(frame: &Frame<'a>) -> Packet<'a> {
    match plain::plain(frame) {
        Some(plain) => plain.packet(frame),
        None => walked(frame),
    }
}

/// Header by header.
#[inline(never)]
#[cfg_attr(router, optimize(speed))]
fn walked<'a>(frame: &Frame<'a>) -> Packet<'a> {
    let mut walk = Walk::new(frame);
    let mut next = match frame.link {
        LinkType::Ethernet => walk.ethernet(),
        other => walk.begin(other),
    };
    while let Some(layer) = next {
        next = walk.step(layer);
    }
    walk.packet
}

impl Walk<'_> {
    /// Where a frame of any link type but Ethernet begins.
    fn begin(&mut self, link: LinkType) -> Option<Layer> {
        match link {
            LinkType::Ethernet => Some(Layer::Ethernet),
            LinkType::Null => Some(Layer::Null),
            LinkType::Ppp => Some(Layer::Ppp),
            LinkType::PppEther => Some(Layer::PppoeSession),
            LinkType::RawIp => self.open::<8>(Proto::Raw).map(|_| Layer::Ip),
            LinkType::Ipv4 => Some(Layer::EtherType(0x0800)),
            LinkType::Ipv6 => Some(Layer::EtherType(0x86dd)),
            LinkType::Sll => Some(Layer::Sll),
            LinkType::Sll2 => Some(Layer::Sll2),
            LinkType::Other(_) => self.enter(Proto::Data).and(None),
        }
    }

    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn step(&mut self, layer: Layer) -> Option<Layer> {
        match layer {
            Layer::EtherType(kind) => self.ether_type(kind),
            Layer::IpProtocol(protocol) => self.ip_protocol(protocol),
            Layer::Ip => self.ip(),
            Layer::Ethernet => self.ethernet(),
            Layer::Llc => self.llc(),
            Layer::Ppp => self.ppp(),
            Layer::PppoeSession => self.pppoe_session(),
            Layer::Sll => self.sll(),
            Layer::Sll2 => self.sll2(),
            Layer::Null => self.null(),
        }
    }
}

/// Bytes off the wire, before anybody looked into them.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub at: Moment,
    /// How the bytes begin.
    pub link: LinkType,
    /// Length on the wire in bytes; what was captured may be shorter.
    pub wire_len: u32,
    /// What was captured.
    pub data: &'a [u8],
}

/// How a frame begins: the link types (tcpdump.org/linktypes.html) that routers and captures of home networks
/// use. Anything else is counted and not dissected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback: 4-byte address family (LINKTYPE_NULL 0, LOOP 108).
    Null,
    /// Ethernet (1).
    Ethernet,
    /// Point-to-point protocol (9), with or without HDLC framing (50).
    Ppp,
    /// PPP over Ethernet session, without the Ethernet header (51).
    PppEther,
    /// Raw IPv4 or IPv6 (12, 14, 101).
    RawIp,
    /// Raw IPv4 (228).
    Ipv4,
    /// Raw IPv6 (229).
    Ipv6,
    /// Linux "cooked" capture v1 (113).
    Sll,
    /// Linux "cooked" capture v2 (276).
    Sll2,
    /// Any other LINKTYPE_ number.
    Other(u32),
}

impl LinkType {
    /// From the number in a capture file.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            51 => Self::PppEther,
            12 | 14 | 101 => Self::RawIp,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            113 => Self::Sll,
            276 => Self::Sll2,
            other => Self::Other(other),
        }
    }

    /// The number in a capture file: of several that mean the same, the usual one.
    #[inline]
    pub const fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::PppEther => 51,
            Self::RawIp => 101,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Other(other) => other,
        }
    }
}

/// Everything the pipeline wants to know about one frame. Borrowed, copied nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub at: Moment,
    /// Length of the frame on the wire in bytes.
    pub wire_len: u32,
    /// Link layer addresses; `None` on links without Ethernet addresses.
    pub ether: Option<Ether>,
    /// What the frame carries above the link.
    pub net: Net,
    /// Transport header of the outermost IP packet (of fragments: the first only).
    pub transport: Transport,
    /// Captured bytes after the transport header, never beyond the IP length.
    pub payload: &'a [u8],
    /// Every layer seen, for the protocol hierarchy.
    pub path: Path,
    /// Where dissection had to stop, if the frame is not what it claims.
    pub malformed: Option<Malformed>,
}

/// The Ethernet (or cooked) header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ether {
    /// Sender.
    pub src: MacAddr,
    /// Receiver; [`MacAddr::NONE`] on cooked captures, which do not tell.
    pub dst: MacAddr,
    /// Innermost 802.1Q VLAN identifier, 0 if untagged.
    pub vlan: u16,
}

/// The network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// Neither IP nor ARP, or not readable.
    None,
    /// Address resolution, RFC 826.
    Arp(Arp),
    /// The outermost IPv4 or IPv6 header.
    Ip(Ip),
}

/// An ARP message about IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Who speaks.
    pub sender_mac: MacAddr,
    /// The address it claims.
    pub sender: Addr,
    /// Target hardware address.
    pub target_mac: MacAddr,
    /// The address asked for.
    pub target: Addr,
}

/// What we use of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source.
    pub src: Addr,
    /// Destination.
    pub dst: Addr,
    /// Upper protocol after all extension headers (IANA protocol numbers).
    pub protocol: u8,
    /// IP length in bytes as on the wire: IPv4 total length, IPv6 40 + payload length; where the header says 0
    /// (segmentation offload), or more than the frame holds, the length left in the frame.
    pub len: u32,
    /// Hop limit.
    pub ttl: u8,
    /// Position in a fragmented packet.
    pub fragment: Fragment,
}

/// Position in a fragmented IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Not fragmented.
    Whole,
    /// Offset 0, more to come: holds the transport header.
    First,
    /// A later piece: no transport header.
    Later,
}

/// The transport header. `payload_len` is in bytes on the wire, derived from the IP length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// None, not readable, or a later fragment.
    None,
    /// TCP, RFC 9293.
    Tcp(Tcp),
    /// UDP, RFC 768.
    Udp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
        /// Bytes of payload on the wire.
        payload_len: u32,
    },
    /// ICMP or ICMPv6 (see [`Ip::protocol`]).
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Identifier of echo messages, lifetime in seconds of router advertisements, first flags of neighbour
        /// advertisements, else 0.
        id: u16,
    },
    /// Another protocol number.
    Other(u8),
}

/// What we use of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags CWR ECE URG ACK PSH RST SYN FIN, FIN = bit 0.
    pub flags: u8,
    /// Receive window as sent, unscaled.
    pub window: u16,
    /// Maximum segment size option of a SYN, 0 if absent.
    pub mss: u16,
    /// Bytes of payload on the wire.
    pub payload_len: u32,
}

impl Tcp {
    /// Whether this asks for a connection.
    #[inline]
    pub fn is_request(&self) -> bool {
        self.flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN
    }
}

/// TCP flag bits.
pub mod tcp_flags {
    #![allow(missing_docs)]
    pub const FIN: u8 = 1;
    pub const SYN: u8 = 2;
    pub const RST: u8 = 4;
    pub const PSH: u8 = 8;
    pub const ACK: u8 = 16;
    pub const URG: u8 = 32;
    pub const ECE: u8 = 64;
    pub const CWR: u8 = 128;
}

/// Where and why dissection stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The layer that could not be read.
    pub layer: Proto,
    /// What is wrong with it.
    pub reason: Reason,
    /// Offset in the captured bytes where reading stopped.
    pub offset: u32,
}

/// What is wrong with a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The capture ends inside the header (snap length): cut short, not wrong.
    Truncated,
    /// The capture ends inside the packet that an ICMP error quotes: analysers leave such frames out.
    QuoteTruncated,
    /// A length or version field contradicts the bytes.
    Length,
    /// More nested headers than `path::MAX_LAYERS`.
    TooDeep,
}

impl Packet<'_> {
    /// The outermost IP header, if there is one.
    pub fn ip(&self) -> Option<&Ip> {
        match &self.net {
            Net::Ip(ip) => Some(ip),
            Net::Arp(_) | Net::None => None,
        }
    }

    /// Source and destination port, zero where the protocol has none.
    #[inline]
    pub fn ports(&self) -> (u16, u16) {
        match self.transport {
            Transport::Tcp(Tcp { src_port, dst_port, .. }) | Transport::Udp { src_port, dst_port, .. } => {
                (src_port, dst_port)
            }
            Transport::Icmp { .. } | Transport::Other(_) | Transport::None => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests;
