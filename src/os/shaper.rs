//! Slowing down instead of blocking: a shaper on the LAN's devices, through rtnetlink.
//!
//! nftables can limit, but not a flow that is offloaded; a queueing discipline sits below and sees it too. Each
//! LAN device gets an `htb` as its root: what no filter names passes as if it were not there (class `0`), and
//! every throttled client has one class that all its listed servers share, with a short queue below it. `u32`
//! filters (in the same kernel module as `htb`) look at what leaves towards the LAN: the client's Ethernet address
//! and the server's address. Before them stand filters for what is never slowed: the router itself and exempt
//! addresses. The kernel asks filters one after the other, which is why there are at most [`MAX_FILTERS`].
//!
//! Only the way towards the client is shaped. Nothing here has a timeout: what a killed daemon leaves stays until
//! it is started again, which takes it over. A device on which somebody else's discipline sits (SQM, qos-scripts)
//! is left alone, and [`ShaperError::Occupied`] says so.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use super::netlink::{Message, Netlink, NetlinkError, Request, attribute};
use crate::net::{Addr, ClientId, Prefix};
use crate::ruleset::Shaped;

// linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h; not in libc.
const NEW_QDISC: u16 = 36;
const DELETE_QDISC: u16 = 37;
const GET_QDISC: u16 = 38;
const NEW_CLASS: u16 = 40;
const DELETE_CLASS: u16 = 41;
const NEW_FILTER: u16 = 44;
const DELETE_FILTER: u16 = 45;
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const HTB_PARMS: u16 = 1;
const HTB_INIT: u16 = 2;
const U32_CLASS: u16 = 1;
const U32_SELECTOR: u16 = 5;
/// TC_U32_TERMINAL: a match decides.
const TERMINAL: u8 = 1;
/// TC_H_ROOT.
const ROOT: u32 = u32::MAX;
/// Our discipline is `5347:`, "SG"; its class 0 is "pass unshaped" (HTB_DIRECT).
const MAJOR: u32 = 0x5347 << 16;
/// Packets that wait in a class; at 256 kbit/s about three seconds.
const QUEUE_PACKETS: u32 = 64;
const ETHERTYPE_V4: u16 = 0x0800;
const ETHERTYPE_V6: u16 = 0x86dd;
/// Most filters on a device; what does not fit is not slowed.
const MAX_FILTERS: usize = 1_024;
/// Where the fields lie, counted from the network header.
const ETHER_DESTINATION: i32 = -14;
const V4_SOURCE: i32 = 12;
const V4_DESTINATION: i32 = 16;
const V6_SOURCE: i32 = 8;
const V6_DESTINATION: i32 = 24;
/// A full Ethernet frame.
const FRAME_BYTES: u32 = 1_514;
/// One tick of the kernel's packet scheduler, in ns.
const TICK_NS: u64 = 64;

/// Why nothing is slowed down.
#[derive(Debug)]
pub enum ShaperError {
    /// The kernel refused or did not answer; usually a module is missing.
    Netlink(&'static str, NetlinkError),
    /// Somebody else shapes this device.
    Occupied {
        /// The device.
        device: String,
        /// Its discipline.
        kind: String,
    },
}

impl fmt::Display for ShaperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netlink(what, _) => {
                write!(f, "cannot set up a traffic {what} (kmod-sched-core)")
            }
            Self::Occupied { device, kind } => write!(f, "{device} is shaped by somebody else's {kind}"),
        }
    }
}

impl std::error::Error for ShaperError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Netlink(_, error) => Some(error),
            Self::Occupied { .. } => None,
        }
    }
}

/// A LAN device: its number and its name.
pub type Device = (u32, String);

/// What is to be slowed, and what never is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Rates in kbit/s.
    pub shapes: BTreeMap<Shaped, u32>,
    /// From where everything passes at full speed.
    pub direct: BTreeSet<Prefix>,
}

/// A client at a rate in kbit/s: one class.
type Lane = (ClientId, u32);

/// A line for the kernel's classifier. Those with a lower rank are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Filter {
    rank: Rank,
    ethertype: u16,
    /// Towards whom; `None` = everybody.
    client: Option<ClientId>,
    /// From where; `None` = everywhere.
    server: Option<Prefix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Never slowed.
    Direct,
    /// A client's listed server.
    Server,
    /// Everything else of a client.
    Rest,
}

impl Rank {
    /// The kernel asks in order of preference; each filter has one of its own, which is how it is deleted again.
    const fn first_preference(self) -> u16 {
        match self {
            Self::Direct => 0x0001,
            Self::Server => 0x4000,
            Self::Rest => 0xc000,
        }
    }
}

/// Where a filter stands and to which class it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Post {
    preference: u16,
    class: u16,
}

impl Filter {
    /// Preference and protocol as the kernel's `tcm_info`.
    fn info(&self, preference: u16) -> u32 {
        u32::from(preference) << 16 | u32::from(self.ethertype.to_be())
    }
}

/// What stands on every device.
#[derive(Debug, Default)]
struct Standing {
    classes: BTreeMap<Lane, u16>,
    filters: BTreeMap<Filter, Post>,
}

/// The shaper of all LAN devices.
pub struct Shaper {
    netlink: Netlink,
    devices: Vec<Device>,
    standing: Standing,
}

impl fmt::Debug for Shaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shaper({:?}, {} filters)", self.devices, self.standing.filters.len())
    }
}

impl Shaper {
    /// Opens a socket; touches nothing.
    ///
    /// # Errors
    /// If the kernel has no rtnetlink.
    pub fn open() -> Result<Self, NetlinkError> {
        let netlink = Netlink::open(mnl::Bus::Route)?;
        Ok(Self { netlink, devices: Vec::new(), standing: Standing::default() })
    }

    /// Makes the kernel slow down exactly this on exactly these devices. Without anything to slow down the devices
    /// get their own discipline back.
    ///
    /// # Errors
    /// If a device is somebody else's, or the kernel cannot; then nothing is slowed down.
    pub fn apply(&mut self, devices: &[Device], lanes: &Lanes) -> Result<(), ShaperError> {
        let outcome = self.attempt(devices, lanes);
        if outcome.is_err() {
            self.release();
        }
        outcome
    }

    fn attempt(&mut self, devices: &[Device], lanes: &Lanes) -> Result<(), ShaperError> {
        if lanes.shapes.is_empty() {
            self.release();
            return Ok(());
        }
        if self.devices != devices {
            self.release();
            for device in devices {
                self.plant(device)?;
                self.devices.push(device.clone());
            }
        }
        let (classes, filters) = plan(lanes, &self.standing.classes);
        let numbers: BTreeSet<u16> = classes.values().copied().collect();
        for (lane, class) in &classes {
            if self.standing.classes.get(lane) != Some(class) {
                self.add_class(lane.1, *class)?;
            }
        }
        for (filter, post) in std::mem::take(&mut self.standing.filters) {
            if filters.get(&filter) == Some(&post.class) {
                self.standing.filters.insert(filter, post);
            } else {
                self.delete_filter(&filter, post);
            }
        }
        let mut taken: BTreeSet<u16> = self.standing.filters.values().map(|post| post.preference).collect();
        for (filter, class) in filters {
            if !self.standing.filters.contains_key(&filter) {
                let mut free = filter.rank.first_preference()..u16::MAX;
                let Some(preference) = free.find(|at| !taken.contains(at)) else { continue };
                let post = Post { preference, class };
                self.add_filter(&filter, post)?;
                taken.insert(preference);
                self.standing.filters.insert(filter, post);
            }
        }
        // A class can go only when no filter leads to it.
        let old = std::mem::replace(&mut self.standing.classes, classes);
        for class in old.into_values().filter(|class| !numbers.contains(class)) {
            self.delete_class(class);
        }
        Ok(())
    }

    /// Gives all devices their own discipline back.
    pub fn release(&mut self) {
        for (index, _) in std::mem::take(&mut self.devices) {
            // It may be gone with its device.
            let _ = self.netlink.request(
                Spot { index, handle: MAJOR, parent: ROOT, info: 0 }.request(DELETE_QDISC, libc::NLM_F_ACK),
            );
        }
        self.standing = Standing::default();
    }

    /// Removes what a killed daemon left on devices that are not to be shaped now.
    pub fn sweep(&mut self, devices: &[Device]) {
        let idle: Vec<u32> =
            devices.iter().filter(|device| !self.devices.contains(device)).map(|(index, _)| *index).collect();
        for index in idle {
            if let Ok(Some((MAJOR, _))) = self.root_of(index) {
                let _ = self.netlink.request(
                    Spot { index, handle: MAJOR, parent: ROOT, info: 0 }
                        .request(DELETE_QDISC, libc::NLM_F_ACK),
                );
            }
        }
    }

    /// Puts our root on a device. What an earlier run left there is replaced; what is somebody else's is not.
    fn plant(&mut self, device: &Device) -> Result<(), ShaperError> {
        if let Some((handle, kind)) =
            self.root_of(device.0).map_err(|error| ShaperError::Netlink("shaper", error))?
        {
            if handle == MAJOR {
                let _ = self.netlink.request(
                    Spot { index: device.0, handle: MAJOR, parent: ROOT, info: 0 }
                        .request(DELETE_QDISC, libc::NLM_F_ACK),
                );
            } else if handle != 0 {
                return Err(ShaperError::Occupied { device: device.1.clone(), kind });
            }
        }
        // struct tc_htb_glob: version, rate2quantum, default class, debug, packets passed directly.
        let glob: Vec<u8> = [3u32, 10, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
        let root = Spot { index: device.0, handle: MAJOR, parent: ROOT, info: 0 }
            .request(NEW_QDISC, creating())
            .attribute(KIND, b"htb\0")
            .nested(OPTIONS, |options| options.attribute(HTB_INIT, &glob));
        self.netlink.request(root).map_err(|error| ShaperError::Netlink("shaper", error))
    }

    /// Handle and kind of a device's root discipline; those the kernel gave it itself have handle 0.
    fn root_of(&mut self, index: u32) -> Result<Option<(u32, String)>, NetlinkError> {
        let mut found = None;
        let list = Spot { index, handle: 0, parent: 0, info: 0 }.request(GET_QDISC, libc::NLM_F_DUMP);
        self.netlink.dump(list, |message| {
            if let Some((at, handle, parent, kind)) = parse_qdisc(message)
                && at == index
                && parent == ROOT
            {
                found = Some((handle, kind));
            }
        })?;
        Ok(found)
    }

    fn add_class(&mut self, rate_kbps: u32, class: u16) -> Result<(), ShaperError> {
        let failed = |error| ShaperError::Netlink("class", error);
        let parms = class_parms(rate_kbps);
        for (index, _) in self.devices.clone() {
            let handle = MAJOR | u32::from(class);
            let request = Spot { index, handle, parent: MAJOR, info: 0 }
                .request(NEW_CLASS, creating())
                .attribute(KIND, b"htb\0")
                .nested(OPTIONS, |options| options.attribute(HTB_PARMS, &parms));
            self.netlink.request(request).map_err(failed)?;
            let queue = Spot { index, handle: 0, parent: handle, info: 0 }
                .request(NEW_QDISC, creating())
                .attribute(KIND, b"pfifo\0")
                .attribute(OPTIONS, &QUEUE_PACKETS.to_ne_bytes());
            self.netlink.request(queue).map_err(failed)?;
        }
        Ok(())
    }

    fn delete_class(&mut self, class: u16) {
        for (index, _) in self.devices.clone() {
            let handle = MAJOR | u32::from(class);
            let _ = self.netlink.request(
                Spot { index, handle, parent: MAJOR, info: 0 }.request(DELETE_CLASS, libc::NLM_F_ACK),
            );
        }
    }

    fn add_filter(&mut self, filter: &Filter, post: Post) -> Result<(), ShaperError> {
        let class = MAJOR | u32::from(post.class);
        let selector = selector(filter);
        for (index, _) in self.devices.clone() {
            let request = Spot { index, handle: 0, parent: MAJOR, info: filter.info(post.preference) }
                .request(NEW_FILTER, creating())
                .attribute(KIND, b"u32\0")
                .nested(OPTIONS, |options| {
                    options.attribute(U32_CLASS, &class.to_ne_bytes()).attribute(U32_SELECTOR, &selector)
                });
            self.netlink.request(request).map_err(|error| ShaperError::Netlink("filter", error))?;
        }
        Ok(())
    }

    fn delete_filter(&mut self, filter: &Filter, post: Post) {
        for (index, _) in self.devices.clone() {
            let request = Spot { index, handle: 0, parent: MAJOR, info: filter.info(post.preference) }
                .request(DELETE_FILTER, libc::NLM_F_ACK);
            let _ = self.netlink.request(request.attribute(KIND, b"u32\0"));
        }
    }
}

/// Classes (those that stand keep their number) and filters.
fn plan(lanes: &Lanes, standing: &BTreeMap<Lane, u16>) -> (BTreeMap<Lane, u16>, BTreeMap<Filter, u16>) {
    let wanted: BTreeSet<Lane> = lanes.shapes.iter().map(|(shaped, rate)| (shaped.client, *rate)).collect();
    let mut classes: BTreeMap<Lane, u16> = standing
        .iter()
        .filter(|(lane, _)| wanted.contains(lane))
        .map(|(lane, class)| (*lane, *class))
        .collect();
    let taken: BTreeSet<u16> = classes.values().copied().collect();
    // Numbers of classes that go are not given away in the same step.
    let mut free = (1..u16::MAX).filter(|n| !taken.contains(n) && !standing.values().any(|class| class == n));
    for lane in wanted {
        if let Entry::Vacant(place) = classes.entry(lane) {
            let Some(class) = free.next() else { break };
            place.insert(class);
        }
    }
    let mut filters = BTreeMap::new();
    for prefix in &lanes.direct {
        let filter = Filter {
            rank: Rank::Direct,
            ethertype: ethertype(prefix.addr()),
            client: None,
            server: Some(*prefix),
        };
        filters.insert(filter, 0);
    }
    for (shaped, rate) in &lanes.shapes {
        if filters.len() >= MAX_FILTERS {
            break;
        }
        let Some(class) = classes.get(&(shaped.client, *rate)) else { continue };
        let own = match shaped.client {
            ClientId::Addr(addr) => Some(ethertype(addr)),
            ClientId::Mac(_) => None,
        };
        let (rank, server) = match shaped.server {
            Some(addr) => (Rank::Server, Some(host(addr))),
            None => (Rank::Rest, None),
        };
        for ethertype in [ETHERTYPE_V4, ETHERTYPE_V6] {
            let of_server = shaped.server.map(self::ethertype);
            if [own, of_server].into_iter().flatten().all(|only| only == ethertype) {
                filters.insert(Filter { rank, ethertype, client: Some(shaped.client), server }, *class);
            }
        }
    }
    (classes, filters)
}

fn host(addr: Addr) -> Prefix {
    Prefix::new(addr, u8::MAX)
}

fn ethertype(addr: Addr) -> u16 {
    if addr.is_v4() { ETHERTYPE_V4 } else { ETHERTYPE_V6 }
}

/// `struct tc_u32_sel`: what a filter compares, four bytes at a time.
fn selector(filter: &Filter) -> Vec<u8> {
    let mut keys = Vec::new();
    match filter.client {
        Some(ClientId::Mac(mac)) => {
            // Six bytes as two overlapping words.
            compare(&mut keys, ETHER_DESTINATION, &mac.0[..4], 32);
            compare(&mut keys, ETHER_DESTINATION + 2, &mac.0[2..], 32);
        }
        Some(ClientId::Addr(addr)) => {
            compare_prefix(&mut keys, (V4_DESTINATION, V6_DESTINATION), &host(addr));
        }
        None => {}
    }
    if let Some(prefix) = &filter.server {
        compare_prefix(&mut keys, (V4_SOURCE, V6_SOURCE), prefix);
    }
    let count = (keys.len() / KEY_BYTES) as u8;
    // Flags, shift, number of keys; no variable offset, no hash.
    let mut selector = vec![TERMINAL, 0, count, 0];
    selector.extend([0; 12]);
    selector.extend(keys);
    selector
}

/// `struct tc_u32_key`: mask, value, offset, offset mask.
const KEY_BYTES: usize = 16;

fn compare_prefix(keys: &mut Vec<u8>, (v4, v6): (i32, i32), prefix: &Prefix) {
    match prefix.addr().v4() {
        Some(octets) => compare(keys, v4, &octets, prefix.bits()),
        None => compare(keys, v6, prefix.addr().octets(), prefix.bits()),
    }
}

/// Compares the first `bits` bits of a field.
fn compare(keys: &mut Vec<u8>, offset: i32, field: &[u8], bits: u8) {
    for (at, word) in (0..).zip(field.chunks_exact(4)) {
        let bits = u32::from(bits).saturating_sub(32 * at).min(32);
        if bits == 0 {
            break;
        }
        let mask = (u32::MAX << (32 - bits)).to_be_bytes();
        keys.extend(mask);
        keys.extend(word.iter().zip(mask).map(|(byte, mask)| byte & mask));
        keys.extend((offset + 4 * at as i32).to_ne_bytes());
        keys.extend([0; 4]);
    }
}

/// `struct tc_htb_opt` of a class that may send at this rate and no more.
fn class_parms(rate_kbps: u32) -> Vec<u8> {
    let bytes_per_s = (u64::from(rate_kbps) * 125).clamp(1, u64::from(u32::MAX));
    // A burst of one frame, or of 10 ms where that is more.
    let burst = (bytes_per_s / 100).max(u64::from(FRAME_BYTES));
    let ticks = (burst * 1_000_000_000 / bytes_per_s / TICK_NS).min(u64::from(u32::MAX)) as u32;
    // struct tc_ratespec: cell_log, linklayer (Ethernet: the kernel needs no rate table), overhead, cell_align,
    // mpu, rate.
    let mut rate = vec![0, 1, 0, 0, 0, 0, 0, 0];
    rate.extend((bytes_per_s as u32).to_ne_bytes());
    let tail = [ticks, ticks, FRAME_BYTES, 0, 0];
    [rate.clone(), rate].concat().into_iter().chain(tail.into_iter().flat_map(u32::to_ne_bytes)).collect()
}

fn creating() -> i32 {
    libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE
}

/// `struct tcmsg`: what a message is about.
struct Spot {
    /// The device.
    index: u32,
    /// Ours, or 0 to let the kernel choose.
    handle: u32,
    /// What it hangs on.
    parent: u32,
    /// Of a filter: preference and protocol.
    info: u32,
}

impl Spot {
    fn request(&self, kind: u16, flags: i32) -> Request {
        let fields = [0, self.index, self.handle, self.parent, self.info];
        let header: Vec<u8> = fields.into_iter().flat_map(u32::to_ne_bytes).collect();
        Request::new(kind, flags).raw(&header)
    }
}

/// Device, handle, parent and kind.
fn parse_qdisc(message: &Message<'_>) -> Option<(u32, u32, u32, String)> {
    let (header, attributes) = message.body.split_at_checked(20)?;
    let field = |at: usize| header.get(at..).and_then(super::netlink::read_u32);
    let kind = attribute(attributes, KIND).unwrap_or_default();
    let kind = String::from_utf8_lossy(kind).trim_end_matches('\0').to_owned();
    Some((field(4)?, field(8)?, field(12)?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MacAddr;

    const TABLET: ClientId = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 1]));

    fn server(last: u8) -> Addr {
        Addr::from_v4([198, 51, 100, last])
    }

    fn lanes(shapes: &[(ClientId, Option<Addr>, u32)]) -> Lanes {
        let shapes =
            shapes.iter().map(|(client, server, rate)| (Shaped { client: *client, server: *server }, *rate));
        Lanes { shapes: shapes.collect(), direct: BTreeSet::new() }
    }

    #[test]
    fn the_servers_of_a_client_share_one_class() {
        let (classes, filters) =
            plan(&lanes(&[(TABLET, Some(server(1)), 256), (TABLET, Some(server(2)), 256)]), &BTreeMap::new());
        assert_eq!(classes.len(), 1);
        assert_eq!(filters.values().copied().collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_client_slowed_down_altogether_is_so_in_both_families() {
        let (_, filters) = plan(&lanes(&[(TABLET, None, 256)]), &BTreeMap::new());
        assert_eq!(filters.keys().map(|f| f.ethertype).collect::<Vec<_>>(), [ETHERTYPE_V4, ETHERTYPE_V6]);
        let by_address = ClientId::Addr(Addr::from_v4([192, 168, 1, 9]));
        let (_, filters) = plan(&lanes(&[(by_address, None, 256)]), &BTreeMap::new());
        assert_eq!(filters.keys().map(|f| f.ethertype).collect::<Vec<_>>(), [ETHERTYPE_V4]);
    }

    #[test]
    fn classes_that_stay_keep_their_number_and_new_ones_take_none_in_use() {
        let (first, _) = plan(&lanes(&[(TABLET, Some(server(1)), 256)]), &BTreeMap::new());
        let other = ClientId::Mac(MacAddr([2, 0, 0, 0, 0, 0]));
        let (second, _) = plan(&lanes(&[(TABLET, Some(server(1)), 256), (other, None, 8)]), &first);
        assert_eq!(second.get(&(TABLET, 256)), first.get(&(TABLET, 256)));
        let (third, _) = plan(&lanes(&[(other, None, 16)]), &second);
        assert!(!second.values().any(|class| Some(class) == third.get(&(other, 16))));
    }

    #[test]
    fn a_rate_is_in_bytes_and_its_burst_in_ticks() {
        let parms = class_parms(256);
        assert_eq!(parms.len(), 44);
        assert_eq!(parms[8..12], 32_000u32.to_ne_bytes());
        // 1,514 bytes at 32 kB/s are 47.3 ms.
        assert_eq!(parms[24..28], (1_514_000_000_000u64 / 32_000 / 64).to_ne_bytes()[..4]);
    }

    #[test]
    fn a_prefix_is_compared_by_its_leading_bits() {
        let prefix = |text: &str| text.parse::<Prefix>().expect("prefix");
        let mut keys = Vec::new();
        compare_prefix(&mut keys, (12, 8), &prefix("10.33.0.0/11"));
        assert_eq!(keys[..8], [255, 224, 0, 0, 10, 32, 0, 0]);
        keys.clear();
        compare_prefix(&mut keys, (12, 8), &prefix("2001:db8:1::/40"));
        assert_eq!(keys.len(), 2 * KEY_BYTES);
        assert_eq!(keys[16..24], [255, 0, 0, 0, 0, 0, 0, 0]);
        keys.clear();
        compare_prefix(&mut keys, (12, 8), &prefix("0.0.0.0/0"));
        assert!(keys.is_empty());
    }

    /// Sends 50 frames of 1,000 bytes on `lan` from each of two servers to the tablet.
    const SENDER: &str = "
import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(('lan', 0))
for n in range(50):
    for last in (1, 2):
        ip = bytes([0x45, 0, 3, 0xda, 0, n, 0, 0, 64, 17, 0, 0, 198, 51, 100, last, 192, 168, 1, 20])
        out.send(bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0]) + ip + bytes(966))
";

    #[test]
    fn the_kernel_slows_down_one_server_and_lets_the_other_pass() {
        use super::super::testing::{own_network, run};
        let Some(()) = own_network("shaper", &["tc", "python3"]) else { return };
        run("ip link add lan type veth peer name wire");
        run("ip link set wire up");
        run("ip link set lan up");
        let devices = [(index_of("lan"), "lan".to_owned())];
        let mut shaper = Shaper::open().unwrap();
        let slow = lanes(&[(TABLET, Some(server(1)), 8)]);
        shaper.apply(&devices, &slow).unwrap();
        run_sender();
        let class = run("tc -s class show dev lan");
        assert!(class.contains("rate 8Kbit"), "{class}");
        let backlog =
            class.split("backlog ").nth(1).and_then(|text| text.split(' ').nth(1)).expect("backlog");
        let waiting: u32 = backlog.trim_end_matches('p').parse().expect("packets");
        assert!((40..50).contains(&waiting), "{class}");
        let passed = run("tc -s qdisc show dev lan root");
        let direct = passed.split("direct_packets_stat ").nth(1).and_then(|text| text.split(' ').next());
        let direct: u32 = direct.and_then(|text| text.parse().ok()).expect("a number");
        // The kernel's own neighbour discovery passes, too.
        assert!((50..60).contains(&direct), "{passed}");
        // Another server, another rate; then nothing.
        shaper.apply(&devices, &lanes(&[(TABLET, Some(server(2)), 64)])).unwrap();
        assert!(run("tc filter show dev lan").contains("match c6336402/ffffffff at 12"));
        assert_eq!(run("tc class show dev lan").lines().count(), 1);
        shaper.apply(&devices, &lanes(&[])).unwrap();
        assert!(!run("tc qdisc show dev lan").contains("htb"));
    }

    #[test]
    fn a_device_somebody_else_shapes_is_left_alone_and_a_killed_run_is_taken_over() {
        use super::super::testing::{own_network, run};
        let Some(()) = own_network("shaper", &["tc"]) else { return };
        run("ip link add lan type veth peer name wire");
        let devices = [(index_of("lan"), "lan".to_owned())];
        run("tc qdisc add dev lan root handle 8001: tbf rate 1mbit burst 10kb latency 50ms");
        let slow = lanes(&[(TABLET, None, 256)]);
        let mut shaper = Shaper::open().unwrap();
        assert!(
            matches!(shaper.apply(&devices, &slow), Err(ShaperError::Occupied { kind, .. }) if kind == "tbf")
        );
        assert!(run("tc qdisc show dev lan").contains("tbf"));
        run("tc qdisc del dev lan root");
        shaper.apply(&devices, &slow).unwrap();
        let mut next = Shaper::open().unwrap();
        next.apply(&devices, &slow).unwrap();
        assert_eq!(run("tc class show dev lan").lines().count(), 1);
        let mut idle = Shaper::open().unwrap();
        idle.sweep(&devices);
        assert!(!run("tc qdisc show dev lan").contains("htb"));
    }

    fn index_of(name: &str) -> u32 {
        let links = super::super::links::Links::open().unwrap().links().unwrap();
        links.iter().find(|link| link.name == name).expect("device").index
    }

    fn run_sender() {
        let status = std::process::Command::new("python3").args(["-c", SENDER]).status().unwrap();
        assert!(status.success());
    }
}
