//! Questions to the history, answered from what is written and what waits.

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::{OptionalExtension, Row, params, params_from_iter, types};

use super::StoreError;
use super::database::{Database, failed};
use crate::account::Moved;
use crate::history::{AlertRow, Calendar, SessionRow, Stretch, TrafficRow, UsageRow};
use crate::quota::{State, StateError};
use crate::time::LocalDay;

/// Rows a query returns at most.
pub const MAX_ROWS: u32 = 100_000;

const SELECT_ALERT: &str = "SELECT id, type, severity, source, target, first_s, last_s, closed, evidence, acked_s, \
    note, resolved_s, opinion FROM alert";

/// By what traffic is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Who.
    Client,
    /// With which service.
    Service,
    /// By which protocol.
    Protocol,
}

impl By {
    fn column(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Service => "service",
            Self::Protocol => "protocol",
        }
    }
}

impl Database {
    /// Generations of the ledger, for [`crate::quota::Recovery::from_generations`].
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn ledgers(&self) -> Result<Vec<Result<State, StateError>>, StoreError> {
        let query = "SELECT text FROM ledger ORDER BY serial DESC";
        let mut statement = self.connection.prepare(query).map_err(failed("read the ledger"))?;
        let texts =
            statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed("read the ledger"))?;
        texts.map(|text| Ok(State::decode(&text.map_err(failed("read the ledger"))?))).collect()
    }

    /// Usage of the days in a range, what waits included.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn usage(&self, days: Range<LocalDay>) -> Result<Vec<UsageRow>, StoreError> {
        let query = "SELECT day, client, used_s FROM usage WHERE day >= ?1 AND day < ?2 ORDER BY day, client LIMIT ?3";
        let mut statement = self.connection.prepare(query).map_err(failed("read usage"))?;
        let bounds = params![days.start.as_days(), days.end.as_days(), MAX_ROWS];
        let rows = statement.query_map(bounds, |row| {
            Ok(UsageRow { day: LocalDay::from_days(row.get(0)?), client: row.get(1)?, used_s: row.get(2)? })
        });
        let mut found: Vec<UsageRow> =
            rows.map_err(failed("read usage"))?.collect::<Result<_, _>>().map_err(failed("read usage"))?;
        for row in self.intake.pending.usage.iter().filter(|row| days.contains(&row.day)) {
            match found.iter_mut().find(|known| known.day == row.day && known.client == row.client) {
                Some(known) => known.used_s = row.used_s,
                None => found.push(row.clone()),
            }
        }
        Ok(found)
    }

    /// Sessions that began in a range, what waits included, oldest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn sessions(&self, range: &Range<i64>) -> Result<Vec<SessionRow>, StoreError> {
        let failed = failed("read sessions");
        let query = "SELECT client, start_s, end_s, watch_s, services, servers FROM session \
            WHERE start_s >= ?1 AND start_s < ?2 ORDER BY start_s LIMIT ?3";
        let mut statement = self.connection.prepare(query).map_err(&failed)?;
        let rows = statement.query_map(params![range.start, range.end, MAX_ROWS], |row| {
            Ok(SessionRow {
                client: row.get(0)?,
                start_s: row.get(1)?,
                end_s: row.get(2)?,
                watch_s: row.get(3)?,
                services: serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default(),
                servers: serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default(),
            })
        });
        let mut found: Vec<SessionRow> = rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        found.extend(self.intake.pending.sessions.iter().filter(|row| range.contains(&row.start_s)).cloned());
        Ok(found)
    }

    /// Rows of traffic in a range, what waits included: hours, and days of which the hours are gone.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn traffic(&self, range: &Range<i64>) -> Result<Vec<TrafficRow>, StoreError> {
        let failed = failed("read traffic");
        let query = format!(
            "SELECT m.stretch, m.start_s, c.text, s.text, p.text, m.up_bytes, m.down_bytes FROM {MOVED} m \
                JOIN label c ON c.id = m.client JOIN label s ON s.id = m.service JOIN label p ON p.id = m.protocol \
                ORDER BY m.start_s LIMIT {MAX_ROWS}"
        );
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let rows = statement.query_map(params_from_iter(bounds(range)), |row| {
            Ok(TrafficRow {
                stretch: if row.get::<_, u8>(0)? == 1 { Stretch::Hour } else { Stretch::Day },
                start_s: row.get(1)?,
                client: row.get(2)?,
                service: row.get(3)?,
                protocol: row.get(4)?,
                up_bytes: row.get::<_, i64>(5)?.unsigned_abs(),
                down_bytes: row.get::<_, i64>(6)?.unsigned_abs(),
            })
        });
        let mut found: Vec<TrafficRow> = rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        for (&start_s, hour) in self.intake.pending.traffic.range(range.clone()) {
            found.extend(hour.iter().map(|((client, (service, protocol)), moved)| TrafficRow {
                stretch: Stretch::Hour,
                start_s,
                client: client.clone(),
                service: service.clone(),
                protocol: protocol.clone(),
                up_bytes: moved.up,
                down_bytes: moved.down,
            }));
        }
        Ok(found)
    }

    /// Sums of traffic in a range by client, service or protocol, of all clients or of some; what waits included.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn moved(
        &self,
        range: &Range<i64>,
        by: By,
        clients: Option<&[String]>,
    ) -> Result<BTreeMap<String, Moved>, StoreError> {
        let sums = self.series(std::slice::from_ref(range), by, clients)?;
        Ok(sums.into_iter().next().unwrap_or_default())
    }

    /// The same for each of some periods, which follow each other. A day whose hours are gone counts where its
    /// middle lies.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn series(
        &self,
        periods: &[Range<i64>],
        by: By,
        clients: Option<&[String]>,
    ) -> Result<Vec<BTreeMap<String, Moved>>, StoreError> {
        let failed = failed("read traffic");
        let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return Ok(Vec::new()) };
        let range = first.start..last.end;
        let place = |at_s: i64| {
            let next = periods.partition_point(|period| period.start <= at_s);
            next.checked_sub(1).filter(|&index| periods[index].contains(&at_s))
        };
        let column = by.column();
        let query = format!(
            "SELECT m.start_s + (m.stretch - 1) * {HALF_DAY_S}, m.{column}, sum(m.up_bytes), sum(m.down_bytes) \
                FROM {MOVED} m {} GROUP BY 1, 2",
            among(clients)
        );
        let mut numbers: Vec<BTreeMap<i64, Moved>> = vec![BTreeMap::new(); periods.len()];
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let mut rows =
            statement.query(params_from_iter(bounds(&range).chain(texts(clients)))).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let bytes = |index| row.get::<_, i64>(index).map(i64::unsigned_abs).map_err(&failed);
            let moved = Moved { up: bytes(2)?, down: bytes(3)? };
            if let Some(index) = place(row.get(0).map_err(&failed)?) {
                *numbers[index].entry(row.get(1).map_err(&failed)?).or_default() += moved;
            }
        }
        let texts = self.labels()?;
        let mut sums: Vec<BTreeMap<String, Moved>> = numbers
            .into_iter()
            .map(|of| {
                of.into_iter()
                    .map(|(id, moved)| (texts.get(&id).cloned().unwrap_or_default(), moved))
                    .collect()
            })
            .collect();
        for (&hour_s, hour) in self.intake.pending.traffic.range(range) {
            let Some(index) = place(hour_s) else { continue };
            for ((client, (service, protocol)), moved) in hour {
                if clients.is_none_or(|clients| clients.contains(client)) {
                    let key = match by {
                        By::Client => client,
                        By::Service => service,
                        By::Protocol => protocol,
                    };
                    *sums[index].entry(key.clone()).or_default() += *moved;
                }
            }
        }
        Ok(sums)
    }

    fn labels(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        let failed = failed("read names");
        let mut statement = self.connection.prepare("SELECT id, text FROM label").map_err(&failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Everybody of whom there is a row of traffic, usage or a session.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn clients(&self) -> Result<Vec<String>, StoreError> {
        let failed = failed("read clients");
        let mut clients: Vec<String> = Vec::new();
        for query in [
            "SELECT text FROM label WHERE id IN (SELECT client FROM moved)",
            "SELECT DISTINCT client FROM usage",
            "SELECT DISTINCT client FROM session",
        ] {
            let mut statement = self.connection.prepare(query).map_err(&failed)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(&failed)?;
            for client in rows {
                clients.push(client.map_err(&failed)?);
            }
        }
        let pending = &self.intake.pending;
        let waiting = pending.traffic.values().flat_map(BTreeMap::keys).map(|(client, _)| client);
        let waiting = waiting.chain(pending.usage.iter().map(|row| &row.client));
        clients.extend(waiting.chain(pending.sessions.iter().map(|row| &row.client)).cloned());
        clients.sort_unstable();
        clients.dedup();
        Ok(clients)
    }

    /// What clients exchanged with addresses on some days: the largest, and lower bounds, for an address is
    /// counted only while it is among them.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn peers(
        &self,
        days: &Range<LocalDay>,
        clients: Option<&[String]>,
    ) -> Result<BTreeMap<String, Moved>, StoreError> {
        let failed = failed("read addresses");
        let query = format!(
            "SELECT m.peer, sum(m.up_bytes), sum(m.down_bytes) FROM \
                (SELECT * FROM peer WHERE day >= ?1 AND day < ?2) m {} GROUP BY m.peer",
            among(clients)
        );
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let bounds = [days.start, days.end].map(|day| types::Value::from(day.as_days()));
        let rows = statement.query_map(params_from_iter(bounds.into_iter().chain(texts(clients))), moved_row);
        let mut sums: BTreeMap<String, Moved> =
            rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        for rows in
            self.intake.pending.peers.range(days.start.as_days()..days.end.as_days()).map(|(_, rows)| rows)
        {
            for ((client, peer), moved) in rows {
                if clients.is_none_or(|clients| clients.contains(client)) {
                    *sums.entry(peer.clone()).or_default() += *moved;
                }
            }
        }
        Ok(sums)
    }

    /// The days of a range whose hours are gone.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn whole_days(&self, range: &Range<i64>) -> Result<Vec<LocalDay>, StoreError> {
        let failed = failed("read traffic");
        let query = "SELECT DISTINCT start_s FROM moved WHERE stretch = 2 AND start_s >= ?1 AND start_s < ?2";
        let starts = Calendar::row_starts(range);
        // A day of which the range holds only a part counts, too.
        let bounds = params![starts.start - 86_400, starts.end + 86_400];
        let mut statement = self.connection.prepare(query).map_err(&failed)?;
        let rows = statement.query_map(bounds, |row| row.get(0)).map_err(&failed)?;
        let days = rows.map(|start_s| Ok(self.intake.calendar.day_of_row(start_s?)));
        days.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Alerts that were last seen in a range, what waits included, latest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn alerts(&self, range: &Range<i64>) -> Result<Vec<AlertRow>, StoreError> {
        let failed = failed("read alerts");
        let query =
            format!("{SELECT_ALERT} WHERE last_s >= ?1 AND last_s < ?2 ORDER BY last_s DESC LIMIT ?3");
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let rows = statement.query_map(params![range.start, range.end, MAX_ROWS], |row| self.alert_row(row));
        let stored: Vec<AlertRow> = rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        let waiting = self.intake.pending.alerts.iter().filter(|row| range.contains(&row.last_s)).cloned();
        let mut found: Vec<AlertRow> = waiting.collect();
        found.extend(
            stored.into_iter().filter(|row| self.intake.pending.alerts.iter().all(|new| new.id != row.id)),
        );
        Ok(found)
    }

    /// An alert by its number.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn alert(&self, id: i64) -> Result<Option<AlertRow>, StoreError> {
        if let Some(row) = self.intake.pending.alerts.iter().find(|row| row.id == id) {
            return Ok(Some(row.clone()));
        }
        let query = format!("{SELECT_ALERT} WHERE id = ?1");
        let found = self.connection.query_row(&query, [id], |row| self.alert_row(row)).optional();
        found.map_err(failed("read alerts"))
    }

    fn alert_row(&self, row: &Row<'_>) -> Result<AlertRow, rusqlite::Error> {
        let id = row.get(0)?;
        Ok(AlertRow {
            id,
            kind: row.get(1)?,
            severity: row.get(2)?,
            source: row.get(3)?,
            target: row.get(4)?,
            first_s: row.get(5)?,
            last_s: row.get(6)?,
            closed: row.get(7)? || id <= self.ended_alerts,
            evidence: row.get(8)?,
            acked_s: row.get(9)?,
            note: row.get(10)?,
            resolved_s: row.get(11)?,
            opinion: row.get(12)?,
        })
    }
}

/// A whole day's row counts where its middle lies.
const HALF_DAY_S: i64 = 43_200;

/// Hours that began between ?1 and ?2, and whole days between ?3 and ?4. The first line is what the index can do.
const MOVED: &str = "(SELECT * FROM moved WHERE stretch IN (1, 2) AND start_s >= min(?1, ?3) AND start_s < max(?2, ?4) \
    AND start_s >= CASE stretch WHEN 1 THEN ?1 ELSE ?3 END AND start_s < CASE stretch WHEN 1 THEN ?2 ELSE ?4 END)";

fn bounds(range: &Range<i64>) -> impl Iterator<Item = types::Value> + use<> {
    let days = Calendar::row_starts(range);
    [range.start, range.end, days.start, days.end].map(types::Value::from).into_iter()
}

/// Restricts `m` to some clients; their names are further parameters.
fn among(clients: Option<&[String]>) -> String {
    match clients {
        None => String::new(),
        Some(clients) => format!(
            "JOIN label who ON who.id = m.client AND who.text IN ({})",
            vec!["?"; clients.len()].join(", ")
        ),
    }
}

fn texts(clients: Option<&[String]>) -> impl Iterator<Item = types::Value> + '_ {
    clients.unwrap_or_default().iter().map(|text| types::Value::from(text.clone()))
}

fn moved_row(row: &Row<'_>) -> Result<(String, Moved), rusqlite::Error> {
    let bytes = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
    Ok((row.get(0)?, Moved { up: bytes(1)?, down: bytes(2)? }))
}
