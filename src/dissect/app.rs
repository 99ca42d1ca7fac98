//! The application of a packet, as far as one packet tells: what reports show below TCP and UDP.
//!
//! A separate step, so that nobody pays for it who shows no protocols. The first bytes decide where they are
//! captured and distinctive; else the port, the lower one first (servers have it). Our definition differs from
//! Wireshark's in one respect: a segment belongs to the application of its connection even if a message ends in a
//! later one, where Wireshark waits for the whole message.

use super::path::{Path, Proto};
use super::{Packet, Transport};

impl Packet<'_> {
    /// The protocol path with the application at its end, where one is recognised.
    pub fn application_path(&self) -> Path {
        match self.application() {
            Some(proto) => self.path.push(proto),
            None => self.path,
        }
    }

    /// The application of a packet with payload that is not in a tunnel.
    pub fn application(&self) -> Option<Proto> {
        match (self.path.leaf()?, &self.transport) {
            (Proto::Tcp, Transport::Tcp(tcp)) if tcp.payload_len > 0 => {
                by_stream(self.payload).or_else(|| lower_first(tcp.src_port, tcp.dst_port, by_tcp_port))
            }
            (Proto::Udp, &Transport::Udp { src_port, dst_port, payload_len }) if payload_len > 0 => {
                by_datagram(self.payload, src_port.min(dst_port))
                    .or_else(|| lower_first(src_port, dst_port, by_udp_port))
            }
            _ => None,
        }
    }
}

fn lower_first(a: u16, b: u16, known: fn(u16) -> Option<Proto>) -> Option<Proto> {
    known(a.min(b)).or_else(|| known(a.max(b)))
}

/// First bytes that only one protocol has.
fn by_stream(payload: &[u8]) -> Option<Proto> {
    match payload {
        // A TLS record: type, version 3.0 to 3.4.
        [0x14..=0x17, 3, 0..=4, ..] => Some(Proto::Tls),
        [b'S', b'S', b'H', b'-', ..] => Some(Proto::Ssh),
        [0x13, b'B', b'i', b't', b'T', ..] => Some(Proto::Bittorrent),
        [b'H', b'T', b'T', b'P', b'/', ..] => Some(Proto::Http),
        [b'G' | b'P' | b'H' | b'D' | b'O' | b'C', ..] => {
            const METHODS: [&[u8]; 7] =
                [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT "];
            METHODS.iter().any(|method| payload.starts_with(method)).then_some(Proto::Http)
        }
        _ => None,
    }
}

fn by_tcp_port(port: u16) -> Option<Proto> {
    Some(match port {
        20 => Proto::FtpData,
        21 => Proto::Ftp,
        22 => Proto::Ssh,
        23 => Proto::Telnet,
        25 | 587 => Proto::Smtp,
        53 => Proto::Dns,
        80 | 8000 | 8008 | 8080 => Proto::Http,
        110 => Proto::Pop,
        111 | 2049 => Proto::Nfs,
        139 => Proto::Nbss,
        143 => Proto::Imap,
        389 => Proto::Ldap,
        443 | 465 | 636 | 853 | 993 | 995 | 8443 => Proto::Tls,
        445 => Proto::Smb2,
        554 => Proto::Rtsp,
        1080 => Proto::Socks,
        1883 => Proto::Mqtt,
        1935 => Proto::Rtmp,
        3306 => Proto::Mysql,
        3389 => Proto::Rdp,
        5060 => Proto::Sip,
        5222 | 5223 | 5269 => Proto::Xmpp,
        5432 => Proto::Postgres,
        5900 => Proto::Vnc,
        6379 => Proto::Redis,
        6881..=6889 => Proto::Bittorrent,
        9418 => Proto::Git,
        _ => return None,
    })
}

fn by_udp_port(port: u16) -> Option<Proto> {
    Some(match port {
        53 => Proto::Dns,
        67 | 68 => Proto::Dhcp,
        69 => Proto::Tftp,
        80 | 443 => Proto::Quic,
        123 => Proto::Ntp,
        137 => Proto::Nbns,
        138 => Proto::Nbdgm,
        161 | 162 => Proto::Snmp,
        500 => Proto::Isakmp,
        514 => Proto::Syslog,
        546 | 547 => Proto::Dhcpv6,
        1194 => Proto::OpenVpn,
        1812 | 1813 => Proto::Radius,
        1900 => Proto::Ssdp,
        3478 | 5349 => Proto::Stun,
        4500 => Proto::Udpencap,
        5060 => Proto::Sip,
        5353 => Proto::Mdns,
        5355 => Proto::Llmnr,
        5683 => Proto::Coap,
        51820 => Proto::Wireguard,
        _ => return None,
    })
}

/// The media protocols have no ports of their own; they share one by their first byte (RFC 9443 §2).
fn by_datagram(payload: &[u8], low_port: u16) -> Option<Proto> {
    match payload {
        // The magic cookie of RFC 8489 §5.
        [0..=3, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => Some(Proto::Stun),
        [20..=25, 0xfe, 0xfd..=0xff, ..] => Some(Proto::Dtls),
        [b'd', b'1', b':', b'a' | b'r' | b'e' | b'q' | b't', ..] => Some(Proto::BtDht),
        // A QUIC long header with a version we know, on any port.
        [0xc0..=0xff, 0, 0, 0, 1, ..] | [0xc0..=0xff, 0x6b, 0x33, 0x43, 0xcf, ..] => Some(Proto::Quic),
        // Version 2, a payload type that is in use, at least a header (RFC 3550 §5.1, §6.4).
        [0x80..=0xbf, kind, _, _, _, _, _, _, _, _, _, _, ..] if low_port >= 1024 => match kind {
            200..=207 => Some(Proto::Rtcp),
            kind if matches!(kind & 0x7f, 0..=34 | 96..=127) && by_udp_port(low_port).is_none() => {
                Some(Proto::Rtp)
            }
            _ => None,
        },
        _ => None,
    }
}
