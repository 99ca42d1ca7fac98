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

/// The octets of an address of one family.
pub(super) trait Octets: Copy + PartialEq {
    fn of(addr: &Addr) -> Self;
    fn addr(self) -> Addr;
    fn word(self, seed: u64) -> u64;
}

impl Octets for [u8; 4] {
    #[inline]
    fn of(addr: &Addr) -> Self {
        let [.., a, b, c, d] = *addr.octets();
        [a, b, c, d]
    }

    fn addr(self) -> Addr {
        Addr::from_v4(self)
    }

    #[inline]
    fn word(self, seed: u64) -> u64 {
        u64::from(u32::from_le_bytes(self)) << 16 ^ seed
    }
}

impl Octets for [u8; 16] {
    #[inline]
    fn of(addr: &Addr) -> Self {
        *addr.octets()
    }

    fn addr(self) -> Addr {
        Addr::from_v6(self)
    }

    #[inline]
    fn word(self, seed: u64) -> u64 {
        let both = u128::from_le_bytes(self);
        fold((both >> 64) as u64 ^ seed, both as u64 ^ seed.rotate_left(32)) ^ seed
    }
}

/// Addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpKey<A> {
    a: A,
    b: A,
    a_port: Port,
    b_port: Port,
    transport: Transport,
}

impl<A: Octets> Key for IpKey<A> {
    #[inline]
    fn sender(&self, other: &Self) -> Option<Sender> {
        let turned = Self { a: other.b, b: other.a, a_port: other.b_port, b_port: other.a_port, ..*other };
        if self == other {
            Some(Sender::A)
        } else if *self == turned {
            Some(Sender::B)
        } else {
            None
        }
    }

    #[inline]
    fn hash(&self, seed: Seed) -> u64 {
        let seed = spread(seed) ^ u64::from(self.transport as u8) << 56;
        let word = |addr: A, port: Port| addr.word(seed) ^ u64::from(u16::from_le_bytes(port));
        fold(word(self.a, self.a_port), word(self.b, self.b_port))
    }
}

impl<A: Octets> IpKey<A> {
    #[inline]
    pub(super) fn new((src, a_port): (Addr, u16), (dst, b_port): (Addr, u16), transport: Transport) -> Self {
        let (a_port, b_port) = (a_port.to_le_bytes(), b_port.to_le_bytes());
        Self { a: A::of(&src), b: A::of(&dst), a_port, b_port, transport }
    }

    pub(super) fn ends(&self) -> (Endpoint, Endpoint) {
        let end = |addr: A, port| Endpoint { addr: addr.addr(), port: u16::from_le_bytes(port) };
        (end(self.a, self.a_port), end(self.b, self.b_port))
    }

    /// The same two addresses, whatever they exchange.
    pub(super) fn pair(&self) -> Self {
        Self { a_port: [0; 2], b_port: [0; 2], transport: Transport::Other, ..*self }
    }

    /// Whether somebody talks to himself.
    pub(super) fn is_alone(&self) -> bool {
        self.a == self.b
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }
}
