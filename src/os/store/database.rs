//! History in one SQLite file that anyone can open with `sqlite3`.
//!
//! Flash is the scarce thing. Rows wait in bounded memory; a commit writes all of them in one transaction, which
//! costs a few page writes. Commits happen every interval, and soon after something a parent did or would want to
//! survive a power cut, at least a minute apart and at most [`COMMITS_PER_DAY`] a day, counted in the database
//! itself. `journal_mode TRUNCATE` and no mmap: JFFS2 has no shared mappings.
//!
//! The file is bounded: when it is full, traffic is rolled up (minutes to hours to days), then the oldest rows
//! go, the ledger never.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, schema};
use crate::history::{AlertRow, Range, SessionRow, Stretch, TrafficRow, UsageRow};
use crate::quota::{State, StateError};
use crate::time::{Duration, LocalDay, Moment};
use crate::units::Bytes;

/// Commits a day, whatever happens.
pub const COMMITS_PER_DAY: u32 = 100;
/// Rows that wait for a commit, all tables together; when full, the oldest traffic is dropped and counted.
pub const MAX_PENDING_ROWS: usize = 4_096;
/// Urgent commits are at least so far apart.
const URGENT_GAP: Duration = Duration::from_secs(60);
/// Generations of the ledger kept.
const LEDGERS: u32 = 2;
/// Rows a query returns at most.
const MAX_ROWS: u32 = 100_000;

/// How large and how busy the database may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file.
    pub size: Bytes,
    /// Days of history.
    pub history_days: u16,
    /// Time between ordinary commits.
    pub interval: Duration,
}

/// Why a commit is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The interval.
    Ordinary,
    /// A change of standing or a user's action.
    Soon,
    /// The daemon leaves: now, even if a commit was just made.
    Leaving,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Written.
    Yes,
    /// Not yet time, or nothing to write.
    NotYet,
    /// Today's commits are used up.
    Worn,
}

#[derive(Debug, Default)]
struct Pending {
    ledger: Option<(u64, String)>,
    usage: Vec<UsageRow>,
    sessions: Vec<SessionRow>,
    traffic: Vec<TrafficRow>,
    alerts: Vec<AlertRow>,
}

impl Pending {
    fn rows(&self) -> usize {
        self.usage.len() + self.sessions.len() + self.traffic.len() + self.alerts.len()
    }
}

/// The history database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    limits: Limits,
    pending: Pending,
    last_commit: Option<Moment>,
    urgent: bool,
    dropped: u64,
    /// Alerts up to this number are of earlier runs: what was open then is over.
    ended_alerts: i64,
}

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sql { what, source }
}

impl Database {
    /// Opens or creates the database. A file that is no database, or is damaged, is put aside as `NAME.damaged`
    /// and a new one begun; the second value says why.
    ///
    /// # Errors
    /// If the directory is not writable, or a later release wrote the file.
    pub fn open(path: &Path, limits: Limits) -> Result<(Self, Option<StoreError>), StoreError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| StoreError::File { path: directory.to_owned(), source })?;
        }
        match Self::try_open(path, limits) {
            Ok(database) => Ok((database, None)),
            Err(why) if is_damage(&why) => {
                let mut aside = path.to_owned().into_os_string();
                aside.push(".damaged");
                std::fs::rename(path, &aside)
                    .map_err(|source| StoreError::File { path: path.to_owned(), source })?;
                Ok((Self::try_open(path, limits)?, Some(why)))
            }
            Err(why) => Err(why),
        }
    }

    fn try_open(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path).map_err(failed("open"))?;
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            connection.pragma_update(None, name, value).map_err(failed("set up"))
        };
        set("page_size", &4_096)?;
        set("auto_vacuum", &"INCREMENTAL")?;
        connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())).map_err(failed("set up"))?;
        set("synchronous", &"FULL")?;
        set("cache_size", &-256)?;
        connection.query_row("PRAGMA mmap_size = 0", [], |_| Ok(())).optional().map_err(failed("set up"))?;
        let sound: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check"))?;
        if sound != "ok" {
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), Some(sound));
            return Err(StoreError::Sql { what: "check", source });
        }
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            limits,
            pending: Pending::default(),
            last_commit: None,
            urgent: false,
            dropped: 0,
            ended_alerts: 0,
        })
    }

    /// New limits, e.g. after a reload.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows lost because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Rows that wait for a commit.
    pub fn pending(&self) -> usize {
        self.pending.rows()
    }

    /// Keeps the ledger.
    pub fn put_ledger(&mut self, state: &State) {
        self.pending.ledger = Some((state.serial, state.encode()));
    }

    /// Keeps a client's usage of a day; a later value replaces an earlier one.
    pub fn put_usage(&mut self, row: UsageRow) {
        match self.pending.usage.iter_mut().find(|known| known.day == row.day && known.client == row.client) {
            Some(known) => known.used_s = row.used_s,
            None => {
                self.make_room();
                self.pending.usage.push(row);
            }
        }
    }

    /// Keeps a session.
    pub fn put_session(&mut self, row: SessionRow) {
        self.make_room();
        self.pending.sessions.push(row);
    }

    /// Adds traffic; rows of the same stretch, client, service and protocol are added up.
    pub fn put_traffic(&mut self, row: TrafficRow) {
        self.make_room();
        self.pending.traffic.push(row);
    }

    /// Keeps an alert; one with a known id is replaced, but stays acknowledged.
    pub fn put_alert(&mut self, row: AlertRow) {
        self.pending.alerts.retain(|known| known.id != row.id);
        self.make_room();
        self.pending.alerts.push(row);
    }

    /// Says that the alerts so far are of earlier runs, and returns the number of the last one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn end_alerts(&mut self) -> Result<i64, StoreError> {
        let query = "SELECT coalesce(max(id), 0) FROM alert";
        let last = self.connection.query_row(query, [], |row| row.get(0)).map_err(failed("read alerts"))?;
        self.ended_alerts = last;
        Ok(last)
    }

    /// An alert by its number.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn alert(&self, id: i64) -> Result<Option<AlertRow>, StoreError> {
        if let Some(row) = self.pending.alerts.iter().find(|row| row.id == id) {
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
        })
    }

    fn make_room(&mut self) {
        if self.pending.rows() < MAX_PENDING_ROWS {
            return;
        }
        self.dropped += 1;
        if !self.pending.traffic.is_empty() {
            self.pending.traffic.remove(0);
        } else if !self.pending.sessions.is_empty() {
            self.pending.sessions.remove(0);
        } else if !self.pending.alerts.is_empty() {
            self.pending.alerts.remove(0);
        } else if !self.pending.usage.is_empty() {
            self.pending.usage.remove(0);
        }
    }

    /// Writes what waits, if it is time. `day` is the date to count the commit under.
    ///
    /// # Errors
    /// If the disk is full or broken; the rows keep waiting.
    pub fn commit(&mut self, urgency: Urgency, now: Moment, day: LocalDay) -> Result<Committed, StoreError> {
        self.urgent |= urgency != Urgency::Ordinary;
        let since = self.last_commit.map(|last| now.since(last));
        let due = match (urgency, since) {
            (_, None) | (Urgency::Leaving, _) => true,
            (_, Some(since)) => since >= self.limits.interval || self.urgent && since >= URGENT_GAP,
        };
        if !due || self.pending.rows() == 0 && self.pending.ledger.is_none() {
            return Ok(Committed::NotYet);
        }
        if self.commits_on(day)? >= COMMITS_PER_DAY {
            return Ok(Committed::Worn);
        }
        self.last_commit = Some(now);
        if self.write(day).is_err() {
            // Most likely full: make room and try once more.
            self.shrink(day)?;
            self.write(day)?;
        }
        self.urgent = false;
        self.pending = Pending::default();
        Ok(Committed::Yes)
    }

    /// Commits counted under a date.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn commits_on(&self, day: LocalDay) -> Result<u32, StoreError> {
        let query = "SELECT commits FROM wear WHERE day = ?1";
        let found = self.connection.query_row(query, [day.as_days()], |row| row.get(0)).optional();
        Ok(found.map_err(failed("count commits"))?.unwrap_or(0))
    }

    fn write(&mut self, day: LocalDay) -> Result<(), StoreError> {
        let failed = failed("commit");
        let transaction = self.connection.transaction().map_err(&failed)?;
        write_pending(&transaction, &self.pending).map_err(&failed)?;
        let over = "UPDATE alert SET closed = 1 WHERE closed = 0 AND id <= ?1";
        transaction.execute(over, [self.ended_alerts]).map_err(&failed)?;
        let wear = "INSERT INTO wear VALUES (?1, 1) ON CONFLICT DO UPDATE SET commits = commits + 1";
        transaction.execute(wear, [day.as_days()]).map_err(&failed)?;
        let oldest = day.as_days() - i32::from(self.limits.history_days);
        prune(&transaction, oldest).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        if self.size()? > self.limits.size {
            self.shrink(day)?;
        }
        Ok(())
    }

    /// The size of the file.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn size(&self) -> Result<Bytes, StoreError> {
        let query =
            "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)";
        let bytes: i64 = self.connection.query_row(query, [], |row| row.get(0)).map_err(failed("measure"))?;
        Ok(Bytes(u64::try_from(bytes).unwrap_or(0)))
    }

    /// Makes the file smaller than its limit: rolls traffic up, then drops the oldest half of what is left, table
    /// by table, until it fits. The ledger and today's usage stay.
    fn shrink(&mut self, day: LocalDay) -> Result<(), StoreError> {
        let today = day.as_days();
        for round in 0..24 {
            let transaction = self.connection.transaction().map_err(failed("shrink"))?;
            let age_days = (i64::from(self.limits.history_days) >> (round / 2)).max(1);
            let before_s = (i64::from(today) - age_days) * 86_400;
            roll_up(&transaction, (Stretch::Minute, Stretch::Hour), before_s + 86_400 / 2)
                .map_err(failed("shrink"))?;
            roll_up(&transaction, (Stretch::Hour, Stretch::Day), before_s).map_err(failed("shrink"))?;
            if round >= 2 {
                prune(&transaction, today - i32::try_from(age_days).unwrap_or(1))
                    .map_err(failed("shrink"))?;
            }
            if round >= 12 {
                for table in ["traffic", "session"] {
                    let halve = format!(
                        "DELETE FROM {table} WHERE start_s <= (SELECT (min(start_s) + max(start_s)) / 2 FROM {table})"
                    );
                    transaction.execute(&halve, []).map_err(failed("shrink"))?;
                }
            }
            transaction.commit().map_err(failed("shrink"))?;
            self.vacuum().map_err(failed("shrink"))?;
            if self.size()? <= self.limits.size {
                break;
            }
        }
        Ok(())
    }

    /// Gives free pages back to the file system; the pragma frees one page each time it is stepped.
    fn vacuum(&self) -> Result<(), rusqlite::Error> {
        let mut statement = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
        Ok(())
    }

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
    pub fn usage(&self, days: std::ops::Range<LocalDay>) -> Result<Vec<UsageRow>, StoreError> {
        let query = "SELECT day, client, used_s FROM usage WHERE day >= ?1 AND day < ?2 ORDER BY day, client LIMIT ?3";
        let mut statement = self.connection.prepare(query).map_err(failed("read usage"))?;
        let bounds = params![days.start.as_days(), days.end.as_days(), MAX_ROWS];
        let rows = statement.query_map(bounds, |row| {
            Ok(UsageRow { day: LocalDay::from_days(row.get(0)?), client: row.get(1)?, used_s: row.get(2)? })
        });
        let mut found: Vec<UsageRow> =
            rows.map_err(failed("read usage"))?.collect::<Result<_, _>>().map_err(failed("read usage"))?;
        for row in self.pending.usage.iter().filter(|row| days.contains(&row.day)) {
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
    pub fn sessions(&self, range: &Range) -> Result<Vec<SessionRow>, StoreError> {
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
        found.extend(self.pending.sessions.iter().filter(|row| range.contains(&row.start_s)).cloned());
        Ok(found)
    }

    /// Traffic that began in a range, what waits included.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn traffic(&self, range: &Range) -> Result<Vec<TrafficRow>, StoreError> {
        let failed = failed("read traffic");
        let query = "SELECT stretch, start_s, client, service, protocol, up_bytes, down_bytes FROM traffic \
            WHERE start_s >= ?1 AND start_s < ?2 ORDER BY start_s LIMIT ?3";
        let mut statement = self.connection.prepare(query).map_err(&failed)?;
        let rows = statement.query_map(params![range.start, range.end, MAX_ROWS], |row| {
            Ok(TrafficRow {
                stretch: Stretch::from_secs(row.get(0)?),
                start_s: row.get(1)?,
                client: row.get(2)?,
                service: row.get(3)?,
                protocol: row.get(4)?,
                up_bytes: row.get::<_, i64>(5)?.unsigned_abs(),
                down_bytes: row.get::<_, i64>(6)?.unsigned_abs(),
            })
        });
        let mut found: Vec<TrafficRow> = rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        found.extend(self.pending.traffic.iter().filter(|row| range.contains(&row.start_s)).cloned());
        Ok(found)
    }

    /// Alerts that were last seen in a range, what waits included, latest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn alerts(&self, range: &Range) -> Result<Vec<AlertRow>, StoreError> {
        let failed = failed("read alerts");
        let query =
            format!("{SELECT_ALERT} WHERE last_s >= ?1 AND last_s < ?2 ORDER BY last_s DESC LIMIT ?3");
        let mut statement = self.connection.prepare(&query).map_err(&failed)?;
        let rows = statement.query_map(params![range.start, range.end, MAX_ROWS], |row| self.alert_row(row));
        let stored: Vec<AlertRow> = rows.map_err(&failed)?.collect::<Result<_, _>>().map_err(&failed)?;
        let waiting = self.pending.alerts.iter().filter(|row| range.contains(&row.last_s)).cloned();
        let mut found: Vec<AlertRow> = waiting.collect();
        found.extend(stored.into_iter().filter(|row| self.pending.alerts.iter().all(|new| new.id != row.id)));
        Ok(found)
    }
}

fn write_pending(transaction: &Transaction<'_>, pending: &Pending) -> Result<(), rusqlite::Error> {
    if let Some((serial, text)) = &pending.ledger {
        let serial = i64::try_from(*serial).unwrap_or(i64::MAX);
        transaction.execute("INSERT OR REPLACE INTO ledger VALUES (?1, ?2)", params![serial, text])?;
        let old = "DELETE FROM ledger WHERE serial NOT IN (SELECT serial FROM ledger ORDER BY serial DESC LIMIT ?1)";
        transaction.execute(old, [LEDGERS])?;
    }
    let mut usage = transaction.prepare("INSERT OR REPLACE INTO usage VALUES (?1, ?2, ?3)")?;
    for row in &pending.usage {
        usage.execute(params![row.day.as_days(), row.client, row.used_s])?;
    }
    let mut session = transaction.prepare("INSERT INTO session VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in &pending.sessions {
        let services = serde_json::to_string(&row.services).unwrap_or_default();
        let servers = serde_json::to_string(&row.servers).unwrap_or_default();
        session.execute(params![row.client, row.start_s, row.end_s, row.watch_s, services, servers])?;
    }
    let mut traffic = transaction.prepare(ADD_TRAFFIC)?;
    for row in &pending.traffic {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        traffic.execute(params![
            row.stretch.secs(),
            row.start_s,
            row.client,
            row.service,
            row.protocol,
            signed(row.up_bytes),
            signed(row.down_bytes)
        ])?;
    }
    let mut alert = transaction.prepare(
        "INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
            ON CONFLICT (id) DO UPDATE SET \
            severity = excluded.severity, target = excluded.target, last_s = excluded.last_s, \
            closed = excluded.closed, evidence = excluded.evidence, \
            acked_s = coalesce(excluded.acked_s, acked_s), note = coalesce(excluded.note, note), \
            resolved_s = coalesce(excluded.resolved_s, resolved_s)",
    )?;
    for row in &pending.alerts {
        alert.execute(params![
            row.id,
            row.kind,
            row.severity,
            row.source,
            row.target,
            row.first_s,
            row.last_s,
            row.closed,
            row.evidence,
            row.acked_s,
            row.note,
            row.resolved_s
        ])?;
    }
    Ok(())
}

const SELECT_ALERT: &str = "SELECT id, type, severity, source, target, first_s, last_s, closed, evidence, acked_s, \
    note, resolved_s FROM alert";

const ADD_TRAFFIC: &str = "INSERT INTO traffic VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
    up_bytes = up_bytes + excluded.up_bytes, down_bytes = down_bytes + excluded.down_bytes";

/// Adds rows of one stretch that are older than a moment up to rows of a longer stretch.
fn roll_up(
    transaction: &Transaction<'_>,
    (from, to): (Stretch, Stretch),
    before_s: i64,
) -> Result<(), rusqlite::Error> {
    let bounds = params![from.secs(), to.secs(), before_s - before_s.rem_euclid(to.secs())];
    transaction.execute(
        "INSERT INTO traffic SELECT ?2, start_s / ?2 * ?2, client, service, protocol, sum(up_bytes), sum(down_bytes) \
            FROM traffic WHERE stretch = ?1 AND start_s < ?3 GROUP BY 2, 3, 4, 5 ON CONFLICT DO UPDATE SET \
            up_bytes = up_bytes + excluded.up_bytes, down_bytes = down_bytes + excluded.down_bytes",
        bounds,
    )?;
    transaction.execute(
        "DELETE FROM traffic WHERE stretch = ?1 AND start_s < ?2",
        params![from.secs(), before_s - before_s.rem_euclid(to.secs())],
    )?;
    Ok(())
}

/// Whether the file itself is at fault.
fn is_damage(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(
        error,
        StoreError::Sql { source, .. }
            if matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    )
}

/// Drops what is older than a day.
fn prune(transaction: &Transaction<'_>, oldest_day: i32) -> Result<(), rusqlite::Error> {
    let oldest_s = i64::from(oldest_day) * 86_400;
    transaction.execute("DELETE FROM usage WHERE day < ?1", [oldest_day])?;
    transaction.execute("DELETE FROM wear WHERE day < ?1", [oldest_day])?;
    transaction.execute("DELETE FROM session WHERE start_s < ?1", [oldest_s])?;
    transaction.execute("DELETE FROM traffic WHERE start_s < ?1", [oldest_s])?;
    transaction.execute("DELETE FROM alert WHERE last_s < ?1", [oldest_s])?;
    Ok(())
}
