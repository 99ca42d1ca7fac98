//! Addresses, 5-tuples and clients: who talks to whom.
//!
//! Hot paths compare and hash these for every packet, so addresses of both families share one 16-byte form
//! (IPv4 as IPv4-mapped IPv6, RFC 4291 §2.5.5.2) and convert to `std::net::IpAddr` only at the edges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All zero: "no address".
    pub const NONE: Self = Self([0; 6]);
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Group bit: multicast or broadcast.
    pub fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Locally administered: what phones use when they randomise.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Text that is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMac;

impl fmt::Display for BadMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address (aa:bb:cc:dd:ee:ff)")
    }
}

impl std::error::Error for BadMac {}

impl FromStr for MacAddr {
    type Err = BadMac;
    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut octets = [0; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().filter(|p| p.len() == 2).ok_or(BadMac)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() { Err(BadMac) } else { Ok(Self(octets)) }
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Multicast, broadcast, unspecified or loopback: never a peer somebody chose.
    Special,
    /// Site-local by construction.
    Private,
    /// Any other IPv4 address.
    GlobalV4,
    /// Any other IPv6 address.
    GlobalV6,
}

/// An IPv4 or IPv6 address in 16 bytes, IPv4 as IPv4-mapped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr([u8; 16]);

impl Addr {
    /// `::`, used for "none".
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// From the four octets of an IPv4 header.
    pub const fn from_v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// From the sixteen octets of an IPv6 header.
    pub const fn from_v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The sixteen octets.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The IPv4 octets, if this is an IPv4 address.
    #[inline]
    pub fn v4(&self) -> Option<[u8; 4]> {
        self.is_v4().then(|| [self.0[12], self.0[13], self.0[14], self.0[15]])
    }

    /// Both halves as numbers, most significant octet first: asked for every packet, so no loops over octets.
    #[inline]
    const fn halves(&self) -> (u64, u64) {
        let number = u128::from_be_bytes(self.0);
        ((number >> 64) as u64, number as u64)
    }

    /// The IPv4 address as a number, or both halves of the IPv6 address.
    #[inline]
    const fn number(&self) -> Result<u32, (u64, u64)> {
        let (high, low) = self.halves();
        if high == 0 && low >> 32 == 0xffff { Ok(low as u32) } else { Err((high, low)) }
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub const fn is_v4(&self) -> bool {
        self.number().is_ok()
    }

    /// How far the address reaches.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn scope(&self) -> Scope {
        match self.number() {
            Ok(v4) => match v4 >> 24 {
                0 | 127 | 224.. => Scope::Special,
                10 => Scope::Private,
                _ if v4 >> 20 == 0xac1 || matches!(v4 >> 16, 0xc0a8 | 0xa9fe) => Scope::Private,
                _ => Scope::GlobalV4,
            },
            Err((high, low)) => {
                if high >> 56 == 0xff || high == 0 && low <= 1 {
                    Scope::Special
                } else if high >> 57 == 0xfc >> 1 || high >> 54 == 0xfe80 >> 6 {
                    Scope::Private
                } else {
                    Scope::GlobalV6
                }
            }
        }
    }

    /// Site-local by construction: RFC 1918, RFC 4193 (fc00::/7) or link-local (169.254/16, fe80::/10).
    #[inline]
    pub fn is_private(&self) -> bool {
        self.scope() == Scope::Private
    }

    /// Link-local unicast only.
    pub fn is_link_local(&self) -> bool {
        match self.v4() {
            Some(octets) => octets[..2] == [169, 254],
            None => self.0[0] == 0xfe && self.0[1] & 0xc0 == 0x80,
        }
    }

    /// Multicast, broadcast, unspecified or loopback: never a peer somebody chose.
    #[inline]
    pub fn is_special(&self) -> bool {
        self.scope() == Scope::Special
    }

    /// As the standard library's type, for printing and for config.
    pub fn to_ip(self) -> IpAddr {
        match self.v4() {
            Some(octets) => IpAddr::V4(Ipv4Addr::from(octets)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// A well-mixed 64-bit fingerprint for the fixed-size tables (not keyed; see [`mix`]).
    pub fn fingerprint(&self) -> u64 {
        let (high, low) = self.0.split_at(8);
        let high = u64::from_le_bytes(high.try_into().unwrap_or_default());
        let low = u64::from_le_bytes(low.try_into().unwrap_or_default());
        mix(low ^ high.rotate_left(32))
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::from_v4(v4.octets()),
            IpAddr::V6(v6) => Self::from_v6(v6.octets()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Addr {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Addr {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ip: IpAddr = String::deserialize(from)?.parse().map_err(serde::de::Error::custom)?;
        Ok(ip.into())
    }
}

/// Finalising 64-bit mixer (the `fmix64` step of MurmurHash3). Tables that hostile hosts can fill add a secret
/// seed to the input first.
#[cfg_attr(router, optimize(speed))]
pub const fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// An address prefix, e.g. a LAN: `192.168.1.0/24`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    addr: Addr,
    /// Length within the 128-bit form (IPv4: 96 + its own length).
    len: u8,
}

/// Text that is not an address prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPrefix;

impl fmt::Display for BadPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address or prefix (192.168.1.0/24, fd00::/8)")
    }
}

impl std::error::Error for BadPrefix {}

impl Prefix {
    /// A prefix from an address and a length within its own family; longer than the address means all of it.
    pub fn new(addr: Addr, len: u8) -> Self {
        let (offset, max) = if addr.is_v4() { (96, 32) } else { (0, 128) };
        Self { addr, len: offset + len.min(max) }
    }

    /// The address as written; bits beyond the length are not cleared.
    pub const fn addr(&self) -> Addr {
        self.addr
    }

    /// Length in bits within its own family: up to 32 for IPv4, 128 for IPv6.
    pub fn bits(&self) -> u8 {
        if self.addr.is_v4() { self.len.saturating_sub(96) } else { self.len }
    }

    /// Whether the address lies in this prefix. The families never match each other.
    pub fn contains(&self, addr: &Addr) -> bool {
        let (whole, rest) = (usize::from(self.len / 8), self.len % 8);
        let (mine, theirs) = (self.addr.octets(), addr.octets());
        mine[..whole] == theirs[..whole]
            && (rest == 0 || (mine[whole] ^ theirs[whole]) >> (8 - rest) == 0)
            && self.addr.is_v4() == addr.is_v4()
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;
    /// Reads `ADDRESS[/LENGTH]`; without a length the single address.
    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len.parse::<u8>().map_err(|_| BadPrefix)?)),
            None => (text, None),
        };
        let ip: IpAddr = addr.parse().map_err(|_| BadPrefix)?;
        let (offset, max) = if ip.is_ipv4() { (96, 32) } else { (0, 128) };
        let len = len.unwrap_or(max);
        if len > max { Err(BadPrefix) } else { Ok(Self { addr: ip.into(), len: offset + len }) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.bits())
    }
}

/// Which way a packet goes, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    Up,
    /// To the client.
    Down,
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Network address.
    pub addr: Addr,
    /// Port, 0 where the protocol has none.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.addr.to_ip(), self.port).fmt(f)
    }
}

/// An oriented 5-tuple: `orig` sent the first packet seen (Zeek's terms).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// Who began.
    pub orig: Endpoint,
    /// Who answers.
    pub resp: Endpoint,
    /// IP protocol number.
    pub proto: u8,
}

/// Who is held to a quota: a LAN device, by its MAC, or by its address where there is no Ethernet or
/// `--identify ip` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientId {
    /// A device by its Ethernet address.
    Mac(MacAddr),
    /// A device by its network address.
    Addr(Addr),
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Addr(addr) => addr.fmt(f),
        }
    }
}

/// Text that is neither a MAC nor an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadClientId;

impl fmt::Display for BadClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a MAC nor an IP address")
    }
}

impl std::error::Error for BadClientId {}

impl FromStr for ClientId {
    type Err = BadClientId;
    fn from_str(text: &str) -> Result<Self, BadClientId> {
        if let Ok(mac) = text.parse() {
            return Ok(Self::Mac(mac));
        }
        text.parse::<IpAddr>().map(|ip| Self::Addr(ip.into())).map_err(|_| BadClientId)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn private_means_rfc_1918_ula_or_link_local() {
        for text in
            ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.3.3", "fd00::1", "fe80::1"]
        {
            assert!(addr(text).is_private(), "{text}");
        }
        for text in ["172.32.0.1", "8.8.8.8", "100.64.0.1", "2001:db8::1", "::1"] {
            assert!(!addr(text).is_private(), "{text}");
        }
    }

    #[test]
    fn prefixes_match_bitwise_and_never_across_families() {
        let lan: Prefix = "192.168.4.0/22".parse().unwrap();
        assert!(lan.contains(&addr("192.168.7.255")));
        assert!(!lan.contains(&addr("192.168.8.0")));
        let all6: Prefix = "::/0".parse().unwrap();
        assert!(all6.contains(&addr("2001:db8::1")) && !all6.contains(&addr("10.0.0.1")));
        assert_eq!(lan.to_string(), "192.168.4.0/22");
        assert!("192.168.4.0/33".parse::<Prefix>().is_err() && "x/8".parse::<Prefix>().is_err());
    }

    #[test]
    fn parse_and_print_are_inverse() {
        for text in ["aa:bb:cc:dd:ee:0f", "192.168.1.20", "2001:db8::7"] {
            assert_eq!(text.parse::<ClientId>().unwrap().to_string(), text);
        }
        assert!("aa:bb:cc:dd:ee".parse::<MacAddr>().is_err());
        assert!("aa:bb:cc:dd:ee:ff:00".parse::<MacAddr>().is_err());
        assert!("a:bb:cc:dd:ee:ff".parse::<MacAddr>().is_err());
    }
}
