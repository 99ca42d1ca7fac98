//! What each client did, in slices of ten seconds.
//!
//! Windows are aligned to the epoch, in packet time. Every packet is folded into counters of its client at once
//! and forgotten: a client's state has a bounded size ([`Client`], under 3 KiB) whatever it does. The state keeps one
//! bin of received bytes per second for two minutes, and per window the sums from which every feature can be
//! computed; nothing else looks back.
//!
//! Packets arrive a little out of order. A packet up to [`LATE`] late still counts, so a window is decided one
//! second after its end at the latest ([`Windows::advance`] says which windows are complete). Clocks of captures
//! break: a jump of more than [`MAX_JUMP`], either way, is one gap that ends every window and forgets the context;
//! it is never stepped through.

use crate::lan::{ClientIdx, MAX_CLIENTS};
use crate::net::{Addr, Direction};
use crate::time::{Duration, Moment, NANOS_PER_SEC};

mod client;

pub use client::{Client, Counts, MAX_SERVERS, Past, RING, RING_SECS, SecondStats, ServerBytes, Sums};

/// Length of a window.
pub const WINDOW_LEN: Duration = Duration::from_secs(WINDOW_SECS as u64);
/// The same in seconds.
pub const WINDOW_SECS: usize = 10;
/// How late a packet may be and still count.
pub const LATE: Duration = Duration::from_secs(1);
/// A longer jump of the packet clock is a gap, not time that passed.
pub const MAX_JUMP: Duration = Duration::from_secs(3600);

/// The number of a window: seconds since the epoch divided by [`WINDOW_SECS`].
pub type WindowNo = u64;

/// What one packet contributes, after GRO normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// Which way.
    pub direction: Direction,
    /// The other end.
    pub server: Addr,
    /// IP length in bytes of each packet that it stands for, and how many (super-packets stand for several).
    pub sizes: Sizes,
    /// Whether it is UDP.
    pub datagram: Datagram,
}

/// Whether a packet is a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// UDP.
    Yes,
    /// Anything else.
    No,
}

/// The packets a captured frame stands for: `full` of `full_len` bytes and one of `last_len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Number of full-size packets, usually 0.
    pub full: u32,
    /// IP length in bytes of each of them.
    pub full_len: u32,
    /// IP length in bytes of the last, usually only, packet.
    pub last_len: u32,
}

impl Sizes {
    /// One packet of this IP length in bytes.
    pub fn one(len: u32) -> Self {
        Self { full: 0, full_len: 0, last_len: len }
    }

    /// A packet of `len` bytes that offload merged: each original carried `header_len` + at most `segment_len`.
    pub fn merged(len: u32, header_len: u32, segment_len: u32) -> Self {
        let payload = len.saturating_sub(header_len);
        let segment_len = segment_len.max(1);
        let full = payload.saturating_sub(1) / segment_len;
        Self { full, full_len: header_len + segment_len, last_len: header_len + payload - full * segment_len }
    }

    /// Number of packets.
    pub fn packets(&self) -> u32 {
        self.full + 1
    }

    /// Bytes in all packets.
    pub fn bytes(&self) -> u64 {
        u64::from(self.full) * u64::from(self.full_len) + u64::from(self.last_len)
    }
}

/// Why a window cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Packets were lost before they reached us.
    CaptureLoss,
    /// The clock was stepped inside the window.
    ClockStep,
}

/// What [`Windows::advance`] found to be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Close this window for every client, then ask again.
    Close(WindowNo),
    /// The clock jumped: forget all context, then ask again. `at` is the new time, `lost` how far it jumped.
    Gap {
        /// Last moment before the jump.
        from: Moment,
        /// First moment after it.
        to: Moment,
    },
    /// Nothing to do until later packets or time.
    UpToDate,
}

/// The state of every client, and the packet clock.
#[derive(Debug)]
pub struct Windows {
    clients: Vec<Option<Box<Client>>>,
    /// Latest packet time seen, or told.
    clock: Option<Moment>,
    /// The earliest window that is still open.
    open: WindowNo,
    /// When it can be closed: its end plus what may be late.
    deadline: Moment,
    unknown: Option<(WindowNo, Unknown)>,
    late: u64,
}

/// The number of the window that holds a moment.
pub fn window_no(at: Moment) -> WindowNo {
    at.as_secs() / WINDOW_SECS as u64
}

/// When a window begins.
pub fn window_start(no: WindowNo) -> Moment {
    Moment::from_secs(no.saturating_mul(WINDOW_SECS as u64))
}

impl Default for Windows {
    fn default() -> Self {
        Self::new()
    }
}

impl Windows {
    /// No clients, no time.
    pub fn new() -> Self {
        Self { clients: Vec::new(), clock: None, open: 0, deadline: Moment::ZERO, unknown: None, late: 0 }
    }

    /// Latest packet time seen or told.
    pub fn clock(&self) -> Option<Moment> {
        self.clock
    }

    /// Packets that came too late for their window.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Whether moving the packet clock to `now` completes nothing, as for nearly every packet; it is moved then.
    #[inline]
    pub fn passes(&mut self, now: Moment) -> bool {
        match &mut self.clock {
            Some(clock) if now >= *clock && now < self.deadline => {
                *clock = now;
                true
            }
            _ => false,
        }
    }

    /// Moves the packet clock to `now` and says what is complete. Call until [`Progress::UpToDate`] before
    /// observing a packet of that time. Earlier times than the latest seen change nothing.
    pub fn advance(&mut self, now: Moment) -> Progress {
        if self.passes(now) {
            return Progress::UpToDate;
        }
        let progress = self.advance_slowly(now);
        self.deadline = window_start(self.open + 1) + LATE;
        progress
    }

    #[cold]
    fn advance_slowly(&mut self, now: Moment) -> Progress {
        let Some(clock) = self.clock else {
            self.clock = Some(now);
            self.open = window_no(now);
            return Progress::UpToDate;
        };
        let jumped = if now >= clock { now.since(clock) } else { clock.since(now) };
        if jumped > MAX_JUMP {
            // First the windows that were open, at most two, then the gap itself.
            if self.open <= window_no(clock) {
                self.open += 1;
                return Progress::Close(self.open - 1);
            }
            self.clock = Some(now);
            self.open = window_no(now);
            return Progress::Gap { from: clock, to: now };
        }
        // Before a window is closed: how much of it counts depends on how far time has come.
        self.clock = self.clock.max(Some(now));
        if now >= window_start(self.open + 1) + LATE {
            self.open += 1;
            return Progress::Close(self.open - 1);
        }
        Progress::UpToDate
    }

    /// Ends the time line: closes what is open. Call until [`Progress::UpToDate`].
    pub fn finish(&mut self) -> Progress {
        let Some(clock) = self.clock else { return Progress::UpToDate };
        if self.open > window_no(clock) {
            return Progress::UpToDate;
        }
        self.open += 1;
        self.deadline = window_start(self.open + 1) + LATE;
        Progress::Close(self.open - 1)
    }

    /// Marks the open windows as not to be judged.
    pub fn mark_unknown(&mut self, why: Unknown) {
        if let Some(clock) = self.clock {
            self.unknown = Some((window_no(clock), why));
        }
    }

    /// Why this window cannot be judged, if so.
    pub fn unknown(&self, no: WindowNo) -> Option<Unknown> {
        self.unknown.filter(|&(until, _)| no <= until && no + 1 >= until).map(|(_, why)| why)
    }

    /// Folds a packet into its client's open window. Later than [`LATE`], it is only counted as late.
    #[inline(always)]
    pub fn observe(&mut self, client: ClientIdx, sample: &Sample) {
        let no = window_no(sample.at);
        if let Some(client) = self.entry(client, no) {
            client.observe(no, sample);
        }
    }

    /// Folds in what passed between a client and a server in the second since the epoch that begins at `at`, as if its
    /// packets came now.
    pub fn add(&mut self, client: ClientIdx, at: Moment, server: Addr, sums: &Sums) {
        let no = window_no(at);
        if let Some(client) = self.entry(client, no) {
            client.add(no, second_of(at), server, sums);
        }
    }

    /// Whether a packet, observed now, would take the place of a server of which there are bytes in the ring.
    pub(crate) fn displaces(&self, client: ClientIdx, sample: &Sample) -> bool {
        self.client(client).is_some_and(|client| client.displaces(window_no(sample.at), sample))
    }

    /// The state of a client, made if there is none, to count something of window `no`; `None` if that is closed.
    #[inline(always)]
    fn entry(&mut self, client: ClientIdx, no: WindowNo) -> Option<&mut Client> {
        if no < self.open {
            self.late += 1;
            return None;
        }
        let index = client.index();
        if self.clients.len() <= index {
            self.clients.resize_with((index + 1).min(MAX_CLIENTS + 1), || None);
        }
        let open = self.open;
        let slot = self.clients.get_mut(index)?;
        Some(slot.get_or_insert_with(|| Box::new(Client::new(open))))
    }

    /// The state of a client, as of its last closed window.
    pub fn client(&self, client: ClientIdx) -> Option<&Client> {
        self.clients.get(client.index())?.as_deref()
    }

    /// Clients that have state, by number, to close a window: call [`Client::close`] on each.
    pub fn clients_mut(&mut self) -> impl Iterator<Item = (ClientIdx, &mut Client)> {
        let numbered = self.clients.iter_mut().enumerate();
        numbered.filter_map(|(i, client)| client.as_deref_mut().map(|client| (ClientIdx::at(i), client)))
    }

    /// Drops all context, after a gap. The numbers of clients stay.
    pub fn forget(&mut self) {
        for slot in &mut self.clients {
            *slot = None;
        }
    }

    /// Bytes of memory per client at most.
    pub const fn bytes_per_client() -> usize {
        size_of::<Client>() + client::MAX_SERVERS * size_of::<client::ServerBytes>()
    }
}

/// Seconds since the epoch of a moment, for the one-second bins.
pub(crate) fn second_of(at: Moment) -> u64 {
    at.as_nanos() / NANOS_PER_SEC
}

#[cfg(test)]
mod tests;
