//! Every address pair of one frame, tunnels included.
//!
//! A [`Packet`](super::Packet) tells who exchanges bytes on this link, which is what accounting by client wants.
//! Tables of conversations, as analysers know them, count each header: the two ends of a tunnel, and the two ends
//! of what is carried in it. [`headers`] walks a frame a second time and lists them; callers ask only for the few
//! frames whose [`Path`](super::Path) or malformation says that a packet is not the whole story.

use super::walk::{Log, Walk};
use super::{Frame, LinkType, Tcp};
use crate::net::{Addr, MacAddr};

/// Headers listed per frame; what is nested deeper is a tunnel bomb.
pub const MAX_HEADERS: usize = 16;

/// One header with two ends, well-formed and captured as far as its options reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Ethernet.
    Eth {
        /// Sender.
        src: MacAddr,
        /// Receiver.
        dst: MacAddr,
    },
    /// IPv4 or IPv6.
    Ip {
        /// Which of the two; an IPv6 header may hold IPv4-mapped addresses.
        version: IpVersion,
        /// Sender.
        src: Addr,
        /// Receiver; the last hop of a source route.
        dst: Addr,
    },
    /// TCP over the IP header before it.
    Tcp(Tcp),
    /// UDP or UDP-Lite over the IP header before it.
    Udp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
    },
}

/// The two versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// The headers of one frame, outermost first.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    list: [Header; MAX_HEADERS],
    len: usize,
}

impl Headers {
    const NONE: Self = Self { list: [Header::Udp { src_port: 0, dst_port: 0 }; MAX_HEADERS], len: 0 };

    /// The headers, outermost first.
    pub fn as_slice(&self) -> &[Header] {
        &self.list[..self.len]
    }

    pub(super) fn push(&mut self, header: Header) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = header;
            self.len += 1;
        }
    }
}

/// Lists the headers of one frame.
pub fn headers(frame: &Frame<'_>) -> Headers {
    let mut walk = Walk::new(frame);
    walk.log = Log::On(Headers::NONE);
    let mut next = walk.begin(frame.link);
    while let Some(layer) = next {
        next = walk.step(layer);
    }
    debug_assert!(frame.link == LinkType::Ethernet || !walk.packet.path.is_empty() || frame.data.is_empty());
    match walk.log {
        Log::On(headers) => headers,
        Log::Off => Headers::NONE,
    }
}
