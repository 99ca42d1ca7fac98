//! What is remembered of a connection while it lasts, and of the services that connections go to.
//!
//! A [`Note`] of a few bytes stands beside each flow of the flow table, by slot. It tells what kind of
//! conversation this is and how far it got; the detectors of guessed passwords and of slow requests keep their
//! per-connection state in it, and add it up per client and service here.

use std::hint::black_box;

use super::count::Sliding;
use super::shared::{AddrKey, KEPT, Shared, Since};
use super::table::Table;
use crate::flow::{Flow, SETS, Side, Slot, WAYS};
use crate::net::Addr;
use crate::time::Moment;

/// Services (client, server and port) watched at a time.
pub(super) const MAX_SERVICES: usize = 512;

/// What is said on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Talk {
    /// Of no interest, or not yet known.
    #[default]
    Unknown,
    /// Secure shell.
    Ssh,
    /// Another service that people log in to.
    Login,
    /// The web, requests readable or not.
    Web,
}

/// What is remembered of one flow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Note {
    pub(super) talk: Talk,
    /// Counted as one of its service's open connections.
    pub(super) is_open: bool,
    /// Its end was counted.
    pub(super) is_ended: bool,
    /// Payload sent by who began and by who answered, in bytes.
    pub(super) sent_bytes: [u32; 2],
    /// It sent a POST.
    pub(super) has_posted: bool,
    /// Times the client offered no room for more.
    pub(super) stalls: u8,
    /// Secure shell: see [`super::ssh_brute_force`].
    pub(super) shell: super::ssh_brute_force::Shell,
}

/// Counters of a service, by index.
pub(super) mod at_service {
    pub(in crate::detect) const OPENED: usize = 0;
    pub(in crate::detect) const ENDED: usize = 1;
    pub(in crate::detect) const SMALL: usize = 2;
    pub(in crate::detect) const TRIES: usize = 3;
    pub(in crate::detect) const LOSERS: usize = 4;
    pub(in crate::detect) const POSTS: usize = 5;
    pub(in crate::detect) const REQUESTS: usize = 6;
    pub(in crate::detect) const REFUSED: usize = 7;
    pub(in crate::detect) const REPLIES: usize = 8;
}

/// One client and one service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    pub(super) talk: Talk,
    pub(super) counts: Sliding<9>,
    /// Connections open now.
    pub(super) open: u32,
    /// Failed tries since the last success, and when they began: guessing so slow that no window holds it.
    pub(super) tries_since_success: u32,
    /// Connections without success, likewise.
    pub(super) losers_since_success: u32,
    pub(super) first_try: Moment,
    pub(super) since: Since,
}

/// Client, server and port.
pub(super) type ServiceKey = (AddrKey, AddrKey, u16);

/// Notes by slot, and services.
#[derive(Debug)]
pub(super) struct Streams {
    /// None until the first.
    notes: Box<[Note]>,
    pub(super) services: Table<ServiceKey, Service>,
}

impl Note {
    /// Payload sent by one side, in bytes.
    pub(super) fn sent_by(&self, side: Side) -> u64 {
        u64::from(self.sent_bytes[side as usize])
    }
}

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            notes: Box::default(),
            // Slow guessing needs to be remembered for an hour.
            services: Table::new(MAX_SERVICES, KEPT * 20),
        }
    }

    /// Reads a little of the notes of these flows.
    #[inline]
    pub(super) fn foresee(&self, flows: &[Option<Slot>]) {
        let notes = flows.iter().flatten().filter_map(|slot| self.notes.get(slot.0 as usize));
        black_box(notes.fold(0, |read, note| read ^ note.sent_bytes[0]));
    }

    /// The note of a flow. A table larger than the usual one shares notes: slots wrap.
    #[inline]
    #[cfg_attr(router, optimize(speed))]
    pub(super) fn note(&mut self, slot: Slot) -> &mut Note {
        if self.notes.is_empty() {
            self.notes = vec![Note::default(); SETS * WAYS].into_boxed_slice();
        }
        let places = self.notes.len();
        &mut self.notes[slot.0 as usize % places]
    }

    /// The service that a flow goes to, entered if there is room.
    pub(super) fn service(&mut self, shared: &Shared, flow: &Flow, at: Moment) -> Option<&mut Service> {
        let (orig, resp) = (flow.tuple.orig, flow.tuple.resp);
        let hash = shared.pair_hash(&orig.addr, &resp.addr, u64::from(resp.port) << 16);
        let key = (AddrKey(orig.addr), AddrKey(resp.addr), resp.port);
        let service = self.services.enter(hash, &key, shared.slice)?;
        service.since.note(at);
        Some(service)
    }

    /// A flow is over or was forgotten: it is no longer open.
    pub(super) fn close(&mut self, shared: &Shared, flow: &Flow, slot: Slot, at: Moment) {
        if self.notes.is_empty() {
            return;
        }
        let note = self.note(slot);
        if std::mem::take(&mut note.is_open)
            && let Some(service) = self.service(shared, flow, at)
        {
            service.open = service.open.saturating_sub(1);
        }
    }

    pub(super) fn forget(&mut self) {
        self.notes.fill(Note::default());
        self.services.clear();
    }
}

/// Ports of services that people log in to, other than SSH and the web.
const LOGIN_PORTS: [u16; 15] = [21, 23, 25, 110, 143, 389, 445, 512, 513, 587, 1433, 3306, 3389, 5432, 5900];
/// Ports of the web.
const WEB_PORTS: [u16; 9] = [80, 443, 3000, 5000, 8000, 8080, 8081, 8443, 8888];
/// Ports of secure shells.
const SSH_PORTS: [u16; 2] = [22, 2222];

/// What a connection to this port probably talks.
pub(super) fn talk_on(port: u16) -> Talk {
    if SSH_PORTS.contains(&port) {
        Talk::Ssh
    } else if WEB_PORTS.contains(&port) {
        Talk::Web
    } else if LOGIN_PORTS.contains(&port) {
        Talk::Login
    } else {
        Talk::Unknown
    }
}

/// What the first bytes of a side give away.
pub(super) fn talk_of(payload: &[u8]) -> Option<Talk> {
    match payload {
        [b'S', b'S', b'H', b'-', ..] => Some(Talk::Ssh),
        [b'2', b'2', b'0', b' ' | b'-', ..] | [b'+', b'O', b'K', ..] | [b'*', b' ', b'O', b'K', ..] => {
            Some(Talk::Login)
        }
        _ if crate::dissect::http::begins_request(payload) => Some(Talk::Web),
        _ => None,
    }
}

/// The address of the client of a service.
pub(super) fn client_of(key: &ServiceKey) -> Addr {
    key.0.0
}

/// The address of the server of a service.
pub(super) fn server_of(key: &ServiceKey) -> Addr {
    key.1.0
}
