//! Who moved how much: the books of the minute, closed when the wall clock says so.

use std::collections::BTreeMap;

use super::House;
use crate::account::{Entry, Holder, Moved, Peer};
use crate::history::{
    Calendar, LAN, MAX_MINUTE_PEERS, MAX_MINUTE_ROWS, Minute, Minutes, OTHERS, OVERFLOW, PeerRow, Stretch,
    TrafficRow, fold,
};
use crate::lan::ClientIdx;
use crate::names::Pair;
use crate::net::ClientId;
use crate::time::{Moment, Now};

/// Closed minutes that wait to be taken; the oldest is lost if nobody does.
const MAX_UNTAKEN: usize = 4;
/// Seconds in a minute.
const MINUTE_S: i64 = 60;

impl House {
    /// Closes the minute if it is over. While the time is not known, the minute goes on.
    pub(super) fn turn_minute(&mut self, now: Now) {
        let Some(wall) = now.wall else { return };
        let minute_s = wall.as_secs() - wall.as_secs().rem_euclid(MINUTE_S);
        let begun_s = *self.minute_s.get_or_insert(minute_s);
        if begun_s != minute_s {
            self.close_minute(begun_s, now.mono);
            self.minute_s = Some(minute_s);
        }
    }

    /// Closes the minute as it stands: the daemon leaves.
    pub fn close_books(&mut self, now: Now) {
        self.turn_minute(now);
        if let Some(begun_s) = self.minute_s {
            self.close_minute(begun_s, now.mono);
        }
    }

    fn close_minute(&mut self, start_s: i64, at: Moment) {
        let entries = self.books.close(self.engine.flows());
        if entries.is_empty() {
            return;
        }
        let minute = self.minute(start_s, &entries, at);
        self.minutes.push(&minute);
        while self.untaken.len() >= MAX_UNTAKEN {
            self.untaken.pop_front();
        }
        self.untaken.push_back(minute);
    }

    /// A minute as rows: clients by their identity, servers by the names that each client knows them under.
    fn minute(&self, start_s: i64, entries: &[Entry], at: Moment) -> Minute {
        let mut traffic: BTreeMap<(String, (String, &'static str)), Moved> = BTreeMap::new();
        let mut peers: BTreeMap<(String, String), Moved> = BTreeMap::new();
        for entry in entries {
            let (client, service) = match entry.holder {
                Holder::Lan => (LAN.to_owned(), String::new()),
                Holder::Client(index, Peer::Others) => (self.label(index), OTHERS.to_owned()),
                Holder::Client(index, Peer::Server(addr)) => {
                    let client = self.label(index);
                    *peers.entry((client.clone(), addr.to_string())).or_default() += entry.moved;
                    let service =
                        self.named_by(index).filter(|_| self.config.main.names).and_then(|client| {
                            let known = self.engine.names().names().lookup(Pair { client, addr }, at)?;
                            Some(known.service.label.to_owned())
                        });
                    (client, service.unwrap_or_default())
                }
            };
            let protocol = if service == OTHERS { OTHERS } else { entry.protocol.name() };
            *traffic.entry((client, (service, protocol))).or_default() += entry.moved;
        }
        let rest = (OTHERS.to_owned(), OTHERS);
        let rows = fold(traffic, MAX_MINUTE_ROWS, &rest).into_iter();
        let traffic = rows.map(|((client, (service, protocol)), moved)| TrafficRow {
            stretch: Stretch::Minute,
            start_s,
            client,
            service,
            protocol: protocol.to_owned(),
            up_bytes: moved.up,
            down_bytes: moved.down,
        });
        // The rest of the peers is the client's sum without them: it needs no row.
        let rows = fold(peers, MAX_MINUTE_PEERS, &OTHERS.to_owned()).into_iter();
        let peers = rows.filter(|((_, peer), _)| peer != OTHERS).map(|((client, peer), moved)| PeerRow {
            start_s,
            client,
            peer,
            moved,
        });
        Minute { start_s, traffic: traffic.collect(), peers: peers.collect() }
    }

    fn label(&self, client: ClientIdx) -> String {
        self.client_id(client).map_or_else(|| OVERFLOW.to_owned(), |client| client.to_string())
    }

    /// By what the names that a client heard are found.
    fn named_by(&self, client: ClientIdx) -> Option<ClientId> {
        self.engine.lan().clients().known(client).map(|known| known.mac.map_or(known.id, ClientId::Mac))
    }

    /// The minutes that were closed since the last call.
    pub fn take_minutes(&mut self) -> impl Iterator<Item = Minute> + '_ {
        self.untaken.drain(..)
    }

    /// The last minutes.
    pub fn minutes(&self) -> &Minutes {
        &self.minutes
    }

    /// When hours and days begin here.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}
