//! The only module that knows them all.
//!
//! An [`Engine`] is told what happens ([`Input`]) and when ([`Now`]), and asked what follows ([`Output`]) until
//! there is nothing more to say. It never asks for the time, opens a file or logs, so live capture, a file and a
//! virtual household drive it alike, and the same input twice gives the same output twice.
//!
//! ```text
//!  packet ─► lan ─► flow ─► names
//!             └───► window ─(closed)─► features ─► classify ─► watch ─► Output::Window, Session
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use crate::classify::Score;
use crate::detect::{Alert, Detection};
use crate::dissect::Packet;
use crate::features::Row;
use crate::flow::{FlowTable, Seen as SeenFlow};
use crate::lan::{ClientIdx, Identify, Lan, Placement, Vantage};
use crate::names::{Event, NameWatcher, Pair};
use crate::net::{Addr, ClientId, Direction};
use crate::time::{Duration, Moment};
use crate::watch::{Sensitivity, Session};
use crate::window::{Progress, Sample, Unknown, WindowNo, Windows, window_no, window_start};

mod attacks;
mod counted;
mod drift;
pub mod house;
mod live;
mod model;
mod viewer;

pub use drift::{Drift, Likeness};
pub use live::NamesFrom;
pub use model::{Model, ModelError};

use viewer::Viewer;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the LAN end is recognised.
    pub vantage: Vantage,
    /// By what a client is told apart.
    pub identify: Identify,
    /// How eager the count is.
    pub sensitivity: Sensitivity,
    /// Forest and session constants.
    pub model: Arc<Model>,
    /// Seeds the hash tables: a secret in live use, so that nobody can fill one bucket; a constant for files.
    pub seed: u64,
}

/// The seed for files: the same bytes give the same results.
pub const FILE_SEED: u64 = 0x5eed;

/// What one packet was taken for, so that reports need not look again.
#[derive(Debug)]
pub struct Handled<'e> {
    /// Whose it is.
    pub placement: Placement,
    /// Its flow, and the flow that had to leave for it; `None` without an IP header and for most requests of a
    /// flood ([`Listing`]).
    pub flow: Option<SeenFlow<'e>>,
    /// What it said of names.
    pub names: &'e [Event],
}

impl Handled<'_> {
    /// What the same packet contributed to its client's window, if it has one.
    pub fn sample(&self, packet: &Packet<'_>) -> Option<(ClientIdx, Sample)> {
        match self.placement {
            Placement::Client(side) => {
                Some((side.client, viewer::sample(packet, packet.ip()?, &side, self.flow.as_ref())))
            }
            Placement::Local | Placement::Foreign | Placement::NotIp => None,
        }
    }
}

/// A closed window of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowReport {
    /// Whose.
    pub client: ClientIdx,
    /// Which.
    pub no: WindowNo,
    /// The classifier's opinion; `None` if nothing was received for two minutes or the window is unknown.
    pub score: Option<Score>,
    /// Why it could not be judged, if so.
    pub unknown: Option<Unknown>,
    /// Whether it counts as watched.
    pub verdict: Verdict,
    /// What the classifier saw; zeros without a score.
    pub row: Row,
}

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not counted.
    Idle,
    /// Counted, and with it all windows since `from`, which may be this one.
    Counted { from: WindowNo },
}

/// Room for outputs that is kept when they were taken.
const MAX_KEPT_OUTPUTS: usize = 64;

/// What the engine has to say.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are windows, which are worth their room")]
pub enum Output {
    /// A window was closed.
    Window(WindowReport),
    /// A session is over. Boxed, like alerts: a thousand windows close at once, and their queue should stay small.
    SessionEnded { client: ClientIdx, session: Box<Session> },
    /// The packet clock jumped; context was forgotten.
    Gap { from: Moment, to: Moment },
    /// An attack began, got worse, goes on or is over.
    Alert(Box<Alert>),
}

/// What one client moved and watched so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Wire bytes sent to the outside.
    pub up_bytes: u64,
    /// Wire bytes received from the outside.
    pub down_bytes: u64,
    /// Time counted as watched.
    pub watched: Duration,
}

impl Totals {
    fn count(&mut self, direction: Direction, wire_len: u32) {
        match direction {
            Direction::Up => self.up_bytes += u64::from(wire_len),
            Direction::Down => self.down_bytes += u64::from(wire_len),
        }
    }
}

/// Which flows somebody wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// Those that help to judge: most of the connections that a flood asks for make none.
    #[default]
    AsNeeded,
    /// Every one.
    Every,
}

/// What was seen of the capture as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Frames.
    pub packets: u64,
    /// Wire bytes.
    pub bytes: u64,
    /// Frames that are not what they claim.
    pub malformed: u64,
    /// Time of the first frame.
    pub first: Option<Moment>,
    /// Latest time of a frame.
    pub last: Option<Moment>,
}

impl Seen {
    #[inline]
    fn count(&mut self, packet: &Packet<'_>) {
        self.packets += 1;
        self.bytes += u64::from(packet.wire_len);
        self.malformed += u64::from(packet.malformed.is_some());
        self.first.get_or_insert(packet.at);
        let last = self.last.get_or_insert(packet.at);
        *last = packet.at.max(*last);
    }
}

/// From frames to watch time.
pub struct Engine {
    settings: Settings,
    lan: Lan,
    flows: FlowTable,
    names: NameWatcher,
    names_from: NamesFrom,
    listing: Listing,
    /// Absent unless asked for: who does not want alerts does not pay for them.
    detection: Option<Box<Detection>>,
    windows: Windows,
    viewers: Vec<Option<Box<Viewer>>>,
    totals: Vec<Totals>,
    seen: Seen,
    /// Where the present stretch of packet time began: the capture, or the end of a gap.
    stretch_from: Option<Moment>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            lan: Lan::new(settings.vantage.clone(), settings.identify),
            flows: FlowTable::new(settings.seed),
            names: NameWatcher::new(settings.seed),
            names_from: NamesFrom::default(),
            listing: Listing::default(),
            detection: None,
            settings,
            windows: Windows::new(),
            viewers: Vec::new(),
            totals: Vec::new(),
            seen: Seen::default(),
            stretch_from: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in one dissected frame.
    #[cfg_attr(router, optimize(speed))]
    pub fn handle_packet(&mut self, packet: &Packet<'_>) -> Handled<'_> {
        self.seen.count(packet);
        self.stretch_from.get_or_insert(packet.at);
        self.advance(packet.at);
        self.look_for_attacks(packet.at);
        let placement = self.lan.place(packet);
        if let Placement::Client(side) = placement {
            slot(&mut self.totals, side.client).count(side.direction, packet.wire_len);
        }
        if self.listing == Listing::AsNeeded
            && self.detection.as_mut().is_some_and(|detection| detection.sheds(packet))
        {
            return Handled { placement, flow: None, names: &[] };
        }
        let flow = self.flows.observe(packet);
        let mut direction = None;
        if let (Placement::Client(side), Some(ip)) = (placement, packet.ip()) {
            direction = Some(side.direction);
            let sample = viewer::sample(packet, ip, &side, flow.as_ref());
            self.windows.observe(side.client, &sample);
        }
        if self.names_from == NamesFrom::EveryFrame && self.names.observe(packet, direction) > 0 {
            self.lan.learn_names(self.names.events());
        }
        if let Some(detection) = &mut self.detection {
            detection.observe(packet, flow.as_ref(), packet.at);
            if self.names_from == NamesFrom::EveryFrame {
                detection.observe_names(packet, self.names.events(), self.names.question());
            }
        }
        Handled { placement, flow, names: self.names.events() }
    }

    /// From now on has a flow for every packet, or only as needed.
    pub fn list_flows(&mut self, listing: Listing) {
        self.listing = listing;
    }

    /// Time passed without a frame.
    pub fn handle_tick(&mut self, at: Moment) {
        if self.outputs.is_empty() && self.outputs.capacity() > MAX_KEPT_OUTPUTS {
            // A thousand windows had closed at once.
            self.outputs = VecDeque::new();
        }
        if self.stretch_from.is_some() {
            self.advance(at);
            self.look_for_attacks(at);
        }
    }

    /// Frames were lost before they reached us: what is open cannot be judged.
    pub fn handle_loss(&mut self) {
        self.windows.mark_unknown(Unknown::CaptureLoss);
    }

    /// The capture is over: closes all windows and sessions.
    pub fn finish(&mut self) {
        while let Progress::Close(no) = self.windows.finish() {
            self.close(no);
        }
        self.end_sessions();
        self.finish_attacks();
    }

    /// Whether [`Engine::poll`] has something to say.
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// What follows from what was handled; ask until there is nothing more.
    #[inline]
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Who is there.
    pub fn lan(&self) -> &Lan {
        &self.lan
    }

    /// The flows in the table.
    pub fn flows(&self) -> &FlowTable {
        &self.flows
    }

    /// What addresses are called.
    pub fn names(&self) -> &NameWatcher {
        &self.names
    }

    /// What a client moved and watched.
    pub fn totals(&self, client: ClientIdx) -> Totals {
        self.totals.get(client.index()).copied().unwrap_or_default()
    }

    /// What was seen as a whole.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// Packets that came too late for their window.
    pub fn late(&self) -> u64 {
        self.windows.late()
    }

    #[inline]
    fn advance(&mut self, at: Moment) {
        if !self.windows.passes(at) {
            self.advance_windows(at);
        }
    }

    #[cold]
    fn advance_windows(&mut self, at: Moment) {
        loop {
            match self.windows.advance(at) {
                Progress::UpToDate => return,
                Progress::Close(no) => self.close(no),
                Progress::Gap { from, to } => {
                    self.end_sessions();
                    self.windows.forget();
                    self.stretch_from = Some(to);
                    self.outputs.push_back(Output::Gap { from, to });
                }
            }
        }
    }

    /// Closes a window for every client.
    #[cold]
    fn close(&mut self, no: WindowNo) {
        let unknown = self.windows.unknown(no);
        let span = Span {
            from: self.stretch_from.unwrap_or_default(),
            to: self.windows.clock().unwrap_or_default(),
        };
        for (client, window) in self.windows.clients_mut() {
            window.close(no);
            let viewer = slot(&mut self.viewers, client);
            let viewer = viewer.get_or_insert_with(|| Box::new(Viewer::new(&self.settings.model.session)));
            let id = self.lan.clients().known(client).map(|known| known.mac.map_or(known.id, ClientId::Mac));
            let service = |addr: Addr| -> Option<Box<str>> {
                let known = self.names.names().lookup(Pair { client: id?, addr }, window_start(no))?;
                Some(known.service.label.into())
            };
            let turn = viewer::Turn { client, no, unknown, span, service: &service };
            if let Some(report) = viewer.close(&self.settings, window, &turn, &mut self.outputs) {
                slot(&mut self.totals, client).watched += report.added;
                self.outputs.push_back(Output::Window(report.window));
            }
            let clients = self.lan.clients();
            let user = clients.known(client).map(|known| known.id).zip(clients.latest_address(client));
            if let (Some(detection), Some(user)) = (&mut self.detection, user) {
                let sent = self.totals.get(client.index()).map_or(0, |totals| totals.up_bytes);
                detection.observe_upload(user, sent, window_start(no + 1));
            }
        }
    }

    fn end_sessions(&mut self) {
        for (client, _) in self.lan.clients().iter() {
            let viewer = self.viewers.get_mut(client.index()).and_then(Option::as_mut);
            if let Some(session) = viewer.and_then(|viewer| viewer.end(&self.settings.model.session)) {
                self.outputs.push_back(Output::SessionEnded { client, session: Box::new(session) });
            }
        }
    }
}

/// The stretch of time that packets cover: windows at its ends count only in part.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Moment,
    to: Moment,
}

impl Span {
    /// How much of a window lies inside.
    fn inside(&self, no: WindowNo) -> Duration {
        let start = window_start(no).max(self.from);
        let end = window_start(no + 1);
        // The clock has passed the end of every window but the last one of a capture.
        if self.to < end { self.to.since(start) } else { end.since(start) }
    }

    fn first_window(&self) -> WindowNo {
        window_no(self.from)
    }
}

/// The entry of a client in a table that grows with the number of clients, which is bounded.
#[inline]
fn slot<T: Default>(table: &mut Vec<T>, client: ClientIdx) -> &mut T {
    let index = client.index();
    if table.len() <= index {
        table.resize_with(index + 1, T::default);
    }
    &mut table[index]
}
