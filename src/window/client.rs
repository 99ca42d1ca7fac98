//! One client's counters: the open windows, the last two minutes, and the servers it talked to.
//!
//! Everything is known of the windows that are open and of the one closed last, which is when features are made of it. Of
//! older ones the features ask for bytes alone, and bytes are what is kept: a crowd has a thousand clients.

use super::{Datagram, Sample, WINDOW_SECS, WindowNo, second_of};
use crate::net::{Addr, Direction};
use crate::time::Moment;

/// Closed windows remembered: two minutes.
pub const RING: usize = 12;
/// Windows of which everything is known: the last closed one, and the two that may be open.
const WHOLE: usize = 3;
/// Seconds of one-second bins: the ring, and the two windows that may be open.
pub const RING_SECS: usize = (RING + 2) * WINDOW_SECS;
/// Servers told apart per client; a new one replaces the one with the fewest bytes in the ring.
pub const MAX_SERVERS: usize = 16;
/// Packets of at least this many bytes of IP length count as full size.
const FULL_LEN: u32 = 1150;
/// Smaller packets count as small.
const SMALL_LEN: u32 = 100;
/// An upload packet of this many bytes looks like a request.
const REQUEST_LEN: u32 = 250;
/// Gaps between packets are clipped to this many microseconds.
const MAX_GAP_US: u64 = 60_000_000;
/// Bytes that sums of sums stop at, far beyond any line: what a forged file says is bounded, and so are the products that
/// features make of it.
const MAX_SUM_BYTES: u64 = 1 << 48;
/// Bits of the linear-counting bitmap of servers (Whang et al., 1990).
const BITMAP_WORDS: usize = 4;

/// Sums of one direction or one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// IP bytes.
    pub bytes: u64,
    /// Packets after normalisation.
    pub packets: u32,
    /// Sum of squared sizes.
    pub squares: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.bytes = bytes_sum(self.bytes, other.bytes);
        self.packets = self.packets.saturating_add(other.packets);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

fn bytes_sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other).min(MAX_SUM_BYTES)
}

/// The sums of one window of one client, or of any other lot of its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// To the client.
    pub down: Counts,
    /// From the client.
    pub up: Counts,
    /// Received packets of full size, and their bytes.
    pub full_packets: u32,
    /// Bytes in them.
    pub full_bytes: u64,
    /// Received packets below 100 bytes.
    pub small_packets: u32,
    /// Received bytes in UDP datagrams.
    pub udp_bytes: u64,
    /// Sent packets of at least 250 bytes.
    pub requests: u32,
    /// Gaps between packets: how many, their sum, sum of squares and maximum in microseconds.
    pub gaps: u32,
    /// Sum of gaps.
    pub gap_us: u64,
    /// Sum of squared gaps, in ms² to stay within 64 bits.
    pub gap_squares: u64,
    /// Largest gap.
    pub max_gap_us: u64,
    /// Linear-counting bitmap of servers.
    bitmap: [u64; BITMAP_WORDS],
}

impl Sums {
    /// Distinct servers, by linear counting over 256 bits: exact for a few, about right up to a few hundred.
    pub fn servers(&self) -> u32 {
        self.bitmap.iter().map(|word| word.count_ones()).sum()
    }

    /// Counts one packet, and the gap since the client's latest one before, if there was one.
    #[inline(always)]
    pub(crate) fn count(&mut self, sample: &Sample, latest: Option<Moment>) {
        let sizes = sample.sizes;
        let packets = sizes.packets();
        let bytes = sizes.bytes();
        let squares =
            u64::from(sizes.full) * u64::from(sizes.full_len).pow(2) + u64::from(sizes.last_len).pow(2);
        let counts = match sample.direction {
            Direction::Down => &mut self.down,
            Direction::Up => &mut self.up,
        };
        counts.bytes += bytes;
        counts.packets = counts.packets.saturating_add(packets);
        counts.squares = counts.squares.saturating_add(squares);
        if let Some(latest) = latest {
            let gap_us = (sample.at.nanos_since(latest) / 1_000).min(MAX_GAP_US);
            // The packets of a super-packet arrived back to back: gaps of zero.
            self.gaps = self.gaps.saturating_add(packets);
            self.gap_us += gap_us;
            self.gap_squares = self.gap_squares.saturating_add(gap_us * gap_us / 1_000);
            self.max_gap_us = self.max_gap_us.max(gap_us);
        }
        match sample.direction {
            Direction::Up => {
                let requests = u32::from(sizes.last_len >= REQUEST_LEN)
                    + if sizes.full_len >= REQUEST_LEN { sizes.full } else { 0 };
                self.requests = self.requests.saturating_add(requests);
            }
            Direction::Down => self.count_received(sample, bytes),
        }
    }

    #[inline(always)]
    fn count_received(&mut self, sample: &Sample, bytes: u64) {
        let sizes = sample.sizes;
        if sizes.full_len >= FULL_LEN {
            self.full_packets += sizes.full;
            self.full_bytes += u64::from(sizes.full) * u64::from(sizes.full_len);
        }
        if sizes.last_len >= FULL_LEN {
            self.full_packets += 1;
            self.full_bytes += u64::from(sizes.last_len);
        } else if sizes.last_len < SMALL_LEN {
            self.small_packets += 1;
        }
        if sample.datagram == Datagram::Yes {
            self.udp_bytes += bytes;
        }
    }

    /// Adds what another packet path counted; servers are told apart by [`Client::add`].
    fn add(&mut self, other: &Self) {
        self.down.add(&other.down);
        self.up.add(&other.up);
        self.full_packets = self.full_packets.saturating_add(other.full_packets);
        self.full_bytes = bytes_sum(self.full_bytes, other.full_bytes);
        self.small_packets = self.small_packets.saturating_add(other.small_packets);
        self.udp_bytes = bytes_sum(self.udp_bytes, other.udp_bytes);
        self.requests = self.requests.saturating_add(other.requests);
        self.gaps = self.gaps.saturating_add(other.gaps);
        self.gap_us = self.gap_us.saturating_add(other.gap_us);
        self.gap_squares = self.gap_squares.saturating_add(other.gap_squares);
        self.max_gap_us = self.max_gap_us.max(other.max_gap_us);
    }

    /// Whether nothing happened.
    pub fn is_silent(&self) -> bool {
        self.down.packets == 0 && self.up.packets == 0
    }
}

/// What is kept of a closed window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// IP bytes received.
    pub down_bytes: u64,
    /// IP bytes sent.
    pub up_bytes: u64,
    /// Received bytes in packets of full size.
    pub full_bytes: u64,
    /// Received bytes in UDP datagrams.
    pub udp_bytes: u64,
}

impl From<&Sums> for Past {
    fn from(sums: &Sums) -> Self {
        let Sums { full_bytes, udp_bytes, .. } = *sums;
        Self { down_bytes: sums.down.bytes, up_bytes: sums.up.bytes, full_bytes, udp_bytes }
    }
}

/// A second's received bytes, as the features see it.
pub type SecondStats = u32;

/// Received bytes of one server: per closed window of the ring, and in the two windows that may be open.
#[derive(Clone, Copy, Debug)]
pub struct ServerBytes {
    /// Who.
    pub addr: Addr,
    /// Bytes by window number modulo [`RING`] + 2.
    bytes: [u32; RING + 2],
}

impl ServerBytes {
    const NONE: Self = Self { addr: Addr::UNSPECIFIED, bytes: [0; RING + 2] };

    /// Bytes in one window: an open one or one of the last [`RING`].
    pub fn bytes_at(&self, no: WindowNo) -> u64 {
        u64::from(self.bytes[slot(no)])
    }

    /// Bytes in the last `windows` windows up to and including `no`.
    #[cfg_attr(router, optimize(speed))]
    pub fn bytes_in(&self, no: WindowNo, windows: usize) -> u64 {
        (0..windows.min(RING) as u64).filter(|k| *k <= no).map(|k| u64::from(self.bytes[slot(no - k)])).sum()
    }
}

/// The bounded state of one client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Earliest window that is still open.
    open: WindowNo,
    /// First window this client was seen in: context before it does not exist.
    since: WindowNo,
    /// By window number modulo [`WHOLE`].
    sums: [Sums; WHOLE],
    /// By window number modulo [`RING`].
    past: [Past; RING],
    /// [`RING_SECS`] bins once a byte was received: in a crowd of forged addresses nobody ever receives one.
    seconds: Vec<SecondStats>,
    /// At most [`MAX_SERVERS`]; most devices of a crowd talk to one.
    servers: Vec<ServerBytes>,
    /// Where the previous received packet's server stands, valid within one window.
    last_server: Option<(WindowNo, u8)>,
    last_at: Option<Moment>,
}

fn slot(no: WindowNo) -> usize {
    (no % (RING as u64 + 2)) as usize
}

fn whole_slot(no: WindowNo) -> usize {
    (no % WHOLE as u64) as usize
}

fn past_slot(no: WindowNo) -> usize {
    (no % RING as u64) as usize
}

fn second_slot(second: u64) -> usize {
    (second % RING_SECS as u64) as usize
}

impl Client {
    pub(super) fn new(open: WindowNo) -> Self {
        Self {
            open,
            since: open,
            sums: [Sums::default(); WHOLE],
            past: [Past::default(); RING],
            seconds: Vec::new(),
            servers: Vec::new(),
            last_server: None,
            last_at: None,
        }
    }

    /// Folds in a packet of window `no`, which must not be closed.
    #[inline(always)]
    pub(super) fn observe(&mut self, no: WindowNo, sample: &Sample) {
        if !self.is_open(no) {
            return;
        }
        self.sums[whole_slot(no)].count(sample, self.last_at);
        self.last_at = self.last_at.max(Some(sample.at));
        match sample.direction {
            Direction::Up => {}
            Direction::Down => self.receive(no, second_of(sample.at), sample.server, sample.sizes.bytes()),
        }
    }

    /// Folds in what passed between the client and a server in one second of window `no`, which must not be closed.
    pub(super) fn add(&mut self, no: WindowNo, second: u64, server: Addr, sums: &Sums) {
        if !self.is_open(no) {
            return;
        }
        self.sums[whole_slot(no)].add(sums);
        if sums.down.packets > 0 {
            self.receive(no, second, server, sums.down.bytes);
        }
    }

    /// A window further ahead than the next one can only come from a caller that did not advance first.
    #[inline]
    fn is_open(&self, no: WindowNo) -> bool {
        no >= self.open && no <= self.open + 1
    }

    /// Files received bytes under their second and their server.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    fn receive(&mut self, no: WindowNo, second: u64, server: Addr, bytes: u64) {
        if self.seconds.is_empty() {
            self.seconds = vec![0; RING_SECS];
        }
        let second = &mut self.seconds[second_slot(second)];
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        *second = second.saturating_add(bytes);
        let place = self.server_place(no, server);
        let count = &mut self.servers[place].bytes[slot(no)];
        *count = count.saturating_add(bytes);
    }

    /// Whether a packet would take the place of a server of which there are bytes in the ring: from then on they are
    /// nobody's.
    pub(super) fn displaces(&self, no: WindowNo, sample: &Sample) -> bool {
        sample.direction == Direction::Down
            && self.is_open(no)
            && self.servers.len() == MAX_SERVERS
            && self.servers.iter().all(|server| server.addr != sample.server)
            && self.servers[self.least_server(no)].bytes.iter().any(|&bytes| bytes > 0)
    }

    /// The table entry of a server; the entry with the fewest bytes makes room.
    fn server_place(&mut self, no: WindowNo, addr: Addr) -> usize {
        if let Some((window, last)) = self.last_server
            && window == no
            && self.servers[usize::from(last)].addr == addr
        {
            return usize::from(last);
        }
        let hash = addr.fingerprint();
        self.sums[whole_slot(no)].bitmap[hash as usize % BITMAP_WORDS] |= 1 << (hash >> 8 & 63);
        let used = self.servers.len();
        let place = match self.servers.iter().position(|s| s.addr == addr) {
            Some(place) => place,
            None if used < MAX_SERVERS => {
                self.servers.push(ServerBytes { addr, ..ServerBytes::NONE });
                used
            }
            None => {
                let least = self.least_server(no);
                self.servers[least] = ServerBytes { addr, ..ServerBytes::NONE };
                least
            }
        };
        self.last_server = Some((no, place as u8));
        place
    }

    /// The place of the server with the fewest bytes in the ring up to window `no`, the first of several. A flood
    /// of servers asks for each packet, so nobody is summed further than it takes to see that he is not the one.
    fn least_server(&self, no: WindowNo) -> usize {
        // What is neither in the ring nor is it window `no`.
        let (after, before) = (slot(no + 1), slot(no + 2));
        let (mut least, mut place) = (u64::MAX, 0);
        for (i, server) in self.servers.iter().enumerate() {
            let mut sum = 0;
            for (slot, &bytes) in server.bytes.iter().enumerate() {
                if slot != after && slot != before {
                    sum += u64::from(bytes);
                    if sum >= least {
                        break;
                    }
                }
            }
            if sum < least {
                (least, place) = (sum, i);
            }
        }
        place
    }

    /// Ends window `no`: from now on it is the youngest of the ring. The caller reads features before the next
    /// call. Windows must be closed one after the other.
    pub fn close(&mut self, no: WindowNo) {
        self.open = no + 1;
        // The oldest slot becomes the window after next.
        let next = slot(no + 2);
        self.past[past_slot(no)] = Past::from(&self.sums[whole_slot(no)]);
        self.sums[whole_slot(no + 2)] = Sums::default();
        let first = second_slot((no + 2) * WINDOW_SECS as u64);
        if let Some(seconds) = self.seconds.get_mut(first..first + WINDOW_SECS) {
            seconds.fill(0);
        }
        for server in &mut self.servers {
            server.bytes[next] = 0;
        }
    }

    /// The sums of the window that was closed last.
    pub fn sums(&self, no: WindowNo) -> &Sums {
        &self.sums[whole_slot(no)]
    }

    /// How many windows of context exist up to and including `no`, at most [`RING`].
    pub fn depth(&self, no: WindowNo) -> usize {
        usize::try_from((no + 1).saturating_sub(self.since)).unwrap_or(RING).min(RING)
    }

    /// Received bytes in a second since the epoch; one of the last [`RING`] windows.
    pub fn second(&self, second: u64) -> SecondStats {
        self.seconds.get(second_slot(second)).copied().unwrap_or_default()
    }

    /// The servers of the last two minutes, in no order.
    pub fn servers(&self) -> &[ServerBytes] {
        &self.servers
    }

    /// Received bytes in the last `windows` windows up to and including `no`.
    pub fn down_bytes(&self, no: WindowNo, windows: usize) -> u64 {
        self.last(no, windows).map(|past| past.down_bytes).sum()
    }

    /// The last `windows` closed windows, youngest first.
    pub fn last(&self, no: WindowNo, windows: usize) -> impl DoubleEndedIterator<Item = &Past> {
        let known = no.saturating_add(1).min(windows.min(RING) as u64);
        (0..known).map(move |k| &self.past[past_slot(no - k)])
    }
}
