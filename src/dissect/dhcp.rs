//! What a device calls itself when it asks for an address: DHCPv4 (RFC 2131, 2132) and DHCPv6 (RFC 8415, 4704).
//!
//! The same messages tell who hands addresses out, which is what the rogue DHCP detector watches.

use crate::dissect::hostname::DeviceName;
use crate::net::{Addr, MacAddr};

/// Options looked at in one message.
const MAX_OPTIONS: usize = 64;

/// Fixed part of a DHCPv4 message, up to and including the magic cookie.
const V4_HEADER_LEN: usize = 240;

const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A DHCPv4 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4 {
    /// Option 53: 1 DISCOVER, 2 OFFER, 3 REQUEST, 4 DECLINE, 5 ACK, 6 NAK, 7 RELEASE, 8 INFORM; 0 if absent.
    pub kind: u8,
    /// The client's hardware address.
    pub client: MacAddr,
    /// Option 12.
    pub host_name: Option<DeviceName>,
    /// Option 50, else `ciaddr`: the address that the client wants or has.
    pub requested: Option<Addr>,
    /// `yiaddr`: the address that the server gives.
    pub assigned: Option<Addr>,
    /// Option 54: who serves.
    pub server: Option<Addr>,
}

/// Reads a DHCPv4 message from a UDP payload.
pub fn read_v4(bytes: &[u8]) -> Option<V4> {
    let header = bytes.get(..V4_HEADER_LEN)?;
    // op 1 request or 2 reply, hardware type 1 (Ethernet), hardware address length 6.
    if !matches!(header, [1 | 2, 1, 6, ..]) || header[236..] != MAGIC_COOKIE {
        return None;
    }
    let addr = |at: usize| header[at..at + 4].try_into().ok().and_then(some_v4);
    let mut message = V4 {
        kind: 0,
        client: MacAddr(header[28..34].try_into().ok()?),
        host_name: None,
        requested: addr(12),
        assigned: addr(16),
        server: None,
    };
    for (code, value) in options_v4(&bytes[V4_HEADER_LEN..]).take(MAX_OPTIONS) {
        let as_addr = || value.try_into().ok().and_then(some_v4);
        match (code, value) {
            (53, [kind]) => message.kind = *kind,
            (12, _) => message.host_name = DeviceName::from_bytes(value),
            (50, _) => message.requested = as_addr().or(message.requested),
            (54, _) => message.server = as_addr(),
            _ => {}
        }
    }
    Some(message)
}

fn some_v4(octets: [u8; 4]) -> Option<Addr> {
    (octets != [0; 4]).then(|| Addr::from_v4(octets))
}

fn options_v4(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let Some((0, rest)) = bytes.split_first() {
            bytes = rest;
        }
        let (&code, rest) = bytes.split_first()?;
        let (&len, rest) = rest.split_first()?;
        if code == 255 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(usize::from(len))?;
        bytes = rest;
        Some((code, value))
    })
}

/// A DHCPv6 message between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V6 {
    /// Message type: 1 SOLICIT, 2 ADVERTISE, 3 REQUEST, 5 RENEW, 7 REPLY, ...
    pub kind: u8,
    /// The hardware address within the client's DUID, if it has one (it may be another interface's).
    pub client: Option<MacAddr>,
    /// First label of the client's FQDN (option 39).
    pub host_name: Option<DeviceName>,
}

/// Reads a DHCPv6 message from a UDP payload; relayed messages are left alone.
pub fn read_v6(bytes: &[u8]) -> Option<V6> {
    let kind = *bytes.first().filter(|kind| (1..=11).contains(*kind))?;
    let mut message = V6 { kind, client: None, host_name: None };
    for (code, value) in options_v6(bytes.get(4..)?).take(MAX_OPTIONS) {
        match (code, value) {
            // Client identifier: DUID-LLT (1, hardware type 1, time) or DUID-LL (3, hardware type 1).
            (1, [0, 1, 0, 1, _, _, _, _, mac @ ..] | [0, 3, 0, 1, mac @ ..]) => {
                message.client = mac.try_into().ok().map(MacAddr);
            }
            // Flags, then the name as DNS labels.
            (39, [_, len, name @ ..]) => {
                message.host_name = name.get(..usize::from(*len)).and_then(DeviceName::from_bytes);
            }
            _ => {}
        }
    }
    Some(message)
}

fn options_v6(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_at_checked(4)?;
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (value, rest) = rest.split_at_checked(len)?;
        bytes = rest;
        Some((u16::from_be_bytes([header[0], header[1]]), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(op: u8, options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; V4_HEADER_LEN];
        bytes[..3].copy_from_slice(&[op, 1, 6]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        bytes[236..].copy_from_slice(&MAGIC_COOKIE);
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn a_request_tells_the_devices_name_and_wish() {
        let message = v4(
            1,
            &[53, 1, 3, 0, 0, 12, 5, b'T', b'V', 0x1b, b'-', b'1', 50, 4, 192, 168, 1, 20, 255, 12, 1, b'x'],
        );
        assert_eq!(
            read_v4(&message),
            Some(V4 {
                kind: 3,
                client: MacAddr([2, 0, 0, 0, 0, 7]),
                host_name: DeviceName::from_bytes(b"TV?-1"),
                requested: Some(Addr::from_v4([192, 168, 1, 20])),
                assigned: None,
                server: None,
            })
        );
    }

    #[test]
    fn an_offer_tells_who_serves() {
        let mut message = v4(2, &[53, 1, 2, 54, 4, 192, 168, 1, 1, 255]);
        message[16..20].copy_from_slice(&[192, 168, 1, 21]);
        let offer = read_v4(&message).unwrap();
        assert_eq!((offer.kind, offer.assigned), (2, Some(Addr::from_v4([192, 168, 1, 21]))));
        assert_eq!(offer.server, Some(Addr::from_v4([192, 168, 1, 1])));
    }

    #[test]
    fn dhcp_cut_anywhere_is_read_as_far_as_it_goes() {
        let message = v4(1, &[53, 1, 3, 12, 2, b'T', b'V', 255]);
        for end in 0..message.len() {
            assert_eq!(read_v4(&message[..end]).is_some(), end >= V4_HEADER_LEN, "{end}");
        }
    }

    #[test]
    fn dhcpv6_names_the_device_by_the_first_label() {
        let mut message = vec![1, 0, 0, 1, 0, 1, 0, 14, 0, 1, 0, 1, 9, 9, 9, 9, 2, 0, 0, 0, 0, 7];
        message.extend_from_slice(&[0, 39, 0, 8, 1, 6, b'l', b'a', b'p', b't', b'o', b'p']);
        let read = read_v6(&message).unwrap();
        assert_eq!(read.client, Some(MacAddr([2, 0, 0, 0, 0, 7])));
        assert_eq!(read.host_name, DeviceName::from_bytes(b"laptop"));
        assert_eq!(read_v6(&[12, 0, 0, 0]), None);
    }
}
