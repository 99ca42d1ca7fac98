//! The capture handles of all interfaces: opened, read, and opened again when an interface comes back.
//!
//! The same name may return with another index, MAC address or link type, so a handle that fails is dropped and
//! opened anew each second until it works. What the kernel dropped makes the open window unknown: a quota is not
//! charged by guesswork.

use std::os::fd::{AsRawFd, RawFd};

use super::enforce::chain;
use crate::config;
use crate::dissect::Frame;
use crate::net::MacAddr;
use crate::os::capture::{CaptureError, Live, Purpose, Tally};
use crate::os::clock::Bridge;
use crate::time::{Duration, Moment};

/// Frames taken from one handle in one wake-up, so that control and timers never starve.
pub(super) const FRAMES_PER_TURN: usize = 256;
/// Interfaces listened to; further ones are refused with a message.
pub(super) const MAX_INTERFACES: usize = 16;
/// Ports of one bridge listened to; a switch has fewer.
const MAX_PORTS: usize = 16;
/// Time between attempts to open a handle.
const RETRY: Duration = Duration::from_secs(1);

/// Which handle a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The beginning of every frame.
    Headers,
    /// A whole frame that may carry a name; its beginning is heard as [`Heard::Headers`], too.
    Names,
}

/// Where the frames of a LAN are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// On the LAN's own device.
    Device,
    /// On the ports of its bridge, because the router's flow offload passes the bridge by.
    Ports {
        /// Their names.
        names: Vec<String>,
        /// The bridge's own address: what others send is heard where it comes in.
        own: MacAddr,
    },
}

/// One device that is listened to.
struct Ear {
    /// The LAN it belongs to.
    interface: String,
    /// Itself, or one of its ports.
    device: String,
    /// The bridge's address, on a port.
    port_of: Option<MacAddr>,
    handles: Option<(Live, Live)>,
    /// Why it does not listen.
    trouble: Option<String>,
    retry_at: Moment,
    /// Counts of handles that are closed.
    before: Tally,
    /// What of the loss was told already.
    told: u64,
}

/// How an interface does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EarReport {
    /// Its name.
    pub(super) interface: String,
    /// Why it is deaf, if it is.
    pub(super) trouble: Option<String>,
    /// Frames passed and lost.
    pub(super) tally: Tally,
}

/// All interfaces.
pub(super) struct Ears {
    /// The LANs in order, and where each is heard.
    spots: Vec<(String, Spot)>,
    ears: Vec<Ear>,
    purpose: Purpose,
}

impl Ears {
    /// Listens to these interfaces from the next [`Ears::mend`] on.
    pub(super) fn new(interfaces: &[String], capture: &config::Capture) -> Self {
        if interfaces.len() > MAX_INTERFACES {
            log::error!("{} interfaces are more than {MAX_INTERFACES}", interfaces.len());
        }
        let spots: Vec<_> =
            interfaces.iter().take(MAX_INTERFACES).map(|name| (name.clone(), Spot::Device)).collect();
        let ring_bytes = u32::try_from(capture.ring.as_u64()).unwrap_or(u32::MAX);
        Self {
            ears: spots.iter().map(|(name, _)| Ear::new(name, name, None)).collect(),
            spots,
            purpose: Purpose::Headers { snaplen_bytes: capture.snaplen, ring_bytes },
        }
    }

    /// From now on hears a LAN there. What is heard elsewhere is closed; its counts go with it.
    pub(super) fn listen_at(&mut self, interface: &str, spot: Spot) {
        let Some((_, known)) = self.spots.iter_mut().find(|(name, _)| name == interface) else { return };
        if *known == spot {
            return;
        }
        log::info!(
            "{interface}: listening on {}",
            if spot == Spot::Device { "the device" } else { "its ports" }
        );
        self.ears.retain(|ear| ear.interface != interface);
        match &spot {
            Spot::Device => self.ears.push(Ear::new(interface, interface, None)),
            Spot::Ports { names, own } => {
                let ports = names.iter().map(|port| Ear::new(interface, port, Some(*own)));
                self.ears.extend(ports.take(MAX_PORTS));
            }
        }
        *known = spot;
    }

    /// Opens what is closed, if it is time to try.
    pub(super) fn mend(&mut self, now: Moment) {
        for ear in &mut self.ears {
            if ear.handles.is_some() || now < ear.retry_at {
                continue;
            }
            let open = |purpose| match ear.port_of {
                None => Live::open(&ear.device, purpose),
                Some(own) => Live::open_port(&ear.device, purpose, own),
            };
            match open(self.purpose).and_then(|headers| Ok((headers, open(Purpose::Names)?))) {
                Ok(handles) => {
                    if ear.trouble.take().is_some() {
                        log::warn!("{}: listening again", ear.device);
                    }
                    ear.handles = Some(handles);
                }
                Err(error) => ear.fail(&error, now),
            }
        }
    }

    /// Looks at once whether closed interfaces are back.
    pub(super) fn hurry(&mut self) {
        self.ears.iter_mut().for_each(|ear| ear.retry_at = Moment::ZERO);
    }

    /// What to poll: two descriptors per open interface.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = (Heard, RawFd)> + '_ {
        let open = self.ears.iter().filter_map(|ear| ear.handles.as_ref());
        open.flat_map(|(headers, names)| {
            [(Heard::Headers, headers.as_raw_fd()), (Heard::Names, names.as_raw_fd())]
        })
    }

    /// Reads all handles, at most [`FRAMES_PER_TURN`] frames each, names first: a handshake is known before the
    /// segments that follow it. Returns whether more waits.
    pub(super) fn read(
        &mut self,
        bridge: Bridge,
        now: Moment,
        mut each: impl FnMut(Heard, &Frame<'_>),
    ) -> Backlog {
        let mut backlog = Backlog::Empty;
        for ear in &mut self.ears {
            let Some((headers, names)) = &mut ear.handles else { continue };
            let read =
                names.read(bridge, FRAMES_PER_TURN, |frame| each(Heard::Names, &frame)).and_then(|count| {
                    let more = headers.read(bridge, FRAMES_PER_TURN, |frame| each(Heard::Headers, &frame))?;
                    Ok(count.max(more))
                });
            match read {
                Ok(count) if count >= FRAMES_PER_TURN => backlog = Backlog::More,
                Ok(_) => {}
                Err(error) => ear.fail(&error, now),
            }
        }
        backlog
    }

    /// Frames lost since the last call.
    pub(super) fn lost(&mut self) -> u64 {
        let mut lost = 0;
        for ear in &mut self.ears {
            let dropped = ear.tally().dropped;
            lost += dropped.saturating_sub(ear.told);
            ear.told = dropped;
        }
        lost
    }

    /// How each interface does.
    pub(super) fn reports(&mut self) -> Vec<EarReport> {
        let report = |ear: &mut Ear| EarReport {
            interface: ear.device.clone(),
            trouble: ear.trouble.clone(),
            tally: ear.tally(),
        };
        self.ears.iter_mut().map(report).collect()
    }

    /// The names of all LANs.
    pub(super) fn interfaces(&self) -> Vec<String> {
        self.spots.iter().map(|(interface, _)| interface.clone()).collect()
    }

    /// The devices listened to.
    pub(super) fn devices(&self) -> impl Iterator<Item = &str> {
        self.ears.iter().map(|ear| ear.device.as_str())
    }
}

/// Whether frames wait that were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backlog {
    /// None.
    Empty,
    /// Some.
    More,
}

impl Ear {
    fn new(interface: &str, device: &str, port_of: Option<MacAddr>) -> Self {
        Self {
            interface: interface.to_owned(),
            device: device.to_owned(),
            port_of,
            handles: None,
            trouble: None,
            retry_at: Moment::ZERO,
            before: Tally::default(),
            told: 0,
        }
    }

    fn fail(&mut self, error: &CaptureError, now: Moment) {
        self.before = self.tally();
        self.handles = None;
        self.retry_at = now + RETRY;
        let reason = chain(error);
        if self.trouble.as_ref() != Some(&reason) {
            log::error!("cannot capture: {reason}");
        }
        self.trouble = Some(reason);
    }

    fn tally(&mut self) -> Tally {
        let mut tally = self.before;
        if let Some((headers, _)) = &mut self.handles {
            let open = headers.tally();
            tally.received += open.received;
            tally.dropped += open.dropped;
        }
        tally
    }
}
