//! What only a running household needs: a LAN that changes, names from a handle of their own, and who carried a
//! window.

use std::sync::Arc;

use super::{Engine, Lan, Model};
use crate::dissect::{Frame, Packet, dissect};
use crate::flow::Slot;
use crate::lan::{ClientIdx, Identify, Placement, Vantage};
use crate::names::Event;
use crate::net::Addr;
use crate::watch::{Sensitivity, Session};
use crate::window::WindowNo;

/// Which frames are looked at for names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamesFrom {
    /// All: a capture file has whole frames.
    #[default]
    EveryFrame,
    /// Those of [`Engine::handle_names`] only: live, all other frames are cut short.
    OwnFrames,
}

impl Engine {
    /// Changes which frames are looked at for names.
    pub fn take_names_from(&mut self, frames: NamesFrom) {
        self.names_from = frames;
    }

    /// Changes how the LAN end is recognised, e.g. when the bridge got another MAC address. Clients stay.
    pub fn set_vantage(&mut self, vantage: Vantage) {
        self.lan.set_vantage(vantage);
    }

    /// How clients are told apart.
    pub fn identify(&self) -> Identify {
        self.settings.identify
    }

    /// Changes whose DNS answers count as given by a configured resolver.
    pub fn trust(&mut self, resolvers: &[Addr]) {
        self.names.names_mut().trust(resolvers);
    }

    /// Changes how windows are judged from the next one on; sessions in progress go on.
    pub fn set_judgement(&mut self, sensitivity: Sensitivity, model: Arc<Model>) {
        self.settings.sensitivity = sensitivity;
        self.settings.model = model;
    }

    /// Looks at a frame for names only: it is counted by [`Engine::handle_packet`], which sees it cut short.
    pub fn handle_names(&mut self, frame: &Frame<'_>) -> &[Event] {
        let packet = dissect(frame);
        let direction = match self.lan.place(&packet) {
            Placement::Client(side) => Some(side.direction),
            Placement::Local | Placement::Foreign | Placement::NotIp => None,
        };
        if self.names.observe(&packet, direction) > 0 {
            self.lan.learn_names(self.names.events());
            if let Some(detection) = &mut self.detection {
                detection.observe_names(&packet, self.names.events(), self.names.question());
            }
        }
        self.names.events()
    }

    /// Looks at what these packets are about to need, so that it is near when they come. Returns where their flows live.
    #[inline]
    pub fn foresee<const N: usize>(&self, packets: &[Packet<'_>; N]) -> [Option<Slot>; N] {
        let slots = self.flows.foresee(packets);
        if let Some(detection) = &self.detection {
            detection.foresee(&slots);
        }
        slots
    }

    /// The servers of a closed window of a client, with the bytes each sent it, most first.
    pub fn servers(&self, client: ClientIdx, no: WindowNo) -> Vec<(Addr, u64)> {
        let Some(window) = self.windows.client(client) else { return Vec::new() };
        let with_bytes = window.servers().iter().map(|server| (server.addr, server.bytes_at(no)));
        let mut servers: Vec<_> = with_bytes.filter(|(_, bytes)| *bytes > 0).collect();
        servers.sort_by_key(|(addr, bytes)| (std::cmp::Reverse(*bytes), *addr));
        servers
    }

    /// What a client watches now.
    pub fn session(&self, client: ClientIdx) -> Option<&Session> {
        self.viewers.get(client.index())?.as_ref()?.session()
    }

    /// The LAN, to name devices or to enter them before their first packet.
    pub fn lan_mut(&mut self) -> &mut Lan {
        &mut self.lan
    }
}
