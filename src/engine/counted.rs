//! Traffic that was counted before: seconds in place of packets.
//!
//! What a capture's reader tells by its frames, a reader of seconds tells in words: when the capture began, who its clients
//! are, how far time has come, and what passed. From there on everything is as with packets; flows, names and attacks
//! there are none.

use super::Engine;
use crate::lan::ClientIdx;
use crate::net::{Addr, ClientId};
use crate::time::Moment;
use crate::window::Sums;

impl Engine {
    /// The capture began. Time goes on by [`Engine::handle_tick`].
    pub fn begin(&mut self, at: Moment) {
        self.seen.first = Some(at);
        self.stretch_from = Some(at);
        self.advance(at);
    }

    /// The number of a client, who need not have sent anything yet.
    pub fn enter(&mut self, id: ClientId) -> ClientIdx {
        let (mac, addr) = match id {
            ClientId::Mac(mac) => (Some(mac), Addr::UNSPECIFIED),
            ClientId::Addr(addr) => (None, addr),
        };
        self.lan.clients_mut().enter(id, mac, addr)
    }

    /// Counts what passed between a client and a server in the second that begins at `second`.
    pub fn handle_counted(&mut self, client: ClientIdx, second: Moment, server: Addr, sums: &Sums) {
        self.windows.add(client, second, server, sums);
    }
}
