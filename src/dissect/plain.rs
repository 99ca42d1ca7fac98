//! The short way for what most frames are: TCP or UDP in IPv4 without options in Ethernet, whole and honest.
//!
//! Nothing here decides anything: a frame that is not plain in every respect is walked, and what is said of a plain
//! one is what the walk would say (a test compares the two). It is here because nine frames of ten are plain and the
//! walk asks each of its questions of all of them.

use super::path::{Path, Proto};
use super::transport::{is_tunnel, max_segment_size};
use super::{Ether, Fragment, Frame, Ip, LinkType, Net, Packet, Tcp, Transport, tcp_flags};
use crate::net::{Addr, MacAddr};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
/// Where the transport header begins.
const TRANSPORT: usize = ETHERNET + IPV4;
const TCP: Path = Path::EMPTY.push(Proto::Eth).push(Proto::Ip).push(Proto::Tcp);
const UDP: Path = Path::EMPTY.push(Proto::Eth).push(Proto::Ip).push(Proto::Udp);

/// What is not the same in every plain frame; a packet is made of it where it is wanted, not moved there.
pub(super) struct Plain<'a> {
    header: &'a [u8; TRANSPORT],
    transport: Transport,
    path: Path,
    payload: &'a [u8],
}

/// The parts of a plain frame; `None` if it has to be walked.
#[inline]
pub(super) fn plain<'a>(frame: &Frame<'a>) -> Option<Plain<'a>> {
    let header: &[u8; TRANSPORT] = frame.data.first_chunk()?;
    let [_, _, _, _, _, _, _, _, _, _, _, _, 8, 0, 0x45, _, l0, l1, _, _, f0, f1, _, protocol, ..] = *header
    else {
        return None;
    };
    let len = u16::from_be_bytes([l0, l1]);
    let end = ETHERNET + usize::from(len);
    let wire_len = (frame.wire_len as usize).max(frame.data.len());
    // Fragments, and lengths that are missing or beyond the frame's.
    if frame.link != LinkType::Ethernet || f0 & 0x3f != 0 || f1 != 0 || end > wire_len || end < TRANSPORT {
        return None;
    }
    let data = frame.data.get(..end).unwrap_or(frame.data);
    let left = u32::from(len) - IPV4 as u32;
    let (transport, path, payload) = match protocol {
        6 => tcp(data, left)?,
        17 => udp(data, left)?,
        _ => return None,
    };
    Some(Plain { header, transport, path, payload })
}

impl<'a> Plain<'a> {
    /// The packet in the frame that these are the parts of.
    #[inline]
    pub(super) fn packet(self, frame: &Frame<'a>) -> Packet<'a> {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, _, _, ip @ ..] = *self.header;
        let [_, _, l0, l1, _, _, _, _, ttl, protocol, _, _, a, b, c, d, e, f, g, h] = ip;
        let (src, dst) = (MacAddr([s0, s1, s2, s3, s4, s5]), MacAddr([d0, d1, d2, d3, d4, d5]));
        Packet {
            at: frame.at,
            wire_len: frame.wire_len,
            ether: Some(Ether { src, dst, vlan: 0 }),
            net: Net::Ip(Ip {
                src: Addr::from_v4([a, b, c, d]),
                dst: Addr::from_v4([e, f, g, h]),
                protocol,
                len: u16::from_be_bytes([l0, l1]).into(),
                ttl,
                fragment: Fragment::Whole,
            }),
            transport: self.transport,
            payload: self.payload,
            path: self.path,
            malformed: None,
        }
    }
}

// Always inlined, both: what they say would go through memory twice.
#[inline(always)]
fn tcp(data: &[u8], left: u32) -> Option<(Transport, Path, &[u8])> {
    let segment = data.get(TRANSPORT..)?;
    let header: &[u8; 20] = segment.first_chunk()?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *header;
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < 20 || header_len > segment.len() || header_len as u32 > left {
        return None;
    }
    let (options, payload) = segment[20..].split_at(header_len - 20);
    let mss = if flags & tcp_flags::SYN != 0 { max_segment_size(options) } else { 0 };
    let tcp = Tcp {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        window: u16::from_be_bytes([w0, w1]),
        mss,
        payload_len: left - header_len as u32,
    };
    Some((Transport::Tcp(tcp), TCP, payload))
}

#[inline(always)]
fn udp(data: &[u8], left: u32) -> Option<(Transport, Path, &[u8])> {
    let datagram = data.get(TRANSPORT..)?;
    let header: &[u8; 8] = datagram.first_chunk()?;
    let [s0, s1, d0, d1, l0, l1, ..] = *header;
    let len = u32::from(u16::from_be_bytes([l0, l1]));
    let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    if len < 8 || len > left || is_tunnel(src_port) || is_tunnel(dst_port) {
        return None;
    }
    let payload = datagram.get(8..len as usize).unwrap_or(&datagram[8..]);
    Some((Transport::Udp { src_port, dst_port, payload_len: len - 8 }, UDP, payload))
}

#[cfg(test)]
mod tests {
    use super::super::walked;
    use super::*;
    use crate::net::mix;
    use crate::time::Moment;

    /// A plain segment or datagram, to be spoilt.
    fn base(protocol: u8) -> Vec<u8> {
        let mut bytes =
            vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 64, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        bytes.extend_from_slice(&[192, 168, 1, 2, 203, 0, 113, 9, 0x9c, 0x40, 1, 187]);
        match protocol {
            6 => bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 4, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4]),
            _ => bytes.extend_from_slice(&[0, 44, 0, 0]),
        }
        bytes.resize(82, 7);
        bytes
    }

    #[test]
    fn the_short_way_says_what_the_walk_says() {
        let mut taken = 0_u32;
        for round in 0..60_000_u64 {
            let mut bytes = base(if round % 2 == 0 { 6 } else { 17 });
            let random = mix(round);
            // Spoil up to three octets of the headers, and cut.
            for spoilt in 0..random % 4 {
                let place = mix(random ^ spoilt) % 58;
                bytes[place as usize] = mix(random.rotate_left(9) ^ spoilt) as u8;
            }
            let kept = if random & 0x30 == 0 { (random >> 8) as usize % 83 } else { 78 };
            let wire_len = if random & 0xc0 == 0 { (random >> 20) as u32 % 90 } else { 82 };
            let frame = Frame {
                at: Moment::ZERO,
                link: LinkType::Ethernet,
                wire_len,
                data: &bytes[..kept.min(bytes.len())],
            };
            if let Some(plain) = plain(&frame) {
                taken += 1;
                let packet = plain.packet(&frame);
                assert_eq!(format!("{packet:?}"), format!("{:?}", walked(&frame)), "{bytes:02x?}");
            }
        }
        assert!(taken > 20_000, "only {taken} frames were plain");
    }
}
