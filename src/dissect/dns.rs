//! Domain names on the wire: DNS (RFC 1035), mDNS (RFC 6762) and the address hints of HTTPS records (RFC 9460).
//!
//! Read only as far as watching needs it: who asked for what, which addresses answered, and the few numbers by
//! which a tunnel gives itself away. A message that is cut short or lies yields what stands before the lie.
//! Work is bounded by [`MAX_RECORDS`] and by compression pointers that may only point backwards.

use crate::dissect::hostname::HostName;
use crate::net::Addr;

/// Records looked at in one message; later ones are not read.
pub const MAX_RECORDS: usize = 48;

/// Addresses kept of one answer.
pub const MAX_ADDRESSES: usize = 24;

/// Links of a CNAME chain that are followed.
const MAX_CHAIN: usize = 8;

/// Labels in one name: 255 bytes on the wire hold no more.
const MAX_LABELS: usize = 127;

const HEADER_LEN: usize = 12;

/// Record types (IANA) that we look into.
pub mod rtype {
    #![allow(missing_docs)]
    pub const A: u16 = 1;
    pub const CNAME: u16 = 5;
    pub const NULL: u16 = 10;
    pub const PTR: u16 = 12;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const HTTPS: u16 = 65;
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// QR = 0.
    Query,
    /// QR = 1.
    Response,
}

/// A DNS message: its header, and the bytes to read the rest from.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Query or response.
    pub kind: Kind,
    /// Transaction identifier.
    pub id: u16,
    /// Response code, 0 = no error.
    pub rcode: u8,
    questions: u16,
    records: u16,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, if it is one (the root is not).
    pub name: Option<HostName>,
    /// Numbers about the name.
    pub shape: NameShape,
    /// Query type.
    pub qtype: u16,
}

/// Numbers about a name as it was on the wire: what tunnels cannot hide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameShape {
    /// Bytes on the wire without length bytes of the root: 3 + 1 + 6 + 1 for `abc.events`.
    pub len: u8,
    /// Labels.
    pub labels: u8,
    /// Length of the longest label.
    pub longest_label: u8,
    /// Decimal digits.
    pub digits: u8,
    /// Upper-case letters.
    pub upper: u8,
    /// Bytes that belong in no host name.
    pub binary: u8,
    /// Different byte values (entropy's cheap cousin).
    pub distinct: u8,
}

/// One resource record of class IN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Owner.
    pub name: Option<HostName>,
    /// Leftmost label of the owner as sent, case and all.
    pub first_label: &'a [u8],
    /// Time to live in seconds.
    pub ttl_s: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// The record data that we look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// A or AAAA.
    Address(Addr),
    /// CNAME.
    Alias(HostName),
    /// PTR.
    Pointer(HostName),
    /// SRV: the target.
    Service(HostName),
    /// HTTPS: parameters, see [`hints`].
    Https(&'a [u8]),
    /// Another type.
    Other {
        /// The type.
        rtype: u16,
        /// Length of the data in bytes.
        len: u16,
    },
}

/// The addresses that answer a question, CNAME chain followed.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The name that was asked for (not the end of the chain: people know `www.netflix.com`).
    pub name: HostName,
    addresses: [(Addr, u32); MAX_ADDRESSES],
    len: usize,
}

impl Answer {
    /// The addresses and for how many seconds each is valid.
    pub fn addresses(&self) -> &[(Addr, u32)] {
        &self.addresses[..self.len]
    }

    fn push(&mut self, addr: Addr, ttl_s: u32) {
        if let Some(slot) = self.addresses.get_mut(self.len) {
            *slot = (addr, ttl_s);
            self.len += 1;
        }
    }
}

impl<'a> Message<'a> {
    /// Reads the header of a UDP payload (or of one message of a TCP stream, see [`of_tcp`]).
    ///
    /// `None` if this is no standard query or response.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_LEN)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = word(2);
        let opcode = flags >> 11 & 0xf;
        // The Z bit must be zero, and nobody asks more than a few questions at once (mDNS asks some).
        if opcode != 0 || flags & 0x40 != 0 || word(4) > 32 {
            return None;
        }
        let kind = if flags & 0x8000 == 0 { Kind::Query } else { Kind::Response };
        let records = word(6).saturating_add(word(8)).saturating_add(word(10));
        Some(Self { bytes, kind, id: word(0), rcode: (flags & 0xf) as u8, questions: word(4), records })
    }

    /// The first question.
    pub fn question(&self) -> Option<Question> {
        if self.questions == 0 {
            return None;
        }
        let (labels, end) = read_labels(self.bytes, HEADER_LEN)?;
        let qtype = read_u16(self.bytes, end)?;
        Some(Question { name: labels.host_name(), shape: labels.shape(), qtype })
    }

    /// The records of all sections, in order, as far as they can be read.
    pub fn records(&self) -> Records<'a> {
        let mut at = Some(HEADER_LEN);
        for _ in 0..self.questions {
            at = at.and_then(|start| skip_name(self.bytes, start)).map(|end| end + 4);
        }
        let left = usize::from(self.records).min(MAX_RECORDS);
        Records { bytes: self.bytes, at: at.unwrap_or(self.bytes.len()), left }
    }

    /// The addresses of `name`, which is what was asked for, CNAME chain followed; records that answer another
    /// question are not believed.
    pub fn answer_to(&self, name: &HostName) -> Option<Answer> {
        if self.kind != Kind::Response || self.rcode != 0 {
            return None;
        }
        let mut answer = Answer { name: *name, addresses: [(Addr::UNSPECIFIED, 0); MAX_ADDRESSES], len: 0 };
        let (mut owner, mut chain_ttl_s, mut hops) = (*name, u32::MAX, 0);
        // Chains come in order, so that one pass follows them; the second is for those that do not.
        for _ in 0..2 {
            for record in self.records() {
                if record.name != Some(owner) {
                    continue;
                }
                let ttl_s = record.ttl_s.min(chain_ttl_s);
                match record.data {
                    Data::Alias(target) if hops < MAX_CHAIN => {
                        (owner, chain_ttl_s, hops) = (target, ttl_s, hops + 1);
                    }
                    Data::Address(addr) => answer.push(addr, ttl_s),
                    Data::Https(params) => hints(params).for_each(|addr| answer.push(addr, ttl_s)),
                    Data::Alias(_) | Data::Pointer(_) | Data::Service(_) | Data::Other { .. } => {}
                }
            }
            if answer.len > 0 {
                return Some(answer);
            }
            if hops == 0 {
                return None;
            }
        }
        None
    }
}

/// The message in the first segment of a DNS-over-TCP stream, if it is there in one piece.
pub fn of_tcp(payload: &[u8]) -> Option<&[u8]> {
    let len = usize::from(read_u16(payload, 0)?);
    payload.get(2..2 + len)
}

/// Iterator over the records of a message.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while self.left > 0 {
            self.left -= 1;
            let (labels, end) = read_labels(self.bytes, self.at)?;
            let rtype = read_u16(self.bytes, end)?;
            // The top bit of an mDNS class asks to flush caches (RFC 6762 §10.2).
            let class = read_u16(self.bytes, end + 2)? & 0x7fff;
            let ttl_s =
                u32::from(read_u16(self.bytes, end + 4)?) << 16 | u32::from(read_u16(self.bytes, end + 6)?);
            let len = read_u16(self.bytes, end + 8)?;
            let data_at = end + 10;
            self.at = data_at + usize::from(len);
            if class == 1
                && let Some(data) = read_data(self.bytes, data_at, rtype, len)
            {
                let first_label = labels.iter().next().unwrap_or_default();
                return Some(Record { name: labels.host_name(), first_label, ttl_s, data });
            }
        }
        None
    }
}

fn read_data(bytes: &[u8], at: usize, rtype: u16, len: u16) -> Option<Data<'_>> {
    let data = bytes.get(at..at + usize::from(len))?;
    let name_at = |at: usize| read_labels(bytes, at).and_then(|(labels, _)| labels.host_name());
    match rtype {
        rtype::A => data.try_into().ok().map(|octets| Data::Address(Addr::from_v4(octets))),
        rtype::AAAA => data.try_into().ok().map(|octets| Data::Address(Addr::from_v6(octets))),
        rtype::CNAME => name_at(at).map(Data::Alias),
        rtype::PTR => name_at(at).map(Data::Pointer),
        rtype::SRV => name_at(at + 6).map(Data::Service),
        rtype::HTTPS => Some(Data::Https(data)),
        _ => Some(Data::Other { rtype, len }),
    }
}

/// The addresses in `ipv4hint` and `ipv6hint` of an HTTPS record (RFC 9460 §7.3).
pub fn hints(data: &[u8]) -> impl Iterator<Item = Addr> {
    let mut params = skip_name(data, 2).and_then(|end| data.get(end..)).unwrap_or_default();
    std::iter::from_fn(move || {
        let (key, len) = (read_u16(params, 0)?, usize::from(read_u16(params, 2)?));
        let value = params.get(4..4 + len)?;
        params = &params[4 + len..];
        Some((key, value))
    })
    .flat_map(|(key, value)| {
        let size = match key {
            4 => 4,
            6 => 16,
            _ => usize::MAX,
        };
        value.chunks_exact(size).filter_map(|octets| match octets.len() {
            4 => octets.try_into().ok().map(Addr::from_v4),
            _ => octets.try_into().ok().map(Addr::from_v6),
        })
    })
}

/// The labels of one name, in place.
struct Labels<'a> {
    bytes: &'a [u8],
    /// Offsets of their length bytes.
    at: [u16; MAX_LABELS],
    len: usize,
}

impl<'a> Labels<'a> {
    fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone {
        let bytes = self.bytes;
        self.at[..self.len].iter().map(move |&at| {
            let (len, rest) = bytes.get(usize::from(at)..).and_then(<[u8]>::split_first).unwrap_or((&0, &[]));
            rest.get(..usize::from(*len)).unwrap_or_default()
        })
    }

    #[cfg_attr(router, optimize(speed))]
    fn host_name(&self) -> Option<HostName> {
        HostName::from_labels(self.iter())
    }

    fn shape(&self) -> NameShape {
        let mut shape = NameShape { labels: self.len as u8, ..NameShape::default() };
        let mut seen = [0u64; 4];
        for label in self.iter() {
            // Sums stay below 256: read_labels refuses names over 255 bytes.
            shape.len += label.len() as u8 + 1;
            shape.longest_label = shape.longest_label.max(label.len() as u8);
            for &byte in label {
                match byte {
                    b'0'..=b'9' => shape.digits += 1,
                    b'A'..=b'Z' => shape.upper += 1,
                    b'a'..=b'z' | b'-' | b'_' => {}
                    _ => shape.binary += 1,
                }
                seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
        shape.distinct = seen.iter().map(|bits| bits.count_ones() as u8).sum();
        shape
    }
}

/// Reads the name at `start`; returns it with the offset behind it. Each compression pointer must point before
/// the piece that it stands in, so that every hop brings the end nearer.
#[cfg_attr(router, optimize(speed))]
fn read_labels(bytes: &[u8], start: usize) -> Option<(Labels<'_>, usize)> {
    let mut labels = Labels { bytes, at: [0; MAX_LABELS], len: 0 };
    let (mut at, mut piece, mut end, mut wire_len) = (start, start, None, 0);
    loop {
        let len = usize::from(*bytes.get(at)?);
        match len >> 6 {
            0 if len == 0 => return Some((labels, end.unwrap_or(at + 1))),
            0 => {
                wire_len += len + 1;
                if wire_len > 254 {
                    return None;
                }
                if at + 1 + len > bytes.len() {
                    return None;
                }
                *labels.at.get_mut(labels.len)? = u16::try_from(at).ok()?;
                labels.len += 1;
                at += 1 + len;
            }
            3 => {
                let target = usize::from(read_u16(bytes, at)? & 0x3fff);
                end = end.or(Some(at + 2));
                if target >= piece {
                    return None;
                }
                (at, piece) = (target, target);
            }
            _ => return None,
        }
    }
}

/// The offset behind the name at `at`, without reading where pointers lead.
fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            0xc0.. => return Some(at + 2),
            64..=0xbf => return None,
        }
    }
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests;
