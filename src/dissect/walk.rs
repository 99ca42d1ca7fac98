//! The walk through the headers of one frame: where we are, how far each enclosing length lets us read, and what
//! was found so far.
//!
//! Two ends matter and must not be confused. The *captured* end is where the bytes stop (snap length); the *wire*
//! end is where the enclosing header says its payload stops. Sizes are derived from the wire end, bytes are read
//! up to the captured end only. A header that crosses the captured end is `Truncated`, one that crosses the wire
//! end is lying (`Length`).

use super::headers::{Header, Headers};
use super::path::{Path, Proto};
use super::{Frame, Malformed, Net, Packet, Reason, Transport};

/// What the walk reads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ethernet,
    EtherType(u16),
    Llc,
    Ppp,
    PppoeSession,
    Sll,
    Sll2,
    Null,
    /// IPv4 or IPv6 by its first nibble.
    Ip,
    IpProtocol(u8),
}

pub(super) struct Walk<'a> {
    /// Captured bytes from the start of the frame to the captured or wire end, whichever comes first.
    pub(super) data: &'a [u8],
    /// Offset of the next header.
    pub(super) at: usize,
    /// Offset where the innermost enclosing payload ends on the wire.
    pub(super) wire_end: usize,
    pub(super) packet: Packet<'a>,
    pub(super) log: Log,
}

/// Whether each header's ends are listed on the way (see [`super::headers`]).
#[expect(clippy::large_enum_variant, reason = "lives on the stack, once")]
pub(super) enum Log {
    Off,
    On(Headers),
}

impl<'a> Walk<'a> {
    #[inline]
    pub(super) fn new(frame: &Frame<'a>) -> Self {
        let packet = Packet {
            at: frame.at,
            wire_len: frame.wire_len,
            ether: None,
            net: Net::None,
            transport: Transport::None,
            payload: &[],
            path: Path::EMPTY,
            malformed: None,
        };
        let wire_end = (frame.wire_len as usize).max(frame.data.len());
        Self { data: frame.data, at: 0, wire_end, packet, log: Log::Off }
    }

    /// Adds a layer to the path; `None` when there are too many.
    #[inline]
    pub(super) fn enter(&mut self, proto: Proto) -> Option<()> {
        if self.packet.path.is_full() {
            return self.stop(proto, Reason::TooDeep);
        }
        self.packet.path = self.packet.path.push(proto);
        Some(())
    }

    /// Lists a header, if they are listed.
    #[inline]
    pub(super) fn note(&mut self, header: impl FnOnce() -> Header) {
        if let Log::On(headers) = &mut self.log {
            headers.push(header());
        }
    }

    /// Records why the walk ends here; always `None`, to be returned. The first finding stands.
    #[cold]
    pub(super) fn stop<T>(&mut self, layer: Proto, reason: Reason) -> Option<T> {
        let offset = u32::try_from(self.at.min(self.data.len())).unwrap_or(u32::MAX);
        self.packet.malformed.get_or_insert(Malformed { layer, reason, offset });
        None
    }

    /// Enters a layer and reads the first `N` bytes of its header without moving. As in Wireshark, a header that is
    /// cut short still counts as seen once its first fields are there.
    #[inline]
    pub(super) fn open<const N: usize>(&mut self, layer: Proto) -> Option<&'a [u8; N]> {
        match self.rest().first_chunk() {
            Some(header) => {
                self.enter(layer)?;
                Some(header)
            }
            None => self.open_cut(layer, N),
        }
    }

    #[cold]
    pub(super) fn open_cut<T>(&mut self, layer: Proto, len: usize) -> Option<T> {
        let first_fields = match layer {
            Proto::Ipv6 | Proto::Icmpv6 => 0,
            Proto::Tcp | Proto::Udp => 4,
            Proto::Icmp => 6,
            Proto::Eth => 14,
            Proto::Vlan | Proto::Ieee8021ad | Proto::Arp => 2,
            _ => 1,
        };
        if self.rest().len() >= first_fields {
            self.enter(layer)?;
        }
        self.cut(layer, len)
    }

    /// The next `N` bytes without moving, or the reason why not.
    #[inline]
    pub(super) fn header<const N: usize>(&mut self, layer: Proto) -> Option<&'a [u8; N]> {
        match self.rest().first_chunk() {
            Some(header) => Some(header),
            None => self.cut(layer, N),
        }
    }

    /// The walk ends because `len` bytes cannot be read here.
    #[cold]
    pub(super) fn cut<T>(&mut self, layer: Proto, len: usize) -> Option<T> {
        let lying = self.at.saturating_add(len) > self.wire_end;
        self.stop(layer, if lying { Reason::Length } else { Reason::Truncated })
    }

    /// Captured bytes not yet read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or(&[])
    }

    /// Bytes left on the wire within the enclosing payload.
    #[inline]
    pub(super) fn wire_left(&self) -> usize {
        self.wire_end.saturating_sub(self.at)
    }

    /// Lets the payload that begins at the current offset end after `len` bytes; `false` if the enclosing one is
    /// shorter than that.
    #[inline]
    pub(super) fn limit(&mut self, len: usize) -> bool {
        let end = self.at.saturating_add(len);
        if end > self.wire_end {
            return false;
        }
        self.wire_end = end;
        if end < self.data.len() {
            self.data = &self.data[..end];
        }
        true
    }

    /// Bytes on the wire as the 32-bit numbers a packet holds.
    #[inline]
    pub(super) fn wire_left_u32(&self) -> u32 {
        u32::try_from(self.wire_left()).unwrap_or(u32::MAX)
    }
}
