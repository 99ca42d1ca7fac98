//! Names: what devices call themselves, which names they ask for, and which they say to servers.
//!
//! [`NameWatcher`] is shown every packet and learns from few: DNS answers, mDNS announcements, DHCP requests, TLS
//! ClientHellos, QUIC Initials and HTTP requests. What it learns it keeps in [`Names`] (client and address →
//! name) and reports as [`Event`]s of the packet just seen. Names are labels, grouping and hints for blocking,
//! never the verdict: whoever controls a name server or a ClientHello can write anything there.
//!
//! Everything is bounded at start. Sizes: the cache 256 KiB of entries and 144 KiB of names, joining of hellos at
//! most 75 KiB, events 20 KiB. Packets that carry no name cost a look at the ports and the first payload bytes.
//! Packets that do are read within budgets per second ([`MESSAGES_PER_SECOND`], [`OPENED_PER_SECOND`]), so that
//! a flood of them costs labels, not the router.

mod arena;
mod budget;
mod cache;
mod hash;
mod hello;
mod service_table;
mod services;
mod suffix;

pub use arena::{ARENA_LEN, NameId};
pub use cache::{Known, LABEL_GRACE, MAX_ENTRIES, MAX_RESOLVERS, Names, Pair, Source};
pub use hello::{OPENED_PER_SECOND, POOL_LEN};
pub use services::{Service, ServiceKind, domain_of, is_of_service, service_of};
pub use suffix::registrable;

use crate::dissect::dhcp;
use crate::dissect::dns::{self, Data, Message, NameShape};
use crate::dissect::hostname::{DeviceName, HostName};
use crate::dissect::tls::{Alpn, ClientHello, Ech};
use crate::dissect::{Packet, Tcp, Transport, http, quic, tls};
use crate::net::{Addr, ClientId, Direction, Endpoint, FiveTuple, mix};
use crate::time::Moment;

use budget::Budget;
use hello::{Hellos, Segment};

/// DNS, DHCP and mDNS messages read per second, and as many hellos and requests.
pub const MESSAGES_PER_SECOND: u32 = 1_000;
const MESSAGES_AT_ONCE: u32 = 2_000;

/// Events of one packet: an answer has at most this many addresses.
pub const MAX_EVENTS: usize = dns::MAX_RECORDS;

const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;

/// Something learnt from the packet just observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client named the server it talks to.
    Spoken(Spoken),
    /// A client was told the address of a name.
    Answered(Answered),
    /// A DNS question or its response went by; its name is [`NameWatcher::question`].
    Dns(DnsFacts),
    /// A device said what it is called.
    Device(Device),
    /// A DHCPv4 message went by.
    Dhcp {
        /// Who sent it, by IP.
        sender: Addr,
        /// The message.
        message: dhcp::V4,
    },
}

/// See [`Event::Spoken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The client.
    pub client: ClientId,
    /// The flow that the name was said on; its originator said it.
    pub flow: FiveTuple,
    /// The name.
    pub name: NameId,
    /// [`Source::Tls`], [`Source::Quic`] or [`Source::Http`].
    pub source: Source,
    /// First application protocol offered.
    pub alpn: Alpn,
    /// With an encrypted ClientHello the name may be the provider's public one.
    pub ech: Ech,
}

/// See [`Event::Answered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Who asked.
    pub client: ClientId,
    /// An address of the name.
    pub addr: Addr,
    /// The name that was asked for.
    pub name: NameId,
    /// [`Source::Resolver`] or [`Source::Answer`].
    pub source: Source,
    /// For how many seconds it is valid.
    pub ttl_s: u32,
}

/// Numbers about a DNS message, for those who look for tunnels and amplifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsFacts {
    /// Who asks.
    pub client: ClientId,
    /// The name server: where the question goes, or the response comes from.
    pub server: Addr,
    /// Question or response.
    pub kind: dns::Kind,
    /// Query type.
    pub qtype: u16,
    /// Response code.
    pub rcode: u8,
    /// Shape of the name asked for.
    pub shape: NameShape,
    /// Fingerprint of its registrable domain: groups the names of one tunnel.
    pub site: u64,
    /// Bytes of the message on the wire.
    pub len: u32,
}

/// See [`Event::Device`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device, if the message tells.
    pub client: Option<ClientId>,
    /// Its address, if the message tells.
    pub addr: Option<Addr>,
    /// What it calls itself.
    pub name: DeviceName,
    /// How it said so.
    pub source: DeviceSource,
}

/// How a device said its name, the more trustworthy last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceSource {
    /// Multicast DNS announcement.
    Mdns,
    /// DHCPv6 client FQDN.
    Dhcp6,
    /// DHCPv4 host name.
    Dhcp4,
}

/// Learns names from packets.
#[derive(Debug)]
pub struct NameWatcher {
    names: Names,
    hellos: Hellos,
    events: Vec<Event>,
    question: Option<HostName>,
    messages: Budget,
    spoken: Budget,
    seed: u64,
}

/// A packet that may carry a name, with what all readers need of it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    at: Moment,
    client: ClientId,
    flow: FiveTuple,
    payload: &'a [u8],
    payload_len: u32,
}

impl NameWatcher {
    /// A watcher that knows nothing yet. `seed` is a secret in live use and a constant for files.
    pub fn new(seed: u64) -> Self {
        let budget = Budget::new(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE);
        Self {
            names: Names::new(seed),
            hellos: Hellos::new(),
            events: Vec::with_capacity(MAX_EVENTS),
            question: None,
            messages: budget,
            spoken: budget,
            seed,
        }
    }

    /// What has been learnt so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What has been learnt so far, to set the resolvers to trust.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// What the packet just observed has told.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The name in the question of the DNS message just observed.
    pub fn question(&self) -> Option<&HostName> {
        self.question.as_ref()
    }

    /// Looks at a packet, whose client sends or receives it (`None`: both ends are local, or neither is); returns
    /// the number of events that are now in [`Self::events`].
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub fn observe(&mut self, packet: &Packet<'_>, direction: Option<Direction>) -> usize {
        self.events.clear();
        let may_carry_name = match packet.transport {
            Transport::Tcp(tcp) => {
                !packet.payload.is_empty()
                    && (tls::begins_hello(packet.payload)
                        || self.hellos.awaits(tcp.src_port)
                        || http::begins_request(packet.payload)
                        || tcp.src_port == DNS_PORT
                        || tcp.dst_port == DNS_PORT)
            }
            Transport::Udp { src_port, dst_port, .. } => {
                is_message_port(src_port)
                    || is_message_port(dst_port)
                    || quic::begins_long_header(packet.payload)
            }
            Transport::None | Transport::Icmp { .. } | Transport::Other(_) => false,
        };
        if may_carry_name {
            self.read(packet, direction);
        }
        self.events.len()
    }

    #[cold]
    fn read(&mut self, packet: &Packet<'_>, direction: Option<Direction>) {
        let Some(ip) = packet.ip() else { return };
        let (src_port, dst_port) = packet.ports();
        // Between local ends a name server answers the client; whoever else speaks of names is the client.
        let by_port = if src_port == DNS_PORT { Direction::Down } else { Direction::Up };
        let direction = direction.unwrap_or(by_port);
        let seen = Seen {
            at: packet.at,
            client: Pair::client_of(packet, direction),
            flow: FiveTuple {
                orig: Endpoint { addr: ip.src, port: src_port },
                resp: Endpoint { addr: ip.dst, port: dst_port },
                proto: ip.protocol,
            },
            payload: packet.payload,
            payload_len: payload_len(packet),
        };
        let is_to_client = direction == Direction::Down;
        match packet.transport {
            Transport::Tcp(_) if src_port == DNS_PORT || dst_port == DNS_PORT => {
                if let Some(message) = dns::of_tcp(seen.payload) {
                    self.read_dns(&Seen { payload: message, ..seen });
                }
            }
            Transport::Tcp(tcp) if !is_to_client => self.read_stream(&seen, &tcp),
            Transport::Udp { .. } if src_port == DNS_PORT || dst_port == DNS_PORT => self.read_dns(&seen),
            Transport::Udp { .. } if src_port == MDNS_PORT || dst_port == MDNS_PORT => self.read_mdns(&seen),
            Transport::Udp { .. } if is_dhcp4(src_port) && is_dhcp4(dst_port) => self.read_dhcp4(&seen),
            Transport::Udp { .. } if is_dhcp6(src_port) && is_dhcp6(dst_port) => self.read_dhcp6(&seen),
            Transport::Udp { .. } if !is_to_client => self.read_quic(&seen),
            _ => {}
        }
    }

    fn read_stream(&mut self, seen: &Seen<'_>, tcp: &Tcp) {
        if !self.spoken.spend(seen.at) {
            return;
        }
        if http::begins_request(seen.payload) {
            if let Some(name) = http::request_host(seen.payload) {
                let hello = ClientHello { name: Some(name), alpn: Alpn::Http1, ech: Ech::Absent };
                self.learn_spoken(seen, &hello, Source::Http);
            }
            return;
        }
        let segment = Segment {
            flow: self.flow_hash(&seen.flow),
            port: tcp.src_port,
            seq: tcp.seq,
            payload: seen.payload,
            payload_len: seen.payload_len,
        };
        if let Some(hello) = self.hellos.take_segment(&segment, seen.at) {
            self.learn_spoken(seen, &hello, Source::Tls);
        }
    }

    fn read_quic(&mut self, seen: &Seen<'_>) {
        // Clients pad datagrams with Initials; a datagram that the capture cut cannot be authenticated.
        let is_whole = seen.payload.len() as u32 == seen.payload_len;
        if !is_whole || seen.payload_len < quic::MIN_INITIAL_DATAGRAM || !self.spoken.spend(seen.at) {
            return;
        }
        let flow = self.flow_hash(&seen.flow);
        if let Some(hello) = self.hellos.take_datagram(flow, seen.payload, seen.at) {
            self.learn_spoken(seen, &hello, Source::Quic);
        }
    }

    fn learn_spoken(&mut self, seen: &Seen<'_>, hello: &ClientHello, source: Source) {
        let Some(name) = hello.name else { return };
        let name = self.names.intern(&name);
        let pair = Pair { client: seen.client, addr: seen.flow.resp.addr };
        self.names.learn_spoken(pair, name, source, seen.at);
        let (client, flow) = (seen.client, seen.flow);
        self.push(Event::Spoken(Spoken { client, flow, name, source, alpn: hello.alpn, ech: hello.ech }));
    }

    fn read_dns(&mut self, seen: &Seen<'_>) {
        if !self.messages.spend(seen.at) {
            return;
        }
        let Some(message) = Message::parse(seen.payload) else { return };
        let question = message.question();
        self.question = question.as_ref().and_then(|question| question.name);
        let server = match message.kind {
            dns::Kind::Query => seen.flow.resp.addr,
            dns::Kind::Response => seen.flow.orig.addr,
        };
        if let Some(question) = question {
            let site = question.name.map_or(0, |name| fingerprint(registrable(name.as_str())));
            self.push(Event::Dns(DnsFacts {
                client: seen.client,
                server,
                kind: message.kind,
                qtype: question.qtype,
                rcode: message.rcode,
                shape: question.shape,
                site,
                len: seen.payload_len,
            }));
        }
        let asked = self.question;
        let Some(answer) = asked.and_then(|name| message.answer_to(&name)) else { return };
        let name = self.names.intern(&answer.name);
        let source = self.names.source_of_answer(&server);
        let client = seen.client;
        for &(addr, ttl_s) in answer.addresses().iter().filter(|(addr, _)| !addr.is_special()) {
            self.names.learn_answer(Pair { client, addr }, name, (source, ttl_s), seen.at);
            self.push(Event::Answered(Answered { client, addr, name, source, ttl_s }));
        }
    }

    /// Hosts announce `name.local` with their addresses; a SRV target or a reverse PTR will do where they do not.
    fn read_mdns(&mut self, seen: &Seen<'_>) {
        if !self.messages.spend(seen.at) {
            return;
        }
        let Some(message) = Message::parse(seen.payload) else { return };
        if message.kind != dns::Kind::Response {
            return;
        }
        let sender = seen.flow.orig.addr;
        for record in message.records() {
            let is_local = record.name.is_some_and(|name| is_dot_local(&name));
            let (name, addr) = match record.data {
                Data::Address(addr) if is_local => (DeviceName::from_bytes(record.first_label), addr),
                Data::Service(target) => (local_host(&target), sender),
                Data::Pointer(target) => match record.name.and_then(|name| reverse_v4(&name)) {
                    Some(addr) => (local_host(&target), addr),
                    None => continue,
                },
                Data::Address(_) | Data::Alias(_) | Data::Https(_) | Data::Other { .. } => continue,
            };
            if let Some(name) = name {
                let client = (addr == sender).then_some(seen.client);
                self.learn_device(Device { client, addr: Some(addr), name, source: DeviceSource::Mdns });
            }
        }
    }

    fn read_dhcp4(&mut self, seen: &Seen<'_>) {
        if !self.messages.spend(seen.at) {
            return;
        }
        let Some(message) = dhcp::read_v4(seen.payload) else { return };
        self.push(Event::Dhcp { sender: seen.flow.orig.addr, message });
        // Only what the client says of itself: servers echo.
        if let (Some(name), None) = (message.host_name, message.server.filter(|_| message.assigned.is_some()))
        {
            let (client, addr) = (Some(ClientId::Mac(message.client)), message.requested);
            self.learn_device(Device { client, addr, name, source: DeviceSource::Dhcp4 });
        }
    }

    fn read_dhcp6(&mut self, seen: &Seen<'_>) {
        if !self.messages.spend(seen.at) {
            return;
        }
        let Some(message) = dhcp::read_v6(seen.payload) else { return };
        // Server messages (2 ADVERTISE, 7 REPLY) go to the client's port.
        if let (Some(name), 547) = (message.host_name, seen.flow.resp.port) {
            let (client, addr) = (Some(seen.client), Some(seen.flow.orig.addr));
            self.learn_device(Device { client, addr, name, source: DeviceSource::Dhcp6 });
        }
    }

    /// One event per name and address: announcements repeat themselves.
    fn learn_device(&mut self, device: Device) {
        let event = Event::Device(device);
        if !self.events.contains(&event) {
            self.push(event);
        }
    }

    fn push(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(event);
        }
    }

    fn flow_hash(&self, flow: &FiveTuple) -> u64 {
        let ports = u64::from(flow.orig.port) << 32 | u64::from(flow.resp.port) << 16 | u64::from(flow.proto);
        let addrs = mix(flow.orig.addr.fingerprint() ^ self.seed) ^ flow.resp.addr.fingerprint();
        mix(addrs ^ ports)
    }
}

/// Ports whose datagrams are read whatever they begin with.
#[inline]
fn is_message_port(port: u16) -> bool {
    port == DNS_PORT || port == MDNS_PORT || is_dhcp4(port) || is_dhcp6(port)
}

#[inline]
fn is_dhcp4(port: u16) -> bool {
    port == 67 || port == 68
}

#[inline]
fn is_dhcp6(port: u16) -> bool {
    port == 546 || port == 547
}

fn payload_len(packet: &Packet<'_>) -> u32 {
    match packet.transport {
        Transport::Tcp(Tcp { payload_len, .. }) | Transport::Udp { payload_len, .. } => payload_len,
        Transport::None | Transport::Icmp { .. } | Transport::Other(_) => 0,
    }
}

fn is_dot_local(name: &HostName) -> bool {
    name.as_str().ends_with(".local")
}

/// The host part of `host.local`.
fn local_host(name: &HostName) -> Option<DeviceName> {
    let host = name.as_str().strip_suffix(".local").filter(|host| !host.contains('.'))?;
    DeviceName::from_bytes(host.as_bytes())
}

/// `20.1.168.192.in-addr.arpa` → 192.168.1.20.
fn reverse_v4(name: &HostName) -> Option<Addr> {
    let mut octets = [0; 4];
    let mut labels = name.as_str().strip_suffix(".in-addr.arpa")?.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = labels.next()?.parse().ok()?;
    }
    labels.next().is_none().then(|| Addr::from_v4(octets))
}

fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests;
