//! Protocols, intervals, conversations, pairs and hosts: as JSON rows, CSV rows and text like tshark's.

use std::cmp::Reverse;
use std::ops::Range;

use serde::Serialize;

use super::row::{Row, Value};
use crate::account::{
    Account, Conversation, Conversations, Count, Ends, Host, Interval, Intervals, Node, Pairs, Rest,
    ServiceCount, Services, Transport,
};
use crate::dissect::IpVersion;
use crate::net::Addr;
use crate::time::Moment;

/// Seconds from `first` to `at`, to the nanosecond as far as a double carries it.
fn seconds(at: Moment, first: Moment) -> f64 {
    at.signed_secs_since(first)
}

/// One node of the protocol hierarchy.
#[derive(Clone, Debug)]
pub struct ProtocolRow {
    path: String,
    frames: u64,
    bytes: u64,
}

impl From<Node> for ProtocolRow {
    fn from(Node { path, count }: Node) -> Self {
        Self { path: path.to_string(), frames: count.frames, bytes: count.bytes }
    }
}

impl Row for ProtocolRow {
    const COLUMNS: &'static [&'static str] = &["path", "frames", "bytes"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [Value::Word(&self.path), Value::Number(self.frames), Value::Number(self.bytes)]
    }
}

/// One interval.
#[derive(Clone, Copy, Debug)]
pub struct IntervalRow {
    pub(super) start_s: f64,
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

impl Row for IntervalRow {
    const COLUMNS: &'static [&'static str] = &["start_s", "frames", "bytes"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [Value::Decimal(self.start_s), Value::Number(self.frames), Value::Number(self.bytes)]
    }
}

/// The intervals as rows.
pub fn interval_rows(intervals: &Intervals) -> impl Iterator<Item = IntervalRow> {
    let width_s = intervals.width().as_secs_f64();
    intervals.list().iter().map(move |&Interval { no, count }| IntervalRow {
        start_s: super::rounded(no as f64 * width_s),
        frames: count.frames,
        bytes: count.bytes,
    })
}

/// The kinds of conversation, in the order of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ethernet addresses.
    Eth,
    /// IPv4 addresses.
    Ip,
    /// IPv6 addresses.
    Ipv6,
    /// TCP ports.
    Tcp,
    /// UDP ports.
    Udp,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Eth, Self::Ip, Self::Ipv6, Self::Tcp, Self::Udp];

    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eth => "eth",
            Self::Ip => "ip",
            Self::Ipv6 => "ipv6",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Eth => "Ethernet",
            Self::Ip => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// What is not listed.
    pub fn rest(self, of: &Conversations) -> Rest {
        match self {
            Self::Eth => of.eth_rest(),
            Self::Ip => of.ip_rest(IpVersion::V4),
            Self::Ipv6 => of.ip_rest(IpVersion::V6),
            Self::Tcp => of.ports_rest(Transport::Tcp),
            Self::Udp => of.ports_rest(Transport::Udp),
        }
    }

    /// Where in the tables conversations of this kind may be.
    fn places(self, of: &Talks) -> Range<usize> {
        match self {
            Self::Eth => 0..of.conversations.eth_len(),
            Self::Ip => of.pairs.places(IpVersion::V4),
            Self::Ipv6 => of.pairs.places(IpVersion::V6),
            Self::Tcp | Self::Udp => 0..of.conversations.ports_len(),
        }
    }

    /// The conversation at a place, if it is one of this kind.
    pub(super) fn at(self, of: &Talks, place: usize) -> Option<Conversation> {
        match self {
            Self::Eth => of.conversations.eth_at(place),
            Self::Ip | Self::Ipv6 => of.pairs.get(place),
            Self::Tcp => of.conversations.ports_at(Transport::Tcp, place),
            Self::Udp => of.conversations.ports_at(Transport::Udp, place),
        }
    }

    /// Conversations of this kind, in order of appearance.
    pub fn each(self, of: &Talks) -> impl Iterator<Item = Conversation> {
        self.places(of).filter_map(move |place| self.at(of, place))
    }

    /// Where they are, most frames first.
    pub(super) fn busiest_first(self, of: &Talks) -> Vec<u32> {
        let frames = |place| self.at(of, place).map(|talk| (talk.ab.frames + talk.ba.frames, place as u32));
        most_first(self.places(of).filter_map(frames))
    }
}

/// Conversations, with the sums over them that are listed among them.
#[derive(Debug)]
pub struct Talks {
    pub(super) conversations: Conversations,
    pairs: Pairs,
}

impl Talks {
    /// Sums up conversations.
    pub fn of(conversations: Conversations) -> Self {
        let pairs = conversations.pairs();
        Self { conversations, pairs }
    }

    /// The pairs of addresses alone, which lists of pairs and hosts are made of: the conversations make room for them.
    pub fn into_pairs(self) -> Pairs {
        self.pairs
    }
}

/// One conversation.
#[derive(Debug)]
pub struct ConversationRow {
    proto: &'static str,
    ends: Ends,
    pub(super) frames_ab: u64,
    pub(super) bytes_ab: u64,
    pub(super) frames_ba: u64,
    pub(super) bytes_ba: u64,
    pub(super) start_s: f64,
    pub(super) duration_s: f64,
}

impl ConversationRow {
    /// As a report shows it; `first` is the first frame of the capture.
    pub fn new(kind: Kind, conversation: &Conversation, first: Moment) -> Self {
        let Conversation { ends, ab, ba, first: from, last: to } = *conversation;
        Self {
            proto: kind.name(),
            ends,
            frames_ab: ab.frames,
            bytes_ab: ab.bytes,
            frames_ba: ba.frames,
            bytes_ba: ba.bytes,
            start_s: seconds(from, first),
            duration_s: seconds(to, from),
        }
    }

    /// Both ends.
    fn ends(&self) -> (Value<'_>, Value<'_>) {
        match self.ends {
            Ends::Eth(a, b) => (Value::Mac(a), Value::Mac(b)),
            // Not `Addr`'s own form: an IPv6 header may hold IPv4-mapped addresses.
            Ends::Ip(IpVersion::V6, a, b) => (Value::V6(v6(&a)), Value::V6(v6(&b))),
            Ends::Ip(IpVersion::V4, a, b) => (Value::Addr(a), Value::Addr(b)),
            Ends::Ports(_, a, b) => (Value::Endpoint(a), Value::Endpoint(b)),
        }
    }

    /// Both ends as text.
    pub(super) fn names(&self) -> (String, String) {
        let (a, b) = self.ends();
        (a.to_string(), b.to_string())
    }
}

fn v6(addr: &Addr) -> std::net::Ipv6Addr {
    (*addr.octets()).into()
}

impl Row for ConversationRow {
    const COLUMNS: &'static [&'static str] =
        &["proto", "a", "b", "frames_ab", "bytes_ab", "frames_ba", "bytes_ba", "start_s", "duration_s"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        let (a, b) = self.ends();
        [
            Value::Word(self.proto),
            a,
            b,
            Value::Number(self.frames_ab),
            Value::Number(self.bytes_ab),
            Value::Number(self.frames_ba),
            Value::Number(self.bytes_ba),
            Value::Decimal(self.start_s),
            Value::Decimal(self.duration_s),
        ]
    }
}

/// What full tables could not list, by report; absent where everything is listed.
#[derive(Debug, Default, Serialize)]
pub struct Rests {
    /// ICMP errors that protocols and intervals leave out.
    #[serde(skip_serializing_if = "Count::is_zero")]
    cut_icmp_errors: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    intervals: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    eth: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    ip: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    ipv6: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    tcp: Rest,
    #[serde(skip_serializing_if = "Count::is_zero")]
    udp: Rest,
}

impl Rests {
    /// Of a whole account; `None` if there are none.
    pub fn of(account: &Account) -> Option<Self> {
        let of = |kind: Kind| account.conversations().map(|all| kind.rest(all)).unwrap_or_default();
        let rests = Self {
            cut_icmp_errors: account.cut_quotes(),
            intervals: account.intervals().map(Intervals::rest).unwrap_or_default(),
            eth: of(Kind::Eth),
            ip: of(Kind::Ip),
            ipv6: of(Kind::Ipv6),
            tcp: of(Kind::Tcp),
            udp: of(Kind::Udp),
        };
        let Self { cut_icmp_errors, intervals, eth, ip, ipv6, tcp, udp } = &rests;
        let none = [cut_icmp_errors, intervals, eth, ip, ipv6, tcp, udp].iter().all(|rest| rest.is_zero());
        (!none).then_some(rests)
    }
}

/// What two addresses exchanged.
#[derive(Clone, Copy, Debug)]
pub struct PairRow {
    /// Who sent the first packet.
    pub a: Addr,
    /// The other.
    pub b: Addr,
    /// Both ways.
    pub frames: u64,
    /// Both ways.
    pub bytes: u64,
}

impl Row for PairRow {
    const COLUMNS: &'static [&'static str] = &["a", "b", "frames", "bytes"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [Value::Addr(self.a), Value::Addr(self.b), Value::Number(self.frames), Value::Number(self.bytes)]
    }
}

/// Pairs of IP addresses of both versions, most bytes first.
pub fn pair_rows(pairs: &Pairs) -> impl Iterator<Item = PairRow> {
    most_first(pairs.bytes().zip(0..)).into_iter().filter_map(|no| {
        let Conversation { ends: Ends::Ip(_, a, b), ab, ba, .. } = pairs.get(no as usize)? else {
            return None;
        };
        Some(PairRow { a, b, frames: ab.frames + ba.frames, bytes: ab.bytes + ba.bytes })
    })
}

/// Places by what is said there, greatest first, equal ones in order.
fn most_first(said: impl Iterator<Item = (u64, u32)>) -> Vec<u32> {
    let mut order: Vec<_> = said.map(|(size, place)| (Reverse(size), place)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

/// What one address moved.
#[derive(Clone, Copy, Debug)]
pub struct HostRow {
    pub(super) address: Addr,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) sent_frames: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_frames: u64,
    pub(super) received_bytes: u64,
}

impl Row for HostRow {
    const COLUMNS: &'static [&'static str] =
        &["address", "frames", "bytes", "sent_frames", "sent_bytes", "received_frames", "received_bytes"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [
            Value::Addr(self.address),
            Value::Number(self.frames),
            Value::Number(self.bytes),
            Value::Number(self.sent_frames),
            Value::Number(self.sent_bytes),
            Value::Number(self.received_frames),
            Value::Number(self.received_bytes),
        ]
    }
}

/// Hosts, most bytes first.
pub fn host_rows(pairs: &Pairs) -> impl Iterator<Item = HostRow> + use<> {
    let hosts = pairs.hosts();
    let order = most_first(hosts.iter().map(|host| host.sent.bytes + host.received.bytes).zip(0..));
    let hosts = order.into_iter().filter_map(move |no| hosts.get(no as usize));
    hosts.map(|Host { addr, sent, received }| HostRow {
        address: addr,
        frames: sent.frames + received.frames,
        bytes: sent.bytes + received.bytes,
        sent_frames: sent.frames,
        sent_bytes: sent.bytes,
        received_frames: received.frames,
        received_bytes: received.bytes,
    })
}

/// What one service moved.
#[derive(Clone, Debug)]
pub struct ServiceRow<'a> {
    /// Its name; `None` for all servers that nobody named.
    pub(super) service: Option<&'a str>,
    pub(super) flows: u64,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) up_bytes: u64,
    pub(super) down_bytes: u64,
}

impl Row for ServiceRow<'_> {
    const COLUMNS: &'static [&'static str] =
        &["service", "flows", "frames", "bytes", "up_bytes", "down_bytes"];

    fn values(&self) -> impl AsRef<[Value<'_>]> {
        [
            Value::name(self.service),
            Value::Number(self.flows),
            Value::Number(self.frames),
            Value::Number(self.bytes),
            Value::Number(self.up_bytes),
            Value::Number(self.down_bytes),
        ]
    }
}

/// Services, most bytes first; those without a name last.
pub fn service_rows(services: &Services) -> Vec<ServiceRow<'_>> {
    let row = |service, count: &ServiceCount| ServiceRow {
        service,
        flows: count.flows,
        frames: count.up.frames + count.down.frames,
        bytes: count.up.bytes + count.down.bytes,
        up_bytes: count.up.bytes,
        down_bytes: count.down.bytes,
    };
    let mut rows: Vec<_> =
        services.list().into_iter().map(|(label, count)| row(Some(label), count)).collect();
    if services.unnamed().flows > 0 {
        rows.push(row(None, services.unnamed()));
    }
    rows
}
