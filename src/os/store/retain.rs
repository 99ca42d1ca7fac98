//! What becomes of old rows: rolled up, folded, and at last dropped, whole days at a time.
//!
//! Hours become the row of their day when the day is a few days old. When the file is full it loses what is missed
//! least, first: hours of yesterday, addresses, services of old days beyond the largest, then whole days, the
//! oldest first. The sum of a day that is kept stays what it was. Today's usage and the ledger never leave.

use rusqlite::{Transaction, params};

use super::write::ADD;
use crate::history::Calendar;
use crate::time::LocalDay;

/// Days whose hours are kept.
const HOURLY_DAYS: i32 = 3;
/// Rows of a client and hour, once the hour is over; the rest of them is one row more.
const HOUR_ROWS: u32 = 12;
/// Rows of a client and day.
const DAY_ROWS: u32 = 16;
/// Hours looked at for what is over.
const LATE_HOURS_S: i64 = 3 * 3_600;
/// Addresses listed by client and day.
const DAY_PEERS: u32 = 10;
/// Days whose addresses are kept.
const PEER_DAYS: i32 = 14;
/// Days that one commit rolls up at most; the others wait for the next.
const MAX_DAYS_A_COMMIT: usize = 40;

/// One way to make the file smaller; `days` back from today everything stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Hours become days.
    Roll { days: i32 },
    /// Addresses are forgotten.
    Peers { days: i32 },
    /// Only the largest rows of each client and hour stay.
    Hours { most: u32 },
    /// Only the largest rows of each client and day stay.
    Fold { days: i32, most: u32 },
    /// Servers of sessions are forgotten.
    Servers { days: i32 },
    /// The oldest days are dropped: this part of all, at least one.
    Drop { part: i32 },
}

/// In the order in which they are taken, until the file fits.
pub(super) const STEPS: [Step; 32] = [
    Step::Roll { days: 1 },
    Step::Peers { days: 5 },
    Step::Peers { days: 1 },
    Step::Hours { most: 4 },
    Step::Fold { days: 14, most: 6 },
    Step::Servers { days: 14 },
    Step::Fold { days: 3, most: 6 },
    Step::Roll { days: 0 },
    Step::Fold { days: 30, most: 0 },
    Step::Fold { days: 14, most: 0 },
    Step::Hours { most: 2 },
    Step::Servers { days: 1 },
    Step::Fold { days: 7, most: 2 },
    Step::Fold { days: 3, most: 0 },
    Step::Drop { part: 8 },
    Step::Drop { part: 8 },
    Step::Drop { part: 8 },
    Step::Drop { part: 8 },
    Step::Drop { part: 4 },
    Step::Drop { part: 4 },
    Step::Drop { part: 4 },
    Step::Drop { part: 2 },
    Step::Drop { part: 2 },
    Step::Drop { part: 2 },
    Step::Drop { part: 1 },
    Step::Peers { days: -1 },
    Step::Servers { days: -1 },
    Step::Hours { most: 0 },
    Step::Roll { days: -1 },
    Step::Fold { days: -1, most: 0 },
    Step::Drop { part: 0 },
    Step::Drop { part: -1 },
];

/// Old rows and their calendar.
pub(super) struct Retention<'t, 'c> {
    pub(super) transaction: &'t Transaction<'c>,
    pub(super) calendar: &'t Calendar,
    pub(super) today: LocalDay,
}

impl Retention<'_, '_> {
    /// What every commit does: days that are old enough become one row each, and those that are too old leave.
    pub(super) fn age(&self, history_days: u16) -> Result<(), rusqlite::Error> {
        self.drop_before(self.today.plus(-i32::from(history_days)))?;
        let peers = self.today.plus(-PEER_DAYS).as_days();
        self.transaction.execute("DELETE FROM peer WHERE day < ?1", [peers])?;
        self.fold_hours(HOUR_ROWS, LATE_HOURS_S)?;
        self.roll(self.today.plus(-HOURLY_DAYS + 1))
    }

    /// Makes the file smaller.
    pub(super) fn shrink(&self, step: Step) -> Result<(), rusqlite::Error> {
        match step {
            Step::Roll { days } => self.roll(self.today.plus(-days)),
            Step::Peers { days } => {
                let before = self.today.plus(-days).as_days();
                self.transaction.execute("DELETE FROM peer WHERE day < ?1", [before]).map(drop)
            }
            Step::Servers { days } => {
                let before_s = self.calendar.begins(self.today.plus(-days));
                let blank = "UPDATE session SET servers = '[]' WHERE start_s < ?1 AND servers <> '[]'";
                self.transaction.execute(blank, [before_s]).map(drop)
            }
            Step::Fold { days, most } => {
                let before_s = self.calendar.begins(self.today.plus(-days));
                let query = "SELECT DISTINCT start_s FROM moved WHERE stretch = 2 AND start_s < ?1";
                let mut statement = self.transaction.prepare(query)?;
                let days = statement.query_map([before_s], |row| row.get(0))?;
                for start_s in days.collect::<Result<Vec<i64>, _>>()? {
                    self.fold((2, start_s), most)?;
                }
                Ok(())
            }
            Step::Hours { most } => self.fold_hours(most, i64::from(HOURLY_DAYS + 1) * 86_400),
            Step::Drop { part } => self.drop_part(part),
        }?;
        self.forget_labels()
    }

    fn drop_part(&self, part: i32) -> Result<(), rusqlite::Error> {
        let mut oldest_s: Option<i64> = None;
        for query in [
            "SELECT min(start_s) FROM moved",
            "SELECT min(start_s) FROM session",
            "SELECT min(last_s) FROM alert",
        ] {
            let found: Option<i64> = self.transaction.query_row(query, [], |row| row.get(0))?;
            oldest_s = oldest_s.into_iter().chain(found).min();
        }
        let oldest = oldest_s.map_or(self.today, |oldest_s| self.calendar.day_of(oldest_s));
        let days = self.today.as_days().saturating_sub(oldest.as_days());
        match part {
            1.. => {
                self.drop_before(LocalDay::from_days(oldest.as_days() + (days / part).max(1)).min(self.today))
            }
            0 => self.drop_before(self.today),
            _ => {
                self.transaction.execute("DELETE FROM session", [])?;
                self.transaction.execute("DELETE FROM alert", [])?;
                self.transaction.execute("DELETE FROM moved", []).map(drop)
            }
        }
    }

    /// Drops all that is of an earlier day.
    fn drop_before(&self, day: LocalDay) -> Result<(), rusqlite::Error> {
        let before_s = self.calendar.begins(day);
        let number = day.as_days();
        for (text, bound) in [
            ("DELETE FROM usage WHERE day < ?1", i64::from(number)),
            ("DELETE FROM wear WHERE day < ?1", i64::from(number)),
            ("DELETE FROM peer WHERE day < ?1", i64::from(number)),
            ("DELETE FROM session WHERE start_s < ?1", before_s),
            ("DELETE FROM alert WHERE last_s < ?1", before_s),
            ("DELETE FROM moved WHERE stretch = 1 AND start_s < ?1", before_s),
            (
                "DELETE FROM moved WHERE stretch = 2 AND start_s < ?1",
                Calendar::row_starts(&(before_s..before_s)).start,
            ),
        ] {
            self.transaction.execute(text, [bound])?;
        }
        Ok(())
    }

    /// Hours of days before `until` become the row of their day.
    fn roll(&self, until: LocalDay) -> Result<(), rusqlite::Error> {
        for _ in 0..MAX_DAYS_A_COMMIT {
            let query = "SELECT min(start_s) FROM moved WHERE stretch = 1";
            let oldest_s: Option<i64> = self.transaction.query_row(query, [], |row| row.get(0))?;
            let Some(day) = oldest_s.map(|oldest_s| self.calendar.day_of(oldest_s)) else { break };
            if day >= until {
                break;
            }
            let span = self.calendar.span(day);
            let bounds = params![span.start, span.end];
            let add = format!(
                "INSERT INTO moved SELECT 2, ?1, client, service, protocol, sum(up_bytes), sum(down_bytes) FROM moved \
                    WHERE stretch = 1 AND start_s >= ?1 AND start_s < ?2 GROUP BY client, service, protocol {ADD}"
            );
            self.transaction.execute(&add, bounds)?;
            let remove = "DELETE FROM moved WHERE stretch = 1 AND start_s >= ?1 AND start_s < ?2";
            self.transaction.execute(remove, bounds)?;
            self.fold((2, span.start), DAY_ROWS)?;
            self.trim_peers(day)?;
        }
        Ok(())
    }

    /// Hours that are over, back to some seconds before the latest.
    fn fold_hours(&self, most: u32, back_s: i64) -> Result<(), rusqlite::Error> {
        let latest = "SELECT max(start_s) FROM moved WHERE stretch = 1";
        let latest_s: Option<i64> = self.transaction.query_row(latest, [], |row| row.get(0))?;
        let Some(latest_s) = latest_s else { return Ok(()) };
        let query = "SELECT DISTINCT start_s FROM moved WHERE stretch = 1 AND start_s >= ?1 AND start_s < ?2";
        let mut statement = self.transaction.prepare(query)?;
        let hours = statement.query_map([latest_s.saturating_sub(back_s), latest_s], |row| row.get(0))?;
        for start_s in hours.collect::<Result<Vec<i64>, _>>()? {
            self.fold((1, start_s), most)?;
        }
        Ok(())
    }

    /// Of the rows of an hour (1) or a day (2), the largest of each client stay; label 2 is the rest of them.
    fn fold(&self, (stretch, start_s): (u8, i64), most: u32) -> Result<(), rusqlite::Error> {
        let largest_first = "SELECT client, service, protocol, up_bytes, down_bytes FROM moved \
            WHERE stretch = ?1 AND start_s = ?2 AND service <> 2 \
            ORDER BY client, up_bytes + down_bytes DESC, service, protocol";
        let mut statement = self.transaction.prepare(largest_first)?;
        let rows = statement.query_map(params![stretch, start_s], |row| {
            Ok((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]))
        })?;
        let add = format!("INSERT INTO moved VALUES (?1, ?2, ?3, 2, 2, ?4, ?5) {ADD}");
        let mut add = self.transaction.prepare(&add)?;
        let mut remove = self.transaction.prepare(
            "DELETE FROM moved WHERE stretch = ?1 AND start_s = ?2 AND client = ?3 AND service = ?4 AND protocol = ?5",
        )?;
        for (client, [service, protocol, up_bytes, down_bytes]) in beyond::<[i64; 4]>(rows, most)? {
            add.execute(params![stretch, start_s, client, up_bytes, down_bytes])?;
            remove.execute(params![stretch, start_s, client, service, protocol])?;
        }
        Ok(())
    }

    fn trim_peers(&self, day: LocalDay) -> Result<(), rusqlite::Error> {
        let largest_first =
            "SELECT client, peer FROM peer WHERE day = ?1 ORDER BY client, up_bytes + down_bytes DESC, peer";
        let mut statement = self.transaction.prepare(largest_first)?;
        let rows = statement.query_map([day.as_days()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut remove =
            self.transaction.prepare("DELETE FROM peer WHERE day = ?1 AND client = ?2 AND peer = ?3")?;
        for (client, peer) in beyond::<String>(rows, DAY_PEERS)? {
            remove.execute(params![day.as_days(), client, peer])?;
        }
        Ok(())
    }

    /// Names of services leave the database: each client's traffic is one row.
    pub(super) fn forget_names(&self) -> Result<(), rusqlite::Error> {
        let add = format!(
            "INSERT INTO moved SELECT stretch, start_s, client, 1, protocol, sum(up_bytes), sum(down_bytes) \
                FROM moved WHERE service > 2 GROUP BY stretch, start_s, client, protocol {ADD}"
        );
        self.transaction.execute(&add, [])?;
        self.transaction.execute("DELETE FROM moved WHERE service > 2", [])?;
        self.transaction.execute("DELETE FROM peer", [])?;
        self.transaction.execute("UPDATE session SET services = '[]', servers = '[]'", [])?;
        self.forget_labels()
    }

    /// Texts that no row refers to.
    fn forget_labels(&self) -> Result<(), rusqlite::Error> {
        let unused = "DELETE FROM label WHERE id > 2 AND id NOT IN (SELECT client FROM moved) AND \
            id NOT IN (SELECT service FROM moved) AND id NOT IN (SELECT protocol FROM moved) AND \
            id NOT IN (SELECT client FROM peer)";
        self.transaction.execute(unused, []).map(drop)
    }
}

/// What comes after the first `most` rows of each client, of rows that come client by client.
fn beyond<T>(
    rows: impl Iterator<Item = Result<(i64, T), rusqlite::Error>>,
    most: u32,
) -> Result<Vec<(i64, T)>, rusqlite::Error> {
    let (mut of, mut place) = (None, 0);
    let mut tail = Vec::new();
    for row in rows {
        let (client, rest) = row?;
        place = if of == Some(client) { place + 1 } else { 1 };
        of = Some(client);
        if place > most {
            tail.push((client, rest));
        }
    }
    Ok(tail)
}
