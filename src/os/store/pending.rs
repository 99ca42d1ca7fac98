//! Rows that wait for a commit, in bounded memory.
//!
//! Traffic is added up by the hour while it waits, so that a minute costs no row of its own. When there is no room
//! it loses detail, service by service and then client by client, and never a byte.

use std::collections::BTreeMap;

use crate::account::Moved;
use crate::history::{AlertRow, Calendar, OTHERS, OVERFLOW, PeerRow, SessionRow, TrafficRow, UsageRow, fold};

/// Rows that wait for a commit, all tables together. When full, traffic is folded; then the oldest session, alert
/// or usage is dropped and counted.
pub const MAX_PENDING_ROWS: usize = 4_096;
/// Of these, at most so many are of peers; the smaller ones are not listed.
const MAX_PEER_ROWS: usize = 1_024;
/// Clients whose peers are listed one by one when there is no more room.
const FEW: usize = 4;

/// Service and protocol.
type What = (String, String);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) ledger: Option<(u64, String)>,
    pub(super) usage: Vec<UsageRow>,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) alerts: Vec<AlertRow>,
    /// By the second at which the hour began.
    pub(super) traffic: BTreeMap<i64, BTreeMap<(String, What), Moved>>,
    /// By day, then client and address.
    pub(super) peers: BTreeMap<i32, BTreeMap<(String, String), Moved>>,
    pub(super) dropped: u64,
}

impl Pending {
    /// Rows of all tables.
    pub(super) fn rows(&self) -> usize {
        self.usage.len() + self.sessions.len() + self.alerts.len() + self.moved_rows() + self.peer_rows()
    }

    fn moved_rows(&self) -> usize {
        self.traffic.values().map(BTreeMap::len).sum()
    }

    fn peer_rows(&self) -> usize {
        self.peers.values().map(BTreeMap::len).sum()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.rows() == 0 && self.ledger.is_none()
    }

    pub(super) fn put_usage(&mut self, row: UsageRow) {
        match self.usage.iter_mut().find(|known| known.day == row.day && known.client == row.client) {
            Some(known) => known.used_s = row.used_s,
            None => {
                self.make_room();
                self.usage.push(row);
            }
        }
    }

    pub(super) fn put_session(&mut self, row: SessionRow) {
        self.make_room();
        self.sessions.push(row);
    }

    pub(super) fn put_alert(&mut self, row: AlertRow) {
        self.alerts.retain(|known| known.id != row.id);
        self.make_room();
        self.alerts.push(row);
    }

    /// Adds traffic to its hour.
    pub(super) fn put_traffic(&mut self, row: TrafficRow, calendar: &Calendar) {
        let hour_s = calendar.hour_of(row.start_s);
        let moved = Moved { up: row.up_bytes, down: row.down_bytes };
        self.add_traffic(hour_s, (row.client, (row.service, row.protocol)), moved);
    }

    fn add_traffic(&mut self, hour_s: i64, key: (String, What), moved: Moved) {
        let known = self.traffic.get(&hour_s).is_some_and(|hour| hour.contains_key(&key));
        if !known {
            self.make_room();
        }
        *self.traffic.entry(hour_s).or_default().entry(key).or_default() += moved;
    }

    /// Adds what a client exchanged with an address to its day.
    pub(super) fn put_peer(&mut self, row: PeerRow, calendar: &Calendar) {
        self.add_peer(calendar.day_of(row.start_s).as_days(), (row.client, row.peer), row.moved);
    }

    fn add_peer(&mut self, day: i32, key: (String, String), moved: Moved) {
        *self.peers.entry(day).or_default().entry(key).or_default() += moved;
        if self.peer_rows() > MAX_PEER_ROWS {
            for peers in self.peers.values_mut() {
                let mut folded = fold(std::mem::take(peers), FEW, &OTHERS.to_owned());
                folded.retain(|(_, peer), _| peer != OTHERS);
                *peers = folded;
            }
            while self.peer_rows() > MAX_PEER_ROWS / 2 {
                self.peers.pop_first();
            }
        }
    }

    /// Takes in rows that came later, as if they had been put here one by one.
    pub(super) fn absorb(&mut self, later: Self) {
        let dropped = self.dropped + later.dropped;
        if self.is_empty() {
            *self = Self { dropped, ..later };
            return;
        }
        self.dropped = dropped;
        if later.ledger.is_some() {
            self.ledger = later.ledger;
        }
        later.usage.into_iter().for_each(|row| self.put_usage(row));
        later.sessions.into_iter().for_each(|row| self.put_session(row));
        later.alerts.into_iter().for_each(|row| self.put_alert(row));
        for (hour_s, rows) in later.traffic {
            rows.into_iter().for_each(|(key, moved)| self.add_traffic(hour_s, key, moved));
        }
        for (day, rows) in later.peers {
            rows.into_iter().for_each(|(key, moved)| self.add_peer(day, key, moved));
        }
    }

    /// Names of services and addresses of servers leave.
    pub(super) fn forget_names(&mut self) {
        for hour in self.traffic.values_mut() {
            for ((client, (service, protocol)), moved) in std::mem::take(hour) {
                let service = if service == OTHERS { service } else { String::new() };
                *hour.entry((client, (service, protocol))).or_default() += moved;
            }
        }
        self.peers.clear();
        for row in &mut self.sessions {
            row.services.clear();
            row.servers.clear();
        }
    }

    /// Room for one more row.
    fn make_room(&mut self) {
        if self.rows() < MAX_PENDING_ROWS {
            return;
        }
        if self.moved_rows() > MAX_PENDING_ROWS / 4 {
            return self.fold_traffic();
        }
        self.dropped += 1;
        if !self.sessions.is_empty() {
            self.sessions.remove(0);
        } else if !self.alerts.is_empty() {
            self.alerts.remove(0);
        } else if !self.usage.is_empty() {
            self.usage.remove(0);
        }
    }

    /// Gives up detail until a quarter of the room is free.
    #[cold]
    fn fold_traffic(&mut self) {
        let rest: What = (OTHERS.to_owned(), OTHERS.to_owned());
        for most in [8, 2, 0] {
            for hour in self.traffic.values_mut() {
                *hour = fold(std::mem::take(hour), most, &rest);
            }
            if self.moved_rows() <= MAX_PENDING_ROWS / 8 {
                return;
            }
        }
        for hour in self.traffic.values_mut() {
            let mut sum = Moved::default();
            std::mem::take(hour).into_values().for_each(|moved| sum += moved);
            hour.insert((OVERFLOW.to_owned(), rest.clone()), sum);
        }
    }
}
