//! What rows are found by: two ends, either of which may send.
//!
//! A key lies in its row, so it has no alignment and no gaps, and it knows its address family by its type. The first
//! packet decides which end is *a*; whoever looks up the other direction finds the same row.

use crate::net::{Addr, Endpoint, MacAddr};

use super::Seed;
use super::conversations::Transport;
use super::row::Sender;
use super::table::{Key, fold};

/// An Ethernet pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct MacPair {
    pub(super) a: MacAddr,
    pub(super) b: MacAddr,
}

impl Key for MacPair {
    #[inline]
    fn sender(&self, other: &Self) -> Option<Sender> {
        if self.a == other.a && self.b == other.b {
            Some(Sender::A)
        } else if self.a == other.b && self.b == other.a {
            Some(Sender::B)
        } else {
            None
        }
    }

    fn hash(&self, seed: Seed) -> u64 {
        let word = |MacAddr([a, b, c, d, e, f]): MacAddr| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        fold(word(self.a) ^ spread(seed), word(self.b) ^ spread(seed))
    }
}

/// The seed, with both halves busy.
const fn spread(seed: Seed) -> u64 {
    seed.0 ^ 0x9e37_79b9_7f4a_7c15
}

/// A port without alignment, so that a key fills its place in a row.
type Port = [u8; 2];

/// Address and ports, IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key4 {
    a: [u8; 4],
    b: [u8; 4],
    a_port: Port,
    b_port: Port,
    transport: Transport,
}

/// Address and ports, IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key6 {
    a: [u8; 16],
    b: [u8; 16],
    a_port: Port,
    b_port: Port,
    transport: Transport,
}

/// Who sent a packet of key `other` in the conversation `own`; `turned` is `other` seen from its receiver.
#[inline]
fn sender_of<K: PartialEq>(own: &K, other: &K, turned: &K) -> Option<Sender> {
    if own == other {
        Some(Sender::A)
    } else if own == turned {
        Some(Sender::B)
    } else {
        None
    }
}

impl Key for Key4 {
    #[inline]
    fn sender(&self, other: &Self) -> Option<Sender> {
        let turned = Self { a: other.b, b: other.a, a_port: other.b_port, b_port: other.a_port, ..*other };
        sender_of(self, other, &turned)
    }

    #[inline]
    fn hash(&self, seed: Seed) -> u64 {
        let seed = spread(seed) ^ u64::from(self.transport as u8) << 56;
        let word = |addr: [u8; 4], port: Port| {
            u64::from(u32::from_le_bytes(addr)) << 16 | u64::from(u16::from_le_bytes(port))
        };
        fold(word(self.a, self.a_port) ^ seed, word(self.b, self.b_port) ^ seed)
    }
}

impl Key for Key6 {
    #[inline]
    fn sender(&self, other: &Self) -> Option<Sender> {
        let turned = Self { a: other.b, b: other.a, a_port: other.b_port, b_port: other.a_port, ..*other };
        sender_of(self, other, &turned)
    }

    #[inline]
    fn hash(&self, seed: Seed) -> u64 {
        let seed = spread(seed) ^ u64::from(self.transport as u8) << 56;
        let word = |addr: &[u8; 16], port: Port| {
            let (high, low) = (u128::from_le_bytes(*addr) >> 64, u128::from_le_bytes(*addr));
            fold(high as u64 ^ seed, low as u64 ^ seed.rotate_left(32)) ^ u64::from(u16::from_le_bytes(port))
        };
        fold(word(&self.a, self.a_port) ^ seed, word(&self.b, self.b_port) ^ seed)
    }
}

/// How to make keys of one address family.
pub(super) trait IpKey: Key {
    fn new(src: (Addr, u16), dst: (Addr, u16), transport: Transport) -> Self;
    fn ends(&self) -> (Endpoint, Endpoint);
    /// The same two addresses, whatever they exchange.
    fn pair(&self) -> Self;
    /// Whether somebody talks to himself.
    fn is_alone(&self) -> bool;
    fn transport(&self) -> Transport;
}

impl IpKey for Key4 {
    #[inline]
    fn new((src, a_port): (Addr, u16), (dst, b_port): (Addr, u16), transport: Transport) -> Self {
        let (a_port, b_port) = (a_port.to_le_bytes(), b_port.to_le_bytes());
        Self { a: low4(&src), b: low4(&dst), a_port, b_port, transport }
    }

    fn ends(&self) -> (Endpoint, Endpoint) {
        let end = |addr, port| Endpoint { addr: Addr::from_v4(addr), port: u16::from_le_bytes(port) };
        (end(self.a, self.a_port), end(self.b, self.b_port))
    }

    fn pair(&self) -> Self {
        Self { a_port: [0; 2], b_port: [0; 2], transport: Transport::Other, ..*self }
    }

    fn is_alone(&self) -> bool {
        self.a == self.b
    }

    fn transport(&self) -> Transport {
        self.transport
    }
}

impl IpKey for Key6 {
    #[inline]
    fn new((src, a_port): (Addr, u16), (dst, b_port): (Addr, u16), transport: Transport) -> Self {
        let (a_port, b_port) = (a_port.to_le_bytes(), b_port.to_le_bytes());
        Self { a: *src.octets(), b: *dst.octets(), a_port, b_port, transport }
    }

    fn ends(&self) -> (Endpoint, Endpoint) {
        let end = |addr, port| Endpoint { addr: Addr::from_v6(addr), port: u16::from_le_bytes(port) };
        (end(self.a, self.a_port), end(self.b, self.b_port))
    }

    fn pair(&self) -> Self {
        Self { a_port: [0; 2], b_port: [0; 2], transport: Transport::Other, ..*self }
    }

    fn is_alone(&self) -> bool {
        self.a == self.b
    }

    fn transport(&self) -> Transport {
        self.transport
    }
}

#[inline]
fn low4(addr: &Addr) -> [u8; 4] {
    let [.., a, b, c, d] = *addr.octets();
    [a, b, c, d]
}
