//! What is kept and where: the ledger each window in RAM, history on flash now and then.
//!
//! A database that cannot be opened or written is a warning and a line in `doctor`, never a reason to stop
//! counting: the RAM files alone carry a household through a crash.

use std::path::{Path, PathBuf};

use super::enforce::chain;
use crate::config::Main;
use crate::history::{AlertRow, Calendar, Minute, SessionRow, UsageRow};
use crate::os::facts;
use crate::os::store::{Archive, Committed, Database, Limits, Names, StateFile, Urgency};
use crate::quota::{BlockState, Ledger, Recovery, State};
use crate::time::{Duration, LocalDay, Moment};

/// How often the state file is replaced: a crash loses at most one window.
const STATE_EVERY: Duration = Duration::from_secs(10);
/// How long flash is left alone after it refused.
const BROKEN_FOR: Duration = Duration::from_secs(3_600);

/// Files and database.
pub(super) struct Keeper {
    file: StateFile,
    blocks: PathBuf,
    kept_blocks: Vec<BlockState>,
    archive: Option<Archive>,
    state_at: Moment,
    retry_at: Moment,
    trouble: Option<String>,
    urgency: Urgency,
}

impl Keeper {
    /// Opens what can be opened.
    pub(super) fn open(run_dir: &Path, main: &Main) -> Self {
        let (archive, trouble) = open_archive(main);
        Self {
            file: StateFile::at(run_dir.join("state.json")),
            blocks: run_dir.join("blocks.json"),
            kept_blocks: Vec::new(),
            archive,
            state_at: Moment::ZERO,
            retry_at: Moment::ZERO,
            trouble,
            urgency: Urgency::Ordinary,
        }
    }

    /// Goes on in another directory, after a last [`Keeper::keep`] in the one before; what is there stays there.
    pub(super) fn move_to(&mut self, main: &Main) {
        // Closed before the other is opened: it may be the same file by another name.
        self.archive = None;
        (self.archive, self.trouble) = open_archive(main);
        self.retry_at = Moment::ZERO;
        self.hurry();
    }

    /// Takes over a changed configuration.
    pub(super) fn set_limits(&mut self, main: &Main, calendar: &Calendar) {
        let Some(archive) = &mut self.archive else { return };
        let Ok(database) = archive.database_mut() else { return };
        database.set_limits(limits(main));
        database.set_calendar(calendar.clone());
        let names = if main.names { Names::Kept } else { Names::Left };
        if let Err(error) = database.set_names(names) {
            log::error!("names stay in the database: {}", chain(&error));
        }
    }

    /// All generations of the ledger there are.
    pub(super) fn recover(&self) -> Recovery {
        let mut generations = self.file.read();
        if let Some(database) = self.database() {
            match database.ledgers() {
                Ok(kept) => generations.extend(kept),
                Err(error) => log::error!("the ledger on flash cannot be read: {}", chain(&error)),
            }
        }
        Recovery::from_generations(generations)
    }

    /// The servers that were listed. They come back with the next streaming-like window if this file is lost, so
    /// one generation is enough.
    pub(super) fn blocks(&self) -> Vec<BlockState> {
        let text = facts::read_text(&self.blocks).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps the servers that are listed, if they changed.
    pub(super) fn keep_blocks(&mut self, blocks: &[BlockState]) {
        if self.kept_blocks == blocks {
            return;
        }
        let text = serde_json::to_string(blocks).unwrap_or_default();
        match facts::replace_text(&self.blocks, &text) {
            Ok(()) => self.kept_blocks = blocks.to_vec(),
            Err(error) => log::error!("{}: {error}", self.blocks.display()),
        }
    }

    /// Whether the state file is due.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        now >= self.state_at
    }

    /// Keeps the ledger in RAM, and everything on flash if it is time.
    pub(super) fn keep(&mut self, state: &State, ledger: &Ledger, now: Moment) {
        self.state_at = now + STATE_EVERY;
        if let Err(error) = self.file.write(state) {
            log::error!("the state cannot be kept: {}", chain(&error));
        }
        let Some(archive) = &mut self.archive else { return };
        let intake = archive.intake();
        intake.put_ledger(state);
        if let Some(day) = ledger.day() {
            for usage in ledger.usages().filter(|usage| usage.used_s > 0) {
                intake.put_usage(UsageRow { day, client: usage.client.to_string(), used_s: usage.used_s });
            }
        }
        if now < self.retry_at {
            return;
        }
        let urgency = std::mem::replace(&mut self.urgency, Urgency::Ordinary);
        match archive.commit(urgency, now, ledger.day().unwrap_or_default()) {
            Ok(Committed::Underway) => {}
            Ok(Committed::Yes | Committed::NotYet | Committed::Worn) => self.trouble = None,
            Err(error) => {
                let reason = chain(&error);
                if self.trouble.as_ref() != Some(&reason) {
                    log::error!("history stays in memory: {reason}");
                }
                self.trouble = Some(reason);
                self.retry_at = now + BROKEN_FOR;
            }
        }
    }

    /// Somebody acted, or a standing changed: the state is kept at the next tick and flash soon. A crash right after
    /// a block must not find the device a few seconds below its quota again.
    pub(super) fn hurry(&mut self) {
        self.urgency = Urgency::Soon;
        self.state_at = Moment::ZERO;
    }

    /// The next [`Keeper::keep`] is the last.
    pub(super) fn leave(&mut self) {
        self.urgency = Urgency::Leaving;
        self.retry_at = Moment::ZERO;
    }

    /// Keeps a session.
    pub(super) fn session(&mut self, row: SessionRow) {
        if let Some(archive) = &mut self.archive {
            archive.intake().put_session(row);
        }
    }

    /// Keeps a minute's traffic.
    pub(super) fn minute(&mut self, minute: Minute) {
        if let Some(archive) = &mut self.archive {
            archive.intake().put_minute(minute);
        }
    }

    /// Keeps an alert as it stands.
    pub(super) fn alert(&mut self, row: AlertRow) {
        if let Some(archive) = &mut self.archive {
            archive.intake().put_alert(row);
        }
    }

    /// The number of the last alert of earlier runs. Those still open are over: nobody has watched since.
    pub(super) fn last_alert(&mut self) -> i64 {
        let Some(archive) = &mut self.archive else { return 0 };
        match archive.database_mut().and_then(Database::end_alerts) {
            Ok(last) => last,
            Err(error) => {
                log::error!("earlier alerts cannot be read: {}", chain(&error));
                0
            }
        }
    }

    /// For queries.
    pub(super) fn database(&self) -> Option<&Database> {
        self.archive.as_ref().and_then(Archive::database)
    }

    /// Why history is not kept, if so.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Commits counted under a day.
    pub(super) fn commits_on(&self, day: LocalDay) -> u32 {
        self.database().and_then(|database| database.commits_on(day).ok()).unwrap_or(0)
    }
}

/// The database, or why there is none.
fn open_archive(main: &Main) -> (Option<Archive>, Option<String>) {
    let path = Path::new(&main.state_dir).join("streamguard.db");
    match Database::open(&path, limits(main)) {
        Ok((database, damage)) => {
            if let Some(damage) = damage {
                log::error!("history was damaged and put aside: {}", chain(&damage));
            }
            (Some(Archive::new(database)), None)
        }
        Err(error) => {
            log::error!("no history will be kept: {}", chain(&error));
            (None, Some(chain(&error)))
        }
    }
}

fn limits(main: &Main) -> Limits {
    Limits { size: main.db_max, history_days: main.history_days, interval: main.commit_interval }
}
