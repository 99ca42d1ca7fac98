//! A ruleset in the kernel's words: sets, chains, and the expressions of each shape of rule.
//!
//! The kernel's packet filter is a little machine with registers of four bytes. A rule loads a field, compares it
//! or looks it up in a set, and goes on only if that held; a concatenated key is its fields in consecutive
//! registers. Every shape of [`ruleset::Rule`] is one short sequence of the words below, in the order in which
//! nft(8) writes them, so that `nft list` reads our table back as people would have written it.

use std::ffi::{CStr, CString};

use nftnl::{ChainType, Hook, MsgType, Policy, ProtoFamily, Table};
use nftnl_sys as sys;

use super::object::{Batch, Rule, Set, Value};
use crate::net::Prefix;
use crate::ruleset::{self, Chain, DnsProto, KeyType, Ruleset, SetName};

/// The one table that is ours, as C wants it.
pub(super) const TABLE: &CStr = c"streamguard";
/// An element message must stay below 64 KiB, the reach of a netlink attribute's length; an element takes at most
/// 76 bytes.
pub(super) const ELEMENTS_PER_MESSAGE: usize = 500;

// Data types of nft(8) (datatype.h of nftables); a concatenation is their numbers in runs of six bits.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_ETHER: u32 = 9;
/// NF_NAT_RANGE_PROTO_SPECIFIED: the redirect names a port.
const RANGE_HAS_PORT: u32 = 2;
/// Where DNS is asked for.
const DNS_PORT: u16 = 53;

/// Type and length of a key in the kernel.
pub(super) const fn key_shape(kind: KeyType) -> (u32, u32) {
    match kind {
        KeyType::Ether => (TYPE_ETHER, 6),
        KeyType::V4 => (TYPE_IPV4, 4),
        KeyType::V6 => (TYPE_IPV6, 16),
        KeyType::EtherV4 => (TYPE_ETHER << 6 | TYPE_IPV4, 8 + 4),
        KeyType::EtherV6 => (TYPE_ETHER << 6 | TYPE_IPV6, 8 + 16),
        KeyType::V4V4 => (TYPE_IPV4 << 6 | TYPE_IPV4, 4 + 4),
        KeyType::V6V6 => (TYPE_IPV6 << 6 | TYPE_IPV6, 16 + 16),
    }
}

/// A name for C. Ours contain no NUL; a device name that does is cut there and matches nothing.
pub(super) fn c_name(name: &str) -> CString {
    let end = name.find('\0').unwrap_or(name.len());
    CString::new(&name[..end]).unwrap_or_default()
}

/// How many messages [`declare`] writes.
pub(super) fn declaration_messages(ruleset: &Ruleset) -> usize {
    3 + ruleset.sets.len() + ruleset.chains.iter().map(|chain| 1 + chain.rules.len()).sum::<usize>()
}

/// Writes table, sets, chains and rules. Adding before deleting makes the deletion valid when nothing was there.
/// All chains come before the first rule, so that a jump finds its target in any order.
pub(super) fn declare(batch: &mut Batch, ruleset: &Ruleset) {
    let table = Table::new(TABLE, ProtoFamily::Inet);
    batch.push(&table, MsgType::Add, "table");
    batch.push(&table, MsgType::Del, "old table");
    batch.push(&table, MsgType::Add, "table");
    for (id, &set) in (1..).zip(ruleset.sets.keys()) {
        batch.push(&Set::declared(set, id), MsgType::Add, format!("set {}", set.as_str()));
    }
    for chain in &ruleset.chains {
        declare_chain(batch, &table, chain);
    }
    for chain in &ruleset.chains {
        let name = c_name(chain.name.as_str());
        for rule in &chain.rules {
            batch.push(&Rule::in_chain(&name).of(rule), MsgType::Add, format!("rule \"{rule}\""));
        }
    }
}

fn declare_chain(batch: &mut Batch, table: &Table, chain: &Chain) {
    let name = chain.name.as_str();
    let mut object = nftnl::Chain::new(c_name(name), table);
    match chain.name.hook() {
        Some(ruleset::Hook::Forward) => object.set_hook(Hook::Forward, ruleset::FORWARD_PRIORITY),
        Some(ruleset::Hook::Prerouting) => {
            object.set_type(ChainType::Nat);
            object.set_hook(Hook::PreRouting, ruleset::DNS_PRIORITY);
        }
        None => {}
    }
    if chain.name.hook().is_some() {
        object.set_policy(Policy::Accept);
    }
    batch.push(&object, MsgType::Add, format!("chain {name}"));
}

/// Removes the table; an error if there is none.
pub(super) fn remove(batch: &mut Batch) {
    batch.push(&Table::new(TABLE, ProtoFamily::Inet), MsgType::Del, "table");
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

#[derive(Clone, Copy)]
enum End {
    Sender,
    Receiver,
}

/// Our rules as sequences of the words below.
impl Rule {
    fn of(self, rule: &ruleset::Rule) -> Self {
        match rule {
            ruleset::Rule::FromLan { interface } => {
                self.meta(libc::NFT_META_IIFNAME).equals(&device(interface)).jump(c"judge")
            }
            ruleset::Rule::ToLan { interface } => {
                self.meta(libc::NFT_META_OIFNAME).equals(&device(interface)).verdict(libc::NFT_RETURN)
            }
            ruleset::Rule::ToExempt { prefix } => self.within(prefix).verdict(libc::NFT_RETURN),
            ruleset::Rule::Passed { set } => self.lookup(*set).verdict(libc::NFT_RETURN),
            ruleset::Rule::Blocked { set } => self.lookup(*set).jump(c"block"),
            ruleset::Rule::TcpReset => self.transport(libc::IPPROTO_TCP).reject(libc::NFT_REJECT_TCP_RST, 0),
            ruleset::Rule::AdminProhibited => {
                self.reject(libc::NFT_REJECT_ICMPX_UNREACH, libc::NFT_REJECT_ICMPX_ADMIN_PROHIBITED)
            }
            ruleset::Rule::Drop => self.verdict(libc::NF_DROP),
            ruleset::Rule::RedirectDns { set, proto, port } => {
                let proto = match proto {
                    DnsProto::Udp => libc::IPPROTO_UDP,
                    DnsProto::Tcp => libc::IPPROTO_TCP,
                };
                self.lookup(*set).transport(proto).for_port(DNS_PORT).redirect(*port)
            }
        }
    }

    /// Goes on if the packet's client, or client and server, is in the set.
    fn lookup(self, set: SetName) -> Self {
        let loaded = match set.key_type() {
            KeyType::Ether => self.sender_mac(),
            KeyType::V4 => self.family(Family::V4).address(Family::V4, End::Sender, 0),
            KeyType::V6 => self.family(Family::V6).address(Family::V6, End::Sender, 0),
            KeyType::EtherV4 => self.family(Family::V4).sender_mac().address(Family::V4, End::Receiver, 2),
            KeyType::EtherV6 => self.family(Family::V6).sender_mac().address(Family::V6, End::Receiver, 2),
            KeyType::V4V4 => self.pair(Family::V4, 1),
            KeyType::V6V6 => self.pair(Family::V6, 4),
        };
        let name = c_name(set.as_str());
        loaded.expression(
            c"lookup",
            &[
                (sys::NFTNL_EXPR_LOOKUP_SREG, Value::Number(register(0))),
                (sys::NFTNL_EXPR_LOOKUP_SET, Value::Name(&name)),
            ],
        )
    }

    /// Loads the sender's MAC into the first two registers; goes on only for Ethernet, where there is one.
    fn sender_mac(self) -> Self {
        let ethernet = libc::ARPHRD_ETHER.to_ne_bytes();
        self.meta(libc::NFT_META_IIFTYPE).equals(&ethernet).payload(libc::NFT_PAYLOAD_LL_HEADER, 6..12, 0)
    }

    /// Goes on for one IP version.
    fn family(self, family: Family) -> Self {
        let protocol = match family {
            Family::V4 => libc::NFPROTO_IPV4,
            Family::V6 => libc::NFPROTO_IPV6,
        };
        self.meta(libc::NFT_META_NFPROTO).equals(&[protocol as u8])
    }

    /// Goes on for one transport protocol.
    fn transport(self, protocol: i32) -> Self {
        self.meta(libc::NFT_META_L4PROTO).equals(&[protocol as u8])
    }

    fn for_port(self, port: u16) -> Self {
        self.payload(libc::NFT_PAYLOAD_TRANSPORT_HEADER, 2..4, 0).equals(&port.to_be_bytes())
    }

    /// Loads one address from the IP header; the family must be known.
    fn address(self, family: Family, end: End, first: u32) -> Self {
        let (start, len) = match (family, end) {
            (Family::V4, End::Sender) => (12, 4),
            (Family::V4, End::Receiver) => (16, 4),
            (Family::V6, End::Sender) => (8, 16),
            (Family::V6, End::Receiver) => (24, 16),
        };
        self.payload(libc::NFT_PAYLOAD_NETWORK_HEADER, start..start + len, first)
    }

    /// Loads sender and receiver, the latter from register `second` on.
    fn pair(self, family: Family, second: u32) -> Self {
        self.family(family).address(family, End::Sender, 0).address(family, End::Receiver, second)
    }

    /// Goes on if the packet goes to one of these addresses.
    fn within(self, prefix: &Prefix) -> Self {
        let (family, addr) = match prefix.addr().v4() {
            Some(octets) => (Family::V4, octets.to_vec()),
            None => (Family::V6, prefix.addr().octets().to_vec()),
        };
        let mask: Vec<u8> = (0..addr.len()).map(|at| mask_octet(prefix.bits(), at)).collect();
        let wanted: Vec<u8> = addr.iter().zip(&mask).map(|(octet, mask)| octet & mask).collect();
        let len = Value::Number(addr.len() as u32);
        self.family(family)
            .address(family, End::Receiver, 0)
            .expression(
                c"bitwise",
                &[
                    (sys::NFTNL_EXPR_BITWISE_SREG, Value::Number(register(0))),
                    (sys::NFTNL_EXPR_BITWISE_DREG, Value::Number(register(0))),
                    (sys::NFTNL_EXPR_BITWISE_LEN, len),
                    (sys::NFTNL_EXPR_BITWISE_MASK, Value::Data(&mask)),
                    (sys::NFTNL_EXPR_BITWISE_XOR, Value::Data(&[0; 16][..addr.len()])),
                ],
            )
            .equals(&wanted)
    }

    fn redirect(self, port: u16) -> Self {
        let register = Value::Number(register(0));
        self.expression(
            c"immediate",
            &[
                (sys::NFTNL_EXPR_IMM_DREG, register),
                (sys::NFTNL_EXPR_IMM_DATA, Value::Data(&port.to_be_bytes())),
            ],
        )
        .expression(
            c"redir",
            &[
                (sys::NFTNL_EXPR_REDIR_REG_PROTO_MIN, register),
                (sys::NFTNL_EXPR_REDIR_FLAGS, Value::Number(RANGE_HAS_PORT)),
            ],
        )
    }
}

/// The words: one expression each.
impl Rule {
    fn meta(self, key: i32) -> Self {
        let (key, register) = (Value::Number(key as u32), Value::Number(register(0)));
        self.expression(c"meta", &[(sys::NFTNL_EXPR_META_KEY, key), (sys::NFTNL_EXPR_META_DREG, register)])
    }

    fn equals(self, data: &[u8]) -> Self {
        self.expression(
            c"cmp",
            &[
                (sys::NFTNL_EXPR_CMP_SREG, Value::Number(register(0))),
                (sys::NFTNL_EXPR_CMP_OP, Value::Number(libc::NFT_CMP_EQ as u32)),
                (sys::NFTNL_EXPR_CMP_DATA, Value::Data(data)),
            ],
        )
    }

    fn payload(self, base: i32, span: std::ops::Range<u32>, first: u32) -> Self {
        self.expression(
            c"payload",
            &[
                (sys::NFTNL_EXPR_PAYLOAD_DREG, Value::Number(register(first))),
                (sys::NFTNL_EXPR_PAYLOAD_BASE, Value::Number(base as u32)),
                (sys::NFTNL_EXPR_PAYLOAD_OFFSET, Value::Number(span.start)),
                (sys::NFTNL_EXPR_PAYLOAD_LEN, Value::Number(span.end - span.start)),
            ],
        )
    }

    fn reject(self, kind: i32, code: i32) -> Self {
        self.expression(
            c"reject",
            &[
                (sys::NFTNL_EXPR_REJECT_TYPE, Value::Number(kind as u32)),
                (sys::NFTNL_EXPR_REJECT_CODE, Value::Octet(code as u8)),
            ],
        )
    }

    fn verdict(self, verdict: i32) -> Self {
        self.immediate(&[(sys::NFTNL_EXPR_IMM_VERDICT, Value::Number(verdict as u32))])
    }

    fn jump(self, chain: &CStr) -> Self {
        self.immediate(&[
            (sys::NFTNL_EXPR_IMM_VERDICT, Value::Number(libc::NFT_JUMP as u32)),
            (sys::NFTNL_EXPR_IMM_CHAIN, Value::Name(chain)),
        ])
    }

    fn immediate(self, verdict: &[(u32, Value<'_>)]) -> Self {
        let register = (sys::NFTNL_EXPR_IMM_DREG, Value::Number(libc::NFT_REG_VERDICT as u32));
        let attributes: Vec<_> = std::iter::once(register).chain(verdict.iter().copied()).collect();
        self.expression(c"immediate", &attributes)
    }
}

/// A device name as the kernel compares it: sixteen bytes. The daemon's configuration admits no longer name; one
/// that is cut here matches no device.
fn device(name: &str) -> [u8; libc::IFNAMSIZ] {
    let mut bytes = [0; libc::IFNAMSIZ];
    for (slot, byte) in bytes.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    bytes
}

/// The octet of a netmask of `bits` at position `at`.
fn mask_octet(bits: u8, at: usize) -> u8 {
    let ones = usize::from(bits).saturating_sub(at * 8).min(8);
    !(0xff_u16 >> ones) as u8
}

/// Register 1 of sixteen bytes and the first of four bytes are the same memory, but nft(8) understands
/// concatenations only if they begin with the former.
fn register(number: u32) -> u32 {
    if number == 0 { libc::NFT_REG_1 as u32 } else { libc::NFT_REG32_00 as u32 + number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_long_as_their_set_says() {
        use crate::net::{Addr, MacAddr};
        use crate::ruleset::Key;
        let (mac, v4, v6) = (MacAddr([2; 6]), Addr::from_v4([1; 4]), Addr::from_v6([1; 16]));
        let keys = [
            (KeyType::Ether, Key::Ether(mac)),
            (KeyType::V4, Key::Addr(v4)),
            (KeyType::V6, Key::Addr(v6)),
            (KeyType::EtherV4, Key::EtherAddr(mac, v4)),
            (KeyType::EtherV6, Key::EtherAddr(mac, v6)),
            (KeyType::V4V4, Key::Pair(v4, v4)),
            (KeyType::V6V6, Key::Pair(v6, v6)),
        ];
        for (kind, key) in keys {
            assert_eq!(key.to_bytes().len(), key_shape(kind).1 as usize, "{kind}");
        }
    }

    #[test]
    fn masks_are_made_of_leading_ones() {
        let mask = |bits| [0, 1, 2, 3].map(|at| mask_octet(bits, at));
        assert_eq!(mask(0), [0; 4]);
        assert_eq!(mask(15), [255, 254, 0, 0]);
        assert_eq!(mask(32), [255; 4]);
    }
}
