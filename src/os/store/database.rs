//! History in one SQLite file that anyone can open with `sqlite3`.
//!
//! Flash is the scarce thing. Rows wait in bounded memory; a commit writes all of them in one transaction, which
//! costs a few page writes. Commits happen every interval, and soon after something a parent did or would want to
//! survive a power cut, at least a minute apart and at most [`COMMITS_PER_DAY`] a day, counted in the database
//! itself. `journal_mode TRUNCATE` and no mmap: JFFS2 has no shared mappings.
//!
//! The file is bounded: when it is full, old days lose detail and then leave (see [`super::retain`]), the ledger
//! never.

use std::path::{Path, PathBuf};

use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension};

use super::intake::{Intake, Names};
use super::pending::Pending;
use super::retain::{Retention, STEPS};
use super::{StoreError, schema, write};
use crate::history::Calendar;
use crate::time::{Duration, LocalDay, Moment};
use crate::units::Bytes;

/// Commits a day, whatever happens.
pub const COMMITS_PER_DAY: u32 = 100;
/// Urgent commits are at least so far apart.
const URGENT_GAP: Duration = Duration::from_secs(60);
/// What a waiting row takes in the file, roughly and with its indices.
const ROW_BYTES: u64 = 64;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// It is being written (see [`super::Archive`]).
    Underway,
}

/// The history database.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    path: PathBuf,
    limits: Limits,
    pub(super) intake: Intake,
    last_commit: Option<Moment>,
    urgent: bool,
    /// Alerts up to this number are of earlier runs: what was open then is over.
    pub(super) ended_alerts: i64,
}

pub(super) fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
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
        // The routers' SQLite is made without UNION and would answer its last part only (openwrt/sqlite.flags).
        connection.set_limit(Limit::SQLITE_LIMIT_COMPOUND_SELECT, 1).map_err(failed("set up"))?;
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
            intake: Intake::default(),
            last_commit: None,
            urgent: false,
            ended_alerts: 0,
        })
    }

    /// New limits, e.g. after a reload.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// When hours and days begin; UTC and midnight until told.
    pub fn set_calendar(&mut self, calendar: Calendar) {
        self.intake.calendar = calendar;
    }

    /// When hours and days begin.
    pub fn calendar(&self) -> &Calendar {
        &self.intake.calendar
    }

    /// Whether names may be written. Where they may not, those written before are removed at once.
    ///
    /// # Errors
    /// If the disk is full or broken.
    pub fn set_names(&mut self, names: Names) -> Result<(), StoreError> {
        self.intake.names = names;
        if names == Names::Kept {
            return Ok(());
        }
        self.intake.pending.forget_names();
        let failed = failed("forget names");
        // What is deleted is overwritten, this time only: it costs page writes.
        self.connection.pragma_update(None, "secure_delete", true).map_err(&failed)?;
        let transaction = self.connection.transaction().map_err(&failed)?;
        let today = LocalDay::default();
        let retention = Retention { transaction: &transaction, calendar: &self.intake.calendar, today };
        retention.forget_names().map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.vacuum().map_err(&failed)?;
        self.connection.pragma_update(None, "secure_delete", false).map_err(&failed)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where rows are put until they are written.
    pub fn intake(&mut self) -> &mut Intake {
        &mut self.intake
    }

    /// Rows lost because too many waited.
    pub fn dropped(&self) -> u64 {
        self.intake.pending.dropped
    }

    /// Rows that wait for a commit.
    pub fn pending(&self) -> usize {
        self.intake.pending.rows()
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

    /// Writes what waits, if it is time. `day` is the date to count the commit under.
    ///
    /// # Errors
    /// If the disk is full or broken; the rows keep waiting.
    pub fn commit(&mut self, urgency: Urgency, now: Moment, day: LocalDay) -> Result<Committed, StoreError> {
        match self.due(urgency, now, day)? {
            Committed::Yes => self.write_out(day).map(|()| Committed::Yes),
            other => Ok(other),
        }
    }

    /// What becomes of a commit that is asked for now; `Yes` counts as the last one. An urgency is remembered until
    /// it was heeded.
    pub(super) fn due(
        &mut self,
        urgency: Urgency,
        now: Moment,
        day: LocalDay,
    ) -> Result<Committed, StoreError> {
        self.urgent |= urgency != Urgency::Ordinary;
        let since = self.last_commit.map(|last| now.since(last));
        let due = match (urgency, since) {
            (_, None) | (Urgency::Leaving, _) => true,
            (_, Some(since)) => since >= self.limits.interval || self.urgent && since >= URGENT_GAP,
        };
        if !due || self.intake.pending.is_empty() {
            return Ok(Committed::NotYet);
        }
        if self.commits_on(day)? >= COMMITS_PER_DAY {
            return Ok(Committed::Worn);
        }
        self.last_commit = Some(now);
        Ok(Committed::Yes)
    }

    /// Writes what waits, and makes room for it where there is none.
    pub(super) fn write_out(&mut self, day: LocalDay) -> Result<(), StoreError> {
        let coming = Bytes(self.intake.pending.rows() as u64 * ROW_BYTES);
        if self.size()?.as_u64() + coming.as_u64() > self.limits.size.as_u64() {
            self.shrink(day, coming)?;
        }
        if self.write(day).is_err() {
            // Most likely full: make room and try once more.
            self.shrink(day, coming)?;
            self.write(day)?;
        }
        self.urgent = false;
        self.intake.pending = Pending { dropped: self.intake.pending.dropped, ..Pending::default() };
        if self.size()? > self.limits.size {
            self.shrink(day, Bytes(0))?;
        }
        Ok(())
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
        write::write(&transaction, &self.intake.pending).map_err(&failed)?;
        let over = "UPDATE alert SET closed = 1 WHERE closed = 0 AND id <= ?1";
        transaction.execute(over, [self.ended_alerts]).map_err(&failed)?;
        let wear = "INSERT INTO wear VALUES (?1, 1) ON CONFLICT DO UPDATE SET commits = commits + 1";
        transaction.execute(wear, [day.as_days()]).map_err(&failed)?;
        let retention = Retention { transaction: &transaction, calendar: &self.intake.calendar, today: day };
        retention.age(self.limits.history_days).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// The size of the file.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn size(&self) -> Result<Bytes, StoreError> {
        let ask = |query: &str| {
            let found: i64 =
                self.connection.query_row(query, [], |row| row.get(0)).map_err(failed("measure"))?;
            Ok(u64::try_from(found).unwrap_or(0))
        };
        Ok(Bytes(ask("PRAGMA page_count")? * ask("PRAGMA page_size")?))
    }

    /// Makes room, step by step, until `coming` fits and an eighth of the limit is free: shrinking a little at
    /// every commit would wear the flash.
    fn shrink(&mut self, day: LocalDay, coming: Bytes) -> Result<(), StoreError> {
        let failed = failed("shrink");
        let limit = self.limits.size.as_u64();
        let goal = (limit - limit / 8).saturating_sub(coming.as_u64());
        for step in STEPS {
            let transaction = self.connection.transaction().map_err(&failed)?;
            let retention =
                Retention { transaction: &transaction, calendar: &self.intake.calendar, today: day };
            retention.shrink(step).map_err(&failed)?;
            transaction.commit().map_err(&failed)?;
            self.vacuum().map_err(&failed)?;
            if self.size()?.as_u64() <= goal {
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
