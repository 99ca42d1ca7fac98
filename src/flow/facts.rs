//! What is known of one flow, and how one packet changes it.

use std::time::Duration;

use crate::dissect::{Packet, Tcp, Transport, tcp_flags};
use crate::net::{Addr, Endpoint, FiveTuple};
use crate::time::Moment;

/// A TCP flow silent for longer than this is over.
pub const TCP_IDLE: Duration = Duration::from_secs(300);
/// The same for everything else.
pub const UDP_IDLE: Duration = Duration::from_secs(120);
/// A TCP flow that said goodbye is over after this much silence, or with the next SYN.
pub const CLOSED_IDLE: Duration = Duration::from_secs(10);

/// Payload of a full segment where no SYN was seen: 1500 − 40 − 12 bytes of timestamps.
const DEFAULT_MSS: u32 = 1448;
/// Payload of a full datagram where no unmerged one was seen: what QUIC senders use.
const DEFAULT_DATAGRAM: u32 = 1350;
/// An MSS below what RFC 9293 §3.7.1 lets everybody send is a lie or a lab.
const MIN_MSS: u32 = 536;
/// Smaller datagrams are not merged by any offload.
const MIN_DATAGRAM: u32 = 64;
/// Longest IP packet that crosses an Ethernet unmerged.
const MAX_UNMERGED: u32 = 1500;
/// More packets than this no offload merges (Linux BIG TCP stops at 512 KiB): the length is a lie.
const MAX_TRAIN: u32 = 512;
/// A segment that fills a hole this soon was overtaken, not lost (Wireshark's rule).
const REORDER: Duration = Duration::from_millis(3);

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who began.
    Orig,
    /// Who answered.
    Resp,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Orig => Self::Resp,
            Self::Resp => Self::Orig,
        }
    }
}

/// How a TCP segment arrived, by its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// As expected, or not TCP, or without payload.
    InOrder,
    /// After a gap: something before it was lost or is late.
    AfterGap,
    /// Late: a later segment overtook it.
    OutOfOrder,
    /// Sent before.
    Retransmitted,
}

/// What one side sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Bytes of the IP packets.
    pub ip_bytes: u64,
    /// Captured packets, super-packets counted once.
    pub packets: u32,
    /// TCP segments sent before.
    pub retransmitted: u32,
    /// TCP segments overtaken by a later one.
    pub out_of_order: u32,
    /// All TCP flags seen.
    pub flags: u8,
    /// Maximum segment size this side announced in its SYN, 0 if unknown.
    pub mss: u16,
    /// Payload of the largest UDP datagram that no offload had merged.
    pub largest_datagram: u16,
    /// Sequence number after the highest byte seen; meaningful once `flags` is not 0.
    next_seq: u32,
    /// The last gap seen, as sequence numbers, and when.
    hole: (u32, u32),
    hole_at: Moment,
}

/// One flow. `orig` sent the SYN, or else the first packet seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Both ends and the protocol.
    pub tuple: FiveTuple,
    /// First packet.
    pub first: Moment,
    /// Latest packet (the greatest stamp).
    pub last: Moment,
    /// What `orig` sent.
    pub orig: Half,
    /// What `resp` sent.
    pub resp: Half,
    handshake: Handshake,
}

/// Times of the three-way handshake, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    Unseen,
    Syn(Moment),
    SynAck {
        at: Moment,
        to_resp_us: u32,
    },
    Done {
        to_resp_us: u32,
        to_orig_us: u32,
    },
    /// A SYN was repeated: which one was answered, nobody can tell (Karn's rule).
    Ambiguous,
}

impl Flow {
    /// A place without a flow.
    pub(super) const VACANT: Self = {
        let end = Endpoint { addr: Addr::UNSPECIFIED, port: 0 };
        Self {
            tuple: FiveTuple { orig: end, resp: end, proto: 0 },
            first: Moment::ZERO,
            last: Moment::ZERO,
            orig: Half::NONE,
            resp: Half::NONE,
            handshake: Handshake::Unseen,
        }
    };

    /// The flow that `packet` begins. A SYN-ACK is sent by the one who was called.
    pub(super) fn begin(ends: Ends, packet: &Packet<'_>) -> Self {
        let Ends { mut src, mut dst, proto } = ends;
        if let Transport::Tcp(tcp) = &packet.transport
            && tcp.flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN | tcp_flags::ACK
        {
            std::mem::swap(&mut src, &mut dst);
        }
        Self {
            tuple: FiveTuple { orig: src, resp: dst, proto },
            first: packet.at,
            last: packet.at,
            orig: Half::NONE,
            resp: Half::NONE,
            handshake: Handshake::Unseen,
        }
    }

    /// What one side sent.
    pub fn half(&self, side: Side) -> &Half {
        match side {
            Side::Orig => &self.orig,
            Side::Resp => &self.resp,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Orig => &mut self.orig,
            Side::Resp => &mut self.resp,
        }
    }

    /// Reads from each of the cache lines that counting a packet needs.
    #[inline]
    pub(super) fn touch(&self) -> u32 {
        let FiveTuple { orig, proto, .. } = &self.tuple;
        self.last.as_nanos() as u32
            ^ self.orig.packets
            ^ self.resp.packets
            ^ u32::from(orig.port)
            ^ u32::from(*proto)
            ^ u32::from(self.handshake == Handshake::Unseen)
    }

    /// Which side sends from these ends; `None` if they are not this flow's.
    #[inline]
    pub(super) fn side_of(&self, ends: &Ends) -> Option<Side> {
        let FiveTuple { orig, resp, proto } = &self.tuple;
        if *proto != ends.proto {
            None
        } else if *orig == ends.src && *resp == ends.dst {
            Some(Side::Orig)
        } else if *orig == ends.dst && *resp == ends.src {
            Some(Side::Resp)
        } else {
            None
        }
    }

    /// Time from the SYN to its SYN-ACK, seen here: the round trip to `resp`.
    pub fn rtt_to_resp(&self) -> Option<Duration> {
        match self.handshake {
            Handshake::SynAck { to_resp_us, .. } | Handshake::Done { to_resp_us, .. } => {
                Some(Duration::from_micros(to_resp_us.into()))
            }
            Handshake::Unseen | Handshake::Syn(_) | Handshake::Ambiguous => None,
        }
    }

    /// Time from the SYN-ACK to the ACK, seen here: the round trip to `orig`.
    pub fn rtt_to_orig(&self) -> Option<Duration> {
        match self.handshake {
            Handshake::Done { to_orig_us, .. } => Some(Duration::from_micros(to_orig_us.into())),
            Handshake::Unseen | Handshake::Syn(_) | Handshake::SynAck { .. } | Handshake::Ambiguous => None,
        }
    }

    /// Whether both sides said goodbye, or one hung up.
    pub fn is_closed(&self) -> bool {
        (self.orig.flags | self.resp.flags) & tcp_flags::RST != 0
            || self.orig.flags & self.resp.flags & tcp_flags::FIN != 0
    }

    /// Whether so much silence has passed that a packet now begins a new flow.
    #[inline]
    pub fn is_over(&self, now: Moment) -> bool {
        let idle = if self.tuple.proto != 6 {
            UDP_IDLE
        } else if self.is_closed() {
            CLOSED_IDLE
        } else {
            TCP_IDLE
        };
        now.nanos_since(self.last) > idle.as_nanos() as u64
    }

    /// Whether `packet` opens a new connection on the ports of this closed one.
    #[inline]
    pub(super) fn is_reopened_by(&self, packet: &Packet<'_>) -> bool {
        match &packet.transport {
            Transport::Tcp(tcp) => tcp.is_request() && self.is_closed(),
            Transport::Udp { .. } | Transport::Icmp { .. } | Transport::Other(_) | Transport::None => false,
        }
    }

    /// Counts one packet.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn count(&mut self, side: Side, packet: &Packet<'_>, ip_bytes: u32) -> Arrival {
        self.last = self.last.max(packet.at);
        let half = self.half_mut(side);
        half.packets = half.packets.saturating_add(1);
        half.wire_bytes += u64::from(packet.wire_len);
        half.ip_bytes += u64::from(ip_bytes);
        match &packet.transport {
            Transport::Tcp(tcp) => {
                let arrival = half.segment(tcp, packet.at);
                if tcp.flags & tcp_flags::SYN != 0 || matches!(self.handshake, Handshake::SynAck { .. }) {
                    self.shake(side, tcp, packet.at);
                }
                arrival
            }
            Transport::Udp { payload_len, .. } => {
                if ip_bytes <= MAX_UNMERGED {
                    let len = u16::try_from(*payload_len).unwrap_or(u16::MAX);
                    half.largest_datagram = half.largest_datagram.max(len);
                }
                Arrival::InOrder
            }
            Transport::Icmp { .. } | Transport::Other(_) | Transport::None => Arrival::InOrder,
        }
    }

    fn shake(&mut self, side: Side, tcp: &Tcp, at: Moment) {
        let micros = |from: Moment| u32::try_from(at.since(from).as_micros()).unwrap_or(u32::MAX);
        let acks = tcp.flags & tcp_flags::ACK != 0;
        let syn = tcp.flags & tcp_flags::SYN != 0;
        if syn && tcp.mss != 0 {
            self.half_mut(side).mss = tcp.mss;
        }
        self.handshake = match (self.handshake, side, syn, acks) {
            (Handshake::Unseen, Side::Orig, true, false) => Handshake::Syn(at),
            (Handshake::Syn(_), Side::Orig, true, false) => Handshake::Ambiguous,
            (Handshake::Syn(from), Side::Resp, true, true) => {
                Handshake::SynAck { at, to_resp_us: micros(from) }
            }
            (Handshake::SynAck { at: from, to_resp_us }, Side::Orig, false, true) => {
                Handshake::Done { to_resp_us, to_orig_us: micros(from) }
            }
            (unchanged, ..) => unchanged,
        };
    }

    /// How many packets crossed the wire for this one: receive offloads merge a train of them into one
    /// super-packet (docs/design.md §4.2).
    #[inline]
    pub fn wire_packets(&self, side: Side, packet: &Packet<'_>) -> u32 {
        let packets = match &packet.transport {
            Transport::Tcp(tcp) if tcp.payload_len > MIN_MSS => tcp.payload_len.div_ceil(self.mss()),
            Transport::Udp { payload_len, .. } if *payload_len > MAX_UNMERGED - 28 => {
                payload_len.div_ceil(self.datagram(side))
            }
            _ => 1,
        };
        packets.min(MAX_TRAIN)
    }

    /// Payload of this flow's full segments.
    #[inline]
    pub fn mss(&self) -> u32 {
        let (a, b) = (u32::from(self.orig.mss), u32::from(self.resp.mss));
        match (a.min(b), a.max(b)) {
            (0, 0) => DEFAULT_MSS,
            (0, known) | (known, _) => known.max(MIN_MSS),
        }
    }

    fn datagram(&self, side: Side) -> u32 {
        match u32::from(self.half(side).largest_datagram) {
            0 => DEFAULT_DATAGRAM,
            largest => largest.max(MIN_DATAGRAM),
        }
    }
}

impl Half {
    /// Nothing sent yet.
    const NONE: Self = Self {
        wire_bytes: 0,
        ip_bytes: 0,
        packets: 0,
        retransmitted: 0,
        out_of_order: 0,
        flags: 0,
        mss: 0,
        largest_datagram: 0,
        next_seq: 0,
        hole: (0, 0),
        hole_at: Moment::ZERO,
    };

    /// Follows the sequence numbers of one direction.
    #[inline]
    fn segment(&mut self, tcp: &Tcp, at: Moment) -> Arrival {
        let unseen = self.flags == 0;
        self.flags |= tcp.flags;
        // SYN and FIN each take one number (RFC 9293 §3.4).
        let flags = u32::from(tcp.flags & 1) + u32::from(tcp.flags >> 1 & 1);
        let len = tcp.payload_len.wrapping_add(flags);
        let end = tcp.seq.wrapping_add(len);
        if unseen {
            self.next_seq = end;
            return Arrival::InOrder;
        }
        if len == 0 {
            return Arrival::InOrder;
        }
        let ahead = tcp.seq.wrapping_sub(self.next_seq).cast_signed();
        if ahead == 0 {
            self.next_seq = end;
            return Arrival::InOrder;
        }
        self.displaced(tcp, end, at)
    }

    /// A segment that is not the next one.
    #[inline(never)]
    fn displaced(&mut self, tcp: &Tcp, end: u32, at: Moment) -> Arrival {
        let ahead = tcp.seq.wrapping_sub(self.next_seq).cast_signed();
        if ahead > 0 {
            (self.hole, self.hole_at) = ((self.next_seq, tcp.seq), at);
            self.next_seq = end;
            return Arrival::AfterGap;
        }
        // A keep-alive repeats the last byte on purpose (RFC 9293 §3.8.4).
        if ahead == -1 && tcp.payload_len <= 1 && tcp.flags & (tcp_flags::SYN | tcp_flags::FIN) == 0 {
            return Arrival::InOrder;
        }
        let (from, to) = self.hole;
        let size = to.wrapping_sub(from);
        let fills = size > 0 && tcp.seq.wrapping_sub(from) < size;
        if end.wrapping_sub(self.next_seq).cast_signed() > 0 {
            self.next_seq = end;
        }
        if fills && at.since(self.hole_at) <= REORDER {
            if tcp.seq == from {
                self.hole.0 = end;
                if end.wrapping_sub(to).cast_signed() >= 0 {
                    self.hole = (0, 0);
                }
            }
            self.out_of_order = self.out_of_order.saturating_add(1);
            return Arrival::OutOfOrder;
        }
        self.retransmitted = self.retransmitted.saturating_add(1);
        Arrival::Retransmitted
    }
}

/// The ends of one packet, as sent.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    pub(super) proto: u8,
}

impl Ends {
    /// Of a packet with an IP header. Later fragments and protocols without ports have port 0.
    #[inline]
    pub(super) fn of(packet: &Packet<'_>) -> Option<(Self, u32)> {
        let ip = packet.ip()?;
        let (src_port, dst_port) = packet.ports();
        let end = |addr: Addr, port| Endpoint { addr, port };
        Some((Self { src: end(ip.src, src_port), dst: end(ip.dst, dst_port), proto: ip.protocol }, ip.len))
    }
}
