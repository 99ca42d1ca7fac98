//! The door for rows: what may be written of them, and where they wait.

use super::pending::Pending;
use crate::history::{AlertRow, Calendar, Minute, SessionRow, UsageRow};
use crate::quota::State;

/// Servers written with a session.
const MAX_SESSION_SERVERS: usize = 4;

/// Whether names of services may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// As they are.
    #[default]
    Kept,
    /// Never, nor the addresses of servers.
    Left,
}

/// Takes rows for the next commit.
#[derive(Debug, Default)]
pub struct Intake {
    pub(super) calendar: Calendar,
    pub(super) names: Names,
    pub(super) pending: Pending,
}

impl Intake {
    /// An empty one that takes rows by the same rules.
    pub(super) fn beside(&self) -> Self {
        Self { calendar: self.calendar.clone(), names: self.names, pending: Pending::default() }
    }

    /// Keeps the ledger.
    pub fn put_ledger(&mut self, state: &State) {
        self.pending.ledger = Some((state.serial, state.encode()));
    }

    /// Keeps a client's usage of a day; a later value replaces an earlier one.
    pub fn put_usage(&mut self, row: UsageRow) {
        self.pending.put_usage(row);
    }

    /// Keeps a session.
    pub fn put_session(&mut self, mut row: SessionRow) {
        row.servers.truncate(MAX_SESSION_SERVERS);
        if self.names == Names::Left {
            row.services.clear();
            row.servers.clear();
        }
        self.pending.put_session(row);
    }

    /// Adds a minute's traffic to its hour and day.
    pub fn put_minute(&mut self, minute: Minute) {
        let names = self.names;
        for mut row in minute.traffic {
            if names == Names::Left {
                row.service.clear();
            }
            self.pending.put_traffic(row, &self.calendar);
        }
        if names == Names::Kept {
            minute.peers.into_iter().for_each(|row| self.pending.put_peer(row, &self.calendar));
        }
    }

    /// Keeps an alert; one with a known id is replaced, but stays acknowledged.
    pub fn put_alert(&mut self, row: AlertRow) {
        self.pending.put_alert(row);
    }
}
