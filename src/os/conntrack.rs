//! The kernel's list of connections: whose they are, what they carried, and how to make it forget one.
//!
//! A set element alone does not stop a stream that runs already: an offloaded flow never meets our chain again,
//! and what the server sends is not looked at from its side. Deleting the connection's entry takes it off the
//! offload and, behind NAT or a stateful firewall, makes the server's packets strangers. Only flows between the
//! given clients and servers are touched.
//!
//! The kernel may lack ctnetlink (kmod-nf-conntrack-netlink is not in OpenWrt's default image). Then every call
//! says [`ConntrackError::Unsupported`], and blocked streams end by themselves.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};

use super::netlink::{Message, Netlink, NetlinkError, Request, attribute, messages};
use crate::account::{Carried, Connection};
use crate::net::{Addr, Endpoint, FiveTuple};

/// Entries deleted in one call; more wait for the next.
pub const MAX_KILLS: usize = 4_096;

/// Datagrams with ends of connections taken in one call; more wait.
const MAX_DEPARTURES: usize = 1_024;

// linux/netfilter/nfnetlink_conntrack.h; libc has only some of it.
const CT_GET: u16 = 1;
const CT_DELETE: u16 = 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_ID: u16 = 12;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const FILTER_IP_SRC: u32 = 1;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_V4_SRC: u16 = 1;
const IP_V4_DST: u16 = 2;
const IP_V6_SRC: u16 = 3;
const IP_V6_DST: u16 = 4;
const PROTO_NUM: u16 = 1;
const PROTO_SRC_PORT: u16 = 2;
const PROTO_DST_PORT: u16 = 3;
const COUNTERS_PACKETS: u16 = 1;
const COUNTERS_BYTES: u16 = 2;

/// Why the list of connections could not be read or changed.
#[derive(Debug)]
pub enum ConntrackError {
    /// This kernel has no ctnetlink.
    Unsupported,
    /// Talking to the kernel failed.
    Netlink(NetlinkError),
}

impl fmt::Display for ConntrackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str(
                "no ctnetlink in this kernel (kmod-nf-conntrack-netlink): streams that run end by themselves",
            ),
            Self::Netlink(_) => f.write_str("conntrack does not answer"),
        }
    }
}

impl std::error::Error for ConntrackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unsupported => None,
            Self::Netlink(error) => Some(error),
        }
    }
}

impl From<NetlinkError> for ConntrackError {
    fn from(error: NetlinkError) -> Self {
        match error {
            // nfnetlink says EINVAL when nobody has registered for a subsystem.
            NetlinkError::Refused(libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT) => {
                Self::Unsupported
            }
            error => Self::Netlink(error),
        }
    }
}

/// Which servers' flows are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers<'a> {
    /// All, for a client that is cut off.
    All,
    /// These.
    These(&'a [Addr]),
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As its first packet was addressed, before any translation.
    pub orig: FiveTuple,
    /// As answers are addressed; `orig` of it is who answers.
    pub reply: FiveTuple,
    /// What went the way of the first packet; `None` if the kernel does not count (nf_conntrack_acct).
    pub forth: Option<Carried>,
    /// What came back.
    pub back: Option<Carried>,
    id: u32,
}

impl Entry {
    /// With its counters, if the kernel has them.
    pub fn counted(&self) -> Option<Connection> {
        let (orig, reply) = (self.orig, self.reply);
        Some(Connection { id: self.id, orig, reply, forth: self.forth?, back: self.back? })
    }

    /// Whether this is a connection between a client and one of the servers, whoever began it. Seen from the
    /// LAN: a client's own address is never the translated one.
    fn is_between(&self, client: &Addr, servers: Servers<'_>) -> bool {
        let is_server = |addr: &Addr| match servers {
            Servers::All => true,
            Servers::These(list) => list.contains(addr),
        };
        let began = self.orig.orig.addr == *client
            && (is_server(&self.orig.resp.addr) || is_server(&self.reply.orig.addr));
        let answered = self.reply.orig.addr == *client && is_server(&self.orig.orig.addr);
        began || answered
    }
}

/// Whether all ends of connections were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Yes.
    All,
    /// The kernel had more than we took in time.
    NotAll,
}

/// A subscription to the ends of connections: what each has carried when it goes.
#[derive(Debug)]
pub struct Departures {
    netlink: Netlink,
}

impl AsRawFd for Departures {
    fn as_raw_fd(&self) -> RawFd {
        self.netlink.as_raw_fd()
    }
}

impl Departures {
    /// Subscribes.
    ///
    /// # Errors
    /// If there is no nfnetlink or we may not listen (CAP_NET_ADMIN).
    pub fn open() -> Result<Self, ConntrackError> {
        Ok(Self { netlink: Netlink::listen(mnl::Bus::Netfilter, &[libc::NFNLGRP_CONNTRACK_DESTROY as u32])? })
    }

    /// Hands those that ended since the last call to `each`, without waiting, at most [`MAX_DEPARTURES`] of them.
    pub fn poll(&mut self, mut each: impl FnMut(Entry)) -> Told {
        for _ in 0..MAX_DEPARTURES {
            match self.netlink.receive() {
                Ok(None) => break,
                Ok(Some(datagram)) => messages(datagram).filter_map(|m| departed(&m)).for_each(&mut each),
                // Overrun (ENOBUFS): the next read goes on behind the gap.
                Err(_) => return Told::NotAll,
            }
        }
        Told::All
    }
}

/// The kernel's list of connections.
#[derive(Debug)]
pub struct Conntrack {
    netlink: Netlink,
}

impl Conntrack {
    /// Opens a socket. Whether the kernel has ctnetlink shows at the first call.
    ///
    /// # Errors
    /// If there is no nfnetlink at all.
    pub fn open() -> Result<Self, ConntrackError> {
        Ok(Self { netlink: Netlink::open(mnl::Bus::Netfilter)? })
    }

    /// Forgets every connection between any of the clients' addresses and the servers, at most [`MAX_KILLS`].
    /// Returns how many were forgotten.
    ///
    /// # Errors
    /// If the kernel lacks ctnetlink, does not answer, or refuses (CAP_NET_ADMIN).
    pub fn kill(&mut self, clients: &[Addr], servers: Servers<'_>) -> Result<usize, ConntrackError> {
        let mut found: Vec<Entry> = Vec::new();
        for client in clients {
            // The filter finds what the client began; what others began toward it needs the reply's source.
            for side in [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY] {
                self.dump(filtered(client, side), |entry| {
                    let new = !found.iter().any(|known| known.id == entry.id && known.orig == entry.orig);
                    if new && found.len() < MAX_KILLS && entry.is_between(client, servers) {
                        found.push(entry);
                    }
                })?;
            }
        }
        let mut killed = 0;
        for entry in &found {
            killed += self.delete(&entry.orig, Some(entry.id))?;
        }
        Ok(killed)
    }

    /// Forgets one connection, named as the LAN sees it. Returns how many were forgotten: one or none.
    ///
    /// # Errors
    /// As [`Conntrack::kill`].
    pub fn kill_flow(&mut self, flow: &FiveTuple) -> Result<usize, ConntrackError> {
        self.delete(flow, None)
    }

    /// Hands every connection of both families to `each`.
    ///
    /// # Errors
    /// As [`Conntrack::kill`].
    pub fn entries(&mut self, mut each: impl FnMut(Entry)) -> Result<(), ConntrackError> {
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.dump(message(CT_GET, libc::NLM_F_DUMP, family), &mut each)?;
        }
        Ok(())
    }

    fn dump(&mut self, request: Request, mut each: impl FnMut(Entry)) -> Result<(), ConntrackError> {
        self.netlink.dump(request, |message| {
            if let Some(entry) = parse(message) {
                each(entry);
            }
        })?;
        Ok(())
    }

    fn delete(&mut self, flow: &FiveTuple, id: Option<u32>) -> Result<usize, ConntrackError> {
        let family = if flow.orig.addr.is_v4() { libc::AF_INET } else { libc::AF_INET6 };
        let mut request =
            message(CT_DELETE, libc::NLM_F_ACK, family).nested(CTA_TUPLE_ORIG, |r| tuple(r, flow));
        if let Some(id) = id {
            request = request.attribute(CTA_ID, &id.to_be_bytes());
        }
        match self.netlink.request(request) {
            Ok(()) => Ok(1),
            // It ended by itself.
            Err(NetlinkError::Refused(libc::ENOENT)) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

fn message(kind: u16, flags: i32, family: i32) -> Request {
    let kind = (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8 | kind;
    Request::new(kind, flags).raw(&[family as u8, 0, 0, 0])
}

/// A dump that the kernel (5.8 and later; earlier ones send all) limits to one source address of one side.
fn filtered(source: &Addr, side: u16) -> Request {
    let (family, kind) = match source.v4() {
        Some(_) => (libc::AF_INET, IP_V4_SRC),
        None => (libc::AF_INET6, IP_V6_SRC),
    };
    let flags = |wanted: u16| if wanted == side { FILTER_IP_SRC } else { 0 };
    message(CT_GET, libc::NLM_F_DUMP, family)
        .nested(side, |r| r.nested(TUPLE_IP, |r| address(r, kind, source)))
        .nested(CTA_FILTER, |r| {
            r.attribute(CTA_FILTER_ORIG_FLAGS, &flags(CTA_TUPLE_ORIG).to_ne_bytes())
                .attribute(CTA_FILTER_REPLY_FLAGS, &flags(CTA_TUPLE_REPLY).to_ne_bytes())
        })
}

fn address(request: Request, kind: u16, addr: &Addr) -> Request {
    match addr.v4() {
        Some(octets) => request.attribute(kind, &octets),
        None => request.attribute(kind, addr.octets()),
    }
}

fn tuple(request: Request, flow: &FiveTuple) -> Request {
    let (src, dst) = if flow.orig.addr.is_v4() { (IP_V4_SRC, IP_V4_DST) } else { (IP_V6_SRC, IP_V6_DST) };
    request.nested(TUPLE_IP, |r| address(address(r, src, &flow.orig.addr), dst, &flow.resp.addr)).nested(
        TUPLE_PROTO,
        |r| {
            r.attribute(PROTO_NUM, &[flow.proto])
                .attribute(PROTO_SRC_PORT, &flow.orig.port.to_be_bytes())
                .attribute(PROTO_DST_PORT, &flow.resp.port.to_be_bytes())
        },
    )
}

/// The connection whose end a message tells.
fn departed(message: &Message<'_>) -> Option<Entry> {
    (message.kind == (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8 | CT_DELETE).then(|| parse(message)).flatten()
}

/// One connection from a message of a dump; `None` if it is not one we understand (no IP, no ports: ICMP).
fn parse(message: &Message<'_>) -> Option<Entry> {
    let body = message.body.get(4..)?;
    Some(Entry {
        orig: parse_tuple(attribute(body, CTA_TUPLE_ORIG)?)?,
        reply: parse_tuple(attribute(body, CTA_TUPLE_REPLY)?)?,
        forth: attribute(body, CTA_COUNTERS_ORIG).and_then(parse_counters),
        back: attribute(body, CTA_COUNTERS_REPLY).and_then(parse_counters),
        id: u32::from_be_bytes(*attribute(body, CTA_ID)?.first_chunk()?),
    })
}

fn parse_tuple(tuple: &[u8]) -> Option<FiveTuple> {
    let (ip, proto) = (attribute(tuple, TUPLE_IP)?, attribute(tuple, TUPLE_PROTO)?);
    let addr = |v4: u16, v6: u16| match attribute(ip, v4) {
        Some(octets) => octets.first_chunk().copied().map(Addr::from_v4),
        None => attribute(ip, v6)?.first_chunk().copied().map(Addr::from_v6),
    };
    let port = |kind: u16| Some(u16::from_be_bytes(*attribute(proto, kind)?.first_chunk()?));
    Some(FiveTuple {
        orig: Endpoint { addr: addr(IP_V4_SRC, IP_V6_SRC)?, port: port(PROTO_SRC_PORT)? },
        resp: Endpoint { addr: addr(IP_V4_DST, IP_V6_DST)?, port: port(PROTO_DST_PORT)? },
        proto: *attribute(proto, PROTO_NUM)?.first()?,
    })
}

fn parse_counters(counters: &[u8]) -> Option<Carried> {
    let number = |kind: u16| Some(u64::from_be_bytes(*attribute(counters, kind)?.first_chunk()?));
    Some(Carried { packets: number(COUNTERS_PACKETS)?, bytes: number(COUNTERS_BYTES)? })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, UdpSocket};

    use super::*;
    use crate::os::testing::{own_network, run};

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddr>().unwrap().into()
    }

    /// A network that tracks connections, with three hosts of each family on `lo`, and a flow from the first to
    /// each of the others.
    fn tracked_flows() -> Option<(Conntrack, Vec<UdpSocket>)> {
        own_network("conntrack", &["nft", "ip"])?;
        for host in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            run(&format!("ip address add {host}/32 dev lo"));
        }
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            run(&format!("ip address add {host}/128 dev lo nodad"));
        }
        run("nft add table inet t");
        run("nft add chain inet t c { type filter hook output priority 0 ; }");
        run("nft add rule inet t c ct state new accept");
        let ends = [("192.0.2.1:0", "192.0.2.2:443"), ("192.0.2.1:0", "192.0.2.3:443")]
            .into_iter()
            .chain([("[2001:db8::1]:0", "[2001:db8::2]:443"), ("[2001:db8::1]:0", "[2001:db8::3]:443")]);
        let flows: Vec<(UdpSocket, &str)> =
            ends.map(|(near, far)| (UdpSocket::bind(near).unwrap(), far)).collect();
        let mut conntrack = Conntrack::open().unwrap();
        // A fresh rule takes the kernel a moment to begin tracking; one that never does is a kernel to skip.
        let mut tries = 0;
        while servers_left(&mut conntrack).len() < flows.len() {
            tries += 1;
            if tries > 1_000 {
                eprintln!("skipped: this kernel does not track the test's flows");
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            flows.iter().for_each(|(socket, far)| assert_eq!(socket.send_to(b"x", far).unwrap(), 1));
        }
        Some((conntrack, flows.into_iter().map(|(socket, _)| socket).collect()))
    }

    fn servers_left(conntrack: &mut Conntrack) -> Vec<String> {
        let mut left = Vec::new();
        conntrack
            .entries(|entry| {
                if entry.orig.proto == libc::IPPROTO_UDP as u8 {
                    left.push(entry.orig.resp.addr.to_string());
                }
            })
            .unwrap();
        left.sort();
        left
    }

    #[test]
    fn only_flows_between_the_client_and_the_servers_are_forgotten() {
        let Some((mut conntrack, _sockets)) = tracked_flows() else { return };
        assert_eq!(servers_left(&mut conntrack), ["192.0.2.2", "192.0.2.3", "2001:db8::2", "2001:db8::3"]);
        let client = [addr("192.0.2.1"), addr("2001:db8::1")];
        let servers = [addr("192.0.2.2"), addr("2001:db8::2")];
        assert_eq!(conntrack.kill(&[addr("192.0.2.77")], Servers::All).unwrap(), 0);
        assert_eq!(conntrack.kill(&client, Servers::These(&servers)).unwrap(), 2);
        assert_eq!(servers_left(&mut conntrack), ["192.0.2.3", "2001:db8::3"]);
        assert_eq!(conntrack.kill(&client, Servers::All).unwrap(), 2);
        assert_eq!(servers_left(&mut conntrack), [""; 0]);
    }

    #[test]
    fn flows_a_server_began_are_found_from_the_client_side() {
        let Some((mut conntrack, _sockets)) = tracked_flows() else { return };
        let server = [addr("192.0.2.1")];
        assert_eq!(conntrack.kill(&[addr("192.0.2.2")], Servers::These(&server)).unwrap(), 1);
        assert_eq!(servers_left(&mut conntrack), ["192.0.2.3", "2001:db8::2", "2001:db8::3"]);
    }

    #[test]
    fn an_end_is_told_with_the_last_counters() {
        let Some((mut conntrack, sockets)) = tracked_flows() else { return };
        // Only connections that begin after this have counters, and only then is it told that they end.
        run("sysctl -qw net.netfilter.nf_conntrack_acct=1");
        let mut departures = Departures::open().unwrap();
        conntrack.kill(&[addr("192.0.2.1")], Servers::All).unwrap();
        assert_eq!(departures.poll(drop), Told::All);
        assert_eq!(sockets[0].send_to(&[0; 100], "192.0.2.2:443").unwrap(), 100);
        assert_eq!(sockets[0].send_to(&[0; 72], "192.0.2.2:443").unwrap(), 72);
        conntrack.kill(&[addr("192.0.2.1")], Servers::All).unwrap();
        let mut told = Vec::new();
        assert_eq!(departures.poll(|entry| told.extend(entry.counted())), Told::All);
        let forth = told.iter().map(|connection| (connection.orig.resp.port, connection.forth));
        assert_eq!(forth.collect::<Vec<_>>(), [(443, Carried { packets: 2, bytes: 228 })]);
    }

    #[test]
    fn one_flow_is_forgotten_by_its_tuple() {
        let Some((mut conntrack, sockets)) = tracked_flows() else { return };
        let flow = FiveTuple {
            orig: Endpoint { addr: addr("192.0.2.1"), port: sockets[0].local_addr().unwrap().port() },
            resp: Endpoint { addr: addr("192.0.2.2"), port: 443 },
            proto: libc::IPPROTO_UDP as u8,
        };
        assert_eq!(conntrack.kill_flow(&flow).unwrap(), 1);
        assert_eq!(conntrack.kill_flow(&flow).unwrap(), 0);
        assert_eq!(servers_left(&mut conntrack).len(), 3);
    }
}
