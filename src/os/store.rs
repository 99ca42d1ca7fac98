//! What must outlive the process: the ledger in RAM files, history on flash.
//!
//! [`StateFile`] holds the ledger of this minute in `/var/run`: two generations, replaced atomically, read back
//! by a daemon that starts after a crash. [`Database`] is one SQLite file on flash, which wears: rows wait in
//! memory and are committed together, now and then, never more than a hundred times a day. [`Archive`] keeps those who
//! count from waiting for flash meanwhile.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::quota::{State, StateError};

mod archive;
mod database;
mod intake;
mod pending;
mod query;
mod retain;
mod schema;
mod write;

pub use archive::Archive;
pub use database::{COMMITS_PER_DAY, Committed, Database, Limits, Urgency};
pub use intake::{Intake, Names};
pub use pending::MAX_PENDING_ROWS;
pub use query::{By, MAX_ROWS};

/// A state file is never larger; more is not read.
const MAX_STATE_BYTES: u64 = (1 << 20) + 1;

/// Why something was not kept.
#[derive(Debug)]
pub enum StoreError {
    /// A file cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    Sql {
        /// What it was asked to do.
        what: &'static str,
        /// Why it did not.
        source: rusqlite::Error,
    },
    /// The database was written by a later version.
    Version {
        /// The version found.
        found: u32,
        /// The version we know.
        known: u32,
    },
    /// A commit ended before its time and took the database with it.
    Lost,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(f),
            Self::Sql { what, .. } => write!(f, "database: {what}"),
            Self::Lost => f.write_str("database: lost in a commit"),
            Self::Version { found, known } => {
                write!(f, "database: version {found} was written by a later release, this one knows {known}")
            }
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Sql { source, .. } => Some(source),
            Self::Version { .. } | Self::Lost => None,
        }
    }
}

/// The ledger's state as two files, `NAME` and the generation before it, `NAME.1`.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// A state file at this path; nothing is touched yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Replaces the state. At every instant a whole generation is there under one of the two names: the new one
    /// is complete before the old one is renamed, and the old one keeps its second name.
    ///
    /// # Errors
    /// If the disk is full or the directory is not writable; then what was there is still there.
    pub fn write(&self, state: &State) -> Result<(), StoreError> {
        let fresh = self.sibling(".new");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::File { path, source }
        };
        let mut file = File::create(&fresh).map_err(failed(&fresh))?;
        file.write_all(state.encode().as_bytes()).map_err(failed(&fresh))?;
        file.sync_all().map_err(failed(&fresh))?;
        match fs::rename(&self.path, self.sibling(".1")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&self.path)(error)),
            _ => {}
        }
        fs::rename(&fresh, &self.path).map_err(failed(&self.path))
    }

    /// Reads all generations, for [`crate::quota::Recovery::from_generations`].
    pub fn read(&self) -> Vec<Result<State, StateError>> {
        [self.path.clone(), self.sibling(".1"), self.sibling(".new")]
            .iter()
            .map(|path| read_state(path))
            .collect()
    }

    /// Forgets the state, e.g. for a test of what happens then.
    pub fn remove(&self) {
        for path in [self.path.clone(), self.sibling(".1"), self.sibling(".new")] {
            let _ = fs::remove_file(path);
        }
    }
}

fn read_state(path: &Path) -> Result<State, StateError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => StateError::Missing,
        _ => StateError::Content(error.to_string()),
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(MAX_STATE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    State::decode(&String::from_utf8(bytes).map_err(|_| StateError::Checksum)?)
}

#[cfg(test)]
mod tests;
