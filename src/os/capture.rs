//! Live frames from libpcap, in two handles per interface, and what was lost on the way.
//!
//! The *headers* handle sees everything, cut to a snap length: the kernel collects frames in blocks and hands
//! over a block when it is full or 50 ms old, so a busy link costs few wake-ups. Its filter takes every frame; it is
//! there because in the kernel nothing but a filter cuts a frame, and a ring of whole frames holds a quarter as many.
//! The *names* handle sees only what can carry a name (DNS, DHCP, handshakes), whole and at once.
//!
//! Nothing here waits: handles are nonblocking and polled (the crate's own blocking read never returns on an idle
//! link). Frames that the kernel had no room for are counted by the kernel; an interface that vanished is an
//! error of its own, because it usually comes back, under the same name with another index.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use pcap::{Active, Capture, Savefile};

use super::clock::Bridge;
use crate::dissect::{Frame, LinkType};
use crate::net::MacAddr;
use crate::units::Bytes;

/// How long the kernel may collect frames before it hands over a block that is not full.
const RETIRE_MS: i32 = 50;
/// Snap length of the names handle: a full Ethernet frame, and two of them fill a page of the ring with what the
/// kernel writes before each; with 2,048 bytes the ring took twice its size.
const NAMES_SNAPLEN: i32 = 1_900;
/// Ring of the names handle. Names are few; a flood of forged ones may lose some.
const NAMES_RING_BYTES: i32 = 512 * 1024;

/// Bytes before the first packet of a pcap file, and before each.
const FILE_HEAD_BYTES: u64 = 24;
const PACKET_HEAD_BYTES: u64 = 16;

/// Every frame, cut to the snap length.
const HEADERS_FILTER: &str = "";
/// What can carry a name. Addresses and ports of IPv6 behind extension headers are not looked for: the filter
/// would have to walk them, and no player sends any.
///
/// * DNS, mDNS, LLMNR-like answers, DHCP and DHCPv6, router advertisements do not matter here;
/// * TLS: a record that begins with a handshake (22), and pushed upstream segments to 443, which end a hello that
///   was cut in several;
/// * QUIC: long headers (RFC 9000 §17.2) in datagrams of either direction;
/// * HTTP: pushed upstream segments to 80.
const NAMES_FILTER: &str = "(udp and (port 53 or port 5353 or port 67 or port 68 or port 546 or port 547)) \
    or (tcp and port 53) \
    or (udp port 443 and ((ip and udp[8] & 0xc0 = 0xc0) or (ip6 and ip6[48] & 0xc0 = 0xc0))) \
    or (ip and tcp and tcp[((tcp[12] & 0xf0) >> 2)] = 22 and tcp[((tcp[12] & 0xf0) >> 2) + 1] = 3) \
    or (ip6 and tcp and ip6[40 + ((ip6[52] & 0xf0) >> 2)] = 22 and ip6[41 + ((ip6[52] & 0xf0) >> 2)] = 3) \
    or (ip and (tcp dst port 443 or tcp dst port 80) and tcp[13] & 8 != 0) \
    or (ip6 and (tcp dst port 443 or tcp dst port 80) and ip6[53] & 8 != 0)";

/// What a handle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The beginning of every frame.
    Headers {
        /// How many bytes of each.
        snaplen_bytes: u32,
        /// Memory for frames that wait for us.
        ring_bytes: u32,
    },
    /// Whole frames that can carry a name.
    Names,
}

/// Why there are no frames.
#[derive(Debug)]
pub enum CaptureError {
    /// The interface is not there, or has gone.
    Vanished {
        /// Which.
        interface: String,
    },
    /// We may not capture (CAP_NET_RAW).
    Forbidden {
        /// Where.
        interface: String,
    },
    /// libpcap failed.
    Pcap {
        /// Where.
        interface: String,
        /// How.
        source: pcap::Error,
    },
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanished { interface } => write!(f, "{interface}: no such interface"),
            Self::Forbidden { interface } => write!(f, "{interface}: not allowed to capture (CAP_NET_RAW)"),
            Self::Pcap { interface, .. } => write!(f, "{interface}: cannot capture"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Vanished { .. } | Self::Forbidden { .. } => None,
            Self::Pcap { source, .. } => Some(source),
        }
    }
}

impl CaptureError {
    /// libpcap tells most things only in words; these two need another answer than "broken".
    fn classify(interface: &str, source: pcap::Error) -> Self {
        let interface = interface.to_owned();
        let words = source.to_string().to_ascii_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        if says(&["no such device", "interface disappeared", "doesn't exist", "went down", "is not up"]) {
            Self::Vanished { interface }
        } else if says(&["permission", "not permitted"]) {
            Self::Forbidden { interface }
        } else {
            Self::Pcap { interface, source }
        }
    }
}

/// Frames the kernel passed and lost since the handle was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames that passed the filter.
    pub received: u64,
    /// Those of them for which the ring had no room.
    pub dropped: u64,
}

/// An open handle.
pub struct Live {
    interface: String,
    capture: Capture<Active>,
    link: LinkType,
    /// libpcap's counters have 32 bits and wrap.
    last: (u32, u32),
    tally: Tally,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live({}, {:?})", self.interface, self.link)
    }
}

impl AsRawFd for Live {
    fn as_raw_fd(&self) -> RawFd {
        self.capture.as_raw_fd()
    }
}

impl Live {
    /// Opens a handle. The interface is not made promiscuous: what a router forwards is addressed to it.
    ///
    /// # Errors
    /// If the interface is not there, we may not, or the ring cannot be had.
    pub fn open(interface: &str, purpose: Purpose) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::classify(interface, source);
        let inactive = Capture::from_device(interface).map_err(failed)?.promisc(false);
        let inactive = match purpose {
            Purpose::Headers { snaplen_bytes, ring_bytes } => {
                inactive.snaplen(clamped(snaplen_bytes)).buffer_size(clamped(ring_bytes)).timeout(RETIRE_MS)
            }
            Purpose::Names => {
                inactive.snaplen(NAMES_SNAPLEN).buffer_size(NAMES_RING_BYTES).immediate_mode(true)
            }
        };
        let mut capture = inactive.open().map_err(failed)?.setnonblock().map_err(failed)?;
        let filter = match purpose {
            Purpose::Headers { .. } => HEADERS_FILTER,
            Purpose::Names => NAMES_FILTER,
        };
        capture.filter(filter, true).map_err(failed)?;
        let link = LinkType::from_number(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        Ok(Self { interface: interface.into(), capture, link, last: (0, 0), tally: Tally::default() })
    }

    /// Opens a handle on a port of a bridge that leaves out copies: what the bridge brought here from another port
    /// was heard there, so of what leaves by this port only what the router itself (`own`) sends to one device counts.
    ///
    /// # Errors
    /// As [`Live::open`].
    pub fn open_port(port: &str, purpose: Purpose, own: MacAddr) -> Result<Self, CaptureError> {
        let mut live = Self::open(port, purpose)?;
        let first_heard = format!("inbound or (ether src {own} and not ether multicast)");
        let filter = match purpose {
            Purpose::Headers { .. } => first_heard,
            Purpose::Names => format!("({first_heard}) and ({NAMES_FILTER})"),
        };
        live.capture.filter(&filter, true).map_err(|source| CaptureError::classify(port, source))?;
        Ok(live)
    }

    /// From now on only the frames that a filter of libpcap's language takes.
    ///
    /// # Errors
    /// If it is no filter.
    pub fn select(&mut self, filter: &str) -> Result<(), CaptureError> {
        self.capture
            .filter(filter, true)
            .map_err(|source| CaptureError::Pcap { interface: "filter".into(), source })
    }

    /// Where it captures.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// How its frames begin.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Hands at most `limit` waiting frames to `each` and returns how many there were; fewer than `limit` means
    /// that no more wait.
    ///
    /// # Errors
    /// If the interface has gone or libpcap fails.
    #[cfg_attr(router, optimize(speed))]
    pub fn read(
        &mut self,
        bridge: Bridge,
        limit: usize,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<usize, CaptureError> {
        let link = self.link;
        let read = self.capture.dispatch(Some(limit), |packet| {
            #[allow(clippy::useless_conversion, reason = "32 bits wide on some targets")]
            let at = bridge.moment(i64::from(packet.header.ts.tv_sec), i64::from(packet.header.ts.tv_usec));
            each(Frame { at, link, wire_len: packet.header.len, data: packet.data });
        });
        read.map_err(|source| CaptureError::classify(&self.interface, source))
    }

    /// What the kernel passed and lost so far.
    pub fn tally(&mut self) -> Tally {
        // A handle whose interface has gone has no counters any more: what we know stands.
        if let Ok(stat) = self.capture.stats() {
            let (received, dropped) = (stat.received, stat.dropped);
            self.tally.received += u64::from(received.wrapping_sub(self.last.0));
            self.tally.dropped += u64::from(dropped.wrapping_sub(self.last.1));
            self.last = (received, dropped);
        }
        self.tally
    }

    /// A pcap file for frames of this handle.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn recorder(&self, path: &Path) -> Result<Recorder, CaptureError> {
        let file = self.capture.savefile(path);
        let file =
            file.map_err(|source| CaptureError::Pcap { interface: path.display().to_string(), source })?;
        Ok(Recorder { file, packets: 0, bytes: Bytes(FILE_HEAD_BYTES) })
    }

    /// Writes at most `limit` waiting frames as they are, kernel stamps included, and returns how many.
    ///
    /// # Errors
    /// As [`Live::read`].
    pub fn record(&mut self, recorder: &mut Recorder, limit: usize) -> Result<usize, CaptureError> {
        let read = self.capture.dispatch(Some(limit), |packet| {
            recorder.file.write(&packet);
            recorder.packets += 1;
            recorder.bytes += Bytes(PACKET_HEAD_BYTES + packet.data.len() as u64);
        });
        read.map_err(|source| CaptureError::classify(&self.interface, source))
    }
}

/// A pcap file being written.
pub struct Recorder {
    file: Savefile,
    packets: u64,
    bytes: Bytes,
}

impl Recorder {
    /// Frames written.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The size of the file, once it is flushed.
    pub fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Makes what was written visible to readers.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn flush(&mut self) -> Result<(), pcap::Error> {
        self.file.flush()
    }
}

fn clamped(bytes: u32) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::*;
    use crate::dissect::{Transport, dissect};
    use crate::os::clock::{Clock, Trust};
    use crate::os::sys::{self, Readiness};
    use crate::os::testing::{own_network, run};

    const HEADERS: Purpose = Purpose::Headers { snaplen_bytes: 128, ring_bytes: 2 * 1024 * 1024 };

    /// A veth pair with an address on the near end and a host behind the far one that never answers.
    fn cable() -> Option<()> {
        own_network("capture", &["ip"])?;
        run("ip link add near type veth peer name far");
        run("ip address add 192.0.2.1/24 dev near");
        run("ip link set near up");
        run("ip link set far up");
        run("ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near");
        Some(())
    }

    /// Ports of the UDP datagrams that arrive until `wanted` have, or nothing comes for a second.
    fn ports(live: &mut Live, wanted: usize) -> Vec<u16> {
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let mut ports = Vec::new();
        while ports.len() < wanted {
            let ready = sys::wait_readable(live.as_raw_fd(), Duration::from_secs(1)).unwrap();
            if ready == Readiness::TimedOut {
                break;
            }
            live.read(clock.bridge(), 256, |frame| {
                if let Transport::Udp { dst_port, .. } = dissect(&frame).transport {
                    ports.push(dst_port);
                }
            })
            .unwrap();
        }
        ports
    }

    #[test]
    fn frames_arrive_cut_to_the_snap_length_with_their_true_length_and_time() {
        let Some(()) = cable() else { return };
        let mut live = Live::open("far", HEADERS).unwrap();
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let sent_at = clock.moment();
        UdpSocket::bind("192.0.2.1:0").unwrap().send_to(&[7; 1_000], "192.0.2.2:9").unwrap();
        let mut seen = Vec::new();
        while seen.is_empty() {
            let ready = sys::wait_readable(live.as_raw_fd(), Duration::from_secs(1)).unwrap();
            assert_eq!(ready, Readiness::Readable, "a block is handed over though it is not full");
            live.read(clock.bridge(), 256, |frame| {
                if frame.wire_len > 1_000 {
                    seen.push((frame.wire_len, frame.data.len(), frame.at));
                }
            })
            .unwrap();
        }
        let (wire_len, captured, at) = seen[0];
        assert_eq!((wire_len, captured, live.link()), (1_042, 128, LinkType::Ethernet));
        assert!(
            at.since(sent_at) < Duration::from_millis(500) && sent_at.since(at) < Duration::from_millis(5)
        );
    }

    #[test]
    fn what_waits_in_the_ring_is_cut_already() {
        let Some(()) = cable() else { return };
        let mut live = Live::open("far", HEADERS).unwrap();
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
        // Four times what the ring has room for, were they whole.
        for _ in 0..6_000 {
            socket.send_to(&[0; 1_400], "192.0.2.2:9").unwrap();
        }
        let mut heard = 0;
        while sys::wait_readable(live.as_raw_fd(), Duration::from_millis(500)).unwrap() == Readiness::Readable
        {
            live.read(clock.bridge(), 10_000, |frame| heard += u32::from(frame.wire_len == 1_442)).unwrap();
        }
        assert_eq!((heard, live.tally().dropped), (6_000, 0));
    }

    #[test]
    fn the_names_handle_sees_what_can_carry_a_name_and_nothing_else() {
        let Some(()) = cable() else { return };
        let mut live = Live::open("far", Purpose::Names).unwrap();
        let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
        let long_header = [0xc3, 0, 0, 0, 1, 8, 1, 2, 3];
        let short_header = [0x43, 1, 2, 3];
        socket.send_to(&[0; 64], "192.0.2.2:9").unwrap();
        socket.send_to(&short_header, "192.0.2.2:443").unwrap();
        socket.send_to(&long_header, "192.0.2.2:443").unwrap();
        socket.send_to(&[0; 30], "192.0.2.2:53").unwrap();
        assert_eq!(ports(&mut live, 2), [443, 53]);
        assert_eq!(live.tally().dropped, 0);
    }

    #[test]
    fn an_idle_link_returns_at_once_and_frames_beyond_the_limit_wait() {
        let Some(()) = cable() else { return };
        let mut live = Live::open("far", HEADERS).unwrap();
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        assert_eq!(live.read(clock.bridge(), 256, |_| ()).unwrap(), 0);
        let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
        for _ in 0..10 {
            socket.send_to(&[0; 64], "192.0.2.2:9").unwrap();
        }
        sys::wait_readable(live.as_raw_fd(), Duration::from_secs(1)).unwrap();
        assert_eq!(live.read(clock.bridge(), 4, |_| ()).unwrap(), 4);
        assert!(live.read(clock.bridge(), 256, |_| ()).unwrap() >= 6);
    }

    #[test]
    fn what_a_bridge_carries_is_heard_once_on_its_ports() {
        let Some(()) = own_network("bridge", &["ip", "python3"]) else { return };
        run("ip link add br-lan address 02:00:00:00:00:01 type bridge");
        for (port, far, address) in [("lan1", "host1", "192.0.2.11"), ("lan2", "host2", "192.0.2.12")] {
            run(&format!("ip link add {port} type veth peer name {far}"));
            run(&format!("ip link set {port} master br-lan up"));
            run(&format!("ip address add {address}/24 dev {far}"));
            run(&format!("ip link set {far} up"));
        }
        run("ip address add 192.0.2.1/24 dev br-lan");
        run("ip link set br-lan up");
        let own = MacAddr([2, 0, 0, 0, 0, 1]);
        let mut ports = ["lan1", "lan2"].map(|port| Live::open_port(port, HEADERS, own).unwrap());
        // A frame from host to host, and one of the router to a host: the hosts' own stacks are not asked.
        let frame = |dst: &str, src: &str, len: usize| {
            format!("s.send(bytes.fromhex('{dst}{src}88b5')+bytes({len}))")
        };
        let send = |device: &str, line: String| {
            let text = format!(
                "import socket;s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW);s.bind(('{device}',0));{line}"
            );
            let sent = std::process::Command::new("python3").args(["-c", &text]).status().unwrap();
            assert!(sent.success());
        };
        // The kernel tells of a carrier once a second at most; before that a device sends nothing.
        std::thread::sleep(Duration::from_millis(1_200));
        send("host1", frame("0200000000ff", "020000000011", 300));
        send("br-lan", frame("0200000000ff", "020000000001", 400));
        std::thread::sleep(Duration::from_millis(300));
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let mut lens = Vec::new();
        for port in &mut ports {
            port.read(clock.bridge(), 256, |frame| {
                lens.extend((frame.wire_len >= 300).then_some(frame.wire_len));
            })
            .unwrap();
        }
        lens.sort_unstable();
        // To an unknown device the router's frame leaves by both ports.
        assert_eq!(lens, [314, 414, 414]);
    }

    #[test]
    fn a_vanished_interface_is_told_apart_from_a_broken_one() {
        let Some(()) = cable() else { return };
        assert!(matches!(Live::open("nowhere", HEADERS), Err(CaptureError::Vanished { .. })));
        let mut live = Live::open("far", HEADERS).unwrap();
        run("ip link delete near");
        let mut clock = Clock::start(Trust::Plausible).unwrap();
        let ready = sys::wait_readable(live.as_raw_fd(), Duration::from_secs(1)).unwrap();
        assert_eq!(ready, Readiness::Readable);
        let gone =
            live.read(clock.bridge(), 256, |_| ()).and_then(|_| live.read(clock.bridge(), 256, |_| ()));
        assert!(matches!(gone, Err(CaptureError::Vanished { .. })), "{gone:?}");
    }
}
